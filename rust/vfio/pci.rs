// SPDX-License-Identifier: GPL-2.0

//! VFIO PCI variant drivers.
//!
//! ```text
//!   id        DeviceId, vfio_pci_device_table!: ids that match only with driver_override
//!   driver    Driver: what a driver implements; Registration: with the PCI core
//!   device    Device<T>: the VFIO device with the driver's data; Enabled: what works while it is open;
//!             Held: a counted reference
//!   vtable    the C callbacks
//!   memory    page faults, enabled or not, exports: who reaches the BARs, and when
//!   transfer  Read, Write: read() and write() of the device file
//!   region    RegionInfo, Mapping: description and mmap() of regions
//! ```
//!
//! C header: [`include/linux/vfio_pci_core.h`](srctree/include/linux/vfio_pci_core.h)

mod device;
mod driver;
mod id;
mod memory;
mod region;
mod transfer;
mod vtable;

pub use self::{
    device::{
        has_iommu,
        Device,
        DeviceData,
        Enabled,
        Held, //
    },
    driver::{
        Driver,
        Registration, //
    },
    id::{
        DeviceId,
        IdTable, //
    },
    region::{
        Area,
        Mapping,
        RegionInfo, //
    },
    transfer::{
        Direction,
        Read,
        Transfer,
        Write, //
    },
};
