// SPDX-License-Identifier: GPL-2.0

//! BAR1: windows of the CPU on frame buffer.
//!
//! ```text
//!   CPU  --> BAR1 base + va --> page tables --> frame buffer
//!                                 |
//!              root (PD3) owned by GSP-RM, its address is in the static info
//!                                 |
//!              tables below: GSP-RM's where it has some, else our own
//! ```
//!
//! GSP-RM has bound the root and may use entries in it; whatever is there is followed or avoided,
//! never changed. A range of addresses that turns out to be GSP-RM's is taken out of the pool of
//! addresses for good.
//!
//! One chunk of table memory is kept for as long as the PF is bound, enough for the windows of all
//! vGPUs: they can be had even if the vGPUs have all the rest of frame buffer.
//!
//! The owner keeps a [`Bar1`] under a mutex. No call waits for firmware.

use core::ops::Range;

use kernel::{
    prelude::*,
    sync::Arc, //
};

use super::{
    space::Space,
    vmm::MapRequest,
    Mm, //
};
use crate::driver::Bar0;

pub(crate) use super::space::State;

/// State of BAR1.
pub(crate) struct Bar1 {
    space: Space,
}

impl Bar1 {
    /// BAR1 of `len` bytes with its root directory at `root`.
    ///
    /// # Errors
    ///
    /// `EINVAL` if BAR1 has no size or the root is not an address of a page, `ENOSPC` without
    /// frame buffer for tables, `ENOMEM`.
    pub(crate) fn new(mm: &Arc<Mm>, len: u64, root: u64) -> Result<Self> {
        Ok(Self {
            space: Space::foreign(mm, root, 0..len)?,
        })
    }

    /// Begins anew below another root directory: the GPU was reset and GSP-RM booted again. What was
    /// mapped before is not known any more, and must not be unmapped.
    ///
    /// # Errors
    ///
    /// As for [`Bar1::new`]; nothing can be mapped then.
    pub(crate) fn restart(&mut self, len: u64, root: u64) -> Result {
        self.space.restart(root, 0..len)
    }

    /// Maps frame buffer and returns the offsets in BAR1 that show it.
    ///
    /// # Errors
    ///
    /// `EINVAL` for a bad request, `ENOSPC` when the addresses or the frame buffer for tables are
    /// used up, `ETIMEDOUT` when the TLB does not answer, `ENODEV`, `EIO` when the GPU does not.
    pub(crate) fn map(&mut self, bar: Bar0<'_>, request: &MapRequest<'_>) -> Result<Range<u64>> {
        self.space.map(bar, request)
    }

    /// Makes `len` bytes of BAR1 sparse: the CPU reads zeroes there, and what it writes is dropped.
    ///
    /// # Errors
    ///
    /// As for [`Bar1::map`].
    pub(crate) fn map_sparse(&mut self, bar: Bar0<'_>, len: u64) -> Result<Range<u64>> {
        self.space.map_sparse(bar, len)
    }

    /// Removes a mapping that [`Bar1::map`] or [`Bar1::map_sparse`] has returned.
    ///
    /// # Errors
    ///
    /// `ENOENT` if there is none, `EIO` if an entry was not what had been written, `ETIMEDOUT`
    /// when the TLB does not answer, `ENODEV`. The addresses stay out of use then.
    pub(crate) fn unmap(&mut self, bar: Bar0<'_>, va: &Range<u64>) -> Result {
        self.space.unmap(bar, va)
    }

    /// All ranges of offsets that are in use, by address.
    pub(crate) fn ranges(&self) -> impl Iterator<Item = (Range<u64>, State)> + '_ {
        self.space.ranges()
    }

    /// Number of mappings of this driver.
    pub(crate) fn mappings(&self) -> usize {
        self.space.count(State::Mapped)
    }

    /// Number of address ranges that belong to GSP-RM or could not be unmapped.
    pub(crate) fn unusable(&self) -> usize {
        [State::Firmware, State::Stale, State::Broken]
            .into_iter()
            .map(|state| self.space.count(state))
            .sum()
    }

    /// Bytes of addresses that are not mapped.
    pub(crate) fn free(&self) -> u64 {
        self.space.free()
    }

    /// Bytes of tables in use.
    pub(crate) fn table_bytes(&self) -> u64 {
        self.space.table_bytes()
    }

    /// Bytes of frame buffer that are held for tables.
    pub(crate) fn table_fb(&self) -> u64 {
        self.space.table_fb()
    }
}
