// SPDX-License-Identifier: GPL-2.0

//! Copy engine: fills and copies memory faster than the CPU could, and without it.
//!
//! ```text
//!   fill, copy --> work --> chunks --> methods --> fifo::channel --> copy engine
//!       ^                                                               |
//!       +--- fence <--- state <--- semaphore, non-stall interrupt ------+
//! ```
//!
//! One engine and one channel serve all callers of a GPU. A caller has at most four pieces of its
//! work in the ring, which is in order: callers side by side get the same share, and a short
//! piece of work waits for a few long ones, not for a whole scrub.
//!
//! The channel is made when the driver is bound. When it fails, everybody who waits is told at
//! once, and the next one who wants something frees it and makes another. No lock is held while
//! firmware is asked or hardware works.
//!
//! Should an interrupt be lost, the semaphore is looked at every [`RECHECK`] as well.

mod chunks;
mod fence;
mod listen;
mod methods;
pub(crate) mod sequence;
mod state;
mod turn;
mod work;

use core::ops::Range;

use kernel::{
    device,
    dma::Coherent,
    new_mutex,
    prelude::*,
    sync::{
        aref::ARef,
        Arc,
        Mutex, //
    },
    time::Delta, //
};

use crate::{
    fifo::{
        channel::{
            Channel,
            Outcome,
            Parts,
            SLOT_WORDS, //
        },
        engines::CopyUnit, //
    },
    gpu, //
};

pub(crate) use chunks::CHUNK;

use fence::{
    Fence,
    Waited, //
};
use state::{
    Active,
    Flights,
    Phase,
    Retired,
    State, //
};
use turn::Turn;
use work::Work;

pub(crate) use state::Stats;

/// Longest time for which a lost interrupt goes unnoticed.
const RECHECK: Delta = Delta::from_millis(10);

const _: () = assert!(methods::STREAM_WORDS <= SLOT_WORDS);

/// One end of a copy.
#[derive(Clone)]
pub(crate) enum Location {
    /// Frame buffer from this address on.
    Video(u64),
    /// System memory from this byte of the buffer on. The engine keeps the buffer until hardware
    /// cannot touch it any more.
    System(Arc<Coherent<[u8]>>, usize),
}

/// What is known of the engine, if there is one.
#[derive(Clone, Copy)]
pub(crate) struct Setup {
    /// The engine.
    pub(crate) unit: CopyUnit,
    /// Bytes that firmware wants for each channel.
    pub(crate) method_buffer: usize,
}

/// How the engine is.
pub(crate) struct Report {
    /// The engine, if there is one.
    pub(crate) unit: Option<CopyUnit>,
    /// ID of the channel, if it runs.
    pub(crate) channel: Option<u32>,
    /// Pieces of work that hardware has.
    pub(crate) in_flight: u32,
    /// Channels that have failed and are not freed yet.
    pub(crate) retired: usize,
    /// Counters.
    pub(crate) stats: Stats,
}

/// The part that interrupts and events reach.
#[pin_data]
pub(crate) struct Shared {
    dev: ARef<device::Device>,
    setup: Option<Setup>,
    #[pin]
    state: Mutex<State>,
}

/// The copy engine of a GPU.
pub(crate) struct CopyEngine {
    shared: Arc<Shared>,
    parts: Parts,
}

impl CopyEngine {
    /// An engine without channel. With `None` there is no engine that could be used.
    pub(crate) fn new(dev: &device::Device, setup: Option<Setup>, parts: Parts) -> Result<Self> {
        let shared = Arc::pin_init(
            pin_init!(Shared {
                dev: dev.into(),
                setup,
                state <- new_mutex!(State::new()),
            }),
            GFP_KERNEL,
        )?;
        Ok(Self { shared, parts })
    }

    /// Makes the channel now rather than at first use. Sleeps.
    ///
    /// # Errors
    ///
    /// `ENODEV` if there is no engine, and what making a channel can fail with; reported. The first
    /// use tries again.
    pub(crate) fn prepare(&self, gpu: &gpu::Gpu<'_>) -> Result {
        self.setup()?;
        // A statement of its own: the lock must not be held below.
        let begun = self.shared.state.lock().begin_if_down()?;
        match begun {
            Some(fence) => self.build(gpu, &fence),
            None => Ok(()),
        }
    }

    /// Fills frame buffer with `value`. The bounds of `fb` are multiples of 4, and it is inside of
    /// a usable region.
    ///
    /// Sleeps, so not to be called with a lock held; callers side by side share the engine fairly.
    ///
    /// # Errors
    ///
    /// `EINVAL` for a bad range, `ETIMEDOUT` if the engine makes no progress, `EIO` if the channel
    /// was stopped by firmware, `EINTR` if the task is being killed, `ENODEV` if there is no engine
    /// or the GPU is going away, and what making a channel can fail with. With any of them, what
    /// the range holds is not known.
    pub(crate) fn fill(&self, gpu: &gpu::Gpu<'_>, fb: Range<u64>, value: u32) -> Result {
        self.run(gpu, &Work::fill(gpu, fb, value)?)
    }

    /// Copies `len` bytes. The two must not overlap.
    ///
    /// # Errors
    ///
    /// As for [`CopyEngine::fill`], and `EINVAL` if a buffer is too small or the two overlap.
    pub(crate) fn copy(
        &self,
        gpu: &gpu::Gpu<'_>,
        from: Location,
        to: Location,
        len: u64,
    ) -> Result {
        self.run(gpu, &Work::copy(gpu, from, to, len)?)
    }

    /// Does all of `work`. On failure nothing of it is in flight any more, unless the channel has
    /// failed.
    fn run(&self, gpu: &gpu::Gpu<'_>, work: &Work) -> Result {
        let mut turn = Turn::new(self, gpu)?;
        let begun = turn.begin_all(work);
        let ended = turn.end_all();

        begun.and(ended)
    }

    /// Makes the channel that was found missing, after closing those that have failed. The caller
    /// has got the duty from [`State::begin_if_down`].
    fn build(&self, gpu: &gpu::Gpu<'_>, building: &Fence) -> Result {
        self.close_retired(gpu);
        let built = self.setup().and_then(|setup| {
            let flights = Flights::new()?;
            match Channel::open(gpu, &self.parts, setup.unit, setup.method_buffer) {
                Outcome::Running(channel) => Ok(Active::new(channel, flights)),
                Outcome::Failed(e, stuck) => {
                    if let Some(channel) = stuck {
                        self.shared.state.lock().retire((channel, flights));
                    }
                    Err(e)
                }
            }
        });
        let mut state = self.shared.state.lock();
        let (phase, result) = match built {
            Ok(active) => (Phase::Up(active), Ok(())),
            Err(e) => (Phase::Down, Err(e)),
        };
        state.phase = phase;
        state.stats.channels += u64::from(result.is_ok());
        drop(state);
        building.signal(result);
        result
    }

    fn setup(&self) -> Result<Setup> {
        self.shared.setup.ok_or(ENODEV)
    }

    /// Closes the channels that have failed, also those that could not be closed before.
    fn close_retired(&self, gpu: &gpu::Gpu<'_>) {
        // Each is tried once: those that cannot be closed come to the end.
        let count = self.shared.state.lock().retired();

        for _ in 0..count {
            // A statement of its own: the lock must not be held below.
            let begun = self.shared.state.lock().begin_close();
            let Some((channel, flights)) = begun else {
                return;
            };
            let stuck = Channel::close(channel, gpu, &self.parts).map(|channel| (channel, flights));
            self.shared.state.lock().end_close(stuck);
        }
    }

    /// Frees a channel that has failed now, rather than when the engine is used next. Returns
    /// whether nothing that was ever begun and is over can still be in flight.
    ///
    /// Sleeps.
    #[inline(never)]
    pub(crate) fn settle(&self, gpu: &gpu::Gpu<'_>) -> bool {
        self.close_retired(gpu);
        self.shared.state.lock().is_settled()
    }

    /// Ends everything with `ENODEV` and frees the channel. Nothing is begun after this.
    ///
    /// Sleeps. To be called while firmware still answers, before the driver is unbound or the GPU
    /// is suspended.
    pub(crate) fn stop(&self, gpu: &gpu::Gpu<'_>) {
        loop {
            let mut state = self.shared.state.lock();

            state.stopped = true;
            state.fail(ENODEV);
            let Phase::Building(fence) = &state.phase else {
                break;
            };
            let fence = fence.clone();
            drop(state);
            // Bounded: firmware has a deadline for each request.
            while fence.wait(RECHECK, false) == Waited::NotYet {}
        }
        self.close_retired(gpu);
        while let Some((channel, flights)) = self.take_retired() {
            dev_err!(
                self.shared.dev,
                "channel {} is not gone, its memory is lost until the next boot\n",
                channel.chid()
            );
            KBox::into_inner(channel).abandon(&self.parts);
            flights.abandon();
        }
    }

    /// Lets work begin again after [`CopyEngine::stop`].
    pub(crate) fn start(&self) {
        self.shared.state.lock().stopped = false;
    }

    /// Ends everything that is in flight with `error`, because firmware is not there any more. May
    /// be called from anywhere.
    pub(crate) fn lost(&self, error: Error) {
        self.shared.state.lock().fail(error);
    }

    /// Takes everything back without asking firmware: the GPU has been reset.
    pub(crate) fn reset(&self, gpu: &gpu::Gpu<'_>) {
        // Whoever makes a channel just now finds out that it is of no use.
        self.shared.state.lock().fail(EIO);
        while let Some((channel, _flights)) = self.take_retired() {
            KBox::into_inner(channel).forget(gpu, &self.parts);
        }
    }

    fn take_retired(&self) -> Option<Retired> {
        self.shared.state.lock().take_retired()
    }

    /// How it is, for debugfs.
    pub(crate) fn report(&self) -> Report {
        let state = self.shared.state.lock();

        Report {
            unit: self.shared.setup.map(|setup| setup.unit),
            channel: state.chid(),
            in_flight: state.in_flight(),
            retired: state.retired(),
            stats: state.stats,
        }
    }

    /// What interrupts and events reach.
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }
}
