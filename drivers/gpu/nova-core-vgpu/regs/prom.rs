// SPDX-License-Identifier: GPL-2.0

//! PROM: the window on the VBIOS ROM (OGKM 570.144 `turing/tu102/dev_ext_devices.h`).

use kernel::io::register;

/// Bytes that can be seen through the window.
pub(crate) const PROM_SIZE: usize = 0x10_0000;

register! {
    /// ROM contents, 32 bits at a time.
    pub(crate) NV_PROM_DATA(u32)[0x40000] @ 0x00300000 {
        31:0    value => u32;
    }
}
