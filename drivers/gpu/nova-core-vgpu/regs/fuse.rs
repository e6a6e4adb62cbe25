// SPDX-License-Identifier: GPL-2.0

//! Fuses: display presence and the revocation level of signed ucodes
//! (OGKM 570.144 `ampere/ga102/dev_fuse.h`, `ada/ad102/dev_fuse.h`).

use kernel::io::register;

/// Ucode ids run from 1 to this number; one fuse word each.
pub(crate) const UCODE_COUNT: usize = 16;

register! {
    /// Is the display engine fused off?
    pub(crate) NV_FUSE_STATUS_OPT_DISPLAY(u32) @ 0x00820c04 {
        0:0     disabled => bool;
    }

    /// Revocation level of ucodes that run on NVDEC; index = ucode id - 1.
    pub(crate) NV_FUSE_OPT_FPF_NVDEC_UCODE_VERSION(u32)[16] @ 0x00824100 {
        15:0    data => u16;
    }

    /// Revocation level of ucodes that run on SEC2; index = ucode id - 1.
    pub(crate) NV_FUSE_OPT_FPF_SEC2_UCODE_VERSION(u32)[16] @ 0x00824140 {
        15:0    data => u16;
    }

    /// Revocation level of ucodes that run on GSP; index = ucode id - 1.
    pub(crate) NV_FUSE_OPT_FPF_GSP_UCODE_VERSION(u32)[16] @ 0x008241c0 {
        15:0    data => u16;
    }
}
