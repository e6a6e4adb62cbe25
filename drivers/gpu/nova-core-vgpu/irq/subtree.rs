// SPDX-License-Identifier: GPL-2.0

//! One subtree: who wants its vectors, and calling them.
//!
//! ```text
//!   service()   lock sinks ─▶ tree::take ─▶ for each vector: every sink of it ─▶ unlock
//!   drop of a Subscription   lock sinks (a running sink is waited for) ─▶ out of the list
//! ```
//!
//! The lock is held while sinks run. So a sink must not subscribe or unsubscribe, and nobody may
//! drop a subscription with a lock held that the sink takes.

use kernel::{
    device,
    io::{
        register::Array,
        Io, //
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

use crate::{
    driver::Bar0,
    regs::{
        check::check,
        vf::*, //
    },
};

use super::{
    tree::{
        self,
        Registers,
        Vector,
        Vectors, //
    },
    Sink, //
};

/// The tree of the PF.
#[derive(Clone, Copy)]
pub(super) struct PfTree<'gpu>(pub(super) Bar0<'gpu>);

impl Registers for PfTree<'_> {
    fn pending(&self, leaf: usize) -> u32 {
        NV_VF_CPU_INTR_LEAF::try_at(leaf)
            .and_then(|at| check(self.0.read(at)).ok())
            .map_or(0, |reg| reg.vectors())
    }

    fn clear(&self, leaf: usize, mask: u32) {
        if let Some(at) = NV_VF_CPU_INTR_LEAF::try_at(leaf) {
            self.0
                .write(at, NV_VF_CPU_INTR_LEAF::zeroed().with_vectors(mask));
        }
    }

    fn enabled(&self, leaf: usize) -> u32 {
        NV_VF_CPU_INTR_LEAF_EN_SET::try_at(leaf)
            .and_then(|at| check(self.0.read(at)).ok())
            .map_or(0, |reg| reg.vectors())
    }

    fn enable(&self, leaf: usize, mask: u32) {
        if let Some(at) = NV_VF_CPU_INTR_LEAF_EN_SET::try_at(leaf) {
            self.0
                .write(at, NV_VF_CPU_INTR_LEAF_EN_SET::zeroed().with_vectors(mask));
        }
    }

    fn disable(&self, leaf: usize, mask: u32) {
        if let Some(at) = NV_VF_CPU_INTR_LEAF_EN_CLEAR::try_at(leaf) {
            self.0.write(
                at,
                NV_VF_CPU_INTR_LEAF_EN_CLEAR::zeroed().with_vectors(mask),
            );
        }
    }

    fn enable_top(&self, subtrees: u32) {
        self.0
            .write_reg(NV_VF_CPU_INTR_TOP_EN_SET::zeroed().with_subtrees(subtrees));
    }

    fn disable_top(&self, subtrees: u32) {
        self.0
            .write_reg(NV_VF_CPU_INTR_TOP_EN_CLEAR::zeroed().with_subtrees(subtrees));
    }
}

/// A sink and the vector that it wants.
struct Entry<'gpu> {
    id: u64,
    vector: Vector,
    sink: Arc<dyn Sink + 'gpu>,
}

/// What is known of the vectors of a subtree.
struct Sinks<'gpu> {
    entries: KVec<Entry<'gpu>>,
    next_id: u64,
    owned: Vectors,
    /// Strange vectors that have been reported.
    reported: Vectors,
    counts: Counts,
}

/// How often something happened.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    /// Vectors taken.
    pub(crate) vectors: u64,
    /// Messages that came although nothing was pending any more.
    pub(crate) spurious: u64,
    /// Vectors that were enabled though nobody wanted them.
    pub(crate) strange: u64,
}

/// One subtree.
#[pin_data]
pub(super) struct Subtree<'gpu> {
    dev: &'gpu device::Device<device::Bound>,
    tree: PfTree<'gpu>,
    number: usize,
    born: Instant<Monotonic>,
    /// Nanoseconds from `born` to the last message; 0 when none has come.
    message: Atomic<i64>,
    #[pin]
    sinks: Mutex<Sinks<'gpu>>,
}

impl<'gpu> Subtree<'gpu> {
    pub(super) fn new(
        dev: &'gpu device::Device<device::Bound>,
        tree: PfTree<'gpu>,
        number: usize,
    ) -> Result<Arc<Self>> {
        let none = Vectors::none(number);

        Arc::pin_init(
            pin_init!(Self {
                dev,
                tree,
                number,
                born: Instant::now(),
                message: Atomic::new(0),
                sinks <- new_mutex!(Sinks {
                    entries: KVec::new(),
                    next_id: 0,
                    owned: none,
                    reported: none,
                    counts: Counts::default(),
                }),
            }),
            GFP_KERNEL,
        )
    }

    /// Its bit in the `TOP` registers.
    pub(super) fn top(&self) -> u32 {
        1 << self.number
    }

    /// Notes that a message has come. In the hard handler.
    pub(super) fn note_message(&self) {
        self.message
            .store(self.born.elapsed().as_nanos().max(1), Relaxed);
    }

    /// Time since the last message.
    pub(super) fn since_message(&self) -> Option<Delta> {
        match self.message.load(Relaxed) {
            0 => None,
            at => Some(Delta::from_nanos(self.born.elapsed().as_nanos() - at)),
        }
    }

    pub(super) fn counts(&self) -> Counts {
        self.sinks.lock().counts
    }

    /// Adds a sink and enables its vector.
    pub(super) fn add(&self, vector: Vector, sink: Arc<dyn Sink + 'gpu>) -> Result<u64> {
        let mut sinks = self.sinks.lock();
        let id = sinks.next_id;

        sinks.entries.push(Entry { id, vector, sink }, GFP_KERNEL)?;
        sinks.next_id += 1;
        sinks.owned.insert(vector);
        self.tree.enable(vector.leaf(), vector.mask());
        Ok(id)
    }

    /// Removes a sink; on return it does not run. Its vector is disabled with the last one.
    pub(super) fn remove(&self, id: u64) {
        let mut sinks = self.sinks.lock();
        let Some(index) = sinks.entries.iter().position(|entry| entry.id == id) else {
            return;
        };
        let Ok(entry) = sinks.entries.remove(index) else {
            return;
        };

        if !sinks.entries.iter().any(|e| e.vector == entry.vector) {
            self.tree.disable(entry.vector.leaf(), entry.vector.mask());
            sinks.owned.remove(entry.vector);
        }
        // The sink's destructor is not to run with the lock held.
        drop(sinks);
    }

    /// Takes what is pending and calls who wants it. Returns whether there was anything.
    pub(super) fn service(&self) -> bool {
        let mut sinks = self.sinks.lock();
        let taken = tree::take(&self.tree, &sinks.owned);

        for vector in taken.owned.iter() {
            sinks.counts.vectors += 1;
            for entry in sinks.entries.iter().filter(|e| e.vector == vector) {
                entry.sink.interrupt();
            }
        }
        for vector in taken.strange.iter() {
            sinks.counts.strange += 1;
            if sinks.reported.contains(vector) {
                continue;
            }
            sinks.reported.insert(vector);
            dev_warn!(
                self.dev,
                "interrupt: vector {} is enabled and nobody's, disabled\n",
                vector.number()
            );
        }

        let found = !taken.owned.is_empty() || !taken.strange.is_empty();
        sinks.counts.spurious += u64::from(!found);
        found
    }
}
