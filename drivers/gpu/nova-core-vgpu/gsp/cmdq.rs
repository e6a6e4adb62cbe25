// SPDX-License-Identifier: GPL-2.0

//! Messages to and from GSP.
//!
//! ```text
//!  call()  ── tx lock: push element(s), ring doorbell ──▶ GSP
//!    │ wait, no lock held                                  │
//!    └── rx lock: pull(), check, match ◀── status queue ◀──┘
//!                   ├─ reply  -> its waiter (function + sequence)
//!                   └─ event  -> queue, routed after the lock is dropped
//! ```
//!
//! Any number of calls can be in flight. Who waits drains the status queue for everybody; with an
//! interrupt, the handler thread will do that and wake the waiters instead, behind the same
//! interface. Lock order: tx before rx.

mod element;
mod receive;
mod ring;
mod split;
mod transmit;
mod waiters;

use kernel::{
    device,
    dma::DmaAddress,
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
        delay::fsleep,
        Delta,
        Instant,
        Monotonic, //
    },
};

use crate::driver::Bar0;

use super::{
    events::Router,
    nv_status::NvStatus,
    stats, //
};

use receive::Rx;
use ring::Ring;
use transmit::Tx;

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
    /// Elements received and found to be in order.
    pub(crate) received: u64,
    /// Elements with a wrong checksum, sequence number or framing.
    pub(crate) corrupt: u64,
    /// Replies that nobody waited for any more.
    pub(crate) unmatched: u64,
    /// Events dropped because too many were waiting.
    pub(crate) events_dropped: u64,
}

/// The pair of queues.
#[pin_data]
pub(crate) struct Cmdq<'gpu> {
    dev: &'gpu device::Device<device::Bound>,
    bar: Bar0<'gpu>,
    ring: Ring,
    /// One of [`ALIVE`], [`LOST`] and [`CLOSED`].
    state: Atomic<u32>,
    #[pin]
    tx: Mutex<Tx>,
    #[pin]
    rx: Mutex<Rx>,
    router: Arc<Router>,
    traffic: stats::Stats,
}

impl<'gpu> Cmdq<'gpu> {
    /// Time that GSP may take for an ordinary request.
    pub(crate) const DEFAULT_TIMEOUT: Delta = Delta::from_secs(5);

    /// Allocates the queues; GSP finds them through its arguments.
    pub(super) fn new(
        dev: &'gpu device::Device<device::Bound>,
        bar: Bar0<'gpu>,
    ) -> impl PinInit<Self, Error> + use<'gpu> {
        try_pin_init!(Self {
            dev,
            bar,
            ring: Ring::new(dev)?,
            state: Atomic::new(ALIVE),
            tx <- new_mutex!(Tx::new()),
            rx <- new_mutex!(Rx::new()),
            router: Router::new()?,
            traffic: stats::Stats::new()?,
        })
    }

    /// DMA address of the shared memory region.
    pub(super) fn dma_address(&self) -> DmaAddress {
        self.ring.dma_address()
    }

    /// Where events go.
    pub(crate) fn router(&self) -> &Arc<Router> {
        &self.router
    }

    /// Counters and latencies of each function.
    pub(crate) fn traffic(&self) -> &stats::Stats {
        &self.traffic
    }

    /// Counters, and the number of requests in flight.
    pub(crate) fn stats(&self) -> (Stats, usize) {
        let sent = self.tx.lock().sent;
        let rx = self.rx.lock();

        (Stats { sent, ..rx.stats }, rx.waiters.len())
    }

    /// Sends a request of any length and waits for its reply.
    ///
    /// A non-zero [`Rpc::result`] is not an error here.
    ///
    /// # Errors
    ///
    /// `ETIMEDOUT` when the reply does not come in time, `EIO` when it comes damaged or the queues
    /// have become unusable, `ENODEV` when GSP is shut down, `ENOMEM`. The first two are reported.
    pub(crate) fn call_raw(&self, function: u32, payload: &[u8], timeout: Delta) -> Result<Rpc> {
        let sequence = self.rx.lock().waiters.add(function, payload.len())?;
        let start = Instant::<Monotonic>::now();
        self.traffic.request(function, sequence, payload);

        self.transmit(function, sequence, payload)
            .and_then(|()| self.wait(function, sequence, timeout))
            .inspect(|rpc| {
                self.traffic.reply(
                    function,
                    sequence,
                    rpc.result,
                    &rpc.payload,
                    start.elapsed(),
                )
            })
            .inspect_err(|_| {
                self.rx.lock().waiters.remove(sequence);
                self.traffic.failed(function, sequence);
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
        timeout: Delta,
    ) -> Result<C::Reply, CallError> {
        let mut payload = KVVec::new();
        command.encode(&mut payload)?;

        let rpc = self.call_raw(C::FUNCTION, &payload, timeout)?;
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

        self.traffic.request(C::FUNCTION, 0, &payload);
        self.transmit(C::FUNCTION, 0, &payload)
            .inspect_err(|_| self.traffic.failed(C::FUNCTION, 0))
    }

    /// Looks for messages and routes events.
    pub(crate) fn poll_events(&self) {
        self.drain();
        while let Some(event) = self.next_event() {
            self.route(&event);
        }
    }

    /// Routes an event that was taken with [`Self::next_event`].
    pub(super) fn route(&self, event: &OwnedEvent) {
        self.traffic.event(event.function, &event.payload);
        self.router.route(self.dev, event.function, &event.payload);
    }

    /// The oldest event that has not been routed.
    pub(super) fn next_event(&self) -> Option<OwnedEvent> {
        self.rx.lock().events.remove(0).ok()
    }

    /// Takes what GSP has sent. Events stay queued for [`Self::next_event`].
    ///
    /// # Errors
    ///
    /// `EIO` when the queues have become unusable, `ENODEV` when GSP is shut down.
    pub(super) fn receive(&self) -> Result {
        self.check_alive()?;
        self.drain();
        self.check_alive()
    }

    /// Makes every later call fail with `ENODEV`.
    pub(super) fn close(&self) {
        self.state.store(CLOSED, Relaxed);
        self.rx.lock().waiters.fail_all(ENODEV);
    }

    fn check_alive(&self) -> Result {
        match self.state.load(Relaxed) {
            ALIVE => Ok(()),
            LOST => Err(EIO),
            _ => Err(ENODEV),
        }
    }

    /// Waits for the reply to request `sequence`.
    fn wait(&self, function: u32, sequence: u32, timeout: Delta) -> Result<Rpc> {
        let start = Instant::<Monotonic>::now();
        let mut pause = POLL_MIN;

        loop {
            // The time is taken first: what comes before the deadline counts, however late this
            // task gets to run.
            let late = start.elapsed() > timeout;

            self.poll_events();
            if let Some(outcome) = self.rx.lock().waiters.take(sequence) {
                return outcome;
            }
            self.check_alive()?;
            if late {
                dev_err!(
                    self.dev,
                    "GSP: no reply to function {} (request {}) within {} ms; if it stays so, reload the driver\n",
                    function,
                    sequence,
                    timeout.as_millis()
                );
                return Err(ETIMEDOUT);
            }
            fsleep(pause);
            if pause < POLL_MAX {
                pause = pause + pause;
            }
        }
    }

    /// Reports that the queues cannot be used any more and fails everything in flight.
    fn lost(&self, what: &str) {
        if self.state.cmpxchg(ALIVE, LOST, Relaxed).is_err() {
            return;
        }
        dev_err!(
            self.dev,
            "GSP: bad {}, messages cannot be told apart any more; reload the driver\n",
            what
        );
    }
}
