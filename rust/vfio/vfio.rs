// SPDX-License-Identifier: GPL-2.0

//! VFIO for drivers of PCI devices that are handed to user space.
//!
//! ```text
//!   user space     open  ioctl  read/write  mmap       /dev/vfio/...
//!   --------------------------------------------------------------------
//!   vfio           struct vfio_device_ops  (made from a Driver)
//!                     |  hooks the driver has          | all others
//!                     v                                v
//!   this crate     pci::Driver                 vfio_pci_core_*()
//!                     '------- forward() ------------->'
//! ```
//!
//! The device is always run by `vfio-pci-core`; a driver changes what it must and forwards the rest.

mod bindings;
pub mod pci;
pub mod uapi;
