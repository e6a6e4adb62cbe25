// SPDX-License-Identifier: GPL-2.0

//! The host engine: channels, and the address spaces they work in.
//!
//! ```text
//!   GSP-RM (rm/channel.rs, rm/vaspace.rs)            the board (gpu/work.rs)
//!      | makes, binds, schedules, frees                 | doorbell, timer
//!      v                                                v
//!   spaces    (client, handle)  -> root directory    channels (runlist, chid)
//!   groups    (client, handle)  -> engine, space        |  step (run.rs)
//!   channels  (runlist, chid)   -> channel ------------'|
//!                                                       v launch (advance.rs)
//!                                                    engines (turn.rs, copy_engine.rs)
//!                                                       | chunk done
//!                                      Effect: interrupt, channel error
//! ```
//!
//! RM decides who may have a channel; what is here is what the hardware keeps. A
//! channel is known by its runlist and its ID: with SR-IOV on, each runlist has
//! an ID space of its own (OGKM 570.144 `kernel_fifo.c`, `kernel_fifo_init.c`).

mod advance;
pub mod channel;
pub mod copy_engine;
pub mod host;
pub mod memory;
pub mod run;
pub mod space;
pub mod stream;
#[cfg(test)]
pub(crate) mod tests;
mod turn;

pub use advance::{Effect, Unit};

use channel::Channel;
use copy_engine::CopyEngine;
use space::Space;
use std::collections::{BTreeMap, BTreeSet};

/// An RM object: client and handle.
pub type Key = (u32, u32);
/// A channel of the hardware: runlist and channel ID.
pub type Id = (u32, u32);

/// A channel group that the driver allocated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// NV2080_ENGINE_TYPE of its channels.
    pub engine: u32,
    /// Address space of its channels.
    pub space: Key,
}

/// Everything the host engine keeps.
#[derive(Debug, Default)]
pub struct Fifo {
    /// Address spaces.
    pub spaces: BTreeMap<Key, Space>,
    /// Channel groups.
    pub groups: BTreeMap<Key, Group>,
    /// Channels.
    pub channels: BTreeMap<Id, Channel>,
    /// Root directories that address spaces had.
    former: BTreeSet<u64>,
    /// Those that RM took away since it was last asked.
    revoked: Vec<u64>,
    /// Copy engines, by NV2080_ENGINE_TYPE.
    engines: BTreeMap<u32, CopyEngine>,
    /// Channels that may have something to do.
    ready: BTreeSet<Id>,
    /// A channel did as much as it may do in one go.
    breath_ns: Option<u64>,
}

impl Fifo {
    /// The channel that an RM object stands for.
    pub fn channel(&self, key: Key) -> Option<&Channel> {
        self.channels.values().find(|c| c.key == key)
    }

    /// The channel that an RM object stands for.
    pub fn channel_mut(&mut self, key: Key) -> Option<&mut Channel> {
        self.channels.values_mut().find(|c| c.key == key)
    }

    /// The channels that work in an address space.
    pub fn users(&self, space: Key) -> impl Iterator<Item = &Channel> {
        self.channels.values().filter(move |c| c.space == space)
    }

    /// Takes the root directory of an address space away.
    pub fn clear_root(&mut self, space: Key) {
        if let Some(root) = self.spaces.get_mut(&space).and_then(|s| s.root.take()) {
            self.former.insert(root);
            self.revoked.push(root);
        }
    }

    /// The root directories taken away since the last call: RM invalidates them
    /// (OGKM 570.144, gpu_vaspace.c).
    pub fn take_revoked(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.revoked)
    }

    /// Whether an address space has, or had, its root directory at `root`: an
    /// invalidate for it makes sense.
    pub fn knows_root(&self, root: u64) -> bool {
        self.former.contains(&root) || self.spaces.values().any(|s| s.root == Some(root))
    }

    /// Takes a channel away, whatever it is doing.
    pub fn remove(&mut self, id: Id) -> Option<Channel> {
        self.ready.remove(&id);
        self.engines.values_mut().for_each(|e| e.forget(id));
        self.channels.remove(&id)
    }

    /// Turns a channel on, which may have work already, or off: then it is taken off
    /// its engine where it is, and goes on there later.
    pub fn schedule(&mut self, id: Id, on: bool, now_ns: u64) {
        let Some(c) = self.channels.get_mut(&id) else {
            return;
        };
        let was = std::mem::replace(&mut c.enabled, on && !c.failed);
        if was == c.enabled {
            return;
        }
        if !c.enabled {
            self.engines.values_mut().for_each(|e| e.forget(id));
            return;
        }
        c.run.clock_ns = c.run.clock_ns.max(now_ns);
        if c.run.job.is_some() {
            let engine = self.engines.entry(c.engine.nv2080_type).or_default();
            engine.enqueue(id);
        }
        self.ready.insert(id);
    }
}
