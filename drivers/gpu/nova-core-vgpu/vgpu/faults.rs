// SPDX-License-Identifier: GPL-2.0

//! Faults that firmware reports about a VF go to the driver of the VF.
//!
//! ```text
//!   gsp::events::Router --RC_TRIGGERED, VGPU_GSP_PLUGIN_TRIGGERED--> Forward --> Client::fault
//!                                                                     |
//!                                                                     GFID 0 is the PF: not ours
//! ```
//!
//! Runs in whatever task has drained the message queue, which may be one that waits on behalf of
//! another VF. Therefore nothing here waits, and neither may the client.

use kernel::{
    prelude::*,
    sync::Arc, //
};

use super::Handle;
use crate::gsp::{
    events::{
        Event,
        Filter,
        Router,
        Sink,
        Subscription, //
    },
    fw::r570_144::{
        event,
        message::Message, //
    }, //
};

pub use crate::gsp::fw::r570_144::vgpu_event::TaskEvent;

/// Something that happened to one VF.
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
        /// Why, as the number of an Xid.
        error: u32,
    },
    /// Its firmware task has something to say.
    Task {
        /// VF index + 1.
        gfid: u32,
        /// What it says.
        what: TaskEvent,
    },
}

/// The sink.
pub(super) struct Forward(Arc<Handle>);

impl Forward {
    /// The events that are about a VF.
    pub(super) const EVENTS: [u32; 2] = [event::RC_TRIGGERED, event::VGPU_GSP_PLUGIN_TRIGGERED];

    /// Has the client of `handle` told of all of them.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(super) fn subscribe(
        router: &Arc<Router>,
        handle: &Arc<Handle>,
    ) -> Result<[Subscription; Self::EVENTS.len()]> {
        let [rc, plugin] = Self::EVENTS.map(Filter::Kind);
        let sink = Arc::new(Self(handle.clone()), GFP_KERNEL)?;

        Ok([
            router.subscribe(rc, sink.clone())?,
            router.subscribe(plugin, sink)?,
        ])
    }

    fn fault(message: &Message<'_>) -> Option<Fault> {
        match message {
            Message::Rc(rc) if rc.gfid != 0 && !rc.is_fast_path() => Some(Fault::Channel {
                gfid: rc.gfid,
                engine: rc.engine,
                chid: rc.chid,
                error: rc.except_type,
            }),
            Message::Plugin(plugin) if plugin.gfid != 0 => Some(Fault::Task {
                gfid: plugin.gfid,
                what: plugin.what,
            }),
            _ => None,
        }
    }
}

impl Sink for Forward {
    fn event(&self, event: &Event<'_>) -> bool {
        Self::fault(&event.message).is_some_and(|fault| self.0.fault(&fault))
    }
}
