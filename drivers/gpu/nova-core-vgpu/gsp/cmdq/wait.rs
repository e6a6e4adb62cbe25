// SPDX-License-Identifier: GPL-2.0

//! Waiting for a reply.
//!
//! ```text
//!  interrupt   one look at the queue ─▶ the reply is there already
//!              └─▶ sleep ─▶ woken with the reply                     no further look
//!                       ├─▶ killed ─▶ EINTR, the reply will be dropped
//!                       └─▶ deadline ─▶ a last look ─▶ a reply: an interrupt was lost
//!                                                   └─▶ ETIMEDOUT
//!  before interrupts are up   look at the queue, sleep a little, look again
//! ```
//!
//! The first look is the condition that everybody tests before going to sleep, no polling: it is
//! made once, and reads memory and no register. It finds what GSP answered while the doorbell was
//! written, or in one go with an earlier request, and saves the two switches of tasks that are most
//! of a short call. The interrupt comes all the same and finds the queue empty.
//!
//! A request has its time for itself: GSP works on those in front of it first, so the time begins
//! anew when one of them is answered. 32 guests may start at once on firmware that starts one after
//! the other. Those in front are as many as there were when the request was made, so every wait ends.
//!
//! No lock is held while a task sleeps here.

use kernel::{
    prelude::*,
    sync::{
        atomic::Relaxed,
        Arc, //
    },
    time::{
        delay::fsleep,
        Delta,
        Instant,
        Monotonic, //
    },
};
use kernel_ext::completion::Completion;

use super::{
    Cmdq,
    Rpc,
    POLL_MAX,
    POLL_MIN, //
};

/// For how long a caller waits, and whether a fatal signal ends that.
///
/// Made from a time alone it waits that long whatever happens: for what undoes something, and for
/// what nobody waits for in person. A caller that is killed learns nothing of what firmware did, as
/// with `ETIMEDOUT`; it must be prepared to undo what may have been done.
#[derive(Clone, Copy, Debug)]
pub struct Wait {
    timeout: Delta,
    killable: bool,
}

/// Time that GSP may take for an ordinary request.
const DEFAULT_TIMEOUT: Delta = Delta::from_secs(5);

impl Wait {
    /// As long as an ordinary request may take.
    pub const UNINTERRUPTIBLE: Self = Self::uninterruptible(DEFAULT_TIMEOUT);
    /// The same, for somebody who may lose patience.
    pub const KILLABLE: Self = Self::killable(DEFAULT_TIMEOUT);

    /// Waits at most `timeout`.
    pub const fn uninterruptible(timeout: Delta) -> Self {
        Self {
            timeout,
            killable: false,
        }
    }

    /// Waits at most `timeout`, and not longer than the calling task is to live.
    pub const fn killable(timeout: Delta) -> Self {
        Self {
            timeout,
            killable: true,
        }
    }

    /// Time that firmware has.
    pub(super) const fn timeout(self) -> Delta {
        self.timeout
    }

    /// The same for a message that must be sent to its end.
    pub(super) const fn to_the_end(self) -> Self {
        Self::uninterruptible(self.timeout)
    }

    /// Sleeps until somebody wakes, but at most for `time`. Time over is no error.
    pub(super) fn sleep(self, wake: &Completion, time: Delta) -> Result {
        let woken = if self.killable {
            wake.wait_killable_timeout(time)
        } else {
            wake.wait_timeout(time)
        };

        match woken {
            Err(e) if e != ETIMEDOUT => Err(e),
            _ => Ok(()),
        }
    }
}

impl From<Delta> for Wait {
    fn from(timeout: Delta) -> Self {
        Self::uninterruptible(timeout)
    }
}

/// A request that was registered.
pub(super) struct Ticket {
    /// Number that the reply carries.
    pub(super) sequence: u32,
    /// Woken when it is worth looking again.
    pub(super) wake: Arc<Completion>,
}

impl Cmdq<'_> {
    /// Waits for the reply to a request that was sent.
    pub(super) fn wait(&self, function: u32, ticket: &Ticket, wait: Wait) -> Result<Rpc> {
        self.look();
        if let Some(outcome) = self.outcome(ticket) {
            return outcome;
        }

        // Reading the clock is not free everywhere, so it is not read before it is needed.
        let start = Instant::<Monotonic>::now();
        let mut left = wait.timeout();
        let mut pause = POLL_MIN;

        loop {
            if self.is_announced() {
                wait.sleep(&ticket.wake, left)?;
            } else {
                fsleep(pause);
                if pause < POLL_MAX {
                    pause = pause + pause;
                }
                self.polls.add(1, Relaxed);
                self.drain();
            }
            if let Some(outcome) = self.outcome(ticket) {
                return outcome;
            }

            left = wait.timeout() - start.elapsed();
            if left.is_negative() || left.is_zero() {
                let moved_up = self.pending.lock().waiters.moved_up(ticket.sequence);

                left = wait.timeout() - moved_up.unwrap_or(wait.timeout());
            }
            if left.is_negative() || left.is_zero() {
                break;
            }
        }

        // What has come by now counts, however late this task got to run.
        self.look_again();
        self.outcome(ticket).unwrap_or_else(|| {
            dev_err!(
                self.dev,
                "GSP: no reply to function {} (request {}) within {} ms; if it stays so, reload the driver\n",
                function,
                ticket.sequence,
                wait.timeout().as_millis()
            );
            Err(ETIMEDOUT)
        })
    }

    /// How a request has ended, if it has: with a reply, or because there will be none.
    fn outcome(&self, ticket: &Ticket) -> Option<Result<Rpc>> {
        self.pending
            .lock()
            .waiters
            .take(ticket.sequence)
            .or_else(|| self.check_alive().err().map(Err))
    }

    /// Looks at the queue for somebody who is about to give up: an interrupt may have been lost. If
    /// so, no further one would come, because what has to be cleared for that is still set.
    fn look_again(&self) {
        if self.drain() != 0 && self.is_announced() {
            let lost = {
                let mut pending = self.pending.lock();
                pending.stats.lost_interrupts += 1;
                pending.stats.lost_interrupts
            };
            dev_warn!(
                self.dev,
                "GSP: messages came without an interrupt, for the {}. time\n",
                lost
            );
        }
        if let Some(announcer) = &*self.announcer.lock() {
            announcer.repeat();
        }
    }
}
