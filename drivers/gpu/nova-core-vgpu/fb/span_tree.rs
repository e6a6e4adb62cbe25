// SPDX-License-Identifier: GPL-2.0

//! The balanced tree that [`Spans`] keeps its nodes in.
//!
//! ```text
//!       at                 top          rotate_right, where the left side is two higher;
//!      /  \               /   \         with `correct` for the two whose children change
//!    top   c    --->     a     at
//!    / \                      /  \
//!   a   b                     b    c
//! ```
//!
//! An AVL tree: both sides of a node differ by one in height at most. Insertion and removal balance
//! the nodes from the place of the change up to the root, and correct what they know of the subtree
//! below them. Links are places in the table; those that are given back are a list.
//!
//! Pure: also compiled on the host by `tools/testing/host-tests`.

use core::ops::DerefMut;

use super::spans::{
    align_up,
    granules,
    Link,
    Span,
    Spans,
    TableFull,
    CLASSES,
    GRANULE,
    NIL, //
};

impl<O, T> Spans<O, T>
where
    O: Copy + Default,
    T: DerefMut<Target = [Span<O>]>,
{
    pub(super) fn node(&self, at: Link) -> Option<&Span<O>> {
        (at != NIL).then(|| &self.table[index(at)])
    }

    /// The node that starts at `start`.
    pub(super) fn find(&self, start: u64) -> Link {
        let at = self.after(start);
        match self.node(at) {
            Some(node) if node.start == start => at,
            _ => NIL,
        }
    }

    /// The first node that starts at or above `address`.
    pub(super) fn after(&self, address: u64) -> Link {
        let (mut at, mut found) = (self.root, NIL);
        while let Some(node) = self.node(at) {
            if node.start >= address {
                found = at;
                at = node.left;
            } else {
                at = node.right;
            }
        }
        found
    }

    /// The last node that starts at or below `address`.
    pub(super) fn before(&self, address: u64) -> Link {
        let (mut at, mut found) = (self.root, NIL);
        while let Some(node) = self.node(at) {
            if node.start <= address {
                found = at;
                at = node.right;
            } else {
                at = node.left;
            }
        }
        found
    }

    /// Changes the node at `start`, which exists, but not its place, and corrects the nodes above.
    pub(super) fn update(&mut self, start: u64, change: impl FnOnce(&mut Span<O>)) {
        let at = self.find(start);
        if at != NIL {
            change(&mut self.table[index(at)]);
            self.correct_path(self.root, start);
        }
    }

    fn correct_path(&mut self, at: Link, start: u64) {
        let Some(node) = self.node(at) else { return };
        if start != node.start {
            let child = if start < node.start {
                node.left
            } else {
                node.right
            };
            self.correct_path(child, start);
        }
        self.correct(at);
    }

    pub(super) fn insert_node(&mut self, span: Span<O>) -> Result<(), TableFull> {
        let at = if self.free != NIL {
            let at = self.free;
            self.free = self.table[index(at)].left;
            at
        } else if usize::from(self.touched) < self.table.len() && self.touched < Link::MAX {
            self.touched += 1;
            self.touched
        } else {
            return Err(TableFull);
        };
        self.table[index(at)] = Span {
            left: NIL,
            right: NIL,
            ..span
        };
        self.nodes += 1;
        self.root = self.insert_below(self.root, at);
        Ok(())
    }

    fn insert_below(&mut self, at: Link, new: Link) -> Link {
        let Some(node) = self.node(at) else {
            self.correct(new);
            return new;
        };
        let (left, right) = (node.left, node.right);
        if self.table[index(new)].start < node.start {
            self.table[index(at)].left = self.insert_below(left, new);
        } else {
            self.table[index(at)].right = self.insert_below(right, new);
        }
        self.balance(at)
    }

    /// Removes the node that starts at `start`, which exists, and returns its `gap`.
    pub(super) fn remove_node(&mut self, start: u64) -> u64 {
        let (root, removed) = self.remove_below(self.root, start);
        self.root = root;
        if removed == NIL {
            return start;
        }
        let node = &mut self.table[index(removed)];
        node.left = self.free;
        let gap = node.gap;
        self.free = removed;
        self.nodes -= 1;
        gap
    }

    fn remove_below(&mut self, at: Link, start: u64) -> (Link, Link) {
        let Some(node) = self.node(at) else {
            return (NIL, NIL);
        };
        let (left, right) = (node.left, node.right);
        let removed;
        if start < node.start {
            (self.table[index(at)].left, removed) = self.remove_below(left, start);
        } else if start > node.start {
            (self.table[index(at)].right, removed) = self.remove_below(right, start);
        } else if right == NIL {
            return (left, at);
        } else {
            // The next node takes the place of the removed one.
            let (rest, next) = self.remove_first(right);
            let node = &mut self.table[index(next)];
            node.left = left;
            node.right = rest;
            return (self.balance(next), at);
        }
        (self.balance(at), removed)
    }

    /// Takes the first node out of the subtree at `at`, which is none of its links any more.
    fn remove_first(&mut self, at: Link) -> (Link, Link) {
        let node = &self.table[index(at)];
        let (left, right) = (node.left, node.right);
        if left == NIL {
            return (right, at);
        }
        let (rest, first) = self.remove_first(left);
        self.table[index(at)].left = rest;
        (self.balance(at), first)
    }

    fn height(&self, at: Link) -> u8 {
        self.node(at).map_or(0, |n| n.height)
    }

    /// How much higher the left side of `at` is.
    fn lean(&self, at: Link) -> i16 {
        self.node(at).map_or(0, |n| {
            i16::from(self.height(n.left)) - i16::from(self.height(n.right))
        })
    }

    /// Makes the sides of `at` equally high again, which differ by two at most; returns the node
    /// that is on top now.
    fn balance(&mut self, at: Link) -> Link {
        let Span { left, right, .. } = self.table[index(at)];
        match self.lean(at) {
            2.. => {
                if self.lean(left) < 0 {
                    self.table[index(at)].left = self.rotate_left(left);
                }
                self.rotate_right(at)
            }
            ..=-2 => {
                if self.lean(right) > 0 {
                    self.table[index(at)].right = self.rotate_right(right);
                }
                self.rotate_left(at)
            }
            _ => {
                self.correct(at);
                at
            }
        }
    }

    fn rotate_right(&mut self, at: Link) -> Link {
        let top = self.table[index(at)].left;
        self.table[index(at)].left = self.table[index(top)].right;
        self.table[index(top)].right = at;
        self.correct(at);
        self.correct(top);
        top
    }

    fn rotate_left(&mut self, at: Link) -> Link {
        let top = self.table[index(at)].right;
        self.table[index(at)].right = self.table[index(top)].left;
        self.table[index(top)].left = at;
        self.correct(at);
        self.correct(top);
        top
    }

    /// Height and room of `at` from its own gap and its children.
    fn correct(&mut self, at: Link) {
        let node = &self.table[index(at)];
        let (left, right) = (self.node(node.left), self.node(node.right));
        let mut height = 0;
        let mut room = [0; CLASSES];
        for (class, room) in room.iter_mut().enumerate() {
            *room = align_up(node.gap, GRANULE << class)
                .and_then(|start| node.start.checked_sub(start))
                .map_or(0, granules);
        }
        for child in [left, right].into_iter().flatten() {
            height = height.max(child.height);
            for (room, below) in room.iter_mut().zip(&child.room) {
                *room = (*room).max(*below);
            }
        }
        let node = &mut self.table[index(at)];
        node.height = height + 1;
        node.room = room;
    }
}

/// Index of a place that is one.
pub(super) fn index(at: Link) -> usize {
    usize::from(at) - 1
}

#[cfg(test)]
impl<O, T> Spans<O, T>
where
    O: Copy + Default,
    T: DerefMut<Target = [Span<O>]>,
{
    /// Panics unless all invariants hold; returns the height.
    pub(crate) fn check(&mut self) -> u8 {
        let mut last = None;
        self.check_below(self.root, &mut last);
        let height = self.height(self.root);
        assert!(f64::from(height) <= 1.45 * (self.nodes as f64 + 2.0).log2());
        height
    }

    fn check_below(&mut self, at: Link, last: &mut Option<Span<O>>) {
        let Some(node) = self.node(at).copied() else {
            return;
        };
        assert!(self.lean(at).abs() <= 1);
        self.check_below(node.left, last);
        if let Some(last) = last {
            assert!(last.start < node.start && last.end <= node.gap);
            assert!(last.is_end() || last.end == node.gap);
        }
        assert!(node.gap <= node.start && node.start <= node.end);
        *last = Some(node);
        self.check_below(node.right, last);
        self.correct(at);
        let corrected = &self.table[index(at)];
        assert_eq!((corrected.height, corrected.room), (node.height, node.room));
    }
}
