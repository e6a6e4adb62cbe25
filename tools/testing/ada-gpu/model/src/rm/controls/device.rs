// SPDX-License-Identifier: GPL-2.0

//! Controls of the device (class 0x0080).
//!
//! ```text
//!   0x00800291 GPU_GET_SRIOV_CAPS   80 bytes, as in the static info
//! ```
//!
//! Source: OGKM 570.144 `src/common/sdk/nvidia/inc/ctrl/ctrl0080/ctrl0080gpu.h`.

use super::Control;
use crate::rm::static_info;

/// The controls of this file.
pub const TABLE: &[Control] = &[Control {
    cmd: 0x0080_0291,
    name: "GPU_GET_SRIOV_CAPS",
    size: static_info::SRIOV_CAPS_SIZE,
    vgpu: false,
    run: |_, s, _, p| {
        p.copy_from_slice(&static_info::sriov_caps(s));
        Ok(())
    },
}];
