// SPDX-License-Identifier: GPL-2.0

//! The host engine: channels, and the address spaces they work in.
//!
//! ```text
//!   GSP-RM (rm/channel.rs, rm/vaspace.rs)            the board
//!      | makes, binds, schedules, frees                 | doorbell
//!      v                                                v
//!   spaces    (client, handle)  -> root directory    channels (runlist, chid)
//!   groups    (client, handle)  -> engine, space        |  get, put, state
//!   channels  (runlist, chid)   -> channel ------------'
//! ```
//!
//! RM decides who may have a channel; what is here is what the hardware keeps. A
//! channel is known by its runlist and its ID: with SR-IOV on, each runlist has
//! an ID space of its own (OGKM 570.144 `kernel_fifo.c`, `kernel_fifo_init.c`).

pub mod channel;
pub mod space;

use channel::Channel;
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
}
