// SPDX-License-Identifier: GPL-2.0

//! A window of the CPU on a range of frame buffer.
//!
//! ```text
//!   FbRange  |-------[ offset .. offset + len ]------|
//!                            ^
//!   page tables of BAR1      |       mm::bar1
//!                            v
//!   BAR1     |-----[ va .. va + len ]-----------|
//!                            ^
//!   ioremap_wc               |       kernel_ext::io::BarWindow
//!                            v
//!   Bar1Mapping::read/write
//! ```

use core::ops::Range;

use kernel::{
    io::Io,
    prelude::*,
    sync::{
        barrier,
        Arc, //
    }, //
};
use kernel_ext::io::{
    BarWindow,
    Caching, //
};

use super::{
    FbRange,
    FbReservation, //
};
use crate::{
    mm::vmm::MapRequest,
    vgpu::{
        Gpu,
        MapInfo,
        BAR1, //
    }, //
};

/// The window; unmapped on drop. As long as it lives, the frame buffer it shows is not given back.
pub struct Bar1Mapping {
    gpu: Arc<Gpu>,
    /// The page tables are those of this boot.
    boot: u32,
    fb: Arc<FbReservation>,
    // `None` only while being dropped.
    window: Option<BarWindow<'static>>,
    va: Range<u64>,
}

impl Gpu {
    /// Maps a part of `fb` for the CPU.
    ///
    /// # Errors
    ///
    /// `EINVAL` if the part is misaligned, empty or not inside `fb`, or if the kind or the page
    /// size is not possible; `ENOSPC` if BAR1 is used up, `ETIMEDOUT` if the TLB of the GPU does
    /// not answer, `EIO`, `ENODEV`, `ENOMEM`.
    #[inline(never)]
    pub fn map_bar1(self: &Arc<Self>, fb: &FbRange, info: &MapInfo) -> Result<Bar1Mapping> {
        self.map_bar1_at(fb, info, None)
    }

    /// Same as [`Gpu::map_bar1`], at an offset in BAR1; `EBUSY` if that is taken.
    pub(crate) fn map_bar1_at(
        self: &Arc<Self>,
        fb: &FbRange,
        info: &MapInfo,
        va: Option<u64>,
    ) -> Result<Bar1Mapping> {
        let request = MapRequest {
            va,
            ..fb.map_request(info)?
        };
        let core = self.enter()?;
        let va = self
            .bar1
            .lock()
            .map(core.bar(), &request)
            .inspect_err(|e| {
                // A bad request is the caller's to report.
                if matches!(*e, EINVAL | EBUSY) {
                    return;
                }
                dev_err!(
                    self.dev(),
                    "cannot map FB {:#x}, {:#x} bytes, through BAR1: {:?}\n",
                    fb.address() + info.offset,
                    info.size,
                    e
                );
            })?;
        let mut mapping = Bar1Mapping {
            gpu: self.clone(),
            boot: core.boot(),
            fb: fb.0.clone(),
            window: None,
            va,
        };
        let window = BarWindow::new(
            core.pdev(),
            BAR1,
            mapping.va.start,
            mapping.len(),
            Caching::WriteCombine,
        )?;
        // SAFETY: Mappings belong to the driver of a VF, and unbinding the PF removes all VFs and
        // waits for their driver first. Besides, every access enters the gate, which is closed
        // after that.
        mapping.window = Some(unsafe { window.into_static() });
        drop(core);
        Ok(mapping)
    }
}

impl Gpu {
    /// Lets `look` use a window on `len` bytes of BAR1 that lead to no memory.
    ///
    /// # Errors
    ///
    /// Those of `look`, and as for [`Gpu::map_bar1`].
    pub(crate) fn with_sparse_bar1<R>(
        &self,
        len: usize,
        look: impl FnOnce(&BarWindow<'_>) -> Result<R>,
    ) -> Result<R> {
        let core = self.enter()?;
        // CAST: `usize` has 64 bits on every architecture with this device.
        let va = self.bar1.lock().map_sparse(core.bar(), len as u64)?;
        let seen = BarWindow::new(core.pdev(), BAR1, va.start, len, Caching::WriteCombine)
            .and_then(|window| look(&window));
        self.bar1.lock().unmap(core.bar(), &va).and(seen)
    }
}

impl Bar1Mapping {
    /// Bytes.
    #[expect(clippy::len_without_is_empty, reason = "a mapping is never empty")]
    #[inline(never)]
    pub fn len(&self) -> usize {
        // CAST: `usize` has 64 bits on every architecture with this device.
        (self.va.end - self.va.start) as usize
    }

    /// Where in BAR1 it is.
    pub(crate) fn bar1_offset(&self) -> u64 {
        self.va.start
    }

    /// Reads the dword at `offset`, a multiple of 4.
    ///
    /// # Errors
    ///
    /// `ERANGE` outside of the mapping, `EINVAL` if misaligned, `ENODEV`.
    #[inline(never)]
    pub fn read32(&self, offset: usize) -> Result<u32> {
        self.check(offset, 4)?;
        self.with(|window| window.try_read32(offset))
    }

    /// Writes the dword at `offset`, a multiple of 4.
    ///
    /// # Errors
    ///
    /// As for [`Bar1Mapping::read32`].
    #[inline(never)]
    pub fn write32(&self, offset: usize, value: u32) -> Result {
        self.check(offset, 4)?;
        self.with(|window| window.try_write32(value, offset))
    }

    /// Reads bytes.
    ///
    /// # Errors
    ///
    /// `ERANGE` outside of the mapping, `ENODEV`.
    #[inline(never)]
    pub fn read(&self, offset: usize, buf: &mut [u8]) -> Result {
        self.check(offset, buf.len())?;
        self.with(|window| window.copy_out(offset, buf))
    }

    /// Writes bytes.
    ///
    /// # Errors
    ///
    /// `ERANGE` outside of the mapping, `ENODEV`.
    #[inline(never)]
    pub fn write(&self, offset: usize, buf: &[u8]) -> Result {
        self.check(offset, buf.len())?;
        self.with(|window| window.copy_in(offset, buf))
    }

    /// Writes zeroes to all of it.
    ///
    /// # Errors
    ///
    /// `ENODEV`.
    #[inline(never)]
    pub fn zero(&self) -> Result {
        self.with(|window| window.fill(0, 0, self.len()))
    }

    /// Waits until everything written so far is in frame buffer. To be called before the GPU is
    /// told about it.
    ///
    /// # Errors
    ///
    /// `ENODEV`.
    #[inline(never)]
    pub fn flush(&self) -> Result {
        self.with(|window| {
            // Empties the write-combining buffers; the read then pushes the posted writes.
            barrier::mb(barrier::Write);
            window.try_read32(0).map(|_| ())
        })
    }

    fn check(&self, offset: usize, len: usize) -> Result {
        match offset.checked_add(len) {
            Some(end) if end <= self.len() => Ok(()),
            _ => Err(ERANGE),
        }
    }

    fn with<R>(&self, access: impl FnOnce(&BarWindow<'static>) -> Result<R>) -> Result<R> {
        let _core = self.gpu.enter_boot(self.boot)?;
        access(self.window.as_ref().ok_or(ENODEV)?)
    }

    #[inline(never)]
    fn unmap(&mut self) {
        // The CPU must not reach addresses that show something else.
        self.window = None;
        let Ok(core) = self.gpu.enter_boot(self.boot) else {
            return;
        };
        let result = self.gpu.bar1.lock().unmap(core.bar(), &self.va);
        if let Err(e) = result {
            // The GPU may still show it there.
            self.fb.quarantine();
            dev_err!(
                self.gpu.dev(),
                "cannot unmap BAR1 {:#x}, its FB {:#x}..{:#x} stays out of use: {:?}\n",
                self.va.start,
                self.fb.range.start,
                self.fb.range.end,
                e
            );
        }
    }
}

impl Drop for Bar1Mapping {
    fn drop(&mut self) {
        self.unmap();
    }
}
