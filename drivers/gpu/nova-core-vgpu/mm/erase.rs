// SPDX-License-Identifier: GPL-2.0

//! Clearing the entries of a mapping.
//!
//! ```text
//!   leaves 0 0 0 x x   others remain    -> clear ours
//!   leaves 0 0 0 0 0   none remain      -> unlink the table, and its parent if that was its last
//! ```
//!
//! Unlinked tables go to the pool as doomed: the TLBs may still know them.
//!
//! Pure: also compiled on the host by `tools/testing/host-tests`.

use core::ops::Range;

use super::{
    half::Half,
    pagetable::{
        decode_pde,
        is_leaf,
        Aperture,
        Entry, //
    },
    pool::{
        Shelf,
        Size, //
    },
    shape::{
        pieces,
        Place,
        Shape, //
    },
    walk::{
        TableMemory,
        Tree,
        DIRECTORIES, //
    },
};

impl<S: Shelf> Tree<S> {
    /// Clears the leaves for `range` before `until` below `table`, and unlinks tables that are
    /// empty then. Gives the first address whose entries are not what was written there.
    pub(super) fn erase<M: TableMemory>(
        &mut self,
        memory: &mut M,
        shape: Shape,
        depth: usize,
        table: u64,
        range: Range<u64>,
        until: u64,
    ) -> Result<Option<u64>, M::Error> {
        let level = DIRECTORIES[depth];
        let ours = self.pool.owns(table);
        let mut mismatch = None;
        for piece in pieces(range, level.span()) {
            if piece.start >= until {
                break;
            }
            let entry = table + level.offset(piece.start);
            let start = piece.start;
            let found = match shape.place(&level, &piece) {
                Place::Leaf if ours || is_leaf(memory.read64(entry)?) => {
                    memory.write64(entry, 0)?;
                    self.remove(table, 1);
                    None
                }
                Place::Leaf => Some(start),
                Place::Directory => match decode_pde(memory.read64(entry)?) {
                    Entry::Table(Aperture::Video, next) => {
                        let found = self.erase(memory, shape, depth + 1, next, piece, until)?;
                        if self.pool.live(next).is_some_and(|live| *live == 0) {
                            memory.write64(entry, 0)?;
                            self.pool.doom(next, Size::Page);
                            self.remove(table, 1);
                        }
                        found
                    }
                    Entry::Table(Aperture::System, _) | Entry::Free | Entry::Taken => Some(start),
                },
                Place::Table(half) => match self.table(memory, entry, half)? {
                    Some(Some(leaves)) => {
                        let end = piece.end.min(until);
                        self.erase_leaves(memory, half, leaves, start..end)?;
                        if self.pool.live(leaves).is_some_and(|live| *live == 0) {
                            memory.write64(entry + half.offset(), 0)?;
                            self.pool.doom(leaves, half.size());
                            self.remove(table, 1);
                        }
                        None
                    }
                    Some(None) | None => Some(start),
                },
            };
            mismatch = mismatch.or(found);
        }
        Ok(mismatch)
    }

    /// Clears leaves, unless the table has no others: it gets unlinked then.
    fn erase_leaves<M: TableMemory>(
        &mut self,
        memory: &mut M,
        half: Half,
        table: u64,
        range: Range<u64>,
    ) -> Result<(), M::Error> {
        let level = half.level();
        let leaves = (range.end - range.start) / level.span();
        if self
            .pool
            .live(table)
            .is_some_and(|live| u64::from(*live) != leaves)
        {
            for page in pieces(range, level.span()) {
                memory.write64(table + level.offset(page.start), 0)?;
            }
        }
        // CAST: at most 512.
        self.remove(table, leaves as u16);
        Ok(())
    }
}
