// SPDX-License-Identifier: GPL-2.0

//! What firmware reports about running vGPUs: counted for sysfs, and told in the log.
//!
//! ```text
//!   channel stopped          the guest's driver sees the error too, and recovers     warning
//!   plugin task crashed      the vGPU is dead until its device is closed             error
//!   plugin task: message     in the task's own log                                   warning
//!   guest driver comes, goes                                                         information
//!   others                                                                           debug
//! ```
//!
//! A guest can cause as many as it likes, so only the first ones of a vGPU reach the log.

use kernel::{
    device::Device,
    prelude::*, //
};
use nova_core_vgpu::vgpu::{
    Fault,
    TaskEvent, //
};

/// Reports about one vGPU that reach the log.
const LOGGED: u32 = 16;

/// Reports about one vGPU since it was made.
#[derive(Clone, Copy, Default)]
pub(crate) struct Counters {
    /// Channels that were stopped.
    pub(crate) channel_errors: u32,
    /// Crashes of its plugin task.
    pub(crate) task_crashes: u32,
    /// All of them.
    reports: u32,
}

impl Counters {
    /// Counts a report; returns its number if it is to be logged.
    pub(crate) fn add(&mut self, fault: &Fault) -> Option<u32> {
        match fault {
            Fault::Channel { .. } => {
                self.channel_errors = self.channel_errors.saturating_add(1);
            }
            Fault::Task {
                what: TaskEvent::Crashed,
                ..
            } => self.task_crashes = self.task_crashes.saturating_add(1),
            Fault::Task { .. } => (),
        }
        self.reports = self.reports.saturating_add(1);
        Some(self.reports).filter(|number| *number <= LOGGED)
    }
}

/// Says when a log of reports ends.
fn last(number: u32) -> &'static str {
    if number == LOGGED {
        " (the last report about this vGPU that is logged)"
    } else {
        ""
    }
}

/// Logs report `number` about the vGPU of VF `index`.
pub(crate) fn log(dev: &Device, index: u32, fault: &Fault, number: u32) {
    let last = last(number);

    match fault {
        Fault::Channel {
            engine,
            chid,
            error,
            ..
        } => dev_warn!(
            dev,
            "vGPU of VF {}: channel {} on engine {:#x} was stopped with Xid {}: see the log of the guest{}\n",
            index,
            chid,
            engine,
            error,
            last
        ),
        Fault::Task { what, .. } => match what {
            TaskEvent::Crashed => dev_err!(
                dev,
                "vGPU of VF {}: its plugin task has crashed: shut the VM down and start it again{}\n",
                index,
                last
            ),
            TaskEvent::ErrorMessage => dev_warn!(
                dev,
                "vGPU of VF {}: its plugin task reports an error in its log{}\n",
                index,
                last
            ),
            TaskEvent::GuestDriverLoaded => {
                dev_info!(dev, "vGPU of VF {}: guest driver loaded{}\n", index, last)
            }
            TaskEvent::GuestDriverUnloaded => {
                dev_info!(dev, "vGPU of VF {}: guest driver unloaded{}\n", index, last)
            }
            other => dev_dbg!(dev, "vGPU of VF {}: {:?}{}\n", index, other, last),
        },
    }
}
