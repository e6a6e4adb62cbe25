// SPDX-License-Identifier: GPL-2.0

//! How long the model itself takes, on the clock of the machine it runs on.
//!
//! ```text
//! doorbell  from the write of the queue head, over command, answer and message,
//!           to the end of the write: the floor of any round trip
//! ```
//!
//! Only doorbells whose answer is ready at once count; a delay that a property asks
//! for is no work.

use std::fmt::Write as _;
use std::time::Duration;

/// Samples kept; the oldest make room.
const KEPT: usize = 4096;

/// Durations of the last doorbells.
#[derive(Debug, Default)]
pub(super) struct Times {
    samples: Vec<u64>,
    count: usize,
}

impl Times {
    /// Adds a sample.
    pub(super) fn add(&mut self, t: Duration) {
        let ns = u64::try_from(t.as_nanos()).unwrap_or(u64::MAX);
        match self.samples.get_mut(self.count % KEPT) {
            Some(old) => *old = ns,
            None => self.samples.push(ns),
        }
        self.count += 1;
    }

    /// Forgets all samples.
    pub(super) fn clear(&mut self) {
        *self = Times::default();
    }

    /// One line: number of samples, and nanoseconds.
    pub(super) fn text(&self) -> String {
        let mut sorted = self.samples.clone();
        sorted.sort_unstable();
        let at = |percent: usize| {
            let last = sorted.len().saturating_sub(1);
            sorted.get(last * percent / 100).copied().unwrap_or(0)
        };
        let mut out = String::new();
        let _ = writeln!(
            out,
            "doorbell samples {} min {} p50 {} p99 {} max {}",
            self.count,
            at(0),
            at(50),
            at(99),
            at(100)
        );
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_of_the_last() {
        let mut t = Times::default();
        assert_eq!(t.text(), "doorbell samples 0 min 0 p50 0 p99 0 max 0\n");
        for n in 0..KEPT as u64 + 101 {
            t.add(Duration::from_nanos(n));
        }
        assert_eq!(
            t.text(),
            "doorbell samples 4197 min 101 p50 2148 p99 4155 max 4196\n"
        );
        t.clear();
        assert!(t.text().starts_with("doorbell samples 0"));
    }
}
