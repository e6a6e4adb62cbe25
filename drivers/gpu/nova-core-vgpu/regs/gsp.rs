// SPDX-License-Identifier: GPL-2.0

//! PGSP registers that are not common to all falcons (OGKM 570.144 `ampere/ga102/dev_gsp.h`).

use kernel::io::register;

register! {
    /// Command queue doorbells; any write makes GSP look at that queue.
    pub(crate) NV_PGSP_QUEUE_HEAD(u32)[8, stride = 8] @ 0x00110c00 {
        31:0    address => u32;
    }
}
