// SPDX-License-Identifier: GPL-2.0

//! Channel groups: engine and address space that channels share.
//!
//! ```text
//!   NV_CHANNEL_GROUP_ALLOCATION_PARAMETERS (0x14)
//!     0 hObjectError  4 hObjectEccError  8 hVASpace  0xc engineType
//!     0x10 bIsCallingContextVgpuPlugin (u8)
//!
//!   GPFIFO_SCHEDULE and BIND on a group are for all of its channels
//! ```
//!
//! Checks: OGKM 570.144 `src/nvidia/src/kernel/gpu/fifo/kernel_channel_group_api.c`.
//! A channel below a device gets a group of RM's own, which is not modelled.

use super::channel::{check_space, engine_of};
use crate::bytes::u32_at;
use crate::fifo::{Group, Id, Key};
use crate::rm::controls::Target;
use crate::rm::status::{refuse, Refusal};
use crate::rm::Rm;
use crate::services::Services;

/// Allocation of a channel group.
pub fn construct(rm: &Rm, s: &mut Services<'_>, key: Key, p: &[u8]) -> Result<(), Refusal> {
    let word = |at| u32_at(p, at).unwrap_or(0);
    let engine = word(0xc);
    engine_of(engine)?;
    // There is no class of memory that an error notifier could be an object of.
    if word(0) != 0 || word(4) != 0 {
        refuse!(
            ERR_OBJECT_NOT_FOUND,
            "group-objects",
            "error notifiers {:#x} and {:#x} do not exist",
            word(0),
            word(4)
        )
    }
    if p.get(0x10).is_some_and(|b| *b > 1) {
        refuse!(
            ERR_INVALID_ARGUMENT,
            "group-plugin",
            "bIsCallingContextVgpuPlugin is {:?}",
            p.get(0x10)
        )
    }
    let space = (key.0, word(8));
    check_space(rm, space)?;
    s.stats.count("group-allocs");
    s.fifo.groups.insert(key, Group { engine, space });
    Ok(())
}

/// A channel group is freed; its channels are gone already.
pub fn destroy(s: &mut Services<'_>, key: Key) {
    s.fifo.groups.remove(&key);
}

/// The channels of the group a control is addressed to.
pub fn channels(s: &Services<'_>, t: Target) -> Vec<Id> {
    let key = Some((t.client, t.object));
    let all = s.fifo.channels.values();
    all.filter(|c| c.group == key).map(|c| c.id).collect()
}
