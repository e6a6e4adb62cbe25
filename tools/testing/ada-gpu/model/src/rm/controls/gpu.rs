// SPDX-License-Identifier: GPL-2.0

//! Controls about the GPU as a whole.
//!
//! ```text
//!   0x2080017e GPU_GET_VMMU_SEGMENT_SIZE   u64
//!   0x2080012f GPU_QUERY_ECC_STATUS        36 units of 40 bytes, tail at 1440
//!   0x20800137 GPU_GET_FERMI_GPC_INFO      u32 mask
//!   0x20800138 GPU_GET_FERMI_TPC_INFO      GPC in, u32 mask at 4
//! ```
//!
//! Source: OGKM 570.144 `ctrl2080gpu.h`.

use super::Control;
use crate::bytes::{put, put_u32, put_u64, u32_at};
use crate::rm::status::refuse;

/// GPU_ECC_UNIT_COUNT in r570.
const ECC_UNITS: usize = 36;
const ECC_UNIT_SIZE: usize = 40;
/// Units that exist on AD102: SM L1, L2, frame buffer and a few SRAMs. Which
/// index is which unit does not matter to a host; unit 0 is what it looks at.
const ECC_UNITS_PRESENT: usize = 12;

const GPCS: u32 = 12;
const TPCS_PER_GPC: u32 = 6;

/// The controls of this file.
pub const TABLE: &[Control] = &[
    Control {
        cmd: 0x2080_017e,
        name: "GPU_GET_VMMU_SEGMENT_SIZE",
        size: 8,
        vgpu: false,
        run: |_, s, _, p| {
            put_u64(p, 0, s.config.vmmu_segment);
            Ok(())
        },
    },
    Control {
        cmd: 0x2080_012f,
        name: "GPU_QUERY_ECC_STATUS",
        size: 1464,
        vgpu: false,
        run: |_, s, _, p| {
            p[..ECC_UNITS * ECC_UNIT_SIZE].fill(0);
            let enabled = u8::from(s.config.ecc);
            for unit in 0..ECC_UNITS_PRESENT {
                put(p, unit * ECC_UNIT_SIZE, &[enabled, enabled, 1]);
            }
            put(p, ECC_UNITS * ECC_UNIT_SIZE, &[0, 0]);
            Ok(())
        },
    },
    Control {
        cmd: 0x2080_0137,
        name: "GPU_GET_FERMI_GPC_INFO",
        size: 4,
        vgpu: false,
        run: |_, _, _, p| {
            put_u32(p, 0, (1 << GPCS) - 1);
            Ok(())
        },
    },
    Control {
        cmd: 0x2080_0138,
        name: "GPU_GET_FERMI_TPC_INFO",
        size: 8,
        vgpu: false,
        run: |_, _, _, p| {
            let gpc = u32_at(p, 0).unwrap_or(0);
            if gpc >= GPCS {
                refuse!(ERR_INVALID_ARGUMENT, "gpc", "GPC {gpc} does not exist")
            }
            put_u32(p, 4, (1 << TPCS_PER_GPC) - 1);
            Ok(())
        },
    },
];
