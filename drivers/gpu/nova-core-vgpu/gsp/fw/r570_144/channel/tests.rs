// SPDX-License-Identifier: GPL-2.0

//! Parameters byte by byte.

use super::*;
use core::mem::offset_of;
use zerocopy::IntoBytes as _;

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
}

const NEW: NewChannel = NewChannel {
    chid: 45,
    engine: 11,
    ring: 0x1_0000_2000,
    ring_entries: 128,
    instance: 0xbff0_0000,
    userd: 0xbff0_1000,
    method_buffer: (0x7_1234_0000, 0x5000),
};

#[test]
fn channel_bytes() {
    let params = ChannelParams::new(&NEW).unwrap();
    let bytes = params.as_bytes();
    let mut known = vec![(0x08, 8), (0x10, 4), (0x14, 4), (0x80, 4), (0xf4, 4)];
    assert_eq!(u64_at(bytes, 0x08), NEW.ring);
    assert_eq!(u32_at(bytes, 0x10), 128);
    assert_eq!(u32_at(bytes, 0x14), 0x0020_5520);
    assert_eq!(u32_at(bytes, 0x80), 11);
    assert_eq!(u32_at(bytes, 0xf4), 0x15);
    for (at, base, size, space, cache) in [
        (0x90, NEW.instance, 0x1000, 2, 1),
        (0xa8, NEW.userd, 0x200, 2, 1),
        (0xc0, NEW.instance, 0x200, 2, 1),
        (0xd8, NEW.method_buffer.0, 0x5000, 1, 0),
    ] {
        assert_eq!(u64_at(bytes, at), base, "{at:#x}");
        assert_eq!(u64_at(bytes, at + 8), size, "{at:#x}");
        assert_eq!(u32_at(bytes, at + 16), space, "{at:#x}");
        assert_eq!(u32_at(bytes, at + 20), cache, "{at:#x}");
        known.push((at, 24));
    }
    // Everything else is zero, the address space at 0x1c above all.
    for (at, byte) in bytes.iter().enumerate() {
        if !known
            .iter()
            .any(|&(start, len)| (start..start + len).contains(&at))
        {
            assert_eq!(*byte, 0, "{at:#x}");
        }
    }
    assert_eq!(offset_of!(ChannelParams, process_id), 0x128);
    assert_eq!(offset_of!(ChannelParams, tpc_config_id), 0x168);
}

#[test]
fn ids_are_positions_of_userd() {
    for (chid, flags) in [
        (0, 0x0020_0020),
        (1, 0x0020_0120),
        (7, 0x0020_0720),
        (8, 0x0020_1020),
        (45, 0x0020_5520),
        (2047, 0x002f_f720),
    ] {
        assert_eq!(ChannelParams::flags(chid), Some(flags), "{chid}");
    }
    assert_eq!(ChannelParams::flags(4096), None);
    assert!(ChannelParams::new(&NewChannel { chid: 4096, ..NEW }).is_none());
}

#[test]
fn small_parameters() {
    let group = GroupParams::new(0x90f1_0000, 11);
    assert_eq!(u32_at(group.as_bytes(), 8), 0x90f1_0000);
    assert_eq!(u32_at(group.as_bytes(), 0xc), 11);
    assert!(group.as_bytes()[..8].iter().all(|b| *b == 0));
    assert!(group.as_bytes()[0x10..].iter().all(|b| *b == 0));
    assert_eq!(
        offset_of!(GroupParams, is_calling_context_vgpu_plugin),
        0x10
    );

    assert_eq!(
        CopyEngineParams::new(11).as_bytes(),
        [1, 0, 0, 0, 11, 0, 0, 0]
    );
}
