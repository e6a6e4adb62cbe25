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
#[path = "pool/tests.rs"]
mod tests;
