// SPDX-License-Identifier: GPL-2.0

//! PDISP: where the VGA workspace is (OGKM 570.144 `kernel_gsp_tu102.c`).

use kernel::io::register;

register! {
    /// Place of the VGA workspace in FB.
    pub(crate) NV_PDISP_VGA_WORKSPACE_BASE(u32) @ 0x00625f04 {
        /// FB address in units of 64 KiB.
        31:8    address;
        /// The address is valid.
        3:3     valid => bool;
    }
}
