// SPDX-License-Identifier: GPL-2.0

//! Waiting for a reply.
//!
//! ```text
//!  interrupt   sleep ─▶ woken with the reply                         no look at the queue
//!                   ├─▶ killed ─▶ EINTR, the reply will be dropped
//!                   └─▶ deadline ─▶ one look at the queue ─▶ a reply: an interrupt was lost
//!                                                        └─▶ ETIMEDOUT
//!  before interrupts are up   look at the queue, sleep a little, look again
//! ```
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
        let start = Instant::<Monotonic>::now();
        let mut pause = POLL_MIN;

        loop {
            // The time is taken first: what comes before the deadline counts, however late this
            // task gets to run.
            let left = wait.timeout() - start.elapsed();
            let polled = !self.is_announced();

            if polled {
                self.polls.add(1, Relaxed);
                self.drain();
            } else if left.is_negative() || left.is_zero() {
                self.look_again();
            }
            if let Some(outcome) = self.pending.lock().waiters.take(ticket.sequence) {
                return outcome;
            }
            self.check_alive()?;
            if left.is_negative() || left.is_zero() {
                dev_err!(
                    self.dev,
                    "GSP: no reply to function {} (request {}) within {} ms; if it stays so, reload the driver\n",
                    function,
                    ticket.sequence,
                    wait.timeout().as_millis()
                );
                return Err(ETIMEDOUT);
            }

            if polled {
                fsleep(pause);
                if pause < POLL_MAX {
                    pause = pause + pause;
                }
            } else {
                wait.sleep(&ticket.wake, left)?;
            }
        }
    }

    /// Looks at the queue for somebody who is about to give up: an interrupt may have been lost. If
    /// so, no further one would come, because what has to be cleared for that is still set.
    fn look_again(&self) {
        if self.drain() != 0 {
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
