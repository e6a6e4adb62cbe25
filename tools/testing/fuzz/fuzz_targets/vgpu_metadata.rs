// SPDX-License-Identifier: GPL-2.0

//! The VF driver's parser of vGPU type metadata, against files that are right but for some edits, behind
//! a CRC that always fits.
//!
//! ```text
//!   a right file with two boards --> edits that the input says --> magic, CRC --> Metadata::parse
//!                                                                                   types(), payloads()
//! ```
//! Whatever it accepts must keep the promises that the driver relies on.

#![no_main]
#![allow(dead_code)]

use libfuzzer_sys::fuzz_target;
use std::sync::OnceLock;

mod metadata {
    include!(concat!(env!("OUT_DIR"), "/metadata.rs"));
}

const MIN_HEAP: u64 = 0x27_4000;
const HEADER: usize = 232;
const BOARDS: [u16; 2] = [0x26b1, 0x27b8];
/// Where the types of a payload begin, and the bytes of each.
const INFO: [u64; 2] = [8, 400];
/// A file does not grow beyond.
const LONGEST: usize = 12 << 10;

const CRC_TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut i = 0;
    while i < 256 {
        let (mut crc, mut bit) = (i as u32, 0);
        while bit < 8 {
            crc = if crc & 1 != 0 {
                crc >> 1 ^ 0xedb8_8320
            } else {
                crc >> 1
            };
            bit += 1;
        }
        table[i] = crc;
        i += 1;
    }
    table
};

fn crc(bytes: &[u8]) -> u32 {
    bytes.iter().fold(u32::MAX, |crc, b| {
        crc >> 8 ^ CRC_TABLE[(crc as u8 ^ b) as usize]
    })
}

fn put(file: &mut [u8], at: usize, bytes: &[u8]) {
    file[at..at + bytes.len()].copy_from_slice(bytes);
}

fn record(id: u32, device: u16, stride: usize) -> Vec<u8> {
    let mut r = vec![0; stride];
    put(&mut r, 0, &id.to_le_bytes());
    put(&mut r, 4, b"Board-1Q");
    for (at, value) in [
        (40, 0x26b1_1234),
        (48, u64::from(device)),
        (56, 1 << 30),
        (64, 32 << 20),
        (72, 256),
        (80, 16),
        (88, 4 << 20),
    ] {
        put(&mut r, at, &u64::to_le_bytes(value));
    }
    r
}

fn blob(device: u16, ids: &[u32], stride: usize) -> Vec<u8> {
    let mut payload = vec![0; metadata::ADD_VGPU_TYPE_SIZE];
    put(&mut payload, 4, &(ids.len() as u32).to_le_bytes());
    let room = (payload.len() - INFO[0] as usize) / INFO[1] as usize;
    for (n, id) in ids.iter().take(room).enumerate() {
        let at = INFO[0] as usize + n * INFO[1] as usize;
        put(&mut payload, at, &id.to_le_bytes());
        put(&mut payload, at + 384, &u64::to_le_bytes(1 << 30));
    }
    let records = (stride * ids.len()) as u64;
    let words = [
        0,
        16 + 56 + records + payload.len() as u64,
        u64::from(device),
        INFO[0],
        INFO[1],
        records,
        ids.len() as u64,
        u64::from(metadata::CMD_PGPU_ADD_VGPU_TYPE),
        payload.len() as u64,
    ];
    let mut blob: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
    for id in ids {
        blob.extend(record(*id, device, stride));
    }
    blob.extend(payload);
    blob
}

fn right_file() -> &'static [u8] {
    static FILE: OnceLock<Vec<u8>> = OnceLock::new();
    FILE.get_or_init(|| {
        let mut file = vec![0; HEADER];
        put(&mut file, 16, &18u64.to_le_bytes());
        put(&mut file, 24, &1u64.to_le_bytes());
        put(&mut file, 160, b"570.144");
        put(&mut file, 224, &2u64.to_le_bytes());
        file.extend(blob(BOARDS[0], &[941, 942, 943], 96));
        file.extend(blob(BOARDS[1], &[951, 952], 104));
        file
    })
}

/// Reads the input; zeroes after its end.
struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        let len = self.0.len().min(N);
        bytes[..len].copy_from_slice(&self.0[..len]);
        self.0 = &self.0[len..];
        bytes
    }

    fn number(&mut self, below: usize) -> usize {
        u16::from_le_bytes(self.take()) as usize % below.max(1)
    }
}

/// One change. Offsets count in words of 4 where fields are.
fn edit(file: &mut Vec<u8>, input: &mut Input<'_>) {
    let [what] = input.take();
    let at = input.number(file.len() / 4) * 4;
    match what % 8 {
        0 => {
            let [byte, offset] = input.take();
            if let Some(b) = file.get_mut(at + usize::from(offset % 4)) {
                *b = byte;
            }
        }
        1 if at + 4 <= file.len() => put(file, at, &input.take::<4>()),
        2 if at + 8 <= file.len() => {
            let [byte] = input.take();
            put(file, at, &u64::from(byte).to_le_bytes());
        }
        3 if at + 8 <= file.len() => put(file, at, &input.take::<8>()),
        4 => file.truncate(at),
        5 if file.len() < LONGEST => {
            let len = input.number(512);
            file.extend(std::iter::repeat_n(what, len));
        }
        6 => {
            let from = input.number(file.len() / 4) * 4;
            let len = input.number(128).min(file.len() - from.max(at));
            file.copy_within(from..from + len, at);
        }
        // One more blob, for either board.
        7 if file.len() >= HEADER && file.len() < LONGEST => {
            let [n, id, stride] = input.take();
            let ids: Vec<u32> = (0..u32::from(n % 70)).map(|n| n + u32::from(id)).collect();
            let stride = 96 + usize::from(stride % 16) * 8;
            file.extend(blob(BOARDS[usize::from(what >> 3 & 1)], &ids, stride));
            let mut count = [0; 8];
            count.copy_from_slice(&file[224..232]);
            let count = u64::from_le_bytes(count).wrapping_add(1);
            put(file, 224, &count.to_le_bytes());
        }
        _ => (),
    }
}

fuzz_target!(|data: &[u8]| {
    let mut file = right_file().to_vec();
    let mut input = Input(data);
    while !input.0.is_empty() {
        edit(&mut file, &mut input);
    }
    if file.len() > 16 {
        file[..8].copy_from_slice(b"NVVGPUMT");
        let crc = crc(&file[16..]);
        file[8..12].copy_from_slice(&crc.to_le_bytes());
    }
    let host = metadata::Host {
        device_id: BOARDS[0],
        gsp_build_version: b"570.144",
        min_heap: MIN_HEAP,
    };
    let parsed = metadata::Metadata::parse(&file, &host);
    assert!(
        !data.is_empty() || parsed.is_ok(),
        "the right file is refused"
    );
    let Ok(metadata) = parsed else {
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
