// SPDX-License-Identifier: GPL-2.0

//! Requests that have been sent and not yet been answered.
//!
//! ```text
//!  add() -> Waiting ──reply(function, sequence)──▶ Done(reply) ──take()──▶ gone
//!              ├──fail()──▶ Failed ──take()──▶ gone
//!              └──abandon(): the caller gave up──▶ Abandoned ──reply()──▶ gone, the reply is late
//! ```
//!
//! A reply finds its request by function *and* sequence number, so any number of requests can be
//! in flight and a late reply to a request that timed out cannot be taken for another one's.
//! Requests that were given up are remembered, so that a reply that is only late can be told from
//! one that was never asked for.
//!
//! GSP works on requests in their order, and may take all of a request's time for those in front of
//! it. Each outcome is therefore noted with the requests that GSP was given after that one.

use kernel::{
    prelude::*,
    sync::Arc,
    time::{
        Delta,
        Instant,
        Monotonic, //
    }, //
};
use kernel_ext::completion::Completion;

use super::{
    split,
    Rpc, //
};

/// Requests that are remembered after they were given up; the oldest are forgotten.
const MAX_ABANDONED: usize = 64;

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
    /// Nobody waits any more, and nothing has come.
    Abandoned,
    /// Nobody waits any more, and this many bytes of the reply have come.
    Discarding(usize),
}

impl State {
    fn is_live(&self) -> bool {
        !matches!(self, State::Abandoned | State::Discarding(_))
    }
}

struct Waiter {
    sequence: u32,
    function: u32,
    /// Length of the reply payload in bytes if it is as long as the request's.
    expected: usize,
    state: State,
    /// Whoever waits for the outcome.
    wake: Arc<Completion>,
    /// When it was registered.
    since: Instant<Monotonic>,
    /// When an earlier one had its last outcome since then.
    moved_up: Option<Instant<Monotonic>>,
}

/// A request that somebody waits for.
#[derive(Clone, Copy)]
pub(crate) struct InFlight {
    /// Function number.
    pub(crate) function: u32,
    /// Number of the request.
    pub(crate) sequence: u32,
    /// Time since it was made.
    pub(crate) age: Delta,
}

impl Waiter {
    fn finish(&mut self, state: State) {
        self.state = state;
        self.wake.complete();
    }
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
    /// A reply, or a part of one, to a request that was given up.
    Late,
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

    /// Requests that somebody waits for.
    pub(super) fn len(&self) -> usize {
        self.list.iter().filter(|w| w.state.is_live()).count()
    }

    /// The oldest of the requests that somebody waits for.
    pub(super) fn oldest(&self) -> Option<InFlight> {
        // In the order in which GSP was given them.
        let waiter = self.list.iter().find(|w| w.state.is_live())?;

        Some(InFlight {
            function: waiter.function,
            sequence: waiter.sequence,
            age: waiter.since.elapsed(),
        })
    }

    /// Registers a request with `expected` bytes of payload, made at the time `since`, and returns
    /// its sequence number. `wake` is completed when there is an outcome.
    pub(super) fn add(
        &mut self,
        function: u32,
        expected: usize,
        since: Instant<Monotonic>,
        wake: Arc<Completion>,
    ) -> Result<u32> {
        let sequence = self.next_sequence;
        let waiter = Waiter {
            sequence,
            function,
            expected,
            state: State::Waiting,
            wake,
            since,
            moved_up: None,
        };

        self.list.push(waiter, GFP_KERNEL)?;
        self.next_sequence = sequence.checked_add(1).unwrap_or(1);
        Ok(sequence)
    }

    fn position(&self, sequence: u32) -> Option<usize> {
        self.list.iter().position(|w| w.sequence == sequence)
    }

    /// GSP is given a request: it is behind all that it was given before, whoever registered first.
    pub(super) fn sent(&mut self, sequence: u32) {
        let index = self.position(sequence);

        if let Some(behind) = index.and_then(|index| self.list.get_mut(index..)) {
            behind.rotate_left(1);
        }
    }

    /// How long ago an earlier request had its last outcome, if one had since this one was made.
    pub(super) fn moved_up(&self, sequence: u32) -> Option<Delta> {
        let waiter = self.list.get(self.position(sequence)?)?;

        waiter.moved_up.map(|time| time.elapsed())
    }

    /// The requests behind the one at `index` are nearer to their turn.
    fn move_up(&mut self, index: usize) {
        let mut now = None;

        for waiter in self.list.iter_mut().skip(index + 1) {
            // The clock is not read for a request that is alone.
            waiter.moved_up = Some(*now.get_or_insert_with(Instant::now));
        }
    }

    /// Nobody waits for the reply to a request any more.
    pub(super) fn abandon(&mut self, sequence: u32) {
        let Some(index) = self.position(sequence) else {
            return;
        };
        let Some(waiter) = self.list.get_mut(index) else {
            return;
        };
        waiter.state = match &waiter.state {
            State::Waiting => State::Abandoned,
            State::Partial(rpc) => State::Discarding(rpc.payload.len()),
            _ => {
                let _ = self.list.remove(index);
                return;
            }
        };

        let oldest = self.list.iter().position(|w| !w.state.is_live());
        let abandoned = self.list.len() - self.len();
        if let Some(oldest) = oldest.filter(|_| abandoned > MAX_ABANDONED) {
            let _ = self.list.remove(oldest);
        }
    }

    /// The outcome of a request, once there is one.
    pub(super) fn take(&mut self, sequence: u32) -> Option<Result<Rpc>> {
        let index = self.list.iter().position(|w| {
            w.sequence == sequence && matches!(w.state, State::Done(_) | State::Failed(_))
        })?;

        match self.list.remove(index).ok()?.state {
            State::Done(rpc) => Some(Ok(rpc)),
            State::Failed(error) => Some(Err(error)),
            _ => None,
        }
    }

    /// The request that is answered.
    fn find(&mut self, function: u32, sequence: u32) -> Option<&mut Waiter> {
        // Firmware that does not repeat the number answers in order.
        let any = sequence == 0;
        let index = self.list.iter().position(|w| {
            w.function == function
                && matches!(w.state, State::Waiting)
                && (w.sequence == sequence || any)
        })?;

        self.move_up(index);
        self.list.get_mut(index)
    }

    /// Stores the first element of a reply. `full` as in [`split::goes_on`].
    pub(super) fn reply(&mut self, function: u32, sequence: u32, full: bool, rpc: Rpc) -> Matched {
        // A new message ends the one before, complete or not.
        self.abort_partial();

        let Some(waiter) = self.find(function, sequence) else {
            return self.late(function, sequence, full, rpc.payload.len());
        };
        if split::goes_on(rpc.payload.len(), waiter.expected, full) {
            waiter.state = State::Partial(rpc);
        } else {
            waiter.finish(State::Done(rpc));
        }
        Matched::Reply
    }

    /// The same for a reply that cannot be stored: its request fails with `error`.
    pub(super) fn refuse(
        &mut self,
        function: u32,
        sequence: u32,
        full: bool,
        received: usize,
        error: Error,
    ) -> Matched {
        self.abort_partial();
        match self.fail(function, sequence, error) {
            Matched::Nobody => self.late(function, sequence, full, received),
            matched => matched,
        }
    }

    /// Looks whether a reply is late, `received` bytes of which have come.
    fn late(&mut self, function: u32, sequence: u32, full: bool, received: usize) -> Matched {
        let Some(index) = self.list.iter().position(|w| {
            w.function == function && w.sequence == sequence && matches!(w.state, State::Abandoned)
        }) else {
            return Matched::Nobody;
        };

        self.move_up(index);
        self.discard(index, full, received);
        Matched::Late
    }

    /// Waits for the rest of a late reply, or forgets it.
    fn discard(&mut self, index: usize, full: bool, received: usize) {
        match self.list.get_mut(index) {
            Some(waiter) if split::goes_on(received, waiter.expected, full) => {
                waiter.state = State::Discarding(received);
            }
            _ => {
                let _ = self.list.remove(index);
            }
        }
    }

    /// Stores a continuation of the reply that is not complete yet.
    pub(super) fn continuation(&mut self, full: bool, part: &[u8]) -> Matched {
        let Some(index) = self
            .list
            .iter()
            .position(|w| matches!(w.state, State::Partial(_) | State::Discarding(_)))
        else {
            return Matched::Nobody;
        };
        let Some(waiter) = self.list.get_mut(index) else {
            return Matched::Nobody;
        };

        match core::mem::replace(&mut waiter.state, State::Waiting) {
            State::Partial(mut rpc) => {
                match rpc.payload.extend_from_slice(part, GFP_KERNEL) {
                    Err(e) => waiter.finish(State::Failed(e.into())),
                    Ok(()) if split::goes_on(rpc.payload.len(), waiter.expected, full) => {
                        waiter.state = State::Partial(rpc);
                    }
                    Ok(()) => waiter.finish(State::Done(rpc)),
                }
                Matched::Reply
            }
            State::Discarding(received) => {
                self.discard(index, full, received.saturating_add(part.len()));
                Matched::Late
            }
            other => {
                waiter.state = other;
                Matched::Nobody
            }
        }
    }

    fn abort_partial(&mut self) {
        for waiter in self.list.iter_mut() {
            if matches!(waiter.state, State::Partial(_)) {
                waiter.finish(State::Failed(EIO));
            }
        }
        self.list
            .retain(|w| !matches!(w.state, State::Discarding(_)));
    }

    /// Fails the request that an unusable element claims to answer.
    pub(super) fn fail(&mut self, function: u32, sequence: u32, error: Error) -> Matched {
        match self.find(function, sequence) {
            Some(waiter) => {
                waiter.finish(State::Failed(error));
                Matched::Reply
            }
            None => Matched::Nobody,
        }
    }

    /// Fails everything in flight.
    pub(super) fn fail_all(&mut self, error: Error) {
        self.list.retain(|waiter| waiter.state.is_live());
        for waiter in self.list.iter_mut() {
            // A reply that has come is as good as it was.
            if !matches!(waiter.state, State::Done(_)) {
                waiter.finish(State::Failed(error));
            }
        }
    }
}

#[cfg(CONFIG_NOVA_CORE_VGPU_KUNIT)]
#[kunit_tests(nova_core_vgpu_waiters)]
mod tests {
    use super::*;
    use kernel::time::Delta;

    const CONTROL: u32 = 76;
    const ALLOC: u32 = 103;

    fn rpc(bytes: &[u8]) -> Result<Rpc> {
        let mut payload = KVVec::new();
        payload.extend_from_slice(bytes, GFP_KERNEL)?;
        Ok(Rpc { result: 0, payload })
    }

    fn add(waiters: &mut Waiters, function: u32, expected: usize) -> Result<u32> {
        waiters.add(
            function,
            expected,
            Instant::now(),
            Arc::pin_init(Completion::new(), GFP_KERNEL)?,
        )
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
        let a = add(&mut waiters, CONTROL, 1)?;
        let b = add(&mut waiters, CONTROL, 1)?;
        let c = add(&mut waiters, ALLOC, 1)?;

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
    fn late_reply_is_recognised_once() -> Result {
        let mut waiters = Waiters::new();
        let late = add(&mut waiters, CONTROL, 1)?;
        waiters.abandon(late);
        let next = add(&mut waiters, CONTROL, 1)?;
        assert_eq!(waiters.len(), 1);

        assert!(waiters.reply(CONTROL, late, false, rpc(&[9])?) == Matched::Late);
        assert_eq!(taken(&mut waiters, next), None);
        assert!(waiters.reply(CONTROL, late, false, rpc(&[9])?) == Matched::Nobody);
        assert!(waiters.reply(CONTROL, next, false, rpc(&[1])?) == Matched::Reply);
        assert_eq!(taken(&mut waiters, next), Some(1));
        Ok(())
    }

    #[test]
    fn late_long_reply_is_late_to_its_end() -> Result {
        let mut waiters = Waiters::new();
        let whole = add(&mut waiters, CONTROL, 5)?;
        let half = add(&mut waiters, CONTROL, 5)?;
        waiters.abandon(whole);

        assert!(waiters.reply(CONTROL, whole, true, rpc(&[1, 2])?) == Matched::Late);
        assert!(waiters.continuation(true, &[3, 4]) == Matched::Late);
        assert!(waiters.continuation(false, &[5]) == Matched::Late);
        assert!(waiters.continuation(false, &[6]) == Matched::Nobody);

        // Given up in the middle of the reply.
        assert!(waiters.reply(CONTROL, half, true, rpc(&[1, 2])?) == Matched::Reply);
        waiters.abandon(half);
        assert!(waiters.continuation(true, &[3, 4]) == Matched::Late);
        assert!(waiters.continuation(false, &[5]) == Matched::Late);
        assert!(waiters.continuation(false, &[6]) == Matched::Nobody);
        Ok(())
    }

    #[test]
    fn the_oldest_of_many_given_up_is_forgotten() -> Result {
        let mut waiters = Waiters::new();
        let live = add(&mut waiters, CONTROL, 1)?;
        let first = add(&mut waiters, CONTROL, 1)?;
        waiters.abandon(first);
        let second = add(&mut waiters, CONTROL, 1)?;
        waiters.abandon(second);
        for _ in 1..MAX_ABANDONED {
            let one = add(&mut waiters, CONTROL, 1)?;
            waiters.abandon(one);
        }

        assert_eq!(waiters.len(), 1);
        assert!(waiters.reply(CONTROL, first, false, rpc(&[1])?) == Matched::Nobody);
        assert!(waiters.reply(CONTROL, second, false, rpc(&[1])?) == Matched::Late);
        assert!(waiters.reply(CONTROL, live, false, rpc(&[1])?) == Matched::Reply);
        Ok(())
    }

    #[test]
    fn an_outcome_wakes_its_waiter_and_no_other() -> Result {
        let mut waiters = Waiters::new();
        let soon = Delta::from_millis(1);
        let (a, b) = (
            Arc::pin_init(Completion::new(), GFP_KERNEL)?,
            Arc::pin_init(Completion::new(), GFP_KERNEL)?,
        );
        let answered = waiters.add(CONTROL, 5, Instant::now(), a.clone())?;
        waiters.add(CONTROL, 1, Instant::now(), b.clone())?;

        assert!(waiters.reply(CONTROL, answered, true, rpc(&[1, 2])?) == Matched::Reply);
        assert_eq!(a.wait_timeout(soon), Err(ETIMEDOUT));
        assert!(waiters.continuation(false, &[3]) == Matched::Reply);
        assert_eq!(a.wait_timeout(soon), Ok(()));
        assert_eq!(b.wait_timeout(soon), Err(ETIMEDOUT));

        waiters.fail_all(EIO);
        assert_eq!(b.wait_timeout(soon), Ok(()));
        // What has been answered stays so.
        assert_eq!(taken(&mut waiters, answered), Some(1));
        Ok(())
    }

    #[test]
    fn who_was_sent_later_is_behind() -> Result {
        let mut waiters = Waiters::new();
        let slow = add(&mut waiters, CONTROL, 1)?;
        let quick = add(&mut waiters, CONTROL, 1)?;

        waiters.sent(quick);
        waiters.sent(slow);
        assert!(waiters.reply(CONTROL, quick, false, rpc(&[2])?) == Matched::Reply);
        assert!(waiters.moved_up(slow).is_some());
        assert!(waiters.reply(CONTROL, slow, false, rpc(&[1])?) == Matched::Reply);
        assert!(waiters.moved_up(quick).is_none());
        assert_eq!(taken(&mut waiters, quick), Some(2));
        assert_eq!(taken(&mut waiters, slow), Some(1));
        Ok(())
    }

    #[test]
    fn those_behind_an_answered_one_move_up() -> Result {
        let mut waiters = Waiters::new();
        let given_up = add(&mut waiters, CONTROL, 1)?;
        let first = add(&mut waiters, CONTROL, 1)?;
        let second = add(&mut waiters, ALLOC, 1)?;
        let third = add(&mut waiters, CONTROL, 1)?;

        assert!(waiters.reply(ALLOC, second, false, rpc(&[2])?) == Matched::Reply);
        assert!(waiters.moved_up(first).is_none());
        assert!(waiters.moved_up(third).is_some());

        waiters.abandon(given_up);
        assert!(waiters.reply(CONTROL, given_up, false, rpc(&[0])?) == Matched::Late);
        assert!(waiters.moved_up(first).is_some());

        let last = add(&mut waiters, CONTROL, 1)?;
        assert!(waiters.moved_up(last).is_none());
        assert!(waiters.fail(CONTROL, third, EIO) == Matched::Reply);
        assert!(waiters.moved_up(last).is_some());
        Ok(())
    }

    #[test]
    fn function_must_match_too() -> Result {
        let mut waiters = Waiters::new();
        let a = add(&mut waiters, CONTROL, 1)?;

        assert!(waiters.reply(ALLOC, a, false, rpc(&[1])?) == Matched::Nobody);
        assert_eq!(taken(&mut waiters, a), None);
        Ok(())
    }

    #[test]
    fn firmware_without_sequence_numbers_answers_in_order() -> Result {
        let mut waiters = Waiters::new();
        let a = add(&mut waiters, CONTROL, 1)?;
        let b = add(&mut waiters, CONTROL, 1)?;

        assert!(waiters.reply(CONTROL, 0, false, rpc(&[1])?) == Matched::Reply);
        assert!(waiters.reply(CONTROL, 0, false, rpc(&[2])?) == Matched::Reply);
        assert_eq!(taken(&mut waiters, a), Some(1));
        assert_eq!(taken(&mut waiters, b), Some(2));
        Ok(())
    }

    #[test]
    fn long_reply_is_put_together() -> Result {
        let mut waiters = Waiters::new();
        let a = add(&mut waiters, CONTROL, 5)?;

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
        let a = add(&mut waiters, CONTROL, 5)?;
        let b = add(&mut waiters, ALLOC, 1)?;

        assert!(waiters.reply(CONTROL, a, true, rpc(&[1, 2])?) == Matched::Reply);
        assert!(waiters.reply(ALLOC, b, false, rpc(&[7])?) == Matched::Reply);
        assert!(matches!(waiters.take(a), Some(Err(e)) if e == EIO));
        assert_eq!(taken(&mut waiters, b), Some(7));
        Ok(())
    }

    #[test]
    fn damaged_reply_fails_its_request_only() -> Result {
        let mut waiters = Waiters::new();
        let a = add(&mut waiters, CONTROL, 1)?;
        let b = add(&mut waiters, CONTROL, 1)?;

        assert!(waiters.fail(CONTROL, a, EIO) == Matched::Reply);
        assert!(waiters.fail(CONTROL, a, EIO) == Matched::Nobody);
        assert!(matches!(waiters.take(a), Some(Err(e)) if e == EIO));
        assert!(waiters.reply(CONTROL, b, false, rpc(&[1])?) == Matched::Reply);
        assert_eq!(taken(&mut waiters, b), Some(1));
        Ok(())
    }

    #[test]
    fn a_reply_without_memory_fails_its_request_alone() -> Result {
        let mut waiters = Waiters::new();
        let first = add(&mut waiters, CONTROL, 1)?;
        let second = add(&mut waiters, CONTROL, 1)?;
        let late = add(&mut waiters, ALLOC, 1)?;

        waiters.abandon(late);
        assert!(waiters.refuse(CONTROL, first, false, 1, ENOMEM) == Matched::Reply);
        assert!(matches!(waiters.take(first), Some(Err(e)) if e == ENOMEM));
        assert!(waiters.refuse(ALLOC, late, false, 1, ENOMEM) == Matched::Late);
        assert!(waiters.refuse(ALLOC, late, false, 1, ENOMEM) == Matched::Nobody);
        assert!(waiters.reply(CONTROL, second, false, rpc(&[2])?) == Matched::Reply);
        assert_eq!(taken(&mut waiters, second), Some(2));
        Ok(())
    }
}
