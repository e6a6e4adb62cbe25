// SPDX-License-Identifier: GPL-2.0

//! Frame buffer of the GPU: who has which range, and what is clean.
//!
//! ```text
//!   0                                                            end of the usable regions
//!   | guest FB (lowest place first, VMMU segments) ->   <- page tables, firmware heaps (top down) |
//!
//!   reserve   for the core: at once, whatever the memory holds
//!   claim     for tenants: clean memory at once, else to be waited for (vgpu::scrubbing)
//!   release   makes it dirty, and asks for it to be scrubbed in the background
//! ```
//!
//! The regions come from the static info of GSP: what it reports as usable contains neither WPR2
//! nor its other heaps. The manager lives under a mutex of the owner; no call waits for anything.

use core::ops::Range;

use kernel::{
    device,
    prelude::*,
    sync::Arc, //
};
use kernel_ext::{
    completion::Completion,
    work::Caller, //
};

use super::{
    claims::{
        Claim,
        Progress, //
    },
    ranges::{
        RangeError,
        Request,
        Span,
        MAX_REGIONS, //
    },
    scrub::{
        Counts,
        Grant,
        Next,
        Pool,
        States,
        Tables, //
    },
};

pub use super::owner::FbOwner;

/// Most ranges live at a time: two for each of 32 vGPUs, as many again for ranges that firmware
/// did not let go, and the core's own.
const MAX_RANGES: usize = 256;
/// Most extents that are not clean: each range is part of one, and leaves another one.
const MAX_UNCLEAN: usize = 2 * MAX_RANGES;
/// Most tenants that wait for memory at a time: one for each VF.
const MAX_CLAIMS: usize = 32;

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct FbRequest {
    /// Bytes; a non-zero multiple of 4 KiB.
    pub size: u64,
    /// Alignment in bytes; a power of two.
    pub align: u64,
    /// Exactly this address.
    pub fixed: Option<u64>,
    /// Search from the highest address down.
    pub top_down: bool,
    /// For the accounting. Tenants get clean memory.
    pub owner: FbOwner,
}

impl FbRequest {
    fn request(&self) -> Request {
        Request {
            size: self.size,
            align: self.align,
            fixed: self.fixed,
            top_down: self.top_down,
        }
    }
}

/// Tables of the pool in memory of the kernel.
struct Allocated;

impl Tables for Allocated {
    type Taken = KVVec<Span<FbOwner>>;
    type Unclean = KVVec<Span<()>>;
    type Claims = KVVec<Claim>;
}

/// The frame buffer manager.
pub(crate) struct Manager {
    pool: Pool<Allocated>,
    /// Those who wait for their claims.
    waiting: KVec<(Range<u64>, Arc<Completion>)>,
    /// Who scrubs, if anybody does.
    scrubber: Option<Caller>,
}

impl Manager {
    /// A manager of `regions` (start, end excluded).
    ///
    /// # Errors
    ///
    /// `EINVAL` if a region is empty or overlaps another, `ENOMEM`.
    pub(crate) fn new(regions: impl Iterator<Item = Range<u64>>) -> Result<Self> {
        let mut pool = Pool::new(
            KVVec::from_elem(Span::default(), MAX_RANGES + MAX_REGIONS, GFP_KERNEL)?,
            KVVec::from_elem(Span::default(), MAX_UNCLEAN + MAX_REGIONS, GFP_KERNEL)?,
            KVVec::from_elem(Claim::default(), MAX_CLAIMS, GFP_KERNEL)?,
        )
        .map_err(to_errno)?;
        for region in regions {
            pool.add_region(&region).map_err(to_errno)?;
        }
        Ok(Self {
            pool,
            waiting: KVec::with_capacity(MAX_CLAIMS, GFP_KERNEL)?,
            scrubber: None,
        })
    }

    /// Reserves a range that may hold anything. Not for tenants.
    ///
    /// # Errors
    ///
    /// `EINVAL` for a bad size, alignment or address, or a tenant, `EBUSY` if the fixed range is
    /// taken, `ENOSPC` if nothing is large enough or too many ranges are live.
    pub(crate) fn reserve(&mut self, _dev: &device::Device, req: &FbRequest) -> Result<Range<u64>> {
        if req.owner.is_tenant() {
            return Err(EINVAL);
        }
        match self.pool.reserve(&req.request(), req.owner) {
            Ok(Grant::Ready(range) | Grant::Claimed(range)) => Ok(range),
            Err(e) => Err(to_errno(e)),
        }
    }

    /// Reserves a range for a tenant: clean memory, or a claim. `done` is completed whenever the
    /// claim is to be looked at with [`Self::settle`].
    ///
    /// # Errors
    ///
    /// As for [`Self::reserve`], and `ENODEV` if nobody scrubs.
    pub(crate) fn claim(&mut self, req: &FbRequest, done: &Arc<Completion>) -> Result<Grant> {
        let scrubber = self.scrubber.as_ref().ok_or(ENODEV)?;
        let grant = self.pool.reserve(&req.request(), req.owner);
        let grant = grant.map_err(to_errno)?;
        if let Grant::Claimed(range) = &grant {
            let waiter = (range.clone(), done.clone());
            if self.waiting.push_within_capacity(waiter).is_err() {
                // Not reached: as many can wait as can claim.
                self.pool.abandon(range);
                return Err(ENOSPC);
            }
            scrubber.call();
        }
        Ok(grant)
    }

    /// Looks at a claim, which is over unless the answer is `Waiting`.
    pub(crate) fn settle(&mut self, range: &Range<u64>) -> Progress {
        let progress = self.pool.settle(range);
        if progress != Progress::Waiting {
            self.waiting.retain(|(r, _)| r != range);
        }
        progress
    }

    /// Gives up a claim that is not over.
    pub(crate) fn abandon(&mut self, range: &Range<u64>) {
        self.waiting.retain(|(r, _)| r != range);
        self.pool.abandon(range);
        self.ask_for_scrub();
    }

    /// Gives a range back, unless it is in quarantine.
    pub(crate) fn release(&mut self, dev: &device::Device, range: &Range<u64>) {
        if self.pool.release(range).is_err() {
            dev_err!(
                dev,
                "FB range {:#x}..{:#x} is given back but was never reserved\n",
                range.start,
                range.end
            );
        }
        self.ask_for_scrub();
    }

    /// Keeps a range that nobody will give back out of use until the GPU is reset.
    pub(crate) fn quarantine(&mut self, range: &Range<u64>) {
        self.pool.quarantine(range);
    }

    /// From now on `scrubber` is called when there is something to scrub, such as now.
    pub(crate) fn start_scrubbing(&mut self, scrubber: Caller) {
        self.scrubber = Some(scrubber);
        self.ask_for_scrub();
    }

    /// From now on nothing is scrubbed and nothing handed out to tenants; those who wait fail with
    /// `ENODEV`.
    pub(crate) fn stop_scrubbing(&mut self) {
        self.scrubber = None;
        self.give_up(ENODEV);
    }

    /// What to scrub now.
    pub(crate) fn next(&mut self, now: u64) -> Next {
        match self.scrubber {
            Some(_) => self.pool.next(now),
            None => Next::Idle,
        }
    }

    /// What [`Self::next`] asked for has been done, or failed.
    pub(crate) fn done(&mut self, now: u64, result: Result) {
        self.pool.done(now, result.map_err(|e| e.to_errno()));
        self.wake();
    }

    /// Nobody is to wait any more; all of them fail with `error`.
    pub(crate) fn give_up(&mut self, error: Error) {
        self.pool.give_up(error.to_errno());
        self.wake();
    }

    /// The GPU has been reset: all of its memory is dirty, and nothing is in quarantine.
    pub(crate) fn soil(&mut self) {
        self.pool.soil();
        self.ask_for_scrub();
    }

    /// Bytes that can be handed out in all.
    pub(crate) fn total(&self) -> u64 {
        self.pool.taken().total()
    }

    /// Bytes that are not handed out.
    pub(crate) fn free(&self) -> u64 {
        self.pool.taken().free()
    }

    /// The regions, as (start, end excluded).
    pub(crate) fn regions(&self) -> &[(u64, u64)] {
        self.pool.taken().regions()
    }

    /// Live ranges, sorted by address.
    pub(crate) fn live(&self) -> impl Iterator<Item = &Span<FbOwner>> {
        self.pool.taken().live()
    }

    /// Whether all of a range is free and clean.
    pub(crate) fn is_clean(&self, range: &Range<u64>) -> bool {
        self.pool.is_clean(range)
    }

    /// Whether a live range is claimed and not handed out yet.
    pub(crate) fn is_claimed(&self, range: &Range<u64>) -> bool {
        self.pool.is_claimed(range)
    }

    /// What is being filled.
    pub(crate) fn filling(&self) -> Option<&Range<u64>> {
        self.pool.filling()
    }

    /// Bytes by state.
    pub(crate) fn states(&self) -> States {
        self.pool.states()
    }

    /// What has been scrubbed so far.
    pub(crate) fn counts(&self) -> Counts {
        self.pool.counts()
    }

    fn ask_for_scrub(&self) {
        if let Some(scrubber) = &self.scrubber {
            scrubber.call();
        }
    }

    fn wake(&self) {
        for (_, done) in &self.waiting {
            done.complete();
        }
    }
}

/// errno of a refusal.
pub(crate) fn to_errno(e: RangeError) -> Error {
    match e {
        RangeError::Invalid => EINVAL,
        RangeError::Busy => EBUSY,
        RangeError::NoSpace | RangeError::Full => ENOSPC,
        RangeError::NotFound => ENOENT,
    }
}

#[cfg(CONFIG_NOVA_CORE_VGPU_KUNIT)]
#[kunit_tests(nova_core_vgpu_fb_manager)]
mod tests {
    use super::*;
    use kernel::time::Delta;
    use kernel_ext::work::OnDemand;

    const MIB: u64 = 1 << 20;
    const TENANT: FbRequest = FbRequest {
        size: 4 * MIB,
        align: 2 * MIB,
        fixed: None,
        top_down: false,
        owner: FbOwner::GuestFb(1),
    };

    fn manager() -> Result<Manager> {
        Manager::new([MIB..3 * MIB, 4 * MIB..16 * MIB].into_iter())
    }

    fn completion() -> Result<Arc<Completion>> {
        Arc::pin_init(Completion::new(), GFP_KERNEL)
    }

    fn woken(done: &Completion) -> bool {
        done.wait_timeout(Delta::from_millis(1)).is_ok()
    }

    #[test]
    fn no_scrubber_no_tenant() -> Result {
        let mut fb = manager()?;
        let done = completion()?;

        assert_eq!(fb.claim(&TENANT, &done).err(), Some(ENODEV));
        assert_eq!(fb.free(), fb.total());
        assert_eq!(fb.next(0), Next::Idle);
        Ok(())
    }

    #[test]
    fn a_claim_calls_the_scrubber_and_is_woken() -> Result {
        let mut fb = manager()?;
        let done = completion()?;
        let called = completion()?;
        let work = {
            let called = called.clone();

            OnDemand::new(move || {
                called.complete();
                None
            })?
        };

        fb.start_scrubbing(work.caller());
        assert_eq!(called.wait_timeout(Delta::from_secs(10)), Ok(()));
        let range = 4 * MIB..8 * MIB;
        assert_eq!(fb.claim(&TENANT, &done)?, Grant::Claimed(range.clone()));
        assert_eq!(called.wait_timeout(Delta::from_secs(10)), Ok(()));
        assert_eq!(fb.settle(&range), Progress::Waiting);
        assert!(!woken(&done));

        // A failure wakes the one who waits, and so does success.
        assert_eq!(fb.next(0), Next::Fill(range.clone()));
        fb.done(0, Err(ETIMEDOUT));
        assert!(woken(&done));
        assert_eq!(fb.settle(&range), Progress::Waiting);
        assert_eq!(fb.next(1000), Next::Fill(range.clone()));
        fb.done(1000, Ok(()));
        assert!(woken(&done));
        assert_eq!(fb.settle(&range), Progress::Ready);

        // When scrubbing ends, so do claims.
        let next = 8 * MIB..12 * MIB;
        assert_eq!(fb.claim(&TENANT, &done)?, Grant::Claimed(next.clone()));
        fb.stop_scrubbing();
        assert!(woken(&done));
        assert_eq!(fb.settle(&next), Progress::Failed(ENODEV.to_errno()));
        assert_eq!(fb.total() - fb.free(), TENANT.size);
        Ok(())
    }
}
