// SPDX-License-Identifier: GPL-2.0

//! Ranges that tenants wait for.
//!
//! ```text
//!   claim    |=======================================|     reserved, not handed out yet
//!   to do      [ unclean ]        [     unclean     ]
//!              ^ filled next      each piece that is filled goes; nothing left: handed out
//! ```
//!
//! The oldest claim comes first. One whose fill failed steps back for a while, so that the next one
//! gets its turn, and gives up after [`ATTEMPTS`] failures without progress in between.
//!
//! Pure: also compiled on the host by `tools/testing/host-tests`.

use core::ops::Range;

/// Unclean parts of a claim that are told apart. When there are more, the last one covers them and
/// what is between them: clean memory is filled once more.
const PARTS: usize = 8;
/// Failures in a row after which a claim gives up.
pub(crate) const ATTEMPTS: u32 = 3;
/// Milliseconds that a claim steps back after its first failure; twice as long after each further
/// one.
const STEP_BACK: u64 = 50;

/// Where a claim stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// All of it is clean.
    Ready,
    /// Something is left to do.
    Waiting,
    /// It was given up, with what the last fill said.
    Failed(i32),
}

/// A claim; an empty range is none.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Claim {
    start: u64,
    end: u64,
    /// Claims are numbered in the order in which they are made.
    number: u64,
    /// Unclean parts, sorted; those behind the first empty one are empty.
    todo: [(u64, u64); PARTS],
    failures: u32,
    error: i32,
    /// When it may be tried again.
    due: u64,
}

impl Claim {
    /// A claim of `range` with these unclean parts, which are sorted and inside it.
    pub(crate) fn new(
        range: &Range<u64>,
        number: u64,
        unclean: impl Iterator<Item = Range<u64>>,
    ) -> Self {
        let mut claim = Self {
            start: range.start,
            end: range.end,
            number,
            ..Self::default()
        };
        claim.set_todo(unclean);
        claim
    }

    fn set_todo(&mut self, parts: impl Iterator<Item = Range<u64>>) {
        self.todo = [(0, 0); PARTS];
        let mut count = 0;
        for part in parts.filter(|p| !p.is_empty()) {
            if let Some(slot) = self.todo.get_mut(count) {
                *slot = (part.start, part.end);
                count += 1;
            } else if let Some(last) = self.todo.last_mut() {
                last.1 = part.end;
            }
        }
    }

    pub(crate) fn range(&self) -> Range<u64> {
        self.start..self.end
    }

    pub(crate) fn is_none(&self) -> bool {
        self.start == self.end
    }

    /// What is left to be filled.
    pub(crate) fn todo(&self) -> impl Iterator<Item = Range<u64>> + '_ {
        self.todo
            .iter()
            .map(|&(start, end)| start..end)
            .take_while(|part| !part.is_empty())
    }

    pub(crate) fn progress(&self) -> Progress {
        if self.todo().next().is_none() {
            Progress::Ready
        } else if self.failures >= ATTEMPTS {
            Progress::Failed(self.error)
        } else {
            Progress::Waiting
        }
    }

    /// The fill before this one failed.
    pub(crate) fn is_retry(&self) -> bool {
        self.failures > 0
    }

    /// `range` has been filled.
    fn filled(&mut self, range: &Range<u64>) {
        let before = self.todo;
        let parts = before.iter().flat_map(|&(start, end)| {
            [
                start..end.min(range.start.max(start)),
                start.max(range.end.min(end))..end,
            ]
        });
        self.set_todo(parts);
        if self.todo != before {
            self.failures = 0;
        }
    }

    /// A fill of `range` has failed.
    fn failed(&mut self, range: &Range<u64>, now: u64, error: i32) {
        let concerned = self
            .todo()
            .any(|part| part.start < range.end && range.start < part.end);
        if concerned {
            self.due = now.saturating_add(STEP_BACK << self.failures.min(ATTEMPTS));
            self.failures = self.failures.saturating_add(1);
            self.error = error;
        }
    }

    /// No fill will be done any more.
    fn give_up(&mut self, error: i32) {
        self.failures = ATTEMPTS;
        self.error = error;
    }
}

/// All claims; the table bounds how many there can be.
pub(crate) struct Claims<T>(T)
where
    T: core::ops::DerefMut<Target = [Claim]>;

impl<T> Claims<T>
where
    T: core::ops::DerefMut<Target = [Claim]>,
{
    /// None yet; `table` holds default values.
    pub(crate) fn new(table: T) -> Self {
        Self(table)
    }

    /// There is no place for another one.
    pub(crate) fn is_full(&self) -> bool {
        self.0.iter().all(|c| !c.is_none())
    }

    /// Adds a claim. Returns whether there was a place for it.
    pub(crate) fn add(&mut self, claim: Claim) -> bool {
        let slot = self.0.iter_mut().find(|c| c.is_none());
        slot.map(|slot| *slot = claim).is_some()
    }

    /// The claim of exactly this range.
    pub(crate) fn get(&self, range: &Range<u64>) -> Option<&Claim> {
        self.iter().find(|c| c.range() == *range)
    }

    /// Takes the claim of exactly this range out.
    pub(crate) fn take(&mut self, range: &Range<u64>) -> Option<Claim> {
        let claim = self
            .0
            .iter_mut()
            .find(|c| !c.is_none() && c.range() == *range)?;
        Some(core::mem::take(claim))
    }

    /// The claims, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Claim> {
        self.0.iter().filter(|c| !c.is_none())
    }

    /// The oldest claim that waits and is due.
    pub(crate) fn next(&self, now: u64) -> Option<&Claim> {
        self.waiting()
            .filter(|c| c.due <= now)
            .min_by_key(|c| c.number)
    }

    /// When the next claim is due.
    pub(crate) fn next_due(&self) -> Option<u64> {
        self.waiting().map(|c| c.due).min()
    }

    /// `range` has been filled.
    pub(crate) fn filled(&mut self, range: &Range<u64>) {
        self.0.iter_mut().for_each(|c| c.filled(range));
    }

    /// A fill of `range` has failed.
    pub(crate) fn failed(&mut self, range: &Range<u64>, now: u64, error: i32) {
        self.0.iter_mut().for_each(|c| c.failed(range, now, error));
    }

    /// No claim will be filled any more.
    pub(crate) fn give_up(&mut self, error: i32) {
        self.0.iter_mut().for_each(|c| c.give_up(error));
    }

    /// What claims have clean is not clean any more.
    pub(crate) fn soil(&mut self) {
        for claim in self.0.iter_mut() {
            claim.set_todo(core::iter::once(claim.range()));
        }
    }

    fn waiting(&self) -> impl Iterator<Item = &Claim> {
        self.iter().filter(|c| c.progress() == Progress::Waiting)
    }
}
