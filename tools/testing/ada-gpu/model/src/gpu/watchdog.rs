// SPDX-License-Identifier: GPL-2.0

//! Interrupts of the PF that nobody takes care of.
//!
//! ```text
//! vector latched and enabled --watch()--> since when
//!     cleared in time                     forgotten
//!     after interrupt-timeout             interrupt-not-rearmed  subtree is off
//!                                         interrupt-unserviced   subtree is on
//! ```
//!
//! Each is told once until the vector is cleared. A vector whose message was lost
//! on purpose is not the driver's fault.

use super::Gpu;
use std::collections::BTreeMap;

/// Since when each vector waits; `None` once that was told, or is excused.
#[derive(Debug, Default)]
pub(super) struct Waiting(BTreeMap<u32, Option<u64>>);

impl Waiting {
    /// The vectors of a subtree need not be serviced.
    pub(super) fn excuse(&mut self, subtree: u32) {
        self.0
            .iter_mut()
            .filter(|(v, _)| **v / 64 == subtree)
            .for_each(|(_, since)| *since = None);
    }
}

impl Gpu {
    /// Brings the list of waiting vectors up to date, after the tree has changed.
    pub(super) fn watch(&mut self) {
        if self.waiting.0.is_empty() && self.pf_func.waiting().next().is_none() {
            return;
        }
        let now = self.board.host.now_ns();
        let mut waiting = BTreeMap::new();
        for v in self.pf_func.waiting() {
            waiting.insert(v, self.waiting.0.get(&v).copied().unwrap_or(Some(now)));
        }
        self.waiting.0 = waiting;
    }

    /// When the next vector will have waited too long.
    pub(super) fn overdue_ns(&self) -> Option<u64> {
        let first = self.waiting.0.values().flatten().min()?;
        Some(first.saturating_add(self.board.config.interrupt_timeout_ns))
    }

    /// Tells of the vectors that have waited too long.
    pub(super) fn tell_overdue(&mut self, now: u64) {
        if self.overdue_ns().is_none_or(|t| now < t) {
            return;
        }
        let limit = self.board.config.interrupt_timeout_ns;
        for (vector, since) in &mut self.waiting.0 {
            let Some(start) = since.filter(|t| now.saturating_sub(*t) >= limit) else {
                continue;
            };
            *since = None;
            let kind = if self.pf_func.subtree_enabled(*vector) {
                "interrupt-unserviced"
            } else {
                "interrupt-not-rearmed"
            };
            self.board.refuse(
                kind,
                format_args!("vector {vector} since {} ms", (now - start) / 1_000_000),
            );
        }
    }
}
