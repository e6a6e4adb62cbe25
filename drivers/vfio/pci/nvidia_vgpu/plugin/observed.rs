// SPDX-License-Identifier: GPL-2.0

//! What others may know of the plugin task of a VF without asking it, or waiting for who does.
//!
//! ```text
//!   watch     events of the task, loss of the GPU ──▶ whoever waits for an answer
//!   records   shared area, live or kept           ──▶ debugfs
//!   counts    messages and latencies              ──▶ debugfs
//! ```
//!
//! One per VF, for as long as the driver has it. Its locks are innermost: none is held while a task
//! or the firmware is waited for.

use kernel::{
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc, //
    },
};
use nova_core_vgpu::vgpu::{
    Bar1Mapping,
    TaskEvent, //
};

use super::{
    counts::Counts,
    records::Records,
    watch::Watch, //
};

/// See the file's comment.
#[pin_data]
pub(crate) struct Observed {
    #[pin]
    watch: Watch,
    #[pin]
    records: Records,
    counts: Counts,
    /// Version of the message interface that was agreed upon; 0 before.
    version: Atomic<u32>,
}

impl Observed {
    /// No task yet.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new() -> Result<Arc<Self>> {
        Arc::pin_init(
            pin_init!(Self {
                watch <- Watch::new(),
                records <- Records::new(),
                counts: Counts::new(),
                version: Atomic::new(0),
            }),
            GFP_KERNEL,
        )
    }

    /// A vGPU is about to be made. To be called before anything can be reported about it.
    pub(crate) fn begin(&self) {
        self.version.store(0, Relaxed);
        self.counts.begin();
        self.watch.begin();
    }

    /// Its task is about to be started; `mapping` shows the shared area.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(super) fn show(&self, mapping: Arc<Bar1Mapping>) -> Result {
        self.records.begin(mapping)
    }

    /// The task has ended, as far as the firmware listened, but the shared area is still its own.
    pub(crate) fn end(&self) {
        self.records.keep();
        self.watch.end();
    }

    /// Firmware has reported something about the task. Does not wait. Returns whether that is the
    /// task's death.
    pub(crate) fn event(&self, what: TaskEvent) -> bool {
        self.watch.event(what)
    }

    /// The task is about to be ended.
    pub(super) fn stop(&self) {
        self.watch.stop();
    }

    /// The GPU is lost, or about to be stopped. Does not wait.
    pub(crate) fn lost(&self) {
        self.watch.lost();
    }

    /// What becomes of the task.
    pub(crate) fn watch(&self) -> &Watch {
        &self.watch
    }

    /// The shared area.
    pub(crate) fn records(&self) -> &Records {
        &self.records
    }

    /// Numbers.
    pub(crate) fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Version of the message interface; 0 before it is agreed upon.
    pub(crate) fn version(&self) -> u32 {
        self.version.load(Relaxed)
    }

    pub(super) fn set_version(&self, version: u32) {
        self.version.store(version, Relaxed);
    }
}
