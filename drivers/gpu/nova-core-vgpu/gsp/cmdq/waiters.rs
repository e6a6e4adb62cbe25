// SPDX-License-Identifier: GPL-2.0

//! Requests that have been sent and not yet been answered.
//!
//! ```text
//!  add() -> Waiting ──reply(function, sequence)──▶ Done(reply) ──take()──▶ gone
//!              └──fail()──▶ Failed ──take()──▶ gone        remove(): the caller gave up
//! ```
//!
//! A reply finds its request by function *and* sequence number, so any number of requests can be
//! in flight and a late reply to a request that timed out cannot be taken for another one's.

use kernel::prelude::*;

use super::{
    split,
    Rpc, //
};

/// State of one request.
enum State {
    /// Nothing has come yet.
    Waiting,
    /// A part of the reply has come.
    Partial(Rpc),
    /// The reply is complete.
    Done(Rpc),
    /// The reply came and could not be used.
    Failed(Error),
}

struct Waiter {
    sequence: u32,
    function: u32,
    /// Length of the reply payload in bytes if it is as long as the request's.
    expected: usize,
    state: State,
}

/// All requests in flight.
pub(super) struct Waiters {
    list: KVec<Waiter>,
    next_sequence: u32,
}

/// What a received element turned out to be.
#[derive(PartialEq, Eq)]
pub(super) enum Matched {
    /// A reply, or a part of one, that somebody waits for.
    Reply,
    /// Nobody waits for it.
    Nobody,
}

impl Waiters {
    pub(super) fn new() -> Self {
        Self {
            list: KVec::new(),
            // 0 is what GSP gets with messages that are not answered.
            next_sequence: 1,
        }
    }

    /// Requests in flight.
    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    /// Registers a request with `expected` bytes of payload and returns its sequence number.
    pub(super) fn add(&mut self, function: u32, expected: usize) -> Result<u32> {
        let sequence = self.next_sequence;
        let waiter = Waiter {
            sequence,
            function,
            expected,
            state: State::Waiting,
        };

        self.list.push(waiter, GFP_KERNEL)?;
        self.next_sequence = sequence.checked_add(1).unwrap_or(1);
        Ok(sequence)
    }

    /// Forgets a request.
    pub(super) fn remove(&mut self, sequence: u32) {
        self.list.retain(|waiter| waiter.sequence != sequence);
    }

    /// The outcome of a request, once there is one.
    pub(super) fn take(&mut self, sequence: u32) -> Option<Result<Rpc>> {
        let index = self.list.iter().position(|w| {
            w.sequence == sequence && matches!(w.state, State::Done(_) | State::Failed(_))
        })?;

        match self.list.remove(index).ok()?.state {
            State::Done(rpc) => Some(Ok(rpc)),
            State::Failed(error) => Some(Err(error)),
            State::Waiting | State::Partial(_) => None,
        }
    }

    fn find(&mut self, function: u32, sequence: u32) -> Option<&mut Waiter> {
        // Firmware that does not repeat the number answers in order.
        let any = sequence == 0;

        self.list.iter_mut().find(|w| {
            w.function == function
                && matches!(w.state, State::Waiting)
                && (w.sequence == sequence || any)
        })
    }

    /// Stores the first element of a reply. `full` as in [`split::goes_on`].
    pub(super) fn reply(&mut self, function: u32, sequence: u32, full: bool, rpc: Rpc) -> Matched {
        // A new message ends the one before, complete or not.
        self.abort_partial();

        let Some(waiter) = self.find(function, sequence) else {
            return Matched::Nobody;
        };
        waiter.state = if split::goes_on(rpc.payload.len(), waiter.expected, full) {
            State::Partial(rpc)
        } else {
            State::Done(rpc)
        };
        Matched::Reply
    }

    /// Stores a continuation of the reply that is not complete yet.
    pub(super) fn continuation(&mut self, full: bool, part: &[u8]) -> Matched {
        let Some(waiter) = self
            .list
            .iter_mut()
            .find(|w| matches!(w.state, State::Partial(_)))
        else {
            return Matched::Nobody;
        };
        let State::Partial(mut rpc) = core::mem::replace(&mut waiter.state, State::Waiting) else {
            return Matched::Nobody;
        };

        waiter.state = match rpc.payload.extend_from_slice(part, GFP_KERNEL) {
            Err(e) => State::Failed(e.into()),
            Ok(()) if split::goes_on(rpc.payload.len(), waiter.expected, full) => {
                State::Partial(rpc)
            }
            Ok(()) => State::Done(rpc),
        };
        Matched::Reply
    }

    fn abort_partial(&mut self) {
        for waiter in self.list.iter_mut() {
            if matches!(waiter.state, State::Partial(_)) {
                waiter.state = State::Failed(EIO);
            }
        }
    }

    /// Fails the request that an unusable element claims to answer.
    pub(super) fn fail(&mut self, function: u32, sequence: u32, error: Error) -> Matched {
        match self.find(function, sequence) {
            Some(waiter) => {
                waiter.state = State::Failed(error);
                Matched::Reply
            }
            None => Matched::Nobody,
        }
    }

    /// Fails everything in flight.
    pub(super) fn fail_all(&mut self, error: Error) {
        for waiter in self.list.iter_mut() {
            waiter.state = State::Failed(error);
        }
    }
}

#[cfg(CONFIG_NOVA_CORE_VGPU_KUNIT)]
#[kunit_tests(nova_core_vgpu_waiters)]
mod tests {
    use super::*;

    const CONTROL: u32 = 76;
    const ALLOC: u32 = 103;

    fn rpc(bytes: &[u8]) -> Result<Rpc> {
        let mut payload = KVVec::new();
        payload.extend_from_slice(bytes, GFP_KERNEL)?;
        Ok(Rpc { result: 0, payload })
    }

    fn taken(waiters: &mut Waiters, sequence: u32) -> Option<u8> {
        match waiters.take(sequence) {
            Some(Ok(rpc)) => rpc.payload.first().copied(),
            _ => None,
        }
    }

    #[test]
    fn replies_in_any_order_find_their_requests() -> Result {
        let mut waiters = Waiters::new();
        let a = waiters.add(CONTROL, 1)?;
        let b = waiters.add(CONTROL, 1)?;
        let c = waiters.add(ALLOC, 1)?;

        for (function, sequence, value) in [(ALLOC, c, 3), (CONTROL, b, 2), (CONTROL, a, 1)] {
            assert!(waiters.reply(function, sequence, false, rpc(&[value])?) == Matched::Reply);
        }
        assert_eq!(taken(&mut waiters, a), Some(1));
        assert_eq!(taken(&mut waiters, b), Some(2));
        assert_eq!(taken(&mut waiters, c), Some(3));
        assert_eq!(waiters.len(), 0);
        Ok(())
    }

    #[test]
    fn late_reply_is_nobodys() -> Result {
        let mut waiters = Waiters::new();
        let late = waiters.add(CONTROL, 1)?;
        waiters.remove(late);
        let next = waiters.add(CONTROL, 1)?;

        assert!(waiters.reply(CONTROL, late, false, rpc(&[9])?) == Matched::Nobody);
        assert_eq!(taken(&mut waiters, next), None);
        assert!(waiters.reply(CONTROL, next, false, rpc(&[1])?) == Matched::Reply);
        assert_eq!(taken(&mut waiters, next), Some(1));
        Ok(())
    }

    #[test]
    fn function_must_match_too() -> Result {
        let mut waiters = Waiters::new();
        let a = waiters.add(CONTROL, 1)?;

        assert!(waiters.reply(ALLOC, a, false, rpc(&[1])?) == Matched::Nobody);
        assert_eq!(taken(&mut waiters, a), None);
        Ok(())
    }

    #[test]
    fn firmware_without_sequence_numbers_answers_in_order() -> Result {
        let mut waiters = Waiters::new();
        let a = waiters.add(CONTROL, 1)?;
        let b = waiters.add(CONTROL, 1)?;

        assert!(waiters.reply(CONTROL, 0, false, rpc(&[1])?) == Matched::Reply);
        assert!(waiters.reply(CONTROL, 0, false, rpc(&[2])?) == Matched::Reply);
        assert_eq!(taken(&mut waiters, a), Some(1));
        assert_eq!(taken(&mut waiters, b), Some(2));
        Ok(())
    }

    #[test]
    fn long_reply_is_put_together() -> Result {
        let mut waiters = Waiters::new();
        let a = waiters.add(CONTROL, 5)?;

        assert!(waiters.reply(CONTROL, a, true, rpc(&[1, 2])?) == Matched::Reply);
        assert_eq!(taken(&mut waiters, a), None);
        assert!(waiters.continuation(true, &[3, 4]) == Matched::Reply);
        assert!(waiters.continuation(false, &[5]) == Matched::Reply);
        assert!(waiters.continuation(false, &[6]) == Matched::Nobody);
        match waiters.take(a) {
            Some(Ok(rpc)) => assert!(rpc.payload.as_slice() == [1, 2, 3, 4, 5]),
            _ => assert!(false),
        }
        Ok(())
    }

    #[test]
    fn interrupted_long_reply_fails() -> Result {
        let mut waiters = Waiters::new();
        let a = waiters.add(CONTROL, 5)?;
        let b = waiters.add(ALLOC, 1)?;

        assert!(waiters.reply(CONTROL, a, true, rpc(&[1, 2])?) == Matched::Reply);
        assert!(waiters.reply(ALLOC, b, false, rpc(&[7])?) == Matched::Reply);
        assert!(matches!(waiters.take(a), Some(Err(e)) if e == EIO));
        assert_eq!(taken(&mut waiters, b), Some(7));
        Ok(())
    }

    #[test]
    fn damaged_reply_fails_its_request_only() -> Result {
        let mut waiters = Waiters::new();
        let a = waiters.add(CONTROL, 1)?;
        let b = waiters.add(CONTROL, 1)?;

        assert!(waiters.fail(CONTROL, a, EIO) == Matched::Reply);
        assert!(waiters.fail(CONTROL, a, EIO) == Matched::Nobody);
        assert!(matches!(waiters.take(a), Some(Err(e)) if e == EIO));
        assert!(waiters.reply(CONTROL, b, false, rpc(&[1])?) == Matched::Reply);
        assert_eq!(taken(&mut waiters, b), Some(1));
        Ok(())
    }
}
