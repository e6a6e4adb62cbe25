// SPDX-License-Identifier: GPL-2.0

//! Page-table walk of the version 2 GMMU (Pascal to Ada).
//!
//! ```text
//! VA 48:47 PD3 (4 x 8) -> 46:38 PD2 -> 37:29 PD1 -> 28:21 PD0 (256 x 16)
//!                                       | leaf        | leaf   |-> big   20:16
//!                                       512 MiB       2 MiB    '-> small 20:12
//! ```
//!
//! Entry formats: OGKM 570.144, pascal/gp100/dev_mmu.h. A big PTE that is
//! plainly invalid falls through to the small table; with the privilege bit set
//! it does not. Bit 3 alone, with no aperture, marks a sparse range.

pub mod tlb;

/// Memory an entry points to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Aperture {
    /// Video memory of the board.
    Video,
    /// System memory.
    System,
}

/// Result of a walk that ended at a mapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// Memory behind the address.
    Memory {
        /// Where it is.
        aperture: Aperture,
        /// Byte address.
        addr: u64,
        /// Writes are not allowed.
        read_only: bool,
        /// Bytes this mapping covers.
        leaf: u64,
    },
    /// Sparse: reads give zero, writes are dropped.
    Sparse,
}

/// Why a walk failed; numbers are the hardware's fault types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A directory entry is invalid.
    Pde = 0,
    /// A leaf where a directory is required.
    PdeSize = 1,
    /// A page-table entry is invalid.
    Pte = 2,
    /// Virtual address beyond 49 bits.
    VaLimit = 3,
    /// No root directory.
    UnboundInstance = 4,
    /// Write to a read-only page.
    ReadOnly = 6,
    /// Aperture not supported (peer).
    Aperture = 10,
    /// Kind 7 is invalid.
    Kind = 12,
    /// A table, or the frame of a leaf, is not in memory or misaligned.
    Region = 13,
}

/// Where page tables are read from.
pub trait Tables {
    /// The 8 bytes at `addr`; `None` when nothing is there.
    fn read(&self, aperture: Aperture, addr: u64) -> Option<u64>;
}

const VA_BITS: u32 = 49;
const PAGE_4K: u64 = 1 << 12;
const PAGE_64K: u64 = 1 << 16;
const PAGE_2M: u64 = 1 << 21;
const PAGE_512M: u64 = 1 << 29;
/// Bytes below one entry of PD2 and of PD3.
const PD2_SLOT: u64 = 1 << 38;
const PD3_SLOT: u64 = 1 << 47;

const BIT_LEAF: u64 = 1 << 0;
const BIT_VOLATILE: u64 = 1 << 3;
const BIT_PRIVILEGE: u64 = 1 << 5;
const BIT_READ_ONLY: u64 = 1 << 6;

/// Bits `high:low` of `v`.
fn bits(v: u64, high: u32, low: u32) -> u64 {
    v >> low & (u64::MAX >> (63 - (high - low)))
}

/// Aperture code of a directory entry; `None` when invalid.
fn pde_aperture(v: u64) -> Option<Aperture> {
    match bits(v, 2, 1) {
        0 => None,
        1 => Some(Aperture::Video),
        _ => Some(Aperture::System),
    }
}

/// Table address of a directory entry whose address field starts at bit 8.
fn pde_addr(v: u64, a: Aperture) -> u64 {
    match a {
        Aperture::Video => bits(v, 32, 8) << 12,
        Aperture::System => bits(v, 53, 8) << 12,
    }
}

/// Address of the big table, which is 256-byte aligned.
fn big_addr(v: u64, a: Aperture) -> u64 {
    match a {
        Aperture::Video => bits(v, 32, 4) << 8,
        Aperture::System => bits(v, 53, 4) << 8,
    }
}

/// A mapping that a walk ended at, and what it covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leaf {
    /// First virtual address.
    pub va: u64,
    /// Bytes.
    pub size: u64,
    /// What is behind `va`.
    pub target: Target,
}

impl Leaf {
    /// What is behind `va`, which lies in the leaf.
    pub fn at(&self, va: u64) -> Target {
        match self.target {
            Target::Memory {
                aperture,
                addr,
                read_only,
                leaf,
            } => Target::Memory {
                aperture,
                addr: addr + (va - self.va),
                read_only,
                leaf,
            },
            Target::Sparse => Target::Sparse,
        }
    }
}

/// Something a walk came across that a referee wants to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Note {
    /// An entry was read here.
    Entry(Aperture, u64),
    /// A directory entry of the dual kind was read here.
    Dual(Aperture, u64),
    /// Bit 0, which makes a leaf, is set in a level that has none (PD3, PD2).
    LeafAbove(u64),
    /// The frame of a leaf is not a multiple of its size.
    Misaligned(u64, u64),
    /// The high half beside a 2 MiB leaf is not zero.
    LeafWithTable(u64, u64),
    /// Marked sparse and linked to a small table at once, which is not defined.
    SparseWithTable(u64, u64),
}

/// Takes the notes of a walk.
pub type Notes<'a> = &'a mut dyn FnMut(Note);

/// Decodes a valid leaf entry.
fn leaf(pte: u64, va: u64, size: u64, note: Notes<'_>) -> Result<Leaf, Fault> {
    if bits(pte, 63, 56) == 7 {
        return Err(Fault::Kind);
    }
    let (aperture, addr) = match bits(pte, 2, 1) {
        0 => (Aperture::Video, bits(pte, 32, 8) << 12),
        1 => return Err(Fault::Aperture),
        _ => (Aperture::System, bits(pte, 53, 8) << 12),
    };
    if addr % size != 0 {
        note(Note::Misaligned(pte, size));
        return Err(Fault::Region);
    }
    Ok(Leaf {
        va: va - va % size,
        size,
        target: Target::Memory {
            aperture,
            addr,
            read_only: pte & BIT_READ_ONLY != 0,
            leaf: size,
        },
    })
}

fn sparse(va: u64, size: u64) -> Result<Leaf, Fault> {
    Ok(Leaf {
        va: va - va % size,
        size,
        target: Target::Sparse,
    })
}

/// Translates `va` below the root directory at `root` in video memory.
pub fn walk(tables: &dyn Tables, root: u64, va: u64) -> Result<Target, Fault> {
    resolve(tables, root, va, &mut |_| ()).map(|l| l.at(va))
}

/// Finds the leaf that maps `va` below the root directory at `root` in video
/// memory.
pub fn resolve(tables: &dyn Tables, root: u64, va: u64, note: Notes<'_>) -> Result<Leaf, Fault> {
    if va >> VA_BITS != 0 {
        return Err(Fault::VaLimit);
    }
    let read = |a, addr| tables.read(a, addr).ok_or(Fault::Region);
    let mut table = (Aperture::Video, root);
    // PD3, PD2, PD1: (index, bytes of a slot, leaves are allowed here).
    for (index, slot, leaves) in [
        (bits(va, 48, 47), PD3_SLOT, false),
        (bits(va, 46, 38), PD2_SLOT, false),
        (bits(va, 37, 29), PAGE_512M, true),
    ] {
        let at = table.1 + 8 * index;
        note(Note::Entry(table.0, at));
        let e = read(table.0, at)?;
        if e & BIT_LEAF != 0 {
            if leaves {
                return leaf(e, va, slot, note);
            }
            note(Note::LeafAbove(e));
            return Err(Fault::PdeSize);
        }
        let Some(a) = pde_aperture(e) else {
            return if e & BIT_VOLATILE != 0 {
                sparse(va, slot)
            } else {
                Err(Fault::Pde)
            };
        };
        table = (a, pde_addr(e, a));
    }
    let at = table.1 + 16 * bits(va, 28, 21);
    note(Note::Dual(table.0, at));
    let low = read(table.0, at)?;
    let high = read(table.0, at + 8)?;
    if low & BIT_LEAF != 0 {
        if high != 0 {
            note(Note::LeafWithTable(low, high));
        }
        return leaf(low, va, PAGE_2M, note);
    }
    let big = pde_aperture(low);
    let small = pde_aperture(high);
    if big.is_none() && small.is_some() && low & BIT_VOLATILE != 0 {
        note(Note::SparseWithTable(low, high));
    }
    if let Some(a) = big {
        let at = big_addr(low, a) + 8 * bits(va, 20, 16);
        note(Note::Entry(a, at));
        let pte = read(a, at)?;
        if pte & BIT_LEAF != 0 {
            return leaf(pte, va, PAGE_64K, note);
        }
        if pte & BIT_PRIVILEGE != 0 {
            return Err(Fault::Pte);
        }
        if pte & BIT_VOLATILE != 0 {
            return sparse(va, PAGE_64K);
        }
    }
    let Some(a) = small else {
        return match big {
            Some(_) => Err(Fault::Pte),
            None if low & BIT_VOLATILE != 0 => sparse(va, PAGE_2M),
            None => Err(Fault::Pde),
        };
    };
    let at = pde_addr(high, a) + 8 * bits(va, 20, 12);
    note(Note::Entry(a, at));
    let pte = read(a, at)?;
    if pte & BIT_LEAF != 0 {
        return leaf(pte, va, PAGE_4K, note);
    }
    if pte & BIT_VOLATILE != 0 && pte & BIT_PRIVILEGE == 0 {
        return sparse(va, PAGE_4K);
    }
    Err(Fault::Pte)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[derive(Default)]
    struct Map(HashMap<(Aperture, u64), u64>);

    impl Map {
        fn put(&mut self, addr: u64, v: u64) -> &mut Map {
            self.0.insert((Aperture::Video, addr), v);
            self
        }
    }

    impl Tables for Map {
        fn read(&self, a: Aperture, addr: u64) -> Option<u64> {
            (addr < 1 << 40).then(|| self.0.get(&(a, addr)).copied().unwrap_or(0))
        }
    }

    /// PD3 0x1000, PD2 0x2000, PD1 0x4000, PD0 0x5000, linked for VA 0.
    fn tree() -> Map {
        let mut m = Map::default();
        m.put(0x1000, 0x202).put(0x2000, 0x402).put(0x4000, 0x502);
        m
    }

    fn memory(addr: u64, leaf: u64) -> Result<Target, Fault> {
        Ok(Target::Memory {
            aperture: Aperture::Video,
            addr,
            read_only: false,
            leaf,
        })
    }

    #[test]
    fn small_page() {
        let mut m = tree();
        m.put(0x5008, 0x302).put(0x3000, 0x1234_5601);
        assert_eq!(walk(&m, 0x1000, 0x34), memory(0x1_2345_6034, PAGE_4K));
        assert_eq!(walk(&m, 0x1000, 0x1000), Err(Fault::Pte));
        assert_eq!(walk(&m, 0x1000, PAGE_2M), Err(Fault::Pde));
        assert_eq!(walk(&m, 0x1000, 1 << 49), Err(Fault::VaLimit));
    }

    #[test]
    fn big_page_hides_or_falls_through() {
        let mut m = tree();
        m.put(0x5000, 0x412).put(0x5008, 0x302);
        m.put(0x3000, 0x1234_5601);
        assert_eq!(walk(&m, 0x1000, 0), memory(0x1_2345_6000, PAGE_4K));
        m.put(0x4100, 0x20);
        assert_eq!(walk(&m, 0x1000, 0), Err(Fault::Pte));
        m.put(0x4100, 0x28);
        assert_eq!(walk(&m, 0x1000, 0), Err(Fault::Pte));
        m.put(0x4100, 0x8);
        assert_eq!(walk(&m, 0x1000, 0), Ok(Target::Sparse));
        m.put(0x4100, 0x1234_0001);
        assert_eq!(walk(&m, 0x1000, 0x1_2345), Err(Fault::Pte));
        assert_eq!(walk(&m, 0x1000, 0x2345), memory(0x1_2340_2345, PAGE_64K));
        m.put(0x4100, 0x1234_5601);
        assert_eq!(walk(&m, 0x1000, 0), Err(Fault::Region));
    }

    #[test]
    fn huge_leaves() {
        let mut m = tree();
        m.put(0x5000, 0x0400_0001);
        assert_eq!(walk(&m, 0x1000, 0x12_3456), memory(0x4012_3456, PAGE_2M));
        m.put(0x4000, 0x0200_0041);
        assert_eq!(
            walk(&m, 0x1000, 0x12_3456),
            Ok(Target::Memory {
                aperture: Aperture::Video,
                addr: 0x2012_3456,
                read_only: true,
                leaf: PAGE_512M
            })
        );
        m.put(0x2000, 1);
        assert_eq!(walk(&m, 0x1000, 0), Err(Fault::PdeSize));
    }

    #[test]
    fn kinds_apertures_sparse() {
        let mut m = tree();
        m.put(0x5008, 0x302);
        m.put(0x3000, 0x0700_0000_1234_5601);
        assert_eq!(walk(&m, 0x1000, 0), Err(Fault::Kind));
        m.put(0x3000, 0x1234_5603);
        assert_eq!(walk(&m, 0x1000, 0), Err(Fault::Aperture));
        m.put(0x3000, 0x1000_000d);
        assert!(matches!(
            walk(&m, 0x1000, 0),
            Ok(Target::Memory {
                aperture: Aperture::System,
                addr: 0x1_0000_0000,
                ..
            })
        ));
        m.put(0x3000, 8);
        assert_eq!(walk(&m, 0x1000, 0), Ok(Target::Sparse));
        m.put(0x4000, 8);
        assert_eq!(walk(&m, 0x1000, 0), Ok(Target::Sparse));
        m.put(0x1000, 0x20a);
        assert_eq!(walk(&m, 0x1000, 0), Ok(Target::Sparse));
    }

    fn notes(m: &Map, va: u64) -> Vec<Note> {
        let mut all = Vec::new();
        let _ = resolve(m, 0x1000, va, &mut |n| all.push(n));
        all
    }

    #[test]
    fn what_a_walk_reads_is_noted() {
        use Aperture::Video;
        let mut m = tree();
        m.put(0x5000, 0x412).put(0x5008, 0x302);
        m.put(0x3000, 0x1234_5601);
        assert_eq!(
            notes(&m, 0),
            [
                Note::Entry(Video, 0x1000),
                Note::Entry(Video, 0x2000),
                Note::Entry(Video, 0x4000),
                Note::Dual(Video, 0x5000),
                Note::Entry(Video, 0x4100),
                Note::Entry(Video, 0x3000),
            ]
        );
    }

    #[test]
    fn malformed_entries_are_noted() {
        let last = |m: &Map| *notes(m, 0).last().unwrap();
        let mut m = tree();
        m.put(0x5000, 0x0400_0001).put(0x5008, 0x302);
        assert_eq!(last(&m), Note::LeafWithTable(0x0400_0001, 0x302));
        m.put(0x5000, 0x0400_0101).put(0x5008, 0);
        assert_eq!(last(&m), Note::Misaligned(0x0400_0101, PAGE_2M));
        m.put(0x5000, 8).put(0x5008, 0x302);
        assert!(notes(&m, 0).contains(&Note::SparseWithTable(8, 0x302)));
        m.put(0x2000, 0x403);
        assert_eq!(last(&m), Note::LeafAbove(0x403));
        m.put(0x1000, 1);
        assert_eq!(last(&m), Note::LeafAbove(1));
    }

    #[test]
    fn leaves_know_what_they_cover() {
        let mut m = tree();
        m.put(0x5010, 8);
        let leaf = resolve(&m, 0x1000, PAGE_2M + 0x1234, &mut |_| ()).unwrap();
        assert_eq!((leaf.va, leaf.size), (PAGE_2M, PAGE_2M));
        m.put(0x1008, 8);
        let leaf = resolve(&m, 0x1000, PD3_SLOT + 5, &mut |_| ()).unwrap();
        assert_eq!((leaf.va, leaf.size), (PD3_SLOT, PD3_SLOT));
    }

    /// Tables full of anything: each entry is a hash of its address.
    struct Noise(u64);

    impl Tables for Noise {
        fn read(&self, _: Aperture, addr: u64) -> Option<u64> {
            // splitmix64; one address in eight holds a plausible pointer.
            let mut z = self
                .0
                .wrapping_add(addr.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
            let v = z ^ z >> 31;
            match v % 16 {
                0 => None,
                1..=8 => Some(v & !0xff | 2),
                _ => Some(v),
            }
        }
    }

    proptest::proptest! {
        /// Whatever the tables hold, a walk ends, reads six entries at most, and
        /// finds a leaf around its address or none.
        #[test]
        fn garbage_is_walked_to_an_end(seed: u64, root: u64, va: u64) {
            let mut entries = 0;
            let found = resolve(&Noise(seed), root & 0xff_ffff_f000, va, &mut |n| {
                entries += usize::from(matches!(n, Note::Entry(..) | Note::Dual(..)));
            });
            proptest::prop_assert!(entries <= 6);
            if let Ok(leaf) = found {
                proptest::prop_assert!(leaf.va <= va && va - leaf.va < leaf.size);
                proptest::prop_assert!(leaf.size.is_power_of_two() && leaf.va % leaf.size == 0);
                leaf.at(va);
            }
        }
    }
}
