// SPDX-License-Identifier: GPL-2.0

//! Writing the entries of a mapping.
//!
//! ```text
//!   linked table --- entry ---> linked table          write(): only the entries of the mapping
//!        |                        |
//!      entry 0                  leaf
//!        v
//!   new table -- entries in order, zero or not        build(): each entry once
//!        |
//!   new table of leaves                               build_leaves()
//! ```
//!
//! A new table is complete, with all that is below it, before the one entry is written that makes
//! it reachable. Nothing here allocates: the pool has been filled before.
//!
//! Pure: also compiled on the host by `tools/testing/host-tests`.

use core::ops::Range;

use super::{
    half::Half,
    pagetable::{
        decode_pde,
        encode_pde,
        Aperture,
        Entry,
        PageSize,
        PD0, //
    },
    pool::{
        Shelf,
        Size, //
    },
    shape::{
        pieces,
        Job,
        Place, //
    },
    walk::{
        TableMemory,
        Tree,
        WalkError,
        DIRECTORIES, //
    },
};

impl<S: Shelf> Tree<S> {
    /// Writes the leaves for `range` below a table that is linked. What is before `until` is
    /// reachable on return.
    pub(super) fn write<M: TableMemory>(
        &mut self,
        memory: &mut M,
        job: &Job<'_>,
        depth: usize,
        table: u64,
        range: Range<u64>,
        until: &mut u64,
    ) -> Result<(), WalkError<M::Error>> {
        let level = DIRECTORIES[depth];
        for piece in pieces(range, level.span()) {
            let entry = table + level.offset(piece.start);
            let changed = WalkError::Mismatch { va: piece.start };
            match job.shape().place(&level, &piece) {
                Place::Leaf => {
                    let leaf = job.leaf(piece.start, PageSize::Huge).ok_or(changed)?;
                    memory.write64(entry, leaf)?;
                    self.add(table, 1);
                }
                Place::Directory => match decode_pde(memory.read64(entry)?) {
                    Entry::Free => {
                        let new = self.build(memory, job, depth + 1, piece.clone())?;
                        self.link(memory, table, entry, encode_pde(Aperture::Video, new))?;
                    }
                    Entry::Table(Aperture::Video, next) => {
                        self.write(memory, job, depth + 1, next, piece.clone(), until)?;
                    }
                    Entry::Table(Aperture::System, _) | Entry::Taken => return Err(changed),
                },
                Place::Table(half) => match self.table(memory, entry, half)?.ok_or(changed)? {
                    None => {
                        let new = self.build_leaves(memory, job, half, piece.clone())?;
                        self.link(memory, table, entry + half.offset(), half.encode(new))?;
                    }
                    Some(leaves) => {
                        let level = half.level();
                        for page in pieces(piece.clone(), level.span()) {
                            let leaf = job
                                .leaf(page.start, half.page_size())
                                .ok_or(WalkError::Mismatch { va: page.start })?;
                            memory.write64(leaves + level.offset(page.start), leaf)?;
                            self.add(leaves, 1);
                            *until = page.end;
                        }
                    }
                },
            }
            *until = piece.end;
        }
        Ok(())
    }

    /// Makes the directory at `depth` with everything below it that `range` takes.
    fn build<M: TableMemory>(
        &mut self,
        memory: &mut M,
        job: &Job<'_>,
        depth: usize,
        range: Range<u64>,
    ) -> Result<u64, WalkError<M::Error>> {
        let failed = || WalkError::Mismatch { va: range.start };
        let level = DIRECTORIES[depth];
        let table = self.pool.take(Size::Page).ok_or_else(failed)?;
        let base = range.start & !(level.span() * level.entries() - 1);
        for index in 0..level.entries() {
            let start = (base + index * level.span()).max(range.start);
            let end = (base + (index + 1) * level.span()).min(range.end);
            let (mut low, mut high) = (0, 0);
            if start < end {
                let piece = start..end;
                match job.shape().place(&level, &piece) {
                    Place::Leaf => low = job.leaf(start, PageSize::Huge).ok_or_else(failed)?,
                    Place::Directory => {
                        let next = self.build(memory, job, depth + 1, piece)?;
                        low = encode_pde(Aperture::Video, next).ok_or_else(failed)?;
                    }
                    Place::Table(half) => {
                        let next = self.build_leaves(memory, job, half, piece)?;
                        let pointer = half.encode(next).ok_or_else(failed)?;
                        match half {
                            Half::Big => low = pointer,
                            Half::Small => high = pointer,
                        }
                    }
                }
                self.add(table, 1);
            }
            let entry = table + index * level.entry_size;
            memory.init64(entry, low)?;
            if level == PD0 {
                memory.init64(entry + 8, high)?;
            }
        }
        Ok(table)
    }

    /// Makes a table of leaves.
    fn build_leaves<M: TableMemory>(
        &mut self,
        memory: &mut M,
        job: &Job<'_>,
        half: Half,
        range: Range<u64>,
    ) -> Result<u64, WalkError<M::Error>> {
        let failed = || WalkError::Mismatch { va: range.start };
        let level = half.level();
        let table = self.pool.take(half.size()).ok_or_else(failed)?;
        let base = range.start & !(PD0.span() - 1);
        for index in 0..level.entries() {
            let va = base + index * level.span();
            let mut leaf = 0;
            if range.contains(&va) {
                leaf = job.leaf(va, half.page_size()).ok_or_else(failed)?;
                self.add(table, 1);
            }
            memory.init64(table + index * level.entry_size, leaf)?;
        }
        Ok(table)
    }

    /// Links a table that is complete.
    fn link<M: TableMemory>(
        &mut self,
        memory: &mut M,
        table: u64,
        entry: u64,
        pointer: Option<u64>,
    ) -> Result<(), WalkError<M::Error>> {
        memory.write64(entry, pointer.ok_or(WalkError::Mismatch { va: 0 })?)?;
        self.pool.commit();
        self.add(table, 1);
        Ok(())
    }
}
