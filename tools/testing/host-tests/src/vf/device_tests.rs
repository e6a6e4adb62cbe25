// SPDX-License-Identifier: GPL-2.0

//! Configuration space, regions, and the wire structures of the controls.

use super::config::{written_command, ConfigSpace};
use super::region::{clamp, contains, exposed_bar1};
use super::wire::{Bootload, ENGINES};
use proptest::prelude::*;
use zerocopy::{FromZeros, IntoBytes};

const MIB: u64 = 1 << 20;

/// All 256 bytes as a guest would read them over a core that says 0xff everywhere.
fn view(config: &ConfigSpace) -> [u8; 256] {
    let mut bytes = [0xff; 256];
    for overlay in config.overlays() {
        let at = overlay.offset as usize;
        bytes[at..at + overlay.bytes().len()].copy_from_slice(overlay.bytes());
    }
    bytes
}

#[test]
fn ids_are_the_types() {
    let bytes = view(&ConfigSpace::new(0x26b1, 0x170a, 256 * MIB));
    assert_eq!(bytes[..4], [0xff, 0xff, 0xb1, 0x26]);
    assert_eq!(bytes[0x2c..0x30], [0xde, 0x10, 0x0a, 0x17]);
    assert_eq!(bytes[0x30], 0xff);
}

#[test]
fn bar1_is_sized_like_a_register() {
    for (size, low, high) in [
        (256 * MIB, 0xf000_000c_u32, 0xffff_ffff_u32),
        (2048 * MIB, 0x8000_000c, 0xffff_ffff),
        (8192 * MIB, 0x0000_000c, 0xffff_fffe),
    ] {
        let mut config = ConfigSpace::new(1, 2, size);
        config.write(0x14, &[0xff; 4]);
        config.write(0x18, &[0xff; 4]);
        assert_eq!(view(&config)[0x14..0x18], low.to_le_bytes());
        assert_eq!(view(&config)[0x18..0x1c], high.to_le_bytes());
        // 64 GiB is aligned for each of these sizes.
        config.write(0x14, &0_u32.to_le_bytes());
        config.write(0x18, &0x10_u32.to_le_bytes());
        assert_eq!(view(&config)[0x14..0x1c], 0x10_0000_000c_u64.to_le_bytes());
    }
}

proptest! {
    /// However a guest slices its writes, BAR1 ends up with the bytes that hit it.
    #[test]
    fn bar1_takes_any_slicing(value in any::<u64>(), cuts in prop::collection::btree_set(1..32usize, 0..6)) {
        let mut image = [0u8; 32]; // offsets 8..40
        image[12..20].copy_from_slice(&value.to_le_bytes());
        let mut sliced = ConfigSpace::new(1, 2, 4096);
        let mut start = 0;
        for end in cuts.into_iter().chain([32]) {
            sliced.write(8 + start as u64, &image[start..end]);
            start = end;
        }
        let expect = ((value & !4095) | 0xc).to_le_bytes();
        prop_assert_eq!(&view(&sliced)[0x14..0x1c], &expect[..]);
    }

    #[test]
    fn clamped_accesses_stay_inside(offset in any::<u64>(), len in 0..10_000usize, size in any::<u64>()) {
        match clamp(offset, len, size) {
            None => prop_assert!(offset >= size),
            Some(n) => prop_assert!(n <= len && contains(offset, n as u64, size)),
        }
    }
}

#[test]
fn command_writes_are_merged_by_byte() {
    assert_eq!(written_command(0x0400, 0x04, &[0x06]), Some(0x0406));
    assert_eq!(written_command(0x0406, 0x05, &[0x00]), Some(0x0006));
    assert_eq!(
        written_command(0, 0x04, &[0x07, 0x05, 0xff, 0xff]),
        Some(0x0507)
    );
    assert_eq!(written_command(0, 0x02, &[1, 2, 3, 4]), Some(0x0403));
    assert_eq!(written_command(0, 0x06, &[0xff, 0xff]), None);
    assert_eq!(written_command(0, 0x00, &[0xff; 4]), None);
}

#[test]
fn bar1_is_the_smaller_of_type_and_hardware() {
    assert_eq!(exposed_bar1(256 * MIB, 2048 * MIB), Some(256 * MIB));
    assert_eq!(exposed_bar1(8192 * MIB, 2048 * MIB), Some(2048 * MIB));
    assert_eq!(exposed_bar1(0, 2048 * MIB), Some(2048 * MIB));
    assert_eq!(exposed_bar1(300 * MIB, 2048 * MIB), Some(256 * MIB));
    assert_eq!(exposed_bar1(0, 0), None);
    assert_eq!(exposed_bar1(2048, 2048), None);
}

#[test]
fn clamping_at_the_edges() {
    assert_eq!(clamp(0, 8, 8), Some(8));
    assert_eq!(clamp(4, 8, 8), Some(4));
    assert_eq!(clamp(8, 1, 8), None);
    assert_eq!(clamp(u64::MAX, 1, 8), None);
    assert!(contains(0, 8, 8) && !contains(1, 8, 8) && !contains(u64::MAX, 2, u64::MAX));
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
