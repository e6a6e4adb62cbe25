// SPDX-License-Identifier: GPL-2.0

//! Resets of the VF, whoever asked for them.
//!
//! ```text
//!   VFIO_DEVICE_RESET   guest's FLR   sysfs reset        first open      last close
//!            '--------------+-------------'                   |              |
//!                     reset_done                          reset_done        (no callback)
//!                           |                                 |
//!            RESET ─▶ VERSION_NEGOTIATION               no vGPU yet: nothing
//!                  ─▶ FB zeroed ─▶ BME again
//!                           |
//!            any of it fails: the vGPU is dead until the device is closed, its user is told.
//!            The same when the guest's FLR does not happen: see write_reset() in `device`
//!
//!   reset of the PF or of the slot    Vf::lose() before it, and then nothing: see driver
//!   hot reset (VFIO)                  the core refuses it: whoever has a VF does not have the PF
//! ```
//!
//! Called with the VF's device lock held, and for the first two with the core's memory lock held
//! for writing, so that the guest's BAR accesses wait for all of it. A user who is killed waits for
//! the message that is under way at most.

use kernel::{
    prelude::*,
    sync::atomic::Relaxed, //
};
use kernel_ext::pci::DeviceExt;
use vfio::pci::Device;

use crate::{
    driver::{
        State,
        Vf, //
    },
    instance::status::Step, //
};

/// The VF has been reset.
pub(crate) fn done(dev: &Device<Vf>) {
    // Before anything can be waited for: who has asked for the reset waits for all of this.
    dev.resets.fetch_add(1, Relaxed);
    let mut state = dev.state.lock();
    let Some(instance) = state.running() else {
        return;
    };
    let bus_master = dev.pdev().has_master().unwrap_or(false);
    let done = instance.reset().and_then(|()| {
        if bus_master {
            instance.update_bme(true)?;
        }
        Ok(())
    });
    if let Err(e) = done {
        dev_err!(
            dev,
            "the vGPU did not survive a reset: {}; close and open it again\n",
            e
        );
        fail(dev, &mut state);
    }
}

/// The guest was told that the VF has been reset, and it has not.
pub(crate) fn missed(dev: &Device<Vf>) {
    let mut state = dev.state.lock();
    if state.running().is_some() {
        dev_err!(
            dev,
            "the guest's function level reset is not possible: the VF is locked by somebody else, or \
             has no reset_method; close the device and open it again\n"
        );
        fail(dev, &mut state);
    }
}

/// After a failed message: a plugin that does not answer is not asked again.
pub(crate) fn fail_if_unusable(dev: &Device<Vf>, state: &mut State) {
    if state.running().is_some_and(|i| !i.is_usable()) {
        fail(dev, state);
    }
}

fn fail(dev: &Device<Vf>, state: &mut State) {
    // From Running this step is always possible.
    if state.step(dev, Step::Fail).is_ok() {
        dev.signal_error();
    }
}
