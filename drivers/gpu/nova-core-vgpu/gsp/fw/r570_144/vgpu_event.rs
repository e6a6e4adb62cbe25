// SPDX-License-Identifier: GPL-2.0

//! Events about vGPUs, firmware 570.144.
//!
//! ```text
//!   VGPU_GSP_PLUGIN_TRIGGERED  gfid 0 | notifier 4
//!   VGPU_CONFIG                notifier 0
//! ```
//!
//! Pure: also compiled on the host by `tools/testing/host-tests`.
//!
//! Source: OGKM 570.144 `src/nvidia/generated/g_rpc-structures.h`, `cla084_notification.h`,
//! `cla081.h`.

use super::super::super::super::bytes::u32_at;

/// What the firmware task of a virtual function has to say (`NVA084_NOTIFIERS_EVENT_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskEvent {
    /// The task runs.
    Booted,
    /// The task has ended.
    Unloaded,
    /// The task has crashed: its VF is dead until it is shut down and started again.
    Crashed,
    /// The driver of the guest has found its vGPU.
    GuestDriverLoaded,
    /// The driver of the guest is gone.
    GuestDriverUnloaded,
    /// There is a message of an error in the log of the task.
    ErrorMessage,
    /// The licence of the guest is another one.
    LicenseChanged,
    /// The guest has said which operating system it is.
    GuestOsChanged,
    /// Not known to this driver.
    Unknown(u32),
}

impl TaskEvent {
    fn new(notifier: u32) -> Self {
        match notifier {
            0 => Self::Booted,
            1 => Self::Unloaded,
            2 => Self::Crashed,
            3 => Self::GuestDriverLoaded,
            4 => Self::GuestDriverUnloaded,
            5 => Self::ErrorMessage,
            6 => Self::LicenseChanged,
            7 => Self::GuestOsChanged,
            other => Self::Unknown(other),
        }
    }
}

/// The firmware task of a virtual function has something to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PluginTriggered {
    /// Whose task.
    pub(crate) gfid: u32,
    /// What it is about.
    pub(crate) what: TaskEvent,
}

impl PluginTriggered {
    /// Decodes the payload; `None` if it is too short.
    pub(crate) fn decode(payload: &[u8]) -> Option<Self> {
        Some(Self {
            gfid: u32_at(payload, 0)?,
            what: TaskEvent::new(u32_at(payload, 4)?),
        })
    }
}

/// Something changed about the vGPUs of the GPU as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct VgpuConfig {
    /// `NVA081_NOTIFIERS_EVENT_VGPU_*`.
    pub(crate) notifier: u32,
}

impl VgpuConfig {
    /// Decodes the payload; `None` if it is too short or there is no such notifier.
    pub(crate) fn decode(payload: &[u8]) -> Option<Self> {
        /// `NVA081_NOTIFIERS_MAXCOUNT`.
        const COUNT: u32 = 5;

        let notifier = u32_at(payload, 0).filter(|n| *n < COUNT)?;
        Some(Self { notifier })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_where_they_should_be() {
        assert_eq!(
            PluginTriggered::decode(&[3, 0, 0, 0, 2, 0, 0, 0]),
            Some(PluginTriggered {
                gfid: 3,
                what: TaskEvent::Crashed
            })
        );
        assert_eq!(
            VgpuConfig::decode(&[4, 0, 0, 0]),
            Some(VgpuConfig { notifier: 4 })
        );
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        assert_eq!(PluginTriggered::decode(&[0; 7]), None);
        assert_eq!(VgpuConfig::decode(&[0; 3]), None);
        assert_eq!(VgpuConfig::decode(&[5, 0, 0, 0]), None);
    }

    #[test]
    fn every_notifier_has_one_meaning() {
        let all: Vec<_> = (0..9).map(TaskEvent::new).collect();
        for (i, event) in all.iter().enumerate() {
            assert!(all[..i].iter().all(|other| other != event));
        }
        assert_eq!(all[8], TaskEvent::Unknown(8));
    }
}
