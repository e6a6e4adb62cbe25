// SPDX-License-Identifier: GPL-2.0

//! What a plugin task says of itself: events, logs, errors, versions; and what a bad one does.

use super::*;

const INIT_LOG: u64 = 0x20_4000;
const VGPU_LOG: u64 = 0x22_4000;

/// The notifiers that were triggered since the last call.
fn told(b: &mut Board) -> Vec<(u32, u32)> {
    let events = std::mem::take(&mut b.events);
    events
        .iter()
        // The accounting event of the first BOOTLOAD apart.
        .filter(|e| e.function != 0x1008)
        .map(|e| {
            assert_eq!(e.function, 0x100d);
            let word = |at| u32_at(&e.payload, at).unwrap();
            (word(0), word(4))
        })
        .collect()
}

/// Texts in a log, oldest first.
fn texts(b: &Board, log: u64) -> Vec<u64> {
    let put = b.vram.read64(log).unwrap();
    assert_eq!(put % 3, 0);
    (0..put / 3)
        .map(|n| b.vram.read64(log + 8 * (1 + 3 * n + 1)).unwrap())
        .collect()
}

#[test]
fn a_life_is_told_and_logged() {
    let mut b = Board::ready();
    let heap = b.boot_vgpu(1);
    assert_eq!(told(&mut b), []);
    b.advance(5);
    assert_eq!(told(&mut b), [(1, 0)]);
    assert_eq!(texts(&b, heap + INIT_LOG), [1]);
    assert_eq!(b.message(1, 1, 1), (1, 0));
    b.with_rm(|rm, s| rm.guest(s, 1, 2, 3)).unwrap();
    assert_eq!(b.vram.read32(heap + 0x1000 + 348), Ok(2));
    assert_eq!(b.vram.read32(heap + 0x1000 + 352), Ok(3));
    assert_eq!(told(&mut b), [(1, 6), (1, 7)]);
    assert_eq!(b.gfid_control(SHUTDOWN, 1), NvStatus::OK);
    assert_eq!(told(&mut b), [(1, 1)]);
    assert_eq!(texts(&b, heap + VGPU_LOG), [1, 2, 5]);
}

#[test]
fn a_refusal_is_an_error_that_is_told() {
    let mut b = Board::ready();
    let heap = b.boot_vgpu(1);
    b.advance(5);
    told(&mut b);
    b.faults.set("plugin-result=1:0x1f").unwrap();
    assert_eq!(b.message(1, 1, 1), (1, 0x1f));
    assert_eq!(told(&mut b), [(1, 5)]);
    let line = b"message 1 failed: 0x1f\n";
    assert_eq!(b.vram.read32(heap + 0x1000 + 344), Ok(line.len() as u32));
    let mut found = vec![0; line.len()];
    b.vram.read(heap + 0x20_3000, &mut found).unwrap();
    assert_eq!(found, line);
    // Around and around, and never out of the buffer.
    for seq in 2..400 {
        b.message(1, 1, seq);
    }
    assert!(b.vram.read32(heap + 0x1000 + 344).unwrap() < 4096);
    assert_eq!(b.vram.read64(heap + INIT_LOG), Ok(3));
}

#[test]
fn a_crash_is_told_and_final() {
    for at_boot in [true, false] {
        let mut b = Board::ready();
        let heap = b.boot_vgpu(1);
        let fault = ["plugin-crash=1", "plugin-crash=0"][usize::from(at_boot)];
        b.faults.set(fault).unwrap();
        b.advance(5);
        if at_boot {
            assert_eq!(b.vram.read32(heap + 8), Ok(0));
        } else {
            told(&mut b);
            assert_eq!(b.message(1, 1, 1), (0, 0));
        }
        assert_eq!(told(&mut b), [(1, 2)]);
        b.faults.set("").unwrap();
        assert_eq!(b.message(1, 1, 2), (0, 0));
        assert_eq!(told(&mut b), []);
        assert_eq!(b.gfid_control(SHUTDOWN, 1), NvStatus::OK);
        assert_eq!(b.gfid_control(CLEANUP, 1), NvStatus::OK);
        assert_eq!(b.stats.live("vgpus"), 0);
    }
}

#[test]
fn versions_are_negotiated_if_the_host_offers_one() {
    for (offered, fault, agreed) in [
        (0, "", 0),
        (1, "", 1),
        (7, "", 1),
        (1, "plugin-version=2", 2),
    ] {
        let mut b = Board::ready();
        let heap = b.boot_vgpu(1);
        b.advance(5);
        b.faults.set(fault).unwrap();
        b.write32(heap + 0x2000, offered);
        assert_eq!(b.message(1, 1, 1), (1, 0));
        assert_eq!(b.vram.read32(heap + 0x2004), Ok(agreed));
    }
}

#[test]
fn garbage_is_everywhere_but_in_the_answer() {
    let mut b = Board::ready();
    let heap = b.boot_vgpu(1);
    b.advance(5);
    b.faults.set("plugin-garbage=1").unwrap();
    assert_eq!(b.message(1, 1, 1), (1, 0));
    for at in [0x1000 + 344, 0x1000 + 4092, 0x2000, 0x2ffc, 0x20_3ffc] {
        assert_eq!(b.vram.read32(heap + at), Ok(u32::MAX), "{at:#x}");
    }
    assert_eq!(b.vram.read64(heap + VGPU_LOG), Ok(u64::MAX));
    // The migration buffer, which nothing is read from.
    assert_ne!(b.vram.read32(heap + 0x3000), Ok(u32::MAX));
}
