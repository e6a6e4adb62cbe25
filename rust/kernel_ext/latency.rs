// SPDX-License-Identifier: GPL-2.0

//! Latencies of what is asked of firmware, counted without a lock.
//!
//! ```text
//!   add(ns) ──▶ one atomic counter per bucket, and the largest ──▶ histogram() ──▶ percentiles
//! ```
//!
//! Nobody waits here. A reader may see a latency that is not yet counted everywhere.

use kernel::sync::atomic::{
    Atomic,
    Relaxed, //
};

pub mod histogram;

use histogram::{
    Histogram,
    BUCKETS, //
};

/// The counters.
pub struct Latencies {
    counts: [Atomic<u64>; BUCKETS],
    max: Atomic<u64>,
}

impl Latencies {
    /// All at zero.
    pub fn new() -> Self {
        Self {
            counts: core::array::from_fn(|_| Atomic::new(0)),
            max: Atomic::new(0),
        }
    }

    /// Counts a latency in ns.
    #[inline(never)]
    pub fn add(&self, ns: u64) {
        if let Some(count) = self.counts.get(histogram::bucket(ns)) {
            count.add(1, Relaxed);
        }
        let mut max = self.max.load(Relaxed);
        while ns > max {
            match self.max.cmpxchg(max, ns, Relaxed) {
                Ok(_) => break,
                Err(now) => max = now,
            }
        }
    }

    /// What was counted up to this moment.
    pub fn histogram(&self) -> Histogram {
        Histogram {
            counts: core::array::from_fn(|i| self.counts.get(i).map_or(0, |n| n.load(Relaxed))),
            max: self.max.load(Relaxed),
        }
    }
}

impl Default for Latencies {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(CONFIG_NOVA_CORE_VGPU_KUNIT)]
#[kernel::prelude::kunit_tests(nova_vgpu_latency)]
mod tests {
    use super::*;

    #[test]
    fn each_one_is_counted_and_the_largest_is_known() {
        let latencies = Latencies::new();

        for ns in [700, 5, 900_000, 5] {
            latencies.add(ns);
        }
        let histogram = latencies.histogram();
        assert_eq!(histogram.total(), 4);
        assert_eq!(histogram.max, 900_000);
        assert_eq!(histogram.percentile(50), Some(7));
    }
}
