// SPDX-License-Identifier: GPL-2.0

//! The shared area as seen through BAR1, and the doorbell of its task.
//!
//! ```text
//!   wait   word there? ── yes ──▶ read barrier ──▶ Seen
//!            │ no
//!          task dead? time up? killed? ──▶ why
//!            │ no
//!          pause, see `pace`, ended by events of the task
//! ```
//!
//! The firmware announces a task that is up and one that has crashed. It announces no answer: the
//! plugin's host reads the response buffer until it changes, in every published driver. No lock is
//! held here that anybody but the users of the same VF waits for.

use kernel::{
    prelude::*,
    sync::{
        barrier,
        Arc, //
    },
    time::{
        Instant,
        Monotonic, //
    },
};
use nova_core_vgpu::vgpu::{
    plugin_vector,
    Bar1Mapping,
    Gpu, //
};

use super::{
    channel::{
        Area,
        Patience,
        Waited, //
    },
    observed::Observed,
    watch::Death, //
};

/// The start of a management heap and the doorbell of its task.
pub(super) struct SharedArea {
    mapping: Arc<Bar1Mapping>,
    gpu: Arc<Gpu>,
    gfid: u32,
    observed: Arc<Observed>,
}

impl SharedArea {
    /// `mapping` shows at least [`layout::SHARED_SIZE`](super::layout::SHARED_SIZE) bytes.
    pub(super) fn new(
        gpu: Arc<Gpu>,
        mapping: Arc<Bar1Mapping>,
        gfid: u32,
        observed: Arc<Observed>,
    ) -> Self {
        Self {
            mapping,
            gpu,
            gfid,
            observed,
        }
    }
}

impl Area for SharedArea {
    type Error = Error;

    fn read32(&self, offset: u32) -> Result<u32> {
        self.mapping.read32(offset as usize)
    }

    fn write32(&self, offset: u32, value: u32) -> Result<()> {
        self.mapping.write32(offset as usize, value)
    }

    fn read(&self, offset: u32, data: &mut [u8]) -> Result<()> {
        self.mapping.read(offset as usize, data)
    }

    fn write(&self, offset: u32, data: &[u8]) -> Result<()> {
        self.mapping.write(offset as usize, data)
    }

    fn ring(&self) -> Result<()> {
        self.mapping.flush()?;
        self.gpu.ring_doorbell(plugin_vector(self.gfid))
    }

    fn wait(&self, offset: u32, value: u32, patience: Patience) -> Result<Waited> {
        let watch = self.observed.watch();
        let timeout_us = u64::from(patience.timeout_ms) * 1000;
        let start = Instant::<Monotonic>::now();

        loop {
            // State and time are taken first: what was there before the task died or the deadline
            // passed counts, however late this one gets to run.
            let death = watch.death();
            // CAST: Not negative.
            let waited_us = start.elapsed().as_micros_ceil() as u64;
            if self.read32(offset)? == value {
                // The window is write-combining: reads of it may be done early.
                barrier::mb(barrier::Read);
                return Ok(Waited::Seen);
            }
            match death {
                Some(Death::Crashed) => return Ok(Waited::Crashed),
                Some(Death::Lost) => return Ok(Waited::Lost),
                None => (),
            }
            let Some(left_us) = timeout_us.checked_sub(waited_us).filter(|left| *left != 0) else {
                return Ok(Waited::TimeUp);
            };
            match watch.pause(waited_us, left_us, patience.killable) {
                Err(e) if e == EINTR => return Ok(Waited::Killed),
                paused => paused?,
            }
        }
    }
}
