// SPDX-License-Identifier: GPL-2.0

//! Places on a GPU: which framebuffer and channels a vGPU with some placement ID has.
//!
//! A unit is a GiB of framebuffer class; a 48 GiB board has 48 of them. A place covers as many as
//! the class of the type, and its placement ID is the first one.
//!
//! ```text
//!   homogeneous     all vGPUs have one shape, side by side, heaps from the other end
//!     units      0     2     4     6                                       48
//!     framebuffer  |FB 0 |FB 1 |FB 2 | …                    … |heap 2|heap 1|heap 0|
//!
//!   heterogeneous   the GPU is halved up to four times; a type that fits N times has two places in
//!                   each 1/(N/2) part, at its edges, or one if N is no power of two
//!     24 GiB     |=======================|=======================|
//!     16 GiB     |===============|                       |=======|=======|
//!      8 GiB     |=======|       |=======|       |=======|       |=======|   …
//!                heap: behind the framebuffer if it is a whole segment or the type fits 32 times;
//!                else in a segment that the outer edges of quarters give up for that
//! ```
//!
//! The number of heterogeneous places is smaller for types that do not fit a power of two times.
//! Source: OGKM 570.144 `kernel_vgpu_mgr.c`, for placement IDs, framebuffer and heaps. It places
//! channels over all IDs that the hardware has, but this driver's own are among them, and firmware
//! takes them where it is told (`common_vgpu_mgr.c`). So for them there is a rule of our own.
//!
//! Places with different units share nothing; what would break that is left out.
//!
//! Pure: also compiled on the host by `tools/testing/host-tests`.

use core::ops::Range;

use super::channels::channel_count;

/// Most vGPUs of a GPU (`NVA081_MAX_VGPU_PER_PGPU`, OGKM 570.144 `ctrla081.h`).
pub(crate) const MAX_PLACES: usize = 32;
/// Most units that a GPU can have here: one bit of [`Units`] each.
pub(crate) const MAX_UNITS: u32 = 128;
/// Parts that the GPU is divided into at most: two places in each make [`MAX_PLACES`].
const MAX_PARTS: u32 = 16;

const GIB: u64 = 1 << 30;
/// Placement IDs that types with exactly 1 GiB of framebuffer do not use: theirs reaches into what
/// larger types have behind or before them.
const NOT_FOR_1_GIB: [u16; 16] = [
    2, 3, 8, 9, 14, 15, 20, 21, 26, 27, 32, 33, 38, 39, 44, 45, //
];

/// Units of a GPU, one bit each.
pub(crate) type Units = u128;

/// How places are arranged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// Side by side, of one shape.
    Homogeneous,
    /// Of any shape.
    Heterogeneous,
}

/// What the places of a type depend on. Types of several series have the same shape.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shape {
    /// Class of the framebuffer in GiB.
    pub(crate) units: u32,
    /// vGPUs of the type that a GPU can carry.
    pub(crate) max_instance: u32,
    /// Framebuffer of the guest in bytes, a multiple of the segment.
    pub(crate) fb: u64,
    /// Management heap in bytes.
    pub(crate) heap: u64,
}

/// What can be shared out.
#[derive(Clone, Debug)]
pub(crate) struct Board {
    /// Framebuffer of vGPUs, whole segments.
    pub(crate) window: Range<u64>,
    /// Bytes of a VMMU segment.
    pub(crate) segment: u64,
    /// Channel IDs of vGPUs, the same ones on every runlist.
    pub(crate) channels: Range<u32>,
}

/// A place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    /// Placement ID: the first unit.
    pub(crate) id: u16,
    /// First channel ID.
    pub(crate) channel: u32,
    /// Address of the framebuffer.
    pub(crate) fb: u64,
    /// Address of the management heap.
    pub(crate) heap: u64,
}

/// Everything that a vGPU gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resources {
    /// Placement ID.
    pub(crate) id: u16,
    /// Framebuffer of the guest.
    pub(crate) fb: Range<u64>,
    /// Management heap.
    pub(crate) heap: Range<u64>,
    /// Channel IDs.
    pub(crate) channels: Range<u32>,
}

impl Resources {
    /// Whether two vGPUs would share something.
    pub(crate) fn overlap(&self, other: &Self) -> bool {
        let memory = [&self.fb, &self.heap];
        self.uses_channels(&other.channels) || memory.iter().any(|m| other.uses(m))
    }

    /// Whether any of this memory is part of it.
    pub(crate) fn uses(&self, memory: &Range<u64>) -> bool {
        overlap(&self.fb, memory) || overlap(&self.heap, memory)
    }

    /// Whether any of these channels is part of it.
    pub(crate) fn uses_channels(&self, channels: &Range<u32>) -> bool {
        overlap(&self.channels, channels)
    }
}

fn overlap<T: PartialOrd>(a: &Range<T>, b: &Range<T>) -> bool {
    a.start < b.end && b.start < a.end
}

/// The places of a shape.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Table {
    shape: Shape,
    /// Channels of each vGPU.
    channels: u32,
    homogeneous: List,
    heterogeneous: List,
}

#[derive(Clone, Copy, Debug, Default)]
struct List {
    places: [Place; MAX_PLACES],
    count: usize,
    /// Bit n: place n is left out.
    left_out: u32,
}

const _: () = assert!(MAX_PLACES <= u32::BITS as usize);

impl List {
    fn as_slice(&self) -> &[Place] {
        self.places.get(..self.count).unwrap_or_default()
    }

    fn push(&mut self, place: Place) {
        if let Some(slot) = self.places.get_mut(self.count) {
            *slot = place;
            self.count += 1;
        }
    }
}

impl Table {
    /// The shape.
    pub(crate) fn shape(&self) -> &Shape {
        &self.shape
    }

    fn list(&self, layout: Layout) -> &List {
        match layout {
            Layout::Homogeneous => &self.homogeneous,
            Layout::Heterogeneous => &self.heterogeneous,
        }
    }

    /// Places of a layout, by placement ID.
    pub(crate) fn places(&self, layout: Layout) -> &[Place] {
        self.list(layout).as_slice()
    }

    /// Units of a place of this shape.
    pub(crate) fn units(&self, place: &Place) -> Units {
        // `build` has seen to it that both are at most MAX_UNITS.
        let units = Units::MAX >> (MAX_UNITS - self.shape.units.clamp(1, MAX_UNITS));
        units << (u32::from(place.id) % MAX_UNITS)
    }

    /// What a vGPU at a place of this shape gets.
    pub(crate) fn resources(&self, place: &Place) -> Resources {
        Resources {
            id: place.id,
            fb: place.fb..place.fb.saturating_add(self.shape.fb),
            heap: place.heap..place.heap.saturating_add(self.shape.heap),
            channels: place.channel..place.channel.saturating_add(self.channels),
        }
    }

    fn all(&self, layout: Layout) -> impl Iterator<Item = (Units, Resources)> + '_ {
        let places = self.places(layout).iter();
        places.map(|place| (self.units(place), self.resources(place)))
    }

    /// Leaves out the places that `out` is true of. They stay in the list, since they can come back.
    /// Returns whether there are any.
    pub(crate) fn leave_out(&mut self, out: impl Fn(&Resources) -> bool) -> bool {
        let [homogeneous, heterogeneous] =
            [Layout::Homogeneous, Layout::Heterogeneous].map(|layout| {
                let places = self.places(layout).iter().enumerate();
                places
                    .filter(|(_, place)| out(&self.resources(place)))
                    .fold(0, |bits, (at, _)| bits | 1 << at)
            });
        self.homogeneous.left_out = homogeneous;
        self.heterogeneous.left_out = heterogeneous;
        homogeneous | heterogeneous != 0
    }

    /// Whether the place at `at` of a layout's list is left out.
    pub(crate) fn is_left_out(&self, layout: Layout, at: usize) -> bool {
        // CAST: Less than `MAX_PLACES`.
        let bits = self.list(layout).left_out.checked_shr(at as u32);
        bits.is_some_and(|bits| bits & 1 != 0)
    }
}

/// Fills `tables` with the places of `shapes`, which are different ones.
pub(crate) fn build(board: &Board, shapes: impl Iterator<Item = Shape>, tables: &mut [Table]) {
    let mut count = 0;
    for (table, shape) in tables.iter_mut().zip(shapes) {
        *table = Table {
            shape,
            channels: channel_count(board.channels.len() as u32, shape.max_instance).unwrap_or(0),
            ..Table::default()
        };
        count += 1;
    }
    let Some(tables) = tables.get_mut(..count) else {
        return;
    };
    let Some(parts) = Parts::new(board, tables) else {
        return;
    };
    for at in 0..count {
        let (before, rest) = tables.split_at_mut(at);
        let Some(table) = rest.first_mut().filter(|t| t.is_possible(&parts)) else {
            continue;
        };
        table.build_homogeneous(&parts);
        table.build_heterogeneous(&parts, before);
    }
}

impl Table {
    fn is_possible(&self, parts: &Parts<'_>) -> bool {
        let shape = &self.shape;
        let in_units = shape.units != 0
            && (shape.units.checked_mul(shape.max_instance)).is_some_and(|n| n <= parts.units);
        let segments = shape.fb != 0 && shape.fb % parts.board.segment == 0;
        in_units && segments && shape.heap != 0 && self.channels != 0
    }

    fn build_homogeneous(&mut self, parts: &Parts<'_>) {
        let (shape, board) = (self.shape, parts.board);
        let bytes = board.window.end - board.window.start;
        let count = u64::from(shape.max_instance.min(parts.units / shape.units))
            .min(bytes / shape.fb.saturating_add(shape.heap));
        for j in 0..count {
            let channel = u32::try_from(j + 1)
                .ok()
                .and_then(|n| n.checked_mul(self.channels))
                .and_then(|n| board.channels.end.checked_sub(n));
            let Some(channel) = channel.filter(|c| *c >= board.channels.start) else {
                return;
            };
            self.homogeneous.push(Place {
                // CAST: Less than `units`.
                id: (j * u64::from(shape.units)) as u16,
                channel,
                fb: board.window.start + j * shape.fb,
                heap: board.window.end - (j + 1) * shape.heap,
            });
        }
    }

    fn build_heterogeneous(&mut self, parts: &Parts<'_>, before: &[Table]) {
        let max = self.shape.max_instance;
        // The largest power of two.
        let Some(max_pow2) = max.checked_ilog2().map(|log| 1u32 << log) else {
            return;
        };
        let both = max.is_power_of_two() && max > 1;
        let count = if both { max / 2 } else { max_pow2 };
        if count > MAX_PARTS {
            return;
        }
        for number in 0..count {
            let part = parts.part(count, number);
            let left = (both || part.left).then(|| part.left(parts, &self.shape));
            let right = (both || !part.left).then(|| part.right(parts, &self.shape));
            for place in [left, right].into_iter().flatten().flatten() {
                let place = self.with_channel(parts, place);
                if let Some(place) = place.filter(|p| self.is_apart(p, before)) {
                    self.heterogeneous.push(place);
                }
            }
        }
    }

    /// Channels of a place: aligned to their number, in the share of its units of the upper three
    /// quarters of all IDs. Every class of a board finds its channels there, since one that needs
    /// half of the IDs has three quarters of half of them, in which they are aligned.
    fn with_channel(&self, parts: &Parts<'_>, place: Place) -> Option<Place> {
        let end = parts.board.channels.end;
        let each = end / 4 * 3 / parts.units;
        let first = end - each * parts.units;
        let room = first + u32::from(place.id) * each;
        let channel = room.checked_next_multiple_of(self.channels)?;
        let fits = channel.checked_add(self.channels)? <= room + self.shape.units * each;
        (fits && channel >= parts.board.channels.start).then_some(Place { channel, ..place })
    }

    /// Whether the place shares nothing with one whose units are others.
    fn is_apart(&self, place: &Place, before: &[Table]) -> bool {
        let (units, resources) = (self.units(place), self.resources(place));
        let others = before.iter().chain(core::iter::once(self));
        others
            .flat_map(|t| t.all(Layout::Heterogeneous))
            .all(|(u, r)| u & units != 0 || !r.overlap(&resources))
    }
}

/// How a GPU is divided.
struct Parts<'a> {
    board: &'a Board,
    units: u32,
    /// Segments that the parts are made of.
    segments: u64,
    /// Number of parts each of which gives up a segment at its outer edge for small heaps.
    carved: Option<u32>,
}

/// A part; what it consists of is counted from the start of the window.
struct Part {
    units: Range<u32>,
    segments: Range<u64>,
    /// Bytes for small heaps; none before a segment was given up.
    heap: Range<u64>,
    /// It is the left half of what it is part of.
    left: bool,
}

impl<'a> Parts<'a> {
    /// `None` if the numbers make no sense.
    fn new(board: &'a Board, tables: &[Table]) -> Option<Self> {
        let shapes = || tables.iter().map(Table::shape);
        let segment = board.segment;
        let bytes = board.window.end.checked_sub(board.window.start)?;
        if segment == 0 || !segment.is_power_of_two() {
            return None;
        }
        let units = shapes()
            .filter_map(|s| s.units.checked_mul(s.max_instance))
            .filter(|units| *units <= MAX_UNITS)
            .max()
            .filter(|units| *units != 0)?;
        // One vGPU that has all of it, and its heap.
        let whole = shapes()
            .filter(|s| s.max_instance == 1)
            .map(|s| (s.fb / segment).saturating_add(s.heap.div_ceil(segment)))
            .max();
        let all = bytes / segment;
        let carved = [1, 2, 4, 8]
            .into_iter()
            .find(|parts| shapes().any(|s| s.max_instance == 2 * parts && s.heap == segment));
        Some(Self {
            board,
            units,
            segments: whole.unwrap_or(all).min(all),
            carved,
        })
    }

    /// Part `number` of `count`, a power of two.
    fn part(&self, count: u32, number: u32) -> Part {
        let segment = self.board.segment;
        let mut part = Part {
            units: 0..self.units,
            segments: 0..self.segments,
            heap: 0..0,
            left: true,
        };
        let mut parts = 1;
        while parts < count {
            let units = (part.units.start + part.units.end) / 2;
            let middle = (part.segments.start + part.segments.end) / 2;
            let heap = (part.heap.start + part.heap.end) / 2;
            let carve = self.carved == Some(parts);
            parts *= 2;
            part.left = number / (count / parts) % 2 == 0;
            if part.left {
                part.units.end = units;
                part.heap.end = heap;
                if carve && part.segments.start < middle {
                    part.heap = part.segments.start * segment..(part.segments.start + 1) * segment;
                    part.segments.start += 1;
                }
                part.segments.end = middle;
            } else {
                part.units.start = units;
                part.heap.start = heap;
                if carve && middle < part.segments.end {
                    part.heap = (part.segments.end - 1) * segment..part.segments.end * segment;
                    part.segments.end -= 1;
                }
                part.segments.start = middle;
            }
        }
        part
    }

    /// Where the heap of a shape is.
    fn heap_is_behind(&self, part: &Part, shape: &Shape) -> bool {
        let often = shape.max_instance.checked_ilog2() == Some(MAX_PLACES.ilog2());
        shape.heap >= self.board.segment || often || part.heap.is_empty()
    }

    /// A place, if it is inside of the window.
    fn place(&self, shape: &Shape, id: u32, fb: u64, heap: u64) -> Option<Place> {
        let id = u16::try_from(id).ok()?;
        let bytes = self.board.window.end - self.board.window.start;
        let ends = [fb.checked_add(shape.fb)?, heap.checked_add(shape.heap)?];
        let denied = shape.fb == GIB && NOT_FOR_1_GIB.contains(&id);
        if denied || ends.iter().any(|end| *end > bytes) {
            return None;
        }
        let apart = !overlap(&(fb..ends[0]), &(heap..ends[1]));
        apart.then_some(Place {
            id,
            channel: 0,
            fb: self.board.window.start + fb,
            heap: self.board.window.start + heap,
        })
    }
}

impl Part {
    /// The place at the start.
    fn left(&self, parts: &Parts<'_>, shape: &Shape) -> Option<Place> {
        let fb = self.segments.start * parts.board.segment;
        let heap = if parts.heap_is_behind(self, shape) {
            fb.checked_add(shape.fb)?
        } else {
            self.heap.start
        };
        let place = parts.place(shape, self.units.start, fb, heap)?;
        (self.units.start + shape.units <= self.units.end).then_some(place)
    }

    /// The place at the end.
    fn right(&self, parts: &Parts<'_>, shape: &Shape) -> Option<Place> {
        let segment = parts.board.segment;
        let end = self.segments.end * segment;
        let id = self.units.end.checked_sub(shape.units)?;
        let (fb, heap) = if !parts.heap_is_behind(self, shape) {
            (
                end.checked_sub(shape.fb)?,
                self.heap.end.checked_sub(shape.heap)?,
            )
        } else if shape.heap >= segment {
            let heap = end.checked_sub(shape.heap)?;
            ((heap / segment * segment).checked_sub(shape.fb)?, heap)
        } else {
            let fb = end.checked_sub(shape.fb)?;
            (fb, fb.checked_sub(shape.heap)?)
        };
        (id >= self.units.start)
            .then(|| parts.place(shape, id, fb, heap))
            .flatten()
    }
}
