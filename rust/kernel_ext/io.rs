// SPDX-License-Identifier: GPL-2.0

//! Windows into PCI BARs.
//!
//! [`kernel::pci::Bar`] requests a BAR and maps the whole of it, uncached. That does not do for a
//! GPU, whose BAR1 shows gigabytes of frame buffer: here the request of a BAR and the mappings of
//! parts of it are separate objects.
//!
//! ```text
//!   BAR1   |----------------------------------------------------|   BarReservation (whole BAR)
//!               |<- offset ->|
//!   BarWindow                |====== len ======|                    ioremap() or ioremap_wc()
//! ```

use core::marker::PhantomData;
use kernel::{
    bindings,
    device::Bound,
    io::{
        IoBase,
        Mmio,
        MmioBackend,
        MmioRaw,
        Region, //
    },
    pci,
    prelude::*, //
};

use crate::pci::as_raw;

/// How the CPU may treat accesses through a [`BarWindow`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caching {
    /// Every access goes to the device, in order: registers.
    Uncached,
    /// Writes may be gathered and reordered: frame buffer. A barrier is needed before telling the
    /// device about the data.
    WriteCombine,
}

/// The right of this driver to use a BAR, visible in `/proc/iomem`; given back on drop.
pub struct BarReservation<'a> {
    dev: &'a pci::Device<Bound>,
    bar: c_int,
}

impl<'a> BarReservation<'a> {
    /// Requests the BAR with resource index `bar` under `name`.
    ///
    /// # Errors
    ///
    /// `EINVAL` when there is no such BAR, `EBUSY` when somebody else has it.
    pub fn new(dev: &'a pci::Device<Bound>, bar: u32, name: &'static CStr) -> Result<Self> {
        if bar >= bindings::PCI_STD_NUM_BARS || dev.resource_len(bar)? == 0 {
            return Err(EINVAL);
        }
        let bar = c_int::try_from(bar)?;

        // SAFETY: `dev` is a valid device, `bar` one of its BARs, and `name` lives for ever.
        let ret = unsafe { bindings::pci_request_region(as_raw(dev), bar, name.as_char_ptr()) };
        if ret != 0 {
            return Err(EBUSY);
        }
        Ok(Self { dev, bar })
    }
}

impl Drop for BarReservation<'_> {
    fn drop(&mut self) {
        // SAFETY: The region was requested in `new` and `dev` is still bound.
        unsafe { bindings::pci_release_region(as_raw(self.dev), self.bar) };
    }
}

/// A mapped part of a BAR; unmapped on drop.
///
/// `&BarWindow` implements [`IoBase`], so that all accessors of [`kernel::io::Io`] work on it with
/// offsets relative to the window: `window.try_read32(0)?`.
///
/// # Invariants
///
/// `io` is a live mapping of device memory, made by `ioremap()` or `ioremap_wc()` and not unmapped
/// by anybody else. The device stays bound for `'a`.
pub struct BarWindow<'a> {
    io: MmioRaw<Region>,
    _dev: PhantomData<&'a pci::Device<Bound>>,
}

impl<'a> BarWindow<'a> {
    /// Maps `len` bytes from `offset` of the BAR with resource index `bar`.
    ///
    /// `len` and `offset` are multiples of 4. The BAR is not requested: the driver does that once,
    /// see [`BarReservation`].
    ///
    /// # Errors
    ///
    /// `EINVAL` when the range is empty, misaligned or not inside the BAR, `ENOMEM` when it cannot
    /// be mapped.
    pub fn new(
        dev: &'a pci::Device<Bound>,
        bar: u32,
        offset: u64,
        len: usize,
        caching: Caching,
    ) -> Result<Self> {
        if bar >= bindings::PCI_STD_NUM_BARS || len == 0 || offset % 4 != 0 || len % 4 != 0 {
            return Err(EINVAL);
        }

        // CAST: `usize` has 64 bits on every architecture with this device.
        let end = offset.checked_add(len as u64).ok_or(EINVAL)?;
        if end > dev.resource_len(bar)? {
            return Err(EINVAL);
        }
        let start = dev.resource_start(bar)?.checked_add(offset).ok_or(EINVAL)?;

        // SAFETY: The range lies inside a memory BAR of the device.
        let addr = unsafe { map(start, len, caching) };
        if addr.is_null() {
            return Err(ENOMEM);
        }

        // INVARIANT: `addr` has just been mapped, and nobody else knows it.
        MmioRaw::new_region(addr.addr(), len)
            .map(|io| Self {
                io,
                _dev: PhantomData,
            })
            // SAFETY: `addr` was mapped above and is not used any more.
            .inspect_err(|_| unsafe { bindings::iounmap(addr) })
    }

    /// Gives up the proof that the device stays bound.
    ///
    /// # Safety
    ///
    /// The returned window must be dropped before the driver is unbound from the device.
    pub unsafe fn into_static(self) -> BarWindow<'static> {
        let this = core::mem::ManuallyDrop::new(self);

        // INVARIANT: The mapping moves; the caller promises the rest.
        BarWindow {
            io: this.io,
            _dev: PhantomData,
        }
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.io.size()
    }

    /// Whether the window shows nothing. It never does: empty windows cannot be made.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Copies `data` to `offset` of the window.
    ///
    /// # Errors
    ///
    /// `EINVAL` when the range is not inside the window.
    pub fn copy_in(&self, offset: usize, data: &[u8]) -> Result {
        let addr = self.range(offset, data.len())?;

        // SAFETY: By the type invariant and the check above, the range is mapped.
        unsafe { bindings::memcpy_toio(addr, data.as_ptr().cast(), data.len()) };
        Ok(())
    }

    /// Copies from `offset` of the window to `data`.
    ///
    /// # Errors
    ///
    /// `EINVAL` when the range is not inside the window.
    pub fn copy_out(&self, offset: usize, data: &mut [u8]) -> Result {
        let addr = self.range(offset, data.len())?;

        // SAFETY: By the type invariant and the check above, the range is mapped.
        unsafe { bindings::memcpy_fromio(data.as_mut_ptr().cast(), addr, data.len()) };
        Ok(())
    }

    /// Writes `len` times the byte `value` from `offset` on.
    ///
    /// # Errors
    ///
    /// `EINVAL` when the range is not inside the window.
    pub fn fill(&self, offset: usize, value: u8, len: usize) -> Result {
        let addr = self.range(offset, len)?;

        // SAFETY: By the type invariant and the check above, the range is mapped.
        unsafe { bindings::memset_io(addr, c_int::from(value), len) };
        Ok(())
    }

    /// Address of a range that has been checked to be inside the window.
    fn range(&self, offset: usize, len: usize) -> Result<*mut c_void> {
        match offset.checked_add(len) {
            Some(end) if end <= self.len() => Ok(core::ptr::with_exposed_provenance_mut(
                self.io.addr() + offset,
            )),
            _ => Err(EINVAL),
        }
    }
}

impl<'a> IoBase<'a> for &'a BarWindow<'_> {
    type Backend = MmioBackend;
    type Target = Region;

    fn as_view(self) -> Mmio<'a, Region> {
        // SAFETY: By the type invariant, the range is mapped as long as `self` is borrowed.
        unsafe { Mmio::from_raw(self.io) }
    }
}

impl Drop for BarWindow<'_> {
    fn drop(&mut self) {
        // SAFETY: By the type invariant, this is a mapping that nobody else unmaps.
        unsafe { bindings::iounmap(core::ptr::with_exposed_provenance_mut(self.io.addr())) };
    }
}

/// Maps device memory; null on failure.
///
/// # Safety
///
/// `start` and `len` must describe memory of a device that the caller drives.
unsafe fn map(start: u64, len: usize, caching: Caching) -> *mut c_void {
    match caching {
        // SAFETY: Forwarded.
        Caching::Uncached => unsafe { bindings::ioremap(start, len) },
        // SAFETY: Forwarded.
        Caching::WriteCombine => unsafe { bindings::ioremap_wc(start, len) },
    }
}
