// SPDX-License-Identifier: GPL-2.0

//! Configuration space, capabilities, and the relation of PF and VF.
//!
//! ```text
//!   0x000  header                      \  find_capability(): list from 0x34
//!   0x040  capabilities                /
//!   0x100  extended capabilities          find_ext_capability(): list from 0x100
//!   0xfff                                 (PCIe: SR-IOV, ARI, AER, ...)
//! ```

use kernel::{
    bindings,
    device::{
        Bound,
        DeviceContext, //
    },
    pci,
    prelude::*, //
};

use super::sriov::{
    self,
    SriovInfo, //
};

mod helper {
    use kernel::{
        bindings,
        prelude::*, //
    };

    // Structures that are empty in this configuration, somewhere below `pci_dev`, do not matter
    // behind a pointer.
    #[allow(improper_ctypes)]
    extern "C" {
        pub(super) fn nova_vgpu_helper_pci_physfn(
            dev: *mut bindings::pci_dev,
        ) -> *mut bindings::pci_dev;
        pub(super) fn nova_vgpu_helper_pci_domain_nr(dev: *mut bindings::pci_dev) -> c_int;
    }
}

/// The C structure behind a device.
pub fn as_raw<Ctx: DeviceContext>(dev: &pci::Device<Ctx>) -> *mut bindings::pci_dev {
    // CAST: `pci::Device` is a transparent wrapper of `Opaque<pci_dev>`.
    core::ptr::from_ref(dev).cast_mut().cast()
}

/// The PF of a VF, or the device itself.
#[inline(never)]
pub(super) fn physfn(dev: &pci::Device<Bound>) -> *mut bindings::pci_dev {
    // SAFETY: `dev` is a valid device.
    unsafe { helper::nova_vgpu_helper_pci_physfn(as_raw(dev)) }
}

#[inline(never)]
fn domain_nr(dev: &pci::Device<Bound>) -> c_int {
    // SAFETY: `dev` is a valid device.
    unsafe { helper::nova_vgpu_helper_pci_domain_nr(as_raw(dev)) }
}

/// What [`kernel::pci::Device`] does not tell.
pub trait DeviceExt {
    /// Whether the device is a virtual function.
    fn is_virtfn(&self) -> bool;

    /// Whether the device has the SR-IOV capability.
    fn is_physfn(&self) -> bool;

    /// The PF of a VF, or the device itself.
    ///
    /// The PF is not known to be bound, but it exists as long as the VF does.
    fn physfn(&self) -> &pci::Device;

    /// Index of a VF, the first one is 0.
    ///
    /// # Errors
    ///
    /// `EINVAL` when the device is not a VF.
    fn vf_id(&self) -> Result<u16>;

    /// Number of the PCI domain (segment); 16 bits for buses of the firmware's tables, more for
    /// those that Linux invents.
    fn domain_nr(&self) -> u32;

    /// Offset of a capability (PCI specification, appendix H) in configuration space.
    fn find_capability(&self, id: u8) -> Option<u16>;

    /// Offset of an extended capability (PCIe specification, section 7.6) in configuration space.
    fn find_ext_capability(&self, id: u16) -> Option<u16>;

    /// Reads 8 bits of configuration space.
    ///
    /// # Errors
    ///
    /// `EINVAL` when the offset is misaligned or outside, `ENODEV` when the device is gone.
    fn config_read8(&self, offset: u16) -> Result<u8>;

    /// Reads 16 bits; errors as [`config_read8`](Self::config_read8).
    fn config_read16(&self, offset: u16) -> Result<u16>;

    /// Reads 32 bits; errors as [`config_read8`](Self::config_read8).
    fn config_read32(&self, offset: u16) -> Result<u32>;

    /// Writes 8 bits; errors as [`config_read8`](Self::config_read8).
    fn config_write8(&self, offset: u16, value: u8) -> Result;

    /// Writes 16 bits; errors as [`config_read8`](Self::config_read8).
    fn config_write16(&self, offset: u16, value: u16) -> Result;

    /// Writes 32 bits; errors as [`config_read8`](Self::config_read8).
    fn config_write32(&self, offset: u16, value: u32) -> Result;

    /// Whether the device may start DMA (bus master enable).
    ///
    /// # Errors
    ///
    /// As [`config_read16`](Self::config_read16).
    fn has_master(&self) -> Result<bool> {
        // CAST: `PCI_COMMAND` is the offset of a register in the first 256 bytes.
        let command = self.config_read16(bindings::PCI_COMMAND as u16)?;

        Ok(u32::from(command) & bindings::PCI_COMMAND_MASTER != 0)
    }

    /// Stops the device from starting DMA.
    ///
    /// # Errors
    ///
    /// As [`config_read16`](Self::config_read16).
    fn clear_master(&self) -> Result {
        // CAST: As in `has_master`; the bit is one of the low 16.
        let (offset, master) = (
            bindings::PCI_COMMAND as u16,
            bindings::PCI_COMMAND_MASTER as u16,
        );
        let command = self.config_read16(offset)?;

        self.config_write16(offset, command & !master)
    }

    /// The SR-IOV capability.
    ///
    /// # Errors
    ///
    /// `ENODEV` when the device has none.
    fn sriov(&self) -> Result<SriovInfo>;

    /// How many VFs are enabled.
    fn num_vfs(&self) -> u16;
}

/// Turns the status of a configuration access into an errno.
fn status(ret: c_int) -> Result {
    // CAST: Status codes are small positive numbers.
    match ret as u32 {
        bindings::PCIBIOS_SUCCESSFUL => Ok(()),
        bindings::PCIBIOS_BAD_REGISTER_NUMBER => Err(EINVAL),
        bindings::PCIBIOS_DEVICE_NOT_FOUND => Err(ENODEV),
        _ => Err(EIO),
    }
}

impl DeviceExt for pci::Device<Bound> {
    fn is_virtfn(&self) -> bool {
        // SAFETY: `self` is a valid device.
        unsafe { (*as_raw(self)).is_virtfn() != 0 }
    }

    fn is_physfn(&self) -> bool {
        // SAFETY: `self` is a valid device.
        unsafe { (*as_raw(self)).is_physfn() != 0 }
    }

    fn physfn(&self) -> &pci::Device {
        // SAFETY: A VF holds a reference to its PF.
        unsafe { &*physfn(self).cast::<pci::Device>() }
    }

    fn vf_id(&self) -> Result<u16> {
        // SAFETY: `self` is a valid device.
        let id = unsafe { bindings::pci_iov_vf_id(as_raw(self)) };

        u16::try_from(id).map_err(|_| EINVAL)
    }

    fn domain_nr(&self) -> u32 {
        // CAST: The number of a domain that has devices is not negative.
        domain_nr(self) as u32
    }

    fn find_capability(&self, id: u8) -> Option<u16> {
        // SAFETY: `self` is a valid device.
        let offset = unsafe { bindings::pci_find_capability(as_raw(self), c_int::from(id)) };

        (offset != 0).then_some(u16::from(offset))
    }

    fn find_ext_capability(&self, id: u16) -> Option<u16> {
        // SAFETY: `self` is a valid device.
        let offset = unsafe { bindings::pci_find_ext_capability(as_raw(self), c_int::from(id)) };

        (offset != 0).then_some(offset)
    }

    fn config_read8(&self, offset: u16) -> Result<u8> {
        let mut value = 0;

        // SAFETY: `self` is a valid device, `value` is valid for writes.
        status(unsafe {
            bindings::pci_read_config_byte(as_raw(self), c_int::from(offset), &mut value)
        })?;
        Ok(value)
    }

    fn config_read16(&self, offset: u16) -> Result<u16> {
        let mut value = 0;

        // SAFETY: `self` is a valid device, `value` is valid for writes.
        status(unsafe {
            bindings::pci_read_config_word(as_raw(self), c_int::from(offset), &mut value)
        })?;
        Ok(value)
    }

    fn config_read32(&self, offset: u16) -> Result<u32> {
        let mut value = 0;

        // SAFETY: `self` is a valid device, `value` is valid for writes.
        status(unsafe {
            bindings::pci_read_config_dword(as_raw(self), c_int::from(offset), &mut value)
        })?;
        Ok(value)
    }

    fn config_write8(&self, offset: u16, value: u8) -> Result {
        // SAFETY: `self` is a valid device.
        status(unsafe { bindings::pci_write_config_byte(as_raw(self), c_int::from(offset), value) })
    }

    fn config_write16(&self, offset: u16, value: u16) -> Result {
        // SAFETY: `self` is a valid device.
        status(unsafe { bindings::pci_write_config_word(as_raw(self), c_int::from(offset), value) })
    }

    fn config_write32(&self, offset: u16, value: u32) -> Result {
        // SAFETY: `self` is a valid device.
        status(unsafe {
            bindings::pci_write_config_dword(as_raw(self), c_int::from(offset), value)
        })
    }

    fn sriov(&self) -> Result<SriovInfo> {
        sriov::read(self)
    }

    fn num_vfs(&self) -> u16 {
        // SAFETY: `self` is a valid device.
        let num = unsafe { bindings::pci_num_vf(as_raw(self)) };

        // CAST: The register that the number is written to has 16 bits.
        num as u16
    }
}
