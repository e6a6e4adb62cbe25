// SPDX-License-Identifier: GPL-2.0

//! PFB: sysmem flush page and WPR2 limits (OGKM 570.144 `turing/tu102/dev_fb.h`).

use kernel::io::register;

register! {
    /// DMA address bits 39:8 of the page that a sysmembar writes to.
    pub(crate) NV_PFB_NISO_FLUSH_SYSMEM_ADDR(u32) @ 0x00100c10 {
        31:0    address_39_08 => u32;
    }

    /// DMA address bits 63:40 of the page that a sysmembar writes to.
    pub(crate) NV_PFB_NISO_FLUSH_SYSMEM_ADDR_HI(u32) @ 0x00100c40 {
        23:0    address_63_40;
    }

    /// Start of the second write-protected region.
    pub(crate) NV_PFB_PRI_MMU_WPR2_ADDR_LO(u32) @ 0x001fa824 {
        /// FB address in units of 4 KiB.
        31:4    address;
    }

    /// End of the second write-protected region; zero while there is none.
    pub(crate) NV_PFB_PRI_MMU_WPR2_ADDR_HI(u32) @ 0x001fa828 {
        /// FB address in units of 4 KiB.
        31:4    address;
    }
}
