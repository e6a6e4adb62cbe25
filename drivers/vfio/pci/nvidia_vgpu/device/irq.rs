// SPDX-License-Identifier: GPL-2.0

//! Interrupts and the other ioctls.
//!
//! ```text
//!   GET_IRQ_INFO, SET_IRQS    the core: the guest's MSI-X vectors are the VF's own
//!   IOEVENTFD                 refused
//!   DEVICE_RESET              the core; an error if the vGPU did not survive it
//!   PCI_HOT_RESET             the core, which refuses it: slot and bus are the PF's, too
//!   everything else           the core
//! ```
//!
//! The core would check the target of an ioeventfd against the physical size of a BAR, which can be
//! larger than what the guest may reach.

use kernel::prelude::*;
use vfio::{
    pci::Device,
    uapi, //
};

use crate::driver::Vf;

/// An ioctl of the device file.
///
/// # Errors
///
/// `ENOTTY` for an ioeventfd, `EIO` for a reset that the vGPU did not survive; those of the core,
/// such as `EAGAIN` for a reset while somebody else resets the VF or takes it away.
pub(crate) fn ioctl(dev: &Device<Vf>, cmd: u32, arg: usize) -> Result<isize> {
    match cmd {
        uapi::VFIO_DEVICE_IOEVENTFD => Err(ENOTTY),
        uapi::VFIO_DEVICE_RESET => {
            let done = dev.core_ioctl(cmd, arg)?;
            // The core calls `reset::done` in between, which cannot report an error.
            match dev.state.lock().running() {
                Some(_) => Ok(done),
                None => Err(EIO),
            }
        }
        _ => dev.core_ioctl(cmd, arg),
    }
}
