// SPDX-License-Identifier: GPL-2.0

//! Which frame buffer is not clean.
//!
//! ```text
//!   unclean   [ taken ][ left dirty ]        [ left dirty ][ taken ]
//!   gaps                             ^^^^^^^^                       ^^^^^   clean and free
//! ```
//!
//! Whatever is not known to be clean is unclean: everything after boot, what has an owner, what an
//! owner has left. The number of extents is bounded by the table. When it runs out, the smallest
//! clean gap is forgotten, so that its neighbours become one: clean memory may be filled once more,
//! unclean memory never counts as clean.
//!
//! Pure: also compiled on the host by `tools/testing/host-tests`.

use core::ops::{DerefMut, Range};

use super::{
    ranges::MAX_REGIONS,
    spans::{
        Span,
        Spans,
        TableFull,
        Want, //
    },
};

/// Places that a table needs: with one for each region and two extents in one of them, there is a
/// gap to forget.
const MIN_TABLE: usize = 2 * MAX_REGIONS + 2;

/// The unclean extents.
///
/// # Invariants
///
/// No two extents touch.
pub(crate) struct Unclean<T>(Spans<(), T>)
where
    T: DerefMut<Target = [Span<()>]>;

impl<T> Unclean<T>
where
    T: DerefMut<Target = [Span<()>]>,
{
    /// Of no memory at all.
    ///
    /// # Errors
    ///
    /// If the table has fewer than `2 * MAX_REGIONS + 2` places.
    pub(crate) fn new(table: T) -> Result<Self, TableFull> {
        if table.len() < MIN_TABLE {
            return Err(TableFull);
        }
        Ok(Self(Spans::new(table)))
    }

    /// Adds memory, all of it unclean.
    ///
    /// # Errors
    ///
    /// If there are too many regions.
    pub(crate) fn add_region(&mut self, range: &Range<u64>) -> Result<(), TableFull> {
        self.0.add_region(range)?;
        self.soil(range);
        Ok(())
    }

    /// Bytes that are unclean.
    pub(crate) fn bytes(&self) -> u64 {
        self.0.bytes()
    }

    /// Finds a place that is clean all over.
    pub(crate) fn search_clean(&self, want: &Want<'_>) -> Option<u64> {
        self.0.search(want)
    }

    /// Whether all of `range`, which lies in one region, is clean.
    pub(crate) fn is_clean(&self, range: &Range<u64>) -> bool {
        self.first_in(range).is_none()
    }

    /// The first unclean part of `range`.
    pub(crate) fn first_in(&self, range: &Range<u64>) -> Option<Range<u64>> {
        let found = self.0.first_above(range.start)?;
        let part = found.start.max(range.start)..found.end.min(range.end);
        (!part.is_empty()).then_some(part)
    }

    /// All of `range`, which lies in one region, is unclean from now on.
    pub(crate) fn soil(&mut self, range: &Range<u64>) {
        if range.is_empty() {
            return;
        }
        if self.0.vacant() == 0 {
            self.forget_a_gap();
        }
        let mut whole = range.clone();
        // Extents that overlap or touch it become part of it.
        while let Some(part) = self.0.first_above(whole.start.saturating_sub(1)) {
            if part.start > whole.end {
                break;
            }
            let part = part.range();
            whole = whole.start.min(part.start)..whole.end.max(part.end);
            self.0.remove(part.start);
        }
        let inserted = self.0.insert(&whole, ());
        debug_assert_eq!(inserted, Ok(true));
    }

    /// All of `range` is clean from now on.
    pub(crate) fn clean(&mut self, range: &Range<u64>) {
        while let Some(part) = self.first_in(range) {
            let Some(extent) = self.0.first_above(part.start).map(|e| e.range()) else {
                return;
            };
            if self.0.vacant() == 0 {
                // Makes the extent larger, perhaps.
                self.forget_a_gap();
                if self.0.vacant() == 0 {
                    return;
                }
                continue;
            }
            self.0.remove(extent.start);
            for rest in [extent.start..part.start, part.end..extent.end] {
                if !rest.is_empty() {
                    let inserted = self.0.insert(&rest, ());
                    debug_assert_eq!(inserted, Ok(true));
                }
            }
        }
    }

    /// Makes a place in the table free.
    fn forget_a_gap(&mut self) {
        let gaps = self.0.iter().filter_map(|extent| {
            let gap = self.0.gap_at(extent.end)?;
            // The last gap of a region is before no extent.
            let next = self.0.first_above(extent.end)?;
            (next.start == gap.end).then_some(gap)
        });
        if let Some(gap) = gaps.min_by_key(|gap| gap.end - gap.start) {
            self.join(&gap);
        }
    }

    /// Makes the extents around `gap` one.
    fn join(&mut self, gap: &Range<u64>) {
        let (Some(below), Some(above)) = (
            self.0.first_above(gap.start.saturating_sub(1)),
            self.0.first_above(gap.end),
        ) else {
            return;
        };
        let (below, above) = (below.range(), above.range());
        self.0.remove(below.start);
        self.0.remove(above.start);
        let inserted = self.0.insert(&(below.start..above.end), ());
        debug_assert_eq!(inserted, Ok(true));
    }

    /// The unclean extents, sorted by address.
    #[cfg(test)]
    pub(crate) fn iter(&self) -> impl Iterator<Item = Range<u64>> + '_ {
        self.0.iter().map(|e| e.range())
    }
}
