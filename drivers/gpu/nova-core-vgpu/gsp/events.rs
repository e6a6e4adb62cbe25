// SPDX-License-Identifier: GPL-2.0

//! Routes events from GSP to those that asked for them.
//!
//! ```text
//!   Cmdq ─▶ Router::route ─▶ decode ─▶ what the core itself does ─▶ sinks whose filter matches
//!              │ payload makes no sense                                │ none took it
//!              ▼                                                       ▼
//!           counted as malformed, logged                    counted as unclaimed, logged if it
//!                                                           is an error or not known at all
//! ```
//!
//! Sinks run in whatever task drained the queue, possibly one that waits for a reply, without a lock
//! of the queue or of the list of sinks. Sinks of different subscriptions may run at the same time,
//! that of one subscription does not. A sink must not wait for GSP or a copy engine, nor drop a
//! subscription; it notes what happened and leaves the rest to another task.

pub(crate) mod counts;
mod filter;
mod rate;
mod subscriptions;
#[cfg(CONFIG_NOVA_CORE_VGPU_KUNIT)]
mod tests;
pub(crate) mod utilisation;
mod watch;

use kernel::{
    device,
    new_mutex,
    prelude::*,
    sync::{
        atomic::Relaxed,
        Arc,
        Mutex,
        SetOnce, //
    },
    time::{
        Instant,
        Monotonic, //
    }, //
};

use crate::fifo::engines::{
    Engines,
    ENGINE_TYPES, //
};

use super::fw::r570_144::message::Message;
use counts::{
    Counts,
    Outcome, //
};
use subscriptions::Subscriptions;
use utilisation::Utilisation;
use watch::{
    Entries,
    Sort,
    Watch, //
};

pub(crate) use filter::Filter;
pub(crate) use subscriptions::Subscription;

/// An event.
#[derive(Clone, Copy)]
pub(crate) struct Event<'a> {
    /// Number of the event.
    pub(crate) function: u32,
    /// What it says.
    pub(crate) message: Message<'a>,
}

/// Somebody who wants events.
pub(crate) trait Sink: Send + Sync {
    /// Takes `event`. Returns `false` when there was nothing to do about it. See the module's
    /// documentation for what must not be done here.
    fn event(&self, event: &Event<'_>) -> bool;
}

/// For each engine the first one on its runlist, by `NV2080_ENGINE_TYPE`.
type FirstEngines = [u32; ENGINE_TYPES];

/// The router.
#[pin_data]
pub(crate) struct Router {
    #[pin]
    subscriptions: Subscriptions,
    counts: Counts,
    first_engines: SetOnce<FirstEngines>,
    start: Instant<Monotonic>,
    /// Innermost lock: no other is taken under it, and nothing is printed.
    #[pin]
    watch: Mutex<Watch>,
}

impl Router {
    pub(super) fn new() -> Result<Arc<Self>> {
        let counts = Counts::new()?;
        let watch = Watch::new()?;

        Arc::pin_init(
            pin_init!(Self {
                subscriptions <- Subscriptions::new(),
                counts,
                first_engines: SetOnce::new(),
                start: Instant::now(),
                watch <- new_mutex!(watch),
            }),
            GFP_KERNEL,
        )
    }

    /// Has `sink` run for every event that matches `filter`, until what this returns is dropped.
    /// Sinks with the same filter run in the order in which they came.
    ///
    /// [`Filter::Channel`] is to be used after [`Router::set_engines`].
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn subscribe(
        self: &Arc<Self>,
        filter: Filter,
        sink: Arc<dyn Sink>,
    ) -> Result<Subscription> {
        Subscription::new(self, self.canonical(filter), sink)
    }

    /// Tells which engines share a runlist. Only the first call counts.
    pub(crate) fn set_engines(&self, engines: &Engines) {
        self.first_engines.populate(engines.first_on_runlist());
    }

    fn canonical(&self, filter: Filter) -> Filter {
        filter.canonical(|engine| {
            self.first_engines
                .as_ref()
                .and_then(|first| first.get(engine as usize).copied())
                .unwrap_or(engine)
        })
    }

    /// How often each event came.
    pub(crate) fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Lets `f` look at the table of who uses which engine.
    pub(crate) fn with_utilisation<R>(&self, f: impl FnOnce(&Utilisation<Entries>) -> R) -> R {
        f(self.watch.lock().utilisation())
    }

    /// ns since the router was made.
    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(0)
    }

    /// Routes event `function`.
    pub(super) fn route(&self, dev: &device::Device, function: u32, payload: &[u8]) {
        let now = self.now();
        let Some(message) = Message::decode(function, payload) else {
            self.counts.add(function, Outcome::Malformed);
            let line = self.watch.lock().line(Sort::Other, now);
            if let Some(held_back) = line {
                dev_warn!(
                    dev,
                    "GSP: event {:#x} with {} bytes makes no sense, ignored{}\n",
                    function,
                    payload.len(),
                    held_back
                );
            }
            return;
        };
        let event = Event { function, message };

        let mut taken = self.watch(dev, &event, now);
        if !watch::is_stray(&message) {
            for filter in Filter::of(function, &message) {
                taken |= self.subscriptions.deliver(self.canonical(filter), &event);
            }
        }
        let outcome = if taken {
            Outcome::Taken
        } else {
            Outcome::Unclaimed
        };
        let unheard_of = self.counts.add(function, outcome);
        if !taken {
            self.report_unclaimed(dev, &event, payload.len(), unheard_of, now);
        }
    }

    /// What the core itself does about `event`; true when that is all there is to do.
    fn watch(&self, dev: &device::Device, event: &Event<'_>, now: u64) -> bool {
        let message = &event.message;

        watch::count(&self.counts, message);
        let mut watch = self.watch.lock();
        let line = watch::sort(message).and_then(|sort| watch.line(sort, now));
        let storm = match message {
            Message::Rc(rc) if rc.gfid == 0 && !rc.is_fast_path() => watch.stopped(now),
            Message::Utilisation(samples) => {
                watch.used(samples);
                false
            }
            _ => false,
        };
        drop(watch);

        if let Some(held_back) = line {
            watch::report(dev, message, held_back);
        }
        if storm {
            self.counts.rc.storms.add(1, Relaxed);
            dev_err!(
                dev,
                "GSP: {} channels of the PF were stopped within seconds\n",
                watch::STORM_HITS
            );
            self.subscriptions.deliver(Filter::RcStorm, event);
        }
        watch::is_done(message)
    }

    /// Says in the log that nobody took an event, if it is one that somebody should have taken.
    fn report_unclaimed(
        &self,
        dev: &device::Device,
        event: &Event<'_>,
        bytes: usize,
        unheard_of: bool,
        now: u64,
    ) {
        let sort = match &event.message {
            Message::Rc(_) => Sort::Channel,
            message if watch::is_stray(message) => Sort::Other,
            Message::Plain if unheard_of => Sort::Other,
            _ => return,
        };
        let line = self.watch.lock().line(sort, now);
        let Some(held_back) = line else { return };

        match &event.message {
            Message::Rc(rc) => dev_warn!(
                dev,
                "GSP: channel {} on engine {:#x} of gfid {} was stopped (error {}), and nobody owns it{}\n",
                rc.chid,
                rc.engine,
                rc.gfid,
                rc.except_type,
                held_back
            ),
            Message::Post(post) => dev_warn!(
                dev,
                "GSP: notifier {} of object {:#x} of client {:#x}, which was not registered, ignored{}\n",
                post.notifier,
                post.event,
                post.client,
                held_back
            ),
            _ => dev_warn!(
                dev,
                "GSP: event {:#x} with {} bytes is not known, ignored{}\n",
                event.function,
                bytes,
                held_back
            ),
        }
    }
}
