// SPDX-License-Identifier: GPL-2.0

//! Frame buffer for the tables of one address space.
//!
//! ```text
//!   frame buffer manager --reserve()--> chunk of 32 pages --> page   PD2, PD1, PD0, PT of 4 KiB
//!            ^                                            '-> cell   PT of 64 KiB: 1/16 page
//!            '------------release()---- nothing in use
//!
//!   take --> fresh --commit()--> linked --doom()--> doomed --bury()--> free
//!              '---abandon()--> free
//! ```
//!
//! Fresh tables are not reachable by the GPU yet. Doomed ones are no longer linked, but the TLBs
//! may still know them: they are free when the invalidation is complete. If that fails they wait
//! for the next one that succeeds.
//!
//! The pool also counts the entries in use of each table, because it is what tells that a table
//! has become empty. Taking a table after [`Pool::ensure`] allocates nothing.
//!
//! Pure: also compiled on the host by `tools/testing/host-tests`.

use core::ops::DerefMut;

use super::pagetable::{
    BIG_TABLE_SIZE,
    PAGE_SIZE, //
};

/// Pages of a chunk.
const PAGES: usize = 32;
/// Cells of a page.
const CELLS: usize = 16;
/// A page that is in use as a whole.
const WHOLE: u16 = u16::MAX;

/// Bytes of a chunk.
pub(crate) const CHUNK_SIZE: u64 = 32 * PAGE_SIZE;

/// Size of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Size {
    /// [`PAGE_SIZE`].
    Page,
    /// [`BIG_TABLE_SIZE`].
    Cell,
}

/// A chunk: one bit per cell for each state, and the number of entries in use of each table.
#[derive(Clone, Debug)]
pub(crate) struct Chunk {
    base: u64,
    used: [u16; PAGES],
    fresh: [u16; PAGES],
    doomed: [u16; PAGES],
    live: [u16; PAGES * CELLS],
}

impl Chunk {
    fn new(base: u64) -> Self {
        Self {
            base,
            used: [0; PAGES],
            fresh: [0; PAGES],
            doomed: [0; PAGES],
            live: [0; PAGES * CELLS],
        }
    }

    fn free_pages(&self) -> usize {
        self.used.iter().filter(|&&bits| bits == 0).count()
    }

    /// Free cells of pages that are in use in part.
    fn free_cells(&self) -> usize {
        // CAST: at most 16.
        let free = |bits: &u16| bits.count_zeros() as usize;
        self.used.iter().filter(|&&bits| bits != 0).map(free).sum()
    }
}

/// Where the chunks are kept, sorted by address: a vector that may fail to grow.
pub(crate) trait Shelf: DerefMut<Target = [Chunk]> {
    /// Inserts at `at`, which is at most the length; gives false if there is no memory.
    fn insert(&mut self, at: usize, chunk: Chunk) -> bool;

    /// Removes the chunk at `at`.
    fn remove(&mut self, at: usize);
}

/// Where the memory of chunks comes from.
pub(crate) trait Source {
    /// What can go wrong.
    type Error;

    /// Address of [`CHUNK_SIZE`] bytes, page aligned.
    fn reserve(&mut self) -> Result<u64, Self::Error>;

    /// Gives them back.
    fn release(&mut self, base: u64);

    /// The error for a lack of memory to keep account.
    fn no_memory(&self) -> Self::Error;
}

/// The pool.
///
/// # Invariants
///
/// Chunks are sorted by address and do not overlap.
pub(crate) struct Pool<S: Shelf> {
    chunks: S,
    /// Chunks that are kept although nothing in them is in use.
    keep: usize,
}

impl<S: Shelf> Pool<S> {
    /// A pool that keeps `keep` chunks once it has them.
    pub(crate) fn new(chunks: S, keep: usize) -> Self {
        Self { chunks, keep }
    }

    /// Makes sure that so many pages and cells can be taken.
    ///
    /// # Errors
    ///
    /// Those of `source`; chunks that were added stay until [`Pool::trim`].
    pub(crate) fn ensure<F: Source>(
        &mut self,
        pages: usize,
        cells: usize,
        source: &mut F,
    ) -> Result<(), F::Error> {
        let spare: usize = self.chunks.iter().map(Chunk::free_cells).sum();
        let pages = pages + cells.saturating_sub(spare).div_ceil(CELLS);
        let mut free: usize = self.chunks.iter().map(Chunk::free_pages).sum();
        while free < pages || self.chunks.len() < self.keep {
            let base = source.reserve()?;
            let at = self.chunks.partition_point(|c| c.base < base);
            if !self.chunks.insert(at, Chunk::new(base)) {
                source.release(base);
                return Err(source.no_memory());
            }
            free += PAGES;
        }
        Ok(())
    }

    /// Takes a table. `None` if there is none, which [`Pool::ensure`] rules out.
    pub(crate) fn take(&mut self, size: Size) -> Option<u64> {
        // Cells go to pages that have some already, so that other pages stay whole.
        let partly = |bits: u16| bits != 0 && bits != WHOLE;
        let (mut found, mut mask) = (None, WHOLE);
        if size == Size::Cell {
            found = self.find(partly);
        }
        let (chunk, page) = found.or_else(|| self.find(|bits| bits == 0))?;
        let chunk = self.chunks.get_mut(chunk)?;
        let used = chunk.used.get_mut(page)?;
        let cell = used.trailing_ones();
        if size == Size::Cell {
            mask = 1 << cell;
        }
        *used |= mask;
        *chunk.fresh.get_mut(page)? |= mask;
        // CAST: below 16.
        let cell = page * CELLS + cell as usize;
        *chunk.live.get_mut(cell)? = 0;
        Some(chunk.base + cell as u64 * BIG_TABLE_SIZE)
    }

    /// Everything that was taken is linked now.
    pub(crate) fn commit(&mut self) {
        for chunk in self.chunks.iter_mut() {
            chunk.fresh = [0; PAGES];
        }
    }

    /// Frees what was taken and not linked.
    pub(crate) fn abandon(&mut self) {
        for chunk in self.chunks.iter_mut() {
            for (used, fresh) in chunk.used.iter_mut().zip(&mut chunk.fresh) {
                *used &= !core::mem::take(fresh);
            }
        }
    }

    /// The table is no longer linked.
    pub(crate) fn doom(&mut self, table: u64, size: Size) {
        if let Some((chunk, cell)) = self.locate(table) {
            let mask = match size {
                Size::Page => WHOLE,
                Size::Cell => 1 << (cell % CELLS),
            };
            if let Some(doomed) = chunk.doomed.get_mut(cell / CELLS) {
                *doomed |= mask;
            }
        }
    }

    /// Frees the doomed tables: no TLB knows them any more.
    pub(crate) fn bury(&mut self) {
        for chunk in self.chunks.iter_mut() {
            for (used, doomed) in chunk.used.iter_mut().zip(&mut chunk.doomed) {
                *used &= !core::mem::take(doomed);
            }
        }
    }

    /// Gives back chunks of which nothing is in use, but for those that are kept.
    pub(crate) fn trim<F: Source>(&mut self, source: &mut F) {
        for at in (0..self.chunks.len()).rev() {
            if self.chunks.len() <= self.keep {
                return;
            }
            if let Some(chunk) = self.chunks.get(at).filter(|c| c.free_pages() == PAGES) {
                source.release(chunk.base);
                self.chunks.remove(at);
            }
        }
    }

    /// Gives everything back, whatever its state.
    pub(crate) fn clear<F: Source>(&mut self, source: &mut F) {
        while let Some(at) = self.chunks.len().checked_sub(1) {
            if let Some(chunk) = self.chunks.get(at) {
                source.release(chunk.base);
            }
            self.chunks.remove(at);
        }
    }

    /// Whether the table is one of this pool.
    pub(crate) fn owns(&self, table: u64) -> bool {
        self.index(table).is_some()
    }

    /// Number of entries in use of a table of this pool.
    pub(crate) fn live(&mut self, table: u64) -> Option<&mut u16> {
        let (chunk, cell) = self.locate(table)?;
        chunk.live.get_mut(cell)
    }

    /// Bytes of tables in use.
    pub(crate) fn used(&self) -> u64 {
        let cells: u32 = self
            .chunks
            .iter()
            .flat_map(|chunk| chunk.used.iter().map(|bits| bits.count_ones()))
            .sum();
        u64::from(cells) * BIG_TABLE_SIZE
    }

    /// Bytes of frame buffer that the pool holds.
    pub(crate) fn held(&self) -> u64 {
        // CAST: widening.
        self.chunks.len() as u64 * CHUNK_SIZE
    }

    fn find(&self, want: impl Fn(u16) -> bool) -> Option<(usize, usize)> {
        self.chunks.iter().enumerate().find_map(|(at, chunk)| {
            let page = chunk.used.iter().position(|&bits| want(bits))?;
            Some((at, page))
        })
    }

    fn index(&self, table: u64) -> Option<usize> {
        let at = self.chunks.partition_point(|c| c.base <= table);
        let at = at.checked_sub(1)?;
        let chunk = self.chunks.get(at)?;
        (table - chunk.base < CHUNK_SIZE).then_some(at)
    }

    fn locate(&mut self, table: u64) -> Option<(&mut Chunk, usize)> {
        let at = self.index(table)?;
        let chunk = self.chunks.get_mut(at)?;
        // CAST: the offset is below the size of a chunk.
        let cell = ((table - chunk.base) / BIG_TABLE_SIZE) as usize;
        Some((chunk, cell))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Shelf for Vec<Chunk> {
        fn insert(&mut self, at: usize, chunk: Chunk) -> bool {
            Vec::insert(self, at, chunk);
            true
        }
        fn remove(&mut self, at: usize) {
            Vec::remove(self, at);
        }
    }

    /// Hands out chunks from the top, as the driver does.
    struct Memory(Vec<u64>);

    impl Source for Memory {
        type Error = ();
        fn reserve(&mut self) -> Result<u64, ()> {
            self.0.pop().ok_or(())
        }
        fn release(&mut self, base: u64) {
            assert!(!self.0.contains(&base), "released twice");
            self.0.push(base);
        }
        fn no_memory(&self) {}
    }

    fn pool(chunks: u64, keep: usize) -> (Pool<Vec<Chunk>>, Memory) {
        let memory = Memory((0..chunks).map(|i| (i + 1) * 2 * CHUNK_SIZE).collect());
        (Pool::new(Vec::new(), keep), memory)
    }

    #[test]
    fn cells_share_pages() {
        let (mut p, mut m) = pool(2, 0);
        p.ensure(1, 17, &mut m).unwrap();
        let page = p.take(Size::Page).unwrap();
        let cells: Vec<u64> = (0..17).map(|_| p.take(Size::Cell).unwrap()).collect();
        assert_eq!(p.used(), PAGE_SIZE + 17 * BIG_TABLE_SIZE);
        assert!(cells.iter().all(|&c| c % BIG_TABLE_SIZE == 0 && c != page));
        assert_eq!(cells[15], cells[0] + 15 * BIG_TABLE_SIZE);
        assert_ne!(cells[16] & !(PAGE_SIZE - 1), cells[0]);
        // 15 cells are left in the second page of cells: no new page is needed for them.
        let before = p.held();
        p.ensure(29, 15, &mut m).unwrap();
        assert_eq!(p.held(), before);
        p.ensure(29, 16, &mut m).unwrap();
        assert_eq!(p.held(), before + CHUNK_SIZE);
    }

    #[test]
    fn doomed_tables_are_free_only_after_burial() {
        let (mut p, mut m) = pool(1, 0);
        p.ensure(PAGES, 0, &mut m).unwrap();
        let tables: Vec<u64> = (0..PAGES).map(|_| p.take(Size::Page).unwrap()).collect();
        assert_eq!(p.take(Size::Page), None);
        p.commit();
        p.doom(tables[3], Size::Page);
        assert_eq!(p.take(Size::Page), None);
        p.trim(&mut m);
        p.bury();
        assert_eq!(p.take(Size::Page), Some(tables[3]));
        p.abandon();
        assert_eq!(p.used(), CHUNK_SIZE - PAGE_SIZE);
        assert_eq!(p.held(), CHUNK_SIZE);
    }

    #[test]
    fn empty_chunks_go_back() {
        let (mut p, mut m) = pool(3, 1);
        p.ensure(0, 0, &mut m).unwrap();
        assert_eq!(p.held(), CHUNK_SIZE, "the one that is kept");
        p.ensure(2 * PAGES + 1, 0, &mut m).unwrap();
        assert_eq!(m.0.len(), 0);
        assert!(p.ensure(3 * PAGES + 1, 0, &mut m).is_err());
        let table = p.take(Size::Page).unwrap();
        p.commit();
        p.trim(&mut m);
        assert_eq!(p.held(), CHUNK_SIZE);
        assert!(p.owns(table));
        assert!(!p.owns(table + CHUNK_SIZE));
        p.doom(table, Size::Page);
        p.bury();
        p.trim(&mut m);
        assert_eq!((p.held(), p.used()), (CHUNK_SIZE, 0));
        p.clear(&mut m);
        assert_eq!(m.0.len(), 3);
    }

    #[test]
    fn entries_are_counted_per_table() {
        let (mut p, mut m) = pool(1, 0);
        p.ensure(0, 2, &mut m).unwrap();
        let (a, b) = (p.take(Size::Cell).unwrap(), p.take(Size::Cell).unwrap());
        *p.live(a).unwrap() += 3;
        assert_eq!(p.live(a), Some(&mut 3));
        assert_eq!(p.live(b), Some(&mut 0));
        assert_eq!(p.live(0), None);
        // Whoever takes the table next starts at zero.
        p.commit();
        p.doom(a, Size::Cell);
        p.bury();
        assert_eq!(p.take(Size::Cell), Some(a));
        assert_eq!(p.live(a), Some(&mut 0));
    }
}
