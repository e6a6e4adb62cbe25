// SPDX-License-Identifier: GPL-2.0

//! Fetches events from GSP while nobody sends requests.
//!
//! ```text
//!  every 100 ms: Gate::enter ─▶ Cmdq::poll_events ─▶ sinks
//! ```
//!
//! GSP stops when the status queue is full, so it must be emptied in any case. Goes away when the
//! interrupt of GSP is used.

use kernel::{
    prelude::*,
    sync::Arc,
    time::Delta, //
};

use kernel_ext::work::Periodic;

use super::{
    gate::Gate,
    Gpu, //
};

const PERIOD: Delta = Delta::from_millis(100);

/// An open gate; closed on drop.
struct Open(Arc<Gate>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Fetches events as long as it lives. Fields are dropped in order of declaration.
pub(crate) struct EventPoller {
    _work: Periodic,
    _gate: Open,
}

impl EventPoller {
    /// Starts to fetch the events of `gpu`.
    ///
    /// # Safety
    ///
    /// `gpu` must be pinned and be dropped after what this returns.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) unsafe fn new(gpu: &Gpu<'_>) -> Result<Self> {
        let gate = Arc::pin_init(Gate::new(), GFP_KERNEL)?;
        // SAFETY: `gpu` is pinned, and `Open` closes the gate before it is dropped.
        unsafe { gate.open(gpu) };
        let open = Open(gate.clone());

        let work = Periodic::new(PERIOD, move || {
            if let Ok(gpu) = gate.enter() {
                gpu.cmdq().poll_events();
            }
        })?;

        Ok(Self {
            _work: work,
            _gate: open,
        })
    }
}
