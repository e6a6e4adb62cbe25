// SPDX-License-Identifier: GPL-2.0

//! Who reaches the memory of an open device, and when.
//!
//! ```text
//!   struct vfio_pci_core_device: memory_lock
//!     for reading     page fault: enabled? mappable? -> insert the page
//!     for writing     the core: COMMAND.MEM cleared, D3hot, reset, low power -> all mappings go
//!
//!   read, write       is_switched_on(), then the core, which looks at the rest with the lock held
//!   mmap              the core's checks, then pages on fault, one or 2^order at a time
//!   DMA buffer        mappable? -> the core
//! ```
//!
//! The core takes the memory of a virtual function for enabled whatever its command register says,
//! because hardware does: the bit of a VF is not there. A guest still sees the bit, and a driver that
//! clears it expects that the memory is gone, as it is on every other device. Here the bit counts.

use core::ops::Range;
use kernel::{
    bindings,
    page::PAGE_SIZE,
    prelude::*, //
};

use super::{
    Device,
    Driver, //
};
use crate::{
    bindings as vfio,
    uapi, //
};

mod helper {
    use crate::bindings as vfio;
    use kernel::{
        bindings,
        prelude::*, //
    };

    // Structures that are empty in this configuration, somewhere below `device`, do not matter
    // behind a pointer.
    #[allow(improper_ctypes)]
    extern "C" {
        pub(super) fn nova_vgpu_helper_pm_resume_and_get(dev: *mut bindings::device) -> c_int;
        pub(super) fn nova_vgpu_helper_pm_put(dev: *mut bindings::device);
        pub(super) fn nova_vgpu_helper_vfio_get_dmabuf_phys(
            core: *mut vfio::vfio_pci_core_device,
            provider: *mut *mut bindings::p2pdma_provider,
            region: c_uint,
            phys: *mut bindings::phys_vec,
            ranges: *mut vfio::vfio_region_dma_range,
            count: usize,
        ) -> c_int;
    }
}

/// The memory lock of a device, held for reading.
struct MemoryLock<'a, T: Driver>(&'a Device<T>);

impl<'a, T: Driver> MemoryLock<'a, T> {
    fn new(dev: &'a Device<T>) -> Self {
        // SAFETY: `ops.init` has initialised the lock. This may sleep.
        unsafe { bindings::down_read(&raw mut (*dev.core()).memory_lock) };
        Self(dev)
    }

    /// Whether the device answers: it is not in D3hot, and its virtual command register says so.
    ///
    /// # Safety
    ///
    /// The device must be open.
    unsafe fn is_enabled(&self) -> bool {
        // SAFETY: By the requirements of this function. The core changes the bit with the lock held
        // for writing.
        let switched_on = unsafe { is_switched_on(self.0) };

        // SAFETY: The lock is held.
        switched_on && unsafe { vfio::__vfio_pci_memory_enabled(self.0.core()) }
    }
}

impl<T: Driver> Drop for MemoryLock<'_, T> {
    fn drop(&mut self) {
        // SAFETY: The lock was taken by `new`.
        unsafe { bindings::up_read(&raw mut (*self.0.core()).memory_lock) };
    }
}

/// Whether user space has memory switched on in the command register, at this moment.
///
/// For an access that goes on to the core. Somebody may switch it off at the same time, and holding
/// the lock for the look alone would not change that.
///
/// # Safety
///
/// The device must be open.
pub(super) unsafe fn is_switched_on<T: Driver>(dev: &Device<T>) -> bool {
    // CAST: The offset of a register in the first 256 bytes.
    const COMMAND: usize = bindings::PCI_COMMAND as usize;

    // SAFETY: The device is open, and so has a virtual configuration space. Whoever changes the
    // register writes one aligned word.
    let command = unsafe {
        (*dev.core())
            .vconfig
            .add(COMMAND)
            .cast::<u16>()
            .read_volatile()
    };

    u32::from(u16::from_le(command)) & bindings::PCI_COMMAND_MEMORY != 0
}

/// Whether the memory of a device answers at this moment.
///
/// # Safety
///
/// The device must be open.
pub(super) unsafe fn is_enabled<T: Driver>(dev: &Device<T>) -> bool {
    // SAFETY: By the requirements of this function.
    unsafe { MemoryLock::new(dev).is_enabled() }
}

/// Keeps a device out of low power states.
pub(super) struct Awake<'a, T: Driver>(&'a Device<T>);

impl<'a, T: Driver> Awake<'a, T> {
    /// Resumes the device if necessary.
    ///
    /// # Errors
    ///
    /// `EIO` when it does not come back.
    pub(super) fn new(dev: &'a Device<T>) -> Result<Self> {
        // SAFETY: The PCI device is bound.
        let ret = unsafe {
            helper::nova_vgpu_helper_pm_resume_and_get(&raw mut (*(*dev.core()).pdev).dev)
        };

        if ret < 0 {
            return Err(EIO);
        }
        Ok(Self(dev))
    }
}

impl<T: Driver> Drop for Awake<'_, T> {
    fn drop(&mut self) {
        // SAFETY: The PCI device is bound, and has been resumed by `new`.
        unsafe { helper::nova_vgpu_helper_pm_put(&raw mut (*(*self.0.core()).pdev).dev) };
    }
}

/// The pages that a fault is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Pages {
    /// First address.
    start: usize,
    /// Bytes.
    len: usize,
    /// First byte in the file of the device.
    offset: u64,
}

impl Pages {
    /// The `2^order` pages around `address` of a mapping of `range` that begins at page `pgoff` of
    /// the file. `None` when some of them are outside the mapping.
    fn around(address: usize, order: u32, range: &Range<usize>, pgoff: usize) -> Option<Self> {
        let len = PAGE_SIZE.checked_shl(order).filter(|len| *len != 0)?;
        let start = address & !(len - 1);
        let end = start.checked_add(len)?;

        if start < range.start || end > range.end {
            return None;
        }
        // CAST: `usize` has 64 bits on every architecture with this device.
        let offset = (pgoff as u64)
            .checked_mul(PAGE_SIZE as u64)?
            .checked_add((start - range.start) as u64)?;

        Some(Self { start, len, offset })
    }
}

/// What happens when a page of a mapped BAR is touched.
pub(super) struct Faults<T: Driver>(core::marker::PhantomData<T>);

impl<T: Driver> Faults<T> {
    pub(super) const OPS: bindings::vm_operations_struct = bindings::vm_operations_struct {
        fault: Some(Self::fault),
        #[cfg(CONFIG_ARCH_SUPPORTS_HUGE_PFNMAP)]
        huge_fault: Some(Self::huge_fault),
        ..pin_init::zeroed()
    };

    /// # Safety
    ///
    /// To be called for mappings that [`Mapping::forward`](super::Mapping::forward) made.
    unsafe extern "C" fn fault(vmf: *mut bindings::vm_fault) -> bindings::vm_fault_t {
        // SAFETY: By the requirements of this function.
        unsafe { Self::huge_fault(vmf, 0) }
    }

    /// # Safety
    ///
    /// To be called for mappings that [`Mapping::forward`](super::Mapping::forward) made.
    unsafe extern "C" fn huge_fault(
        vmf: *mut bindings::vm_fault,
        order: c_uint,
    ) -> bindings::vm_fault_t {
        const FALLBACK: bindings::vm_fault_t = bindings::vm_fault_reason_VM_FAULT_FALLBACK;
        const SIGBUS: bindings::vm_fault_t = bindings::vm_fault_reason_VM_FAULT_SIGBUS;

        // SAFETY: The memory management passes a fault of a mapping that is locked. The limits are
        // in a union with what is left of a freed structure, which this is not.
        let (address, range, pgoff, private) = unsafe {
            let info = &(*vmf).__bindgen_anon_1;
            let vma = info.vma;
            let limits = &(*vma).__bindgen_anon_1.__bindgen_anon_1;
            (
                info.address,
                limits.vm_start..limits.vm_end,
                (*vma).vm_pgoff,
                (*vma).vm_private_data,
            )
        };
        // SAFETY: The core's mmap() puts its device there, which `Device` begins with. The mapping
        // holds the device file, so that the device is open.
        let dev = unsafe { &*private.cast::<Device<T>>() };

        let Some(pages) = Pages::around(address, order, &range, pgoff) else {
            return if order == 0 { SIGBUS } else { FALLBACK };
        };
        let (region, offset) = uapi::split(pages.offset);
        let Ok(bar) = dev.pdev().resource_start(region) else {
            return SIGBUS;
        };
        let physical = bar + offset;
        // CAST: `usize` has 64 bits on every architecture with this device.
        if order != 0 && physical % pages.len as u64 != 0 {
            return FALLBACK;
        }

        let lock = MemoryLock::new(dev);
        // CAST: As above.
        if !T::mappable(dev, region, offset..offset + pages.len as u64) {
            return if order == 0 { SIGBUS } else { FALLBACK };
        }
        // SAFETY: The device is open, see above.
        if !unsafe { lock.is_enabled() } {
            return SIGBUS;
        }
        // CAST: As above.
        let pfn = (physical / PAGE_SIZE as u64) as usize;
        // SAFETY: The lock is held, and the page is one of a BAR of the device.
        unsafe { vfio::vfio_pci_vmf_insert_pfn(dev.core(), vmf.cast(), pfn, order) }
    }
}

/// Exports of memory to other devices (`VFIO_DEVICE_FEATURE_DMA_BUF`).
pub(super) struct Exports<T: Driver>(core::marker::PhantomData<T>);

impl<T: Driver> Exports<T> {
    pub(super) const OPS: vfio::vfio_pci_device_ops = vfio::vfio_pci_device_ops {
        get_dmabuf_phys: Some(Self::get_phys),
    };

    /// # Safety
    ///
    /// To be called by the core, for an open device of this driver, with arrays of `count` elements.
    unsafe extern "C" fn get_phys(
        core: *mut vfio::vfio_pci_core_device,
        provider: *mut *mut bindings::p2pdma_provider,
        region: c_uint,
        phys: *mut bindings::phys_vec,
        ranges: *mut vfio::vfio_region_dma_range,
        count: usize,
    ) -> c_int {
        // SAFETY: `Device` begins with the core's device; the core passes as many ranges.
        let (dev, wanted) = unsafe {
            (
                &*core.cast::<Device<T>>(),
                core::slice::from_raw_parts(ranges, count),
            )
        };
        let allowed = wanted.iter().all(|range| {
            let end = range.offset.checked_add(range.length);

            end.is_some_and(|end| T::mappable(dev, region, range.offset..end))
        });

        if !allowed {
            return EINVAL.to_errno();
        }
        // SAFETY: What the core passed is forwarded. It checks the ranges against the BAR.
        unsafe {
            helper::nova_vgpu_helper_vfio_get_dmabuf_phys(
                core, provider, region, phys, ranges, count,
            )
        }
    }
}

#[cfg(CONFIG_NOVA_CORE_VGPU_KUNIT)]
#[kernel::macros::kunit_tests(nova_vgpu_vfio_memory)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_a_fault() {
        // Four pages from page 2 of the file on.
        let range = 0x10000..0x14000;

        assert_eq!(
            Pages::around(0x11234, 0, &range, 2),
            Some(Pages {
                start: 0x11000,
                len: PAGE_SIZE,
                offset: 0x3000,
            })
        );
        assert_eq!(
            Pages::around(0x13fff, 2, &range, 2),
            Some(Pages {
                start: 0x10000,
                len: 4 * PAGE_SIZE,
                offset: 0x2000,
            })
        );
        assert_eq!(Pages::around(0x11234, 3, &range, 2), None);
        assert_eq!(Pages::around(0x11234, 1, &(0x11000..0x14000), 2), None);
        assert_eq!(Pages::around(0x11234, 64, &range, 2), None);
        assert_eq!(Pages::around(0x11234, 0, &range, usize::MAX), None);
    }
}
