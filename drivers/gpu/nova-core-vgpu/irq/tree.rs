// SPDX-License-Identifier: GPL-2.0

//! Arithmetic of the interrupt tree, and taking what is pending out of it.
//!
//! ```text
//!   vector v   ─▶ leaf v / 32, bit v % 32 ─▶ subtree v / 64 ─▶ MSI-X entry of that number
//!
//!   source ──edge──▶ LEAF(i) latched ──&LEAF_EN(i)──▶ TOP(i / 2) ──&TOP_EN──▶ 0 to 1: message
//! ```
//!
//! A leaf latches whatever is enabled. Enabling a subtree that is pending counts as an edge, so
//! nothing is lost between [`take`] and the moment the subtree is enabled again. Ada has 8 leaves.
//! Source: OGKM 570.144 `ampere/ga100/dev_vm.h`, `intr_tu102.c`.
//!
//! Pure: also compiled on the host by `tools/testing/host-tests`.

/// Leaves of the tree.
pub(crate) const LEAVES: usize = 8;
/// Pairs of leaves.
pub(crate) const SUBTREES: usize = LEAVES / LEAVES_OF_SUBTREE;
/// `TOP` bits of all subtrees.
pub(crate) const ALL_SUBTREES: u32 = (1 << SUBTREES) - 1;

const LEAVES_OF_SUBTREE: usize = 2;
const BITS: u32 = u32::BITS;

/// Number of an interrupt source, 0 to 255.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Vector(u8);

impl Vector {
    /// `None` when the tree has no such vector.
    pub(crate) const fn new(number: u32) -> Option<Self> {
        if number < LEAVES as u32 * BITS {
            // CAST: Just compared.
            Some(Self(number as u8))
        } else {
            None
        }
    }

    /// The number.
    pub(crate) const fn number(self) -> u32 {
        // CAST: Widening; `From` is not const.
        self.0 as u32
    }

    /// Leaf that the vector is in.
    pub(crate) const fn leaf(self) -> usize {
        (self.number() / BITS) as usize
    }

    /// Its bit there.
    pub(crate) const fn mask(self) -> u32 {
        1 << (self.number() % BITS)
    }

    /// Subtree that the leaf belongs to.
    pub(crate) const fn subtree(self) -> usize {
        self.leaf() / LEAVES_OF_SUBTREE
    }
}

/// The registers of a tree.
pub(crate) trait Registers {
    /// Latched vectors of a leaf; 0 when the register cannot be read.
    fn pending(&self, leaf: usize) -> u32;
    /// Forgets vectors.
    fn clear(&self, leaf: usize, mask: u32);
    /// Vectors of a leaf that are enabled; 0 when the register cannot be read.
    fn enabled(&self, leaf: usize) -> u32;
    /// Enables vectors.
    fn enable(&self, leaf: usize, mask: u32);
    /// Disables vectors.
    fn disable(&self, leaf: usize, mask: u32);
    /// Lets subtrees send messages; those that are pending do so at once.
    fn enable_top(&self, subtrees: u32);
    /// Keeps subtrees from sending messages.
    fn disable_top(&self, subtrees: u32);
}

/// A set of vectors of one subtree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Vectors {
    subtree: usize,
    leaves: [u32; LEAVES_OF_SUBTREE],
}

impl Vectors {
    /// No vector of `subtree`, which must be below [`SUBTREES`].
    pub(crate) const fn none(subtree: usize) -> Self {
        Self {
            subtree,
            leaves: [0; LEAVES_OF_SUBTREE],
        }
    }

    /// Number and content of each leaf.
    fn leaves(&self) -> impl Iterator<Item = (usize, u32)> + use<> {
        let first = self.subtree * LEAVES_OF_SUBTREE;

        (first..).zip(self.leaves)
    }

    fn word(&mut self, vector: Vector) -> Option<&mut u32> {
        if vector.subtree() != self.subtree {
            return None;
        }
        self.leaves.get_mut(vector.leaf() % LEAVES_OF_SUBTREE)
    }

    /// Adds a vector; one of another subtree is ignored.
    pub(crate) fn insert(&mut self, vector: Vector) {
        if let Some(word) = self.word(vector) {
            *word |= vector.mask();
        }
    }

    /// Takes a vector out.
    pub(crate) fn remove(&mut self, vector: Vector) {
        if let Some(word) = self.word(vector) {
            *word &= !vector.mask();
        }
    }

    /// The vector is in the set.
    pub(crate) fn contains(&self, vector: Vector) -> bool {
        let mut copy = *self;

        copy.word(vector)
            .is_some_and(|word| *word & vector.mask() != 0)
    }

    /// There is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.leaves == [0; LEAVES_OF_SUBTREE]
    }

    /// The vectors in ascending order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Vector> + use<> {
        self.leaves().flat_map(|(leaf, word)| {
            // CAST: Below 8.
            let base = leaf as u32 * BITS;
            (0..BITS)
                .filter(move |bit| word >> bit & 1 != 0)
                .filter_map(move |bit| Vector::new(base + bit))
        })
    }
}

/// What [`take`] has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Taken {
    /// Pending and owned. Cleared, so that what comes from now on is seen as new.
    pub(crate) owned: Vectors,
    /// Pending and enabled, but nobody's. Disabled and cleared.
    pub(crate) strange: Vectors,
}

/// Takes the pending vectors of a subtree, `owned` being those that somebody wants.
///
/// A leaf of which nothing is owned is only read when the other one does not explain the message: a
/// register read is the slowest thing here. What is pending there keeps the subtree pending, which
/// sends the next message when it is enabled again.
pub(crate) fn take(regs: &impl Registers, owned: &Vectors) -> Taken {
    let mut taken = take_from(regs, owned, |mine| mine != 0);

    if taken.owned.is_empty() && taken.strange.is_empty() {
        taken = take_from(regs, owned, |mine| mine == 0);
    }
    taken
}

/// Takes the pending vectors of those leaves whose owned vectors `wanted` likes.
fn take_from(regs: &impl Registers, owned: &Vectors, wanted: impl Fn(u32) -> bool) -> Taken {
    let mut taken = Taken {
        owned: Vectors::none(owned.subtree),
        strange: Vectors::none(owned.subtree),
    };

    for (i, (leaf, mine)) in owned
        .leaves()
        .enumerate()
        .filter(|(_, (_, mine))| wanted(*mine))
    {
        let pending = regs.pending(leaf);
        let known = pending & mine;
        if known != 0 {
            regs.clear(leaf, known);
        }
        // What is latched and not enabled did not bring us here, and costs nothing.
        let rest = pending & !mine;
        let strange = if rest != 0 {
            rest & regs.enabled(leaf)
        } else {
            0
        };
        if strange != 0 {
            regs.disable(leaf, strange);
            regs.clear(leaf, strange);
        }
        for (set, word) in [(&mut taken.owned, known), (&mut taken.strange, strange)] {
            if let Some(to) = set.leaves.get_mut(i) {
                *to = word;
            }
        }
    }
    taken
}

/// Disables everything and forgets what is pending: the state before the first message may come.
pub(crate) fn quiesce(regs: &impl Registers) {
    regs.disable_top(ALL_SUBTREES);
    for leaf in 0..LEAVES {
        regs.disable(leaf, u32::MAX);
        regs.clear(leaf, u32::MAX);
    }
}
