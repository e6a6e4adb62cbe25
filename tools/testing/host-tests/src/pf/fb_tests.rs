// SPDX-License-Identifier: GPL-2.0

//! Ranges of frame buffer: who has what, against a plain table of pages.

use std::ops::Range;

use proptest::prelude::*;

use super::fb::{
    ranges::{RangeError, Ranges, Request, Span, GRANULE},
    spans::Spans,
};

const M: u64 = 1 << 20;

fn pool(slots: usize, regions: &[(u64, u64)]) -> Ranges<u32, Vec<Span<u32>>> {
    let mut p = Ranges::new(vec![Span::default(); slots]);
    for &(s, e) in regions {
        p.add_region(s, e).unwrap();
    }
    p
}

fn req(size: u64, align: u64) -> Request {
    Request {
        size,
        align,
        fixed: None,
        top_down: false,
    }
}

#[test]
fn first_fit_and_alignment() {
    let mut p = pool(8, &[(M, 1024 * M)]);
    assert_eq!(p.reserve(&req(M, 0), 1), Ok(M..2 * M));
    assert_eq!(p.reserve(&req(256 * M, 128 * M), 2), Ok(128 * M..384 * M));
    // The hole before the aligned range is still usable.
    assert_eq!(p.reserve(&req(126 * M, M), 3), Ok(2 * M..128 * M));
    assert_eq!(p.used(), 383 * M);
    assert_eq!(p.free(), 1023 * M - 383 * M);
}

#[test]
fn top_down_takes_the_highest_place() {
    let mut p = pool(8, &[(0, 100 * M), (200 * M, 300 * M)]);
    let top = Request {
        top_down: true,
        ..req(10 * M, 8 * M)
    };
    assert_eq!(p.reserve(&top, 1), Ok(288 * M..298 * M));
    assert_eq!(p.reserve(&top, 2), Ok(272 * M..282 * M));
    let big = Request {
        size: 90 * M,
        ..top
    };
    assert_eq!(p.reserve(&big, 3), Ok(8 * M..98 * M));
}

#[test]
fn fixed_offsets() {
    let mut p = pool(8, &[(0, 512 * M)]);
    let at = |start| Request {
        fixed: Some(start),
        ..req(128 * M, 128 * M)
    };
    assert_eq!(p.reserve(&at(128 * M), 1), Ok(128 * M..256 * M));
    assert_eq!(p.reserve(&at(128 * M), 2), Err(RangeError::Busy));
    assert_eq!(p.reserve(&at(64 * M), 2), Err(RangeError::Invalid));
    assert_eq!(p.reserve(&at(512 * M), 2), Err(RangeError::Invalid));
    assert_eq!(p.reserve(&at(!(128 * M - 1)), 2), Err(RangeError::Invalid));
    assert_eq!(p.reserve(&at(256 * M), 2), Ok(256 * M..384 * M));
}

#[test]
fn a_range_never_spans_two_regions() {
    let mut p = pool(8, &[(0, 64 * M), (128 * M, 192 * M)]);
    assert_eq!(p.reserve(&req(65 * M, M), 1), Err(RangeError::NoSpace));
    let fixed = Request {
        fixed: Some(63 * M),
        ..req(2 * M, M)
    };
    assert_eq!(p.reserve(&fixed, 1), Err(RangeError::Invalid));
}

#[test]
fn bad_requests() {
    let mut p = pool(8, &[(0, 64 * M)]);
    assert_eq!(p.reserve(&req(0, M), 1), Err(RangeError::Invalid));
    assert_eq!(p.reserve(&req(100, M), 1), Err(RangeError::Invalid));
    assert_eq!(p.reserve(&req(M, 3 * M), 1), Err(RangeError::Invalid));
    assert_eq!(p.reserve(&req(!4095, M), 1), Err(RangeError::NoSpace));
    assert_eq!(p.live().count(), 0);
}

#[test]
fn release_only_what_was_given() {
    let mut p = pool(8, &[(0, 64 * M)]);
    let a = p.reserve(&req(4 * M, M), 7).unwrap();
    assert_eq!(p.release(&(a.start..a.end + M)), Err(RangeError::NotFound));
    p.set_owner(&a, 8);
    p.set_owner(&(a.start..a.end + M), 9);
    assert_eq!(p.release(&a), Ok(8));
    assert_eq!(p.release(&a), Err(RangeError::NotFound));
    assert_eq!(p.free(), 64 * M);
}

#[test]
fn the_table_bounds_live_ranges() {
    // One place is the region's.
    let mut p = pool(3, &[(0, 64 * M)]);
    let a = p.reserve(&req(M, M), 1).unwrap();
    p.reserve(&req(M, M), 2).unwrap();
    assert_eq!(p.reserve(&req(M, M), 3), Err(RangeError::Full));
    p.release(&a).unwrap();
    assert_eq!(p.reserve(&req(M, M), 3), Ok(a));
}

#[test]
fn regions_join_and_are_checked() {
    let mut p = pool(4, &[(0, 8 * M), (16 * M, 24 * M)]);
    p.add_region(8 * M, 16 * M).unwrap();
    assert_eq!(p.regions(), &[(0, 24 * M)]);
    assert_eq!(p.add_region(M, 2 * M), Err(RangeError::Invalid));
    assert_eq!(
        p.add_region(32 * M + 1, 32 * M + 4096),
        Err(RangeError::Invalid)
    );
    p.add_region(32 * M + 1, 33 * M + 5).unwrap();
    assert_eq!(p.regions()[1], (32 * M + 4096, 33 * M));
}

#[test]
fn regions_grow_around_live_ranges() {
    let mut p = pool(8, &[(8 * M, 16 * M)]);
    let a = p.reserve(&req(8 * M, M), 1).unwrap();
    // Below, above, and one that joins two.
    p.add_region(0, 8 * M).unwrap();
    p.add_region(24 * M, 32 * M).unwrap();
    p.add_region(16 * M, 24 * M).unwrap();
    assert_eq!(p.regions(), &[(0, 32 * M)]);
    assert_eq!(p.reserve(&req(16 * M, M), 2), Ok(16 * M..32 * M));
    assert_eq!(p.reserve(&req(8 * M, M), 3), Ok(0..8 * M));
    assert_eq!(p.free(), 0);
    assert_eq!(p.release(&a), Ok(1));
    assert!(p.free_in(0..32 * M).eq([a]));
    assert_eq!(p.first_free_in(&(M..8 * M)), None);
}

#[test]
fn too_many_regions() {
    let mut p = pool(32, &[]);
    for i in 0..16 {
        p.add_region(i * 2 * M, (i * 2 + 1) * M).unwrap();
    }
    assert_eq!(p.add_region(64 * M, 65 * M), Err(RangeError::Full));
    // One that joins two others makes room.
    p.add_region(M, 2 * M).unwrap();
    p.add_region(64 * M, 65 * M).unwrap();
    assert_eq!(p.regions().len(), 16);
    assert_eq!(p.regions()[0], (0, 3 * M));
}

/// More than 16 TiB, where the tree only knows "a lot", and alignments above those it knows.
#[test]
fn larger_than_the_tree_counts() {
    const T: u64 = 1 << 40;
    let mut p = pool(8, &[(4096, 100 * T)]);
    assert_eq!(p.reserve(&req(20 * T, 16 * T), 1), Ok(16 * T..36 * T));
    assert_eq!(p.reserve(&req(18 * T, T), 2), Ok(36 * T..54 * T));
    assert_eq!(p.reserve(&req(15 * T, 4 * T), 3), Ok(56 * T..71 * T));
    assert_eq!(p.reserve(&req(47 * T, T), 4), Err(RangeError::NoSpace));
    assert_eq!(p.reserve(&req(12 * T, 4 * T), 5), Ok(4 * T..16 * T));
}

/// Inserted and removed in order, the worst case of a tree that is not balanced.
#[test]
fn the_tree_stays_flat() {
    const COUNT: u64 = 4096;
    let mut spans = Spans::new(vec![Span::default(); COUNT as usize + 1]);
    spans.add_region(&(0..3 * COUNT * GRANULE)).unwrap();
    for i in 0..COUNT {
        let start = 3 * i * GRANULE;
        assert_eq!(spans.insert(&(start..start + GRANULE), i), Ok(true));
    }
    assert!(spans.check() <= 17);
    assert_eq!(spans.vacant(), 0);
    for i in (0..COUNT).filter(|i| i % 3 != 1) {
        let removed = spans.remove(3 * i * GRANULE);
        assert_eq!(removed, Some((i, (3 * i + 1) * GRANULE)));
        if i % 64 == 0 {
            spans.check();
        }
    }
    assert!(spans.check() <= 15);
    assert_eq!(spans.iter().count() as u64, COUNT / 3);
}

const PAGES: u64 = 512;

#[derive(Clone, Debug)]
enum Step {
    Reserve {
        pages: u64,
        align: u32,
        top_down: bool,
        fixed: Option<u64>,
        avoid: Vec<Range<u64>>,
    },
    Release(prop::sample::Index),
}

fn step() -> impl Strategy<Value = Step> {
    let avoid = prop::collection::vec((0..PAGES, 1..20u64), 0..3).prop_map(|mut list| {
        list.sort();
        list.iter()
            .map(|&(start, len)| start * GRANULE..(start + len) * GRANULE)
            .collect()
    });
    let fixed = prop_oneof![4 => Just(None), 1 => (0..PAGES).prop_map(Some)];
    prop_oneof![
        3 => (1..40u64, 0..7u32, any::<bool>(), fixed, avoid).prop_map(
            |(pages, align, top_down, fixed, avoid)| Step::Reserve {
                pages,
                align,
                top_down,
                fixed,
                avoid,
            }
        ),
        2 => any::<prop::sample::Index>().prop_map(Step::Release),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Exactly the lowest or highest place that is free, as a search page by page finds it.
    #[test]
    fn agrees_with_a_page_table(steps in prop::collection::vec(step(), 1..200)) {
        const SLOTS: usize = 42;
        let mut p = pool(SLOTS, &[(0, 300 * GRANULE), (320 * GRANULE, PAGES * GRANULE)]);
        let mut taken = vec![false; PAGES as usize];
        taken[300..320].fill(true);
        let mut live: Vec<Range<u64>> = Vec::new();
        for step in steps {
            match step {
                Step::Release(which) => {
                    if !live.is_empty() {
                        let range = live.swap_remove(which.index(live.len()));
                        prop_assert_eq!(p.release(&range), Ok(7));
                        let pages = (range.start / GRANULE) as usize..(range.end / GRANULE) as usize;
                        taken[pages].fill(false);
                    }
                }
                Step::Reserve { pages, align, top_down, fixed, avoid } => {
                    let request = Request {
                        size: pages * GRANULE,
                        align: GRANULE << align,
                        fixed: fixed.map(|f| f * GRANULE),
                        top_down,
                    };
                    let fits = |start: u64| {
                        start % (1 << align) == 0
                            && (start..start + pages).all(|q| {
                                q < PAGES
                                    && !taken[q as usize]
                                    && !avoid.iter().any(|a| a.contains(&(q * GRANULE)))
                            })
                    };
                    let expect = match fixed {
                        Some(start) => Some(start).filter(|&s| fits(s)),
                        None if top_down => (0..PAGES).rev().find(|&s| fits(s)),
                        None => (0..PAGES).find(|&s| fits(s)),
                    };
                    match p.reserve_avoiding(&request, &avoid, 7) {
                        Ok(range) => {
                            prop_assert_eq!(Some(range.start / GRANULE), expect);
                            prop_assert_eq!(range.end - range.start, request.size);
                            let pages = (range.start / GRANULE) as usize..(range.end / GRANULE) as usize;
                            taken[pages].fill(true);
                            live.push(range);
                        }
                        Err(RangeError::Full) => prop_assert_eq!(live.len(), SLOTS - 2),
                        Err(_) => prop_assert_eq!(expect, None),
                    }
                }
            }
            let mut sorted = live.clone();
            sorted.sort_by_key(|r| r.start);
            prop_assert!(p.live().map(|s| s.range()).eq(sorted.iter().cloned()));
            prop_assert_eq!(p.used(), sorted.iter().map(|r| r.end - r.start).sum::<u64>());
            for region in [0..300 * GRANULE, 320 * GRANULE..PAGES * GRANULE] {
                let mut free = vec![false; PAGES as usize];
                for part in p.free_in(region.clone()) {
                    free[(part.start / GRANULE) as usize..(part.end / GRANULE) as usize].fill(true);
                }
                for page in (region.start / GRANULE) as usize..(region.end / GRANULE) as usize {
                    prop_assert_eq!(free[page], !taken[page]);
                }
            }
        }
    }
}
