// SPDX-License-Identifier: GPL-2.0

//! Suspend and resume of a [`Driver`].
//!
//! ```text
//!   suspend to RAM    suspend()  ~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~  resume()
//!   hibernation       suspend()  [memory copied]  resume() [written]  suspend()  ~~ off
//!                     boot kernel: own suspend()  ~~~~~~~~~~~~~~~~~~  resume()
//! ```
//!
//! One pair of callbacks for all of them (as `DEFINE_SIMPLE_DEV_PM_OPS` of C does it): what a device
//! that forgets everything needs. All are called with the device lock held.

use kernel::{
    bindings,
    error::from_result,
    prelude::*, //
};

use super::{
    driver::Adapter,
    Driver, //
};

impl<T: Driver> Adapter<T> {
    pub(super) const SLEEP_OPS: bindings::dev_pm_ops = bindings::dev_pm_ops {
        suspend: Some(Self::suspend_callback),
        freeze: Some(Self::suspend_callback),
        poweroff: Some(Self::suspend_callback),
        resume: Some(Self::resume_callback),
        thaw: Some(Self::resume_callback),
        restore: Some(Self::resume_callback),
        ..pin_init::zeroed()
    };

    /// # Safety
    ///
    /// To be called by the PM core, for a device that is bound to this driver, with its lock held.
    unsafe extern "C" fn suspend_callback(dev: *mut bindings::device) -> c_int {
        // SAFETY: By the requirements of this function, `dev` is part of a PCI device.
        let (pdev, data) = unsafe { Self::parts(to_pci_dev(dev)) };

        from_result(|| T::suspend(pdev, data).map(|()| 0))
    }

    /// # Safety
    ///
    /// As [`Self::suspend_callback`].
    unsafe extern "C" fn resume_callback(dev: *mut bindings::device) -> c_int {
        // SAFETY: By the requirements of this function, `dev` is part of a PCI device.
        let (pdev, data) = unsafe { Self::parts(to_pci_dev(dev)) };

        from_result(|| T::resume(pdev, data).map(|()| 0))
    }
}

/// # Safety
///
/// `dev` must be the device of a `struct pci_dev`.
unsafe fn to_pci_dev(dev: *mut bindings::device) -> *mut bindings::pci_dev {
    // SAFETY: By the requirement of this function.
    unsafe { kernel::container_of!(dev, bindings::pci_dev, dev) }
}
