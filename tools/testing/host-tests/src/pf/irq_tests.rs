// SPDX-License-Identifier: GPL-2.0

//! The interrupt tree: arithmetic, and that a handler loses nothing.
//!
//! The hardware of these tests latches, enables and sends messages on edges, as the driver's
//! documentation of the tree says; the model of the GPU has its own.

use super::irq::tree::{quiesce, take, Registers, Vector, Vectors, ALL_SUBTREES, LEAVES, SUBTREES};
use proptest::prelude::*;
use std::cell::{Cell, RefCell};

#[derive(Default)]
struct Hardware {
    leaf: RefCell<[u32; LEAVES]>,
    enable: RefCell<[u32; LEAVES]>,
    top_enable: Cell<u32>,
    delivered: Cell<u32>,
    /// Subtrees that have sent a message nobody has served.
    messages: Cell<u32>,
}

impl Hardware {
    fn raise(&self, vector: Vector) {
        self.leaf.borrow_mut()[vector.leaf()] |= vector.mask();
        self.evaluate();
    }

    fn evaluate(&self) {
        let (leaf, enable) = (self.leaf.borrow(), self.enable.borrow());
        let top = (0..LEAVES).fold(0, |top, i| {
            top | u32::from(leaf[i] & enable[i] != 0) << (i / 2)
        });
        let now = top & self.top_enable.get();
        self.messages
            .set(self.messages.get() | now & !self.delivered.get());
        self.delivered.set(now);
    }
}

impl Registers for Hardware {
    fn pending(&self, leaf: usize) -> u32 {
        self.leaf.borrow()[leaf]
    }
    fn clear(&self, leaf: usize, mask: u32) {
        self.leaf.borrow_mut()[leaf] &= !mask;
        self.evaluate();
    }
    fn enabled(&self, leaf: usize) -> u32 {
        self.enable.borrow()[leaf]
    }
    fn enable(&self, leaf: usize, mask: u32) {
        self.enable.borrow_mut()[leaf] |= mask;
        self.evaluate();
    }
    fn disable(&self, leaf: usize, mask: u32) {
        self.enable.borrow_mut()[leaf] &= !mask;
        self.evaluate();
    }
    fn enable_top(&self, subtrees: u32) {
        self.top_enable.set(self.top_enable.get() | subtrees);
        self.delivered.set(self.delivered.get() & !subtrees);
        self.evaluate();
    }
    fn disable_top(&self, subtrees: u32) {
        self.top_enable.set(self.top_enable.get() & !subtrees);
        self.evaluate();
    }
}

fn vector(number: u32) -> Vector {
    Vector::new(number).unwrap()
}

/// Serves every message, as the driver's handler does; `between` runs where a thread can be
/// interrupted.
fn serve(
    hardware: &Hardware,
    owned: &[Vectors; SUBTREES],
    mut seen: impl FnMut(Vector),
    mut between: impl FnMut(),
) {
    while hardware.messages.get() != 0 {
        let subtree = hardware.messages.get().trailing_zeros() as usize;
        hardware
            .messages
            .set(hardware.messages.get() & !(1 << subtree));
        hardware.disable_top(1 << subtree);
        between();
        let taken = take(hardware, &owned[subtree]);
        taken.owned.iter().for_each(&mut seen);
        between();
        hardware.enable_top(1 << subtree);
    }
}

#[test]
fn known_vectors() {
    let place = |n| (vector(n).leaf(), vector(n).mask(), vector(n).subtree());
    // GSP, CPU doorbell, first stall vector, replayable faults.
    assert_eq!(place(155), (4, 1 << 27, 2));
    assert_eq!(place(129), (4, 1 << 1, 2));
    assert_eq!(place(192), (6, 1, 3));
    assert_eq!(place(64), (2, 1, 1));
    assert_eq!(place(255), (7, 1 << 31, 3));
    assert_eq!(Vector::new(256), None);
    assert_eq!(Vector::new(u32::MAX), None);
}

#[test]
fn quiesce_leaves_nothing() {
    let hardware = Hardware::default();
    hardware.enable_top(ALL_SUBTREES);
    for number in [0, 63, 155, 255] {
        hardware.enable(vector(number).leaf(), vector(number).mask());
        hardware.raise(vector(number));
    }
    hardware.raise(vector(7));
    quiesce(&hardware);
    assert_eq!(*hardware.leaf.borrow(), [0; LEAVES]);
    assert_eq!(*hardware.enable.borrow(), [0; LEAVES]);
    assert_eq!(hardware.top_enable.get(), 0);
    // What was pending does not come back with the enables.
    hardware.messages.set(0);
    hardware.enable_top(ALL_SUBTREES);
    hardware.enable(4, 1 << 27);
    assert_eq!(hardware.messages.get(), 0);
}

#[test]
fn what_is_latched_but_not_enabled_is_left_alone() {
    let hardware = Hardware::default();
    let mut owned = Vectors::none(2);
    owned.insert(vector(155));
    hardware.raise(vector(129));
    hardware.raise(vector(155));
    let taken = take(&hardware, &owned);
    assert_eq!(taken.owned.iter().collect::<Vec<_>>(), [vector(155)]);
    assert!(taken.strange.is_empty());
    assert_eq!(hardware.pending(4), vector(129).mask());
}

#[test]
fn a_leaf_of_nobody_is_looked_at_when_nothing_else_explains_the_message() {
    let hardware = Hardware::default();
    let mut owned = Vectors::none(2);
    owned.insert(vector(155));
    hardware.enable(4, vector(155).mask());
    hardware.enable(5, vector(161).mask());
    hardware.raise(vector(155));
    hardware.raise(vector(161));

    let taken = take(&hardware, &owned);
    assert!(taken.owned.contains(vector(155)) && taken.strange.is_empty());
    assert_eq!(hardware.pending(5), vector(161).mask());
    // It keeps the subtree pending, so there is a next time.
    let taken = take(&hardware, &owned);
    assert!(taken.owned.is_empty() && taken.strange.contains(vector(161)));
    assert_eq!((hardware.pending(5), hardware.enabled(5)), (0, 0));
}

proptest! {
    #[test]
    fn place_and_number_agree(number in 0u32..256) {
        let v = vector(number);
        prop_assert_eq!(v.number(), number);
        prop_assert_eq!(v.leaf() as u32 * 32 + v.mask().trailing_zeros(), number);
        prop_assert_eq!(v.mask().count_ones(), 1);
        prop_assert_eq!(v.subtree(), v.leaf() / 2);
    }

    #[test]
    fn a_set_holds_what_was_put_in(
        subtree in 0..SUBTREES,
        numbers in prop::collection::vec(0u32..256, 0..40),
        gone in prop::collection::vec(0u32..256, 0..40),
    ) {
        let mut set = Vectors::none(subtree);
        numbers.iter().for_each(|n| set.insert(vector(*n)));
        gone.iter().for_each(|n| set.remove(vector(*n)));
        let mut expected: Vec<_> = numbers
            .iter()
            .filter(|n| **n / 64 == subtree as u32 && !gone.contains(n))
            .copied()
            .collect();
        expected.sort_unstable();
        expected.dedup();
        prop_assert_eq!(set.iter().map(Vector::number).collect::<Vec<_>>(), expected.clone());
        prop_assert_eq!(set.is_empty(), expected.is_empty());
        for n in 0..256 {
            prop_assert_eq!(set.contains(vector(n)), expected.contains(&n));
        }
    }

    /// Whenever vectors are raised, also while a handler runs: each one that is owned is seen
    /// after it was raised, one that is not owned never, and it does not keep coming.
    #[test]
    fn nothing_is_lost_and_nothing_strange_is_called(
        own in prop::collection::vec(0u32..256, 0..20),
        strange in prop::collection::vec(0u32..256, 0..5),
        early in prop::collection::vec(0u32..256, 0..20),
        late in prop::collection::vec(0u32..256, 0..40),
    ) {
        let hardware = Hardware::default();
        let mut owned: [_; SUBTREES] = core::array::from_fn(Vectors::none);
        hardware.enable_top(ALL_SUBTREES);
        for v in own.iter().map(|n| vector(*n)) {
            owned[v.subtree()].insert(v);
            hardware.enable(v.leaf(), v.mask());
        }
        // Enabled by somebody else.
        for v in strange.iter().map(|n| vector(*n)) {
            hardware.enable(v.leaf(), v.mask());
        }

        let waiting = RefCell::new(Vec::new());
        let raise = |n: u32| {
            waiting.borrow_mut().push(n);
            hardware.raise(vector(n));
        };
        early.iter().for_each(|n| raise(*n));
        let mut late = late.into_iter();
        let mut calls = 0;
        serve(
            &hardware,
            &owned,
            |v| {
                calls += 1;
                assert!(own.contains(&v.number()), "{v:?} is nobody's");
                waiting.borrow_mut().retain(|n| *n != v.number());
            },
            || late.by_ref().take(2).for_each(raise),
        );
        waiting.borrow_mut().retain(|n| own.contains(n));
        prop_assert_eq!(&*waiting.borrow(), &Vec::<u32>::new());
        prop_assert!(calls <= early.len() + 40);
        for leaf in 0..LEAVES {
            prop_assert_eq!(hardware.pending(leaf) & hardware.enabled(leaf), 0);
        }
    }
}
