// SPDX-License-Identifier: GPL-2.0

//! The sending side: cuts a message into elements and puts them into the command queue.
//!
//! ```text
//!  for each element: wait for room (draining the status queue) ─▶ push ─▶ doorbell
//! ```
//!
//! The lock is held for the whole message, so that its parts stay together. That can only take
//! long when GSP has stopped reading, and then nobody else could send either.

use kernel::{
    io::{
        register::Array,
        Io, //
    },
    prelude::*,
    time::{
        delay::fsleep,
        Delta,
        Instant,
        Monotonic, //
    },
};

use crate::regs::gsp::NV_PGSP_QUEUE_HEAD;

use super::{
    element,
    split,
    Cmdq,
    POLL_MIN, //
};

/// Longest time that GSP may take to make room in the command queue.
const SPACE_TIMEOUT: Delta = Delta::from_secs(1);

/// State of the sending side.
pub(super) struct Tx {
    element_sequence: u32,
    pub(super) sent: u64,
}

impl Tx {
    pub(super) fn new() -> Self {
        Self {
            element_sequence: 0,
            sent: 0,
        }
    }
}

impl Cmdq<'_> {
    /// Sends one message, in as many elements as it takes.
    pub(super) fn transmit(&self, function: u32, sequence: u32, payload: &[u8]) -> Result {
        let mut tx = self.tx.lock();

        for (function, part) in split::elements(function, payload) {
            let slots = element::slots(part.len());
            let headers =
                element::headers(tx.element_sequence, function, sequence, part).ok_or(EMSGSIZE)?;

            self.wait_for_space(slots, function)?;
            self.ring
                .push(&headers, part, slots)
                .inspect_err(|_| self.lost("command queue index"))?;
            tx.element_sequence = tx.element_sequence.wrapping_add(1);
            tx.sent += 1;

            self.bar
                .write(NV_PGSP_QUEUE_HEAD::at(0), NV_PGSP_QUEUE_HEAD::zeroed());
        }
        Ok(())
    }

    /// Waits until the command queue has `slots` free slots. The status queue is drained
    /// meanwhile, so that GSP cannot be stuck for lack of room there.
    fn wait_for_space(&self, slots: usize, function: u32) -> Result {
        let start = Instant::<Monotonic>::now();

        loop {
            self.check_alive()?;
            let free = self
                .ring
                .free()
                .inspect_err(|_| self.lost("read index of the command queue"))?;
            if free >= slots {
                return Ok(());
            }
            if start.elapsed() > SPACE_TIMEOUT {
                dev_err!(
                    self.dev,
                    "GSP: no room for function {} in the command queue for {} ms; GSP hangs, reload the driver\n",
                    function,
                    SPACE_TIMEOUT.as_millis()
                );
                return Err(ETIMEDOUT);
            }
            self.drain();
            fsleep(POLL_MIN);
        }
    }
}
