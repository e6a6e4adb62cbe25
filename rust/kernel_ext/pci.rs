// SPDX-License-Identifier: GPL-2.0

//! PCI drivers with SR-IOV.
//!
//! ```text
//!   driver   Driver, Registration: probe, unbind, sriov_configure, attribute groups, shutdown;
//!            with_pf_data(): what a VF driver gets from the driver of its PF
//!   device   DeviceExt: configuration space, capabilities, PF and VF relations
//!   sriov    SriovInfo: the SR-IOV capability; CoreExt: enable and disable VFs
//! ```
//!
//! C header: [`include/linux/pci.h`](srctree/include/linux/pci.h)

mod device;
mod driver;
mod sriov;

pub use self::{
    device::{
        as_raw,
        DeviceExt, //
    },
    driver::{
        with_data,
        with_pf_data,
        Adapter,
        Driver,
        DriverSlot,
        Registration, //
    },
    sriov::{
        CoreExt,
        SriovInfo,
        VfBar, //
    },
};
