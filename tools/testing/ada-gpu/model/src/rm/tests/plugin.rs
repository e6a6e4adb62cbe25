// SPDX-License-Identifier: GPL-2.0

//! The plugin task: marker, messages, order, faults.

use super::*;

#[test]
fn messages_before_the_marker_are_dropped() {
    let mut b = Board::ready();
    let heap = b.boot_vgpu(1);
    assert_eq!(b.message(1, 1, 1), (0, 0));
    assert_eq!(b.stats.refusals_of("plugin-before-boot"), 1);
    b.advance(4);
    assert_eq!(b.vram.read32(heap + 8), Ok(1));
    b.advance(1);
    assert_eq!(b.vram.read32(heap + 8), Ok(layout::BOOT_MARKER));
    assert_eq!(b.message(1, 1, 1), (1, 0));
}

#[test]
fn the_communication_area_is_taken_as_found() {
    let mut b = Board::ready();
    let heap = heap_of(1);
    b.control_page(heap);
    b.write32(heap + 8, layout::BOOT_MARKER);
    b.write32(heap + 0x1004, 1);
    let p = bootload(1, 0, heap, 0, 64);
    assert_eq!(b.control(BOOTLOAD, &p).0, NvStatus::OK);
    // An impatient host sees the old marker and the old answer ...
    assert_eq!(b.vram.read32(heap + 8), Ok(layout::BOOT_MARKER));
    assert_eq!(b.message(1, 1, 1).0, 1);
    // ... but nothing was done.
    assert_eq!(b.stats.refusals_of("plugin-before-boot"), 1);
}

#[test]
fn messages_have_an_order_and_a_sequence() {
    let mut b = Board::ready();
    b.boot_vgpu(1);
    b.advance(5);
    let failed = |(seq, result): (u32, u32)| (seq, result != 0);
    assert_eq!(failed(b.message(1, 3, 1)), (1, true));
    assert_eq!(b.message(1, 1, 2), (2, 0));
    assert_eq!(failed(b.message(1, 13, 3)), (3, true));
    assert_eq!(failed(b.message(1, 4, 4)), (4, true));
    assert_eq!(failed(b.message(1, 99, 5)), (5, true));
    assert_eq!(b.stats.refusals_of("plugin-order"), 2);
    assert_eq!(b.stats.refusals_of("plugin-message"), 2);
    // A repeated or skipped sequence number is no message.
    assert_eq!(failed(b.message(1, 1, 5)), (5, true));
    assert_eq!(failed(b.message(1, 1, 7)), (5, true));
    assert_eq!(b.stats.refusals_of("plugin-sequence"), 2);
    let c = plugin_config(5555, 64);
    b.vram.write(heap_of(1) + 0x2000, &c, Writer::Cpu).unwrap();
    assert_eq!(failed(b.message(1, 2, 6)), (6, true));
    assert_eq!(b.stats.refusals_of("plugin-type"), 1);
    let c = plugin_config(941, 64);
    b.vram.write(heap_of(1) + 0x2000, &c, Writer::Cpu).unwrap();
    assert_eq!(b.message(1, 2, 7), (7, 0));
    assert_eq!(failed(b.message(1, 2, 8)), (8, true));
    b.vram
        .write(heap_of(1) + 0x2000, &[2, 0], Writer::Cpu)
        .unwrap();
    assert_eq!(failed(b.message(1, 13, 9)), (9, true));
}

#[test]
fn the_control_page_is_not_trusted() {
    let mut b = Board::ready();
    let heap = b.boot_vgpu(1);
    b.advance(5);
    for (at, bad) in [
        (16, 32u64 << 20),
        (16, 0),
        (24, u64::MAX - 7),
        (40, 0x1000),
        (0, 9),
    ] {
        let old = b.vram.read64(heap + at).unwrap();
        b.vram.write64(heap + at, bad, Writer::Cpu).unwrap();
        assert_eq!(b.message(1, 1, 1).0, 0, "{at} {bad:#x}");
        b.vram.write64(heap + at, old, Writer::Cpu).unwrap();
        if at == 0 {
            b.write32(heap, 1);
        }
    }
    assert_eq!(b.stats.refusals_of("plugin-control"), 5);
    assert_eq!(b.message(1, 1, 1), (1, 0));
}

#[test]
fn doorbells_of_nobody_are_refused() {
    let mut b = Board::ready();
    b.boot_vgpu(1);
    b.advance(5);
    for (value, kind) in [
        (2 * 32 + 17, "doorbell-no-vgpu"),
        (17, "doorbell-no-vgpu"),
        (32 + 16, "doorbell-bit"),
        (u32::MAX, "doorbell-bit"),
    ] {
        let n = b.stats.refusals_of(kind);
        b.with_rm(|rm, s| rm.doorbell(s, value));
        assert_eq!(b.stats.refusals_of(kind), n + 1, "{value}");
    }
    b.with_rm(|rm, s| rm.vf_doorbell(s, 5, 0));
    assert_eq!(b.stats.refusals_of("vf-doorbell-no-vgpu"), 1);
}

#[test]
fn channels_may_come_with_the_configuration() {
    let mut b = Board::ready();
    let heap = heap_of(1);
    b.control_page(heap);
    assert_eq!(
        b.control(BOOTLOAD, &bootload(1, 0, heap, 0, 0)).0,
        NvStatus::OK
    );
    assert_eq!(b.stats.live("channels"), 0);
    b.setup(1);
    assert_eq!(b.stats.live("channels"), 64);
    assert_eq!(b.gfid_control(SHUTDOWN, 1), NvStatus::OK);
    assert_eq!(b.gfid_control(CLEANUP, 1), NvStatus::OK);
    assert_eq!(b.stats.live("channels"), 0);
}

#[test]
fn strict_plugin_compares_with_bootload() {
    for (strict, result) in [(false, 0), (true, NvStatus::ERR_INVALID_ARGUMENT.0)] {
        let mut b = Board::with(|c, _| c.strict_plugin = strict);
        b.client();
        assert_eq!(b.control(ADD_TYPE, &types(true, &[941])).0, NvStatus::OK);
        b.boot_vgpu(1);
        b.advance(5);
        assert_eq!(b.message(1, 1, 1), (1, 0));
        let mut c = plugin_config(941, 64);
        put_u32(&mut c, 44, 3);
        b.vram.write(heap_of(1) + 0x2000, &c, Writer::Cpu).unwrap();
        assert_eq!(b.message(1, 2, 2), (2, result));
    }
}

#[test]
fn plugin_faults() {
    let mut b = Board::ready();
    b.faults.set("plugin-no-boot").unwrap();
    let heap = b.boot_vgpu(1);
    b.advance(60_000);
    assert_eq!(b.vram.read32(heap + 8), Ok(0));
    assert_eq!(b.gfid_control(SHUTDOWN, 1), NvStatus::OK);
    assert_eq!(b.gfid_control(CLEANUP, 1), NvStatus::OK);

    b.faults.set("plugin-result=1:0x1234").unwrap();
    b.boot_vgpu(1);
    b.advance(5);
    assert_eq!(b.message(1, 1, 1), (1, 0x1234));
    b.faults.set("plugin-no-answer=1").unwrap();
    assert_eq!(b.message(1, 1, 2), (1, 0x1234));
    b.faults.set("plugin-wrong-sequence").unwrap();
    assert_eq!(b.message(1, 1, 3), (4, 0));
    b.faults.set("plugin-late=1:20").unwrap();
    assert_eq!(b.message(1, 1, 4), (4, 0));
    assert_eq!(b.message(1, 1, 5), (4, 0));
    assert_eq!(b.stats.refusals_of("plugin-busy"), 1);
    b.write32(heap + 8, 4);
    b.advance(19);
    assert_eq!(b.vram.read32(heap + 0x1000), Ok(3));
    b.advance(1);
    assert_eq!(b.vram.read32(heap + 0x1000), Ok(4));
}
