// SPDX-License-Identifier: GPL-2.0

//! Bootload, shutdown, cleanup: what is refused, and that nothing stays behind.

use super::*;
use crate::config::FbCheck;

#[test]
fn a_vgpu_from_bootload_to_cleanup() {
    let mut b = Board::ready();
    let start = b.live();
    assert_eq!(b.rm.as_ref().unwrap().vf_bar1(0, 0), None);
    let heap = b.boot_vgpu(1);
    assert_eq!(b.vram.read32(heap + 8), Ok(0));
    assert_eq!(b.rm.as_ref().unwrap().vf_bar1(0, 0x1234), Some(0x1234));
    assert_eq!(b.rm.as_ref().unwrap().vf_bar1(0, GIB), None);
    assert_eq!(b.rm.as_ref().unwrap().vf_bar1(1, 0), None);
    b.setup(1);
    b.vram.write(heap + 0x2000, &[1, 0], Writer::Cpu).unwrap();
    assert_eq!(b.message(1, 13, 3), (3, 0));
    let mut allowed = [0; 2];
    b.vram.read(heap + 0x2000, &mut allowed).unwrap();
    assert_eq!(allowed, [1, 1]);
    assert_eq!(b.message(1, 3, 4), (4, 0));
    assert_eq!(b.stats.live("plugins"), 1);
    assert_eq!(b.stats.live("channels"), 64);
    assert_eq!(b.stats.live("fb-segments"), 8);

    assert_eq!(b.gfid_control(CLEANUP, 1), NvStatus::ERR_INVALID_STATE);
    assert_eq!(b.gfid_control(SHUTDOWN, 1), NvStatus::OK);
    assert_eq!(b.gfid_control(SHUTDOWN, 1), NvStatus::ERR_INVALID_STATE);
    assert_eq!(b.message(1, 3, 5), (4, 0));
    assert_eq!(b.stats.refusals_of("plugin-stopped"), 1);
    assert_eq!(b.rm.as_ref().unwrap().vf_bar1(0, 0), Some(0));
    assert_eq!(b.gfid_control(CLEANUP, 1), NvStatus::OK);
    assert_eq!(b.gfid_control(CLEANUP, 1), NvStatus::ERR_OBJECT_NOT_FOUND);
    assert_eq!(b.rm.as_ref().unwrap().vf_bar1(0, 0), None);
    assert_eq!(b.live(), start);
}

#[test]
fn accounting_event_comes_once() {
    let mut b = Board::ready();
    b.boot_vgpu(1);
    b.boot_vgpu(2);
    assert_eq!(b.events.len(), 1);
    assert_eq!(
        (b.events[0].function, b.events[0].payload.len()),
        (0x1008, 4048)
    );
}

#[test]
fn two_vgpus_share_nothing() {
    let mut b = Board::ready();
    b.boot_vgpu(1);
    let good = |fb, heap, chid| bootload(2, fb, heap, chid, 64);
    let cases = [
        (good(0, heap_of(2), 64), NvStatus::ERR_IN_USE, "fb-overlap"),
        (
            good(GIB - SEG, heap_of(2), 64),
            NvStatus::ERR_IN_USE,
            "fb-overlap",
        ),
        (
            good(GIB + 4096, heap_of(2), 64),
            NvStatus::ERR_INVALID_ARGUMENT,
            "fb-alignment",
        ),
        (
            good(GIB, heap_of(1), 64),
            NvStatus::ERR_IN_USE,
            "heap-overlap",
        ),
        (
            good(GIB, 512 << 20, 64),
            NvStatus::ERR_IN_USE,
            "heap-overlap",
        ),
        (
            good(5 * GIB, heap_of(40), 64),
            NvStatus::ERR_IN_USE,
            "fb-overlap",
        ),
        (
            good(GIB, heap_of(2), 0),
            NvStatus::ERR_NO_MEMORY,
            "channel-in-use",
        ),
        (
            good(GIB, heap_of(2), 32),
            NvStatus::ERR_NO_MEMORY,
            "channel-in-use",
        ),
        (
            good(7 * GIB, heap_of(2), 64),
            NvStatus::ERR_INVALID_ADDRESS,
            "fb-reserved",
        ),
        (
            good(GIB, RESERVED - 0x1000, 64),
            NvStatus::ERR_INVALID_ADDRESS,
            "fb-reserved",
        ),
        (
            bootload(1, GIB, heap_of(2), 64, 64),
            NvStatus::ERR_INSUFFICIENT_RESOURCES,
            "gfid-in-use",
        ),
        (
            bootload(0, GIB, heap_of(2), 64, 64),
            NvStatus::ERR_OUT_OF_RANGE,
            "gfid-range",
        ),
        (
            bootload(33, GIB, heap_of(2), 64, 64),
            NvStatus::ERR_OUT_OF_RANGE,
            "gfid-range",
        ),
        (
            bootload(2, GIB, heap_of(2), 64, 48),
            NvStatus::ERR_INVALID_ARGUMENT,
            "channel-count",
        ),
    ];
    let before = b.live();
    for (i, (p, want, kind)) in cases.iter().enumerate() {
        let refused = b.stats.refusals_of(kind);
        assert_eq!(b.control(BOOTLOAD, p).0, *want, "case {i} {kind}");
        assert_eq!(b.stats.refusals_of(kind), refused + 1, "case {i}");
        assert_eq!(b.live(), before, "case {i}");
    }
    let mut p = good(GIB, heap_of(2), 64);
    put_u32(&mut p, 24, 6);
    assert_eq!(b.control(BOOTLOAD, &p).0, NvStatus::ERR_INVALID_PARAMETER);
    let mut p = good(GIB, heap_of(2), 64);
    put_u32(&mut p, 8, 12345);
    assert_eq!(b.control(BOOTLOAD, &p).0, NvStatus::ERR_NOT_SUPPORTED);
    put_u32(&mut p, 8, 941);
    assert_eq!(b.control(BOOTLOAD, &p).0, NvStatus::OK);
}

#[test]
fn vfs_that_vanish_leave_a_line() {
    let mut b = Board::ready();
    b.boot_vgpu(3);
    b.pci.num_vfs = 3;
    b.with_rm(|rm, s| rm.set_num_vfs(s));
    assert_eq!(b.stats.refusals_of("vf-gone-with-vgpu"), 0);
    b.pci.num_vfs = 2;
    b.with_rm(|rm, s| rm.set_num_vfs(s));
    assert_eq!(b.stats.refusals_of("vf-gone-with-vgpu"), 1);
}

#[test]
fn a_hundred_cycles_leave_nothing() {
    let mut b = Board::ready();
    let start = b.live();
    for i in 0..100 {
        let n = 1 + i % 4;
        b.boot_vgpu(n);
        b.setup(n);
        assert_eq!(b.gfid_control(SHUTDOWN, n), NvStatus::OK);
        assert_eq!(b.gfid_control(CLEANUP, n), NvStatus::OK);
        assert_eq!(b.live(), start);
    }
    let free = msg::free(CLIENT, CLIENT);
    assert_eq!(u32_at(&b.rpc(10, &free).1, 12), Some(0));
    assert_eq!(b.live(), vec![0; 7]);
    assert_eq!(
        u32_at(&b.rpc(10, &free).1, 12),
        Some(NvStatus::ERR_INVALID_OBJECT_HANDLE.0)
    );
}

#[test]
fn unloading_with_leftovers_leaves_a_line() {
    let mut b = Board::with(|_, _| ());
    b.with_rm(|rm, s| rm.unload(s));
    assert_eq!(b.stats.refusals_of("unload-leftovers"), 0);
    b.client();
    b.with_rm(|rm, s| rm.unload(s));
    assert_eq!(b.stats.refusals_of("unload-leftovers"), 1);
}

#[test]
fn memory_must_be_clean_and_is_left_with_the_tag_of_its_owner() {
    let mut b = Board::ready();
    b.config.fb_check = FbCheck::Refuse;
    let heap = heap_of(3);
    let all = heap..heap + (32 << 20);
    b.control_page(heap);
    let p = bootload(3, 2 * GIB, heap, 128, 64);
    let dirty = |b: &mut Board| {
        let status = b.control(BOOTLOAD, &p).0;
        assert_eq!(status, NvStatus::ERR_INVALID_STATE);
        assert_eq!(b.stats.live("vgpus"), 0);
        b.stats.refusals_of("bootload-dirty")
    };
    assert_eq!(dirty(&mut b), 1, "poison");
    b.vram.zero(2 * GIB..3 * GIB, Writer::Cpu).unwrap();
    assert_eq!(dirty(&mut b), 2, "heap");
    b.vram.zero(all.clone(), Writer::Cpu).unwrap();
    b.vram.write(all.end - 1, &[1], Writer::Cpu).unwrap();
    assert_eq!(dirty(&mut b), 3, "last byte of the heap");
    b.vram.zero(all.clone(), Writer::Cpu).unwrap();
    b.vram.write(3 * GIB - 1, &[1], Writer::Cpu).unwrap();
    assert_eq!(dirty(&mut b), 4, "last byte of the FB");
    b.vram.write(3 * GIB - 1, &[0], Writer::Cpu).unwrap();
    // The communication area is the host's.
    b.control_page(heap);
    assert_eq!(b.control(BOOTLOAD, &p).0, NvStatus::OK);
    assert_eq!(b.gfid_control(SHUTDOWN, 3), NvStatus::OK);
    assert_eq!(b.vram.read32(2 * GIB), Ok(0));
    assert_eq!(b.gfid_control(CLEANUP, 3), NvStatus::OK);
    for (range, len) in [(2 * GIB..3 * GIB, GIB), (all, 32 << 20)] {
        let tally = b.vram.tally(range).unwrap();
        assert_eq!(tally.tags.get(&3), Some(&len));
    }
    assert_eq!(dirty(&mut b), 5, "tag");
    // Counted only, and not looked at.
    b.config.fb_check = FbCheck::Count;
    assert_eq!(b.control(BOOTLOAD, &p).0, NvStatus::OK);
    let counted =
        |b: &Board| ["bootload-dirty-fb", "bootload-dirty-heap"].map(|k| b.stats.counted(k));
    assert_eq!(counted(&b), [1, 1]);
    b.config.fb_tag = false;
    assert_eq!(b.gfid_control(SHUTDOWN, 3), NvStatus::OK);
    b.vram.zero(2 * GIB..3 * GIB, Writer::Cpu).unwrap();
    assert_eq!(b.gfid_control(CLEANUP, 3), NvStatus::OK);
    assert_eq!(b.vram.read32(2 * GIB), Ok(0));
    b.config.fb_check = FbCheck::Off;
    assert_eq!(b.control(BOOTLOAD, &p).0, NvStatus::OK);
    assert_eq!(counted(&b), [1, 1]);
}
