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
        Taken,
        Vector,
        Vectors, //
    },
    Sink, //
};

/// Nobody has asked when a message comes.
const UNWATCHED: i64 = -2;
/// Somebody waits for the next one.
const EXPECTED: i64 = -1;

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

impl<'gpu> Sinks<'gpu> {
    fn new(subtree: usize) -> Self {
        Self {
            entries: KVec::new(),
            next_id: 0,
            owned: Vectors::none(subtree),
            reported: Vectors::none(subtree),
            counts: Counts::default(),
        }
    }

    /// Adds a sink and enables its vector.
    fn add(
        &mut self,
        tree: &impl Registers,
        vector: Vector,
        sink: Arc<dyn Sink + 'gpu>,
    ) -> Result<u64> {
        let id = self.next_id;

        self.entries.push(Entry { id, vector, sink }, GFP_KERNEL)?;
        self.next_id += 1;
        self.owned.insert(vector);
        tree.enable(vector.leaf(), vector.mask());
        Ok(id)
    }

    /// Takes a sink out and disables its vector if it was the last one.
    fn remove(&mut self, tree: &impl Registers, id: u64) -> Option<Entry<'gpu>> {
        let index = self.entries.iter().position(|entry| entry.id == id)?;
        let entry = self.entries.remove(index).ok()?;

        if !self.entries.iter().any(|e| e.vector == entry.vector) {
            tree.disable(entry.vector.leaf(), entry.vector.mask());
            self.owned.remove(entry.vector);
        }
        Some(entry)
    }

    /// Takes what is pending and calls who wants it. Returns what was found, and the strange
    /// vectors that have not been seen before.
    fn service(&mut self, tree: &impl Registers) -> (Taken, Vectors) {
        let taken = tree::take(tree, &self.owned);
        let mut unseen = taken.strange;

        for vector in taken.owned.iter() {
            self.counts.vectors += 1;
            for entry in self.entries.iter().filter(|e| e.vector == vector) {
                entry.sink.interrupt();
            }
        }
        for vector in taken.strange.iter() {
            self.counts.strange += 1;
            if self.reported.contains(vector) {
                unseen.remove(vector);
            }
            self.reported.insert(vector);
        }
        (taken, unseen)
    }
}

/// How often something happened.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    /// Vectors taken.
    pub(crate) vectors: u64,
    /// Messages that came although nothing was pending any more; with MSI, those of all subtrees
    /// are counted with the first.
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
    /// [`UNWATCHED`], [`EXPECTED`], or nanoseconds from `born` to the message that was expected.
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
        Arc::pin_init(
            pin_init!(Self {
                dev,
                tree,
                number,
                born: Instant::now(),
                message: Atomic::new(UNWATCHED),
                sinks <- new_mutex!(Sinks::new(*number)),
            }),
            GFP_KERNEL,
        )
    }

    /// Its bit in the `TOP` registers.
    pub(super) fn top(&self) -> u32 {
        1 << self.number
    }

    /// Notes that a message has come, if one is expected. In the hard handler.
    pub(super) fn note_message(&self) {
        // Where the clock is slow, reading it would cost more than all the rest of the handler.
        if self.message.load(Relaxed) == EXPECTED {
            self.message.store(self.born.elapsed().as_nanos(), Relaxed);
        }
    }

    /// The next message is expected.
    pub(super) fn expect_message(&self) {
        self.message.store(EXPECTED, Relaxed);
    }

    /// When the message that is expected came, once it has.
    pub(super) fn expected_message(&self) -> Option<Instant<Monotonic>> {
        match self.message.load(Relaxed) {
            UNWATCHED | EXPECTED => None,
            at => Some(self.born + Delta::from_nanos(at)),
        }
    }

    pub(super) fn counts(&self) -> Counts {
        self.sinks.lock().counts
    }

    /// Adds a sink and enables its vector.
    pub(super) fn add(&self, vector: Vector, sink: Arc<dyn Sink + 'gpu>) -> Result<u64> {
        self.sinks.lock().add(&self.tree, vector, sink)
    }

    /// Removes a sink; on return it does not run. Its vector is disabled with the last one.
    pub(super) fn remove(&self, id: u64) {
        let removed = self.sinks.lock().remove(&self.tree, id);
        // The sink's destructor is not to run with the lock held.
        drop(removed);
    }

    /// Notes that a message came and nothing was pending.
    pub(super) fn note_spurious(&self) {
        self.sinks.lock().counts.spurious += 1;
    }

    /// Takes what is pending and calls who wants it. Returns whether there was anything.
    pub(super) fn service(&self) -> bool {
        let (taken, unseen) = self.sinks.lock().service(&self.tree);

        for vector in unseen.iter() {
            dev_warn!(
                self.dev,
                "interrupt: vector {} is enabled and nobody's, disabled\n",
                vector.number()
            );
        }
        !taken.owned.is_empty() || !taken.strange.is_empty()
    }
}

#[cfg(CONFIG_NOVA_CORE_VGPU_KUNIT)]
#[kunit_tests(nova_core_vgpu_irq)]
mod tests {
    use super::*;
    use crate::irq::tree::LEAVES;

    /// A tree in memory.
    struct Fake {
        leaf: [Atomic<u32>; LEAVES],
        enable: [Atomic<u32>; LEAVES],
    }

    impl Fake {
        fn new() -> Self {
            Self {
                leaf: core::array::from_fn(|_| Atomic::new(0)),
                enable: core::array::from_fn(|_| Atomic::new(0)),
            }
        }

        fn raise(&self, vector: Vector) {
            let old = self.pending(vector.leaf());
            self.leaf[vector.leaf()].store(old | vector.mask(), Relaxed);
        }
    }

    impl Registers for Fake {
        fn pending(&self, leaf: usize) -> u32 {
            self.leaf[leaf].load(Relaxed)
        }

        fn clear(&self, leaf: usize, mask: u32) {
            self.leaf[leaf].store(self.pending(leaf) & !mask, Relaxed);
        }

        fn enabled(&self, leaf: usize) -> u32 {
            self.enable[leaf].load(Relaxed)
        }

        fn enable(&self, leaf: usize, mask: u32) {
            self.enable[leaf].store(self.enabled(leaf) | mask, Relaxed);
        }

        fn disable(&self, leaf: usize, mask: u32) {
            self.enable[leaf].store(self.enabled(leaf) & !mask, Relaxed);
        }

        fn enable_top(&self, _subtrees: u32) {}

        fn disable_top(&self, _subtrees: u32) {}
    }

    struct Counter(Atomic<u32>);

    impl Counter {
        fn new() -> Result<Arc<Self>> {
            Ok(Arc::new(Self(Atomic::new(0)), GFP_KERNEL)?)
        }

        fn count(&self) -> u32 {
            self.0.load(Relaxed)
        }
    }

    impl Sink for Counter {
        fn interrupt(&self) {
            self.0.fetch_add(1, Relaxed);
        }
    }

    fn vector(number: u32) -> Result<Vector> {
        Vector::new(number).ok_or(EINVAL)
    }

    #[test]
    fn a_vector_reaches_all_of_its_sinks_and_no_other() -> Result {
        let (tree, mut sinks) = (Fake::new(), Sinks::new(2));
        let (one, two, other) = (Counter::new()?, Counter::new()?, Counter::new()?);
        let first = sinks.add(&tree, vector(155)?, one.clone())?;
        sinks.add(&tree, vector(155)?, two.clone())?;
        sinks.add(&tree, vector(160)?, other.clone())?;

        tree.raise(vector(155)?);
        sinks.service(&tree);
        assert_eq!((one.count(), two.count(), other.count()), (1, 1, 0));
        assert_eq!(tree.pending(4), 0);

        // The vector stays enabled until the last sink goes.
        drop(sinks.remove(&tree, first));
        assert_eq!(tree.enabled(4), 1 << 27);
        tree.raise(vector(155)?);
        tree.raise(vector(160)?);
        sinks.service(&tree);
        assert_eq!((one.count(), two.count(), other.count()), (1, 2, 1));
        assert_eq!(sinks.counts.vectors, 3);
        Ok(())
    }

    #[test]
    fn the_last_sink_disables_the_vector() -> Result {
        let (tree, mut sinks) = (Fake::new(), Sinks::new(0));
        let sink = Counter::new()?;
        let id = sinks.add(&tree, vector(33)?, sink.clone())?;
        assert_eq!(tree.enabled(1), 2);

        drop(sinks.remove(&tree, id));
        assert!(sinks.remove(&tree, id).is_none());
        assert_eq!(tree.enabled(1), 0);
        tree.raise(vector(33)?);
        let (taken, _) = sinks.service(&tree);
        assert!(taken.owned.is_empty() && taken.strange.is_empty());
        assert_eq!(sink.count(), 0);
        Ok(())
    }

    #[test]
    fn a_strange_vector_is_disabled_and_reported_once() -> Result {
        let (tree, mut sinks) = (Fake::new(), Sinks::new(3));
        let strange = vector(200)?;

        for time in 0..2 {
            tree.enable(strange.leaf(), strange.mask());
            tree.raise(strange);
            let (_, unseen) = sinks.service(&tree);
            assert_eq!(unseen.contains(strange), time == 0);
            assert_eq!(tree.enabled(strange.leaf()), 0);
            assert_eq!(tree.pending(strange.leaf()), 0);
        }
        assert_eq!(sinks.counts.strange, 2);
        Ok(())
    }
}
