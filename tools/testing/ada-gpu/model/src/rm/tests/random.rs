// SPDX-License-Identifier: GPL-2.0

//! Random requests: isolation and counts hold, nothing panics.

use super::*;
use proptest::prelude::*;

/// (what, gfid, place of FB, place of heap, place of channels)
fn step() -> impl Strategy<Value = (u8, u32, u64, u64, u32)> {
    (0u8..6, 1u32..6, 0u64..9, 0u64..8, 0u32..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever a driver sends, in any order: nothing panics, no byte of FB is
    /// reachable from two VFs or from a VF without a vGPU, and tearing everything
    /// down gives the counts back.
    #[test]
    fn any_sequence_keeps_vfs_apart(ops in prop::collection::vec(step(), 0..80)) {
        let mut b = Board::ready();
        let start = b.live();
        for (op, n, fb, heap, chid) in ops {
            match op {
                0 | 1 => {
                    let heap = 4 * GIB + heap * (16 << 20);
                    b.control_page(heap);
                    b.control(BOOTLOAD, &bootload(n, fb * (512 << 20), heap, chid * 32, 64));
                }
                2 => { b.gfid_control(SHUTDOWN, n); }
                3 => { b.gfid_control(CLEANUP, n); }
                4 => { b.advance(3); }
                _ => b.with_rm(|rm, s| rm.doorbell(s, n * 32 + 17)),
            }
            let rm = b.rm.as_ref().unwrap();
            let mut owner = std::collections::BTreeMap::new();
            for vf in 0..8u8 {
                for seg in 0..12u64 {
                    let Some(host) = rm.vf_bar1(vf, seg * SEG) else { continue };
                    prop_assert!(rm.has_vgpu(vf));
                    prop_assert!(host + SEG <= RESERVED);
                    let mine = &rm.vgpus.get(u32::from(vf) + 1).unwrap().request;
                    prop_assert!(mine.fb.iter().any(|r| r.start <= host && host + SEG <= r.end));
                    for (_, v) in rm.vgpus.iter() {
                        let heap = &v.request.heap;
                        prop_assert!(host + SEG <= heap.start || heap.end <= host);
                    }
                    prop_assert!(owner.insert(host / SEG, vf).is_none());
                }
            }
        }
        for n in 1..6 {
            b.gfid_control(SHUTDOWN, n);
            b.gfid_control(CLEANUP, n);
        }
        prop_assert_eq!(b.live(), start);
    }

    /// Random bytes as messages and as plugin pages: refused, never a panic.
    #[test]
    fn garbage_is_refused(
        function in 0u32..110,
        payload in prop::collection::vec(any::<u8>(), 0..600),
        page in prop::collection::vec(any::<u8>(), 64),
    ) {
        let mut b = Board::ready();
        let heap = b.boot_vgpu(1);
        b.advance(5);
        b.vram.write(heap, &page, Writer::Cpu).unwrap();
        b.with_rm(|rm, s| rm.doorbell(s, 32 + 17));
        b.with_rm(|rm, s| rm.rpc(s, function, &payload));
    }
}
