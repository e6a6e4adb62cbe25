// SPDX-License-Identifier: GPL-2.0

//! Regions of the device file, and the wire structures of the controls.

use super::region::{contains, Bar0, Bar1};
use super::wire::{Bootload, ENGINES};
use proptest::prelude::*;
use zerocopy::{FromZeros, IntoBytes};

const MIB: u64 = 1 << 20;
const MSIX: std::ops::Range<u64> = 0x1_0000..0x1_0060;

#[test]
fn bar1_is_the_smaller_of_type_and_hardware() {
    let bar1 = |wanted, physical| Bar1::new(wanted, physical).map(|b| (b.size, b.backed));
    let whole = |size| Some((size, size));
    assert_eq!(bar1(256 * MIB, 2048 * MIB), whole(256 * MIB));
    assert_eq!(bar1(8192 * MIB, 2048 * MIB), whole(2048 * MIB));
    assert_eq!(bar1(0, 2048 * MIB), whole(2048 * MIB));
    assert_eq!(bar1(4096, 4096), whole(4096));
    assert_eq!(bar1(300 * MIB, 2048 * MIB), Some((512 * MIB, 300 * MIB)));
    assert_eq!(bar1(5000, 1 << 20), whole(4096));
    assert_eq!(bar1(0, 0), None);
    assert_eq!(bar1(2048, 1 << 20), None);
    assert_eq!(bar1(0, 2048), None);
    assert_eq!(bar1(0, u64::MAX), None);
}

#[test]
fn accesses_of_bar1_at_its_ends() {
    let bar1 = Bar1::new(3 * 4096, 1 << 20).unwrap();
    assert_eq!((bar1.size, bar1.backed), (0x4000, 0x3000));
    assert_eq!(bar1.split(0, 8), Some((8, 8)));
    assert_eq!(bar1.split(0x2ffc, 8), Some((4, 8)));
    assert_eq!(bar1.split(0x3000, 8), Some((0, 8)));
    assert_eq!(bar1.split(0x3ffc, 8), Some((0, 4)));
    assert_eq!(bar1.split(0x2000, 0x1_0000), Some((0x1000, 0x2000)));
    assert_eq!(bar1.split(0x4000, 1), None);
    assert_eq!(bar1.split(u64::MAX, 1), None);
    assert!(bar1.is_mappable(&(0x2000..0x3000)) && !bar1.is_mappable(&(0x2000..0x4000)));
}

#[test]
fn bar0_is_mapped_around_what_is_trapped() {
    let areas = |size, msix, shares| {
        let bar = Bar0::new(size, msix, shares).unwrap();
        bar.areas()[..bar.count()].to_vec()
    };
    // The layout of an AD102 VF.
    assert_eq!(
        areas(0x4_0000, MSIX, true),
        [(0, 0x3000), (0x4000, 0xc000), (0x1_1000, 0x2_f000)]
    );
    assert_eq!(
        areas(0x4_0000, MSIX, false),
        [(0, 0x1_0000), (0x1_1000, 0x2_f000)]
    );
    // A table in the same page, before it, at an end, behind the end.
    assert_eq!(
        areas(0x8000, 0x3800..0x3860, true),
        [(0, 0x3000), (0x4000, 0x4000)]
    );
    assert_eq!(
        areas(0x8000, 0x1ff0..0x2010, true),
        [(0, 0x1000), (0x4000, 0x4000)]
    );
    assert_eq!(areas(0x8000, 0..16, false), [(0x1000, 0x7000)]);
    assert_eq!(areas(0x8000, 0x7ff0..0x8000, false), [(0, 0x7000)]);
    assert_eq!(areas(0x8000, 0x9000..0x9010, false), [(0, 0x8000)]);
    assert_eq!(areas(0x1000, 0..16, true), []);
    assert_eq!(Bar0::new(0x8000, 0..u64::MAX, true), None);
}

proptest! {
    #[test]
    fn no_page_of_bar0_is_both_or_neither(
        pages in 0u64..64,
        table in 0u64..0x5_0000,
        entries in 1u64..64,
        shares: bool,
    ) {
        let msix = table..table + 16 * entries;
        let bar = Bar0::new(pages * 4096, msix.clone(), shares).unwrap();
        let areas = &bar.areas()[..bar.count()];
        for page in 0..pages + 1 {
            let bytes = page * 4096..(page + 1) * 4096;
            let trapped = bytes.start < msix.end && msix.start < bytes.end
                || shares && bytes.start == 0x3000;
            let mapped = areas.iter().any(|(start, len)| (*start..start + len).contains(&bytes.start));
            prop_assert_eq!(mapped, !trapped && page < pages);
            prop_assert_eq!(bar.is_mappable(&bytes), mapped);
        }
        prop_assert!(areas.iter().all(|(start, len)| start % 4096 == 0 && len % 4096 == 0 && *len > 0));
        prop_assert!(areas.windows(2).all(|w| w[0].0 + w[0].1 < w[1].0));
    }

    #[test]
    fn accesses_of_bar1_stay_inside(
        offset in prop_oneof![any::<u64>(), 0u64..1 << 22],
        len in 0..10_000usize,
        wanted in 0u64..1 << 22,
        physical in (12u32..22).prop_map(|n| 1u64 << n),
    ) {
        let Some(bar1) = Bar1::new(wanted, physical) else {
            prop_assert!(wanted != 0 && wanted < 4096);
            return Ok(());
        };
        prop_assert!(bar1.size.is_power_of_two() && bar1.size <= physical);
        prop_assert!(bar1.backed <= bar1.size && bar1.backed > bar1.size / 2);
        prop_assert!(wanted == 0 || bar1.backed <= wanted);
        match bar1.split(offset, len) {
            None => prop_assert!(offset >= bar1.size),
            Some((backed, taken)) => {
                prop_assert!(backed <= taken && taken <= len);
                prop_assert!(contains(offset, taken as u64, bar1.size));
                prop_assert!(backed == 0 || contains(offset, backed as u64, bar1.backed));
                prop_assert!(taken == len || offset + taken as u64 == bar1.size);
                prop_assert!(backed == taken || offset + backed as u64 >= bar1.backed);
            }
        }
    }
}

#[test]
fn bootload_bytes() {
    let mut params = Bootload::new_zeroed();
    params.gfid = 3;
    params.chid_offset[ENGINES - 1] = 0x40;
    params.num_guest_fb_segments = 1;
    params.guest_fb_length_list[0] = 1 << 30;
    params.kernel_log_buff_size = 0x1_0000;
    let bytes = params.as_bytes();
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    assert_eq!(
        [4, 360, 368, 3448, 6584].map(word),
        [3, 0x40, 1, 1 << 30, 0x1_0000]
    );
    assert_eq!(bytes.len(), 6616);
}
