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
//! ever reaches from one region into the next. The tree (`span_tree`) is an AVL tree: its height is
//! below 1.45 log2 of the number of spans, and that bounds the recursion. A search for a size at an
//! alignment from [`GRANULE`] to 512 MiB (the largest VMMU segment) goes straight down to the
//! lowest or highest gap that has room. Larger alignments, pieces above 16 TiB, and addresses to
//! be avoided make it look at the gaps that turn out not to fit, one after the other.
//!
//! Nodes live in a table that is allocated once and linked by their index. So nothing can fail for
//! want of memory later, no pointer is involved, and the same code runs in host tests.
//!
//! Pure: also compiled on the host by `tools/testing/host-tests`.

use core::ops::{DerefMut, Range};

use super::span_tree::index;

/// Spans are multiples of this many bytes, the small page of the GPU's MMU.
pub(crate) const GRANULE: u64 = 4096;

/// Alignments that a search is exact for: [`GRANULE`] shifted by 0 up to this, excluded.
pub(super) const CLASSES: usize = 18;

/// A place in the table, plus one; zero is no place.
pub(super) type Link = u16;

pub(super) const NIL: Link = 0;

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
    pub(super) gap: u64,
    pub(super) left: Link,
    pub(super) right: Link,
    pub(super) height: u8,
    /// Granules that the best gap at and below this node has after aligning, capped.
    pub(super) room: [u32; CLASSES],
}

impl<O> Span<O> {
    /// The end of a region rather than a span.
    pub(super) fn is_end(&self) -> bool {
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
    pub(super) table: T,
    pub(super) root: Link,
    /// Places that have been given back, linked by `left`.
    pub(super) free: Link,
    /// Places at the beginning of the table that have been used at all.
    pub(super) touched: Link,
    /// Nodes in the tree.
    pub(super) nodes: usize,
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
}

/// Which of the exact alignments stands for `align`.
fn class(align: u64) -> usize {
    let log = align.trailing_zeros().saturating_sub(GRANULE.ilog2());
    // CAST: at most 63.
    (log as usize).min(CLASSES - 1)
}

/// Whole granules in `bytes`, capped.
pub(super) fn granules(bytes: u64) -> u32 {
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
