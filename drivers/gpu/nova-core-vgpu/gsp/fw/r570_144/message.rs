// SPDX-License-Identifier: GPL-2.0

//! An event as a whole: its number decides what its payload is.
//!
//! ```text
//!   number, payload ─▶ Message::decode ─▶ one of the variants, or nothing: the payload makes no
//!                                         sense, whatever else it may be
//!                      Message::gfid   ─▶ whose it is
//! ```
//!
//! Pure: also compiled on the host by `tools/testing/host-tests`.

use super::{
    faults::{
        FecsError,
        OsErrorLog,
        RcTriggered,
        RecoveryAction, //
    },
    ids::event,
    notifier::PostEvent,
    perfmon::UtilSamples,
    vgpu_event::{
        PluginTriggered,
        VgpuConfig, //
    }, //
};

/// A decoded event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Message<'a> {
    /// A channel was stopped.
    Rc(RcTriggered),
    /// An Xid message.
    ErrorLog(OsErrorLog<'a>),
    /// An event object fired.
    Post(PostEvent<'a>),
    /// Who used which engine.
    Utilisation(UtilSamples<'a>),
    /// The firmware task of a vGPU has something to say.
    Plugin(PluginTriggered),
    /// Something changed about vGPUs as a whole.
    VgpuConfig(VgpuConfig),
    /// MMU faults were put into the shadow buffer.
    MmuFault,
    /// Trouble with the trace buffer of a graphics engine.
    Fecs(FecsError),
    /// GSP-RM wants something to be done about the GPU.
    Recovery(RecoveryAction),
    /// Its payload is of no use to this driver.
    Plain,
}

impl<'a> Message<'a> {
    /// Decodes the payload of event `number`; `None` if it is too short or contradicts itself.
    pub(crate) fn decode(number: u32, payload: &'a [u8]) -> Option<Self> {
        Some(match number {
            event::RC_TRIGGERED => Self::Rc(RcTriggered::decode(payload)?),
            event::OS_ERROR_LOG => Self::ErrorLog(OsErrorLog::decode(payload)?),
            event::POST_EVENT => Self::Post(PostEvent::decode(payload)?),
            event::GPUACCT_PERFMON_UTIL_SAMPLES => Self::Utilisation(UtilSamples::decode(payload)?),
            event::VGPU_GSP_PLUGIN_TRIGGERED => Self::Plugin(PluginTriggered::decode(payload)?),
            event::VGPU_CONFIG => Self::VgpuConfig(VgpuConfig::decode(payload)?),
            event::MMU_FAULT_QUEUED => Self::MmuFault,
            event::FECS_ERROR => Self::Fecs(FecsError::decode(payload)?),
            event::RECOVERY_ACTION => Self::Recovery(RecoveryAction::decode(payload)?),
            _ => Self::Plain,
        })
    }

    /// VF index + 1 of whom it is about, 0 for the PF or nobody in particular.
    pub(crate) fn gfid(&self) -> u32 {
        match self {
            Self::Rc(rc) => rc.gfid,
            Self::Plugin(plugin) => plugin.gfid,
            _ => 0,
        }
    }
}
