// SPDX-License-Identifier: GPL-2.0

//! The two tables that an entry of PD0 can lead to.
//!
//! ```text
//!   entry of PD0   | low qword: table of 64 KiB pages | high qword: table of 4 KiB pages |
//!                              Half::Big                          Half::Small
//! ```
//!
//! Pure: also compiled on the host by `tools/testing/host-tests`.

use super::{
    pagetable::{
        decode_big_pde,
        decode_pde,
        encode_big_pde,
        encode_pde,
        Aperture,
        Entry,
        Level,
        PageSize,
        PT_BIG,
        PT_SMALL, //
    },
    pool::Size, //
};

/// A table that a slot of PD0 may lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Half {
    /// Table of 64 KiB pages, in the low qword.
    Big,
    /// Table of 4 KiB pages, in the high qword.
    Small,
}

impl Half {
    pub(super) const fn level(self) -> Level {
        match self {
            Self::Big => PT_BIG,
            Self::Small => PT_SMALL,
        }
    }

    /// Offset of the pointer from the start of the entry of PD0.
    pub(super) const fn offset(self) -> u64 {
        match self {
            Self::Big => 0,
            Self::Small => 8,
        }
    }

    pub(super) const fn other(self) -> Self {
        match self {
            Self::Big => Self::Small,
            Self::Small => Self::Big,
        }
    }

    pub(super) const fn page_size(self) -> PageSize {
        match self {
            Self::Big => PageSize::Big,
            Self::Small => PageSize::Small,
        }
    }

    pub(super) const fn size(self) -> Size {
        match self {
            Self::Big => Size::Cell,
            Self::Small => Size::Page,
        }
    }

    pub(super) fn decode(self, raw: u64) -> Entry {
        match self {
            Self::Big => decode_big_pde(raw),
            Self::Small => decode_pde(raw),
        }
    }

    pub(super) fn encode(self, table: u64) -> Option<u64> {
        match self {
            Self::Big => encode_big_pde(Aperture::Video, table),
            Self::Small => encode_pde(Aperture::Video, table),
        }
    }
}
