// SPDX-License-Identifier: GPL-2.0

//! Controls about copy engines.
//!
//! ```text
//!   0x20802a08 CE_GET_FAULT_METHOD_BUFFER_SIZE   u32
//! ```
//!
//! Source: OGKM 570.144 `ctrl2080ce.h`. The size itself is not public.

use super::Control;
use crate::bytes::put_u32;
use crate::rm::channel::METHOD_BUFFER_SIZE;

/// The controls of this file.
pub const TABLE: &[Control] = &[Control {
    cmd: 0x2080_2a08,
    name: "CE_GET_FAULT_METHOD_BUFFER_SIZE",
    size: 4,
    vgpu: false,
    run: |_, _, _, p| {
        put_u32(p, 0, METHOD_BUFFER_SIZE as u32);
        Ok(())
    },
}];
