// SPDX-License-Identifier: GPL-2.0

//! Resets and errors of the device of a [`Driver`].
//!
//! ```text
//!   reset          reset_prepare() ── state saved ── FLR ── state restored ── reset_done()
//!
//!   error (AER)    error_detected(channel) ── NeedReset ─────────┬── link reset ── slot_reset()
//!                         ├── CanRecover ── mmio_enabled() ── " ─'                     │
//!                         │                     └── Recovered ──── resume() ───────────'
//!                         └── Disconnect: it stays as it is, error_detected(Failed)
//!
//! One device that needs a reset makes all below the same port take part in it, whatever their
//! drivers have said: `slot_reset()` may come without `error_detected()` having asked for it.
//! ```
//!
//! All are called with the device lock held (`Documentation/PCI/pci-error-recovery.rst`).

use kernel::bindings;

use super::{
    driver::Adapter,
    Driver, //
};

/// What still works between the CPU and the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// Everything: the error was not fatal.
    Normal,
    /// Nothing, until the slot has been reset.
    Frozen,
    /// Nothing any more.
    Failed,
}

impl Channel {
    fn from_raw(raw: bindings::pci_channel_state_t) -> Self {
        match raw {
            bindings::pci_channel_io_normal => Self::Normal,
            bindings::pci_channel_io_frozen => Self::Frozen,
            _ => Self::Failed,
        }
    }
}

/// What a driver makes of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recovery {
    /// The device can go on as it is.
    CanRecover,
    /// It can after a reset of the slot.
    NeedReset,
    /// It cannot.
    Disconnect,
    /// It works again.
    Recovered,
}

impl Recovery {
    fn to_raw(self) -> bindings::pci_ers_result_t {
        match self {
            Self::CanRecover => bindings::pci_ers_result_PCI_ERS_RESULT_CAN_RECOVER,
            Self::NeedReset => bindings::pci_ers_result_PCI_ERS_RESULT_NEED_RESET,
            Self::Disconnect => bindings::pci_ers_result_PCI_ERS_RESULT_DISCONNECT,
            Self::Recovered => bindings::pci_ers_result_PCI_ERS_RESULT_RECOVERED,
        }
    }
}

impl<T: Driver> Adapter<T> {
    pub(super) const ERROR_HANDLERS: bindings::pci_error_handlers = bindings::pci_error_handlers {
        error_detected: if T::HAS_ERROR_DETECTED {
            Some(Self::error_detected_callback)
        } else {
            None
        },
        mmio_enabled: if T::HAS_MMIO_ENABLED {
            Some(Self::mmio_enabled_callback)
        } else {
            None
        },
        slot_reset: if T::HAS_SLOT_RESET {
            Some(Self::slot_reset_callback)
        } else {
            None
        },
        resume: if T::HAS_ERROR_RESUME {
            Some(Self::error_resume_callback)
        } else {
            None
        },
        reset_prepare: if T::HAS_RESET_PREPARE {
            Some(Self::reset_prepare_callback)
        } else {
            None
        },
        reset_done: if T::HAS_RESET_DONE {
            Some(Self::reset_done_callback)
        } else {
            None
        },
        ..pin_init::zeroed()
    };

    /// Whether the data of the driver are there: the PCI core sets the driver of a device before its
    /// probe, and the lock is free in between.
    fn has_data(pdev: *mut bindings::pci_dev) -> bool {
        // SAFETY: The PCI core passes a valid device.
        !unsafe { bindings::dev_get_drvdata(&raw mut (*pdev).dev) }.is_null()
    }

    extern "C" fn reset_prepare_callback(raw: *mut bindings::pci_dev) {
        if Self::has_data(raw) {
            // SAFETY: The PCI core holds the lock of the device, which has its data.
            let (pdev, data) = unsafe { Self::parts(raw) };

            T::reset_prepare(pdev, data);
        }
    }

    extern "C" fn reset_done_callback(raw: *mut bindings::pci_dev) {
        if Self::has_data(raw) {
            // SAFETY: The PCI core holds the lock of the device, which has its data.
            let (pdev, data) = unsafe { Self::parts(raw) };

            T::reset_done(pdev, data);
        }
    }

    extern "C" fn error_detected_callback(
        raw: *mut bindings::pci_dev,
        channel: bindings::pci_channel_state_t,
    ) -> bindings::pci_ers_result_t {
        if !Self::has_data(raw) {
            return bindings::pci_ers_result_PCI_ERS_RESULT_NONE;
        }
        // SAFETY: The PCI core holds the lock of the device, which has its data.
        let (pdev, data) = unsafe { Self::parts(raw) };

        T::error_detected(pdev, data, Channel::from_raw(channel)).to_raw()
    }

    extern "C" fn mmio_enabled_callback(raw: *mut bindings::pci_dev) -> bindings::pci_ers_result_t {
        if !Self::has_data(raw) {
            return bindings::pci_ers_result_PCI_ERS_RESULT_NONE;
        }
        // SAFETY: The PCI core holds the lock of the device, which has its data.
        let (pdev, data) = unsafe { Self::parts(raw) };

        T::mmio_enabled(pdev, data).to_raw()
    }

    extern "C" fn error_resume_callback(raw: *mut bindings::pci_dev) {
        if Self::has_data(raw) {
            // SAFETY: The PCI core holds the lock of the device, which has its data.
            let (pdev, data) = unsafe { Self::parts(raw) };

            T::error_resume(pdev, data);
        }
    }

    extern "C" fn slot_reset_callback(raw: *mut bindings::pci_dev) -> bindings::pci_ers_result_t {
        if !Self::has_data(raw) {
            return bindings::pci_ers_result_PCI_ERS_RESULT_NONE;
        }
        // SAFETY: The PCI core passes a valid device. Its state was saved after the probe.
        unsafe { bindings::pci_restore_state(raw) };

        // SAFETY: The PCI core holds the lock of the device, which has its data.
        let (pdev, data) = unsafe { Self::parts(raw) };

        T::slot_reset(pdev, data).to_raw()
    }
}

#[cfg(CONFIG_NOVA_CORE_VGPU_KUNIT)]
#[kernel::macros::kunit_tests(nova_vgpu_pci_errors)]
mod tests {
    use super::*;

    #[test]
    fn channel_states_that_are_not_known_are_failed() {
        assert_eq!(
            Channel::from_raw(bindings::pci_channel_io_normal),
            Channel::Normal
        );
        assert_eq!(
            Channel::from_raw(bindings::pci_channel_io_frozen),
            Channel::Frozen
        );
        for raw in [0, bindings::pci_channel_io_perm_failure, u32::MAX] {
            assert_eq!(Channel::from_raw(raw), Channel::Failed);
        }
    }
}
