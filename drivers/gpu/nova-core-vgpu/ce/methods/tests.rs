// SPDX-License-Identifier: GPL-2.0

//! Methods as the engine reads them.

use super::super::super::fifo::pushbuf::decode::writes;
use super::*;
use std::collections::BTreeMap;

const DONE: Semaphore = Semaphore {
    address: 0x1_0000_1000,
    payload: 0xdead_beef,
};

const fn video(address: u64) -> Physical {
    Physical {
        aperture: Aperture::Video,
        address,
    }
}

/// What the registers of sub-channel 4 hold at each launch.
fn launches(stream: &[u32]) -> Vec<BTreeMap<u32, u32>> {
    let mut registers = BTreeMap::new();
    let mut seen = Vec::new();
    for (sub, method, value) in writes(stream) {
        if method == 0 {
            assert_eq!(value & 0xffff, CLASS);
            continue;
        }
        assert_eq!(sub, 4);
        registers.insert(method, value);
        if method == 0x300 {
            seen.push(registers.clone());
        }
    }
    seen
}

/// The scrub of the published vGPU drivers, as it is in their pushbuffer: 0x2000 bytes at
/// 0x3_0000_0000 in lines of 0x1000.
fn published_scrub() -> Vec<u32> {
    let mut stream = vec![0; 32];
    stream.extend([
        0x2001_0000,
        0xc7b5,
        0x2001_81c2,
        0x0003_0004,
        0x2001_81c0,
        0,
        0x2004_8104,
        0x1000,
        0x1000,
        0x400,
        2,
        0x2002_8102,
        3,
        0,
        0x2001_80c0,
        0x785,
        0x2003_8090,
        1,
        0x1000,
        0xdead_beef,
        0x2001_80c0,
        0x5cc,
    ]);
    stream
}

#[test]
fn agrees_with_the_published_scrub() {
    let theirs = launches(&published_scrub());
    assert_eq!(theirs.len(), 2, "the fill, then the semaphore");
    let ours = fill(video(0x3_0000_0000), 0x2000, 0, DONE).unwrap();
    let ours = launches(ours.words());
    assert_eq!(ours.len(), 1, "both in one");
    for method in [0x240, 0x244, 0x248, 0x408, 0x40c, 0x700, 0x708] {
        let last = theirs.last().unwrap();
        assert_eq!(ours[0][&method], last[&method], "{method:#x}");
    }
    // Elements times lines.
    let size = |r: &BTreeMap<u32, u32>| r[&0x418] * r[&0x41c] * 4;
    assert_eq!(size(&ours[0]), size(&theirs[0]));
    // The bits of both launches, but one line (9), physical (13), no PLC (26), not pipelined.
    let bits = theirs[0][&0x300] | theirs[1][&0x300];
    assert_eq!(
        ours[0][&0x300] & !3,
        bits & !3 & !(1 << 9) | 1 << 13 | 1 << 26
    );
    assert_eq!(ours[0][&0x300] & 3, 2);
}

#[test]
fn fill_registers() {
    let stream = fill(video(0x7_4000_0004), 0xffff_fff8, 0x1234_5678, DONE).unwrap();
    let launch = &launches(stream.words())[0];
    for (method, value) in [
        (0x260, 0),
        (0x264, 0),
        (0x408, 7),
        (0x40c, 0x4000_0004),
        (0x418, 0x3fff_fffe),
        (0x41c, 1),
        (0x700, 0x1234_5678),
        (0x708, 0x0003_0004),
        (0x300, 0x0400_25ce),
    ] {
        assert_eq!(launch[&method], value, "{method:#x}");
    }
    assert!(!launch.contains_key(&0x400), "a fill has no source");
}

#[test]
fn copy_registers() {
    let src = Physical {
        aperture: Aperture::System,
        address: 0x7f12_3456_7801,
    };
    let stream = copy(src, video(0xffff), 3, DONE).unwrap();
    let launch = &launches(stream.words())[0];
    for (method, value) in [
        (0x240, 1),
        (0x244, 0x1000),
        (0x248, 0xdead_beef),
        (0x260, 1),
        (0x264, 0),
        (0x400, 0x7f12),
        (0x404, 0x3456_7801),
        (0x408, 0),
        (0x40c, 0xffff),
        (0x410, 3),
        (0x414, 3),
        (0x418, 3),
        (0x41c, 1),
        (0x300, 0x0400_31ce),
    ] {
        assert_eq!(launch[&method], value, "{method:#x}");
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let bad = |r: Result<Commands, BadStream>| r.err() == Some(BadStream::Range);
    assert!(bad(fill(video(0), 0, 0, DONE)));
    assert!(bad(fill(video(0), 1 << 32, 0, DONE)));
    assert!(bad(fill(video(2), 4, 0, DONE)));
    assert!(bad(fill(video(0), 6, 0, DONE)));
    assert!(bad(fill(video(ADDRESS_LIMIT - 4), 8, 0, DONE)));
    assert!(fill(video(ADDRESS_LIMIT - 4), 4, 0, DONE).is_ok());
    assert!(bad(copy(video(u64::MAX), video(0), 1, DONE)));
    assert!(bad(copy(video(0), video(u64::MAX - 3), 4, DONE)));
}
