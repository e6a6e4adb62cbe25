// SPDX-License-Identifier: GPL-2.0

//! Which leaves a mapping is made of.
//!
//! ```text
//!   VA        |   slot of 2 MiB   |   slot of 2 MiB   |   slot of 2 MiB   |
//!   mapping          [============|===================|======]
//!   leaves            4 or 64 KiB        2 MiB         4 or 64 KiB
//! ```
//!
//! The part of a mapping in one slot is one 2 MiB leaf, or all 64 KiB leaves, or all 4 KiB leaves:
//! the largest for which its virtual address, its memory and its length are aligned. That follows
//! from the address and two facts that are kept with it, so removing a mapping needs no look at
//! the entries.
//!
//! Pure: also compiled on the host by `tools/testing/host-tests`.

use core::ops::Range;

use super::half::Half;
use super::pagetable::{
    kind_is_valid,
    Aperture,
    Attributes,
    Level,
    PageSize,
    PAGE_SIZE,
    PD0,
    PD1,
    SPARSE,
    SYSTEM_LIMIT,
    VA_LIMIT,
    VIDEO_LIMIT, //
};

/// What decides about the leaves of a mapping, beside its addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shape {
    /// No leaf is larger; virtual addresses and memory are aligned alike up to this size.
    pub(crate) largest: PageSize,
    /// There is no memory behind it. PD1 may have leaves then: marks of 512 MiB.
    pub(crate) sparse: bool,
}

/// Where the leaves for a piece of a mapping go, seen from an entry that covers the piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Into the entry itself.
    Leaf,
    /// Into one of the tables of this entry of PD0.
    Table(Half),
    /// Further down.
    Directory,
}

impl Shape {
    /// Where the leaves for `piece` go, which lies inside of one entry of `level`.
    pub(crate) fn place(&self, level: &Level, piece: &Range<u64>) -> Place {
        let whole = piece.end - piece.start == level.span() && self.largest == PageSize::Huge;
        if *level == PD0 {
            let big = (piece.start | piece.end) % PageSize::Big.bytes() == 0;
            match self.largest {
                _ if whole => Place::Leaf,
                PageSize::Big | PageSize::Huge if big => Place::Table(Half::Big),
                _ => Place::Table(Half::Small),
            }
        } else if *level == PD1 && self.sparse && whole {
            Place::Leaf
        } else {
            Place::Directory
        }
    }
}

/// What leaves lead to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fill<'a> {
    /// Nothing: reads give zero.
    Sparse,
    /// Memory from this address on.
    Run(Attributes, u64),
    /// Single pages of 4 KiB.
    Pages(Attributes, &'a [u64]),
}

/// A mapping that can be made.
///
/// # Invariants
///
/// Every leaf of the mapping can be encoded.
#[derive(Clone, Debug)]
pub(crate) struct Job<'a> {
    va: Range<u64>,
    shape: Shape,
    fill: Fill<'a>,
}

impl<'a> Job<'a> {
    /// A mapping of `fill` at `va` with leaves of at most `largest` bytes.
    ///
    /// `None` if an address or length is no multiple of 4 KiB, beyond what an entry holds, or not
    /// aligned alike on both sides; or if the kind is not valid for the memory.
    pub(crate) fn new(va: Range<u64>, largest: PageSize, fill: Fill<'a>) -> Option<Self> {
        if va.start >= va.end || va.end > VA_LIMIT || (va.start | va.end) % PAGE_SIZE != 0 {
            return None;
        }
        let len = va.end - va.start;
        let fits = |attributes: Attributes, address: u64, len: u64| {
            let limit = match attributes.aperture {
                Aperture::Video => VIDEO_LIMIT,
                Aperture::System => SYSTEM_LIMIT,
            };
            address % PAGE_SIZE == 0
                && address.checked_add(len).is_some_and(|end| end <= limit)
                && kind_is_valid(attributes.kind, attributes.aperture)
        };
        let good = match fill {
            Fill::Sparse => true,
            Fill::Run(attributes, address) => {
                fits(attributes, address, len) && (va.start ^ address) % largest.bytes() == 0
            }
            Fill::Pages(attributes, pages) => {
                // CAST: widening.
                largest == PageSize::Small
                    && pages.len() as u64 == len / PAGE_SIZE
                    && pages.iter().all(|&page| fits(attributes, page, PAGE_SIZE))
            }
        };
        let shape = Shape {
            largest,
            sparse: matches!(fill, Fill::Sparse),
        };
        // INVARIANT: Checked above; leaves larger than a page are only used where the virtual
        // address is aligned to them, and then the memory is aligned as well.
        good.then_some(Self { va, shape, fill })
    }

    /// The virtual addresses.
    pub(crate) fn va(&self) -> Range<u64> {
        self.va.clone()
    }

    /// What has to be known to remove the mapping again.
    pub(crate) fn shape(&self) -> Shape {
        self.shape
    }

    /// The entry for the leaf of `size` at `va`. `None` cannot happen for a leaf of this mapping.
    pub(crate) fn leaf(&self, va: u64, size: PageSize) -> Option<u64> {
        let offset = va.checked_sub(self.va.start)?;
        match self.fill {
            Fill::Sparse => Some(SPARSE),
            Fill::Run(attributes, address) => attributes.leaf(address + offset, size),
            Fill::Pages(attributes, pages) => {
                let page = pages.get(usize::try_from(offset / PAGE_SIZE).ok()?)?;
                attributes.leaf(*page, size)
            }
        }
    }
}

/// Splits a range where entries that cover `span` bytes end.
pub(crate) fn pieces(range: Range<u64>, span: u64) -> impl Iterator<Item = Range<u64>> {
    let mut at = range.start;
    core::iter::from_fn(move || {
        if at >= range.end {
            return None;
        }
        let piece = at..((at / span + 1) * span).min(range.end);
        at = piece.end;
        Some(piece)
    })
}

#[cfg(test)]
mod tests {
    use super::super::pagetable::{PD2, PD3};
    use super::*;

    const K: u64 = 1 << 10;
    const M: u64 = 1 << 20;

    #[test]
    fn the_largest_leaf_that_is_aligned() {
        let huge = Shape {
            largest: PageSize::Huge,
            sparse: false,
        };
        let big = Shape {
            largest: PageSize::Big,
            ..huge
        };
        let small = Shape::default();
        let sparse = Shape {
            sparse: true,
            ..huge
        };
        let slot = 4 * M..6 * M;
        assert_eq!(huge.place(&PD0, &slot), Place::Leaf);
        assert_eq!(big.place(&PD0, &slot), Place::Table(Half::Big));
        assert_eq!(small.place(&PD0, &slot), Place::Table(Half::Small));
        let part = 4 * M + 64 * K..5 * M;
        assert_eq!(huge.place(&PD0, &part), Place::Table(Half::Big));
        assert_eq!(small.place(&PD0, &part), Place::Table(Half::Small));
        let odd = 4 * M + 64 * K..5 * M + 4 * K;
        assert_eq!(huge.place(&PD0, &odd), Place::Table(Half::Small));
        let half_gib = 512 * M..1024 * M;
        assert_eq!(huge.place(&PD1, &half_gib), Place::Directory);
        assert_eq!(sparse.place(&PD1, &half_gib), Place::Leaf);
        assert_eq!(sparse.place(&PD1, &slot), Place::Directory);
        assert_eq!(sparse.place(&PD2, &half_gib), Place::Directory);
        assert_eq!(sparse.place(&PD3, &half_gib), Place::Directory);
    }

    #[test]
    fn what_cannot_be_encoded_is_refused() {
        let video = Attributes::VIDEO;
        let system = Attributes {
            aperture: Aperture::System,
            ..video
        };
        let run =
            |va, len, address| Job::new(va..va + len, PageSize::Huge, Fill::Run(video, address));
        assert!(run(2 * M, 2 * M, 8 * M).is_some());
        assert!(run(2 * M, 2 * M, 9 * M).is_none(), "not aligned alike");
        assert!(run(2 * M, 0, 8 * M).is_none());
        assert!(run(2 * M + 1, 4 * K, 8 * M + 1).is_none());
        assert!(run(VA_LIMIT - 2 * M, 2 * M, 8 * M).is_some());
        assert!(run(VA_LIMIT - 2 * M, 4 * M, 8 * M).is_none());
        assert!(run(0, 2 * M, VIDEO_LIMIT - 2 * M).is_some());
        assert!(run(0, 4 * M, VIDEO_LIMIT - 2 * M).is_none());
        assert!(run(0, 4 * M, 0u64.wrapping_sub(2 * M)).is_none());
        let bad_kind = Attributes { kind: 7, ..video };
        assert!(Job::new(0..4 * K, PageSize::Small, Fill::Run(bad_kind, 0)).is_none());

        let pages = [0x1000, 0x5000_0000];
        let list = |va, largest, pages| Job::new(va, largest, Fill::Pages(system, pages));
        assert!(list(0..8 * K, PageSize::Small, &pages[..]).is_some());
        assert!(list(0..8 * K, PageSize::Big, &pages[..]).is_none());
        assert!(list(0..12 * K, PageSize::Small, &pages[..]).is_none());
        assert!(list(0..4 * K, PageSize::Small, &[SYSTEM_LIMIT][..]).is_none());
        assert!(list(0..4 * K, PageSize::Small, &[0x800][..]).is_none());
    }

    #[test]
    fn pieces_end_where_entries_end() {
        let all: Vec<_> = pieces(M..6 * M + 4 * K, 2 * M).collect();
        assert_eq!(
            all,
            [M..2 * M, 2 * M..4 * M, 4 * M..6 * M, 6 * M..6 * M + 4 * K]
        );
    }
}
