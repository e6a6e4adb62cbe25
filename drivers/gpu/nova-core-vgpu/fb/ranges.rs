// SPDX-License-Identifier: GPL-2.0

//! Address ranges handed out by size, alignment, direction or fixed offset.
//!
//! ```text
//!   regions   |=============================|      |==============|      what may be handed out
//!   spans       [A ][ B ]        [   C   ]          [D]       [ E ]      what is, sorted by start
//!   gaps      ^^         ^^^^^^^^         ^^       ^   ^^^^^^^      ^    searched up or down
//! ```
//!
//! Used for frame buffer (owner = vGPU, firmware, page tables, …) and for the virtual address
//! space of BAR1. Each range is contiguous and inside one region; reserving and releasing one takes
//! O(log n) steps for n ranges, see [`super::spans`].
//!
//! Why not the buddy allocator of the kernel, `kernel::gpu::buddy`:
//!
//! * Guest frame buffer is contiguous, a multiple of the VMMU segment and rarely a power of two.
//!   Buddy rounds contiguous requests up to one before it looks for a block, and then gives the
//!   rest back in place: of 45 GiB, it places six vGPUs of 6 GiB and leaves 9 GiB in pieces of at
//!   most 2 GiB, where a seventh one fits here and 3 GiB are left in one piece.
//! * It frees and merges blocks; a range here also has an owner, can change it (quarantine), and
//!   is found by its address.
//! * Its notion of cleared memory is one bit a block, which is lost when blocks merge. Scrubbing
//!   needs to know any range by the byte ([`super::scrub`]).
//! * It allocates memory for each block, so that a release can need memory.
//! * `CONFIG_GPU_BUDDY` has no prompt and is selected by other drivers only; a module outside the
//!   kernel's tree would depend on whether somebody has enabled one of those.
//!
//! Why not `kernel::maple_tree` or `kernel::rbtree`: the first finds gaps by size but not by
//! alignment, the second knows no gaps; both allocate when a range is reserved.
//!
//! Pure: also compiled on the host by `tools/testing/host-tests`.

use core::ops::{DerefMut, Range};

use super::spans::{
    align_down,
    align_up,
    Spans,
    TableFull,
    Want, //
};

pub(crate) use super::spans::{
    Span,
    GRANULE, //
};

/// Most separate regions a pool may be made of: the number of FB region entries GSP reports
/// (OGKM 570.144 `NV2080_CTRL_CMD_FB_GET_FB_REGION_INFO_MAX_ENTRIES`).
pub(crate) const MAX_REGIONS: usize = 16;

/// Why a reservation or release was refused. The pool is unchanged in every case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RangeError {
    /// Size zero, size or offset not a multiple of what is required, alignment not a power of
    /// two, or a range outside every region.
    Invalid,
    /// The fixed range overlaps one that is taken.
    Busy,
    /// No gap is large enough.
    NoSpace,
    /// The table of live ranges is full.
    Full,
    /// The range is not one that was handed out.
    NotFound,
}

impl From<TableFull> for RangeError {
    fn from(_: TableFull) -> Self {
        Self::Full
    }
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    /// Bytes; a non-zero multiple of [`GRANULE`].
    pub(crate) size: u64,
    /// Bytes; a power of two. Values below [`GRANULE`] mean [`GRANULE`].
    pub(crate) align: u64,
    /// Exactly this start address, which must satisfy `align`.
    pub(crate) fixed: Option<u64>,
    /// Search from the highest address down instead of from the lowest up.
    pub(crate) top_down: bool,
}

impl Request {
    /// What a gap must have room for.
    ///
    /// # Errors
    ///
    /// `Invalid`.
    pub(crate) fn want<'a>(&self, avoid: &'a [Range<u64>]) -> Result<Want<'a>, RangeError> {
        let align = self.align.max(GRANULE);
        if self.size == 0 || self.size % GRANULE != 0 || !align.is_power_of_two() {
            return Err(RangeError::Invalid);
        }
        Ok(Want {
            size: self.size,
            align,
            top_down: self.top_down,
            avoid,
        })
    }
}

/// The pool. `T` is the table of live ranges, a slice of fixed length (a `KVVec` in the driver),
/// which has room for that many ranges less the number of regions.
///
/// # Invariants
///
/// `regions[..region_count]` is sorted, free of overlaps and never adjacent, and `spans` has the
/// same regions.
pub(crate) struct Ranges<O, T>
where
    O: Copy + Default,
    T: DerefMut<Target = [Span<O>]>,
{
    regions: [(u64, u64); MAX_REGIONS],
    region_count: usize,
    spans: Spans<O, T>,
}

impl<O, T> Ranges<O, T>
where
    O: Copy + Default,
    T: DerefMut<Target = [Span<O>]>,
{
    /// Creates a pool without regions; `table` bounds how many ranges can be live at once.
    pub(crate) fn new(table: T) -> Self {
        Self {
            regions: [(0, 0); MAX_REGIONS],
            region_count: 0,
            spans: Spans::new(table),
        }
    }

    /// Adds `[start, end)`, shrunk inwards to multiples of [`GRANULE`], and returns what is left
    /// of it.
    ///
    /// # Errors
    ///
    /// `Invalid` if nothing remains or it overlaps a known region, `Full` if there are too many.
    pub(crate) fn add_region(&mut self, start: u64, end: u64) -> Result<Range<u64>, RangeError> {
        let start = align_up(start, GRANULE).ok_or(RangeError::Invalid)?;
        let end = align_down(end, GRANULE);
        if start >= end {
            return Err(RangeError::Invalid);
        }
        if self.regions().iter().any(|&(s, e)| start < e && s < end) {
            return Err(RangeError::Invalid);
        }
        // Regions that touch become one: what is before `at` ends below, the rest starts above.
        let at = self.regions().iter().filter(|r| r.0 < start).count();
        let count = self.region_count;
        let joins_last = at > 0 && self.regions[at - 1].1 == start;
        let joins_next = at < count && self.regions[at].0 == end;
        if !joins_last && !joins_next && count == MAX_REGIONS {
            return Err(RangeError::Full);
        }
        self.spans.add_region(&(start..end))?;
        match (joins_last, joins_next) {
            (true, true) => {
                self.regions[at - 1].1 = self.regions[at].1;
                self.regions[at..count].rotate_left(1);
                self.region_count -= 1;
            }
            (true, false) => self.regions[at - 1].1 = end,
            (false, true) => self.regions[at].0 = start,
            (false, false) => {
                self.regions[at..=count].rotate_right(1);
                self.regions[at] = (start, end);
                self.region_count += 1;
            }
        }
        Ok(start..end)
    }

    /// Reserves a range for `owner`.
    ///
    /// # Errors
    ///
    /// See [`RangeError`].
    pub(crate) fn reserve(&mut self, req: &Request, owner: O) -> Result<Range<u64>, RangeError> {
        self.reserve_avoiding(req, &[], owner)
    }

    /// Same as [`Self::reserve`], but the range does not overlap those in `avoid`, which are
    /// sorted; a fixed one that does is `Busy`.
    ///
    /// # Errors
    ///
    /// See [`RangeError`].
    pub(crate) fn reserve_avoiding(
        &mut self,
        req: &Request,
        avoid: &[Range<u64>],
        owner: O,
    ) -> Result<Range<u64>, RangeError> {
        let want = req.want(avoid)?;
        let start = match req.fixed {
            Some(start) => self.check_fixed(start, &want)?,
            None => self.spans.search(&want).ok_or(RangeError::NoSpace)?,
        };
        let range = start..start + req.size;
        if !self.spans.insert(&range, owner)? {
            return Err(RangeError::Busy);
        }
        Ok(range)
    }

    /// Gives back a range exactly as it was handed out.
    ///
    /// # Errors
    ///
    /// `NotFound`.
    pub(crate) fn release(&mut self, range: &Range<u64>) -> Result<O, RangeError> {
        self.get(range).ok_or(RangeError::NotFound)?;
        let (owner, _) = self.spans.remove(range.start).ok_or(RangeError::NotFound)?;
        Ok(owner)
    }

    /// Changes whom a range belongs to; one that was never handed out is ignored.
    pub(crate) fn set_owner(&mut self, range: &Range<u64>, owner: O) {
        if self.get(range).is_some() {
            self.spans.set_owner(range.start, owner);
        }
    }

    /// The owner of a range that was handed out exactly like this.
    pub(crate) fn get(&self, range: &Range<u64>) -> Option<&O> {
        let span = self.spans.get(range.start)?;
        (span.end == range.end).then_some(&span.owner)
    }

    /// What is not handed out around `address`, if `address` is not.
    pub(crate) fn gap_at(&self, address: u64) -> Option<Range<u64>> {
        self.spans.gap_at(address)
    }

    /// The first live range that ends above `address`.
    pub(crate) fn first_above(&self, address: u64) -> Option<&Span<O>> {
        self.spans.first_above(address)
    }

    /// The first part of `range`, which lies in one region, that is not handed out.
    pub(crate) fn first_free_in(&self, range: &Range<u64>) -> Option<Range<u64>> {
        let mut at = range.start;
        while at < range.end {
            if let Some(gap) = self.gap_at(at) {
                return Some(at..gap.end.min(range.end));
            }
            at = self.first_above(at)?.end;
        }
        None
    }

    /// All parts of `range`, which lies in one region, that are not handed out.
    pub(crate) fn free_in(&self, range: Range<u64>) -> impl Iterator<Item = Range<u64>> + '_ {
        core::iter::successors(self.first_free_in(&range), move |part| {
            self.first_free_in(&(part.end..range.end))
        })
    }

    /// Bytes in all regions.
    pub(crate) fn total(&self) -> u64 {
        self.regions().iter().map(|r| r.1 - r.0).sum()
    }

    /// Bytes handed out.
    pub(crate) fn used(&self) -> u64 {
        self.spans.bytes()
    }

    /// Bytes not handed out (the sum of all gaps, not the largest one).
    pub(crate) fn free(&self) -> u64 {
        self.total() - self.used()
    }

    /// The live ranges, sorted by address.
    pub(crate) fn live(&self) -> impl Iterator<Item = &Span<O>> {
        self.spans.iter()
    }

    /// The regions, sorted by address, as (start, end) with the end excluded.
    pub(crate) fn regions(&self) -> &[(u64, u64)] {
        &self.regions[..self.region_count]
    }

    fn check_fixed(&self, start: u64, want: &Want<'_>) -> Result<u64, RangeError> {
        let end = start.checked_add(want.size).ok_or(RangeError::Invalid)?;
        if start % want.align != 0 || !self.regions().iter().any(|r| r.0 <= start && end <= r.1) {
            return Err(RangeError::Invalid);
        }
        if want.avoid.iter().any(|a| start < a.end && a.start < end) {
            return Err(RangeError::Busy);
        }
        Ok(start)
    }
}
