// SPDX-License-Identifier: GPL-2.0

//! Mapping and unmapping in a page-table tree that somebody else also uses.
//!
//! The root of BAR1 belongs to GSP-RM, which may already have entries in it. So every entry met on
//! the way down is read first:
//!
//! ```text
//!   entry   0                    -> ours to fill: new zeroed table, or the leaf itself
//!           table in video mem   -> follow, whoever made it
//!           anything else        -> Occupied: the caller marks that VA as not ours, tries elsewhere
//! ```
//!
//! [`prepare`] does all reading and all allocation for one 2 MiB slot, so that writing the leaves
//! afterwards cannot run out of memory. Tables are never unlinked: they are empty after [`unmap`]
//! and are found again by the next mapping.
//!
//! Pure: also compiled on the host by `tools/testing/host-tests`.

use super::pagetable::{
    decode_pde,
    encode_pde,
    encode_pte,
    is_leaf,
    maps,
    Entry,
    Level,
    HUGE_PAGE_SIZE,
    PAGE_SIZE,
    PD0,
    PD1,
    PD2,
    PD3,
    PT, //
};

/// Video memory as the walker sees it.
pub(crate) trait TableMemory {
    /// What can go wrong with an access or an allocation.
    type Error;

    /// Reads the qword at `address`.
    fn read64(&mut self, address: u64) -> Result<u64, Self::Error>;

    /// Writes the qword at `address`. Both halves must never be visible in part with bit 0 set.
    fn write64(&mut self, address: u64, value: u64) -> Result<(), Self::Error>;

    /// A new page-aligned table of [`PAGE_SIZE`] bytes, filled with zeroes.
    fn new_table(&mut self) -> Result<u64, Self::Error>;
}

/// Why a mapping was not made.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum WalkError<E> {
    /// `[va, va + len)` has an entry that is not ours.
    Occupied {
        /// First address that cannot be used.
        va: u64,
        /// Bytes that cannot be used.
        len: u64,
    },
    /// The address is misaligned or too large for an entry.
    Address,
    /// Unmapping met an entry that this range was not mapped with.
    Mismatch {
        /// The address whose entry differs.
        va: u64,
    },
    /// Access to the table memory failed.
    Memory(E),
}

impl<E> From<E> for WalkError<E> {
    fn from(e: E) -> Self {
        WalkError::Memory(e)
    }
}

/// Where the leaves of one 2 MiB slot go.
enum Slot {
    /// One leaf, at this address in PD0.
    Huge(u64),
    /// The table of 4 KiB pages at this address.
    Small(u64),
}

/// Maps `[phys, phys + len)` at `va` below the root directory `root`, read-write, kind 0.
///
/// All three values are multiples of [`PAGE_SIZE`]. Leaves of 2 MiB are used where both addresses
/// allow it. On error nothing of the range is mapped (new empty tables may remain), except that a
/// failing memory access in the middle leaves what was written. The caller invalidates the TLB in
/// every case, because an invalid entry may be cached too.
pub(crate) fn map<M: TableMemory>(
    memory: &mut M,
    root: u64,
    va: u64,
    phys: u64,
    len: u64,
) -> Result<(), WalkError<M::Error>> {
    if (va | phys | len) % PAGE_SIZE != 0 || va.checked_add(len).is_none() {
        return Err(WalkError::Address);
    }
    // First pass: check every place and make the tables. Nothing is reachable through them yet.
    for (at, slot_len) in slots(va, len) {
        let from = phys + (at - va);
        encode_pte(from + slot_len - PAGE_SIZE, PAGE_SIZE, 0, false).ok_or(WalkError::Address)?;
        let huge = wants_huge(at, from, slot_len);
        if let Slot::Small(table) = prepare(memory, root, at, huge)? {
            for page in pages(at, slot_len) {
                if memory.read64(table + PT.offset(page))? != 0 {
                    return Err(WalkError::Occupied {
                        va: page,
                        len: PAGE_SIZE,
                    });
                }
            }
        }
    }
    // Second pass: write the leaves.
    for (at, slot_len) in slots(va, len) {
        let from = phys + (at - va);
        match prepare(memory, root, at, wants_huge(at, from, slot_len))? {
            Slot::Huge(entry) => {
                let leaf = encode_pte(from, HUGE_PAGE_SIZE, 0, false).ok_or(WalkError::Address)?;
                memory.write64(entry, leaf)?;
            }
            Slot::Small(table) => {
                for page in pages(at, slot_len) {
                    let leaf = encode_pte(phys + (page - va), PAGE_SIZE, 0, false)
                        .ok_or(WalkError::Address)?;
                    memory.write64(table + PT.offset(page), leaf)?;
                }
            }
        }
    }
    Ok(())
}

/// Clears the leaves that [`map`] wrote with the same arguments.
///
/// An entry that does not map what it should is left alone and reported after everything else is
/// cleared: somebody else has changed the tree.
pub(crate) fn unmap<M: TableMemory>(
    memory: &mut M,
    root: u64,
    va: u64,
    phys: u64,
    len: u64,
) -> Result<(), WalkError<M::Error>> {
    let mut result = Ok(());
    for (at, slot_len) in slots(va, len) {
        let Some(pd0) = descend(memory, root, at)? else {
            result = Err(WalkError::Mismatch { va: at });
            continue;
        };
        let entry = pd0 + PD0.offset(at);
        let low = memory.read64(entry)?;
        if is_leaf(low) {
            if maps(low, phys + (at - va)) && slot_len == HUGE_PAGE_SIZE {
                memory.write64(entry, 0)?;
            } else {
                result = Err(WalkError::Mismatch { va: at });
            }
            continue;
        }
        let Entry::Table(table) = decode_pde(memory.read64(entry + 8)?) else {
            result = Err(WalkError::Mismatch { va: at });
            continue;
        };
        for page in pages(at, slot_len) {
            let pte = table + PT.offset(page);
            if maps(memory.read64(pte)?, phys + (page - va)) {
                memory.write64(pte, 0)?;
            } else {
                result = Err(WalkError::Mismatch { va: page });
            }
        }
    }
    result
}

/// Splits a range at 2 MiB boundaries: (address, length) of each piece.
fn slots(va: u64, len: u64) -> impl Iterator<Item = (u64, u64)> {
    let end = va + len;
    let mut at = va;
    core::iter::from_fn(move || {
        if at >= end {
            return None;
        }
        let next = (at / HUGE_PAGE_SIZE + 1) * HUGE_PAGE_SIZE;
        let piece = (at, next.min(end) - at);
        at += piece.1;
        Some(piece)
    })
}

/// Addresses of the small pages of a piece.
fn pages(va: u64, len: u64) -> impl Iterator<Item = u64> {
    (0..len / PAGE_SIZE).map(move |i| va + i * PAGE_SIZE)
}

fn wants_huge(va: u64, phys: u64, len: u64) -> bool {
    len == HUGE_PAGE_SIZE && (va | phys) % HUGE_PAGE_SIZE == 0
}

/// Finds PD0 for `va` without changing anything; `None` if a directory is missing.
fn descend<M: TableMemory>(
    memory: &mut M,
    root: u64,
    va: u64,
) -> Result<Option<u64>, WalkError<M::Error>> {
    let mut table = root;
    for level in [PD3, PD2, PD1] {
        match decode_pde(memory.read64(table + level.offset(va))?) {
            Entry::Table(next) => table = next,
            Entry::Free | Entry::Taken => return Ok(None),
        }
    }
    Ok(Some(table))
}

/// Follows or creates one pointer.
fn follow<M: TableMemory>(
    memory: &mut M,
    entry: u64,
    level: Level,
    va: u64,
) -> Result<u64, WalkError<M::Error>> {
    match decode_pde(memory.read64(entry)?) {
        Entry::Table(next) => Ok(next),
        Entry::Taken => Err(WalkError::Occupied {
            va: va & !(level.span() - 1),
            len: level.span(),
        }),
        Entry::Free => {
            let next = memory.new_table()?;
            let pde = encode_pde(next).ok_or(WalkError::Address)?;
            memory.write64(entry, pde)?;
            Ok(next)
        }
    }
}

/// Makes every table needed for the 2 MiB slot of `va`.
fn prepare<M: TableMemory>(
    memory: &mut M,
    root: u64,
    va: u64,
    huge: bool,
) -> Result<Slot, WalkError<M::Error>> {
    let mut table = root;
    for level in [PD3, PD2, PD1] {
        table = follow(memory, table + level.offset(va), level, va)?;
    }
    let entry = table + PD0.offset(va);
    // The low qword is a leaf, or the table of 64 KiB pages, which the MMU asks before the small
    // one. This driver makes no such tables, so whatever is there is not ours.
    if memory.read64(entry)? != 0 {
        return Err(WalkError::Occupied {
            va: va & !(PD0.span() - 1),
            len: PD0.span(),
        });
    }
    if huge && memory.read64(entry + 8)? == 0 {
        return Ok(Slot::Huge(entry));
    }
    Ok(Slot::Small(follow(memory, entry + 8, PD0, va)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    const ROOT: u64 = 0x10_0000;
    const M: u64 = 1 << 20;

    /// Sparse memory; unknown qwords are poison until a table is made over them.
    struct Fake {
        words: BTreeMap<u64, u64>,
        next: u64,
        left: u32,
    }

    impl Fake {
        fn new() -> Self {
            let mut fake = Fake {
                words: BTreeMap::new(),
                next: 0x20_0000,
                left: 100,
            };
            for i in 0..4 {
                fake.words.insert(ROOT + 8 * i, 0);
            }
            fake
        }

        /// Translates the way the hardware does.
        fn translate(&self, va: u64) -> Option<u64> {
            let get = |a: u64| self.words[&a];
            let mut table = ROOT;
            for level in [PD3, PD2, PD1] {
                let raw = get(table + level.offset(va));
                if level == PD1 && raw & 1 == 1 {
                    return Some(((raw & 0x1_ffff_ff00) << 4) + (va & (level.span() - 1)));
                }
                if raw >> 1 & 3 != 1 {
                    return None;
                }
                table = (raw & 0x1_ffff_ff00) << 4;
            }
            let low = get(table + PD0.offset(va));
            if low & 1 == 1 {
                return Some(((low & 0x1_ffff_ff00) << 4) + (va & (HUGE_PAGE_SIZE - 1)));
            }
            let high = get(table + PD0.offset(va) + 8);
            if high == 0 {
                return None;
            }
            let pte = get(((high & 0x1_ffff_ff00) << 4) + PT.offset(va));
            (pte & 1 == 1).then_some(((pte & 0x1_ffff_ff00) << 4) + (va & (PAGE_SIZE - 1)))
        }
    }

    #[derive(Debug, PartialEq, Eq)]
    struct NoTable;

    impl TableMemory for Fake {
        type Error = NoTable;
        fn read64(&mut self, address: u64) -> Result<u64, NoTable> {
            Ok(*self
                .words
                .get(&address)
                .expect("read of uninitialised table memory"))
        }
        fn write64(&mut self, address: u64, value: u64) -> Result<(), NoTable> {
            self.words.insert(address, value);
            Ok(())
        }
        fn new_table(&mut self) -> Result<u64, NoTable> {
            self.left = self.left.checked_sub(1).ok_or(NoTable)?;
            let table = self.next;
            self.next += PAGE_SIZE;
            for i in 0..512 {
                self.words.insert(table + 8 * i, 0);
            }
            Ok(table)
        }
    }

    #[test]
    fn maps_and_unmaps_small_pages() {
        let mut m = Fake::new();
        let (va, phys, len) = (0x1f_f000, 0x7_1234_5000, 0x20_2000);
        map(&mut m, ROOT, va, phys, len).unwrap();
        for off in (0..len).step_by(4096) {
            assert_eq!(m.translate(va + off), Some(phys + off));
        }
        assert_eq!(m.translate(va - 1), None);
        assert_eq!(m.translate(va + len), None);
        unmap(&mut m, ROOT, va, phys, len).unwrap();
        for off in (0..len).step_by(4096) {
            assert_eq!(m.translate(va + off), None);
        }
    }

    #[test]
    fn uses_huge_leaves_where_both_sides_are_aligned() {
        let mut m = Fake::new();
        let before = m.left;
        map(&mut m, ROOT, 4 * M, 64 * M, 6 * M).unwrap();
        assert_eq!(before - m.left, 3, "PD2, PD1 and PD0 but no page table");
        for off in (0..6 * M).step_by(4096) {
            assert_eq!(m.translate(4 * M + off), Some(64 * M + off));
        }
        unmap(&mut m, ROOT, 4 * M, 64 * M, 6 * M).unwrap();
        assert_eq!(m.translate(4 * M), None);
        // A tail that is no multiple of 2 MiB falls back to small pages for itself.
        map(&mut m, ROOT, 4 * M, 64 * M, 2 * M + 0x74000).unwrap();
        assert_eq!(m.translate(6 * M + 0x73fff), Some(66 * M + 0x73fff));
        assert_eq!(m.translate(6 * M + 0x74000), None);
    }

    #[test]
    fn a_slot_with_a_page_table_keeps_using_it() {
        let mut m = Fake::new();
        map(&mut m, ROOT, 0, 0x5000, 0x3000).unwrap();
        unmap(&mut m, ROOT, 0, 0x5000, 0x3000).unwrap();
        map(&mut m, ROOT, 0, 2 * M, 2 * M).unwrap();
        assert_eq!(m.translate(0x12_3456), Some(2 * M + 0x12_3456));
        unmap(&mut m, ROOT, 0, 2 * M, 2 * M).unwrap();
        assert_eq!(m.translate(0), None);
    }

    #[test]
    fn entries_of_others_are_respected() {
        // A 2 MiB leaf, a big table, a sparse PD1 slot and a system-memory table, each in the way.
        for (level, raw, high) in [
            (PD0, 0x0400_0001u64, 0u64),
            (PD0, 0x412, 0),
            (PD0, 0, 0x1000_000c),
            (PD1, 0x8, 0),
            (PD1, 0x0400_0001, 0),
        ] {
            let mut m = Fake::new();
            let va = 600 * M;
            map(&mut m, ROOT, va, 0, PAGE_SIZE).unwrap();
            unmap(&mut m, ROOT, va, 0, PAGE_SIZE).unwrap();
            let mut table = ROOT;
            for l in [PD3, PD2, PD1] {
                let Entry::Table(next) = decode_pde(m.words[&(table + l.offset(va))]) else {
                    panic!()
                };
                if l == level {
                    break;
                }
                table = next;
            }
            let entry = table + level.offset(va);
            m.words.insert(entry, raw);
            if level == PD0 {
                m.words.insert(entry + 8, high);
            }
            let image = m.words.clone();
            assert_eq!(
                map(&mut m, ROOT, va + PAGE_SIZE, 0x8000, PAGE_SIZE),
                Err(WalkError::Occupied {
                    va: va & !(level.span() - 1),
                    len: level.span()
                })
            );
            assert_eq!(m.words, image, "nothing was written");
        }
    }

    #[test]
    fn a_live_page_is_not_overwritten() {
        let mut m = Fake::new();
        map(&mut m, ROOT, 0x3000, 0x9000, PAGE_SIZE).unwrap();
        assert_eq!(
            map(&mut m, ROOT, 0, 0x10_0000, 0x8000),
            Err(WalkError::Occupied {
                va: 0x3000,
                len: PAGE_SIZE
            })
        );
        assert_eq!(m.translate(0x3000), Some(0x9000));
        assert_eq!(
            m.translate(0x2000),
            None,
            "nothing of the refused range is mapped"
        );
    }

    #[test]
    fn unmap_touches_only_its_own_leaves() {
        let mut m = Fake::new();
        map(&mut m, ROOT, 0, 0x10_0000, 0x3000).unwrap();
        assert_eq!(
            unmap(&mut m, ROOT, 0, 0x20_0000, 0x3000),
            Err(WalkError::Mismatch { va: 0x2000 })
        );
        assert_eq!(m.translate(0x1000), Some(0x10_1000));
        assert_eq!(
            unmap(&mut m, ROOT, 600 * M, 0, 0x1000),
            Err(WalkError::Mismatch { va: 600 * M })
        );
    }

    #[test]
    fn bad_addresses_and_exhaustion() {
        let mut m = Fake::new();
        assert_eq!(map(&mut m, ROOT, 1, 0, 4096), Err(WalkError::Address));
        assert_eq!(map(&mut m, ROOT, 0, 1 << 37, 4096), Err(WalkError::Address));
        m.left = 2;
        assert_eq!(
            map(&mut m, ROOT, 0, 0, 4096),
            Err(WalkError::Memory(NoTable))
        );
        m.left = 10;
        map(&mut m, ROOT, 0, 0x7000, 4096).unwrap();
        assert_eq!(m.translate(0x123), Some(0x7123));
    }
}
