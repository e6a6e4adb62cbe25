// SPDX-License-Identifier: GPL-2.0

//! PGSP registers that are not common to all falcons (OGKM 570.144 `ampere/ga102/dev_gsp.h`).

use kernel::io::register;

register! {
    /// Mailboxes of GSP-RM, apart from those of its falcon.
    pub(crate) NV_PGSP_MAILBOX(u32)[4, stride = 4] @ 0x00110804 {
        31:0    data => u32;
    }

    /// Command queue doorbells; any write makes GSP look at that queue.
    pub(crate) NV_PGSP_QUEUE_HEAD(u32)[8, stride = 8] @ 0x00110c00 {
        31:0    address => u32;
    }
}
