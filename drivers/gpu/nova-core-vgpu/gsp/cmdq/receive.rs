// SPDX-License-Identifier: GPL-2.0

//! The receiving side: takes elements out of the status queue and decides what they are.
//!
//! ```text
//!  framing wrong                ─▶ the next element cannot be found: queues lost
//!  checksum or sequence wrong   ─▶ dropped, counted, reported; its request fails with EIO
//!  continuation                 ─▶ appended to the reply that is not complete
//!  event                        ─▶ event queue
//!  reply                        ─▶ its waiter, which is woken
//!                                  late: counted; nobody's: counted and reported
//! ```
//!
//! An element is copied to memory that is there from the beginning. If there is none for what it
//! carries, that alone is lost: an event is dropped and counted, a reply fails its request with
//! ENOMEM.
//!
//! Two locks: one lets a single task read the queue, and may be held over a short sleep; the other
//! protects what callers look at, for a few instructions. Order: reader before pending.

use kernel::{
    prelude::*,
    time::delay::fsleep, //
};

use crate::gsp::fw::r570_144::{
    event, function,
    rpc::{
        HEADERS_SIZE,
        MAX_SLOTS,
        SLOT_SIZE, //
    },
};

use super::{
    element,
    waiters::{
        Matched,
        Waiters, //
    },
    Cmdq,
    OwnedEvent,
    Rpc,
    Stats,
    POLL_MIN, //
};

/// A checksum may be seen before all of the element; look again this often.
const CHECKSUM_RETRIES: u32 = 3;
/// Events kept until somebody routes them; more are dropped and counted.
const MAX_EVENTS: usize = 128;

/// Where reading has got to.
pub(super) struct Reader {
    element_sequence: u32,
    /// Room for the largest element.
    element: KVVec<u8>,
}

impl Reader {
    pub(super) fn new() -> Result<Self> {
        Ok(Self {
            element_sequence: 0,
            element: KVVec::zeroed(MAX_SLOTS * SLOT_SIZE, GFP_KERNEL)?,
        })
    }
}

/// What has come, and who waits for something.
pub(super) struct Pending {
    pub(super) waiters: Waiters,
    pub(super) events: KVec<OwnedEvent>,
    pub(super) stats: Stats,
}

impl Pending {
    pub(super) fn new() -> Self {
        Self {
            waiters: Waiters::new(),
            events: KVec::new(),
            stats: Stats::default(),
        }
    }
}

impl Cmdq<'_> {
    /// Takes every complete element out of the status queue. Returns how many there were.
    pub(super) fn drain(&self) -> usize {
        self.drain_as(&mut self.reader.lock())
    }

    /// The same, unless somebody else is about it.
    pub(in crate::gsp) fn look(&self) {
        if let Some(mut reader) = self.reader.try_lock() {
            self.drain_as(&mut reader);
        }
    }

    fn drain_as(&self, reader: &mut Reader) -> usize {
        let mut taken = 0;

        while self.check_alive().is_ok() {
            match self.next_element(reader) {
                Ok(true) => taken += 1,
                Ok(false) => break,
                Err(what) => {
                    self.pending.lock().stats.corrupt += 1;
                    self.lost(what);
                }
            }
        }
        taken
    }

    /// Takes one element. `false`: there is none. `Err` names what makes the queue unusable.
    fn next_element(&self, reader: &mut Reader) -> Result<bool, &'static str> {
        let used = self
            .ring
            .used()
            .map_err(|_| "write index of the status queue")?;
        if used == 0 {
            return Ok(false);
        }

        let mut first = [0; HEADERS_SIZE];
        self.ring.pull(&mut first).map_err(|_| "status queue")?;
        let frame = element::peek(&first, used.min(MAX_SLOTS)).map_err(|e| e.0)?;

        let Reader {
            element_sequence,
            element,
        } = reader;
        let bytes = element
            .get_mut(..frame.len())
            .ok_or("element that is longer than any")?;
        let good = self.pull_checked(bytes)?;
        // The header may have changed between the two copies; only the checked one counts.
        let frame = element::peek(bytes, used.min(MAX_SLOTS))
            .ok()
            .filter(|again| again.len() == frame.len())
            .ok_or("element that changes while it is read")?;

        self.ring
            .release(element::slots(frame.payload))
            .map_err(|_| "status queue")?;

        let expected = *element_sequence;
        *element_sequence = if good {
            frame.element_sequence.wrapping_add(1)
        } else {
            expected.wrapping_add(1)
        };
        if !good || frame.element_sequence != expected {
            self.reject(&frame, good, expected);
            return Ok(true);
        }

        self.accept(&frame, bytes.get(HEADERS_SIZE..).unwrap_or(&[]));
        Ok(true)
    }

    /// Copies an element out until its checksum is right; `false` when it never is.
    fn pull_checked(&self, bytes: &mut [u8]) -> Result<bool, &'static str> {
        for attempt in 0..=CHECKSUM_RETRIES {
            if attempt > 0 {
                fsleep(POLL_MIN);
            }
            self.ring.pull(bytes).map_err(|_| "status queue")?;
            if element::verify(bytes) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Deals with an element whose checksum or sequence number is wrong. An error when a request
    /// fails because of it, else a warning: what needed the message will report that it is missing.
    fn reject(&self, frame: &element::Frame, good: bool, expected: u32) {
        let fault = if good {
            "wrong sequence number"
        } else {
            "wrong checksum"
        };
        let matched = {
            let mut pending = self.pending.lock();
            pending.stats.corrupt += 1;
            pending.waiters.fail(frame.function, frame.sequence, EIO)
        };
        if matched == Matched::Reply {
            dev_err!(
                self.dev,
                "GSP: {} in the reply to function {} (element {}); if it stays so, reload the driver\n",
                fault,
                frame.function,
                expected
            );
        } else {
            dev_warn!(
                self.dev,
                "GSP: {} in message {:#x} (element {}), dropped\n",
                fault,
                frame.function,
                expected
            );
        }
    }

    /// Hands what a good element carries to who wants it.
    fn accept(&self, frame: &element::Frame, carried: &[u8]) {
        if frame.function == function::CONTINUATION_RECORD {
            let mut pending = self.pending.lock();
            pending.stats.received += 1;
            if pending.waiters.continuation(frame.is_full(), carried) == Matched::Nobody {
                pending.stats.unmatched += 1;
            }
            return;
        }

        let mut payload = KVVec::new();
        let stored = payload.extend_from_slice(carried, GFP_KERNEL);
        let mut pending = self.pending.lock();
        pending.stats.received += 1;

        if frame.function >= event::FIRST {
            let event = OwnedEvent {
                function: frame.function,
                result: frame.result,
                payload,
            };
            if stored.is_err()
                || pending.events.len() >= MAX_EVENTS
                || pending.events.push(event, GFP_KERNEL).is_err()
            {
                pending.stats.events_dropped += 1;
            }
            return;
        }

        let (function, sequence, full) = (frame.function, frame.sequence, frame.is_full());
        let matched = match stored {
            Ok(()) => {
                let rpc = Rpc {
                    result: frame.result,
                    payload,
                };
                pending.waiters.reply(function, sequence, full, rpc)
            }
            Err(e) => pending
                .waiters
                .refuse(function, sequence, full, carried.len(), e.into()),
        };
        match matched {
            Matched::Reply => (),
            Matched::Late => {
                pending.stats.late += 1;
                drop(pending);
                dev_info!(
                    self.dev,
                    "GSP: late reply to function {} (request {}), dropped\n",
                    frame.function,
                    frame.sequence
                );
            }
            Matched::Nobody => {
                pending.stats.unmatched += 1;
                drop(pending);
                dev_warn!(
                    self.dev,
                    "GSP: reply to function {} (request {}) that nobody waits for, ignored\n",
                    frame.function,
                    frame.sequence
                );
            }
        }
    }
}
