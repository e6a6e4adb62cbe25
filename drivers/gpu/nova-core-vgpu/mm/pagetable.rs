// SPDX-License-Identifier: GPL-2.0

//! Page tables of MMU version 2 (Pascal to Ada): geometry and entry encoding.
//!
//! ```text
//!   VA  48:47   46:38   37:29   28:21                20:16 / 20:12
//!       PD3 --> PD2 --> PD1 --> PD0 -- low qword --> table of 64 KiB pages,  32 x 8B
//!       4 x 8B  512x8B  512x8B  256 x 16B            or a 2 MiB leaf
//!                                  \- high qword --> table of 4 KiB pages,  512 x 8B
//!
//!   bit  63:56  53:8 or 32:8   6          5           3         2:1       0
//!        kind   address >> 12  read only  privileged  volatile  aperture  leaf
//! ```
//!
//! A pointer (PDE) and a leaf (PTE) share bit 0: zero is a pointer, one a leaf. Aperture code 0
//! means "nothing here" in a pointer but "video memory" in a leaf. An entry that is not used is
//! all zero, never just invalid: bit 0 alone would be a leaf of address 0 in PD1 and PD0.
//!
//! Of the two tables of a PD0 slot the MMU asks the big one first, and the small one only where
//! the big entry is all zero. This driver writes nothing else into a big table than zeroes and
//! entries of mappings that own their 64 KiB whole, so both kinds can share a slot.
//!
//! Pure: also compiled on the host by `tools/testing/host-tests`.
//!
//! Source: OGKM 570.144 `pascal/gp100/dev_mmu.h`, `turing/tu102/dev_mmu.h`.

/// Bytes of a small page, and of every table but those of 64 KiB pages.
pub(crate) const PAGE_SIZE: u64 = 1 << 12;
/// Bytes of a table of 64 KiB pages.
pub(crate) const BIG_TABLE_SIZE: u64 = 1 << 8;

/// Bytes that one leaf maps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum PageSize {
    /// 4 KiB.
    #[default]
    Small,
    /// 64 KiB.
    Big,
    /// 2 MiB.
    Huge,
}

impl PageSize {
    /// The size in bytes.
    pub const fn bytes(self) -> u64 {
        match self {
            Self::Small => PAGE_SIZE,
            Self::Big => 1 << 16,
            Self::Huge => 1 << 21,
        }
    }
}

/// One level of tables.
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
        (va >> self.shift & (self.entries() - 1)) * self.entry_size
    }

    /// Bytes of virtual address space below one entry.
    pub(crate) const fn span(&self) -> u64 {
        1 << self.shift
    }

    /// Number of entries of a table.
    pub(crate) const fn entries(&self) -> u64 {
        1 << self.bits
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
/// Table of 64 KiB pages.
pub(crate) const PT_BIG: Level = Level {
    shift: 16,
    bits: 5,
    entry_size: 8,
};
/// Table of 4 KiB pages.
pub(crate) const PT_SMALL: Level = Level {
    shift: 12,
    bits: 9,
    entry_size: 8,
};

/// First virtual address that the MMU does not have.
pub(crate) const VA_LIMIT: u64 = 1 << 49;

/// Bit 0 of every entry: this is a leaf.
const LEAF: u64 = 1 << 0;
/// Bits 2:1: where the target is.
const APERTURE_SHIFT: u32 = 1;
const APERTURE_MASK: u64 = 0x3;
/// Bit 3: not kept by the GPU's L2.
const VOLATILE: u64 = 1 << 3;
/// Bit 5 of a leaf.
const PRIVILEGED: u64 = 1 << 5;
/// Bit 6 of a leaf.
const READ_ONLY: u64 = 1 << 6;
/// Bits 63:56 of a leaf.
const KIND_SHIFT: u32 = 56;
/// Bits 32:8 of an entry that points into video memory hold address bits 36:12.
const VIDEO_ADDRESS: u64 = 0x1_ffff_ff00;
/// Bits 53:8 of an entry that points into system memory hold address bits 57:12.
const SYSTEM_ADDRESS: u64 = 0x3f_ffff_ffff_ff00;
/// A pointer to a table of 64 KiB pages has four more address bits, 7:4.
const BIG_TABLE_ADDRESS: u64 = 0xf0;
/// Shift from the bits of an entry to those of an address, the same everywhere.
const ADDRESS_SHIFT: u32 = 4;

/// First address that does not fit the 25-bit page number of a video-memory entry (128 GiB).
pub(crate) const VIDEO_LIMIT: u64 = 1 << 37;
/// First address that does not fit the 46-bit page number of a system-memory entry.
pub(crate) const SYSTEM_LIMIT: u64 = 1 << 58;

/// An entry of a sparse range: reads give zero, writes are dropped, nothing faults. The same in
/// PD1, PD0 (low qword) and both kinds of page tables.
pub(crate) const SPARSE: u64 = VOLATILE;

/// Memory that an entry points to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Aperture {
    /// Frame buffer.
    Video,
    /// Coherent system memory.
    System,
}

/// What an entry that may be a pointer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// All zero: nothing there, may be filled.
    Free,
    /// A table.
    Table(Aperture, u64),
    /// Anything else: a leaf, a sparse mark, bits that this driver does not know.
    Taken,
}

/// Decodes a pointer of PD3, PD2, PD1 or the high qword of PD0.
///
/// Only an entry that is entirely zero counts as free: firmware may have put a leaf or a sparse
/// mark there. The volatile bit of a pointer does not change its meaning.
pub(crate) const fn decode_pde(raw: u64) -> Entry {
    decode(raw, 0)
}

/// Decodes the low qword of PD0: a pointer to a table of 64 KiB pages.
pub(crate) const fn decode_big_pde(raw: u64) -> Entry {
    decode(raw, BIG_TABLE_ADDRESS)
}

const fn decode(raw: u64, more_address: u64) -> Entry {
    let (aperture, address) = match raw >> APERTURE_SHIFT & APERTURE_MASK {
        1 => (Aperture::Video, VIDEO_ADDRESS | more_address),
        2 => (Aperture::System, SYSTEM_ADDRESS | more_address),
        _ if raw == 0 => return Entry::Free,
        _ => return Entry::Taken,
    };
    if raw & !(address | VOLATILE | APERTURE_MASK << APERTURE_SHIFT) != 0 {
        return Entry::Taken;
    }
    Entry::Table(aperture, (raw & address) << ADDRESS_SHIFT)
}

/// Encodes a pointer to the table at `table`. System memory is marked volatile.
///
/// `None` if the address is not page aligned or does not fit.
pub(crate) const fn encode_pde(aperture: Aperture, table: u64) -> Option<u64> {
    encode(aperture, table, PAGE_SIZE)
}

/// Encodes a pointer to the table of 64 KiB pages at `table`, which is aligned to its size.
///
/// `None` if it is not, or does not fit.
pub(crate) const fn encode_big_pde(aperture: Aperture, table: u64) -> Option<u64> {
    encode(aperture, table, BIG_TABLE_SIZE)
}

const fn encode(aperture: Aperture, table: u64, align: u64) -> Option<u64> {
    let (limit, flags) = match aperture {
        Aperture::Video => (VIDEO_LIMIT, 1 << APERTURE_SHIFT),
        Aperture::System => (SYSTEM_LIMIT, 2 << APERTURE_SHIFT | VOLATILE),
    };
    if table % align != 0 || table >= limit {
        return None;
    }
    Some(table >> ADDRESS_SHIFT | flags)
}

/// What a leaf says besides its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Attributes {
    /// Where the memory is.
    pub(crate) aperture: Aperture,
    /// Memory kind, see [`kind_is_valid`].
    pub(crate) kind: u8,
    /// Writes fault.
    pub(crate) read_only: bool,
    /// Accesses of user channels fault.
    pub(crate) privileged: bool,
}

impl Attributes {
    /// Plain, writable frame buffer.
    #[cfg(test)]
    pub(crate) const VIDEO: Self = Self {
        aperture: Aperture::Video,
        kind: 0,
        read_only: false,
        privileged: false,
    };

    /// Encodes the leaf that maps `size` bytes at `address`.
    ///
    /// `None` if the address is not a multiple of `size` or does not fit.
    pub(crate) const fn leaf(&self, address: u64, size: PageSize) -> Option<u64> {
        let (limit, aperture) = match self.aperture {
            Aperture::Video => (VIDEO_LIMIT, 0),
            // The GPU's L2 must not keep what the CPU may change.
            Aperture::System => (SYSTEM_LIMIT, 2 << APERTURE_SHIFT | VOLATILE),
        };
        if address % size.bytes() != 0 || address >= limit {
            return None;
        }
        let read_only = if self.read_only { READ_ONLY } else { 0 };
        let privileged = if self.privileged { PRIVILEGED } else { 0 };
        // CAST: widening, `u64::from` is not const.
        let kind = (self.kind as u64) << KIND_SHIFT;
        Some(address >> ADDRESS_SHIFT | kind | aperture | read_only | privileged | LEAF)
    }
}

/// Whether an entry is a leaf or a sparse mark.
pub(crate) const fn is_leaf(raw: u64) -> bool {
    raw & LEAF != 0 || raw == SPARSE
}

/// Whether Turing to Ada know the memory kind for memory in this aperture: 0 is pitch, 1 to 6
/// are depth, stencil and generic memory, 8 to 14 are kinds that can be compressed, which only
/// frame buffer can (OGKM 570.144 `turing/tu102/dev_mmu.h`).
pub(crate) const fn kind_is_valid(kind: u8, aperture: Aperture) -> bool {
    match kind {
        0..=6 => true,
        8..=14 => matches!(aperture, Aperture::Video),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Aperture::{System, Video};

    const PHYS: u64 = 0x1_2345_6000;

    fn leaf(kind: u8, read_only: bool) -> Option<u64> {
        let attributes = Attributes {
            kind,
            read_only,
            ..Attributes::VIDEO
        };
        attributes.leaf(PHYS, PageSize::Small)
    }

    #[test]
    fn leaves_of_video_memory() {
        assert_eq!(leaf(0, false), Some(0x0000_0000_1234_5601));
        assert_eq!(leaf(6, false), Some(0x0600_0000_1234_5601));
        assert_eq!(leaf(9, true), Some(0x0900_0000_1234_5641));
        let huge = |phys| Attributes::VIDEO.leaf(phys, PageSize::Huge);
        assert_eq!(huge(0x4000_0000), Some(0x0000_0000_0400_0001));
        let privileged = Attributes {
            privileged: true,
            ..Attributes::VIDEO
        };
        assert_eq!(
            privileged.leaf(0x1_2345_0000, PageSize::Big),
            Some(0x1234_5021)
        );
    }

    #[test]
    fn leaves_of_system_memory_are_volatile() {
        let system = Attributes {
            aperture: System,
            ..Attributes::VIDEO
        };
        assert_eq!(
            system.leaf(0x1_0000_0000, PageSize::Small),
            Some(0x0000_0000_1000_000d)
        );
        let top = SYSTEM_LIMIT - PAGE_SIZE;
        assert_eq!(
            system.leaf(top, PageSize::Small),
            Some(SYSTEM_ADDRESS | 0xd)
        );
        assert_eq!(system.leaf(SYSTEM_LIMIT, PageSize::Small), None);
    }

    #[test]
    fn leaves_refuse_bad_addresses() {
        let video = Attributes::VIDEO;
        assert_eq!(video.leaf(0x1000, PageSize::Huge), None);
        assert_eq!(video.leaf(0x1000, PageSize::Big), None);
        assert_eq!(video.leaf(0x1001, PageSize::Small), None);
        assert_eq!(video.leaf(VIDEO_LIMIT, PageSize::Small), None);
    }

    #[test]
    fn pointers() {
        assert_eq!(encode_pde(Video, 0x2000), Some(0x202));
        assert_eq!(encode_pde(Video, 0x2100), None);
        assert_eq!(encode_pde(Video, VIDEO_LIMIT), None);
        assert_eq!(encode_pde(System, 0x1_0000_0000), Some(0x1000_000c));
        assert_eq!(decode_pde(0x202), Entry::Table(Video, 0x2000));
        assert_eq!(
            decode_pde(0x20a),
            Entry::Table(Video, 0x2000),
            "volatile is no sparse mark in a pointer"
        );
        assert_eq!(decode_pde(0x1000_000c), Entry::Table(System, 0x1_0000_0000));
    }

    #[test]
    fn dual_pointers() {
        // Small table only: the low qword stays zero.
        assert_eq!(encode_pde(Video, 0x3000), Some(0x302));
        // Both tables.
        assert_eq!(encode_big_pde(Video, 0x4100), Some(0x412));
        assert_eq!(encode_big_pde(Video, 0x4180), None);
        assert_eq!(decode_big_pde(0x412), Entry::Table(Video, 0x4100));
        assert_eq!(decode_pde(0x302), Entry::Table(Video, 0x3000));
        assert_eq!(
            decode_pde(0x412),
            Entry::Taken,
            "only the low half of PD0 has address bits 11:8"
        );
    }

    #[test]
    fn only_zero_is_free() {
        for decode in [decode_pde, decode_big_pde] {
            assert_eq!(decode(0), Entry::Free);
            assert_eq!(decode(SPARSE), Entry::Taken, "sparse");
            assert_eq!(decode(1), Entry::Taken, "leaf at address 0");
            assert_eq!(decode(0x0400_0001), Entry::Taken, "leaf");
            assert_eq!(decode(0x20), Entry::Taken, "no small lookup");
            assert_eq!(decode(0x28), Entry::Taken, "no valid 4 KiB page");
            assert_eq!(decode(u64::MAX), Entry::Taken, "failed read");
        }
    }

    #[test]
    fn what_is_a_leaf() {
        assert!(is_leaf(0x1234_5601) && is_leaf(SPARSE));
        assert!(!is_leaf(0) && !is_leaf(0x202) && !is_leaf(0x20a));
    }

    #[test]
    fn kinds() {
        for kind in 0..=u8::MAX {
            let known = kind <= 14 && kind != 7;
            assert_eq!(kind_is_valid(kind, Video), known);
            assert_eq!(kind_is_valid(kind, System), kind < 7);
        }
    }

    #[test]
    fn indices() {
        let va = 0x1_8765_4321_f000u64;
        assert_eq!(PD3.offset(va), (va >> 47 & 3) * 8);
        assert_eq!(PD2.offset(va), (va >> 38 & 0x1ff) * 8);
        assert_eq!(PD1.offset(va), (va >> 29 & 0x1ff) * 8);
        assert_eq!(PD0.offset(va), (va >> 21 & 0xff) * 16);
        assert_eq!(PT_BIG.offset(va), (va >> 16 & 0x1f) * 8);
        assert_eq!(PT_SMALL.offset(va), (va >> 12 & 0x1ff) * 8);
        assert_eq!(PT_SMALL.span(), PageSize::Small.bytes());
        assert_eq!(PT_BIG.span(), PageSize::Big.bytes());
        assert_eq!(PD0.span(), PageSize::Huge.bytes());
        assert_eq!(PD1.span(), 512 << 20);
        assert_eq!(PT_BIG.entries() * PT_BIG.entry_size, BIG_TABLE_SIZE);
        for level in [PD2, PD1, PD0, PT_SMALL] {
            assert_eq!(level.entries() * level.entry_size, PAGE_SIZE);
        }
    }
}
