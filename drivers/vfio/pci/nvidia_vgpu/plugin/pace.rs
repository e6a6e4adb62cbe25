// SPDX-License-Identifier: GPL-2.0

//! How often to look at a word of memory that nothing announces.
//!
//! ```text
//!   waited   0 ..... 160 us .......... 32 ms ............ 80 ms ........ the end
//!   pause    20 us   an eighth of what was waited         10 ms
//!            sleeps on a timer, to the end    sleeps on the task's events, may be killed
//! ```
//!
//! An answer is noticed at most an eighth late, and a task that is silent costs a hundred looks a
//! second.
//!
//! Pure: also compiled on the host by `tools/testing/host-tests`.

/// Shortest pause, in microseconds: an access to BAR1 takes about one.
const SHORTEST_US: u64 = 20;
/// Longest pause, in microseconds.
const LONGEST_US: u64 = 10_000;
/// From here on a pause, in microseconds, is worth a place in a wait queue, whose timer counts in
/// jiffies.
const EVENT_US: u64 = 4_000;

/// The next pause of somebody who has waited for `waited_us` and has `left_us` left, both in
/// microseconds.
pub(crate) fn pause_us(waited_us: u64, left_us: u64) -> u64 {
    (waited_us / 8)
        .clamp(SHORTEST_US, LONGEST_US)
        .min(left_us.max(1))
}

/// Whether a pause of `pause_us` is to be ended by events and fatal signals.
pub(crate) fn is_long(pause_us: u64) -> bool {
    pause_us >= EVENT_US
}
