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
//! space of BAR1. Why not a buddy allocator: vGPU frame buffer must start and end on a VMMU segment
//! but its size is rarely a power of two (a 48 GiB board divided by three instances), may be asked
//! for at a fixed offset (placement), and must be accounted to its owner byte by byte. At most a
//! hundred ranges are ever live, so a sorted table searched front to back is both the simplest
//! thing that is exact and fast enough; nothing is allocated once the table exists, so a
//! reservation cannot fail for want of kernel memory.
//!
//! Pure: also compiled on the host by `tools/testing/host-tests`.

use core::ops::{DerefMut, Range};

/// Ranges are multiples of this many bytes, the small page of the GPU's MMU.
pub(crate) const GRANULE: u64 = 4096;

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

/// A live range and whom it belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span<O> {
    /// First byte.
    pub(crate) start: u64,
    /// One past the last byte.
    pub(crate) end: u64,
    /// Owner, for accounting.
    pub(crate) owner: O,
}

/// The pool. `T` is the table of live ranges, a slice of fixed length (a `KVec` in the driver).
///
/// # Invariants
///
/// `spans[..len]` is sorted by start, free of overlaps, and each span lies inside one region.
/// `regions[..region_count]` is sorted, free of overlaps and never adjacent.
pub(crate) struct Ranges<O, T>
where
    O: Copy + Default,
    T: DerefMut<Target = [Span<O>]>,
{
    regions: [(u64, u64); MAX_REGIONS],
    region_count: usize,
    spans: T,
    len: usize,
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
            spans: table,
            len: 0,
        }
    }

    /// Adds `[start, end)`, shrunk inwards to multiples of [`GRANULE`].
    ///
    /// # Errors
    ///
    /// `Invalid` if nothing remains or it overlaps a known region, `Full` if there are too many.
    pub(crate) fn add_region(&mut self, start: u64, end: u64) -> Result<(), RangeError> {
        let start = align_up(start, GRANULE).ok_or(RangeError::Invalid)?;
        let end = align_down(end, GRANULE);
        if start >= end {
            return Err(RangeError::Invalid);
        }
        let known = &self.regions[..self.region_count];
        if known.iter().any(|&(s, e)| start < e && s < end) {
            return Err(RangeError::Invalid);
        }
        if let Some(region) = self.regions[..self.region_count]
            .iter_mut()
            .find(|r| r.1 == start || r.0 == end)
        {
            // Joining may make this region touch another one: take it out and add the union.
            let joined = (region.0.min(start), region.1.max(end));
            let at = self.regions[..self.region_count]
                .iter()
                .position(|r| r.0 >= joined.0 && r.1 <= joined.1)
                .ok_or(RangeError::Invalid)?;
            self.regions[at..self.region_count].rotate_left(1);
            self.region_count -= 1;
            return self.add_region(joined.0, joined.1);
        }
        if self.region_count == MAX_REGIONS {
            return Err(RangeError::Full);
        }
        let at = self.regions[..self.region_count]
            .iter()
            .position(|r| r.0 > start)
            .unwrap_or(self.region_count);
        self.regions[at..=self.region_count].rotate_right(1);
        self.regions[at] = (start, end);
        self.region_count += 1;
        Ok(())
    }

    /// Reserves a range for `owner`.
    pub(crate) fn reserve(&mut self, req: &Request, owner: O) -> Result<Range<u64>, RangeError> {
        let align = req.align.max(GRANULE);
        if req.size == 0 || req.size % GRANULE != 0 || !align.is_power_of_two() {
            return Err(RangeError::Invalid);
        }
        let start = match req.fixed {
            Some(start) => self.check_fixed(start, req.size, align)?,
            None => self
                .search(req.size, align, req.top_down)
                .ok_or(RangeError::NoSpace)?,
        };
        let end = start + req.size;
        self.insert(Span { start, end, owner })?;
        Ok(start..end)
    }

    /// Gives back a range exactly as it was handed out.
    pub(crate) fn release(&mut self, range: &Range<u64>) -> Result<O, RangeError> {
        let at = self.spans[..self.len]
            .iter()
            .position(|s| s.start == range.start && s.end == range.end)
            .ok_or(RangeError::NotFound)?;
        let owner = self.spans[at].owner;
        self.spans[at..self.len].rotate_left(1);
        self.len -= 1;
        Ok(owner)
    }

    /// Changes whom a range belongs to; one that was never handed out is ignored.
    pub(crate) fn set_owner(&mut self, range: &Range<u64>, owner: O) {
        if let Some(span) = self.spans[..self.len]
            .iter_mut()
            .find(|s| s.start == range.start && s.end == range.end)
        {
            span.owner = owner;
        }
    }

    /// Bytes in all regions.
    pub(crate) fn total(&self) -> u64 {
        self.regions[..self.region_count]
            .iter()
            .map(|r| r.1 - r.0)
            .sum()
    }

    /// Bytes handed out.
    pub(crate) fn used(&self) -> u64 {
        self.live().iter().map(|s| s.end - s.start).sum()
    }

    /// Bytes not handed out (the sum of all gaps, not the largest one).
    pub(crate) fn free(&self) -> u64 {
        self.total() - self.used()
    }

    /// The live ranges, sorted by address.
    pub(crate) fn live(&self) -> &[Span<O>] {
        &self.spans[..self.len]
    }

    /// The regions, sorted by address, as (start, end) with the end excluded.
    pub(crate) fn regions(&self) -> &[(u64, u64)] {
        &self.regions[..self.region_count]
    }

    fn check_fixed(&self, start: u64, size: u64, align: u64) -> Result<u64, RangeError> {
        let end = start.checked_add(size).ok_or(RangeError::Invalid)?;
        if start % align != 0 || !self.regions().iter().any(|r| r.0 <= start && end <= r.1) {
            return Err(RangeError::Invalid);
        }
        if self.live().iter().any(|s| start < s.end && s.start < end) {
            return Err(RangeError::Busy);
        }
        Ok(start)
    }

    /// Finds the first (or last) aligned place of `size` bytes.
    fn search(&self, size: u64, align: u64, top_down: bool) -> Option<u64> {
        let mut found = None;
        for &(region_start, region_end) in self.regions() {
            let mut gap_start = region_start;
            let inside = self
                .live()
                .iter()
                .filter(|s| region_start <= s.start && s.end <= region_end);
            // One gap before each span, and a last one up to the end of the region.
            for (gap_end, next) in inside
                .map(|s| (s.start, s.end))
                .chain(core::iter::once((region_end, region_end)))
            {
                if let Some(start) = place(gap_start, gap_end, size, align, top_down) {
                    if !top_down {
                        return Some(start);
                    }
                    found = Some(start);
                }
                gap_start = next;
            }
        }
        found
    }

    fn insert(&mut self, span: Span<O>) -> Result<(), RangeError> {
        if self.len == self.spans.len() {
            return Err(RangeError::Full);
        }
        let at = self.spans[..self.len]
            .iter()
            .position(|s| s.start > span.start)
            .unwrap_or(self.len);
        self.spans[at..=self.len].rotate_right(1);
        self.spans[at] = span;
        self.len += 1;
        Ok(())
    }
}

/// Places `size` bytes in the gap `[start, end)`, at its low or its high end.
fn place(start: u64, end: u64, size: u64, align: u64, top_down: bool) -> Option<u64> {
    if top_down {
        let at = align_down(end.checked_sub(size)?, align);
        (at >= start).then_some(at)
    } else {
        let at = align_up(start, align)?;
        (at.checked_add(size)? <= end).then_some(at)
    }
}

fn align_up(value: u64, align: u64) -> Option<u64> {
    value.checked_add(align - 1).map(|v| v & !(align - 1))
}

fn align_down(value: u64, align: u64) -> u64 {
    value & !(align - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const M: u64 = 1 << 20;

    fn pool(slots: usize, regions: &[(u64, u64)]) -> Ranges<u32, Vec<Span<u32>>> {
        let mut p = Ranges::new(vec![Span::default(); slots]);
        for &(s, e) in regions {
            p.add_region(s, e).unwrap();
        }
        p
    }

    fn req(size: u64, align: u64) -> Request {
        Request {
            size,
            align,
            fixed: None,
            top_down: false,
        }
    }

    #[test]
    fn first_fit_and_alignment() {
        let mut p = pool(8, &[(M, 1024 * M)]);
        assert_eq!(p.reserve(&req(M, 0), 1), Ok(M..2 * M));
        assert_eq!(p.reserve(&req(256 * M, 128 * M), 2), Ok(128 * M..384 * M));
        // The hole before the aligned range is still usable.
        assert_eq!(p.reserve(&req(126 * M, M), 3), Ok(2 * M..128 * M));
        assert_eq!(p.used(), 383 * M);
        assert_eq!(p.free(), 1023 * M - 383 * M);
    }

    #[test]
    fn top_down_takes_the_highest_place() {
        let mut p = pool(8, &[(0, 100 * M), (200 * M, 300 * M)]);
        let top = Request {
            top_down: true,
            ..req(10 * M, 8 * M)
        };
        assert_eq!(p.reserve(&top, 1), Ok(288 * M..298 * M));
        assert_eq!(p.reserve(&top, 2), Ok(272 * M..282 * M));
        let big = Request {
            size: 90 * M,
            ..top
        };
        assert_eq!(p.reserve(&big, 3), Ok(8 * M..98 * M));
    }

    #[test]
    fn fixed_offsets() {
        let mut p = pool(8, &[(0, 512 * M)]);
        let at = |start| Request {
            fixed: Some(start),
            ..req(128 * M, 128 * M)
        };
        assert_eq!(p.reserve(&at(128 * M), 1), Ok(128 * M..256 * M));
        assert_eq!(p.reserve(&at(128 * M), 2), Err(RangeError::Busy));
        assert_eq!(p.reserve(&at(64 * M), 2), Err(RangeError::Invalid));
        assert_eq!(p.reserve(&at(512 * M), 2), Err(RangeError::Invalid));
        assert_eq!(p.reserve(&at(!(128 * M - 1)), 2), Err(RangeError::Invalid));
        assert_eq!(p.reserve(&at(256 * M), 2), Ok(256 * M..384 * M));
    }

    #[test]
    fn a_range_never_spans_two_regions() {
        let mut p = pool(8, &[(0, 64 * M), (128 * M, 192 * M)]);
        assert_eq!(p.reserve(&req(65 * M, M), 1), Err(RangeError::NoSpace));
        let fixed = Request {
            fixed: Some(63 * M),
            ..req(2 * M, M)
        };
        assert_eq!(p.reserve(&fixed, 1), Err(RangeError::Invalid));
    }

    #[test]
    fn bad_requests() {
        let mut p = pool(8, &[(0, 64 * M)]);
        assert_eq!(p.reserve(&req(0, M), 1), Err(RangeError::Invalid));
        assert_eq!(p.reserve(&req(100, M), 1), Err(RangeError::Invalid));
        assert_eq!(p.reserve(&req(M, 3 * M), 1), Err(RangeError::Invalid));
        assert_eq!(p.reserve(&req(!4095, M), 1), Err(RangeError::NoSpace));
        assert_eq!(p.live().len(), 0);
    }

    #[test]
    fn release_only_what_was_given() {
        let mut p = pool(8, &[(0, 64 * M)]);
        let a = p.reserve(&req(4 * M, M), 7).unwrap();
        assert_eq!(p.release(&(a.start..a.end + M)), Err(RangeError::NotFound));
        p.set_owner(&a, 8);
        p.set_owner(&(a.start..a.end + M), 9);
        assert_eq!(p.release(&a), Ok(8));
        assert_eq!(p.release(&a), Err(RangeError::NotFound));
        assert_eq!(p.free(), 64 * M);
    }

    #[test]
    fn the_table_bounds_live_ranges() {
        let mut p = pool(2, &[(0, 64 * M)]);
        let a = p.reserve(&req(M, M), 1).unwrap();
        p.reserve(&req(M, M), 2).unwrap();
        assert_eq!(p.reserve(&req(M, M), 3), Err(RangeError::Full));
        p.release(&a).unwrap();
        assert_eq!(p.reserve(&req(M, M), 3), Ok(a));
    }

    #[test]
    fn regions_join_and_are_checked() {
        let mut p = pool(4, &[(0, 8 * M), (16 * M, 24 * M)]);
        p.add_region(8 * M, 16 * M).unwrap();
        assert_eq!(p.regions(), &[(0, 24 * M)]);
        assert_eq!(p.add_region(M, 2 * M), Err(RangeError::Invalid));
        assert_eq!(
            p.add_region(32 * M + 1, 32 * M + 4096),
            Err(RangeError::Invalid)
        );
        p.add_region(32 * M + 1, 33 * M + 5).unwrap();
        assert_eq!(p.regions()[1], (32 * M + 4096, 33 * M));
    }

    /// Random reservations and releases against a byte-per-granule reference.
    #[test]
    fn agrees_with_a_plain_bitmap() {
        const PAGES: u64 = 256;
        let mut p = pool(64, &[(0, 100 * GRANULE), (120 * GRANULE, PAGES * GRANULE)]);
        let mut map = vec![false; PAGES as usize];
        let usable = |page: u64| page < 100 || (120..PAGES).contains(&page);
        let mut live: Vec<Range<u64>> = Vec::new();
        let mut state = 0x1234_5678_9abc_def1u64;
        let mut next = |n: u64| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1);
            (state >> 33) % n
        };
        for _ in 0..20_000 {
            if next(3) == 0 && !live.is_empty() {
                let r = live.swap_remove(next(live.len() as u64) as usize);
                p.release(&r).unwrap();
                for page in r.start / GRANULE..r.end / GRANULE {
                    map[page as usize] = false;
                }
                continue;
            }
            let (pages, align) = (1 + next(16), 1u64 << next(5));
            let request = Request {
                top_down: next(2) == 0,
                ..req(pages * GRANULE, align * GRANULE)
            };
            let fits = |start: u64| {
                start % align == 0
                    && (start..start + pages).all(|q| q < PAGES && usable(q) && !map[q as usize])
            };
            let expect = if request.top_down {
                (0..PAGES).rev().find(|&s| fits(s))
            } else {
                (0..PAGES).find(|&s| fits(s))
            };
            match p.reserve(&request, 0) {
                Ok(r) => {
                    assert_eq!(Some(r.start / GRANULE), expect);
                    for page in r.start / GRANULE..r.end / GRANULE {
                        map[page as usize] = true;
                    }
                    live.push(r);
                }
                Err(RangeError::NoSpace) => assert_eq!(expect, None),
                Err(RangeError::Full) => assert_eq!(live.len(), 64),
                Err(e) => panic!("{e:?}"),
            }
            assert_eq!(
                p.used(),
                map.iter().filter(|&&b| b).count() as u64 * GRANULE
            );
        }
    }
}
