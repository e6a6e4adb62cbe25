// SPDX-License-Identifier: GPL-2.0

//! Mapping and unmapping in a tree of page tables.
//!
//! One walker for two kinds of trees: those of channels, which are ours from the root down, and
//! that of BAR1, whose root belongs to GSP-RM, which may have entries in it. In a table of
//! somebody else every entry is read first:
//!
//! ```text
//!   entry   0                    -> ours to fill
//!           table in video mem   -> followed, if it is a directory
//!           anything else        -> Occupied: the caller marks that VA as not ours, tries elsewhere
//! ```
//!
//! In our own tables, that an address is not mapped yet is known from who hands out addresses.
//! The two parts of mapping:
//!
//! ```text
//!   prepare   reads, counts the tables that are missing, gets pages for them      may fail
//!   execute   new tables: written once, each entry, from the bottom up, then linked
//!             existing tables: only the entries of the mapping                    allocates nothing
//! ```
//!
//! If a write fails half-way, what has been linked is removed again and the rest was never
//! reachable. A table with no entry left is unlinked at once, but is reused only after
//! [`Tree::settle`], that is, when no TLB knows it any more.
//!
//! Pure: also compiled on the host by `tools/testing/host-tests`.

use core::ops::Range;

use super::{
    half::Half,
    pagetable::{
        decode_pde,
        Aperture,
        Entry,
        Level,
        PAGE_SIZE,
        PD0,
        PD1,
        PD2,
        PD3, //
    },
    pool::{
        Pool,
        Shelf,
        Size,
        Source, //
    },
    shape::{
        pieces,
        Job,
        Place,
        Shape, //
    },
};

/// Video memory as the walker sees it. Addresses are multiples of 8.
pub(crate) trait TableMemory {
    /// What can go wrong with an access.
    type Error;

    /// Reads the qword at `address`.
    fn read64(&mut self, address: u64) -> Result<u64, Self::Error>;

    /// Writes an entry that the GPU may look at meanwhile: it must never see part of it with bits
    /// that make it valid.
    fn write64(&mut self, address: u64, entry: u64) -> Result<(), Self::Error>;

    /// Writes an entry of a table that is not linked yet.
    fn init64(&mut self, address: u64, entry: u64) -> Result<(), Self::Error>;
}

/// Why a mapping was not made or not removed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum WalkError<E> {
    /// `[va, va + len)` has an entry that is not ours.
    Occupied {
        /// First address that cannot be used.
        va: u64,
        /// Bytes that cannot be used.
        len: u64,
    },
    /// An entry is not what this driver wrote there.
    Mismatch {
        /// The first address below the entry.
        va: u64,
    },
    /// Access to table memory, or getting some, failed.
    Memory(E),
}

impl<E> From<E> for WalkError<E> {
    fn from(e: E) -> Self {
        WalkError::Memory(e)
    }
}

/// What a mapping that failed left behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Left {
    /// Nothing was written where the GPU looks.
    Untouched,
    /// Entries were written and cleared again; the TLBs may know them.
    Cleared,
    /// Entries are still there.
    Entries,
}

/// Directories from the root down.
pub(super) const DIRECTORIES: [Level; 4] = [PD3, PD2, PD1, PD0];

/// Tables that are missing.
#[derive(Default)]
struct Need {
    pages: usize,
    cells: usize,
}

impl Need {
    fn add(&mut self, half: Half) {
        match half.size() {
            Size::Cell => self.cells += 1,
            Size::Page => self.pages += 1,
        }
    }
}

/// A tree.
pub(crate) struct Tree<S: Shelf> {
    root: u64,
    pub(super) pool: Pool<S>,
}

impl<S: Shelf> Tree<S> {
    /// The tree below a root directory that belongs to somebody else. `keep` chunks of table
    /// memory are never given back.
    pub(crate) fn foreign(root: u64, shelf: S, keep: usize) -> Self {
        Self {
            root,
            pool: Pool::new(shelf, keep),
        }
    }

    /// A tree of our own, with nothing mapped.
    pub(crate) fn own<M: TableMemory>(
        memory: &mut M,
        source: &mut impl Source<Error = M::Error>,
        shelf: S,
    ) -> Result<Self, WalkError<M::Error>> {
        let mut pool = Pool::new(shelf, 0);
        pool.ensure(1, 0, source)?;
        let Some(root) = pool.take(Size::Page) else {
            pool.clear(source);
            return Err(WalkError::Mismatch { va: 0 });
        };
        for at in (root..root + PAGE_SIZE).step_by(8) {
            if let Err(e) = memory.init64(at, 0) {
                pool.clear(source);
                return Err(e.into());
            }
        }
        pool.commit();
        Ok(Self { root, pool })
    }

    /// Address of the root directory.
    pub(crate) fn root(&self) -> u64 {
        self.root
    }

    /// Bytes of our own tables.
    pub(crate) fn used(&self) -> u64 {
        self.pool.used()
    }

    /// Bytes of frame buffer that are held for tables.
    pub(crate) fn held(&self) -> u64 {
        self.pool.held()
    }

    /// Gets the memory that is kept.
    pub(crate) fn fill<F: Source>(&mut self, source: &mut F) -> Result<(), F::Error> {
        self.pool.ensure(0, 0, source)
    }

    /// Maps. The addresses are not mapped yet, as far as our own tables are concerned.
    ///
    /// On success the caller invalidates the TLBs, because an invalid entry may be cached too.
    pub(crate) fn map<M: TableMemory>(
        &mut self,
        memory: &mut M,
        source: &mut impl Source<Error = M::Error>,
        job: &Job<'_>,
    ) -> Result<(), (WalkError<M::Error>, Left)> {
        let untouched = |e| (e, Left::Untouched);
        let (va, shape) = (job.va(), job.shape());
        let mut need = Need::default();
        self.check(memory, shape, 0, self.root, va.clone(), &mut need)
            .map_err(untouched)?;
        if let Err(e) = self.pool.ensure(need.pages, need.cells, source) {
            self.pool.trim(source);
            return Err(untouched(WalkError::Memory(e)));
        }

        let mut until = va.start;
        let Err(e) = self.write(memory, job, 0, self.root, va.clone(), &mut until) else {
            return Ok(());
        };
        self.pool.abandon();
        let left = if until == va.start {
            self.pool.trim(source);
            Left::Untouched
        } else {
            match self.erase(memory, shape, 0, self.root, va, until) {
                Ok(None) => Left::Cleared,
                Ok(Some(_)) | Err(_) => Left::Entries,
            }
        };
        Err((e, left))
    }

    /// Removes a mapping, given as it was made.
    ///
    /// An entry that does not lead where it should is left alone and reported after everything
    /// else is cleared: somebody else has changed the tree. The caller invalidates the TLBs in any
    /// case, and calls [`Tree::settle`] if that has worked.
    pub(crate) fn unmap<M: TableMemory>(
        &mut self,
        memory: &mut M,
        va: Range<u64>,
        shape: Shape,
    ) -> Result<(), WalkError<M::Error>> {
        let end = va.end;
        match self.erase(memory, shape, 0, self.root, va, end)? {
            None => Ok(()),
            Some(va) => Err(WalkError::Mismatch { va }),
        }
    }

    /// To be called when an invalidation is complete: tables that were unlinked before it can be
    /// used for something else.
    pub(crate) fn settle(&mut self, source: &mut impl Source) {
        self.pool.bury();
        self.pool.trim(source);
    }

    /// Gives all table memory back. The GPU no longer uses the tree.
    pub(crate) fn close(&mut self, source: &mut impl Source) {
        self.pool.clear(source);
    }

    /// Looks whether `range` can be mapped below `table`, and counts the tables it takes.
    fn check<M: TableMemory>(
        &self,
        memory: &mut M,
        shape: Shape,
        depth: usize,
        table: u64,
        range: Range<u64>,
        need: &mut Need,
    ) -> Result<(), WalkError<M::Error>> {
        let level = DIRECTORIES[depth];
        let ours = self.pool.owns(table);
        for piece in pieces(range, level.span()) {
            let entry = table + level.offset(piece.start);
            let occupied = WalkError::Occupied {
                va: piece.start & !(level.span() - 1),
                len: level.span(),
            };
            match shape.place(&level, &piece) {
                Place::Leaf => {
                    // Both halves of an entry of PD0.
                    for at in (entry..entry + level.entry_size).step_by(8) {
                        if !ours && memory.read64(at)? != 0 {
                            return Err(occupied);
                        }
                    }
                }
                Place::Directory => match decode_pde(memory.read64(entry)?) {
                    Entry::Free => count(shape, depth + 1, piece, need),
                    Entry::Table(Aperture::Video, next) => {
                        self.check(memory, shape, depth + 1, next, piece, need)?;
                    }
                    Entry::Table(Aperture::System, _) | Entry::Taken => return Err(occupied),
                },
                Place::Table(half) => {
                    // Leaves of others are not looked for: who has a table here has the slot.
                    match self.table(memory, entry, half)? {
                        Some(None) => need.add(half),
                        Some(Some(_)) => (),
                        None => return Err(occupied),
                    }
                    if !ours && self.table(memory, entry, half.other())?.is_none() {
                        return Err(occupied);
                    }
                }
            }
        }
        Ok(())
    }

    /// The table of our own in one half of an entry of PD0; `Some(None)` if there is nothing, and
    /// `None` if something else is there.
    pub(super) fn table<M: TableMemory>(
        &self,
        memory: &mut M,
        entry: u64,
        half: Half,
    ) -> Result<Option<Option<u64>>, M::Error> {
        Ok(match half.decode(memory.read64(entry + half.offset())?) {
            Entry::Free => Some(None),
            Entry::Table(Aperture::Video, table) if self.pool.owns(table) => Some(Some(table)),
            Entry::Table(..) | Entry::Taken => None,
        })
    }

    pub(super) fn add(&mut self, table: u64, entries: u16) {
        if let Some(live) = self.pool.live(table) {
            *live = live.saturating_add(entries);
        }
    }

    pub(super) fn remove(&mut self, table: u64, entries: u16) {
        if let Some(live) = self.pool.live(table) {
            *live = live.saturating_sub(entries);
        }
    }
}

/// Counts the tables that `range` takes at `depth` and below, where nothing is yet.
fn count(shape: Shape, depth: usize, range: Range<u64>, need: &mut Need) {
    let level = DIRECTORIES[depth];
    need.pages += 1;
    for piece in pieces(range, level.span()) {
        match shape.place(&level, &piece) {
            Place::Leaf => (),
            Place::Directory => count(shape, depth + 1, piece, need),
            Place::Table(half) => need.add(half),
        }
    }
}
