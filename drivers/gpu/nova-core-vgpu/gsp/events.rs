// SPDX-License-Identifier: GPL-2.0

//! Routes events from GSP to those that asked for them.
//!
//! ```text
//!  Cmdq ─▶ Router::route ─▶ Sink, Sink, … until one says "mine"
//!                      └──▶ counted as unclaimed; unknown numbers are reported once
//! ```
//!
//! Sinks run in whatever task drained the queue, possibly one that waits for a reply, with the list
//! of sinks locked and no queue locked. So a sink must not wait, send requests to GSP, subscribe or
//! unsubscribe; it notes what happened and leaves the rest to another task.

use kernel::{
    device, new_mutex,
    prelude::*,
    str::BStr,
    sync::{
        Arc,
        Mutex, //
    },
};

use super::fw::r570_144::event;

/// An event.
#[derive(Clone, Copy)]
pub(crate) struct Event<'a> {
    /// Number of the event.
    pub(crate) function: u32,
    /// Payload after the headers.
    pub(crate) payload: &'a [u8],
}

/// Somebody who wants events.
pub(crate) trait Sink: Send + Sync {
    /// Takes `event`. Returns `false` when it is somebody else's. See the module's documentation
    /// for what must not be done here.
    fn event(&self, event: &Event<'_>) -> bool;
}

/// How often an event came.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Count {
    /// Came.
    pub(crate) seen: u64,
    /// Came and no sink took it.
    pub(crate) unclaimed: u64,
}

struct Inner {
    sinks: KVec<(u64, Arc<dyn Sink>)>,
    next_id: u64,
}

#[derive(Default)]
struct Counts {
    known: [Count; event::COUNT],
    unknown: u64,
    last_unknown: u32,
}

/// The router.
#[pin_data]
pub(crate) struct Router {
    #[pin]
    inner: Mutex<Inner>,
    #[pin]
    counts: Mutex<Counts>,
}

/// Names a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SubscriptionId(u64);

/// Exception type, runlist and channel come before the text of an OS_ERROR_LOG event.
const XID_TEXT: usize = 0x0c;

impl Router {
    pub(super) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            inner <- new_mutex!(Inner {
                sinks: KVec::new(),
                next_id: 0,
            }),
            counts <- new_mutex!(Counts::default()),
        })
    }

    /// Adds a sink, asked after those that are there already.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn subscribe(&self, sink: Arc<dyn Sink>) -> Result<SubscriptionId> {
        let mut inner = self.inner.lock();
        let id = inner.next_id;

        inner.sinks.push((id, sink), GFP_KERNEL)?;
        inner.next_id += 1;
        Ok(SubscriptionId(id))
    }

    /// Removes a sink. When this returns, the sink does not run and will not be called again.
    pub(crate) fn unsubscribe(&self, id: SubscriptionId) {
        self.inner.lock().sinks.retain(|(sink, _)| *sink != id.0);
    }

    /// Counters of every event with a name, and of all others together.
    pub(crate) fn counts(&self) -> ([Count; event::COUNT], u64) {
        let counts = self.counts.lock();

        (counts.known, counts.unknown)
    }

    /// Offers `event` to the sinks.
    pub(super) fn route(&self, dev: &device::Device, event: &Event<'_>) {
        if event.function == event::OS_ERROR_LOG {
            report_xid(dev, event.payload);
        }

        let claimed = self
            .inner
            .lock()
            .sinks
            .iter()
            .any(|(_, sink)| sink.event(event));

        let mut counts = self.counts.lock();
        if let Some(count) =
            event::index(event.function).and_then(|index| counts.known.get_mut(index))
        {
            count.seen += 1;
            count.unclaimed += u64::from(!claimed);
            return;
        }
        counts.unknown += 1;
        if !claimed && counts.last_unknown != event.function {
            counts.last_unknown = event.function;
            drop(counts);
            dev_warn!(
                dev,
                "GSP: event {:#x} with {} bytes is not known, ignored\n",
                event.function,
                event.payload.len()
            );
        }
    }
}

/// Prints the text of an OS_ERROR_LOG event.
fn report_xid(dev: &device::Device, payload: &[u8]) {
    let xid = crate::bytes::u32_at(payload, 0).unwrap_or(0);
    let text = payload.get(XID_TEXT..).unwrap_or(&[]);
    let end = text.iter().position(|b| *b == 0).unwrap_or(text.len());

    dev_err!(
        dev,
        "GSP: Xid {}: {}\n",
        xid,
        BStr::from_bytes(text.get(..end).unwrap_or(&[]))
    );
}

#[cfg(CONFIG_NOVA_CORE_VGPU_KUNIT)]
#[kunit_tests(nova_core_vgpu_events)]
mod tests {
    use super::*;
    use kernel::{
        faux,
        sync::atomic::{
            Atomic,
            Relaxed, //
        },
    };

    /// Takes one kind of event and counts everything that it is asked about.
    struct Taker {
        wants: u32,
        asked: Atomic<u32>,
    }

    impl Taker {
        fn new(wants: u32) -> Result<Arc<Self>> {
            let asked = Atomic::new(0);
            Ok(Arc::new(Self { wants, asked }, GFP_KERNEL)?)
        }
    }

    impl Sink for Taker {
        fn event(&self, event: &Event<'_>) -> bool {
            self.asked.fetch_add(1, Relaxed);
            event.function == self.wants
        }
    }

    fn route(router: &Router, function: u32) -> Result {
        let device = faux::Registration::new(c"nova_core_vgpu_events", None)?;
        let event = Event {
            function,
            payload: &[],
        };
        let device: &device::Device<device::Bound> = device.as_ref().as_ref();
        router.route(device, &event);
        Ok(())
    }

    #[test]
    fn first_taker_ends_the_search() -> Result {
        let router = KBox::pin_init(Router::new(), GFP_KERNEL)?;
        let first = Taker::new(event::POST_EVENT)?;
        let second = Taker::new(event::RC_TRIGGERED)?;
        router.subscribe(first.clone())?;
        router.subscribe(second.clone())?;

        route(&router, event::POST_EVENT)?;
        route(&router, event::RC_TRIGGERED)?;
        assert_eq!(first.asked.load(Relaxed), 2);
        assert_eq!(second.asked.load(Relaxed), 1);

        let (known, unknown) = router.counts();
        let count = |id| {
            event::index(id)
                .and_then(|i| known.get(i))
                .map(|c| (c.seen, c.unclaimed))
        };
        assert_eq!(count(event::POST_EVENT), Some((1, 0)));
        assert_eq!(count(event::RC_TRIGGERED), Some((1, 0)));
        assert_eq!(unknown, 0);
        Ok(())
    }

    #[test]
    fn what_nobody_takes_is_counted() -> Result {
        let router = KBox::pin_init(Router::new(), GFP_KERNEL)?;
        let taker = Taker::new(event::POST_EVENT)?;
        let id = router.subscribe(taker.clone())?;
        router.unsubscribe(id);

        route(&router, event::POST_EVENT)?;
        route(&router, 0x1fff)?;
        assert_eq!(taker.asked.load(Relaxed), 0);

        let (known, unknown) = router.counts();
        let count = event::index(event::POST_EVENT).and_then(|i| known.get(i));
        assert_eq!(count.map(|c| c.unclaimed), Some(1));
        assert_eq!(unknown, 1);
        Ok(())
    }
}
