// SPDX-License-Identifier: GPL-2.0

//! Copy engine objects: what a channel needs before it may use its engine.
//!
//! ```text
//!   NVB0B5_ALLOCATION_PARAMETERS (8)
//!     0 version (1: by engine type)  4 engineType, that of the channel
//! ```

use crate::bytes::u32_at;
use crate::fifo::Key;
use crate::rm::status::{refuse, Refusal};
use crate::services::Services;

/// NVB0B5_ALLOCATION_PARAMETERS_VERSION_1: the engine is named by its type.
const CE_VERSION: u32 = 1;

/// Allocation of a copy engine object.
pub fn construct(s: &mut Services<'_>, key: Key, parent: u32, p: &[u8]) -> Result<(), Refusal> {
    let (version, engine) = (u32_at(p, 0).unwrap_or(0), u32_at(p, 4).unwrap_or(0));
    let Some(c) = s.fifo.channel_mut((key.0, parent)) else {
        refuse!(
            ERR_INVALID_OBJECT_PARENT,
            "ce-parent",
            "{parent:#x} is not a channel"
        )
    };
    if version != CE_VERSION {
        refuse!(
            ERR_INVALID_ARGUMENT,
            "ce-version",
            "parameters of version {version}, which name no engine type"
        )
    }
    if engine != c.engine.nv2080_type || !c.engine.is_copy() {
        refuse!(
            ERR_INVALID_ARGUMENT,
            "ce-engine",
            "engine type {engine:#x} on a channel of {}",
            c.engine.name
        )
    }
    if c.copy_engine.is_some() {
        refuse!(
            ERR_INSUFFICIENT_RESOURCES,
            "ce-twice",
            "channel {:?} has a copy engine object",
            c.id
        )
    }
    c.copy_engine = Some(key.1);
    Ok(())
}

/// A copy engine object is freed.
pub fn destroy(s: &mut Services<'_>, key: Key) {
    let found = s
        .fifo
        .channels
        .values_mut()
        .find(|c| c.key.0 == key.0 && c.copy_engine == Some(key.1));
    if let Some(c) = found {
        c.copy_engine = None;
    }
}
