// SPDX-License-Identifier: GPL-2.0

//! Controls of channels and channel groups.
//!
//! ```text
//!   0xa06f0103 GPFIFO_SCHEDULE  { bEnable u8, bSkipSubmit u8 }
//!   0xa06f0104 BIND             { engineType u32 }
//!   0xa06c0101 and 0xa06c0102   the same for all channels of a group
//!   0xc36f0108 GPFIFO_GET_WORK_SUBMIT_TOKEN   refused
//! ```
//!
//! The token is a value that the CPU computes; GSP-RM answers a PF channel with
//! one of its own, in a format nobody published (OGKM 570.144 `kernel_channel.c`,
//! `kernel_fifo_ga100.c`). A driver that asks depends on something it must not.
//!
//! Source of numbers: `ctrla06fgpfifo.h`, `ctrla06c.h`, `ctrlc36f.h` of that tag.

use super::{Control, Run};
use crate::bytes::{u32_at, u8_at};
use crate::rm::channel;
use crate::rm::group;
use crate::rm::status::refuse;

const fn control(cmd: u32, name: &'static str, size: usize, run: Run) -> Control {
    Control {
        cmd,
        name,
        size,
        vgpu: false,
        run,
    }
}

fn on(p: &[u8]) -> bool {
    u8_at(p, 0).is_some_and(|b| b != 0)
}

fn engine(p: &[u8]) -> u32 {
    u32_at(p, 0).unwrap_or(0)
}

/// The controls of this file.
pub const TABLE: &[Control] = &[
    control(0xa06f_0103, "GPFIFO_SCHEDULE", 2, |_, s, t, p| {
        channel::schedule(s, &channel::of_channel(s, t), on(p))
    }),
    control(0xa06f_0104, "BIND", 4, |_, s, t, p| {
        channel::bind(s, &channel::of_channel(s, t), engine(p))
    }),
    control(0xa06c_0101, "GROUP_GPFIFO_SCHEDULE", 2, |_, s, t, p| {
        channel::schedule(s, &group::channels(s, t), on(p))
    }),
    control(0xa06c_0102, "GROUP_BIND", 4, |_, s, t, p| {
        channel::bind(s, &group::channels(s, t), engine(p))
    }),
    control(
        0xc36f_0108,
        "GPFIFO_GET_WORK_SUBMIT_TOKEN",
        4,
        |_, _, t, _| {
            refuse!(
                ERR_NOT_SUPPORTED,
                "channel-token",
                "work submit token of channel {:#x} asked of GSP-RM",
                t.object
            )
        },
    ),
];
