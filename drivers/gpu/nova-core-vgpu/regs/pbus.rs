// SPDX-License-Identifier: GPL-2.0

//! PBUS: software scratch words that the FWSEC ucode leaves its result in
//! (OGKM 570.144 `ada/ad102/dev_bus.h`, `kernel_gsp_frts_tu102.c`).

use kernel::io::register;

register! {
    /// Software scratch words.
    pub(crate) NV_PBUS_SW_SCRATCH(u32)[64] @ 0x00001400 {}

    /// Result of the FWSEC command FRTS.
    pub(crate) NV_PBUS_SW_SCRATCH_FRTS(u32) => NV_PBUS_SW_SCRATCH[0xe] {
        /// Error code, 0 when the command succeeded.
        31:16   error;
    }

    /// Result of the FWSEC command SB.
    pub(crate) NV_PBUS_SW_SCRATCH_SB(u32) => NV_PBUS_SW_SCRATCH[0x15] {
        /// Error code, 0 when the command succeeded.
        15:0    error;
    }
}
