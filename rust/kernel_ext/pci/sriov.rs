// SPDX-License-Identifier: GPL-2.0

//! The SR-IOV capability and what the PCI core makes of it.
//!
//! ```text
//!   capability (PCIe specification, section 9.3.3)
//!     +0x0e TotalVFs                       RID of VF i = RID of PF + offset + i * stride
//!     +0x14 First VF Offset  +0x16 Stride
//!     +0x1a VF Device ID
//!     +0x24 VF BAR 0..5  -->  one resource of the PF per BAR:
//!
//!   start |---- VF 0 ----|---- VF 1 ----|  ...  |---- VF n-1 ----|      n = TotalVFs
//!         |<--- size --->|
//! ```

use kernel::{
    bindings,
    device::{
        Bound,
        Core, //
    },
    error::to_result,
    pci,
    prelude::*, //
};

use super::{
    device::as_raw,
    DeviceExt, //
};

/// Number of BARs of a VF.
const NUM_BARS: usize = bindings::PCI_SRIOV_NUM_BARS as usize;

/// One BAR of all VFs, as the PCI core has assigned it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VfBar {
    /// Bus address of the BAR of VF 0 as the CPU sees it; 0 when it is not there.
    pub start: u64,
    /// Size of the BAR of one VF in bytes; 0 when it is not there.
    pub size: u64,
    /// Whether the BAR takes two registers.
    pub is_64bit: bool,
    /// Whether the BAR is prefetchable.
    pub prefetchable: bool,
}

/// The SR-IOV capability of a PF.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SriovInfo {
    /// How many VFs can be enabled (TotalVFs, or less when a driver limited it).
    pub total_vfs: u16,
    /// Distance of the routing ids of the PF and the first VF.
    pub offset: u16,
    /// Distance of the routing ids of two VFs.
    pub stride: u16,
    /// Device id of all VFs.
    pub vf_device_id: u16,
    /// The BARs, by number; the upper half of a 64-bit BAR is an entry without size.
    pub bars: [VfBar; NUM_BARS],
}

/// Reads the capability of `dev`.
pub(super) fn read(dev: &pci::Device<Bound>) -> Result<SriovInfo> {
    // CAST: Ids of capabilities and offsets in them have 16 bits.
    let cap = dev
        .find_ext_capability(bindings::PCI_EXT_CAP_ID_SRIOV as u16)
        .filter(|_| dev.is_physfn())
        .ok_or(ENODEV)?;
    let field = |offset: u32| dev.config_read16(cap + offset as u16);

    // The size of a resource covers TotalVFs of the capability, also when a driver allows less.
    let total = field(bindings::PCI_SRIOV_TOTAL_VF)?;
    let mut bars = [VfBar::default(); NUM_BARS];
    for (i, bar) in bars.iter_mut().enumerate() {
        *bar = vf_bar(dev, i, total)?;
    }

    // SAFETY: `dev` is a valid device.
    let total_vfs = unsafe { bindings::pci_sriov_get_totalvfs(as_raw(dev)) };

    Ok(SriovInfo {
        // CAST: The register has 16 bits.
        total_vfs: total_vfs as u16,
        offset: field(bindings::PCI_SRIOV_VF_OFFSET)?,
        stride: field(bindings::PCI_SRIOV_VF_STRIDE)?,
        vf_device_id: field(bindings::PCI_SRIOV_VF_DID)?,
        bars,
    })
}

/// Reads the resource of one VF BAR.
fn vf_bar(dev: &pci::Device<Bound>, index: usize, total_vfs: u16) -> Result<VfBar> {
    let resource = bindings::PCI_IOV_RESOURCES as usize + index;
    // CAST: A small number.
    let number = resource as u32;
    let len = dev.resource_len(number)?;
    if len == 0 || total_vfs == 0 {
        return Ok(VfBar::default());
    }

    // SAFETY: `dev` is a valid device, which has an entry for every IOV resource.
    let flags = unsafe { (&raw const (*as_raw(dev)).resource[resource].flags).read() };

    Ok(VfBar {
        start: dev.resource_start(number)?,
        size: len / u64::from(total_vfs),
        is_64bit: flags & bindings::IORESOURCE_MEM_64 as usize != 0,
        prefetchable: flags & bindings::IORESOURCE_PREFETCH as usize != 0,
    })
}

mod helper {
    use kernel::bindings;

    // Structures that are empty in this configuration, somewhere below `pci_dev`, do not matter
    // behind a pointer.
    #[allow(improper_ctypes)]
    extern "C" {
        pub(super) fn nova_vgpu_helper_pci_is_being_removed(dev: *mut bindings::pci_dev) -> bool;
    }
}

/// See [`CoreExt::remove_vfs`].
#[inline(never)]
pub(super) fn remove_vfs(dev: &pci::Device<Core<'_>>) {
    if dev.num_vfs() == 0 {
        return;
    }

    // A removal that begins after this waits for the device lock, which is held here, with the rescan
    // lock in its hands. The same can happen to somebody who writes to `sriov_numvfs`; the PCI core
    // takes the two locks in this order there.
    //
    // SAFETY: `dev` is a valid device.
    let locked = unsafe { helper::nova_vgpu_helper_pci_is_being_removed(as_raw(dev)) };

    if !locked {
        // SAFETY: No requirements; this task does not hold the lock.
        unsafe { bindings::pci_lock_rescan_remove() };
    }
    // SAFETY: `dev` is a valid device whose lock is held, and so is the rescan lock.
    unsafe { bindings::pci_disable_sriov(as_raw(dev)) };
    if !locked {
        // SAFETY: Taken above.
        unsafe { bindings::pci_unlock_rescan_remove() };
    }
}

/// Operations for callbacks that hold the lock of the PF.
pub trait CoreExt {
    /// Creates `num_vfs` VFs, and has their drivers probe them.
    ///
    /// # Errors
    ///
    /// Those of `pci_enable_sriov()`, among them `ENOSYS` without the capability, `EINVAL` for more
    /// VFs than there can be, `ENOMEM` when BARs or bus numbers are missing.
    fn enable_sriov(&self, num_vfs: u16) -> Result;

    /// Removes all VFs, after their drivers let them go. Does nothing when there are none.
    ///
    /// For [`Driver::sriov_configure`](super::Driver::sriov_configure), which is called with the PCI
    /// rescan lock held.
    fn disable_sriov(&self);

    /// Like [`disable_sriov`](Self::disable_sriov), for [`Driver::unbind`](super::Driver::unbind).
    ///
    /// When the driver is unbound through sysfs or unloaded, nobody holds the PCI rescan lock, which
    /// removing VFs needs; when the PF itself is removed, its remover does.
    fn remove_vfs(&self);

    /// Keeps the device from starting DMA.
    fn clear_master(&self);
}

impl CoreExt for pci::Device<Core<'_>> {
    fn enable_sriov(&self, num_vfs: u16) -> Result {
        // SAFETY: `self` is a valid device whose lock is held.
        to_result(unsafe { bindings::pci_enable_sriov(as_raw(self), c_int::from(num_vfs)) })
    }

    fn disable_sriov(&self) {
        // SAFETY: `self` is a valid device whose lock is held.
        unsafe { bindings::pci_disable_sriov(as_raw(self)) };
    }

    fn remove_vfs(&self) {
        remove_vfs(self);
    }

    fn clear_master(&self) {
        // SAFETY: `self` is a valid device whose lock is held.
        unsafe { bindings::pci_clear_master(as_raw(self)) };
    }
}
