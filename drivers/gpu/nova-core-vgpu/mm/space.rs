// SPDX-License-Identifier: GPL-2.0

//! An address space: who has which addresses, and the tables that say so to the GPU.
//!
//! ```text
//!   map     addresses --> tables --> flush --> invalidate            fails: all of it back
//!   unmap   tables --> flush --> invalidate, wait for accesses --> addresses, table memory
//!                                    |
//!                                    '- fails: both stay out of use until one succeeds
//! ```
//!
//! One invalidation for each mapping and each removal, however many entries.

use core::ops::Range;

use kernel::{
    prelude::*,
    sync::Arc, //
};

use super::{
    pagetable::{
        PageSize,
        PAGE_SIZE,
        PD1, //
    },
    plan::{
        Layout,
        Plan, //
    },
    pool::Chunk,
    shape::{
        Fill,
        Job,
        Shape, //
    },
    table_fb::TableFb,
    tlb::Reuse,
    vmm::MapRequest,
    walk::{
        Left,
        Tree,
        WalkError, //
    },
    window::Window,
    Mm, //
};
use crate::{
    driver::Bar0,
    fb::{
        manager::to_errno,
        ranges::{
            Ranges,
            Request,
            Span, //
        }, //
    },
};

/// Most mappings and foreign ranges at a time.
const MAX_RANGES: usize = 512;

/// Whom a range of addresses belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum State {
    /// A mapping of this driver.
    #[default]
    Mapped,
    /// Firmware has entries there.
    Firmware,
    /// Nothing is mapped, but the TLBs may not know that yet.
    Stale,
    /// Entries could not be removed.
    Broken,
}

/// What is known of a range of addresses.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Record {
    state: State,
    shape: Shape,
    /// Bytes at the start that are not mapped: the memory does not start on a leaf's border.
    skew: u64,
}

/// An address space. Its owner serialises the calls.
pub(super) struct Space {
    mm: Arc<Mm>,
    tree: Tree<KVVec<Chunk>>,
    va: Ranges<Record, KVVec<Span<Record>>>,
    /// Whether there are addresses in [`State::Stale`].
    stale: bool,
}

impl Space {
    /// The addresses `va` below a root directory that belongs to firmware. Table memory for
    /// small mappings is kept at hand.
    pub(super) fn foreign(mm: &Arc<Mm>, root: u64, va: Range<u64>) -> Result<Self> {
        if root == 0 || root % PAGE_SIZE != 0 {
            return Err(EINVAL);
        }
        let va = ranges(va)?;
        let mut tree = Tree::foreign(root, KVVec::new(), 1);
        tree.fill(&mut TableFb(mm))?;
        Ok(Self {
            mm: mm.clone(),
            tree,
            va,
            stale: false,
        })
    }

    /// The addresses `va` below a root directory of its own.
    pub(super) fn own(bar: Bar0<'_>, mm: &Arc<Mm>, va: Range<u64>) -> Result<Self> {
        let va = ranges(va)?;
        let mut window = mm.window(bar)?;
        let tree = Tree::own(&mut window, &mut TableFb(mm), KVVec::new()).map_err(walk_errno)?;
        window.flush()?;
        Ok(Self {
            mm: mm.clone(),
            tree,
            va,
            stale: false,
        })
    }

    /// Begins anew with the addresses `va` below another root directory that belongs to firmware:
    /// the GPU was reset, and nothing is mapped. Table memory from before is given back first, so
    /// that there is some even if others have all the rest.
    pub(super) fn restart(&mut self, root: u64, va: Range<u64>) -> Result {
        if root == 0 || root % PAGE_SIZE != 0 {
            return Err(EINVAL);
        }
        let va = ranges(va)?;
        let mm = self.mm.clone();
        let mut source = TableFb(&mm);
        self.tree.close(&mut source);
        self.tree = Tree::foreign(root, KVVec::new(), 1);
        self.va = va;
        self.stale = false;
        self.tree.fill(&mut source)
    }

    /// Address of the root directory.
    pub(super) fn root(&self) -> u64 {
        self.tree.root()
    }

    /// Maps memory as [`super::vmm::Vmm::map`] does.
    pub(super) fn map(&mut self, bar: Bar0<'_>, request: &MapRequest<'_>) -> Result<Range<u64>> {
        let plan = Plan::new(request)?;
        let mut result = Err(EINVAL);
        for layout in plan.layouts.iter().flatten() {
            result = self.place(bar, &plan.fill, layout, request.len, request.va);
            if result != Err(ENOSPC) {
                break;
            }
        }
        result
    }

    /// Makes a range sparse: reads give zero, writes are dropped.
    pub(super) fn map_sparse(&mut self, bar: Bar0<'_>, len: u64) -> Result<Range<u64>> {
        let align = match len {
            _ if len >= PD1.span() => PD1.span(),
            _ if len >= PageSize::Huge.bytes() => PageSize::Huge.bytes(),
            _ => PAGE_SIZE,
        };
        let layout = Layout {
            largest: PageSize::Huge,
            align,
            skew: 0,
        };
        self.place(bar, &Fill::Sparse, &layout, len, None)
    }

    /// Removes a mapping.
    pub(super) fn unmap(&mut self, bar: Bar0<'_>, va: &Range<u64>) -> Result {
        let (range, record) = self.find(va).ok_or(ENOENT)?;
        let mm = self.mm.clone();
        let mut window = mm.window(bar)?;
        let erased = self
            .tree
            .unmap(&mut window, va.clone(), record.shape)
            .map_err(walk_errno);
        let state = match erased {
            Ok(()) => State::Stale,
            Err(_) => State::Broken,
        };
        self.set(&range, State::Mapped, state);
        erased.and(self.invalidate(&mut window, Reuse::Yes))
    }

    /// All ranges that are in use, by address, without what is left out to align them.
    pub(super) fn ranges(&self) -> impl Iterator<Item = (Range<u64>, State)> + '_ {
        self.va
            .live()
            .map(|s| (s.start + s.owner.skew..s.end, s.owner.state))
    }

    /// Number of ranges in this state.
    pub(super) fn count(&self, state: State) -> usize {
        self.va.live().filter(|s| s.owner.state == state).count()
    }

    /// Addresses that can be mapped.
    pub(super) fn free(&self) -> u64 {
        self.va.free()
    }

    /// Bytes of our own tables.
    pub(super) fn table_bytes(&self) -> u64 {
        self.tree.used()
    }

    /// Bytes of frame buffer that are held for tables.
    pub(super) fn table_fb(&self) -> u64 {
        self.tree.held()
    }

    /// Finds addresses for a mapping and makes it.
    fn place(
        &mut self,
        bar: Bar0<'_>,
        fill: &Fill<'_>,
        layout: &Layout,
        len: u64,
        fixed: Option<u64>,
    ) -> Result<Range<u64>> {
        let request = Request {
            size: len.checked_add(layout.skew).ok_or(EINVAL)?,
            align: layout.align,
            fixed,
            top_down: false,
        };
        let mm = self.mm.clone();
        // Each turn takes addresses out of the pool, so this ends.
        loop {
            let range = self
                .va
                .reserve(&request, Record::default())
                .map_err(to_errno)?;
            let va = range.start + layout.skew..range.end;
            let Some(job) = Job::new(va.clone(), layout.largest, *fill) else {
                self.va.release(&range).map_err(to_errno)?;
                return Err(EINVAL);
            };
            let record = Record {
                state: State::Mapped,
                shape: job.shape(),
                skew: layout.skew,
            };
            self.va.set_owner(&range, record);

            let mut window = match mm.window(bar) {
                Ok(window) => window,
                Err(e) => {
                    self.va.release(&range).map_err(to_errno)?;
                    return Err(e);
                }
            };
            let (e, left) = match self.tree.map(&mut window, &mut TableFb(&mm), &job) {
                Ok(()) => match self.invalidate(&mut window, Reuse::No) {
                    Ok(()) => return Ok(va),
                    Err(e) => {
                        let erased = self.tree.unmap(&mut window, va, job.shape());
                        let left = erased.map_or(Left::Entries, |()| Left::Cleared);
                        (WalkError::Memory(e), left)
                    }
                },
                Err(failed) => failed,
            };
            match left {
                Left::Untouched => {
                    self.va.release(&range).map_err(to_errno)?;
                }
                Left::Cleared => {
                    self.set(&range, State::Mapped, State::Stale);
                    // If it fails, the addresses wait for the next one.
                    let _ = self.invalidate(&mut window, Reuse::Yes);
                }
                Left::Entries => self.set(&range, State::Mapped, State::Broken),
            }
            match e {
                WalkError::Occupied { va, len } if fixed.is_none() => self.avoid(va, len)?,
                e => return Err(walk_errno(e)),
            }
        }
    }

    /// Invalidates. After [`Reuse::Yes`], everything that waited for that is free.
    fn invalidate(&mut self, window: &mut Window<'_>, reuse: Reuse) -> Result {
        window
            .invalidate(self.tree.root(), reuse)
            .inspect_err(|e| {
                dev_err!(
                    self.mm.dev(),
                    "TLB invalidation for the page directory at {:#x} failed, addresses and tables stay out of use: {:?}\n",
                    self.tree.root(),
                    e
                );
            })?;
        if reuse == Reuse::No {
            return Ok(());
        }
        self.tree.settle(&mut TableFb(&self.mm));
        while self.stale {
            let stale = self.va.live().find(|s| s.owner.state == State::Stale);
            match stale.map(Span::range) {
                Some(range) => {
                    self.va.release(&range).map_err(to_errno)?;
                }
                None => self.stale = false,
            }
        }
        Ok(())
    }

    /// The range of addresses that has this mapping.
    fn find(&self, va: &Range<u64>) -> Option<(Range<u64>, Record)> {
        let span = self.va.first_above(va.start)?;
        let record = span.owner;
        let exact = span.start + record.skew == va.start && span.end == va.end;
        (exact && record.state == State::Mapped).then(|| (span.range(), record))
    }

    fn set(&mut self, range: &Range<u64>, from: State, to: State) {
        if let Some(&record) = self.va.get(range).filter(|r| r.state == from) {
            self.va.set_owner(
                range,
                Record {
                    state: to,
                    ..record
                },
            );
            self.stale |= to == State::Stale;
        }
    }

    /// Takes addresses that somebody else uses out of the pool: each gap among them.
    fn avoid(&mut self, va: u64, len: u64) -> Result {
        let record = Record {
            state: State::Firmware,
            ..Record::default()
        };
        let end = va.checked_add(len).ok_or(EIO)?;
        let (mut at, mut found) = (va, false);
        while at < end {
            let Some(gap) = self.va.gap_at(at) else {
                // Somebody has this address: go on behind.
                match self.va.first_above(at) {
                    Some(span) => at = span.end.max(at + PAGE_SIZE),
                    None => break,
                }
                continue;
            };
            let range = gap.start.max(va)..gap.end.min(end);
            let request = Request {
                size: range.end - range.start,
                align: PAGE_SIZE,
                fixed: Some(range.start),
                top_down: false,
            };
            self.va.reserve(&request, record).map_err(to_errno)?;
            found = true;
            at = range.end;
        }
        // Without progress the search for addresses would not end.
        if found {
            Ok(())
        } else {
            Err(EBUSY)
        }
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        self.tree.close(&mut TableFb(&self.mm));
    }
}

fn ranges(va: Range<u64>) -> Result<Ranges<Record, KVVec<Span<Record>>>> {
    let table = KVVec::from_elem(Span::default(), MAX_RANGES, GFP_KERNEL)?;
    let mut ranges = Ranges::new(table);
    ranges.add_region(va.start, va.end).map_err(to_errno)?;
    Ok(ranges)
}

fn walk_errno(e: WalkError<Error>) -> Error {
    match e {
        WalkError::Occupied { .. } => EBUSY,
        WalkError::Mismatch { .. } => EIO,
        WalkError::Memory(e) => e,
    }
}
