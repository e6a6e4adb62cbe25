// SPDX-License-Identifier: GPL-2.0

//! Copy engine: fills and copies memory faster than the CPU could, and without it.
//!
//! ```text
//!   fill, copy --> chunks --> pushbuffer --> channel --> copy engine
//!       ^                                                    |
//!       +------ semaphore, non-stall interrupt --------------+
//! ```
//!
//! One engine and one channel serve all callers of a GPU. No lock is held while the engine works,
//! so callers take turns chunk by chunk.

use core::ops::Range;

use kernel::{
    dma::Coherent,
    prelude::*,
    sync::Arc, //
};

use crate::gpu;

/// One end of a copy.
#[allow(dead_code)]
#[derive(Clone)]
pub(crate) enum Location {
    /// Frame buffer from this address on.
    Video(u64),
    /// System memory from this byte of the buffer on. The engine keeps the buffer until it cannot
    /// touch it any more.
    System(Arc<Coherent<[u8]>>, usize),
}

/// The copy engine of a GPU.
pub(crate) struct CopyEngine(());

#[allow(dead_code)]
impl CopyEngine {
    /// An engine without channel.
    pub(crate) const fn new() -> Self {
        Self(())
    }

    /// Fills frame buffer with `value`. The bounds of `fb` are multiples of 4.
    ///
    /// Sleeps, so not to be called with a lock held; callers side by side share the engine fairly.
    ///
    /// # Errors
    ///
    /// `EINVAL` for a bad range, `ETIMEDOUT` if the engine makes no progress, `EIO` if the channel
    /// was stopped by firmware, `EINTR` if the task is being killed, `ENODEV` if there is no engine
    /// or the GPU is going away. With any of them, what the range holds is not known.
    pub(crate) fn fill(&self, _gpu: &gpu::Gpu<'_>, fb: Range<u64>, _value: u32) -> Result {
        if fb.is_empty() || (fb.start | fb.end) % 4 != 0 {
            return Err(EINVAL);
        }
        Err(ENODEV)
    }

    /// Copies `len` bytes. The two must not overlap.
    ///
    /// # Errors
    ///
    /// As for [`CopyEngine::fill`], and `EINVAL` if a buffer is too small.
    pub(crate) fn copy(
        &self,
        _gpu: &gpu::Gpu<'_>,
        _from: Location,
        _to: Location,
        len: u64,
    ) -> Result {
        if len == 0 {
            return Err(EINVAL);
        }
        Err(ENODEV)
    }
}
