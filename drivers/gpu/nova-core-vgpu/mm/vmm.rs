// SPDX-License-Identifier: GPL-2.0

//! Address spaces of channels.
//!
//! ```text
//!   channel --> instance block --> root (PD3) --> tables --> frame buffer, system memory
//!                                  \____________________/
//!                                    pages of this driver only; GSP-RM is told the root
//!
//!   Vmm::new -> root() -> SET_PAGE_DIRECTORY -> map, unmap ... -> UNSET_PAGE_DIRECTORY -> drop
//! ```
//!
//! The TLBs know an address space from when GSP-RM is told its root until GSP-RM has forgotten it
//! (OGKM 570.144 `gpu_vaspace.c`, external page directories). In between, each [`Vmm::map`] and
//! [`Vmm::unmap`] ends with an invalidation.

use core::ops::Range;

use kernel::{
    dma::DmaAddress,
    prelude::*,
    sync::Arc, //
};

use super::{
    pagetable::VA_LIMIT,
    space::Space,
    Mm, //
};
use crate::driver::Bar0;

pub(crate) use super::pagetable::PageSize;

/// What a mapping leads to.
#[derive(Clone, Copy)]
pub(crate) enum Target<'a> {
    /// Frame buffer from this address on.
    Video(u64),
    /// Coherent system memory, as seen by the GPU: the addresses of its 4 KiB pages.
    System(&'a [DmaAddress]),
}

/// What is to be mapped, and how.
pub(crate) struct MapRequest<'a> {
    /// The memory.
    pub(crate) target: Target<'a>,
    /// Bytes of the target to skip; a multiple of 4 KiB.
    pub(crate) offset: u64,
    /// Bytes; a multiple of 4 KiB.
    pub(crate) len: u64,
    /// Exactly this virtual address, or any.
    pub(crate) va: Option<u64>,
    /// Only leaves of this size, of which memory, address and length are multiples; `None`: the
    /// largest that fit, which for system memory in single pages is 4 KiB.
    pub(crate) page_size: Option<PageSize>,
    /// Memory kind; 0 is pitch.
    pub(crate) kind: u8,
    /// Writes fault.
    pub(crate) read_only: bool,
    /// Accesses of user channels fault.
    pub(crate) privileged: bool,
}

/// An address space. To be dropped when GSP-RM no longer knows it: its tables are given back.
pub(crate) struct Vmm {
    space: Space,
}

impl Vmm {
    /// An empty address space that hands out addresses in `va`. Its root directory is in frame
    /// buffer, owned by the PF, on return. Sleeps.
    ///
    /// # Errors
    ///
    /// `EINVAL` for a range that the MMU cannot address, `ENOSPC` without frame buffer, `ENOMEM`,
    /// `ENODEV`, `EIO` if the GPU does not answer.
    pub(crate) fn new(bar: Bar0<'_>, mm: &Arc<Mm>, va: Range<u64>) -> Result<Self> {
        if va.end > VA_LIMIT {
            return Err(EINVAL);
        }
        Ok(Self {
            space: Space::own(bar, mm, va)?,
        })
    }

    /// Address of the root directory in frame buffer.
    pub(crate) fn root(&self) -> u64 {
        self.space.root()
    }

    /// Maps memory; its addresses are valid for the GPU on return. Sleeps.
    ///
    /// # Errors
    ///
    /// `EINVAL` for a bad request, `EBUSY` if `va` is taken, `ENOSPC` if addresses or frame buffer
    /// for tables are used up, `ENOMEM`, `ETIMEDOUT` if the TLB does not answer, `ENODEV`, `EIO`
    /// if the GPU does not. Nothing is mapped then.
    pub(crate) fn map(&mut self, bar: Bar0<'_>, request: &MapRequest<'_>) -> Result<Range<u64>> {
        self.space.map(bar, request)
    }

    /// Removes a mapping as a whole. On return the GPU can no longer reach the memory. Sleeps.
    ///
    /// # Errors
    ///
    /// `ENOENT` if there is no such mapping; with `EIO`, `ETIMEDOUT`, `ENODEV` the GPU may still
    /// reach the memory, which must not be reused as long as GSP-RM knows the address space.
    pub(crate) fn unmap(&mut self, bar: Bar0<'_>, va: Range<u64>) -> Result {
        self.space.unmap(bar, &va)
    }
}
