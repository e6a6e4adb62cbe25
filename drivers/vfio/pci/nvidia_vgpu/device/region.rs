// SPDX-License-Identifier: GPL-2.0

//! Sizes and bounds of the regions that a guest can reach.
//!
//! ```text
//!   BAR0   |--------|F|------------|M|----------------|    F  fault buffers and TLB invalidation
//!           mapped      mapped          mapped             M  MSI-X table
//!                    '- read(), write() only -'
//!
//!   physical BAR1   |===================================|
//!   BAR1 of a guest |=============|- - -|
//!                   '  backed     ' ~0  ' size, a power of two
//! ```
//!
//! * F: on GA10x and AD10x, NVIDIA's own host does not let guests that share a GPU touch this page
//!   directly (bug 3007008; OGKM 570.144, `kernel_bif_tu102.c` and `kernel_vgpu_mgr.c`). A type
//!   that has the GPU for itself may.
//! * M: the host programs the interrupts of the VF.
//! * BAR1 ends where the type says. A type whose length is no power of two gets a BAR of the next
//!   one, as PCI wants it, behind whose length there is nothing.
//!
//! The other BARs are exposed as they are.
//!
//! Pure: also compiled on the host by `tools/testing/host-tests`.

use core::ops::Range;

/// Smallest piece that can be mapped.
const PAGE_SIZE: u64 = 4096;
/// `NV_VIRTUAL_FUNCTION_PRIV_MMU_FAULT_BUFFER_LO(0)` (OGKM 570.144, `ga102/dev_vm.h`).
const FAULT_BUFFER: u64 = 0x3000;

/// Most pieces that BAR0 can be mapped in.
pub(crate) const AREAS: usize = 3;

/// What of BAR0 can be mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bar0 {
    /// First byte and length, in order.
    areas: [(u64, u64); AREAS],
    count: usize,
}

impl Bar0 {
    /// BAR0 of `size` bytes, with an MSI-X table in `msix`, for a type that `shares` the GPU with
    /// other vGPUs. `None` when that leaves more areas than there are.
    pub(crate) fn new(size: u64, msix: Range<u64>, shares: bool) -> Option<Self> {
        let mut trapped = [pages(&msix)?, 0..0];

        if shares {
            trapped[1] = FAULT_BUFFER..FAULT_BUFFER + PAGE_SIZE;
        }
        trapped.sort_unstable_by_key(|range| range.start);

        let mut bar = Self {
            areas: [(0, 0); AREAS],
            count: 0,
        };
        let mut start = 0;
        for range in trapped {
            bar.push(start..range.start.min(size))?;
            start = start.max(range.end);
        }
        bar.push(start..size / PAGE_SIZE * PAGE_SIZE)?;
        Some(bar)
    }

    fn push(&mut self, range: Range<u64>) -> Option<()> {
        if !range.is_empty() {
            *self.areas.get_mut(self.count)? = (range.start, range.end - range.start);
            self.count += 1;
        }
        Some(())
    }

    /// What can be mapped: first byte and length of each area. Those from [`count`](Self::count) on
    /// are not used.
    pub(crate) fn areas(&self) -> &[(u64, u64); AREAS] {
        &self.areas
    }

    /// How many areas there are.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Can all bytes of `range` be mapped?
    pub(crate) fn is_mappable(&self, range: &Range<u64>) -> bool {
        let mut areas = self.areas.iter().take(self.count);

        areas.any(|(start, len)| *start <= range.start && range.end <= start + len)
    }
}

/// The pages that have bytes of `range`.
fn pages(range: &Range<u64>) -> Option<Range<u64>> {
    let start = range.start / PAGE_SIZE * PAGE_SIZE;

    Some(start..range.end.checked_next_multiple_of(PAGE_SIZE)?)
}

/// What a guest sees of BAR1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bar1 {
    /// Bytes of the BAR, a power of two.
    pub(crate) size: u64,
    /// Bytes at its beginning that lead to the hardware.
    pub(crate) backed: u64,
}

impl Bar1 {
    /// The type's size (0: no limit) or the physical one, whichever is smaller. `None` when that is
    /// less than a page, or when hardware has no BAR of such a size.
    pub(crate) fn new(type_size: u64, physical: u64) -> Option<Self> {
        let wanted = match type_size {
            0 => physical,
            size => size.min(physical),
        };
        let backed = wanted / PAGE_SIZE * PAGE_SIZE;
        let size = backed.checked_next_power_of_two()?;

        (backed > 0 && size <= physical).then_some(Self { size, backed })
    }

    /// How much of an access to `offset..offset + len` the hardware takes, and how much the BAR does.
    /// `None` when it starts behind the end.
    pub(crate) fn split(&self, offset: u64, len: usize) -> Option<(usize, usize)> {
        let taken = clamp(offset, len, self.size)?;

        Some((clamp(offset, taken, self.backed).unwrap_or(0), taken))
    }

    /// Does all of `range` lead to the hardware?
    pub(crate) fn is_mappable(&self, range: &Range<u64>) -> bool {
        range.end <= self.backed
    }
}

/// How much of an access to `offset..offset + len` lies inside a region of `size` bytes; `None`
/// when it starts outside.
fn clamp(offset: u64, len: usize, size: u64) -> Option<usize> {
    let left = size.checked_sub(offset).filter(|left| *left > 0)?;
    Some(usize::try_from(left).map_or(len, |left| left.min(len)))
}

/// Does `offset..offset + len` lie inside a region of `size` bytes as a whole?
pub(crate) fn contains(offset: u64, len: u64, size: u64) -> bool {
    offset.checked_add(len).is_some_and(|end| end <= size)
}
