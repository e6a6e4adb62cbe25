// SPDX-License-Identifier: GPL-2.0

//! Faults that firmware reports about a VF go to the driver of the VF.
//!
//! ```text
//!   gsp::events::Router --> Forward --> Handle --> Client::fault
//!                             |
//!                             GFID 0 is the PF: not ours
//! ```
//!
//! Runs in whatever task has drained the message queue, which may be one that waits on behalf of
//! another VF. Therefore nothing here waits, and neither may the client.

use kernel::sync::Arc;

use super::Handle;
use crate::gsp::{
    events::{
        Event,
        Sink, //
    },
    fw::r570_144::{
        event,
        faults::{
            PluginTriggered,
            RcTriggered, //
        }, //
    },
};

/// Something that went wrong for one VF, or that its firmware task wants looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// One of its channels was stopped.
    Channel {
        /// VF index + 1.
        gfid: u32,
        /// Engine the channel is on, as `NV2080_ENGINE_TYPE`.
        engine: u32,
        /// Channel ID on the runlist of that engine.
        chid: u32,
    },
    /// Its firmware task raised a notification.
    Task {
        /// VF index + 1.
        gfid: u32,
        /// What it is about.
        index: u32,
    },
}

/// The sink.
pub(super) struct Forward(pub(super) Arc<Handle>);

impl Forward {
    fn fault(event: &Event<'_>) -> Option<Fault> {
        match event.function {
            event::RC_TRIGGERED => {
                let rc = RcTriggered::decode(event.payload)?;
                Some(Fault::Channel {
                    gfid: rc.gfid,
                    engine: rc.engine,
                    chid: rc.chid,
                })
            }
            event::VGPU_GSP_PLUGIN_TRIGGERED => {
                let task = PluginTriggered::decode(event.payload)?;
                Some(Fault::Task {
                    gfid: task.gfid,
                    index: task.notify_index,
                })
            }
            _ => None,
        }
    }
}

impl Sink for Forward {
    fn event(&self, event: &Event<'_>) -> bool {
        match Self::fault(event) {
            Some(Fault::Channel { gfid: 0, .. } | Fault::Task { gfid: 0, .. }) | None => false,
            Some(fault) => self.0.fault(&fault),
        }
    }
}
