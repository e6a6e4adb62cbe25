// SPDX-License-Identifier: GPL-2.0

//! INTERNAL_INTR_GET_KERNEL_TABLE (0x20800a5c): which engine has which vector.
//!
//! ```text
//!   0 tableLen   4 128 x { engineIdx u16, -, pmcIntrMask u32, stall u32, nonStall u32 }
//!   0x804 7 x { subtreeStart u8, subtreeEnd u8 }
//! ```
//!
//! Layout: OGKM 570.144 `ctrl2080internal.h`; engine indices from
//! `src/nvidia/inc/kernel/gpu/intr/engine_idx.h` of the same tag.

use super::Control;
use crate::bytes::{put, put_u16, put_u32};

const SIZE: usize = 0x814;
const ENTRY_AT: usize = 4;
const ENTRY_SIZE: usize = 16;
const SUBTREES_AT: usize = 0x804;
/// NV_INTR_VECTOR_INVALID.
const NONE: u32 = u32::MAX;

/// (MC_ENGINE_IDX, stall vector, non-stall vector).
const VECTORS: &[(u16, u32, u32)] = &[
    (50, 155, NONE), // GSP
    (59, 64, NONE),  // replayable fault
    (61, 132, NONE), // non-replayable fault
    (73, 129, NONE), // CPU doorbell
    (15, NONE, 1),   // CE0 ..
    (16, NONE, 2),
    (17, NONE, 3),
    (18, NONE, 4),
    (19, NONE, 5),
];

/// Subtrees by use: default, non-stall, UVM owned, UVM shared, stall and two spare.
const SUBTREES: [(u8, u8); 7] = [
    (0xff, 0xff),
    (0, 0),
    (1, 1),
    (2, 2),
    (3, 3),
    (0xff, 0xff),
    (0xff, 0xff),
];

/// MC_ENGINE_IDX of copy engine 0.
const CE0: u16 = 15;

/// Non-stall vector of a copy engine.
pub fn copy_engine_vector(instance: u32) -> Option<u32> {
    let index = u16::try_from(instance).ok()?.checked_add(CE0)?;
    VECTORS
        .iter()
        .find(|v| v.0 == index)
        .map(|v| v.2)
        .filter(|v| *v != NONE)
}

/// The controls of this file.
pub const TABLE: &[Control] = &[Control {
    cmd: 0x2080_0a5c,
    name: "INTERNAL_INTR_GET_KERNEL_TABLE",
    size: SIZE,
    vgpu: false,
    run: |_, _, _, p| {
        p.fill(0);
        put_u32(p, 0, VECTORS.len() as u32);
        for (i, (engine, stall, nonstall)) in VECTORS.iter().enumerate() {
            let at = ENTRY_AT + i * ENTRY_SIZE;
            put_u16(p, at, *engine);
            put_u32(p, at + 8, *stall);
            put_u32(p, at + 12, *nonstall);
        }
        for (i, (start, end)) in SUBTREES.iter().enumerate() {
            put(p, SUBTREES_AT + 2 * i, &[*start, *end]);
        }
        Ok(())
    },
}];
