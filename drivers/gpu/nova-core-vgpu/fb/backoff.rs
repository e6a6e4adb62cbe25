// SPDX-License-Identifier: GPL-2.0

//! When frame buffer whose fill failed is tried again in the background.
//!
//! ```text
//!   one range fails    that range waits  0.1 s, 0.2 s, 0.4 s, … 30 s;   others go on
//!   all ranges fail    everything waits  0.1 s, 0.2 s, 0.4 s, … 30 s    until one succeeds
//! ```
//!
//! Memory that somebody waits for does not go by this, see [`super::claims`].
//!
//! Pure: also compiled on the host by `tools/testing/host-tests`.

use core::ops::Range;

/// Ranges that are told apart. When there are more, the one that is due first is forgotten.
pub(crate) const ENTRIES: usize = 16;
/// Milliseconds until the first repetition.
const FIRST: u64 = 100;
/// Most milliseconds until a repetition.
const LONGEST: u64 = 30_000;

/// A range whose fill failed; one without failures is none.
#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    start: u64,
    end: u64,
    failures: u32,
    due: u64,
}

impl Entry {
    fn overlaps(&self, range: &Range<u64>) -> bool {
        self.failures > 0 && self.start < range.end && range.start < self.end
    }
}

/// What is not to be tried yet.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    entries: [Entry; ENTRIES],
    in_a_row: u32,
    resume: u64,
}

/// What to do with a range now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Advice {
    /// Try this part of it, from its start on.
    Try(Range<u64>),
    /// Not its start: skip up to the first number; it is due at the second one.
    Skip(u64, u64),
}

impl Backoff {
    /// When anything may be tried at all.
    pub(crate) fn resume(&self) -> u64 {
        self.resume
    }

    /// Whether this range failed before.
    pub(crate) fn is_retry(&self, range: &Range<u64>) -> bool {
        self.entries.iter().any(|e| e.overlaps(range))
    }

    /// How much of `range`, which is not empty, is to be tried.
    pub(crate) fn advise(&self, range: &Range<u64>, now: u64) -> Advice {
        let mut end = range.end;
        for entry in self.entries.iter().filter(|e| e.due > now) {
            if entry.overlaps(range) {
                if entry.start <= range.start {
                    return Advice::Skip(entry.end.min(range.end), entry.due);
                }
                end = end.min(entry.start);
            }
        }
        Advice::Try(range.start..end)
    }

    /// `range` has been filled.
    pub(crate) fn succeeded(&mut self, range: &Range<u64>) {
        self.in_a_row = 0;
        self.resume = 0;
        for entry in self.entries.iter_mut().filter(|e| e.overlaps(range)) {
            *entry = Entry::default();
        }
    }

    /// A fill of `range` has failed.
    pub(crate) fn failed(&mut self, range: &Range<u64>, now: u64) {
        let mut failures = 0;
        for entry in self.entries.iter_mut().filter(|e| e.overlaps(range)) {
            failures = failures.max(entry.failures);
            *entry = Entry::default();
        }
        let entry = Entry {
            start: range.start,
            end: range.end,
            failures: failures.saturating_add(1),
            due: now.saturating_add(delay(failures)),
        };
        // One that is none is due at 0.
        if let Some(slot) = self.entries.iter_mut().min_by_key(|e| e.due) {
            *slot = entry;
        }
        // The first failure is the range's own matter.
        if self.in_a_row > 0 {
            self.resume = now.saturating_add(delay(self.in_a_row - 1));
        }
        self.in_a_row = self.in_a_row.saturating_add(1);
    }

    /// The ranges that failed, sorted; the empty ones come first.
    pub(crate) fn ranges(&self) -> [Range<u64>; ENTRIES] {
        let mut ranges = self.entries.map(|e| e.start..e.end);
        ranges.sort_unstable_by_key(|r| r.start);
        ranges
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

/// Milliseconds after this many failures before the last one.
fn delay(failures: u32) -> u64 {
    FIRST
        .checked_shl(failures.min(32))
        .map_or(LONGEST, |d| d.min(LONGEST))
}
