// SPDX-License-Identifier: GPL-2.0

//! How often each event came, and what became of it.
//!
//! ```text
//!   seen        came, whatever it was
//!   unclaimed   of these, nobody took it
//!   malformed   of these, the payload made no sense; nobody was asked
//! ```
//!
//! Numbers that no version of the protocol has given a name are counted one by one, as far as there
//! is room, so that none of them goes unnoticed.

use kernel::{
    prelude::*,
    sync::atomic::{
        Atomic,
        Relaxed, //
    }, //
};

use super::super::fw::r570_144::{
    event,
    notifier::COUNT as NOTIFIERS, //
};

/// Unknown numbers that are told apart.
const UNKNOWN: usize = 16;

/// Counters of one event.
struct Cell {
    seen: Atomic<u64>,
    unclaimed: Atomic<u64>,
    malformed: Atomic<u64>,
}

impl Cell {
    fn new() -> Self {
        Self {
            seen: Atomic::new(0),
            unclaimed: Atomic::new(0),
            malformed: Atomic::new(0),
        }
    }

    fn load(&self) -> Count {
        Count {
            seen: self.seen.load(Relaxed),
            unclaimed: self.unclaimed.load(Relaxed),
            malformed: self.malformed.load(Relaxed),
        }
    }
}

/// How often an event came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Count {
    /// Came.
    pub(crate) seen: u64,
    /// Came and nobody took it.
    pub(crate) unclaimed: u64,
    /// Came with a payload that makes no sense.
    pub(crate) malformed: u64,
}

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Taken,
    Unclaimed,
    Malformed,
}

/// An event without a name. Number 0, which is none, means that the entry is free.
struct Unknown {
    number: Atomic<u32>,
    seen: Atomic<u64>,
}

/// Counters of channel errors.
pub(crate) struct RcCounts {
    /// Channels of the PF that were stopped.
    pub(crate) host: Atomic<u64>,
    /// Channels of VFs that were stopped.
    pub(crate) guest: Atomic<u64>,
    /// "Fast path" messages, which are not about a channel.
    pub(crate) fast_path: Atomic<u64>,
    /// Series of errors of the PF's channels.
    pub(crate) storms: Atomic<u64>,
}

/// All counters.
pub(crate) struct Counts {
    /// As the events with a name, and one more for all others.
    cells: KVec<Cell>,
    unknown: [Unknown; UNKNOWN],
    notifiers: KVec<Atomic<u64>>,
    /// Channel errors.
    pub(crate) rc: RcCounts,
}

impl Counts {
    pub(super) fn new() -> Result<Self> {
        let mut cells = KVec::with_capacity(event::COUNT + 1, GFP_KERNEL)?;
        for _ in 0..=event::COUNT {
            cells.push(Cell::new(), GFP_KERNEL)?;
        }
        let mut notifiers = KVec::with_capacity(NOTIFIERS, GFP_KERNEL)?;
        for _ in 0..NOTIFIERS {
            notifiers.push(Atomic::new(0), GFP_KERNEL)?;
        }

        Ok(Self {
            cells,
            unknown: core::array::from_fn(|_| Unknown {
                number: Atomic::new(0),
                seen: Atomic::new(0),
            }),
            notifiers,
            rc: RcCounts {
                host: Atomic::new(0),
                guest: Atomic::new(0),
                fast_path: Atomic::new(0),
                storms: Atomic::new(0),
            },
        })
    }

    /// Counts one event. True for the first one with a number that has no name, and for all of
    /// those once there are too many numbers to tell them apart.
    pub(super) fn add(&self, number: u32, outcome: Outcome) -> bool {
        let index = event::index(number);

        if let Some(cell) = self.cells.get(index.unwrap_or(event::COUNT)) {
            cell.seen.add(1, Relaxed);
            match outcome {
                Outcome::Taken => (),
                Outcome::Unclaimed => cell.unclaimed.add(1, Relaxed),
                Outcome::Malformed => cell.malformed.add(1, Relaxed),
            }
        }
        index.is_none() && self.add_unknown(number)
    }

    fn add_unknown(&self, number: u32) -> bool {
        for entry in &self.unknown {
            let (known, new) = match entry.number.load(Relaxed) {
                0 => match entry.number.cmpxchg(0, number, Relaxed) {
                    Ok(_) => (number, true),
                    Err(other) => (other, false),
                },
                known => (known, false),
            };
            if known == number {
                entry.seen.add(1, Relaxed);
                return new;
            }
        }
        true
    }

    /// Counts a notifier that fired.
    pub(super) fn add_notifier(&self, index: u32) {
        if let Some(count) = self.notifiers.get(index as usize) {
            count.add(1, Relaxed);
        }
    }

    /// Names and counters of the events that came.
    pub(crate) fn events(&self) -> impl Iterator<Item = (&'static str, Count)> + '_ {
        self.cells
            .iter()
            .enumerate()
            .map(|(index, cell)| (event::name(index).unwrap_or("unknown"), cell.load()))
            .filter(|(_, count)| count.seen != 0)
    }

    /// Numbers without a name that came, and how often.
    pub(crate) fn unknown(&self) -> impl Iterator<Item = (u32, u64)> + '_ {
        self.unknown
            .iter()
            .map(|entry| (entry.number.load(Relaxed), entry.seen.load(Relaxed)))
            .filter(|(number, _)| *number != 0)
    }

    /// Notifiers that fired, and how often.
    pub(crate) fn notifiers(&self) -> impl Iterator<Item = (u32, u64)> + '_ {
        (0..)
            .zip(self.notifiers.iter().map(|count| count.load(Relaxed)))
            .filter(|(_, count)| *count != 0)
    }
}
