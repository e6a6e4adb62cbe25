// SPDX-License-Identifier: GPL-2.0

//! PRAMIN: a 1 MiB window of BAR0 that can be placed anywhere on frame buffer
//! (OGKM 570.144 `maxwell/gm107/dev_bus.h`).

use kernel::io::register;

/// Offset of the window in BAR0.
pub(crate) const WINDOW: usize = 0x0070_0000;
/// Bytes of the window.
pub(crate) const WINDOW_SIZE: u64 = 1 << 20;

register! {
    /// Where the window is.
    pub(crate) NV_PBUS_BAR0_WINDOW(u32) @ 0x00001700 {
        /// 0: video memory, 2 and 3: system memory.
        25:24   target;
        /// Address in units of 64 KiB.
        23:0    base;
    }
}
