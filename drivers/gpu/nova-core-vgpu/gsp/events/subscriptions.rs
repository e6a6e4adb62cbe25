// SPDX-License-Identifier: GPL-2.0

//! Who wants which events: a list ordered by filter.
//!
//! ```text
//!   list   | Kind(..) 3 | Kind(..) 7 | Gfid(2) 1 | Channel(..) 4 | …      (filter, number)
//!             deliver: find the next entry ─▶ list unlocked ─▶ its sink, alone
//!   drop of a Subscription: entry out of the list ─▶ its running sink waited for ─▶ sink dropped
//! ```
//!
//! An entry is found in O(log n). While a sink runs, only its own entry is locked: other sinks, and
//! who comes and goes in the list, do not wait for it. Lock order: nothing is taken under the lock
//! of the list; under that of an entry, what its sink takes.

use kernel::{
    new_mutex,
    prelude::*,
    sync::{
        Arc,
        Mutex, //
    }, //
};

use super::{
    filter::Filter,
    Event,
    Router,
    Sink, //
};

/// One subscription.
#[pin_data]
struct Entry {
    filter: Filter,
    /// Tells entries with the same filter apart, in the order in which they came.
    number: u64,
    /// `None` once the subscription is gone.
    #[pin]
    sink: Mutex<Option<Arc<dyn Sink>>>,
}

impl Entry {
    fn key(&self) -> (Filter, u64) {
        (self.filter, self.number)
    }
}

struct Inner {
    /// In the order of the keys.
    entries: KVec<Arc<Entry>>,
    /// The number of the newest entry.
    number: u64,
}

/// The list.
#[pin_data]
pub(super) struct Subscriptions {
    #[pin]
    inner: Mutex<Inner>,
}

impl Subscriptions {
    pub(super) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            inner <- new_mutex!(Inner {
                entries: KVec::new(),
                number: 0,
            }),
        })
    }

    /// Hands `event` to all whose filter is `filter`; true when one of them took it.
    pub(super) fn deliver(&self, filter: Filter, event: &Event<'_>) -> bool {
        let mut taken = false;
        let mut number = 0;

        while let Some(entry) = self.next(filter, number) {
            number = entry.number;
            if let Some(sink) = &*entry.sink.lock() {
                taken |= sink.event(event);
            }
        }
        taken
    }

    /// The first entry for `filter` with a number greater than `after`.
    fn next(&self, filter: Filter, after: u64) -> Option<Arc<Entry>> {
        let inner = self.inner.lock();
        let index = inner
            .entries
            .partition_point(|entry| entry.key() <= (filter, after));

        inner
            .entries
            .get(index)
            .filter(|entry| entry.filter == filter)
            .cloned()
    }

    fn add(&self, filter: Filter, sink: Arc<dyn Sink>) -> Result<Arc<Entry>> {
        let mut inner = self.inner.lock();
        inner.entries.reserve(1, GFP_KERNEL)?;
        let number = inner.number + 1;
        let entry = Arc::pin_init(
            pin_init!(Entry {
                filter,
                number,
                sink <- new_mutex!(Some(sink)),
            }),
            GFP_KERNEL,
        )?;

        let index = inner
            .entries
            .partition_point(|other| other.key() < entry.key());
        inner
            .entries
            .insert_within_capacity(index, entry.clone())
            .map_err(|_| ENOMEM)?;
        inner.number = number;
        Ok(entry)
    }

    fn remove(&self, entry: &Entry) {
        let mut inner = self.inner.lock();
        let found = inner
            .entries
            .binary_search_by_key(&entry.key(), |other| other.key());
        let removed = found.ok().and_then(|at| inner.entries.remove(at).ok());

        drop(inner);
        drop(removed);
    }
}

/// A place among those who are told of events. Dropping it gives the place up: when that returns,
/// the sink does not run and will not run again. So it must not be dropped by a sink, nor with a
/// lock held that its sink takes.
pub(crate) struct Subscription {
    router: Arc<Router>,
    entry: Arc<Entry>,
}

impl Subscription {
    pub(super) fn new(router: &Arc<Router>, filter: Filter, sink: Arc<dyn Sink>) -> Result<Self> {
        Ok(Self {
            router: router.clone(),
            entry: router.subscriptions.add(filter, sink)?,
        })
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.router.subscriptions.remove(&self.entry);
        // Waits for a sink that was found before. What the sink owns is dropped without the lock.
        let sink = self.entry.sink.lock().take();
        drop(sink);
    }
}
