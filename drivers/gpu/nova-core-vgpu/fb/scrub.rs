// SPDX-License-Identifier: GPL-2.0

//! Frame buffer that is handed out to tenants clean, whoever had it before.
//!
//! ```text
//!              release                 next                 done(Ok)
//!    taken --------------> dirty ------------> scrubbing -----------------> clean
//!      ^                    ^ |                    |                          |
//!      |       after boot --' |     done(Err)      |                          |
//!      |                      | <------------------'                          |
//!      |                      | reserve, nothing clean is large enough        | reserve
//!      |                      v                                               |
//!      |                   claimed: its dirty parts are scrubbed first        |
//!      |                      | nothing dirty left                            |
//!      '----------------------+-----------------------------------------------'
//! ```
//!
//! What a range *is* depends on two questions that are kept apart: has it an owner ([`Ranges`]), and
//! is it clean ([`Unclean`]; memory with an owner never is). The rules:
//!
//! * A tenant gets memory only when all of it is clean. Clean memory is preferred; if there is no
//!   piece large enough, it claims dirty memory, first of all where no fill has failed.
//! * Giving memory back makes it dirty, and waits for nothing.
//! * At most one piece of [`CHUNK`] bytes is being scrubbed. It is not handed out before the fill is
//!   over: a tenant may claim it, and others (who do not care whether their memory is clean, and
//!   would have theirs overwritten) stay away from it.
//! * What tenants wait for is scrubbed first, see [`super::claims`]; then whatever is dirty, with
//!   pauses after failures, see [`super::backoff`]. A fill that fails leaves its range dirty.
//!
//! The pool belongs under a lock, which is not held while the copy engine works: [`Pool::next`],
//! then [`Filler::fill`] without the lock, then [`Pool::done`]. Times are in milliseconds of any
//! clock that does not go back.
//!
//! Pure: also compiled on the host by `tools/testing/host-tests`.

use core::ops::{DerefMut, Range};

use super::{
    backoff::{
        Advice,
        Backoff,
        ENTRIES, //
    },
    claims::{
        Claim,
        Claims,
        Progress, //
    },
    owner::FbOwner,
    ranges::{
        RangeError,
        Ranges,
        Request, //
    },
    spans::Span,
    unclean::Unclean, //
};

/// Most bytes filled at a time; pieces end at multiples of it. This is what is lost when a fill
/// fails, and what a tenant waits for at most before its own memory is begun: some milliseconds
/// for the copy engines of an AD102. Between two pieces the engine is idle for a moment.
pub(crate) const CHUNK: u64 = 1 << 30;

/// Fills frame buffer with zeroes.
pub(crate) trait Filler {
    /// Why it did not.
    type Error;

    /// Fills `range`, which is not empty and a multiple of 4 KiB. Sleeps.
    ///
    /// On return nothing writes to the range any more, whatever the result is. Unless that is `Ok`,
    /// what the range holds is not known.
    fn fill(&self, range: &Range<u64>) -> Result<(), Self::Error>;
}

/// Where the tables of a [`Pool`] live.
pub(crate) trait Tables {
    /// Ranges with an owner, and one more place for each region.
    type Taken: DerefMut<Target = [Span<FbOwner>]>;
    /// Extents that are not clean.
    type Unclean: DerefMut<Target = [Span<()>]>;
    /// Tenants that wait at the same time.
    type Claims: DerefMut<Target = [Claim]>;
}

/// What a reservation has come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Grant {
    /// The range can be used.
    Ready(Range<u64>),
    /// The range is claimed: to be asked for with [`Pool::settle`] after each [`Pool::done`].
    Claimed(Range<u64>),
}

/// What is to be done next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Fill this range, and report with [`Pool::done`].
    Fill(Range<u64>),
    /// Nothing before this time.
    At(u64),
    /// Nothing until something is claimed or given back.
    Idle,
}

/// What has been done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Bytes filled.
    pub(crate) bytes: u64,
    /// Fills that succeeded.
    pub(crate) fills: u64,
    /// Fills of ranges whose last fill failed.
    pub(crate) retries: u64,
    /// Fills that failed.
    pub(crate) failures: u64,
    /// Reservations that had to wait.
    pub(crate) waits: u64,
    /// Reservations that waited in vain.
    pub(crate) gave_up: u64,
}

/// Bytes by state. Together they are all bytes of all regions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct States {
    /// Clean and free.
    pub(crate) clean: u64,
    /// Dirty and free, less what is being scrubbed.
    pub(crate) dirty: u64,
    /// Free and being scrubbed.
    pub(crate) scrubbing: u64,
    /// Claimed by tenants who wait.
    pub(crate) claimed: u64,
    /// In use or in quarantine.
    pub(crate) taken: u64,
}

/// The pool.
///
/// # Invariants
///
/// Every range in `taken` is unclean. `filling` overlaps only memory that is free and unclean, or
/// claimed and to be done.
pub(crate) struct Pool<T: Tables> {
    taken: Ranges<FbOwner, T::Taken>,
    unclean: Unclean<T::Unclean>,
    claims: Claims<T::Claims>,
    claims_made: u64,
    filling: Option<Range<u64>>,
    /// What is being filled changes after all.
    spoiled: bool,
    backoff: Backoff,
    counts: Counts,
}

impl<T: Tables> Pool<T> {
    /// A pool without memory.
    ///
    /// # Errors
    ///
    /// `Full` if the table for unclean extents is too small, see [`Unclean::new`].
    pub(crate) fn new(
        taken: T::Taken,
        unclean: T::Unclean,
        claims: T::Claims,
    ) -> Result<Self, RangeError> {
        Ok(Self {
            taken: Ranges::new(taken),
            unclean: Unclean::new(unclean)?,
            claims: Claims::new(claims),
            claims_made: 0,
            filling: None,
            spoiled: false,
            backoff: Backoff::default(),
            counts: Counts::default(),
        })
    }

    /// Adds memory; nobody knows what is in it.
    ///
    /// # Errors
    ///
    /// Those of [`Ranges::add_region`].
    pub(crate) fn add_region(&mut self, range: &Range<u64>) -> Result<(), RangeError> {
        let range = self.taken.add_region(range.start, range.end)?;
        Ok(self.unclean.add_region(&range)?)
    }

    /// Reserves memory.
    ///
    /// # Errors
    ///
    /// Those of [`Ranges::reserve`]; `Full` also if too many tenants wait.
    pub(crate) fn reserve(&mut self, req: &Request, owner: FbOwner) -> Result<Grant, RangeError> {
        if !owner.is_tenant() {
            let avoid = self.filling.as_slice();
            let range = self.taken.reserve_avoiding(req, avoid, owner)?;
            self.unclean.soil(&range);
            return Ok(Grant::Ready(range));
        }
        if let Some(start) = self.find_clean(req)? {
            let req = Request {
                fixed: Some(start),
                ..*req
            };
            let range = self.taken.reserve(&req, owner)?;
            self.unclean.soil(&range);
            return Ok(Grant::Ready(range));
        }
        if self.claims.is_full() {
            return Err(RangeError::Full);
        }
        let failing: [Range<u64>; ENTRIES] = self.backoff.ranges();
        let range = match self.taken.reserve_avoiding(req, &failing, owner) {
            Err(RangeError::NoSpace | RangeError::Busy) => self.taken.reserve(req, owner),
            result => result,
        }?;
        let unclean = &self.unclean;
        let parts = core::iter::successors(unclean.first_in(&range), |part| {
            unclean.first_in(&(part.end..range.end))
        });
        let claim = Claim::new(&range, self.claims_made, parts);
        self.claims_made += 1;
        // There is room, as was just seen.
        let _ = self.claims.add(claim);
        self.unclean.soil(&range);
        self.counts.waits += 1;
        Ok(Grant::Claimed(range))
    }

    /// Asks for a claimed range. When the answer is not `Waiting`, the claim is over: the range
    /// is handed out, or given back.
    pub(crate) fn settle(&mut self, range: &Range<u64>) -> Progress {
        let progress = match self.claims.get(range) {
            Some(claim) => claim.progress(),
            None => return Progress::Ready,
        };
        match progress {
            Progress::Ready => {
                self.claims.take(range);
            }
            Progress::Failed(_) => self.abandon(range),
            Progress::Waiting => (),
        }
        progress
    }

    /// Gives up a claim. What was clean or has been scrubbed of it stays clean.
    pub(crate) fn abandon(&mut self, range: &Range<u64>) {
        let Some(claim) = self.claims.take(range) else {
            return;
        };
        self.counts.gave_up += 1;
        if self.taken.release(range).is_ok() {
            self.unclean.clean(range);
            for part in claim.todo() {
                self.unclean.soil(&part);
            }
        }
    }

    /// Gives a range back, which is dirty from now on, unless it is in quarantine.
    ///
    /// # Errors
    ///
    /// `NotFound`.
    pub(crate) fn release(&mut self, range: &Range<u64>) -> Result<(), RangeError> {
        if self.taken.get(range) == Some(&FbOwner::Quarantine) {
            return Ok(());
        }
        if self.claims.get(range).is_some() {
            self.abandon(range);
            return Ok(());
        }
        self.taken.release(range).map(|_| ())
    }

    /// Keeps a range out of use until [`Self::soil`].
    pub(crate) fn quarantine(&mut self, range: &Range<u64>) {
        self.taken.set_owner(range, FbOwner::Quarantine);
    }

    /// What to fill now, if anything.
    pub(crate) fn next(&mut self, now: u64) -> Next {
        if self.filling.is_some() {
            return Next::Idle;
        }
        let (piece, retry) = match self.claimed_piece(now) {
            Some(found) => found,
            None => match self.background_piece(now) {
                Ok(found) => found,
                Err(due) => {
                    let due = due.into_iter().chain(self.claims.next_due()).min();
                    return due.map_or(Next::Idle, Next::At);
                }
            },
        };
        self.counts.retries += u64::from(retry);
        self.filling = Some(piece.clone());
        self.spoiled = false;
        Next::Fill(piece)
    }

    /// The fill that [`Self::next`] asked for is over. `Err` takes an errno.
    pub(crate) fn done(&mut self, now: u64, result: Result<(), i32>) {
        let Some(range) = self.filling.take() else {
            return;
        };
        match result {
            // Neither a success nor a failure of the fill.
            Ok(()) if self.spoiled => (),
            Ok(()) => {
                self.counts.fills += 1;
                self.counts.bytes += range.end - range.start;
                self.claims.filled(&range);
                self.backoff.succeeded(&range);
                for free in self.taken.free_in(range) {
                    self.unclean.clean(&free);
                }
            }
            Err(error) => {
                self.counts.failures += 1;
                self.claims.failed(&range, now, error);
                self.backoff.failed(&range, now);
            }
        }
    }

    /// Nothing will be filled any more: nobody is to wait for it. `error` is an errno.
    pub(crate) fn give_up(&mut self, error: i32) {
        self.claims.give_up(error);
    }

    /// The GPU has been reset: all memory may have changed, and whoever used what is in quarantine
    /// is gone.
    pub(crate) fn soil(&mut self) {
        while let Some(range) = self.first_in_quarantine() {
            if self.taken.release(&range).is_err() {
                break;
            }
        }
        for &(start, end) in self.taken.regions() {
            self.unclean.soil(&(start..end));
        }
        self.claims.soil();
        self.backoff.clear();
        self.spoiled = self.filling.is_some();
    }

    fn first_in_quarantine(&self) -> Option<Range<u64>> {
        let mut live = self.taken.live();
        let span = live.find(|span| span.owner == FbOwner::Quarantine)?;
        Some(span.range())
    }

    /// Who has what.
    pub(crate) fn taken(&self) -> &Ranges<FbOwner, T::Taken> {
        &self.taken
    }

    /// What is being filled.
    pub(crate) fn filling(&self) -> Option<&Range<u64>> {
        self.filling.as_ref()
    }

    /// Whether this range is claimed and not handed out yet.
    pub(crate) fn is_claimed(&self, range: &Range<u64>) -> bool {
        self.claims.get(range).is_some()
    }

    /// Whether all of a range, which lies in one region, is free and clean.
    pub(crate) fn is_clean(&self, range: &Range<u64>) -> bool {
        self.unclean.is_clean(range)
    }

    /// What has been done so far.
    pub(crate) fn counts(&self) -> Counts {
        self.counts
    }

    /// Bytes by state.
    pub(crate) fn states(&self) -> States {
        let total = self.taken.total();
        let claimed = self.claims.iter().map(|c| c.range());
        let claimed = claimed.map(|r| r.end - r.start).sum();
        let filling = self.filling.clone();
        let scrubbing = filling.map_or(0, |range| {
            self.taken.free_in(range).map(|r| r.end - r.start).sum()
        });
        States {
            clean: total - self.unclean.bytes(),
            dirty: self.unclean.bytes() - self.taken.used() - scrubbing,
            scrubbing,
            claimed,
            taken: self.taken.used() - claimed,
        }
    }

    /// Where clean memory fits `req`.
    fn find_clean(&self, req: &Request) -> Result<Option<u64>, RangeError> {
        let want = req.want(&[])?;
        Ok(match req.fixed {
            None => self.unclean.search_clean(&want),
            Some(start) => {
                let end = start.checked_add(req.size).ok_or(RangeError::Invalid)?;
                let clean = self.unclean.is_clean(&(start..end));
                clean.then_some(start)
            }
        })
    }

    /// What the oldest claim needs next, and whether that failed before.
    fn claimed_piece(&self, now: u64) -> Option<(Range<u64>, bool)> {
        let claim = self.claims.next(now)?;
        let part = claim.todo().next()?;
        Some((piece_of(&part), claim.is_retry()))
    }

    /// The first piece of free dirty memory that may be tried, and whether it failed before; or when
    /// there is one.
    fn background_piece(&self, now: u64) -> Result<(Range<u64>, bool), Option<u64>> {
        let resume = Some(self.backoff.resume()).filter(|&at| at > now);
        let mut due = None;
        let mut at = 0;
        while let Some(part) = self.unclean.first_in(&(at..u64::MAX)) {
            at = part.end;
            let Some(free) = self.taken.first_free_in(&part) else {
                continue;
            };
            if resume.is_some() {
                return Err(resume);
            }
            match self.backoff.advise(&free, now) {
                Advice::Try(range) => {
                    let piece = piece_of(&range);
                    let retry = self.backoff.is_retry(&piece);
                    return Ok((piece, retry));
                }
                Advice::Skip(to, when) => {
                    due = Some(due.map_or(when, |d: u64| d.min(when)));
                    at = to;
                }
            }
        }
        Err(due)
    }
}

/// The beginning of `range`, up to the next multiple of [`CHUNK`].
fn piece_of(range: &Range<u64>) -> Range<u64> {
    let chunk_end = (range.start / CHUNK + 1).saturating_mul(CHUNK);
    range.start..range.end.min(chunk_end)
}
