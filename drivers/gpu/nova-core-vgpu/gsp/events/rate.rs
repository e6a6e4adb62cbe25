// SPDX-License-Identifier: GPL-2.0

//! Too often: when something becomes a storm, and when the log has had enough of it.
//!
//! ```text
//!   Storm   |x    x     x  xxx|   N hits within the window: true, once per storm
//!   Limit   |LLLL.......|LL..|    N lines per window, the others counted for the next line
//! ```
//!
//! Times are in ns of any clock that does not go backwards.
//!
//! Pure: also compiled on the host by `tools/testing/host-tests`.

/// Notices `N` hits within a window.
pub(crate) struct Storm<const N: usize> {
    window: u64,
    times: [u64; N],
    hits: u64,
    over: bool,
}

impl<const N: usize> Storm<N> {
    /// No hits so far; `window` in ns.
    pub(crate) const fn new(window: u64) -> Self {
        assert!(N > 0);
        Self {
            window,
            times: [0; N],
            hits: 0,
            over: false,
        }
    }

    /// Notes a hit at `now`; true for the hit that makes a storm of the last `N`. The next storm
    /// begins when this one has ended.
    pub(crate) fn hit(&mut self, now: u64) -> bool {
        // CAST: Below `N`.
        let index = (self.hits % N as u64) as usize;
        if let Some(time) = self.times.get_mut(index) {
            *time = now;
        }
        self.hits = self.hits.saturating_add(1);

        let oldest = self.times.get((index + 1) % N).copied().unwrap_or(now);
        let was = self.over;
        self.over = self.hits >= N as u64 && now.saturating_sub(oldest) <= self.window;
        self.over && !was
    }
}

/// Lets `N` lines through per window.
pub(crate) struct Limit<const N: u32> {
    window: u64,
    start: u64,
    used: u32,
    held_back: u64,
}

impl<const N: u32> Limit<N> {
    /// Nothing used; `window` in ns.
    pub(crate) const fn new(window: u64) -> Self {
        assert!(N > 0);
        Self {
            window,
            start: 0,
            used: 0,
            held_back: 0,
        }
    }

    /// Asks for a line at `now`: `None` when it must not be printed, else how many were held back
    /// since the last one.
    pub(crate) fn ask(&mut self, now: u64) -> Option<u64> {
        if self.used == 0 || now.saturating_sub(self.start) > self.window {
            self.start = now;
            self.used = 0;
        }
        if self.used == N {
            self.held_back = self.held_back.saturating_add(1);
            return None;
        }
        self.used += 1;
        Some(core::mem::take(&mut self.held_back))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn storm_is_reported_once() {
        let mut storm = Storm::<3>::new(10);
        let hits = [0, 5, 10, 11, 12, 40, 41, 50, 51];
        let seen: Vec<_> = hits.into_iter().filter(|now| storm.hit(*now)).collect();
        assert_eq!(seen, [10, 50]);
    }

    #[test]
    fn slow_hits_are_no_storm() {
        let mut storm = Storm::<3>::new(10);
        assert!(!(0..100).any(|i| storm.hit(i * 6)));
    }

    #[test]
    fn one_hit_can_be_a_storm() {
        let mut storm = Storm::<1>::new(10);
        assert!(storm.hit(3));
        assert!(!storm.hit(4));
    }

    #[test]
    fn log_is_limited_and_says_so() {
        let mut limit = Limit::<2>::new(10);
        let asked: Vec<_> = [0, 1, 2, 10, 11, 12, 13].map(|now| limit.ask(now)).into();
        assert_eq!(
            asked,
            [Some(0), Some(0), None, None, Some(2), Some(0), None]
        );
    }

    #[test]
    fn clock_that_goes_backwards_does_no_harm() {
        let mut limit = Limit::<1>::new(10);
        assert_eq!(limit.ask(100), Some(0));
        assert_eq!(limit.ask(50), None);
        let mut storm = Storm::<2>::new(10);
        assert!(!storm.hit(100));
        assert!(storm.hit(50));
    }
}
