// SPDX-License-Identifier: GPL-2.0

//! Scrubbing: no tenant gets a byte that another one has left, whatever fails.

#![allow(
    clippy::single_range_in_vec_init,
    reason = "a board with one region of memory"
)]

use std::cell::RefCell;
use std::ops::Range;

use proptest::prelude::*;

use super::fb::{
    backoff::{Advice, Backoff},
    claims::{Claim, Progress, ATTEMPTS},
    owner::FbOwner,
    ranges::{RangeError, Request, Span, GRANULE},
    scrub::{Filler, Grant, Next, Pool, States, Tables, CHUNK},
    unclean::Unclean,
};

const M: u64 = 1 << 20;
const G: u64 = 1 << 30;
const EIO: i32 = 5;

struct Host;

impl Tables for Host {
    type Taken = Vec<Span<FbOwner>>;
    type Unclean = Vec<Span<()>>;
    type Claims = Vec<Claim>;
}

fn pool(regions: &[Range<u64>]) -> Pool<Host> {
    let mut pool = Pool::new(
        vec![Span::default(); 64],
        vec![Span::default(); 64],
        vec![Claim::default(); 8],
    )
    .ok()
    .unwrap();
    for region in regions {
        pool.add_region(region).unwrap();
    }
    pool
}

fn req(size: u64) -> Request {
    Request {
        size,
        align: GRANULE,
        fixed: None,
        top_down: false,
    }
}

fn tenant(n: u32) -> FbOwner {
    FbOwner::GuestFb(n)
}

/// Fills until there is nothing left to do now.
fn scrub_all(pool: &mut Pool<Host>, now: u64) {
    while let Next::Fill(_) = pool.next(now) {
        pool.done(now, Ok(()));
    }
}

fn ready(grant: Result<Grant, RangeError>) -> Range<u64> {
    match grant {
        Ok(Grant::Ready(range)) => range,
        other => panic!("{other:?}"),
    }
}

fn claimed(grant: Result<Grant, RangeError>) -> Range<u64> {
    match grant {
        Ok(Grant::Claimed(range)) => range,
        other => panic!("{other:?}"),
    }
}

#[test]
fn after_boot_everything_is_dirty() {
    let mut p = pool(&[0..3 * G, 4 * G..5 * G + M]);
    let all = 4 * G + M;
    let dirty = States {
        dirty: all,
        ..States::default()
    };
    assert_eq!(p.states(), dirty);
    // The core itself does not mind.
    let tables = ready(p.reserve(&req(M), FbOwner::Pf));
    let range = claimed(p.reserve(&req(2 * G), tenant(1)));
    assert_eq!(p.settle(&range), Progress::Waiting);
    assert_eq!(range, M..2 * G + M);
    // What is claimed comes first, in pieces that end on multiples of the chunk.
    for piece in [M..G, G..2 * G, 2 * G..2 * G + M] {
        assert_eq!(p.settle(&range), Progress::Waiting);
        assert_eq!(p.next(0), Next::Fill(piece));
        assert_eq!(p.next(0), Next::Idle, "one at a time");
        p.done(0, Ok(()));
    }
    assert_eq!(p.settle(&range), Progress::Ready);
    for piece in [2 * G + M..3 * G, 4 * G..5 * G, 5 * G..5 * G + M] {
        assert_eq!(p.next(0), Next::Fill(piece));
        p.done(0, Ok(()));
    }
    assert_eq!(p.next(0), Next::Idle);
    assert_eq!(p.states().clean, all - 2 * G - M);
    assert_eq!(p.counts().bytes, all - M);
    p.release(&tables).unwrap();
    assert_eq!(p.next(0), Next::Fill(tables));
}

#[test]
fn clean_memory_is_preferred_and_needs_no_wait() {
    let mut p = pool(&[0..4 * G]);
    let first = claimed(p.reserve(&req(G), tenant(1)));
    scrub_all(&mut p, 0);
    assert_eq!(p.settle(&first), Progress::Ready);
    p.release(&first).unwrap();
    // The lowest place is dirty now.
    assert_eq!(ready(p.reserve(&req(G), tenant(2))), G..2 * G);
    let top = Request {
        top_down: true,
        ..req(G)
    };
    assert_eq!(ready(p.reserve(&top, tenant(3))), 3 * G..4 * G);
    // Nothing clean is large enough: claims, and only the dirty part is filled.
    let fills = p.counts().fills;
    let at = Request {
        fixed: Some(0),
        ..req(G)
    };
    let range = claimed(p.reserve(&at, tenant(4)));
    scrub_all(&mut p, 0);
    assert_eq!(p.settle(&range), Progress::Ready);
    assert_eq!(p.counts().fills, fills + 1);
}

#[test]
fn a_claim_fills_only_what_is_dirty() {
    let mut p = pool(&[0..4 * G]);
    scrub_all(&mut p, 0);
    let hole = ready(p.reserve(&req(M), FbOwner::Pf));
    let (bytes, fills) = (p.counts().bytes, p.counts().fills);
    p.release(&hole).unwrap();
    let range = claimed(p.reserve(&req(4 * G), tenant(1)));
    assert_eq!(p.next(0), Next::Fill(hole));
    p.done(0, Ok(()));
    assert_eq!(p.settle(&range), Progress::Ready);
    assert_eq!((p.counts().bytes, p.counts().fills), (bytes + M, fills + 1));
}

#[test]
fn giving_up_a_claim_keeps_what_was_done() {
    let mut p = pool(&[0..4 * G]);
    let range = claimed(p.reserve(&req(4 * G), tenant(1)));
    assert_eq!(p.next(0), Next::Fill(0..G));
    p.done(0, Ok(()));
    assert_eq!(p.next(0), Next::Fill(G..2 * G));
    // The person waiting is killed while the engine works.
    p.abandon(&range);
    assert_eq!(p.states().clean, G);
    // Somebody who does not care stays away from what is being filled.
    let other = ready(p.reserve(&req(3 * G / 2), FbOwner::Pf));
    assert_eq!(other, 2 * G..7 * G / 2);
    let at = Request {
        fixed: Some(G),
        ..req(M)
    };
    assert_eq!(p.reserve(&at, FbOwner::Pf), Err(RangeError::Busy));
    // A tenant may claim it, and waits.
    let range = claimed(p.reserve(&req(3 * G / 2), tenant(2)));
    assert_eq!(range, 0..3 * G / 2);
    assert_eq!(p.settle(&range), Progress::Waiting);
    p.done(0, Ok(()));
    assert_eq!(p.settle(&range), Progress::Ready);
    // The other half of the chunk was free.
    assert_eq!(p.states().clean, G / 2);
}

#[test]
fn a_failing_range_harms_nobody_else() {
    let mut p = pool(&[0..4 * G]);
    let bad = claimed(p.reserve(&req(G), tenant(1)));
    let mut now = 0;
    let mut failures = 0;
    while p.settle(&bad) == Progress::Waiting {
        match p.next(now) {
            Next::Fill(range) if range == bad => {
                failures += 1;
                p.done(now, Err(EIO));
            }
            // While it steps back, others get their turn.
            Next::Fill(_) => p.done(now, Ok(())),
            Next::At(due) => {
                assert!(due > now);
                now = due;
            }
            Next::Idle => unreachable!(),
        }
    }
    assert_eq!(failures, ATTEMPTS);
    assert_eq!(p.counts().gave_up, 1);
    assert_eq!(p.states().taken + p.states().claimed, 0);
    // Clean memory goes on being handed out.
    let good = ready(p.reserve(&req(3 * G), tenant(2)));
    assert_eq!(good, G..4 * G);
    p.release(&good).unwrap();
    // Dirty all over: what did not fail is claimed first.
    let again = claimed(p.reserve(&req(G), tenant(3)));
    assert_eq!(again, G..2 * G);
    // Only when there is nothing else, what failed is tried again, at once.
    let all = claimed(p.reserve(&req(2 * G), tenant(4)));
    assert_eq!(all, 2 * G..4 * G);
    let last = claimed(p.reserve(&req(G), tenant(5)));
    assert_eq!(last, bad);
    scrub_all(&mut p, now);
    for range in [again, all, last] {
        assert_eq!(p.settle(&range), Progress::Ready);
    }
}

#[test]
fn retries_in_the_background_get_rarer() {
    let mut p = pool(&[0..G]);
    let mut now = 0;
    let mut times = Vec::new();
    while times.len() < 13 {
        match p.next(now) {
            Next::Fill(range) => {
                assert_eq!(range, 0..G);
                times.push(now);
                p.done(now, Err(EIO));
            }
            Next::At(due) => {
                assert!(due > now);
                now = due;
            }
            Next::Idle => unreachable!(),
        }
    }
    let delays: Vec<u64> = times.windows(2).map(|t| t[1] - t[0]).collect();
    assert_eq!(delays[..4], [100, 200, 400, 800]);
    assert_eq!(delays[11], 30_000);
    assert_eq!((p.counts().failures, p.counts().retries), (13, 12));
    scrub_all(&mut p, now + 30_000);
    assert_eq!(p.next(now), Next::Idle);
    assert_eq!(p.states().clean, G);
}

#[test]
fn a_dead_engine_is_not_asked_for_each_range() {
    let mut p = pool(&[0..40 * G]);
    let mut fills = 0;
    let mut now = 0;
    while now < 10_000 {
        match p.next(now) {
            Next::Fill(_) => {
                fills += 1;
                p.done(now, Err(EIO));
            }
            Next::At(due) => now = due,
            Next::Idle => unreachable!(),
        }
    }
    assert!(fills <= 10, "{fills}");
    // A tenant who comes does not wait for the next retry.
    let range = claimed(p.reserve(&req(G), tenant(1)));
    let Next::Fill(piece) = p.next(now) else {
        panic!("the tenant waits");
    };
    assert_eq!(piece.start, range.start);
}

#[test]
fn claims_take_turns() {
    let mut p = pool(&[0..8 * G]);
    let a = claimed(p.reserve(&req(2 * G), tenant(1)));
    let b = claimed(p.reserve(&req(2 * G), tenant(2)));
    assert_eq!(p.next(0), Next::Fill(0..G));
    p.done(0, Err(EIO));
    // The first one steps back.
    assert_eq!(p.next(0), Next::Fill(2 * G..3 * G));
    p.done(0, Ok(()));
    assert_eq!(p.next(60), Next::Fill(0..G), "the first one is due again");
    p.done(60, Ok(()));
    scrub_all(&mut p, 60);
    assert_eq!(p.settle(&a), Progress::Ready);
    assert_eq!(p.settle(&b), Progress::Ready);
    assert_eq!(p.counts().retries, 1);
}

#[test]
fn quarantine_and_bad_releases() {
    let mut p = pool(&[0..4 * G]);
    scrub_all(&mut p, 0);
    let a = ready(p.reserve(&req(G), tenant(1)));
    p.quarantine(&a);
    assert_eq!(p.release(&a), Ok(()));
    assert_eq!(p.next(0), Next::Idle, "not scrubbed either");
    assert_eq!(p.states().taken, G);
    assert_eq!(p.release(&(G..2 * G)), Err(RangeError::NotFound));
    assert_eq!(p.reserve(&req(0), tenant(1)), Err(RangeError::Invalid));
    let wrap = Request {
        fixed: Some(!(GRANULE - 1)),
        ..req(2 * GRANULE)
    };
    assert_eq!(p.reserve(&wrap, tenant(1)), Err(RangeError::Invalid));
    let outside = Request {
        fixed: Some(8 * G),
        ..req(G)
    };
    assert_eq!(p.reserve(&outside, tenant(1)), Err(RangeError::Invalid));
    assert_eq!(p.reserve(&req(4 * G), tenant(1)), Err(RangeError::NoSpace));
}

#[test]
fn a_reset_ends_quarantine() {
    let mut p = pool(&[0..4 * G]);
    scrub_all(&mut p, 0);
    let a = ready(p.reserve(&req(G), tenant(1)));
    let b = ready(p.reserve(&req(G), tenant(2)));
    let c = ready(p.reserve(&req(2 * G), tenant(3)));
    p.quarantine(&a);
    p.quarantine(&c);
    p.soil();
    assert_eq!((p.states().taken, p.states().dirty), (G, 3 * G));
    scrub_all(&mut p, 0);
    assert_eq!((p.states().taken, p.states().clean), (G, 3 * G));
    assert_eq!(ready(p.reserve(&req(2 * G), tenant(4))), c);
    assert_eq!(p.release(&b), Ok(()), "what is in use stays with its owner");
}

#[test]
fn nobody_waits_for_an_engine_that_is_gone() {
    let mut p = pool(&[0..4 * G]);
    let range = claimed(p.reserve(&req(G), tenant(1)));
    assert!(p.is_claimed(&range));
    p.give_up(19);
    assert_eq!(p.settle(&range), Progress::Failed(19));
    assert_eq!(p.states().dirty, 4 * G);
    // Too many at a time.
    for n in 0..8 {
        claimed(p.reserve(&req(M), tenant(n)));
    }
    assert_eq!(p.reserve(&req(M), tenant(9)), Err(RangeError::Full));
}

#[test]
fn a_reset_makes_everything_dirty_again() {
    let mut p = pool(&[0..4 * G]);
    let claim = claimed(p.reserve(&req(2 * G), tenant(1)));
    let Next::Fill(_) = p.next(0) else { panic!() };
    p.done(0, Ok(()));
    assert_eq!(p.next(0), Next::Fill(G..2 * G));
    p.soil();
    // This was before the reset, perhaps.
    p.done(0, Ok(()));
    assert_eq!(p.settle(&claim), Progress::Waiting);
    assert_eq!(p.next(0), Next::Fill(0..G));
    p.done(0, Ok(()));
    scrub_all(&mut p, 0);
    assert_eq!(p.settle(&claim), Progress::Ready);
}

#[test]
fn unclean_extents_that_do_not_fit_make_the_smallest_gap_unclean() {
    let mut unclean = Unclean::new(vec![Span::default(); 34]).ok().unwrap();
    unclean.add_region(&(0..1000 * GRANULE)).unwrap();
    unclean.clean(&(0..1000 * GRANULE));
    for i in 0..40 {
        let start = (i * 10 + i) * GRANULE;
        unclean.soil(&(start..start + GRANULE));
    }
    assert!(unclean.bytes() > 40 * GRANULE);
    assert!(unclean.iter().count() <= 33);
    for i in 0..40 {
        let start = (i * 10 + i) * GRANULE;
        assert!(!unclean.is_clean(&(start..start + GRANULE)));
    }
    assert!(Unclean::new(vec![Span::default(); 33]).is_err());
}

#[test]
fn back_off_of_many_ranges() {
    let mut b = Backoff::default();
    for i in 0..40 {
        b.failed(&(i * G..(i + 1) * G), i);
    }
    // The latest ones are remembered.
    assert!(b.is_retry(&(39 * G..39 * G + 1)));
    assert!(!b.is_retry(&(0..G)));
    assert_eq!(b.advise(&(38 * G..50 * G), 39), Advice::Skip(39 * G, 138));
    assert_eq!(b.advise(&(10 * G..50 * G), 39), Advice::Try(10 * G..24 * G));
    let ranges = b.ranges();
    assert!(ranges.is_sorted_by_key(|r| r.start));
    b.succeeded(&(0..50 * G));
    assert_eq!(b.advise(&(38 * G..50 * G), 39), Advice::Try(38 * G..50 * G));
    assert_eq!(b.resume(), 0);
}

/// What is in each page: 0 is clean, anything else somebody's.
struct Memory {
    pages: RefCell<Vec<u32>>,
    /// What becomes of the fills: pages that are written, and whether it succeeds.
    outcome: RefCell<Option<(u64, bool)>>,
}

/// Pages are large here, so that there are several chunks.
const PAGE: u64 = 128 * M;
const PAGES: usize = 400;

impl Filler for Memory {
    type Error = i32;

    fn fill(&self, range: &Range<u64>) -> Result<(), i32> {
        let mut pages = self.pages.borrow_mut();
        let pages = &mut pages[page(range.start)..page(range.end)];
        let (written, ok) = self.outcome.borrow_mut().take().unwrap_or((u64::MAX, true));
        let written = if ok { u64::MAX } else { written };
        let count = pages.len().min(written as usize);
        pages[..count].fill(0);
        ok.then_some(()).ok_or(EIO)
    }
}

fn page(address: u64) -> usize {
    assert_eq!(address % PAGE, 0);
    (address / PAGE) as usize
}

#[derive(Clone, Debug)]
enum Step {
    Reserve {
        pages: u64,
        align: u32,
        top_down: bool,
        fixed: Option<u64>,
        tenant: bool,
    },
    Release(prop::sample::Index),
    Quarantine(prop::sample::Index),
    Abandon(prop::sample::Index),
    /// Begins a fill.
    Begin,
    /// Ends it: with success, or after so many pages with a failure.
    End {
        ok: bool,
        written: u64,
    },
    Later(u64),
    Reset,
    GiveUp,
}

fn step() -> impl Strategy<Value = Step> {
    let fixed = prop_oneof![5 => Just(None), 1 => (0..PAGES as u64).prop_map(Some)];
    let index = any::<prop::sample::Index>;
    prop_oneof![
        8 => (1..60u64, 0..4u32, any::<bool>(), fixed, prop::bool::weighted(0.7)).prop_map(
            |(pages, align, top_down, fixed, tenant)| Step::Reserve {
                pages,
                align,
                top_down,
                fixed,
                tenant,
            }
        ),
        6 => index().prop_map(Step::Release),
        1 => index().prop_map(Step::Quarantine),
        1 => index().prop_map(Step::Abandon),
        10 => Just(Step::Begin),
        10 => (prop::bool::weighted(0.7), 0..10u64)
            .prop_map(|(ok, written)| Step::End { ok, written }),
        3 => (1..2000u64).prop_map(Step::Later),
        1 => Just(Step::Reset),
        1 => Just(Step::GiveUp),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    /// No tenant ever gets a page that was not filled since the last owner, no fill touches a page
    /// that somebody has, and all bytes are accounted for.
    #[test]
    fn nothing_of_a_tenant_survives(steps in prop::collection::vec(step(), 1..250)) {
        let regions = [0..150 * PAGE, 160 * PAGE..PAGES as u64 * PAGE];
        let total: u64 = regions.iter().map(|r| r.end - r.start).sum();
        let mut p = pool(&regions);
        let memory = Memory {
            pages: RefCell::new(vec![u32::MAX; PAGES]),
            outcome: RefCell::new(None),
        };
        let mut held: Vec<Range<u64>> = Vec::new();
        let mut kept: Vec<Range<u64>> = Vec::new();
        let mut claims: Vec<Range<u64>> = Vec::new();
        let mut filling: Option<Range<u64>> = None;
        let mut owner = 0;
        let mut now = 0;
        for step in steps {
            match step {
                Step::Reserve { pages, align, top_down, fixed, tenant } => {
                    owner += 1;
                    let request = Request {
                        size: pages * PAGE,
                        align: PAGE << align,
                        fixed: fixed.map(|f| f * PAGE),
                        top_down,
                    };
                    let whose = if tenant { FbOwner::MgmtHeap(owner) } else { FbOwner::Pf };
                    match p.reserve(&request, whose) {
                        Ok(Grant::Ready(range)) => {
                            let mut content = memory.pages.borrow_mut();
                            let content = &mut content[page(range.start)..page(range.end)];
                            prop_assert!(!tenant || content.iter().all(|&c| c == 0), "left over");
                            content.fill(owner);
                            held.push(range);
                        }
                        Ok(Grant::Claimed(range)) => {
                            prop_assert!(tenant);
                            claims.push(range);
                        }
                        Err(_) => (),
                    }
                }
                Step::Release(which) if !held.is_empty() => {
                    let range = held.swap_remove(which.index(held.len()));
                    p.release(&range).unwrap();
                }
                Step::Quarantine(which) if !held.is_empty() => {
                    let range = held.swap_remove(which.index(held.len()));
                    p.quarantine(&range);
                    prop_assert_eq!(p.release(&range), Ok(()));
                    kept.push(range);
                }
                Step::Abandon(which) if !claims.is_empty() => {
                    let range = claims.swap_remove(which.index(claims.len()));
                    p.abandon(&range);
                }
                Step::Begin => {
                    if let Next::Fill(range) = p.next(now) {
                        prop_assert_eq!(filling.replace(range.clone()), None);
                        prop_assert!(!range.is_empty() && range.end - range.start <= CHUNK);
                    }
                }
                Step::End { ok, written } => {
                    if let Some(range) = filling.take() {
                        memory.outcome.replace(Some((written, ok)));
                        p.done(now, memory.fill(&range));
                    }
                }
                Step::Later(ms) => now += ms,
                Step::Reset => {
                    // What is being filled may have been so before.
                    memory.pages.borrow_mut().fill(u32::MAX);
                    p.soil();
                    kept.clear();
                    if filling.take().is_some() {
                        p.done(now, Ok(()));
                    }
                }
                Step::GiveUp => p.give_up(EIO),
                _ => (),
            }
            if let Some(range) = &filling {
                for taken in held.iter().chain(&kept) {
                    prop_assert!(taken.end <= range.start || range.end <= taken.start);
                }
            }
            claims.retain(|range| match p.settle(range) {
                Progress::Waiting => true,
                Progress::Failed(_) => false,
                Progress::Ready => {
                    let mut content = memory.pages.borrow_mut();
                    let content = &mut content[page(range.start)..page(range.end)];
                    assert!(content.iter().all(|&c| c == 0), "left over in a claim");
                    owner += 1;
                    content.fill(owner);
                    held.push(range.clone());
                    false
                }
            });
            let s = p.states();
            prop_assert_eq!(s.clean + s.dirty + s.scrubbing + s.claimed + s.taken, total);
            let sum = |ranges: &[Range<u64>]| ranges.iter().map(|r| r.end - r.start).sum::<u64>();
            prop_assert_eq!(s.taken, sum(&held) + sum(&kept));
            prop_assert_eq!(s.claimed, sum(&claims));
        }
        // An engine that works brings everything to an end.
        if let Some(range) = filling {
            memory.outcome.replace(None);
            p.done(now, memory.fill(&range));
        }
        loop {
            match p.next(now) {
                Next::Fill(range) => {
                    memory.outcome.replace(None);
                    p.done(now, memory.fill(&range));
                }
                Next::At(due) => {
                    prop_assert!(due > now);
                    now = due;
                }
                Next::Idle => break,
            }
        }
        prop_assert!(claims.iter().all(|range| p.settle(range) == Progress::Ready));
        prop_assert_eq!((p.states().dirty, p.states().claimed), (0, 0));
    }
}
