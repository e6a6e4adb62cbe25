// SPDX-License-Identifier: GPL-2.0

//! The copy engine, for users of the handle.
//!
//! ```text
//!   fill, copy  ranges of the caller --> fill_fb, copy_any  any memory --> gate --> CopyEngine
//!
//!   Listening   its interrupt and events, from the end of a boot until before the gate is closed
//! ```
//!
//! The public face is what VF drivers do with an engine, not the engine: channel, pushbuffer and
//! semaphore stay on this side, because a pushbuffer of a privileged channel can name any physical
//! address and must be made by who checks them.

use core::ops::Range;

use kernel::{
    prelude::*,
    sync::Arc, //
};

use super::{
    FbRange,
    Gpu,
    Handle, //
};
use crate::{
    ce::{
        CopyEngine,
        Location, //
    },
    gpu,
    gsp::{
        events::{
            Filter,
            Subscription, //
        },
        fw::r570_144::event, //
    },
    irq, //
};

/// The part of `fb` that begins at `offset`, as addresses.
fn part(fb: &FbRange, offset: u64, len: u64) -> Result<Range<u64>> {
    match offset.checked_add(len) {
        Some(end) if end <= fb.size() => Ok(fb.address() + offset..fb.address() + end),
        _ => Err(ERANGE),
    }
}

impl Gpu {
    /// Fills a part of `fb`, counted from its beginning, with `value`. The bounds of `range` are
    /// multiples of 4. Sleeps.
    ///
    /// # Errors
    ///
    /// `ERANGE` outside of `fb`, `EINVAL` if empty or misaligned, `ETIMEDOUT` if the engine makes
    /// no progress, `EIO` if firmware stopped its channel, `EINTR` if the task is being killed,
    /// `ENODEV`. What the part holds is not known after any of the last four.
    #[inline(never)]
    pub fn fill(&self, fb: &FbRange, range: Range<u64>, value: u32) -> Result {
        let len = range.end.checked_sub(range.start).ok_or(EINVAL)?;
        self.fill_fb(part(fb, range.start, len)?, value)
    }

    /// Copies `len` bytes from one place to another; they must not overlap. Sleeps.
    ///
    /// # Errors
    ///
    /// As for [`Gpu::fill`], and `EINVAL` if they overlap.
    #[inline(never)]
    pub fn copy(
        &self,
        from: &FbRange,
        from_offset: u64,
        to: &FbRange,
        to_offset: u64,
        len: u64,
    ) -> Result {
        let from = part(from, from_offset, len)?;
        let to = part(to, to_offset, len)?;
        self.copy_any(Location::Video(from.start), Location::Video(to.start), len)
    }

    /// Fills frame buffer with `value`; see [`CopyEngine::fill`].
    ///
    /// # Errors
    ///
    /// As there.
    pub(crate) fn fill_fb(&self, fb: Range<u64>, value: u32) -> Result {
        self.ce.fill(&*self.enter()?, fb, value)
    }

    /// Copies memory; see [`CopyEngine::copy`].
    ///
    /// # Errors
    ///
    /// As there.
    pub(crate) fn copy_any(&self, from: Location, to: Location, len: u64) -> Result {
        self.ce.copy(&*self.enter()?, from, to, len)
    }

    /// The engine, for debugfs.
    pub(crate) fn ce(&self) -> &CopyEngine {
        &self.ce
    }
}

/// What tells the copy engine that something has happened, in one boot of the GPU. Dropping it stops
/// the engine; the gate must be open.
pub(super) struct Listening<'gpu> {
    handle: Arc<Handle>,
    _event: Subscription,
    /// `None` if firmware does not say which vector the engine has.
    _interrupt: Option<irq::Subscription<'gpu>>,
}

impl<'gpu> Listening<'gpu> {
    /// Starts to listen.
    pub(super) fn new(core: &gpu::Gpu<'gpu>, handle: &Arc<Handle>) -> Result<Self> {
        handle.gpu().ce.start();
        let shared = handle.gpu().ce.shared();
        let interrupt = match shared.vector(core) {
            Some(vector) => Some(core.irq().subscribe(vector, shared.clone())?),
            None => None,
        };
        Ok(Self {
            handle: handle.clone(),
            _event: core
                .events()
                .subscribe(Filter::Kind(event::RC_TRIGGERED), shared.clone())?,
            _interrupt: interrupt,
        })
    }
}

impl Drop for Listening<'_> {
    fn drop(&mut self) {
        let gpu = self.handle.gpu();
        let _ = gpu.look(|core| {
            if core.cmdq().is_alive() {
                gpu.ce.stop(core);
            } else {
                // There is nobody to ask; the GPU is reset next, or not used any more.
                gpu.ce.reset(core);
            }
            Ok(())
        });
    }
}
