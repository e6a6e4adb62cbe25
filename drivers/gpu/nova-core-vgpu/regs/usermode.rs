// SPDX-License-Identifier: GPL-2.0

//! The user part of the PF's function registers, at 0xbb0000 (OGKM 570.144
//! `turing/tu102/dev_vm.h`).

use kernel::io::register;

register! {
    /// Doorbell of channels: makes host look at the put index of the channel that the token names.
    pub(crate) NV_VF_DOORBELL(u32) @ 0x00bb0090 {
        31:0    token;
    }
}
