// SPDX-License-Identifier: GPL-2.0

//! Disjoint spans of addresses in a balanced tree that also knows the gaps between them.
//!
//! ```text
//!   region    |================================|         |==============|
//!   spans        [ A ]      [   B   ]     [ C ]#             [ D ]       #   # empty span: the end
//!   gaps      ^^^     ^^^^^^         ^^^^^     ^         ^^^^     ^^^^^^^
//!             of A    of B           of C      of #      of D     of #
//!
//!                  B      each node: start, end, where the gap before it starts,
//!                /   \    and for each alignment the largest piece that a gap
//!              A       #  in the subtree below it has room for
//! ```
//!
//! Each region ends with an empty span, so that every gap belongs to the span after it, and nothing
//! ever reaches from one region into the next. The tree is an AVL tree: its height is below
//! 1.45 log2 of the number of spans, and that bounds the recursion. A search for a size at an
//! alignment from [`GRANULE`] to 512 MiB (the largest VMMU segment) goes straight down to the
//! lowest or highest gap that has room. Larger alignments, pieces above 16 TiB, and addresses to
//! be avoided make it look at the gaps that turn out not to fit, one after the other.
//!
//! Nodes live in a table that is allocated once and linked by their index. So nothing can fail for
//! want of memory later, no pointer is involved, and the same code runs in host tests.
//!
//! Pure: also compiled on the host by `tools/testing/host-tests`.

use core::ops::{DerefMut, Range};

/// Spans are multiples of this many bytes, the small page of the GPU's MMU.
pub(crate) const GRANULE: u64 = 4096;

/// Alignments that a search is exact for: [`GRANULE`] shifted by 0 up to this, excluded.
const CLASSES: usize = 18;

/// A place in the table, plus one; zero is no place.
type Link = u16;

const NIL: Link = 0;

/// A span and whom it belongs to. The rest is the tree's.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Span<O> {
    /// First byte.
    pub(crate) start: u64,
    /// One past the last byte.
    pub(crate) end: u64,
    /// Owner, for accounting.
    pub(crate) owner: O,
    /// Where the gap before this span starts; it ends at `start`.
    gap: u64,
    left: Link,
    right: Link,
    height: u8,
    /// Granules that the best gap at and below this node has after aligning, capped.
    room: [u32; CLASSES],
}

impl<O> Span<O> {
    /// The end of a region rather than a span.
    fn is_end(&self) -> bool {
        self.start == self.end
    }

    /// The addresses.
    pub(crate) fn range(&self) -> Range<u64> {
        self.start..self.end
    }
}

/// What a gap must have room for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Want<'a> {
    /// Bytes; a non-zero multiple of [`GRANULE`].
    pub(crate) size: u64,
    /// Alignment in bytes; a power of two, at least [`GRANULE`].
    pub(crate) align: u64,
    /// The highest place instead of the lowest.
    pub(crate) top_down: bool,
    /// Addresses not to be touched, sorted.
    pub(crate) avoid: &'a [Range<u64>],
}

/// The table is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TableFull;

/// The tree. `T` is the table, a slice of fixed length (a `KVVec` in the driver).
///
/// # Invariants
///
/// Nodes are sorted by `start`, which no two share. `gap` of a node is the `end` of the one before
/// it, or the start of the region for the first one in a region; the last one of each region is
/// empty and lies at the region's end. `height` and `room` are those of the subtree.
pub(crate) struct Spans<O, T>
where
    O: Copy + Default,
    T: DerefMut<Target = [Span<O>]>,
{
    table: T,
    root: Link,
    /// Places that have been given back, linked by `left`.
    free: Link,
    /// Places at the beginning of the table that have been used at all.
    touched: Link,
    /// Nodes in the tree.
    nodes: usize,
    /// Bytes in all spans.
    bytes: u64,
}

impl<O, T> Spans<O, T>
where
    O: Copy + Default,
    T: DerefMut<Target = [Span<O>]>,
{
    /// No regions, no spans. Each region takes one place of the table, each span another one.
    pub(crate) fn new(table: T) -> Self {
        Self {
            table,
            root: NIL,
            free: NIL,
            touched: 0,
            nodes: 0,
            bytes: 0,
        }
    }

    /// Adds the region `range`, whose bounds are multiples of [`GRANULE`], and which does not
    /// overlap any other. It grows together with regions that it touches.
    pub(crate) fn add_region(&mut self, range: &Range<u64>) -> Result<(), TableFull> {
        let mut gap = range.start;
        // The end of a region that this one continues.
        if self
            .node(self.find(range.start))
            .is_some_and(|n| n.is_end())
        {
            gap = self.remove_node(range.start);
        }
        // A region that continues this one: its first gap gets longer.
        if let Some(next) = self.node(self.after(range.end)) {
            if next.gap == range.end {
                let at = next.start;
                self.update(at, |n| n.gap = gap);
                return Ok(());
            }
        }
        self.insert_node(Span {
            start: range.end,
            end: range.end,
            gap,
            ..Span::default()
        })
    }

    /// Inserts `range` if all of it lies in one gap; returns whether it does.
    pub(crate) fn insert(&mut self, range: &Range<u64>, owner: O) -> Result<bool, TableFull> {
        let Some(next) = self.node(self.after(range.start)) else {
            return Ok(false);
        };
        let (at, gap) = (next.start, next.gap);
        if range.is_empty() || range.start < gap || at < range.end {
            return Ok(false);
        }
        self.insert_node(Span {
            start: range.start,
            end: range.end,
            owner,
            gap,
            ..Span::default()
        })?;
        self.update(at, |n| n.gap = range.end);
        self.bytes += range.end - range.start;
        Ok(true)
    }

    /// Removes the span that starts at `start`, and returns its owner and its end.
    pub(crate) fn remove(&mut self, start: u64) -> Option<(O, u64)> {
        let span = *self.get(start)?;
        let next = self.node(self.after(span.end))?.start;
        let gap = self.remove_node(start);
        self.update(next, |n| n.gap = gap);
        self.bytes -= span.end - span.start;
        Some((span.owner, span.end))
    }

    /// The span that starts at `start`.
    pub(crate) fn get(&self, start: u64) -> Option<&Span<O>> {
        self.node(self.find(start)).filter(|n| !n.is_end())
    }

    /// Changes whom the span that starts at `start` belongs to.
    pub(crate) fn set_owner(&mut self, start: u64, owner: O) {
        if self.get(start).is_some() {
            let at = self.find(start);
            self.table[index(at)].owner = owner;
        }
    }

    /// The first span that ends above `address`.
    pub(crate) fn first_above(&self, address: u64) -> Option<&Span<O>> {
        // The last node that starts at or below `address` may reach beyond it.
        let below = self.node(self.before(address));
        if let Some(span) = below.filter(|n| n.end > address) {
            return Some(span);
        }
        let mut at = self.node(self.after(address))?;
        // At most one end of a region for each region is skipped.
        while at.is_end() {
            at = self.node(self.after(at.start.checked_add(1)?))?;
        }
        Some(at)
    }

    /// The gap that `address` lies in.
    pub(crate) fn gap_at(&self, address: u64) -> Option<Range<u64>> {
        let next = self.node(self.after(address.checked_add(1)?))?;
        (next.gap <= address).then_some(next.gap..next.start)
    }

    /// The spans, sorted by address.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Span<O>> {
        core::iter::successors(self.first_above(0), |s| self.first_above(s.end))
    }

    /// Number of spans and regions that fit into the table besides those that are there.
    pub(crate) fn vacant(&self) -> usize {
        self.table.len().min(Link::MAX.into()) - self.nodes
    }

    /// Bytes in all spans.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Finds the first (or last) place that fits `want`.
    pub(crate) fn search(&self, want: &Want<'_>) -> Option<u64> {
        self.search_below(self.root, want)
    }

    fn search_below(&self, at: Link, want: &Want<'_>) -> Option<u64> {
        let node = self.node(at)?;
        if node.room[class(want.align)] < granules(want.size) {
            return None;
        }
        let (near, far) = if want.top_down {
            (node.right, node.left)
        } else {
            (node.left, node.right)
        };
        self.search_below(near, want)
            .or_else(|| place(node.gap..node.start, want))
            .or_else(|| self.search_below(far, want))
    }

    fn node(&self, at: Link) -> Option<&Span<O>> {
        (at != NIL).then(|| &self.table[index(at)])
    }

    /// The node that starts at `start`.
    fn find(&self, start: u64) -> Link {
        let at = self.after(start);
        match self.node(at) {
            Some(node) if node.start == start => at,
            _ => NIL,
        }
    }

    /// The first node that starts at or above `address`.
    fn after(&self, address: u64) -> Link {
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
    fn before(&self, address: u64) -> Link {
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
    fn update(&mut self, start: u64, change: impl FnOnce(&mut Span<O>)) {
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

    fn insert_node(&mut self, span: Span<O>) -> Result<(), TableFull> {
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
    fn remove_node(&mut self, start: u64) -> u64 {
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
fn index(at: Link) -> usize {
    usize::from(at) - 1
}

/// Which of the exact alignments stands for `align`.
fn class(align: u64) -> usize {
    let log = align.trailing_zeros().saturating_sub(GRANULE.ilog2());
    // CAST: at most 63.
    (log as usize).min(CLASSES - 1)
}

/// Whole granules in `bytes`, capped.
fn granules(bytes: u64) -> u32 {
    u32::try_from(bytes / GRANULE).unwrap_or(u32::MAX)
}

/// Places `want` in `gap`, around what it is to avoid.
fn place(gap: Range<u64>, want: &Want<'_>) -> Option<u64> {
    let mut found = None;
    let mut start = gap.start;
    let end = gap.end..gap.end;
    for avoid in want.avoid.iter().chain(core::iter::once(&end)) {
        let piece = start..avoid.start.min(gap.end);
        start = start.max(avoid.end);
        if let Some(at) = place_in(&piece, want) {
            if !want.top_down {
                return Some(at);
            }
            found = Some(at);
        }
    }
    found
}

/// Places `want` at the low or the high end of `piece`.
fn place_in(piece: &Range<u64>, want: &Want<'_>) -> Option<u64> {
    if want.top_down {
        let at = align_down(piece.end.checked_sub(want.size)?, want.align);
        (at >= piece.start).then_some(at)
    } else {
        let at = align_up(piece.start, want.align)?;
        (at.checked_add(want.size)? <= piece.end).then_some(at)
    }
}

/// The next multiple of `align`, a power of two.
pub(crate) fn align_up(value: u64, align: u64) -> Option<u64> {
    value.checked_add(align - 1).map(|v| v & !(align - 1))
}

/// The last multiple of `align`, a power of two.
pub(crate) fn align_down(value: u64, align: u64) -> u64 {
    value & !(align - 1)
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
