// SPDX-License-Identifier: GPL-2.0

//! Mirror of the PF's configuration space in BAR0 (OGKM 570.144 `ampere/ga102/dev_nv_xve.h`).

use kernel::io::register;

register! {
    /// End of interrupt for MSI: until any value is written here, no further message is sent.
    /// MSI-X does not need it.
    pub(crate) NV_XVE_CYA_2(u32) @ 0x00088704 {}
}
