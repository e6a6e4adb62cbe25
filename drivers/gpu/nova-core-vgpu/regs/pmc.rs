// SPDX-License-Identifier: GPL-2.0

//! PMC: which chip this is (OGKM 570.144 `nv_ref.h`).

use kernel::io::register;

register! {
    /// First identification word; also copied into the `RM` register of a falcon after reset.
    pub(crate) NV_PMC_BOOT_0(u32) @ 0x00000000 {
        /// Low five bits of the architecture.
        28:24   architecture_0;
        /// Implementation within the architecture.
        23:20   implementation;
        /// Most significant bit of the architecture.
        8:8     architecture_1;
        /// Major revision.
        7:4     major_revision;
        /// Minor revision.
        3:0     minor_revision;
    }

    /// Second identification word, exact on everything since Turing.
    pub(crate) NV_PMC_BOOT_42(u32) @ 0x00000a00 {
        /// Architecture, 0x19 on Ada.
        29:24   architecture;
        /// Implementation within the architecture.
        23:20   implementation;
        /// Major revision.
        19:16   major_revision;
        /// Minor revision.
        15:12   minor_revision;
    }
}
