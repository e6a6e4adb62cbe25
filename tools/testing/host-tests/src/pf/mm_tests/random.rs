// SPDX-License-Identifier: GPL-2.0

//! Random mappings, sparse ranges and removals, with writes that fail, compared page by page with
//! a list of what should be there.

use super::*;
use proptest::prelude::*;

/// What a mapping leads to.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Fb { read_only: bool, kind: u8 },
    System,
    Sparse,
}

#[derive(Clone, Debug)]
struct Wanted {
    va: u64,
    pages: u64,
    /// Physical address modulo 2 MiB is that of `va`, shifted by this many pages.
    skew: u64,
    largest: PageSize,
    what: Kind,
}

#[derive(Clone, Debug)]
enum Op {
    Map(Wanted),
    /// The write with this number fails.
    MapFails(Wanted, usize),
    Unmap(prop::sample::Index),
    /// The invalidation fails: tables that were unlinked are not free yet.
    UnmapUnsettled(prop::sample::Index),
}

fn size() -> impl Strategy<Value = PageSize> {
    prop_oneof![
        Just(PageSize::Small),
        Just(PageSize::Big),
        Just(PageSize::Huge)
    ]
}

fn wanted() -> impl Strategy<Value = Wanted> {
    let what = prop_oneof![
        (any::<bool>(), prop_oneof![Just(0u8), Just(6), Just(9)])
            .prop_map(|(read_only, kind)| Kind::Fb { read_only, kind }),
        Just(Kind::System),
        Just(Kind::Sparse),
    ];
    // Around borders of every level, so that mappings meet.
    let base = prop_oneof![
        Just(0),
        Just(510 * M),
        Just((1u64 << 38) - 4 * M),
        Just((1u64 << 47) - 2 * M),
        Just((1u64 << 49) - 16 * M)
    ];
    let unit = prop_oneof![Just(1u64), Just(16), Just(512)];
    (base, 0u64..4, 1u64..5, unit.clone(), unit, size(), what).prop_map(
        |(base, at, count, at_unit, unit, largest, what)| Wanted {
            va: base + at * at_unit * 4096,
            pages: count * unit + count / 4,
            skew: if largest == PageSize::Small { at } else { 0 },
            largest,
            what,
        },
    )
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        4 => wanted().prop_map(Op::Map),
        2 => (wanted(), 0usize..3000).prop_map(|(w, n)| Op::MapFails(w, n)),
        1 => (wanted(), 0usize..12).prop_map(|(w, n)| Op::MapFails(w, n)),
        3 => any::<prop::sample::Index>().prop_map(Op::Unmap),
        1 => any::<prop::sample::Index>().prop_map(Op::UnmapUnsettled),
    ];
    prop::collection::vec(op, 1..24)
}

/// Addresses of the pages of a system memory mapping: no two of them adjacent.
fn system_pages(w: &Wanted) -> Vec<u64> {
    (0..w.pages)
        .map(|i| 0x10_0000_0000 + (i * 7919 % 8192) * 8192)
        .collect()
}

fn phys(w: &Wanted) -> u64 {
    16 * G + (w.va + w.skew * 4096) % (2 * M)
}

fn attributes(what: Kind) -> Attributes {
    match what {
        Kind::Fb { read_only, kind } => Attributes {
            kind,
            read_only,
            ..Attributes::VIDEO
        },
        _ => Attributes {
            aperture: Aperture::System,
            ..Attributes::VIDEO
        },
    }
}

fn range(w: &Wanted) -> Range<u64> {
    w.va..w.va + w.pages * 4096
}

fn job<'a>(w: &Wanted, pages: &'a [u64]) -> Job<'a> {
    let (largest, fill) = match w.what {
        Kind::Fb { .. } => (w.largest, Fill::Run(attributes(w.what), phys(w))),
        Kind::System => (PageSize::Small, Fill::Pages(attributes(w.what), pages)),
        Kind::Sparse => (w.largest, Fill::Sparse),
    };
    Job::new(range(w), largest, fill).unwrap()
}

/// What the hardware has to find in page `i`.
fn expected(w: &Wanted, i: u64) -> Found {
    match w.what {
        Kind::Sparse => Found::Sparse,
        Kind::System => Found::Page {
            aperture: 2,
            address: system_pages(w)[i as usize],
            kind: 0,
            read_only: false,
            privileged: false,
            volatile: true,
            size: 4 * K,
        },
        Kind::Fb { read_only, kind } => Found::Page {
            aperture: 0,
            address: phys(w) + i * 4096,
            kind: kind.into(),
            read_only,
            privileged: false,
            volatile: false,
            size: leaf_size(w, w.va + i * 4096),
        },
    }
}

/// The largest leaf of which the part of the mapping in the 2 MiB around `va` can consist.
fn leaf_size(w: &Wanted, va: u64) -> u64 {
    let slot = va & !(2 * M - 1);
    let (start, end) = (range(w).start.max(slot), range(w).end.min(slot + 2 * M));
    [(PageSize::Huge, 2 * M), (PageSize::Big, 64 * K)]
        .into_iter()
        .filter(|&(size, _)| size <= w.largest)
        .map(|(_, bytes)| bytes)
        .find(|bytes| start % bytes == 0 && end % bytes == 0)
        .unwrap_or(4 * K)
}

fn check(m: &Machine, live: &[Wanted]) {
    for w in live {
        let step = (w.pages / 61).max(1) as usize;
        for i in (0..w.pages).step_by(step).chain([w.pages - 1]) {
            assert_eq!(m.at(w.va + i * 4096), expected(w, i), "page {i} of {w:?}");
        }
        for va in [range(w).start.wrapping_sub(1), range(w).end] {
            if va < 1 << 49 && !live.iter().any(|l| range(l).contains(&va)) {
                assert_eq!(m.at(va), Found::Fault, "beside {w:?}");
            }
        }
    }
}

fn run(own: bool, ops: Vec<Op>) {
    let mut m = Machine::new(own);
    let empty = m.tree.used();
    let mut live: Vec<Wanted> = Vec::new();
    for op in ops {
        match op {
            Op::Map(w) | Op::MapFails(w, _) if range(&w).end > 1 << 49 => (),
            Op::Map(w) | Op::MapFails(w, _)
                if live.iter().any(|l| overlap(&range(l), &range(&w))) => {}
            Op::Map(w) => {
                m.map(&job(&w, &system_pages(&w))).unwrap();
                m.vram.invalidate(m.tree.root());
                live.push(w);
            }
            Op::MapFails(w, writes) => {
                let used = m.tree.used();
                m.vram.writes = Some(writes);
                let result = m
                    .tree
                    .map(&mut m.vram, &mut m.chunks, &job(&w, &system_pages(&w)));
                let stuck = m.vram.writes == Some(0) && result.is_err();
                m.vram.writes = None;
                match result {
                    Ok(()) => live.push(w),
                    Err((e, left)) => {
                        assert_eq!(e, WalkError::Memory(Failure::Access));
                        // Clearing goes through the same memory, which still fails.
                        assert!(stuck);
                        if left == Left::Entries {
                            // What an owner of such addresses does: nothing, for ever.
                            return;
                        }
                        assert_eq!(left, Left::Untouched);
                        assert_eq!(m.tree.used(), used);
                    }
                }
            }
            Op::Unmap(index) | Op::UnmapUnsettled(index) if live.is_empty() => {
                let _ = index;
            }
            Op::Unmap(index) => {
                let w = live.swap_remove(index.index(live.len()));
                m.unmap(&job(&w, &system_pages(&w))).unwrap();
                m.settle();
                assert_eq!(m.at(w.va), Found::Fault);
            }
            Op::UnmapUnsettled(index) => {
                let w = live.swap_remove(index.index(live.len()));
                m.unmap(&job(&w, &system_pages(&w))).unwrap();
                assert_eq!(m.at(w.va), Found::Fault);
            }
        }
        check(&m, &live);
    }
    for w in live.drain(..) {
        m.unmap(&job(&w, &system_pages(&w))).unwrap();
    }
    m.settle();
    assert_eq!(m.tree.used(), empty, "all tables are free again");
    assert_eq!(m.tree.held() == 0, !own);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn trees_say_what_was_asked_for(own: bool, ops in ops()) {
        run(own, ops);
    }

    /// One write fails, then memory works again: the tree is exactly what it was.
    #[test]
    fn a_failed_mapping_leaves_no_trace(
        before in wanted(),
        w in wanted(),
        write in 0usize..2000,
    ) {
        prop_assume!(!overlap(&range(&before), &range(&w)));
        prop_assume!(range(&before).end <= 1 << 49 && range(&w).end <= 1 << 49);
        let mut m = Machine::new(true);
        m.map(&job(&before, &system_pages(&before))).unwrap();
        m.settle();
        let used = m.tree.used();
        let mut once = Once { vram: m.vram, fails: Some(write) };
        let pages = system_pages(&w);
        let result = m.tree.map(&mut once, &mut m.chunks, &job(&w, &pages));
        m.vram = once.vram;
        match result {
            Ok(()) => prop_assert!(once.fails.is_some()),
            Err((e, left)) => {
                prop_assert_eq!(e, WalkError::Memory(Failure::Access));
                prop_assert!(left != Left::Entries);
                m.settle();
                prop_assert_eq!(m.tree.used(), used);
                for i in 0..w.pages {
                    prop_assert_eq!(m.at(w.va + i * 4096), Found::Fault);
                }
                // The same place can be mapped after that.
                m.map(&job(&w, &pages)).unwrap();
            }
        }
        check(&m, &[before, w]);
    }
}

/// Memory of which one write fails.
struct Once {
    vram: Vram,
    fails: Option<usize>,
}

impl Once {
    fn count(&mut self) -> Result<(), Failure> {
        match &mut self.fails {
            Some(0) => {
                self.fails = None;
                Err(Failure::Access)
            }
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }
}

impl TableMemory for Once {
    type Error = Failure;
    fn read64(&mut self, address: u64) -> Result<u64, Failure> {
        self.vram.read64(address)
    }
    fn write64(&mut self, address: u64, entry: u64) -> Result<(), Failure> {
        self.count()?;
        self.vram.write64(address, entry)
    }
    fn init64(&mut self, address: u64, entry: u64) -> Result<(), Failure> {
        self.count()?;
        self.vram.init64(address, entry)
    }
}
