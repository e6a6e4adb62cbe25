// SPDX-License-Identifier: GPL-2.0

//! Page tables of MMU version 2 (Pascal to Ada): geometry and entry encoding.
//!
//! ```text
//!   VA  48:47   46:38   37:29   28:21        20:12
//!       PD3 --> PD2 --> PD1 --> PD0 -------> PT (4 KiB pages)
//!       4 x 8B  512x8B  512x8B  256 x 16B    512 x 8B
//!                               |  low qword: 2 MiB leaf, or table of 64 KiB pages
//!                               +- high qword: table of 4 KiB pages
//! ```
//!
//! A pointer (PDE) and a leaf (PTE) share bit 0: zero is a pointer, one a leaf. Aperture code 0
//! means "nothing here" in a pointer but "video memory" in a leaf.
//!
//! Pure: also compiled on the host by `tools/testing/host-tests`.
//!
//! Source: OGKM 570.144 `pascal/gp100/dev_mmu.h`, `turing/tu102/dev_mmu.h`.

/// Bytes of a small page, and of every table page this driver allocates.
pub(crate) const PAGE_SIZE: u64 = 1 << 12;
/// Bytes of a leaf in PD0.
pub(crate) const HUGE_PAGE_SIZE: u64 = 1 << 21;

/// One level of pointers above the small page table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Level {
    /// Lowest VA bit of the index; `1 << shift` bytes are below one entry.
    pub(crate) shift: u32,
    /// Number of index bits.
    pub(crate) bits: u32,
    /// Bytes of one entry.
    pub(crate) entry_size: u64,
}

impl Level {
    /// Offset of the entry for `va` from the start of its table.
    pub(crate) const fn offset(&self, va: u64) -> u64 {
        (va >> self.shift & ((1 << self.bits) - 1)) * self.entry_size
    }

    /// Bytes of virtual address space below one entry.
    pub(crate) const fn span(&self) -> u64 {
        1 << self.shift
    }
}

/// Root directory: 4 entries (the table is 32 bytes but takes a page).
pub(crate) const PD3: Level = Level {
    shift: 47,
    bits: 2,
    entry_size: 8,
};
/// Second directory.
pub(crate) const PD2: Level = Level {
    shift: 38,
    bits: 9,
    entry_size: 8,
};
/// Third directory; GA10x and later allow 512 MiB leaves here.
pub(crate) const PD1: Level = Level {
    shift: 29,
    bits: 9,
    entry_size: 8,
};
/// Dual directory: two qwords per entry.
pub(crate) const PD0: Level = Level {
    shift: 21,
    bits: 8,
    entry_size: 16,
};
/// Table of 4 KiB pages.
pub(crate) const PT: Level = Level {
    shift: 12,
    bits: 9,
    entry_size: 8,
};

/// Bit 0 of every entry: this is a leaf.
const LEAF: u64 = 1 << 0;
/// Bits 2:1: where the target is.
const APERTURE_SHIFT: u32 = 1;
const APERTURE_MASK: u64 = 0x3;
/// Aperture code of a pointer into video memory.
const PDE_APERTURE_VIDEO: u64 = 1;
/// Bit 3: not kept by the GPU's L2; in an entry without target the mark of a sparse range.
const VOLATILE: u64 = 1 << 3;
/// Bits 32:8 of an entry that points into video memory hold address bits 36:12.
const VIDEO_ADDRESS: u64 = 0x1_ffff_ff00;
/// Bits 63:56 of a leaf.
const KIND_SHIFT: u32 = 56;
/// Bit 6 of a leaf.
const READ_ONLY: u64 = 1 << 6;

/// First address that does not fit the 25-bit page number of a video-memory entry (128 GiB).
pub(crate) const VIDEO_LIMIT: u64 = 1 << 37;

/// What an entry that may be a pointer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// All zero: nothing there, may be filled.
    Free,
    /// Table in video memory at this address.
    Table(u64),
    /// Anything else: a leaf, a sparse mark, a table in system memory. Not ours to touch.
    Taken,
}

/// Decodes a pointer of PD3, PD2, PD1 or the high qword of PD0.
///
/// Only an entry that is entirely zero counts as free: firmware may have put a leaf or a sparse
/// mark there. The volatile bit of a pointer does not change its meaning.
pub(crate) const fn decode_pde(raw: u64) -> Entry {
    if raw == 0 {
        Entry::Free
    } else if raw & !(VIDEO_ADDRESS | VOLATILE) == PDE_APERTURE_VIDEO << APERTURE_SHIFT {
        Entry::Table((raw & VIDEO_ADDRESS) << 4)
    } else {
        Entry::Taken
    }
}

/// Encodes a pointer to the table at `table` in video memory.
///
/// `None` if the address is not page aligned or beyond [`VIDEO_LIMIT`].
pub(crate) const fn encode_pde(table: u64) -> Option<u64> {
    if table % PAGE_SIZE != 0 || table >= VIDEO_LIMIT {
        return None;
    }
    Some(table >> 4 | PDE_APERTURE_VIDEO << APERTURE_SHIFT)
}

/// Encodes a leaf for video memory at `phys`: valid, not privileged.
///
/// `size` is [`PAGE_SIZE`] or [`HUGE_PAGE_SIZE`], `kind` the memory kind (0 is pitch). `None` if
/// the address is not a multiple of `size` or beyond [`VIDEO_LIMIT`].
pub(crate) const fn encode_pte(phys: u64, size: u64, kind: u8, read_only: bool) -> Option<u64> {
    if phys % size != 0 || phys >= VIDEO_LIMIT {
        return None;
    }
    let flags = LEAF | if read_only { READ_ONLY } else { 0 };
    // CAST: widening, `u64::from` is not const.
    Some(phys >> 4 | (kind as u64) << KIND_SHIFT | flags)
}

/// Whether an entry has the leaf bit set.
pub(crate) const fn is_leaf(raw: u64) -> bool {
    raw & LEAF != 0
}

/// Whether a leaf of video memory maps exactly `phys`, whatever its kind and rights.
pub(crate) const fn maps(raw: u64, phys: u64) -> bool {
    is_leaf(raw) && raw >> APERTURE_SHIFT & APERTURE_MASK == 0 && (raw & VIDEO_ADDRESS) << 4 == phys
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves() {
        let phys = 0x1_2345_6000;
        let pte = |phys, size, kind, ro| encode_pte(phys, size, kind, ro);
        assert_eq!(pte(phys, PAGE_SIZE, 0, false), Some(0x0000_0000_1234_5601));
        assert_eq!(pte(phys, PAGE_SIZE, 6, false), Some(0x0600_0000_1234_5601));
        assert_eq!(pte(phys, PAGE_SIZE, 9, true), Some(0x0900_0000_1234_5641));
        assert_eq!(
            pte(0x4000_0000, HUGE_PAGE_SIZE, 0, false),
            Some(0x0000_0000_0400_0001)
        );
        assert_eq!(pte(0x1000, HUGE_PAGE_SIZE, 0, false), None);
        assert_eq!(pte(0x1001, PAGE_SIZE, 0, false), None);
        assert_eq!(pte(VIDEO_LIMIT, PAGE_SIZE, 0, false), None);
        assert!(maps(0x0900_0000_1234_5641, phys));
        assert!(!maps(0x0900_0000_1234_5641, phys + PAGE_SIZE));
        assert!(!maps(0x0000_0000_1000_000d, 0x1_0000_0000), "system memory");
    }

    #[test]
    fn pointers() {
        assert_eq!(encode_pde(0x2000), Some(0x202));
        assert_eq!(encode_pde(0x3000), Some(0x302));
        assert_eq!(encode_pde(0x2100), None);
        assert_eq!(decode_pde(0x202), Entry::Table(0x2000));
        assert_eq!(decode_pde(0x20a), Entry::Table(0x2000), "volatile pointer");
        assert_eq!(decode_pde(0), Entry::Free);
        assert_eq!(decode_pde(0x1000_000c), Entry::Taken, "system memory");
        assert_eq!(decode_pde(0x8), Entry::Taken, "sparse");
        assert_eq!(decode_pde(1), Entry::Taken, "leaf at address 0");
        assert_eq!(decode_pde(0x0000_0000_0400_0001), Entry::Taken, "leaf");
    }

    #[test]
    fn indices() {
        let va = 0x1_8765_4321_f000u64;
        assert_eq!(PD3.offset(va), (va >> 47 & 3) * 8);
        assert_eq!(PD2.offset(va), (va >> 38 & 0x1ff) * 8);
        assert_eq!(PD1.offset(va), (va >> 29 & 0x1ff) * 8);
        assert_eq!(PD0.offset(va), (va >> 21 & 0xff) * 16);
        assert_eq!(PT.offset(va), (va >> 12 & 0x1ff) * 8);
        assert_eq!(PT.span(), PAGE_SIZE);
        assert_eq!(PD0.span(), HUGE_PAGE_SIZE);
        assert_eq!(PD1.span(), 512 << 20);
    }
}
