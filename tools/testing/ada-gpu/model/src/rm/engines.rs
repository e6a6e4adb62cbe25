// SPDX-License-Identifier: GPL-2.0

//! The engines of AD102 and the runlists they are on.
//!
//! ```text
//!   runlist 0   GR0 COPY0 COPY1      (the two graphics copy engines share it)
//!   runlist 1.. COPY2 COPY3 COPY4 NVDEC0-2 NVENC0-2 SEC2 NVJPEG0-3 OFA0
//!   none        SW                   (no channels of its own)
//! ```
//!
//! Two numberings exist and differ from NVDEC on: RM_ENGINE_TYPE (what the
//! device-info table carries) and NV2080_ENGINE_TYPE (what indexes the bootload
//! control's chidOffset array). Numbers: OGKM 570.144
//! `src/nvidia/inc/kernel/gpu/gpu_engine_type.h`,
//! `src/common/sdk/nvidia/inc/class/cl2080_notification.h`; table layout
//! `ctrl2080fifo.h` and `src/nvidia/inc/kernel/gpu/fifo/engine_info.h`. Which
//! runlist an engine is on, and the register bases, are the model's choice.

use crate::bytes::{put, put_u32};

/// Number of runlists that have an ID space of their own.
pub const RUNLISTS: usize = 16;
/// Entries of chidOffset (NV2080_ENGINE_TYPE_LAST in r570).
pub const ENGINE_TYPES: usize = 0x54;

/// One engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Engine {
    /// Name as in the device-info table.
    pub name: &'static str,
    /// RM_ENGINE_TYPE number.
    pub rm_type: u32,
    /// NV2080_ENGINE_TYPE number.
    pub nv2080_type: u32,
    /// Runlist; `None` for the software engine.
    pub runlist: Option<u32>,
    /// Instance among engines of its sort.
    pub instance: u32,
}

impl Engine {
    /// Whether it is a copy engine (NV2080_ENGINE_TYPE_COPY0 to COPY9).
    pub fn is_copy(&self) -> bool {
        (0x09..=0x12).contains(&self.nv2080_type)
    }
}

const fn engine(
    name: &'static str,
    rm_type: u32,
    nv2080_type: u32,
    runlist: Option<u32>,
    instance: u32,
) -> Engine {
    Engine {
        name,
        rm_type,
        nv2080_type,
        runlist,
        instance,
    }
}

/// All engines, in table order.
pub const ENGINES: &[Engine] = &[
    engine("GRAPHICS", 0x01, 0x01, Some(0), 0),
    engine("CE0", 0x09, 0x09, Some(0), 0),
    engine("CE1", 0x0a, 0x0a, Some(0), 1),
    engine("CE2", 0x0b, 0x0b, Some(1), 2),
    engine("CE3", 0x0c, 0x0c, Some(2), 3),
    engine("CE4", 0x0d, 0x0d, Some(3), 4),
    engine("NVDEC0", 0x1d, 0x13, Some(4), 0),
    engine("NVDEC1", 0x1e, 0x14, Some(5), 1),
    engine("NVDEC2", 0x1f, 0x15, Some(6), 2),
    engine("NVENC0", 0x25, 0x1b, Some(7), 0),
    engine("NVENC1", 0x26, 0x1c, Some(8), 1),
    engine("NVENC2", 0x27, 0x1d, Some(9), 2),
    engine("SEC2", 0x31, 0x26, Some(10), 0),
    engine("NVJPEG0", 0x36, 0x2b, Some(11), 0),
    engine("NVJPEG1", 0x37, 0x2c, Some(12), 1),
    engine("NVJPEG2", 0x38, 0x2d, Some(13), 2),
    engine("NVJPEG3", 0x39, 0x2e, Some(14), 3),
    engine("OFA0", 0x3e, 0x33, Some(15), 0),
    engine("SW", 0x2d, 0x22, None, 0),
];

/// Bytes of the FIFO_GET_DEVICE_INFO_TABLE parameters.
pub const DEVICE_INFO_SIZE: usize = 3212;
const ENTRIES_PER_CALL: usize = 32;
const ENTRY_AT: usize = 12;
const ENTRY_SIZE: usize = 100;

const DATA_RM_ENGINE_TYPE: usize = 2;
const DATA_RUNLIST: usize = 3;
const DATA_INSTANCE_ID: usize = 10;
const DATA_RUNLIST_PRI_BASE: usize = 11;
const DATA_IS_HOST_DRIVEN: usize = 12;
const DATA_CHRAM_PRI_BASE: usize = 14;

const RUNLIST_PRI_BASE: u32 = 0x0090_0000;
const CHRAM_PRI_BASE: u32 = 0x0091_0000;
const RUNLIST_PRI_STRIDE: u32 = 0x2000;
const INVALID_RUNLIST: u32 = u32::MAX;

/// Fills the answer to FIFO_GET_DEVICE_INFO_TABLE from entry `base` on.
pub fn fill_device_info(params: &mut [u8], base: usize) {
    let rest = ENGINES.get(base..).unwrap_or(&[]);
    let now = &rest[..rest.len().min(ENTRIES_PER_CALL)];
    params[4..].fill(0);
    put_u32(params, 4, now.len() as u32);
    put(params, 8, &[(rest.len() > now.len()).into()]);
    for (i, e) in now.iter().enumerate() {
        let at = ENTRY_AT + i * ENTRY_SIZE;
        let mut data = |index: usize, value: u32| {
            put_u32(params, at + 4 * index, value);
        };
        data(DATA_RM_ENGINE_TYPE, e.rm_type);
        data(DATA_INSTANCE_ID, e.instance);
        data(DATA_RUNLIST, e.runlist.unwrap_or(INVALID_RUNLIST));
        if let Some(runlist) = e.runlist {
            data(
                DATA_RUNLIST_PRI_BASE,
                RUNLIST_PRI_BASE + runlist * RUNLIST_PRI_STRIDE,
            );
            data(
                DATA_CHRAM_PRI_BASE,
                CHRAM_PRI_BASE + runlist * RUNLIST_PRI_STRIDE,
            );
            data(DATA_IS_HOST_DRIVEN, 1);
            put_u32(params, at + 64, runlist);
            put_u32(params, at + 80, 1);
        }
        put(params, at + 84, e.name.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bytes::u32_at;

    #[test]
    fn the_table_fits_the_numbering() {
        for (i, e) in ENGINES.iter().enumerate() {
            assert!((e.nv2080_type as usize) < ENGINE_TYPES);
            assert!(e.runlist.is_none_or(|r| (r as usize) < RUNLISTS));
            assert!(e.name.len() < 16);
            for o in &ENGINES[i + 1..] {
                assert_ne!(e.rm_type, o.rm_type);
                assert_ne!(e.nv2080_type, o.nv2080_type);
            }
        }
    }

    #[test]
    fn device_info_answers_in_pieces() {
        let mut p = vec![0xff; DEVICE_INFO_SIZE];
        fill_device_info(&mut p, 0);
        assert_eq!(u32_at(&p, 4), Some(19));
        assert_eq!(p[8], 0);
        // Second entry: CE0 on runlist 0.
        assert_eq!(u32_at(&p, 12 + 100 + 8), Some(9));
        assert_eq!(u32_at(&p, 12 + 100 + 12), Some(0));
        assert_eq!(&p[12 + 100 + 84..12 + 100 + 88], b"CE0\0");
        fill_device_info(&mut p, 32);
        assert_eq!(u32_at(&p, 4), Some(0));
        fill_device_info(&mut p, usize::MAX);
        assert_eq!(u32_at(&p, 4), Some(0));
    }
}
