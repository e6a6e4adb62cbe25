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

/// Decodes a valid leaf entry.
fn leaf(pte: u64, va: u64, size: u64) -> Result<Target, Fault> {
    if bits(pte, 63, 56) == 7 {
        return Err(Fault::Kind);
    }
    let (aperture, frame) = match bits(pte, 2, 1) {
        0 => (Aperture::Video, bits(pte, 32, 8) << 12),
        1 => return Err(Fault::Aperture),
        _ => (Aperture::System, bits(pte, 53, 8) << 12),
    };
    if frame % size != 0 {
        return Err(Fault::Region);
    }
    Ok(Target::Memory {
        aperture,
        addr: frame + va % size,
        read_only: pte & BIT_READ_ONLY != 0,
        leaf: size,
    })
}

/// Translates `va` below the root directory at `root` in video memory.
pub fn walk(tables: &dyn Tables, root: u64, va: u64) -> Result<Target, Fault> {
    if va >> VA_BITS != 0 {
        return Err(Fault::VaLimit);
    }
    let read = |a, addr| tables.read(a, addr).ok_or(Fault::Region);
    let mut table = (Aperture::Video, root);
    // PD3, PD2, PD1: (index, leaf size if one is allowed here).
    for (index, leaf_size) in [
        (bits(va, 48, 47), None),
        (bits(va, 46, 38), None),
        (bits(va, 37, 29), Some(PAGE_512M)),
    ] {
        let e = read(table.0, table.1 + 8 * index)?;
        if e & BIT_LEAF != 0 {
            return leaf_size.map_or(Err(Fault::PdeSize), |size| leaf(e, va, size));
        }
        let Some(a) = pde_aperture(e) else {
            return if e & BIT_VOLATILE != 0 {
                Ok(Target::Sparse)
            } else {
                Err(Fault::Pde)
            };
        };
        table = (a, pde_addr(e, a));
    }
    let slot = table.1 + 16 * bits(va, 28, 21);
    let low = read(table.0, slot)?;
    if low & BIT_LEAF != 0 {
        return leaf(low, va, PAGE_2M);
    }
    let high = read(table.0, slot + 8)?;
    let big = pde_aperture(low);
    if let Some(a) = big {
        let pte = read(a, big_addr(low, a) + 8 * bits(va, 20, 16))?;
        if pte & BIT_LEAF != 0 {
            return leaf(pte, va, PAGE_64K);
        }
        if pte & BIT_PRIVILEGE != 0 {
            return Err(Fault::Pte);
        }
        if pte & BIT_VOLATILE != 0 {
            return Ok(Target::Sparse);
        }
    }
    let Some(a) = pde_aperture(high) else {
        return match big {
            Some(_) => Err(Fault::Pte),
            None if low & BIT_VOLATILE != 0 => Ok(Target::Sparse),
            None => Err(Fault::Pde),
        };
    };
    let pte = read(a, pde_addr(high, a) + 8 * bits(va, 20, 12))?;
    if pte & BIT_LEAF != 0 {
        return leaf(pte, va, PAGE_4K);
    }
    if pte & BIT_VOLATILE != 0 && pte & BIT_PRIVILEGE == 0 {
        return Ok(Target::Sparse);
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
}
