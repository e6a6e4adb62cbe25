// SPDX-License-Identifier: GPL-2.0

//! Encodings of entries against the published formats.

use super::*;
use Aperture::{System, Video};

const PHYS: u64 = 0x1_2345_6000;

fn leaf(kind: u8, read_only: bool) -> Option<u64> {
    let attributes = Attributes {
        kind,
        read_only,
        ..Attributes::VIDEO
    };
    attributes.leaf(PHYS, PageSize::Small)
}

#[test]
fn leaves_of_video_memory() {
    assert_eq!(leaf(0, false), Some(0x0000_0000_1234_5601));
    assert_eq!(leaf(6, false), Some(0x0600_0000_1234_5601));
    assert_eq!(leaf(9, true), Some(0x0900_0000_1234_5641));
    let huge = |phys| Attributes::VIDEO.leaf(phys, PageSize::Huge);
    assert_eq!(huge(0x4000_0000), Some(0x0000_0000_0400_0001));
    let privileged = Attributes {
        privileged: true,
        ..Attributes::VIDEO
    };
    assert_eq!(
        privileged.leaf(0x1_2345_0000, PageSize::Big),
        Some(0x1234_5021)
    );
}

#[test]
fn leaves_of_system_memory_are_volatile() {
    let system = Attributes {
        aperture: System,
        ..Attributes::VIDEO
    };
    assert_eq!(
        system.leaf(0x1_0000_0000, PageSize::Small),
        Some(0x0000_0000_1000_000d)
    );
    let top = SYSTEM_LIMIT - PAGE_SIZE;
    assert_eq!(
        system.leaf(top, PageSize::Small),
        Some(SYSTEM_ADDRESS | 0xd)
    );
    assert_eq!(system.leaf(SYSTEM_LIMIT, PageSize::Small), None);
}

#[test]
fn leaves_refuse_bad_addresses() {
    let video = Attributes::VIDEO;
    assert_eq!(video.leaf(0x1000, PageSize::Huge), None);
    assert_eq!(video.leaf(0x1000, PageSize::Big), None);
    assert_eq!(video.leaf(0x1001, PageSize::Small), None);
    assert_eq!(video.leaf(VIDEO_LIMIT, PageSize::Small), None);
}

#[test]
fn pointers() {
    assert_eq!(encode_pde(Video, 0x2000), Some(0x202));
    assert_eq!(encode_pde(Video, 0x2100), None);
    assert_eq!(encode_pde(Video, VIDEO_LIMIT), None);
    assert_eq!(encode_pde(System, 0x1_0000_0000), Some(0x1000_000c));
    assert_eq!(decode_pde(0x202), Entry::Table(Video, 0x2000));
    assert_eq!(
        decode_pde(0x20a),
        Entry::Table(Video, 0x2000),
        "volatile is no sparse mark in a pointer"
    );
    assert_eq!(decode_pde(0x1000_000c), Entry::Table(System, 0x1_0000_0000));
}

#[test]
fn dual_pointers() {
    // Small table only: the low qword stays zero.
    assert_eq!(encode_pde(Video, 0x3000), Some(0x302));
    // Both tables.
    assert_eq!(encode_big_pde(Video, 0x4100), Some(0x412));
    assert_eq!(encode_big_pde(Video, 0x4180), None);
    assert_eq!(decode_big_pde(0x412), Entry::Table(Video, 0x4100));
    assert_eq!(decode_pde(0x302), Entry::Table(Video, 0x3000));
    assert_eq!(
        decode_pde(0x412),
        Entry::Taken,
        "only the low half of PD0 has address bits 11:8"
    );
}

#[test]
fn only_zero_is_free() {
    for decode in [decode_pde, decode_big_pde] {
        assert_eq!(decode(0), Entry::Free);
        assert_eq!(decode(SPARSE), Entry::Taken, "sparse");
        assert_eq!(decode(1), Entry::Taken, "leaf at address 0");
        assert_eq!(decode(0x0400_0001), Entry::Taken, "leaf");
        assert_eq!(decode(0x20), Entry::Taken, "no small lookup");
        assert_eq!(decode(0x28), Entry::Taken, "no valid 4 KiB page");
        assert_eq!(decode(u64::MAX), Entry::Taken, "failed read");
    }
}

#[test]
fn what_is_a_leaf() {
    assert!(is_leaf(0x1234_5601) && is_leaf(SPARSE));
    assert!(!is_leaf(0) && !is_leaf(0x202) && !is_leaf(0x20a));
}

#[test]
fn kinds() {
    for kind in 0..=u8::MAX {
        let known = kind <= 14 && kind != 7;
        assert_eq!(kind_is_valid(kind, Video), known);
        assert_eq!(kind_is_valid(kind, System), kind < 7);
    }
}

#[test]
fn indices() {
    let va = 0x1_8765_4321_f000u64;
    assert_eq!(PD3.offset(va), (va >> 47 & 3) * 8);
    assert_eq!(PD2.offset(va), (va >> 38 & 0x1ff) * 8);
    assert_eq!(PD1.offset(va), (va >> 29 & 0x1ff) * 8);
    assert_eq!(PD0.offset(va), (va >> 21 & 0xff) * 16);
    assert_eq!(PT_BIG.offset(va), (va >> 16 & 0x1f) * 8);
    assert_eq!(PT_SMALL.offset(va), (va >> 12 & 0x1ff) * 8);
    assert_eq!(PT_SMALL.span(), PageSize::Small.bytes());
    assert_eq!(PT_BIG.span(), PageSize::Big.bytes());
    assert_eq!(PD0.span(), PageSize::Huge.bytes());
    assert_eq!(PD1.span(), 512 << 20);
    assert_eq!(PT_BIG.entries() * PT_BIG.entry_size, BIG_TABLE_SIZE);
    for level in [PD2, PD1, PD0, PT_SMALL] {
        assert_eq!(level.entries() * level.entry_size, PAGE_SIZE);
    }
}
