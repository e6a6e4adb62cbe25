// SPDX-License-Identifier: GPL-2.0

//! PCI drivers with SR-IOV.
//!
//! ```text
//!   driver   Driver, Registration: probe, unbind, sriov_configure, attribute groups, shutdown;
//!            with_pf_data(): what a VF driver gets from the driver of its PF
//!   sleep    suspend and resume of a Driver
//!   errors   resets and errors of a Driver's device
//!   device   DeviceExt: configuration space, capabilities, PF and VF relations
//!   sriov    SriovInfo: the SR-IOV capability; CoreExt: enable and disable VFs
//! ```
//!
//! C header: [`include/linux/pci.h`](srctree/include/linux/pci.h)

mod device;
mod driver;
mod errors;
mod sleep;
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
    errors::{
        Channel,
        Recovery, //
    },
    sriov::{
        CoreExt,
        SriovInfo,
        VfBar, //
    },
};
