// SPDX-License-Identifier: GPL-2.0

//! Messages to and from GSP.
//!
//! ```text
//!  call()  ── tx lock: push element(s), ring doorbell ──▶ GSP
//!    │ one look at the status queue                        │
//!    │ sleep, no lock held                                 │
//!    │                                          interrupt, status queue
//!    │      thread of the interrupt                        │
//!    │        reader lock: pull(), check ◀─────────────────┘
//!    │        pending lock: match
//!    └───────── reply  -> its waiter (function + sequence), woken
//!               event  -> list, routed by the same thread with no lock held
//! ```
//!
//! Any number of calls can be in flight. Until interrupts are up, while GSP boots, who waits looks
//! at the status queue instead; events then stay in the list until the interrupt is there.
//!
//! Locks: reader before pending. tx and announcer are taken with none of the others held.

mod element;
mod probe;
mod receive;
mod ring;
mod split;
mod transmit;
mod wait;
mod waiters;

use kernel::{
    device,
    dma::{
        Coherent,
        DmaAddress, //
    },
    new_mutex,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc,
        Mutex, //
    },
    time::{
        Delta,
        Instant,
        Monotonic, //
    },
};

use kernel_ext::completion::Completion;

use crate::{
    driver::Bar0,
    gpu::{
        life::Life,
        loss::Loss, //
    },
};

use super::{
    events::Router,
    interrupt::Announcer,
    nv_status::NvStatus,
    stats, //
};

use receive::{
    Pending,
    Reader, //
};
use ring::Ring;
use transmit::Tx;
use wait::Ticket;
use waiters::InFlight;

pub use wait::Wait;

/// Shortest and longest pause between two looks at the status queue.
const POLL_MIN: Delta = Delta::from_micros(20);
const POLL_MAX: Delta = Delta::from_millis(1);
/// The queues work.
const ALIVE: u32 = 0;
/// GSP has written something that makes the queues unusable.
const LOST: u32 = 1;
/// GSP is being shut down.
const CLOSED: u32 = 2;

/// A reply.
pub(crate) struct Rpc {
    /// `rpc_result`, a raw NV_STATUS.
    pub(crate) result: u32,
    /// Payload after the headers.
    pub(crate) payload: KVVec<u8>,
}

/// An event that waits to be routed.
pub(super) struct OwnedEvent {
    pub(super) function: u32,
    /// `rpc_result`, a raw NV_STATUS.
    pub(super) result: u32,
    pub(super) payload: KVVec<u8>,
}

/// The reply does not have the layout that it must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed(pub(crate) &'static str);

/// Why a call failed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum CallError {
    /// The message or its reply did not get through; reported by the queue.
    Transport(Error),
    /// GSP-RM refused; raw NV_STATUS.
    Status(u32),
    /// The reply could not be decoded; the text names the field.
    Malformed(&'static str),
}

impl From<CallError> for Error {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Transport(e) => e,
            CallError::Status(raw) => Error::from_errno(-NvStatus(raw).errno()),
            CallError::Malformed(_) => EIO,
        }
    }
}

impl From<Error> for CallError {
    fn from(error: Error) -> Self {
        Self::Transport(error)
    }
}

/// A typed request.
pub(crate) trait Command {
    /// Function number.
    const FUNCTION: u32;
    /// What the reply is decoded to.
    type Reply;

    /// Appends the payload to `out`.
    fn encode(&self, out: &mut KVVec<u8>) -> Result;

    /// Decodes the payload of the reply.
    fn decode(&self, reply: &[u8]) -> Result<Self::Reply, Malformed>;
}

/// What the queue has seen, for debugfs.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Stats {
    /// Elements sent.
    pub(crate) sent: u64,
    /// Messages that had to wait for room in the command queue.
    pub(crate) full_waits: u64,
    /// Elements received and found to be in order.
    pub(crate) received: u64,
    /// Elements with a wrong checksum, sequence number or framing.
    pub(crate) corrupt: u64,
    /// Replies to requests that nobody waited for any more.
    pub(crate) late: u64,
    /// Replies that no request was sent for.
    pub(crate) unmatched: u64,
    /// Looks at the queue because interrupts were not up.
    pub(crate) polls: u64,
    /// Messages that were found at a deadline, without an interrupt.
    pub(crate) lost_interrupts: u64,
    /// Callers that were killed while they waited.
    pub(crate) killed: u64,
    /// Events dropped because too many were waiting, or there was no memory for them.
    pub(crate) events_dropped: u64,
}

/// The state of the queues at one moment.
pub(crate) struct Snapshot {
    /// Counters.
    pub(crate) stats: Stats,
    /// Whether the queues can be used: "alive", "lost" or "closed".
    pub(crate) state: &'static str,
    /// Write and read index of the command queue, then of the status queue, in slots. `None` if GSP
    /// has written one that makes no sense.
    pub(crate) indices: Option<[(usize, usize); 2]>,
    /// Requests that somebody waits for.
    pub(crate) in_flight: usize,
    /// The oldest of them.
    pub(crate) oldest: Option<InFlight>,
}

/// The pair of queues.
#[pin_data]
pub(crate) struct Cmdq<'gpu> {
    dev: &'gpu device::Device<device::Bound>,
    bar: Bar0<'gpu>,
    ring: Ring,
    life: Arc<Life>,
    /// One of [`ALIVE`], [`LOST`] and [`CLOSED`].
    state: Atomic<u32>,
    #[pin]
    tx: Mutex<Tx>,
    #[pin]
    reader: Mutex<Reader>,
    #[pin]
    pending: Mutex<Pending>,
    /// How GSP announces messages; `None` while the queue is polled.
    #[pin]
    announcer: Mutex<Option<Announcer<'gpu>>>,
    polls: Atomic<u64>,
    router: Arc<Router>,
    traffic: stats::Stats,
}

impl<'gpu> Cmdq<'gpu> {
    /// Time that GSP may take for an ordinary request.
    pub(crate) const DEFAULT_TIMEOUT: Delta = Wait::UNINTERRUPTIBLE.timeout();

    /// Allocates the queues; GSP finds them through its arguments.
    pub(super) fn new(
        dev: &'gpu device::Device<device::Bound>,
        bar: Bar0<'gpu>,
        life: Arc<Life>,
    ) -> impl PinInit<Self, Error> + use<'gpu> {
        try_pin_init!(Self {
            dev,
            bar,
            ring: Ring::new(dev)?,
            life,
            state: Atomic::new(ALIVE),
            tx <- new_mutex!(Tx::new()),
            reader <- new_mutex!(Reader::new()?),
            pending <- new_mutex!(Pending::new()),
            announcer <- new_mutex!(None),
            polls: Atomic::new(0),
            router: Router::new()?,
            traffic: stats::Stats::new()?,
        })
    }

    /// DMA address of the shared memory region.
    pub(super) fn dma_address(&self) -> DmaAddress {
        self.ring.dma_address()
    }

    /// The memory that is shared with GSP, for a dump.
    pub(crate) fn memory(&self) -> &Coherent<[u8]> {
        self.ring.memory()
    }

    /// Where events go.
    pub(crate) fn router(&self) -> &Arc<Router> {
        &self.router
    }

    /// Counters and latencies of each function.
    pub(crate) fn traffic(&self) -> &stats::Stats {
        &self.traffic
    }

    /// The state of the queues, for debugfs.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let pending = self.pending.lock();
        let (in_flight, oldest) = (pending.waiters.len(), pending.waiters.oldest());
        drop(pending);

        Snapshot {
            stats: self.stats().0,
            state: match self.state.load(Relaxed) {
                ALIVE => "alive",
                LOST => "lost",
                _ => "closed",
            },
            indices: self.ring.indices().ok(),
            in_flight,
            oldest,
        }
    }

    /// Counters, and the number of requests in flight.
    pub(crate) fn stats(&self) -> (Stats, usize) {
        let tx = self.tx.lock();
        let (sent, full_waits) = (tx.sent, tx.full_waits);
        drop(tx);
        let polls = self.polls.load(Relaxed);
        let pending = self.pending.lock();

        (
            Stats {
                sent,
                full_waits,
                polls,
                ..pending.stats
            },
            pending.waiters.len(),
        )
    }

    /// Sends a request of any length and waits for its reply.
    ///
    /// A non-zero [`Rpc::result`] is not an error here.
    ///
    /// # Errors
    ///
    /// `ETIMEDOUT` when the reply does not come in time, `EINTR` when the caller is killed and
    /// `wait` allows that, `EIO` when the reply comes damaged or the queues have become unusable,
    /// `ENODEV` when GSP is shut down, `ENOMEM`. Those of firmware are reported.
    pub(crate) fn call_raw(
        &self,
        function: u32,
        payload: &[u8],
        wait: impl Into<Wait>,
    ) -> Result<Rpc> {
        self.call_timed(function, payload, wait).map(|(rpc, _)| rpc)
    }

    /// The same, and how long it took.
    pub(crate) fn call_timed(
        &self,
        function: u32,
        payload: &[u8],
        wait: impl Into<Wait>,
    ) -> Result<(Rpc, Delta)> {
        let wait = wait.into();
        let start = Instant::now();
        let ticket = self.register(function, payload.len(), start)?;
        let sequence = ticket.sequence;
        self.traffic.request(self.dev, function, sequence, payload);

        let rpc = self
            .transmit(function, sequence, payload, &ticket.wake, wait)
            .and_then(|()| self.wait(function, &ticket, wait))
            .inspect_err(|e| {
                let mut pending = self.pending.lock();
                pending.stats.killed += u64::from(*e == EINTR);
                pending.waiters.abandon(sequence);
                drop(pending);
                self.traffic.failed(function);
            })?;
        let latency = start.elapsed();

        self.traffic.reply(
            self.dev,
            function,
            sequence,
            rpc.result,
            &rpc.payload,
            latency,
        );
        Ok((rpc, latency))
    }

    fn register(
        &self,
        function: u32,
        expected: usize,
        since: Instant<Monotonic>,
    ) -> Result<Ticket> {
        let wake = Arc::pin_init(Completion::new(), GFP_KERNEL)?;

        Ok(Ticket {
            sequence: self
                .pending
                .lock()
                .waiters
                .add(function, expected, since, wake.clone())?,
            wake,
        })
    }

    /// Sends a typed request and waits for its reply.
    ///
    /// # Errors
    ///
    /// See [`CallError`].
    pub(crate) fn call<C: Command>(
        &self,
        command: &C,
        wait: impl Into<Wait>,
    ) -> Result<C::Reply, CallError> {
        let mut payload = KVVec::new();
        command.encode(&mut payload)?;

        let rpc = self.call_raw(C::FUNCTION, &payload, wait)?;
        if rpc.result != 0 {
            return Err(CallError::Status(rpc.result));
        }
        command
            .decode(&rpc.payload)
            .map_err(|e| CallError::Malformed(e.0))
    }

    /// Sends a message that is not answered.
    ///
    /// # Errors
    ///
    /// `ETIMEDOUT` when GSP does not make room, `EIO`, `ENODEV`, `ENOMEM`.
    pub(crate) fn send<C: Command<Reply = ()>>(&self, command: &C) -> Result {
        let mut payload = KVVec::new();
        command.encode(&mut payload)?;

        let wake = Arc::pin_init(Completion::new(), GFP_KERNEL)?;
        self.traffic.request(self.dev, C::FUNCTION, 0, &payload);
        self.transmit(C::FUNCTION, 0, &payload, &wake, Wait::UNINTERRUPTIBLE)
            .inspect_err(|_| self.traffic.failed(C::FUNCTION))
    }

    /// GSP has announced messages. Takes them, wakes who waits, and routes events.
    pub(super) fn announced(&self) {
        self.drain();
        self.wake_sender();
        while let Some(event) = self.next_event() {
            self.route(&event);
            // Replies do not wait until the last event is routed.
            self.drain();
        }
    }

    /// From now on GSP announces messages, or does not with `None`.
    pub(super) fn announce_by(&self, announcer: Option<Announcer<'gpu>>) {
        *self.announcer.lock() = announcer;
    }

    fn is_announced(&self) -> bool {
        self.announcer.lock().is_some()
    }

    /// Routes an event that was taken with [`Self::next_event`].
    pub(super) fn route(&self, event: &OwnedEvent) {
        self.traffic.event(self.dev, event.function, &event.payload);
        self.router.route(self.dev, event.function, &event.payload);
    }

    /// The oldest event that has not been routed.
    pub(super) fn next_event(&self) -> Option<OwnedEvent> {
        self.pending.lock().events.remove(0).ok()
    }

    /// Takes what GSP has sent. Events stay queued for [`Self::next_event`].
    ///
    /// # Errors
    ///
    /// `EIO` when the queues have become unusable, `ENODEV` when GSP is shut down.
    pub(super) fn receive(&self) -> Result {
        self.check_alive()?;
        self.polls.add(1, Relaxed);
        self.drain();
        self.check_alive()
    }

    /// Makes every later call fail with `ENODEV`.
    pub(super) fn close(&self) {
        self.state.store(CLOSED, Relaxed);
        self.fail_all(ENODEV);
    }

    /// Fails everything in flight, with neither of the locks held.
    fn fail_all(&self, error: Error) {
        self.pending.lock().waiters.fail_all(error);
        self.tx.lock().wake_all();
    }

    /// GSP has died. What is in flight fails at once.
    pub(super) fn died(&self, loss: Loss) {
        if self.life.lost(loss) {
            self.abandon();
        }
    }

    /// Fails everything in flight, and every later call, with `EIO`: GSP has died.
    pub(crate) fn abandon(&self) {
        // Once it is shut down there is nothing more to fail.
        if self.state.cmpxchg(ALIVE, LOST, Relaxed).is_ok() {
            self.fail_all(EIO);
        }
    }

    /// Whether GSP can be asked, as far as is known.
    pub(crate) fn is_alive(&self) -> bool {
        self.check_alive().is_ok()
    }

    fn check_alive(&self) -> Result {
        match self.state.load(Relaxed) {
            ALIVE => Ok(()),
            LOST => Err(EIO),
            _ => Err(ENODEV),
        }
    }

    /// Reports that the queues cannot be used any more and fails everything in flight. Neither tx
    /// nor pending may be locked.
    pub(super) fn lost(&self, what: &'static str) {
        if self.state.cmpxchg(ALIVE, LOST, Relaxed).is_err() {
            return;
        }
        dev_err!(
            self.dev,
            "GSP: bad {}, messages cannot be told apart any more\n",
            what
        );
        // The reason first: who watches over GSP may be among those that fail, and would take this
        // for silence.
        self.life.lost(Loss::Messages(what));
        self.fail_all(EIO);
    }
}
