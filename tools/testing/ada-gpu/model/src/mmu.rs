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
mod tests;
