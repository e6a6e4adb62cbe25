// SPDX-License-Identifier: GPL-2.0

//! Controls about engines, runlists and channels.
//!
//! ```text
//!   0x20801112 FIFO_GET_DEVICE_INFO_TABLE     baseIndex in, up to 32 entries out
//!   0x20800a61 INTERNAL_FIFO_GET_NUM_CHANNELS runlist in, channel IDs out
//! ```
//!
//! Source: OGKM 570.144 `ctrl2080fifo.h`, `ctrl2080internal.h`.

use super::Control;
use crate::bytes::{put_u32, u32_at};
use crate::rm::chid;
use crate::rm::engines;
use crate::rm::status::refuse;

/// The controls of this file.
pub const TABLE: &[Control] = &[
    Control {
        cmd: 0x2080_1112,
        name: "FIFO_GET_DEVICE_INFO_TABLE",
        size: engines::DEVICE_INFO_SIZE,
        vgpu: false,
        run: |_, _, _, p| {
            let base = u32_at(p, 0).unwrap_or(0) as usize;
            engines::fill_device_info(p, base);
            Ok(())
        },
    },
    Control {
        cmd: 0x2080_0a61,
        name: "INTERNAL_FIFO_GET_NUM_CHANNELS",
        size: 8,
        vgpu: false,
        run: |_, _, _, p| {
            let runlist = u32_at(p, 0).unwrap_or(0);
            if runlist as usize >= engines::RUNLISTS {
                refuse!(
                    ERR_INVALID_ARGUMENT,
                    "runlist",
                    "runlist {runlist} does not exist"
                )
            }
            put_u32(p, 4, chid::CHANNELS);
            Ok(())
        },
    },
];
