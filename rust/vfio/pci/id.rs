// SPDX-License-Identifier: GPL-2.0

//! Device ids of drivers that must be asked for.
//!
//! ```text
//!   struct pci_device_id { vendor, device, any, any, 0, 0, &info, override_only = 1 }
//!     PCI core: matches only if driver_override of the device names the driver
//!     modpost:  alias vfio_pci:v...d..., which no hotplug event asks for, but libvirt does
//! ```

use core::mem::offset_of;
use kernel::{
    bindings,
    device_id::{
        self,
        RawDeviceId,
        RawDeviceIdIndex, //
    },
};

/// A device id that matches only with `driver_override`, like C's
/// `PCI_DRIVER_OVERRIDE_DEVICE_VFIO()`.
#[repr(transparent)]
#[derive(Clone, Copy)]
pub struct DeviceId(bindings::pci_device_id);

impl DeviceId {
    /// Matches devices by vendor and device id.
    pub const fn vfio_override(vendor: u16, device: u16) -> Self {
        const ANY: u32 = bindings::PCI_ANY_ID as u32;

        Self(bindings::pci_device_id {
            vendor: vendor as u32,
            device: device as u32,
            subvendor: ANY,
            subdevice: ANY,
            class: 0,
            class_mask: 0,
            driver_data: 0,
            override_only: bindings::PCI_ID_F_VFIO_DRIVER_OVERRIDE,
        })
    }
}

// SAFETY: A transparent wrapper of the C structure.
unsafe impl RawDeviceId for DeviceId {
    type RawType = bindings::pci_device_id;
}

// SAFETY: The offset is that of `driver_data`, which has the size of a pointer.
unsafe impl RawDeviceIdIndex for DeviceId {
    const DRIVER_DATA_OFFSET: usize = offset_of!(bindings::pci_device_id, driver_data);
}

/// Table of the ids of a driver.
pub type IdTable<T> = &'static dyn device_id::IdTable<DeviceId, T>;

/// Declares the id table of a VFIO driver, and the aliases of its module.
///
/// # Examples
///
/// ```ignore
/// vfio::vfio_pci_device_table!(
///     TABLE,
///     (),
///     [(vfio::pci::DeviceId::vfio_override(0x10de, 0x26b1), ())]
/// );
/// ```
#[macro_export]
macro_rules! vfio_pci_device_table {
    ($($tt:tt)*) => {
        ::kernel::module_device_table!("pci", $crate::pci::DeviceId, $($tt)*);
    };
}

#[cfg(CONFIG_NOVA_CORE_VGPU_KUNIT)]
#[kernel::macros::kunit_tests(nova_vgpu_vfio_id)]
mod tests {
    use super::*;
    use device_id::{
        IdArray,
        IdTable as _, //
    };

    static TABLE: IdArray<DeviceId, u32, 2> = IdArray::new([
        (DeviceId::vfio_override(0x10de, 0x26b1), &1),
        (DeviceId::vfio_override(0x10de, 0x26b5), &2),
    ]);

    #[test]
    fn ids_match_only_when_asked_for() {
        // SAFETY: The table has two entries and a terminator of the same type.
        let ids = unsafe { core::slice::from_raw_parts(TABLE.as_ptr(), 3) };

        assert_eq!((ids[0].vendor, ids[0].device), (0x10de, 0x26b1));
        assert_eq!((ids[1].subvendor, ids[1].subdevice), (!0, !0));
        assert!(ids[..2].iter().all(|id| id.override_only == 1));
        assert_eq!((ids[2].vendor, ids[2].override_only), (0, 0));

        // SAFETY: The entry is in the table, whose type of info is `u32`.
        let info = unsafe { (*(&raw const ids[1]).cast::<DeviceId>()).info_unchecked::<u32>() };
        assert_eq!(*info, 2);
    }
}
