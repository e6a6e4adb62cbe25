// SPDX-License-Identifier: GPL-2.0

//! Where the memory of page tables comes from, and where account of it is kept.
//!
//! ```text
//!   pool::Source   chunks of frame buffer, owned by the PF, from the top down
//!   pool::Shelf    a vector that may fail to grow
//! ```

use kernel::prelude::*;

use super::{
    pagetable::PAGE_SIZE,
    pool::{
        Chunk,
        Shelf,
        Source,
        CHUNK_SIZE, //
    },
    Mm, //
};
use crate::fb::manager::{
    FbOwner,
    FbRequest, //
};

/// Frame buffer for tables.
pub(super) struct TableFb<'a>(pub(super) &'a Mm);

impl Source for TableFb<'_> {
    type Error = Error;

    fn reserve(&mut self) -> Result<u64> {
        let request = FbRequest {
            size: CHUNK_SIZE,
            align: PAGE_SIZE,
            fixed: None,
            top_down: true,
            owner: FbOwner::Pf,
        };
        let range = self.0.fb.lock().reserve(self.0.dev(), &request)?;
        Ok(range.start)
    }

    fn release(&mut self, base: u64) {
        self.0
            .fb
            .lock()
            .release(self.0.dev(), &(base..base + CHUNK_SIZE));
    }

    fn no_memory(&self) -> Error {
        ENOMEM
    }
}

impl Shelf for KVVec<Chunk> {
    fn insert(&mut self, at: usize, chunk: Chunk) -> bool {
        self.reserve(1, GFP_KERNEL).is_ok() && self.insert_within_capacity(at, chunk).is_ok()
    }

    fn remove(&mut self, at: usize) {
        let _ = KVVec::remove(self, at);
    }
}
