// SPDX-License-Identifier: GPL-2.0

//! PGC6: scratch words in the always-on island, written by firmware that runs before and beside
//! the driver (OGKM 570.144 `ada/ad102/dev_gc6_island{,_addendum}.h`).

use kernel::io::register;

register! {
    /// Progress of a RISC-V core resume.
    pub(crate) NV_PGC6_BSI_SECURE_SCRATCH_14(u32) @ 0x001180f8 {
        /// The boot stage 3 hand-off took place.
        26:26   boot_stage_3_handoff => bool;
    }

    /// Progress of the memory scrubber.
    pub(crate) NV_PGC6_BSI_SECURE_SCRATCH_15(u32) @ 0x001180fc {
        /// 3 and above: all FB has been scrubbed.
        31:29   scrubber_handoff;
    }

    /// Who may read the words of group 05.
    pub(crate) NV_PGC6_AON_SECURE_SCRATCH_GROUP_05_PRIV_LEVEL_MASK(u32) @ 0x00118128 {
        /// The CPU may read.
        0:0     read_protection_level0 => bool;
    }

    /// Progress of the boot firmware (GFW).
    pub(crate) NV_PGC6_AON_SECURE_SCRATCH_GROUP_05_0_GFW_BOOT(u32) @ 0x00118234 {
        /// 0xff: complete.
        7:0     progress;
    }

    /// Usable FB size in MiB, as left by the boot firmware.
    pub(crate) NV_USABLE_FB_SIZE_IN_MB(u32) @ 0x001183a4 {
        31:0    value => u32;
    }
}

/// Value of `GFW_BOOT.progress` once the boot firmware is done.
pub(crate) const GFW_BOOT_PROGRESS_COMPLETED: u32 = 0xff;

/// Smallest value of `scrubber_handoff` that means "done".
pub(crate) const SCRUBBER_HANDOFF_DONE: u32 = 3;
