// SPDX-License-Identifier: GPL-2.0

//! Numbers of the VFIO user interface that drivers compare with.
//!
//! ```text
//!   file offset = region << 40 | offset in the region       (layout of vfio-pci-core)
//!
//!   0 .. 5  BAR 0 .. 5
//!   6       expansion ROM
//!   7       configuration space
//!   8       VGA ranges
//! ```
//!
//! C header: [`include/uapi/linux/vfio.h`](srctree/include/uapi/linux/vfio.h)

use kernel::ioctl::_IO;

/// Type and first number of all VFIO ioctls (`VFIO_TYPE`, `VFIO_BASE`).
const TYPE: u32 = b';' as u32;
const BASE: u32 = 100;

/// Flags and counts of the device.
pub const VFIO_DEVICE_GET_INFO: u32 = _IO(TYPE, BASE + 7);
/// Interrupt counts; see also [`VFIO_DEVICE_SET_IRQS`].
pub const VFIO_DEVICE_GET_IRQ_INFO: u32 = _IO(TYPE, BASE + 9);
/// Connects interrupts to event file descriptors.
pub const VFIO_DEVICE_SET_IRQS: u32 = _IO(TYPE, BASE + 10);
/// Resets the function.
pub const VFIO_DEVICE_RESET: u32 = _IO(TYPE, BASE + 11);
/// Devices that a hot reset would affect.
pub const VFIO_DEVICE_GET_PCI_HOT_RESET_INFO: u32 = _IO(TYPE, BASE + 12);
/// Resets bus or slot.
pub const VFIO_DEVICE_PCI_HOT_RESET: u32 = _IO(TYPE, BASE + 13);
/// Connects an event file descriptor to a write of a fixed value to a BAR.
pub const VFIO_DEVICE_IOEVENTFD: u32 = _IO(TYPE, BASE + 16);

/// Regions of a PCI device.
pub mod region {
    use crate::bindings;

    /// First of the six BARs.
    pub const BAR0: u32 = bindings::VFIO_PCI_BAR0_REGION_INDEX;
    /// BAR 1.
    pub const BAR1: u32 = bindings::VFIO_PCI_BAR1_REGION_INDEX;
    /// BAR 2.
    pub const BAR2: u32 = bindings::VFIO_PCI_BAR2_REGION_INDEX;
    /// BAR 3.
    pub const BAR3: u32 = bindings::VFIO_PCI_BAR3_REGION_INDEX;
    /// BAR 4.
    pub const BAR4: u32 = bindings::VFIO_PCI_BAR4_REGION_INDEX;
    /// Last of the six BARs.
    pub const BAR5: u32 = bindings::VFIO_PCI_BAR5_REGION_INDEX;
    /// Expansion ROM.
    pub const ROM: u32 = bindings::VFIO_PCI_ROM_REGION_INDEX;
    /// Configuration space.
    pub const CONFIG: u32 = bindings::VFIO_PCI_CONFIG_REGION_INDEX;
    /// Legacy VGA ranges.
    pub const VGA: u32 = bindings::VFIO_PCI_VGA_REGION_INDEX;

    /// The region can be read.
    pub const FLAG_READ: u32 = bindings::VFIO_REGION_INFO_FLAG_READ;
    /// The region can be written.
    pub const FLAG_WRITE: u32 = bindings::VFIO_REGION_INFO_FLAG_WRITE;
    /// The region, or the parts that a sparse mmap capability names, can be mapped.
    pub const FLAG_MMAP: u32 = bindings::VFIO_REGION_INFO_FLAG_MMAP;

    /// Capability that lists the parts that can be mapped.
    // CAST: A small number.
    pub const CAP_SPARSE_MMAP: u16 = bindings::VFIO_REGION_INFO_CAP_SPARSE_MMAP as u16;
}

/// Bits of a file offset below the region.
pub(crate) const OFFSET_SHIFT: u32 = 40;
/// Mask of the offset in the region.
pub(crate) const OFFSET_MASK: u64 = (1 << OFFSET_SHIFT) - 1;

/// Splits a file offset into region and offset in the region.
pub(crate) fn split(offset: u64) -> (u32, u64) {
    // CAST: 24 bits are left after the shift.
    ((offset >> OFFSET_SHIFT) as u32, offset & OFFSET_MASK)
}
