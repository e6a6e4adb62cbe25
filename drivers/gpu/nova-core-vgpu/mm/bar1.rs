// SPDX-License-Identifier: GPL-2.0

//! BAR1: windows of the CPU on frame buffer.
//!
//! ```text
//!   CPU  --> BAR1 base + va --> page tables --> frame buffer
//!                                 |
//!              root (PD3) owned by GSP-RM, its address is in the static info
//!                                 |
//!              tables below: GSP-RM's where it has some, else pages of our own pool
//! ```
//!
//! GSP-RM has bound the root and may use entries in it; whatever is there is followed or avoided,
//! never changed. A range of addresses that turns out to be GSP-RM's is taken out of the pool of
//! addresses for good.
//!
//! The pool of table pages is reserved once and bounds how much can be mapped; it never grows, so
//! that the accounting of frame buffer does not depend on what was mapped before.
//!
//! The owner keeps a [`Bar1`] under a mutex. That is also the lock of PRAMIN and of TLB
//! invalidation. No call waits for firmware.

use core::ops::Range;

use kernel::prelude::*;

use super::{
    pagetable::{
        HUGE_PAGE_SIZE,
        PAGE_SIZE, //
    },
    pramin::Pramin,
    tlb::{
        self,
        Reuse, //
    },
    walk::{
        self,
        TableMemory,
        WalkError, //
    },
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

/// Pages of the table pool: one for each of 256 slots of 2 MiB, and the directories above them.
const TABLES: u64 = 264;
/// Most mappings and foreign ranges at a time.
const MAX_RANGES: usize = 192;

/// Bytes of frame buffer that [`Bar1::new`] wants for tables.
pub(crate) const TABLE_BYTES: u64 = TABLES * PAGE_SIZE;

/// Whom a range of BAR1 addresses belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum VaOwner {
    /// A mapping of this driver.
    #[default]
    Mapping,
    /// GSP-RM had entries there.
    Firmware,
    /// A mapping whose removal failed: the TLBs may still know it.
    Stale,
}

/// State of BAR1.
pub(crate) struct Bar1 {
    root: u64,
    va: Ranges<VaOwner, KVVec<Span<VaOwner>>>,
    tables: Range<u64>,
    next_table: u64,
}

impl Bar1 {
    /// BAR1 of `len` bytes with its root directory at `root`; `tables` is [`TABLE_BYTES`] of frame
    /// buffer.
    ///
    /// # Errors
    ///
    /// `EINVAL` if BAR1 has no size or the root is not an address of a page, `ENOMEM`.
    pub(crate) fn new(len: u64, root: u64, tables: Range<u64>) -> Result<Self> {
        if root == 0 || root % PAGE_SIZE != 0 {
            return Err(EINVAL);
        }
        let table = KVVec::from_elem(Span::default(), MAX_RANGES, GFP_KERNEL)?;
        let mut va = Ranges::new(table);
        va.add_region(0, len).map_err(to_errno)?;
        Ok(Self {
            root,
            va,
            next_table: tables.start,
            tables,
        })
    }

    /// Maps `[phys, phys + len)` of frame buffer, multiples of 4 KiB, and returns the offset in
    /// BAR1 that shows it.
    ///
    /// # Errors
    ///
    /// `EINVAL` for a bad address, `ENOSPC` when the addresses or the tables are used up,
    /// `ETIMEDOUT` when the TLB does not answer.
    pub(crate) fn map(&mut self, bar: Bar0<'_>, phys: u64, len: u64) -> Result<u64> {
        let huge = len >= HUGE_PAGE_SIZE && phys % HUGE_PAGE_SIZE == 0;
        let request = Request {
            size: len,
            align: if huge { HUGE_PAGE_SIZE } else { PAGE_SIZE },
            fixed: None,
            top_down: false,
        };
        // Each turn takes addresses out of the pool, so this ends.
        loop {
            let range = self
                .va
                .reserve(&request, VaOwner::Mapping)
                .map_err(to_errno)?;
            let mut memory = self.memory(bar);
            let result = walk::map(&mut memory, self.root, range.start, phys, len);
            memory.pramin.flush()?;
            self.next_table = memory.next_table;
            match result {
                Ok(()) => {
                    return match tlb::invalidate(bar, self.root, Reuse::No) {
                        Ok(()) => Ok(range.start),
                        Err(e) => {
                            let _ = self.unmap(bar, range.start, phys, len);
                            Err(e)
                        }
                    };
                }
                Err(WalkError::Occupied { va, len }) => {
                    self.va.release(&range).map_err(to_errno)?;
                    self.avoid(va, len)?;
                }
                Err(e) => {
                    self.va.release(&range).map_err(to_errno)?;
                    return Err(walk_errno(e));
                }
            }
        }
    }

    /// Removes a mapping that [`Bar1::map`] made with the same arguments.
    ///
    /// # Errors
    ///
    /// `EIO` if an entry was not what had been written, `ETIMEDOUT` when the TLB does not answer.
    /// The addresses stay out of use then.
    pub(crate) fn unmap(&mut self, bar: Bar0<'_>, va: u64, phys: u64, len: u64) -> Result {
        let range = va..va + len;
        let mut memory = self.memory(bar);
        let cleared = walk::unmap(&mut memory, self.root, va, phys, len).map_err(walk_errno);
        memory.pramin.flush()?;
        let result = cleared.and(tlb::invalidate(bar, self.root, Reuse::Yes));
        match result {
            Ok(()) => self.va.release(&range).map(|_| ()).map_err(to_errno),
            Err(e) => {
                self.va.set_owner(&range, VaOwner::Stale);
                Err(e)
            }
        }
    }

    /// Number of mappings of this driver.
    pub(crate) fn mappings(&self) -> usize {
        self.count(VaOwner::Mapping)
    }

    /// Number of address ranges that belong to GSP-RM or could not be unmapped.
    pub(crate) fn unusable(&self) -> usize {
        self.count(VaOwner::Firmware) + self.count(VaOwner::Stale)
    }

    fn count(&self, owner: VaOwner) -> usize {
        self.va.live().filter(|s| s.owner == owner).count()
    }

    /// Takes addresses that somebody else uses out of the pool: the whole 2 MiB around them unless
    /// we have a mapping there too.
    fn avoid(&mut self, va: u64, len: u64) -> Result {
        let wide = va & !(HUGE_PAGE_SIZE - 1);
        let wide_end = (va + len).next_multiple_of(HUGE_PAGE_SIZE);
        for (start, end) in [(wide, wide_end), (va, va + len)] {
            let end = end.min(self.va.total());
            let request = Request {
                size: end.saturating_sub(start),
                align: PAGE_SIZE,
                fixed: Some(start),
                top_down: false,
            };
            if self.va.reserve(&request, VaOwner::Firmware).is_ok() {
                return Ok(());
            }
        }
        Err(ENOSPC)
    }

    fn memory<'a>(&self, bar: Bar0<'a>) -> Tables<'a> {
        Tables {
            pramin: Pramin::new(bar),
            next_table: self.next_table,
            end: self.tables.end,
        }
    }
}

fn walk_errno(e: WalkError<Error>) -> Error {
    match e {
        WalkError::Occupied { .. } => EBUSY,
        WalkError::Address => EINVAL,
        WalkError::Mismatch { .. } => EIO,
        WalkError::Memory(e) => e,
    }
}

/// Table memory as the walker wants it.
struct Tables<'a> {
    pramin: Pramin<'a>,
    next_table: u64,
    end: u64,
}

impl TableMemory for Tables<'_> {
    type Error = Error;

    fn read64(&mut self, address: u64) -> Result<u64> {
        self.pramin.read64(address)
    }

    fn write64(&mut self, address: u64, value: u64) -> Result {
        self.pramin.write64(address, value)
    }

    fn new_table(&mut self) -> Result<u64> {
        if self.next_table >= self.end {
            return Err(ENOSPC);
        }
        let table = self.next_table;
        self.pramin.zero(table, PAGE_SIZE)?;
        self.next_table += PAGE_SIZE;
        Ok(table)
    }
}
