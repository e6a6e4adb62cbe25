// SPDX-License-Identifier: GPL-2.0

//! Scrubbing: the copy engine fills what tenants have left, while nobody waits for it.
//!
//! ```text
//!   FbRange dropped --> dirty --.                     Gpu::alloc_fb, for a tenant
//!   boot: everything dirty -----+--> OnDemand           clean memory? --> has it
//!                               |      |                no: a claim, which comes first
//!                               |      v                       | killable
//!                               |   next --> fill --> done ----' woken after each piece
//!                               '----------------------'  next piece, or a pause after failures
//! ```
//!
//! The lock of the frame buffer manager is taken for `next` and `done`, not for the fill. So a fill
//! that hangs, for as long as the copy engine lets it, delays only those whose memory is not clean.
//! How long they wait is bounded: the engine has a deadline by progress, and a claim gives up after
//! a few failures in a row.
//!
//! A fill that failed may have left something in the engine that still writes. Its range is not
//! given to anybody before the channel is known to be gone.

use core::ops::Range;

use kernel::{
    prelude::*,
    sync::Arc,
    time::{
        Delta,
        Instant,
        Monotonic, //
    },
};
use kernel_ext::{
    completion::Completion,
    work::OnDemand, //
};

use super::{
    FbRequest,
    Gpu, //
};
use crate::fb::{
    claims::Progress,
    scrub::{
        Filler,
        Grant,
        Next, //
    }, //
};

/// How long nothing may happen at all to a claim while nothing is being filled: the scrubber itself
/// does not run.
const STALL: Delta = Delta::from_secs(30);
/// Pause before a channel that firmware did not let go is tried again.
const UNSETTLED: Delta = Delta::from_secs(1);

/// The copy engine as a filler.
struct Engine<'a>(&'a Gpu);

impl Filler for Engine<'_> {
    type Error = Error;

    fn fill(&self, range: &Range<u64>) -> Result {
        self.0.fill_fb(range.clone(), 0)
    }
}

/// A claim that is given up when this is dropped.
struct Waiting<'a> {
    gpu: &'a Gpu,
    range: Range<u64>,
    over: bool,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if !self.over {
            self.gpu.fb.lock().abandon(&self.range);
        }
    }
}

impl Gpu {
    /// Reserves clean memory. Waits, if there is none, until some has been scrubbed.
    ///
    /// # Errors
    ///
    /// Those of the manager; `EINTR` if the task is being killed, and what the last fill said.
    pub(super) fn reserve_clean(&self, req: &FbRequest) -> Result<Range<u64>> {
        let done = Arc::pin_init(Completion::new(), GFP_KERNEL)?;
        // A statement of its own: the lock must not be held below.
        let grant = self.fb.lock().claim(req, &done)?;
        let range = match grant {
            Grant::Ready(range) => return Ok(range),
            Grant::Claimed(range) => range,
        };
        let mut waiting = Waiting {
            gpu: self,
            range,
            over: false,
        };
        loop {
            let woken = done.wait_killable_timeout(STALL);
            let mut fb = self.fb.lock();
            let progress = fb.settle(&waiting.range);
            let stalled = woken == Err(ETIMEDOUT) && fb.filling().is_none();
            drop(fb);
            waiting.over = progress != Progress::Waiting;
            match progress {
                Progress::Ready => return Ok(waiting.range.clone()),
                Progress::Failed(errno) => {
                    let e = Error::from_errno(errno);
                    dev_err!(
                        self.dev(),
                        "FB {:#x}..{:#x} cannot be scrubbed: {:?}\n",
                        waiting.range.start,
                        waiting.range.end,
                        e
                    );
                    return Err(e);
                }
                Progress::Waiting if woken == Err(EINTR) => return Err(EINTR),
                Progress::Waiting if stalled => return Err(ETIMEDOUT),
                Progress::Waiting => (),
            }
        }
    }

    /// The GPU has been reset, and its memory holds anything.
    pub(crate) fn fb_is_lost(&self) {
        self.fb.lock().soil();
    }
}

/// Scrubs from its start on, as long as it lives. To be dropped before the gate is closed and the copy engine is
/// stopped.
pub(super) struct Scrubbing {
    gpu: Arc<Gpu>,
    work: OnDemand,
}

impl Scrubbing {
    /// Gets ready to scrub.
    pub(super) fn new(gpu: &Arc<Gpu>) -> Result<Self> {
        let begin = Instant::<Monotonic>::now();
        let worker = gpu.clone();
        let work = OnDemand::new(move || {
            // CAST: Time does not go back.
            scrub(&worker, || begin.elapsed().as_millis() as u64)
        })?;
        Ok(Self {
            gpu: gpu.clone(),
            work,
        })
    }

    /// Begins. The gate is open: a fill before that would be one that has failed.
    pub(super) fn start(&self) {
        self.gpu.fb.lock().start_scrubbing(self.work.caller());
    }

    /// Ends it: nobody waits any more, and nothing new is begun. What is being filled goes on.
    pub(super) fn stop(&self) {
        self.gpu.fb.lock().stop_scrubbing();
    }
}

impl Drop for Scrubbing {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Whether no fill that has failed can still write.
fn settled(gpu: &Gpu) -> bool {
    gpu.with_core(|core| Ok(gpu.ce().settle(core)))
        .unwrap_or(false)
}

/// Scrubs what there is to scrub; returns when to come again.
fn scrub(gpu: &Gpu, now: impl Fn() -> u64) -> Option<Delta> {
    // A statement of its own: the lock must not be held below.
    let unsettled = gpu.fb.lock().filling().is_some();
    if unsettled {
        if !settled(gpu) {
            gpu.fb.lock().give_up(EIO);
            return Some(UNSETTLED);
        }
        gpu.fb.lock().done(now(), Err(EIO));
    }
    loop {
        // A statement of its own: the lock must not be held below.
        let next = gpu.fb.lock().next(now());
        match next {
            Next::Idle => return None,
            Next::At(due) => {
                let pause = due.saturating_sub(now());
                // CAST: at most some seconds.
                return Some(Delta::from_millis(pause as i64));
            }
            Next::Fill(range) => {
                let result = Engine(gpu).fill(&range);
                if let Err(e) = result {
                    dev_warn!(
                        gpu.dev(),
                        "FB {:#x}..{:#x} is not scrubbed: {:?}; it stays out of use until it is\n",
                        range.start,
                        range.end,
                        e
                    );
                    if !settled(gpu) {
                        gpu.fb.lock().give_up(e);
                        return Some(UNSETTLED);
                    }
                }
                gpu.fb.lock().done(now(), result);
            }
        }
    }
}
