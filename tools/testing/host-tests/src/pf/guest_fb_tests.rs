// SPDX-License-Identifier: GPL-2.0

//! How much frame buffer a guest gets: both published formulas.

use proptest::prelude::*;

use super::fb::guest::{is_placed, length, window, Board, GuestFb, GuestFbError, Rule};

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const RULES: [Rule; 2] = [Rule::Rfc, Rule::HostRm];

const BOARD: Board = Board {
    total: 46_068 * MIB,
    segment: 128 * MIB,
    ecc_enabled: true,
};

const GUEST: GuestFb = GuestFb {
    fb_length: GIB,
    fb_reservation: 0,
    gsp_heap_size: 32 * MIB,
    max_instance: 32,
    ecc_supported: true,
};

#[test]
fn both_rules_agree_where_the_cap_binds() {
    for rule in RULES {
        assert_eq!(length(rule, &BOARD, &GUEST), Ok(GIB));
    }
    // Without the cap: 46080 / 32 - 32 = 1408 MiB, a multiple of 128.
    let wide = GuestFb {
        fb_length: 2 * GIB,
        ..GUEST
    };
    for rule in RULES {
        assert_eq!(length(rule, &BOARD, &wide), Ok(1408 * MIB));
    }
    // The reservation comes off as well: 1408 - 1 is 1280 in whole segments.
    let reserved = GuestFb {
        fb_reservation: MIB,
        ..wide
    };
    for rule in RULES {
        assert_eq!(length(rule, &BOARD, &reserved), Ok(1280 * MIB));
    }
}

#[test]
fn the_rules_differ_in_how_they_align_the_total() {
    // 46100 MiB aligns to 46208 (one segment) or 47104 (eight): shares of 23072 and 23520.
    let board = Board {
        total: 46_100 * MIB,
        ..BOARD
    };
    let half = GuestFb {
        max_instance: 2,
        fb_length: 24 * GIB,
        ..GUEST
    };
    assert_eq!(length(Rule::Rfc, &board, &half), Ok(23_040 * MIB));
    assert_eq!(length(Rule::HostRm, &board, &half), Ok(23_424 * MIB));
    // Only the host resource manager forgets the bytes beyond a MiB before it aligns.
    let board = Board {
        total: 46_080 * MIB + 1,
        ..BOARD
    };
    let half = GuestFb {
        gsp_heap_size: 0,
        ..half
    };
    assert_eq!(length(Rule::Rfc, &board, &half), Ok(23_040 * MIB));
    assert_eq!(length(Rule::HostRm, &board, &half), Ok(23_040 * MIB));
    let whole = GuestFb {
        max_instance: 1,
        fb_length: 48 * GIB,
        ..half
    };
    assert_eq!(length(Rule::Rfc, &board, &whole), Ok(46_208 * MIB));
    assert_eq!(length(Rule::HostRm, &board, &whole), Ok(46_080 * MIB));
}

#[test]
fn without_ecc_the_rfc_takes_fb_length() {
    let off = Board {
        ecc_enabled: false,
        total: GIB,
        ..BOARD
    };
    let guest = GuestFb {
        ecc_supported: false,
        ..GUEST
    };
    assert_eq!(length(Rule::Rfc, &off, &guest), Ok(GIB));
    // The share of such a small board is not one segment.
    assert_eq!(
        length(Rule::HostRm, &off, &guest),
        Err(GuestFbError::NoSpace)
    );
    let odd = GuestFb {
        fb_length: GIB + 1,
        ..guest
    };
    assert_eq!(length(Rule::Rfc, &off, &odd), Ok(GIB));
}

#[test]
fn what_cannot_be_is_refused() {
    let no_ecc = GuestFb {
        ecc_supported: false,
        ..GUEST
    };
    for rule in RULES {
        assert_eq!(length(rule, &BOARD, &no_ecc), Err(GuestFbError::Ecc));
        for bad in [
            GuestFb {
                gsp_heap_size: u64::MAX,
                ..GUEST
            },
            GuestFb {
                fb_reservation: 2 * GIB,
                ..GUEST
            },
            GuestFb {
                fb_length: 64 * MIB,
                ..GUEST
            },
            GuestFb {
                fb_length: 0,
                ..GUEST
            },
            GuestFb {
                max_instance: 0,
                ..GUEST
            },
        ] {
            let result = length(rule, &BOARD, &bad);
            assert_eq!(result, Err(GuestFbError::NoSpace), "{rule:?} {bad:?}");
        }
        for (total, segment) in [
            (0, 128 * MIB),
            (u64::MAX, 128 * MIB),
            (48 * GIB, 0),
            (48 * GIB, 3),
        ] {
            let board = Board {
                total,
                segment,
                ..BOARD
            };
            let result = length(rule, &board, &GUEST);
            assert_eq!(result, Err(GuestFbError::NoSpace), "{rule:?} {board:?}");
        }
    }
    let huge = Board {
        segment: 1 << 63,
        ..BOARD
    };
    assert_eq!(
        length(Rule::HostRm, &huge, &GUEST),
        Err(GuestFbError::NoSpace)
    );
}

#[test]
#[allow(clippy::reversed_empty_ranges, reason = "what must be refused")]
fn whole_segments() {
    const S: u64 = 128 * MIB;
    assert!(is_placed(&(0..S), S));
    assert!(is_placed(&(S..25 * GIB), S));
    for range in [
        0..0,
        S..S,
        2 * S..S,
        MIB..S,
        0..S - 1,
        S / 2..S + S / 2,
        S..2 * S + MIB,
    ] {
        assert!(!is_placed(&range, S), "{range:?}");
    }
    assert!(!is_placed(&(0..S), 0));
    assert!(!is_placed(&(0..3 * S), 3 * MIB));
}

proptest! {
    /// Whatever a metadata file says: a length is whole segments and below the cap, or refused.
    #[test]
    fn any_number_is_safe(
        total: u64,
        segment in prop_oneof![any::<u64>(), (0..64u32).prop_map(|s| 1 << s)],
        ecc_enabled: bool,
        fb_length: u64,
        fb_reservation in prop_oneof![Just(0), any::<u64>()],
        gsp_heap_size in 0..u64::MAX,
        max_instance: u32,
    ) {
        let board = Board { total, segment, ecc_enabled };
        let guest = GuestFb {
            fb_length,
            fb_reservation,
            gsp_heap_size,
            max_instance,
            ecc_supported: true,
        };
        for rule in RULES {
            if let Ok(length) = length(rule, &board, &guest) {
                prop_assert!(is_placed(&(0..length), segment));
                prop_assert!(length <= fb_length);
            }
        }
    }
}

#[test]
#[allow(clippy::single_range_in_vec_init)] // a list of one region
fn the_window_is_the_largest_region_in_whole_segments() {
    const S: u64 = 128 * MIB;
    let of = |regions: &[(u64, u64)], segment| {
        let regions = regions.iter().map(|&(start, end)| start..end);
        window(regions, segment)
    };
    assert_eq!(of(&[(0, 8 * GIB)], S), 0..8 * GIB - S);
    assert_eq!(of(&[(4096, 8 * GIB + 100 * MIB)], S), S..8 * GIB);
    let several = [(0, GIB), (2 * GIB, 4 * GIB), (5 * GIB, 6 * GIB)];
    assert_eq!(of(&several, S), 2 * GIB..4 * GIB - S);
    for none in [&[][..], &[(0, MIB)], &[(0, S)], &[(4096, 2 * S)]] {
        assert_eq!(of(none, S), 0..0, "{none:x?}");
    }
    assert_eq!(of(&[(0, GIB)], 0), 0..0);
    assert_eq!(of(&[(u64::MAX - MIB, u64::MAX)], S), 0..0);
}
