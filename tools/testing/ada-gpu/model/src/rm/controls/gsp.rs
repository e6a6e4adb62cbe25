// SPDX-License-Identifier: GPL-2.0

//! Controls about GSP itself.
//!
//! ```text
//!   0x20803601 GSP_GET_FEATURES
//!     0 features  4 bValid  5 bDefaultGspRmGpu  6 firmwareVersion[64]
//! ```
//!
//! Source: OGKM 570.144 `ctrl2080gsp.h`.

use super::Control;
use crate::bytes::{put, put_u32};

/// The firmware the model stands in for.
pub const VERSION: &str = "570.144";

/// UVM is supported on a GPU with GSP.
const FEATURE_UVM: u32 = 1;

/// The controls of this file.
pub const TABLE: &[Control] = &[Control {
    cmd: 0x2080_3601,
    name: "GSP_GET_FEATURES",
    size: 72,
    vgpu: false,
    run: |_, _, _, p| {
        p.fill(0);
        put_u32(p, 0, FEATURE_UVM);
        put(p, 4, &[1, 1]);
        put(p, 6, VERSION.as_bytes());
        Ok(())
    },
}];
