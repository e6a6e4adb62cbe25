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
#[path = "pagetable/tests.rs"]
mod tests;
