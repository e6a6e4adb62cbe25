// SPDX-License-Identifier: GPL-2.0

//! State of the copy engine.
//!
//! ```text
//!   Down --- bound, or next use ---> Building --- channel runs ---> Up
//!    ^                                  |                           |
//!    +---------- cannot be made --------+                           |
//!    +--- no progress, channel error, firmware lost, stop: channel is retired
//!
//!   retired   closed when the next one is made, or at the end
//!   stopped   nothing is begun any more
//! ```
//!
//! In flight are pieces of work in the order in which hardware executes them. A piece is over when
//! the semaphore says so, or when the channel fails; the buffers that it uses are kept until its
//! channel is gone, because until then hardware may write to them.
//!
//! All of it is behind one lock that is held for a few registers at most.

use kernel::{
    dma::Coherent,
    prelude::*,
    sync::Arc,
    time::{
        Delta,
        Instant,
        Monotonic, //
    },
};

use super::{
    chunks::Chunk,
    fence::Fence,
    methods::Semaphore,
    sequence::Sequence,
    work::Work, //
};
use crate::{
    fifo::channel::{
        Channel,
        ENTRIES, //
    },
    gpu::Gpu,
};

/// Longest time without any piece of work being done. The slowest engine needs a fraction of it for
/// one piece; the published vGPU drivers give as much to a whole scrub.
const DEADLINE: Delta = Delta::from_secs(4);

/// A piece of work that hardware has.
struct Flight {
    fence: Arc<Fence>,
    /// Kept for hardware.
    _buffers: [Option<Arc<Coherent<[u8]>>>; 2],
}

/// Work in flight, oldest first, in memory that was got before.
pub(super) struct Flights(KVec<Flight>);

impl Flights {
    /// Room for a whole ring.
    pub(super) fn new() -> Result<Self> {
        // CAST: 128.
        Ok(Self(KVec::with_capacity(ENTRIES as usize, GFP_KERNEL)?))
    }

    /// Never gives back what hardware may write to.
    pub(super) fn abandon(self) {
        core::mem::forget(self.0);
    }
}

/// A channel and what it is doing.
pub(super) struct Active {
    /// Not in place: states are passed around, and a channel would take much of the stack.
    channel: KBox<Channel>,
    sequence: Sequence<ENTRIES>,
    flights: Flights,
    /// When a piece was done last, or the first one begun.
    progress: Instant<Monotonic>,
}

impl Active {
    /// A channel that does nothing yet.
    pub(super) fn new(channel: KBox<Channel>, flights: Flights) -> Self {
        Self {
            channel,
            sequence: Sequence::new(),
            flights,
            progress: Instant::now(),
        }
    }
}

/// Where the engine is in its life.
pub(super) enum Phase {
    /// There is no channel.
    Down,
    /// Somebody makes one; the fence ends with it.
    Building(Arc<Fence>),
    /// It runs.
    Up(Active),
}

/// Counters, for debugfs; they only grow.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Stats {
    /// Channels made.
    pub(crate) channels: u64,
    /// Pieces of work given to hardware.
    pub(crate) launches: u64,
    /// Of these, done.
    pub(crate) done: u64,
    /// Of these, found to be done by looking, not by an interrupt.
    pub(crate) polled: u64,
    /// Interrupts.
    pub(crate) interrupts: u64,
    /// Bytes of fills given to hardware.
    pub(crate) filled: u64,
    /// Bytes of copies given to hardware.
    pub(crate) copied: u64,
    /// Channels that made no progress.
    pub(crate) timeouts: u64,
    /// Channels that firmware stopped.
    pub(crate) errors: u64,
}

/// A channel that makes no progress: how far the ring was filled, and fetched.
pub(super) struct Overdue {
    pub(super) chid: u32,
    pub(super) put: u32,
    pub(super) get: u32,
}

/// What became of a piece of work.
pub(super) enum Submitted {
    /// Hardware has it.
    Yes,
    /// There is no room; there is when this is over.
    Full(Arc<Fence>),
    /// Somebody makes a channel.
    Building(Arc<Fence>),
    /// There is no channel, and the caller makes one and signals this.
    Build(Arc<Fence>),
}

/// A channel that has failed, with the buffers that hardware may write to as long as it exists.
pub(super) type Retired = (KBox<Channel>, Flights);

/// The state.
pub(super) struct State {
    pub(super) phase: Phase,
    /// Nothing is begun any more.
    pub(super) stopped: bool,
    /// Channels that have failed and are not freed yet. There is room for the one that runs or is
    /// made, and for those that are just being freed.
    retired: KVec<Retired>,
    /// Channels that are just being freed.
    closing: usize,
    pub(super) stats: Stats,
}

impl State {
    pub(super) const fn new() -> Self {
        Self {
            phase: Phase::Down,
            stopped: false,
            retired: KVec::new(),
            closing: 0,
            stats: Stats {
                channels: 0,
                launches: 0,
                done: 0,
                polled: 0,
                interrupts: 0,
                filled: 0,
                copied: 0,
                timeouts: 0,
                errors: 0,
            },
        }
    }

    /// Gives a piece of work to hardware; `fence` is signalled when it is over.
    ///
    /// # Errors
    ///
    /// `ENODEV` after the engine was stopped, `ENOMEM`, `EINVAL`.
    pub(super) fn submit(
        &mut self,
        gpu: &Gpu<'_>,
        work: &Work,
        chunk: Chunk,
        fence: &Arc<Fence>,
    ) -> Result<Submitted> {
        if let Some(fence) = self.begin_if_down()? {
            return Ok(Submitted::Build(fence));
        }
        let active = match &mut self.phase {
            Phase::Up(active) => active,
            Phase::Building(fence) => return Ok(Submitted::Building(fence.clone())),
            Phase::Down => return Err(EIO),
        };
        // Not taken until hardware has it.
        let mut sequence = active.sequence;
        let Some(issued) = sequence.issue() else {
            let first = active.flights.0.first().ok_or(EIO)?;
            return Ok(Submitted::Full(first.fence.clone()));
        };
        let done = Semaphore {
            address: active.channel.semaphore_address(),
            payload: issued.number,
        };
        let commands = work.commands(chunk, done)?;
        let flight = Flight {
            fence: fence.clone(),
            _buffers: work.buffers(),
        };
        active
            .flights
            .0
            .push_within_capacity(flight)
            .map_err(|_| ENOMEM)?;
        if sequence.in_flight() == 1 {
            active.progress = Instant::now();
        }
        if let Err(e) = active.channel.submit(gpu, issued, commands.words()) {
            active.flights.0.pop();
            return Err(e);
        }
        active.sequence = sequence;

        self.stats.launches += 1;
        match work {
            Work::Fill { .. } => self.stats.filled += chunk.len,
            Work::Copy { .. } => self.stats.copied += chunk.len,
        }
        Ok(Submitted::Yes)
    }

    /// If there is no channel, the duty to make one: the fence that ends with it.
    ///
    /// # Errors
    ///
    /// `ENODEV` after the engine was stopped, `ENOMEM`.
    pub(super) fn begin_if_down(&mut self) -> Result<Option<Arc<Fence>>> {
        if self.stopped {
            return Err(ENODEV);
        }
        if !matches!(self.phase, Phase::Down) {
            return Ok(None);
        }
        // When the channel fails it is too late to ask for memory.
        self.retired.reserve(self.closing + 1, GFP_KERNEL)?;
        let fence = Fence::new()?;
        self.phase = Phase::Building(fence.clone());
        Ok(Some(fence))
    }

    /// Looks at the semaphore and ends what is done. Returns false if the value makes no sense, and
    /// the channel has failed with it.
    pub(super) fn progress(&mut self, polled: bool) -> bool {
        let Phase::Up(active) = &mut self.phase else {
            return true;
        };
        let seen = active
            .channel
            .semaphore()
            .map(|value| active.sequence.observe(value));
        let Ok(Ok(news)) = seen else {
            self.fail(EIO);
            return false;
        };
        for _ in 0..news {
            if let Ok(flight) = active.flights.0.remove(0) {
                flight.fence.signal(Ok(()));
            }
        }
        if news != 0 {
            active.progress = Instant::now();
        }
        self.stats.done += u64::from(news);
        self.stats.polled += if polled { u64::from(news) } else { 0 };
        true
    }

    /// Whether hardware has had work for too long without doing any of it.
    pub(super) fn overdue(&self) -> Option<Overdue> {
        let Phase::Up(active) = &self.phase else {
            return None;
        };
        if active.sequence.in_flight() == 0 || active.progress.elapsed() <= DEADLINE {
            return None;
        }
        Some(Overdue {
            chid: active.channel.chid(),
            put: active.sequence.put(),
            get: active.channel.get(),
        })
    }

    /// ID of the channel that runs.
    pub(super) fn chid(&self) -> Option<u32> {
        match &self.phase {
            Phase::Up(active) => Some(active.channel.chid()),
            _ => None,
        }
    }

    /// Pieces of work that hardware has.
    pub(super) fn in_flight(&self) -> u32 {
        match &self.phase {
            Phase::Up(active) => active.sequence.in_flight(),
            _ => 0,
        }
    }

    /// The channel is of no use any more: ends all that is in flight with `error`.
    pub(super) fn fail(&mut self, error: Error) {
        let active = match core::mem::replace(&mut self.phase, Phase::Down) {
            Phase::Up(active) => active,
            other => {
                self.phase = other;
                return;
            }
        };
        for flight in &active.flights.0 {
            flight.fence.signal(Err(error));
        }
        self.retire((active.channel, active.flights));
    }

    /// Keeps a channel that does not run any more until it can be freed.
    pub(super) fn retire(&mut self, retired: Retired) {
        // There is room.
        let _ = self.retired.push_within_capacity(retired);
    }

    /// How many channels have failed and are not freed yet, those left out that are just being
    /// freed.
    pub(super) fn retired(&self) -> usize {
        self.retired.len()
    }

    /// Whether hardware has no channel that has failed.
    pub(super) fn is_settled(&self) -> bool {
        self.retired.is_empty() && self.closing == 0
    }

    /// Takes a channel out of those that have failed.
    pub(super) fn take_retired(&mut self) -> Option<Retired> {
        self.retired.remove(0).ok()
    }

    /// The same to free it, which [`State::end_close`] ends.
    pub(super) fn begin_close(&mut self) -> Option<Retired> {
        let retired = self.take_retired()?;

        self.closing += 1;
        Some(retired)
    }

    /// The channel has been freed, or could not be.
    pub(super) fn end_close(&mut self, stuck: Option<Retired>) {
        self.closing -= 1;
        if let Some(retired) = stuck {
            self.retire(retired);
        }
    }
}
