// SPDX-License-Identifier: GPL-2.0

//! Latencies in buckets that double in width.
//!
//! ```text
//!   bucket   0      1      2       3           n                 BUCKETS - 1
//!   ns       0..2   2..4   4..8    8..16  …    2^n .. 2^(n+1)    the rest
//! ```
//!
//! A percentile is the upper end of the bucket that it falls into, so it is at most twice the real
//! value, and never more than the largest value seen.
//!
//! Pure: also compiled on the host by `tools/testing/host-tests`.

/// Number of buckets. The last one begins at 2^39 ns, which is nine minutes.
pub const BUCKETS: usize = 40;

/// The bucket of a latency in ns.
pub fn bucket(ns: u64) -> usize {
    // CAST: Below 64.
    (ns.max(1).ilog2() as usize).min(BUCKETS - 1)
}

/// First latency in ns that is too long for `bucket`; `None` for the last bucket, which has no end.
pub fn end(bucket: usize) -> Option<u64> {
    (bucket + 1 < BUCKETS).then(|| 1 << (bucket + 1))
}

/// What the buckets held at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Histogram {
    /// Latencies in each bucket.
    pub counts: [u64; BUCKETS],
    /// The largest latency in ns.
    pub max: u64,
}

impl Histogram {
    /// Number of latencies.
    pub fn total(&self) -> u64 {
        self.counts
            .iter()
            .fold(0, |sum: u64, n| sum.saturating_add(*n))
    }

    /// The latency in ns that `percent` of 100 do not exceed; `None` when there is none yet.
    pub fn percentile(&self, percent: u64) -> Option<u64> {
        // As many latencies, rounded up, must be found before the search ends.
        let wanted = u128::from(self.total()) * u128::from(percent.min(100));
        let mut seen = 0u128;

        for (index, count) in self.counts.iter().enumerate() {
            seen += u128::from(*count) * 100;
            if *count != 0 && seen >= wanted {
                return Some(end(index).map_or(self.max, |end| (end - 1).min(self.max)));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(latencies: &[u64]) -> Histogram {
        let mut histogram = Histogram {
            counts: [0; BUCKETS],
            max: 0,
        };
        for ns in latencies {
            histogram.counts[bucket(*ns)] += 1;
            histogram.max = histogram.max.max(*ns);
        }
        histogram
    }

    #[test]
    fn buckets_double() {
        assert_eq!((bucket(0), bucket(1), bucket(2), bucket(3)), (0, 0, 1, 1));
        assert_eq!((bucket(1023), bucket(1024)), (9, 10));
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
        for index in 0..BUCKETS - 1 {
            let end = end(index).unwrap();
            assert_eq!((bucket(end - 1), bucket(end)), (index, index + 1));
        }
        assert_eq!(end(BUCKETS - 1), None);
    }

    #[test]
    fn nothing_has_no_percentile() {
        assert_eq!(of(&[]).percentile(50), None);
        assert_eq!(of(&[]).total(), 0);
    }

    #[test]
    fn percentiles_are_ends_of_buckets_but_not_beyond_the_largest() {
        let mut latencies = vec![10; 98];
        latencies.extend([1000, 5000]);
        let histogram = of(&latencies);
        assert_eq!(histogram.percentile(0), Some(15));
        assert_eq!(histogram.percentile(50), Some(15));
        assert_eq!(histogram.percentile(98), Some(15));
        assert_eq!(histogram.percentile(99), Some(1023));
        assert_eq!(histogram.percentile(100), Some(5000));
        assert_eq!(of(&[700]).percentile(50), Some(700));
        assert_eq!(of(&[u64::MAX]).percentile(50), Some(u64::MAX));
    }

    #[test]
    fn counters_at_their_end_do_not_overflow() {
        let histogram = Histogram {
            counts: [u64::MAX; BUCKETS],
            max: u64::MAX,
        };
        assert_eq!(histogram.total(), u64::MAX);
        assert!(histogram.percentile(99).is_some());
    }
}
