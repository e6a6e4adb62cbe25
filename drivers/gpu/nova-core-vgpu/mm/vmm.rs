// SPDX-License-Identifier: GPL-2.0

//! Address spaces of channels.
//!
//! ```text
//!   channel --> instance block --> root (PD3) --> tables --> frame buffer, system memory
//!                                  \____________________/
//!                                    pages of this driver only; GSP-RM is told the root
//! ```

use core::ops::Range;

use kernel::{
    dma::DmaAddress,
    prelude::*,
    sync::Arc, //
};

use super::Mm;
use crate::driver::Bar0;

/// Bytes that one leaf maps.
#[allow(dead_code)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum PageSize {
    /// 4 KiB.
    Small,
    /// 64 KiB.
    Big,
    /// 2 MiB.
    Huge,
}

/// What a mapping leads to.
#[allow(dead_code)]
#[derive(Clone, Copy)]
pub(crate) enum Target<'a> {
    /// Frame buffer from this address on.
    Video(u64),
    /// Coherent system memory, as seen by the GPU: the addresses of its 4 KiB pages.
    System(&'a [DmaAddress]),
}

/// What is to be mapped, and how.
#[allow(dead_code)]
pub(crate) struct MapRequest<'a> {
    /// The memory.
    pub(crate) target: Target<'a>,
    /// Bytes of the target to skip; a multiple of 4 KiB.
    pub(crate) offset: u64,
    /// Bytes; a multiple of 4 KiB.
    pub(crate) len: u64,
    /// Exactly this virtual address, or any.
    pub(crate) va: Option<u64>,
    /// Only leaves of this size; `None`: the largest that fit.
    pub(crate) page_size: Option<PageSize>,
    /// Memory kind; 0 is pitch.
    pub(crate) kind: u8,
    /// Writes fault.
    pub(crate) read_only: bool,
    /// Accesses of user channels fault.
    pub(crate) privileged: bool,
}

/// An address space.
#[allow(dead_code)]
pub(crate) struct Vmm {
    mm: Arc<Mm>,
    root: u64,
}

#[allow(dead_code)]
impl Vmm {
    /// An empty address space that hands out addresses in `va`. Its root directory is in frame
    /// buffer, owned by the PF, on return. Sleeps.
    ///
    /// # Errors
    ///
    /// `EINVAL` for a range that the MMU cannot address, `ENOSPC` without frame buffer, `ENOMEM`.
    pub(crate) fn new(_bar: Bar0<'_>, _mm: &Arc<Mm>, _va: Range<u64>) -> Result<Self> {
        Err(EOPNOTSUPP)
    }

    /// Address of the root directory in frame buffer.
    pub(crate) fn root(&self) -> u64 {
        self.root
    }

    /// Maps memory; its addresses are valid for the GPU on return. Sleeps.
    ///
    /// # Errors
    ///
    /// `EINVAL` for a bad request, `EBUSY` if `va` is taken, `ENOSPC` if addresses or frame buffer
    /// for tables are used up, `ENOMEM`, `ETIMEDOUT` if the TLB does not answer. Nothing is mapped
    /// then.
    pub(crate) fn map(&mut self, _bar: Bar0<'_>, _request: &MapRequest<'_>) -> Result<Range<u64>> {
        Err(EOPNOTSUPP)
    }

    /// Removes a mapping as a whole. On return the GPU can no longer reach the memory. Sleeps.
    ///
    /// # Errors
    ///
    /// `ENOENT` if there is no such mapping; `EIO`, `ETIMEDOUT` if the GPU may still reach the
    /// memory, which must not be reused then.
    pub(crate) fn unmap(&mut self, _bar: Bar0<'_>, _va: Range<u64>) -> Result {
        Err(EOPNOTSUPP)
    }
}
