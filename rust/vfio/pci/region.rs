// SPDX-License-Identifier: GPL-2.0

//! Description and mapping of regions.
//!
//! ```text
//!   GET_REGION_INFO   index --> size, flags, [capabilities: sparse mmap areas, ...]
//!   mmap()            region << 40 | offset, length --> pages, inserted on fault by the core
//! ```
//!
//! A region that is shown smaller than it is must be smaller in all of description, `read()`,
//! `write()`, `mmap()` and exports ([`Driver::mappable`]).

use kernel::{
    bindings,
    error::to_result,
    page::PAGE_SIZE,
    prelude::*, //
};

use super::{
    memory::Faults,
    Device,
    Driver,
    Enabled, //
};
use crate::{
    bindings as vfio,
    uapi, //
};

/// A part of a region that can be mapped (`struct vfio_region_sparse_mmap_area`).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Area {
    /// First byte in the region, a multiple of the page size.
    pub offset: u64,
    /// Bytes, a multiple of the page size.
    pub size: u64,
}

/// `struct vfio_region_info_cap_sparse_mmap` with its areas.
#[repr(C)]
struct Sparse<const N: usize> {
    id: u16,
    version: u16,
    next: u32,
    nr_areas: u32,
    reserved: u32,
    areas: [Area; N],
}

/// The answer to `VFIO_DEVICE_GET_REGION_INFO`.
pub struct RegionInfo<'a, T: Driver> {
    dev: &'a Device<T>,
    info: &'a mut vfio::vfio_region_info,
    caps: &'a mut vfio::vfio_info_cap,
}

impl<'a, T: Driver> RegionInfo<'a, T> {
    /// # Safety
    ///
    /// The device must be open for `'a`; `caps` must be the buffer that VFIO made for the answer.
    pub(super) unsafe fn new(
        dev: &'a Device<T>,
        info: &'a mut vfio::vfio_region_info,
        caps: &'a mut vfio::vfio_info_cap,
    ) -> Self {
        Self { dev, info, caps }
    }

    /// The region asked for, see [`uapi::region`]; any number.
    pub fn index(&self) -> u32 {
        self.info.index
    }

    /// The device is open.
    pub fn enabled(&self) -> Enabled<'_, T> {
        // SAFETY: By the requirements of `new`.
        unsafe { Enabled::new(self.dev) }
    }

    /// Has the core fill in the answer.
    ///
    /// # Errors
    ///
    /// `EINVAL` when there is no such region.
    pub fn forward(&mut self) -> Result {
        // SAFETY: The device is open; both structures are those of VFIO.
        to_result(unsafe {
            vfio::vfio_pci_ioctl_get_region_info(self.dev.vdev(), self.info, self.caps)
        })
    }

    /// Size in bytes; 0 when the region is not there.
    pub fn size(&self) -> u64 {
        self.info.size
    }

    /// Sets the size in bytes.
    pub fn set_size(&mut self, size: u64) {
        self.info.size = size;
    }

    /// Flags, see [`uapi::region`].
    pub fn flags(&self) -> u32 {
        self.info.flags
    }

    /// Sets the flags.
    pub fn set_flags(&mut self, flags: u32) {
        self.info.flags = flags;
    }

    /// Whether the core maps a BAR, of which it says so only when the device has been opened.
    pub fn core_maps(&self, bar: u32) -> bool {
        // CAST: A `u32` fits into `usize`.
        //
        // SAFETY: The device is open; the core fills the array before.
        let supported = unsafe { &(*self.dev.core()).bar_mmap_supported };

        supported.get(bar as usize).copied().unwrap_or(false)
    }

    /// Says that only these `count` areas of the region can be mapped; the rest is for `read()` and
    /// `write()`. A mapping of more succeeds, and its other pages give SIGBUS.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, and `EINVAL` for more areas than there are.
    pub fn add_sparse<const N: usize>(&mut self, areas: [Area; N], count: usize) -> Result {
        let nr_areas = u32::try_from(count).map_err(|_| EINVAL)?;
        let mut sparse = Sparse {
            id: uapi::region::CAP_SPARSE_MMAP,
            version: 1,
            next: 0,
            nr_areas,
            reserved: 0,
            areas,
        };
        let unused = N.checked_sub(count).ok_or(EINVAL)? * size_of::<Area>();

        // SAFETY: `caps` is the buffer of the answer, and `sparse` a capability of this size.
        to_result(unsafe {
            vfio::vfio_info_add_capability(
                self.caps,
                (&raw mut sparse).cast(),
                size_of::<Sparse<N>>() - unused,
            )
        })
    }

    /// Makes the region one of its own, at the file offset where [`Driver::read`] and the others see
    /// it, instead of forwarding.
    pub fn set_own(&mut self, size: u64, flags: u32) {
        self.info.offset = u64::from(self.info.index) << uapi::OFFSET_SHIFT;
        self.info.size = size;
        self.info.flags = flags;
    }
}

/// An `mmap()` in progress. `mmap_lock` is held for writing.
///
/// # Invariants
///
/// `vma` is the mapping that VFIO makes, valid and locked as long as this exists.
pub struct Mapping<'a, T: Driver> {
    dev: &'a Device<T>,
    vma: *mut bindings::vm_area_struct,
}

impl<'a, T: Driver> Mapping<'a, T> {
    /// # Safety
    ///
    /// The device must be open for `'a`, and `vma` be the one that is being made, locked for `'a`.
    pub(super) unsafe fn new(dev: &'a Device<T>, vma: *mut bindings::vm_area_struct) -> Self {
        // INVARIANT: By the requirements of this function.
        Self { dev, vma }
    }

    /// Offset in the file.
    fn start(&self) -> u64 {
        // SAFETY: By the type invariant.
        let pgoff = unsafe { (*self.vma).vm_pgoff };

        // CAST: `usize` has 64 bits on every architecture with this device. VFIO has no regions at
        // offsets that do not fit; the core refuses what they wrap to, see `end`.
        (pgoff as u64).wrapping_mul(PAGE_SIZE as u64)
    }

    /// The region, see [`uapi::region`].
    pub fn region(&self) -> u32 {
        uapi::split(self.start()).0
    }

    /// Offset in the region in bytes, a multiple of the page size.
    pub fn offset(&self) -> u64 {
        uapi::split(self.start()).1
    }

    /// Length in bytes, a multiple of the page size.
    #[allow(clippy::len_without_is_empty, reason = "not a container")]
    pub fn len(&self) -> u64 {
        // SAFETY: By the type invariant; the limits are in a union with what is left of a freed
        // structure, which this is not.
        let (start, end) = unsafe {
            let limits = &(*self.vma).__bindgen_anon_1.__bindgen_anon_1;
            (limits.vm_start, limits.vm_end)
        };

        // CAST: As above.
        end.saturating_sub(start) as u64
    }

    /// End in the region in bytes; `None` when it is not in this region any more.
    pub fn end(&self) -> Option<u64> {
        self.offset()
            .checked_add(self.len())
            .filter(|end| *end <= uapi::OFFSET_MASK + 1)
    }

    /// Has the core map a BAR. It checks that it is one, and its size as the hardware has it. Its
    /// pages come when they are touched, if [`Driver::mappable`] lets them.
    ///
    /// # Errors
    ///
    /// `EINVAL` when the range cannot be mapped.
    pub fn forward(&self) -> Result {
        // SAFETY: The device is open, and by the type invariant.
        to_result(unsafe { vfio::vfio_pci_core_mmap(self.dev.vdev(), self.vma) })?;

        // SAFETY: By the type invariant. The core has made a mapping of its device, whose pages are
        // inserted by page number.
        unsafe { (*self.vma).vm_ops = &Faults::<T>::OPS };
        Ok(())
    }
}
