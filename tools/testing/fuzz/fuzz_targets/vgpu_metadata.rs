// SPDX-License-Identifier: GPL-2.0

//! The VF driver's parser of vGPU type metadata, behind a CRC that always fits.
//!
//! ```text
//!   input --> magic and CRC put right --> Metadata::parse --> types(), payloads()
//! ```
//! Whatever it accepts must keep the promises that the driver relies on.

#![no_main]
#![allow(dead_code)]

use libfuzzer_sys::fuzz_target;

#[path = "../../../../drivers/vfio/pci/nvidia_vgpu/types/metadata.rs"]
mod metadata;

const MIN_HEAP: u64 = 0x27_4000;

/// Bit by bit, unlike the parser's table.
fn crc(bytes: &[u8]) -> u32 {
    bytes.iter().fold(u32::MAX, |mut crc, byte| {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            let low = crc & 1;
            crc >>= 1;
            if low != 0 {
                crc ^= 0xedb8_8320;
            }
        }
        crc
    })
}

fuzz_target!(|data: &[u8]| {
    let mut file = data.to_vec();
    if file.len() > 16 {
        file[..8].copy_from_slice(b"NVVGPUMT");
        let crc = crc(&file[16..]);
        file[8..12].copy_from_slice(&crc.to_le_bytes());
    }
    let host = metadata::Host {
        device_id: 0x26b1,
        gsp_build_version: b"570.144",
        min_heap: MIN_HEAP,
    };
    let Ok(metadata) = metadata::Metadata::parse(&file, &host) else {
        return;
    };
    let types: Vec<_> = metadata.types().collect();
    assert!(!types.is_empty() && types.len() <= metadata::MAX_TYPES);
    for (position, t) in types.iter().enumerate() {
        assert!(t.id != 0 && t.max_instance != 0 && t.fb_length != 0);
        assert!(t.gsp_heap_size > MIN_HEAP && !t.name().is_empty());
        assert!(types[..position].iter().all(|other| other.id != t.id));
    }
    for payload in metadata.payloads() {
        assert_eq!(payload.len(), metadata::ADD_VGPU_TYPE_SIZE);
    }
});
