// SPDX-License-Identifier: GPL-2.0

//! What firmware reports about running vGPUs: counted for sysfs, and told in the log.
//!
//! ```text
//!   channel stopped          the guest's driver sees the error too, and recovers     warning
//!   plugin task crashed, or  the vGPU is dead until its device is closed, and its    error
//!   ended without a request  user is told by the error event of VFIO
//!   plugin task: message     in the task's own log                                   warning
//!   guest driver comes, goes                                                         information
//!   others                                                                           debug
//! ```
//!
//! A guest can cause as many as it likes, so only the first ones of a vGPU reach the log.

use kernel::{
    device::Device,
    prelude::*,
    sync::atomic::{
        ordering::Relaxed,
        Atomic, //
    }, //
};
use nova_core_vgpu::vgpu::{
    Fault,
    TaskEvent, //
};

/// Reports about one vGPU that reach the log.
const LOGGED: u64 = 16;

/// Reports about one vGPU since it was made.
pub(crate) struct Counters {
    /// Channels that were stopped.
    channel_errors: Atomic<u64>,
    /// Crashes of the plugin task.
    task_crashes: Atomic<u64>,
    /// Errors that the plugin task has announced.
    task_errors: Atomic<u64>,
    /// 1 while the guest's driver uses the vGPU.
    guest_driver: Atomic<u64>,
    /// All of them.
    reports: Atomic<u64>,
}

impl Counters {
    /// No reports yet.
    pub(crate) const fn new() -> Self {
        Self {
            channel_errors: Atomic::new(0),
            task_crashes: Atomic::new(0),
            task_errors: Atomic::new(0),
            guest_driver: Atomic::new(0),
            reports: Atomic::new(0),
        }
    }

    /// There is another vGPU.
    pub(crate) fn reset(&self) {
        for count in [
            &self.channel_errors,
            &self.task_crashes,
            &self.task_errors,
            &self.guest_driver,
            &self.reports,
        ] {
            count.store(0, Relaxed);
        }
    }

    /// The vGPU is gone, and so is the guest's driver, whether or not the task has said so in time.
    pub(crate) fn end(&self) {
        self.guest_driver.store(0, Relaxed);
    }

    /// Numbers and their names in sysfs.
    pub(crate) fn counts(&self) -> [(&'static str, u64); 4] {
        [
            ("channel_errors", self.channel_errors.load(Relaxed)),
            ("task_crashes", self.task_crashes.load(Relaxed)),
            ("task_errors", self.task_errors.load(Relaxed)),
            ("guest_driver", self.guest_driver.load(Relaxed)),
        ]
    }

    /// Counts a report, which a task has died of if `died`; returns its number if it is to be logged.
    pub(crate) fn add(&self, fault: &Fault, died: bool) -> Option<u64> {
        if died {
            self.task_crashes.fetch_add(1, Relaxed);
        }
        match fault {
            Fault::Channel { .. } => {
                self.channel_errors.fetch_add(1, Relaxed);
            }
            Fault::Task { what, .. } => match what {
                TaskEvent::ErrorMessage => {
                    self.task_errors.fetch_add(1, Relaxed);
                }
                TaskEvent::GuestDriverLoaded => self.guest_driver.store(1, Relaxed),
                TaskEvent::GuestDriverUnloaded | TaskEvent::Unloaded => {
                    self.guest_driver.store(0, Relaxed);
                }
                _ => (),
            },
        }
        let number = self.reports.fetch_add(1, Relaxed) + 1;
        Some(number).filter(|number| *number <= LOGGED)
    }
}

/// Says when a log of reports ends.
fn last(number: u64) -> &'static str {
    if number == LOGGED {
        " (the last report about this vGPU that is logged)"
    } else {
        ""
    }
}

/// Logs report `number` about the vGPU of VF `index`, which its task has died of if `died`.
pub(crate) fn log(dev: &Device, index: u32, fault: &Fault, died: bool, number: u64) {
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
            TaskEvent::Unloaded if died => dev_err!(
                dev,
                "vGPU of VF {}: its plugin task has ended by itself: shut the VM down and start it again{}\n",
                index,
                last
            ),
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
