// SPDX-License-Identifier: GPL-2.0

//! The sending side: cuts a message into elements and puts them into the command queue.
//!
//! ```text
//!  room for all of it, nobody in line ─▶ push, doorbell                    the usual case
//!  else ─▶ line: first come, first served
//!          the first pushes what fits ─▶ doorbell ─▶ sleeps ─▶ … ─▶ wakes the next
//! ```
//!
//! The parts of a message stay together because only the first in the line pushes. Nobody sleeps
//! with the lock held. GSP makes no interrupt when it reads a command, so the first looks again
//! after a short while, and whenever GSP has sent something. Who has waited for any room for as
//! long as it would wait for the reply gives up. Who does, or is killed, leaves the line; if a part
//! of its message is with GSP already the rest must follow, so that ends the queue.

use core::iter::Peekable;

use kernel::{
    io::{
        register::Array,
        Io, //
    },
    prelude::*,
    sync::Arc,
    time::{
        Delta,
        Instant,
        Monotonic, //
    },
};
use kernel_ext::completion::Completion;

use crate::regs::gsp::NV_PGSP_QUEUE_HEAD;

use super::{
    element,
    split,
    Cmdq,
    Wait, //
};

/// Longest time that those in the line sleep if nobody wakes them.
const LINE_PAUSE: Delta = Delta::from_secs(1);
/// Time after which the first in the line looks for room although nobody woke it.
const SPACE_PAUSE: Delta = Delta::from_millis(1);

/// State of the sending side.
pub(super) struct Tx {
    element_sequence: u32,
    pub(super) sent: u64,
    /// Messages that found no room, or others in line.
    pub(super) full_waits: u64,
    /// Those who wait, in order of arrival.
    line: KVec<Arc<Completion>>,
    /// When the line began to wait, or there was more room than before.
    progress: Instant<Monotonic>,
    free: usize,
}

impl Tx {
    pub(super) fn new() -> Self {
        Self {
            element_sequence: 0,
            sent: 0,
            full_waits: 0,
            line: KVec::new(),
            progress: Instant::now(),
            free: 0,
        }
    }

    fn position(&self, wake: &Arc<Completion>) -> Option<usize> {
        self.line.iter().position(|other| Arc::ptr_eq(other, wake))
    }

    /// Tells the first in the line to look again.
    fn wake_first(&self) {
        if let Some(first) = self.line.first() {
            first.complete();
        }
    }

    /// Tells everybody in the line to look again.
    pub(super) fn wake_all(&self) {
        for wake in self.line.iter() {
            wake.complete();
        }
    }

    /// Notes how much room there is; whether it was `limit` ago that there was more than before.
    fn is_stuck(&mut self, free: usize, limit: Delta) -> bool {
        if free > self.free {
            self.progress = Instant::now();
        }
        self.free = free;
        self.progress.elapsed() > limit
    }
}

/// What is left of a message.
struct Outgoing<'a, I: Iterator<Item = (u32, &'a [u8])>> {
    function: u32,
    sequence: u32,
    parts: Peekable<I>,
    /// GSP has a part of it.
    begun: bool,
}

/// How it went.
enum Pushed {
    /// All of the message is in the queue.
    All,
    /// It is not this message's turn, or there is no room.
    Wait {
        /// It is its turn.
        first: bool,
    },
    /// There has been no room for too long.
    Stuck,
}

impl Cmdq<'_> {
    /// Sends one message, in as many elements as it takes. `wake` is the caller's and nobody waits
    /// for it meanwhile.
    pub(super) fn transmit(
        &self,
        function: u32,
        sequence: u32,
        payload: &[u8],
        wake: &Arc<Completion>,
        wait: Wait,
    ) -> Result {
        let mut message = Outgoing {
            function,
            sequence,
            parts: split::elements(function, payload).peekable(),
            begun: false,
        };
        let sent = self.advance(&mut message, wake, wait);

        if sent.is_err() {
            self.leave_line(wake);
            if message.begun {
                self.lost("rest of a message that GSP stopped reading");
            }
        }
        sent
    }

    fn advance<'a, I: Iterator<Item = (u32, &'a [u8])>>(
        &self,
        message: &mut Outgoing<'a, I>,
        wake: &Arc<Completion>,
        wait: Wait,
    ) -> Result {
        loop {
            self.check_alive()?;
            let first = match self.push(message, wake, wait)? {
                Pushed::All => return Ok(()),
                Pushed::Wait { first } => first,
                Pushed::Stuck => {
                    dev_err!(
                        self.dev,
                        "GSP: no room for function {} in the command queue for {} ms; GSP hangs, reload the driver\n",
                        message.function,
                        wait.timeout().as_millis()
                    );
                    return Err(ETIMEDOUT);
                }
            };

            if !self.is_announced() {
                // GSP may be stuck for lack of room in the other queue.
                self.drain();
            }
            let wait = if message.begun {
                wait.to_the_end()
            } else {
                wait
            };
            wait.sleep(wake, if first { SPACE_PAUSE } else { LINE_PAUSE })?;
        }
    }

    /// Puts what fits of `message` into the queue, if it is its turn.
    fn push<'a, I: Iterator<Item = (u32, &'a [u8])>>(
        &self,
        message: &mut Outgoing<'a, I>,
        wake: &Arc<Completion>,
        wait: Wait,
    ) -> Result<Pushed> {
        let mut tx = self.tx.lock();
        let position = tx.position(wake);
        let mut pushed = false;

        if position.is_none() {
            // Nothing may fail between the parts of a message.
            tx.line.reserve(1, GFP_KERNEL)?;
        }
        let Ok(mut free) = self.ring.free() else {
            drop(tx);
            self.lost("read index of the command queue");
            return Err(EIO);
        };
        if position.unwrap_or(tx.line.len()) == 0 {
            while let Some((function, part)) = message.parts.peek() {
                let slots = element::slots(part.len());
                if slots > free {
                    break;
                }
                let headers =
                    element::headers(tx.element_sequence, *function, message.sequence, part)
                        .ok_or(EMSGSIZE)?;
                if self.ring.push(&headers, part, slots).is_err() {
                    drop(tx);
                    self.lost("command queue index");
                    return Err(EIO);
                }
                tx.element_sequence = tx.element_sequence.wrapping_add(1);
                tx.sent += 1;
                free -= slots;
                tx.free = free;
                message.parts.next();
                if !message.begun {
                    self.pending.lock().waiters.sent(message.sequence);
                }
                message.begun = true;
                pushed = true;
            }
        }

        let outcome = if message.parts.peek().is_none() {
            if position.is_some() {
                let _ = tx.line.remove(0);
                tx.progress = Instant::now();
                tx.wake_first();
            }
            Pushed::All
        } else {
            if pushed || tx.line.is_empty() {
                tx.progress = Instant::now();
            }
            if position.is_none() {
                tx.line.push(wake.clone(), GFP_KERNEL)?;
                tx.full_waits += 1;
            }
            if tx.is_stuck(free, wait.timeout()) {
                Pushed::Stuck
            } else {
                Pushed::Wait {
                    first: tx.position(wake) == Some(0),
                }
            }
        };
        drop(tx);

        if pushed {
            self.bar
                .write(NV_PGSP_QUEUE_HEAD::at(0), NV_PGSP_QUEUE_HEAD::zeroed());
        }
        Ok(outcome)
    }

    fn leave_line(&self, wake: &Arc<Completion>) {
        let mut tx = self.tx.lock();

        if let Some(position) = tx.position(wake) {
            let _ = tx.line.remove(position);
            tx.wake_first();
        }
    }

    /// GSP has been active, so there may be room for who waits for it.
    pub(super) fn wake_sender(&self) {
        self.tx.lock().wake_first();
    }
}
