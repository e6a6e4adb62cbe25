// SPDX-License-Identifier: GPL-2.0

//! The time line of one copy engine.
//!
//! ```text
//!   queue of channels with a launch --front--> active: bytes, until end_ns
//!          ^                                      | the time has come
//!          '--------- something is left ----------'--> done: channel goes on
//!
//!   rate 0   a launch takes no time
//!   rate R   a launch is cut into chunks of a millisecond, the channels of the
//!            engine take turns
//! ```
//!
//! A chunk's bytes appear when its time is over, as with hardware that a driver
//! must not race with.

use super::Id;
use std::collections::VecDeque;

const NS_PER_US: u64 = 1_000;
/// Time of a chunk.
const CHUNK_US: u64 = 1_000;
const PAGE: u64 = 4096;
/// When to go on after as much as is done in one go at rate 0.
pub const BREATH_NS: u64 = 1_000;
/// Pieces done in one go.
pub const PIECES: u32 = 1 << 16;

/// A chunk in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Active {
    /// The channel.
    pub id: Id,
    /// Bytes of it.
    pub bytes: u64,
    /// When it is done; never for an engine that hangs.
    pub end_ns: u64,
}

/// One engine.
#[derive(Debug, Default)]
pub struct CopyEngine {
    queue: VecDeque<Id>,
    active: Option<Active>,
    /// When the last chunk was done.
    free_ns: u64,
}

impl CopyEngine {
    /// A channel has a launch to do, or more of one.
    pub fn enqueue(&mut self, id: Id) {
        self.queue.push_back(id);
    }

    /// A channel has nothing to do any more.
    pub fn forget(&mut self, id: Id) {
        self.queue.retain(|q| *q != id);
        if self.active.is_some_and(|a| a.id == id) {
            self.active = None;
        }
    }

    /// The channel whose turn it is, when the engine does nothing.
    pub fn pick(&mut self) -> Option<Id> {
        match self.active {
            Some(_) => None,
            None => self.queue.pop_front(),
        }
    }

    /// Starts a chunk of what is `left` to write at `addr` for channel `id`, whose
    /// launch came at `ready_ns`. Gives the time it takes.
    pub fn begin(&mut self, id: Id, ready_ns: u64, left: u64, addr: u64, rate: u64) -> u64 {
        let start = self.free_ns.max(ready_ns);
        let (bytes, time) = match rate {
            0 => (left, 0),
            _ => {
                let bytes = chunk(left, addr, rate);
                (bytes, bytes.saturating_mul(NS_PER_US).div_ceil(rate))
            }
        };
        self.active = Some(Active {
            id,
            bytes,
            end_ns: start.saturating_add(time),
        });
        time
    }

    /// The engine stops in the middle of the launch of `id`.
    pub fn hang(&mut self, id: Id) {
        self.active = Some(Active {
            id,
            bytes: 0,
            end_ns: u64::MAX,
        });
    }

    /// The chunk that is done by `now`.
    pub fn finish(&mut self, now: u64) -> Option<Active> {
        let done = self.active.filter(|a| a.end_ns <= now)?;
        self.active = None;
        self.free_ns = done.end_ns;
        Some(done)
    }

    /// Takes a breath: nothing more is started before the next time slot.
    pub fn breathe(&mut self, now: u64) {
        self.free_ns = self.free_ns.max(now.saturating_add(BREATH_NS));
    }

    /// When something is to be done.
    pub fn due_ns(&self) -> Option<u64> {
        match self.active {
            Some(a) => Some(a.end_ns),
            None => (!self.queue.is_empty()).then_some(0),
        }
    }

    /// Whether a launch is queued or in flight.
    pub fn busy(&self) -> bool {
        self.active.is_some() || !self.queue.is_empty()
    }
}

/// Bytes of the next chunk; it ends at a page where that is possible.
fn chunk(left: u64, addr: u64, rate: u64) -> u64 {
    let most = rate.saturating_mul(CHUNK_US);
    if left <= most {
        return left;
    }
    let beyond = addr.wrapping_add(most) % PAGE;
    if most > beyond {
        most - beyond
    } else {
        most
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_time_is_lost_between_chunks() {
        let mut e = CopyEngine::default();
        let a = (1, 1);
        e.enqueue(a);
        let (mut left, mut at, mut chunks) = (10_000_000u64, 5u64, 0);
        let mut spent = 0;
        while left > 0 {
            assert_eq!(e.pick(), Some(a));
            spent += e.begin(a, 100, left, at, 1000);
            // The machine comes late each time.
            assert_eq!(e.finish(e.due_ns().unwrap() - 1), None);
            let done = e.finish(u64::MAX).unwrap();
            (left, at) = (left - done.bytes, at + done.bytes);
            chunks += 1;
            if left > 0 {
                assert_eq!(at % PAGE, 0);
                e.enqueue(a);
            }
        }
        assert_eq!(chunks, 11);
        assert_eq!((spent, e.free_ns), (10_000_000, 100 + 10_000_000));
    }

    #[test]
    fn a_hanging_engine_is_free_when_its_channel_goes() {
        let mut e = CopyEngine::default();
        e.enqueue((1, 1));
        e.enqueue((1, 2));
        let id = e.pick().unwrap();
        e.hang(id);
        assert_eq!((e.pick(), e.finish(u64::MAX - 1)), (None, None));
        e.forget((1, 1));
        assert_eq!(e.pick(), Some((1, 2)));
        assert!(!e.busy());
    }
}
