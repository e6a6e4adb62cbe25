// SPDX-License-Identifier: GPL-2.0

//! What firmware tells about guests, as it should be and as it should not.

use super::guests::{Guest, SIZE};
use proptest::prelude::*;

fn shown(answer: &[u8], gfid: u32) -> Option<String> {
    let mut text = String::new();
    Guest::find(answer, gfid)?.show(&mut text).unwrap();
    Some(text)
}

/// The second of two vGPUs.
fn answer() -> Vec<u8> {
    let mut answer = vec![0; SIZE];
    let mut set = |at: usize, bytes: &[u8]| answer[at..at + bytes.len()].copy_from_slice(bytes);
    let record = 8 + 152;
    set(0, &2u32.to_le_bytes());
    set(8 + 104, &7u32.to_le_bytes());
    set(record + 104, &3u32.to_le_bytes());
    set(record + 4, &0x10u32.to_le_bytes());
    set(record + 20, &[1]);
    set(record + 24, &5u32.to_le_bytes());
    set(record + 33, b"570.172.08\0rest");
    set(record + 65, &[b'x'; 32]);
    set(record + 100, &1u32.to_le_bytes());
    set(record + 128, &(1u64 << 31).to_le_bytes());
    set(record + 144, &[1]);
    answer
}

#[test]
fn a_guest_is_found_by_its_gfid() {
    let text = shown(&answer(), 3).unwrap();
    for line in [
        "guest_os 0x10",
        "licensed 1",
        "license_state 0x5",
        "driver_loaded 1",
        "driver_version 570.172.08",
        &format!("driver_branch {}", "x".repeat(32)),
        "fb_used 2147483648",
        "info_state 0x1",
    ] {
        assert!(text.lines().any(|l| l == line), "{line}:\n{text}");
    }
    assert!(shown(&answer(), 7).is_some());
    assert!(shown(&answer(), 4).is_none());
    assert!(shown(&answer()[..8 + 2 * 152 - 1], 3).is_none());
    // More than there can be.
    let mut many = answer();
    many[..4].fill(0xff);
    assert!(shown(&many, 3).is_some() && shown(&many, 9).is_none());
}

#[test]
fn texts_are_printable() {
    let mut bad = answer();
    bad[8 + 152 + 33..][..5].copy_from_slice(b"\n\x1b[m\0");
    bad[8 + 152 + 65..][..32].fill(0xff);
    let text = shown(&bad, 3).unwrap();
    assert!(text.contains("driver_version ??[m\n"), "{text}");
    assert!(text.contains(&format!("driver_branch {}\n", "?".repeat(32))));
}

proptest! {
    #[test]
    fn whatever_it_says_there_are_lines(
        mut bytes in prop::collection::vec(any::<u8>(), 0..SIZE + 9),
        count in 0u32..40,
        gfid in 0u32..3,
    ) {
        if let Some(first) = bytes.first_chunk_mut() {
            *first = count.to_le_bytes();
        }
        if let Some(id) = bytes.get_mut(8 + 104..8 + 108) {
            id.copy_from_slice(&1u32.to_le_bytes());
        }
        let text = shown(&bytes, gfid);
        if gfid == 1 && count > 0 && bytes.len() >= 8 + 152 {
            prop_assert!(text.is_some());
        }
        if let Some(text) = text {
            prop_assert_eq!(text.lines().count(), 13);
            prop_assert!(text.bytes().all(|b| b.is_ascii_graphic() || b == b' ' || b == b'\n'));
            prop_assert!(text.len() < 500);
        }
    }
}
