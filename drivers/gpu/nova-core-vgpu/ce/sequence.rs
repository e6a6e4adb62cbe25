// SPDX-License-Identifier: GPL-2.0

//! Numbers of the pieces of work on a channel.
//!
//! ```text
//!   issue:   number n -> slot (n - 1) % entries of the ring; the engine writes n to the semaphore
//!   observe: semaphore says n -> everything up to n is done
//!
//!        done            issued
//!   ------|--- in flight ---|------------> numbers, wrapping at 2^32
//!         at most entries - 1: a full ring would look empty
//! ```
//!
//! The semaphore is in memory that hardware writes to: a value that was never issued is refused.
//!
//! Pure: also compiled on the host by `tools/testing/host-tests`.

/// A piece of work with a number and a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Issued {
    /// What the semaphore will say.
    pub(crate) number: u32,
    /// Entry of the ring.
    pub(crate) slot: u32,
    /// Count of entries for USERD once this one is written.
    pub(crate) put: u32,
}

/// The semaphore holds a number that was not issued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bogus(pub(crate) u32);

/// The numbers of one channel. `ENTRIES` is a power of two.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sequence<const ENTRIES: u32> {
    issued: u32,
    done: u32,
}

impl<const ENTRIES: u32> Sequence<ENTRIES> {
    /// Of a new channel, whose semaphore is 0.
    pub(crate) const fn new() -> Self {
        const { assert!(ENTRIES.is_power_of_two() && ENTRIES >= 2) };
        Self { issued: 0, done: 0 }
    }

    /// Pieces in flight.
    pub(crate) const fn in_flight(&self) -> u32 {
        self.issued.wrapping_sub(self.done)
    }

    /// Count of entries for USERD as of the last number.
    pub(crate) const fn put(&self) -> u32 {
        self.issued % ENTRIES
    }

    /// The next number; `None` while the ring is full.
    pub(crate) fn issue(&mut self) -> Option<Issued> {
        if self.in_flight() >= ENTRIES - 1 {
            return None;
        }
        let slot = self.issued % ENTRIES;
        self.issued = self.issued.wrapping_add(1);
        Some(Issued {
            number: self.issued,
            slot,
            put: self.put(),
        })
    }

    /// Takes a value of the semaphore. Returns how many pieces are done that were not before.
    pub(crate) fn observe(&mut self, value: u32) -> Result<u32, Bogus> {
        let news = value.wrapping_sub(self.done);
        if news > self.in_flight() {
            return Err(Bogus(value));
        }
        self.done = value;
        Ok(news)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_and_slots() {
        let mut s = Sequence::<4>::new();
        let issued = |number, slot, put| Some(Issued { number, slot, put });
        assert_eq!(s.issue(), issued(1, 0, 1));
        assert_eq!(s.issue(), issued(2, 1, 2));
        assert_eq!(s.issue(), issued(3, 2, 3));
        assert_eq!(s.issue(), None, "a full ring would look empty");
        assert_eq!(s.observe(0), Ok(0));
        assert_eq!(s.observe(2), Ok(2));
        assert_eq!(s.issue(), issued(4, 3, 0));
        assert_eq!(s.in_flight(), 2);
        assert_eq!(s.observe(5), Err(Bogus(5)));
        assert_eq!(s.observe(1), Err(Bogus(1)), "back in time");
        assert_eq!(s.observe(4), Ok(2));
        assert_eq!(s.in_flight(), 0);
    }

    #[test]
    fn numbers_wrap() {
        let mut s = Sequence::<8> {
            issued: u32::MAX - 1,
            done: u32::MAX - 1,
        };
        assert_eq!(s.issue().map(|i| (i.number, i.slot)), Some((u32::MAX, 6)));
        assert_eq!(s.issue().map(|i| (i.number, i.slot)), Some((0, 7)));
        assert_eq!(s.issue().map(|i| (i.number, i.slot)), Some((1, 0)));
        assert_eq!(s.observe(0), Ok(2));
        assert_eq!(s.observe(u32::MAX), Err(Bogus(u32::MAX)));
        assert_eq!(s.observe(1), Ok(1));
    }

    proptest! {
        /// Whatever the order, put never meets get, slots follow each other and the count is right.
        #[test]
        fn follows_a_plain_queue(steps in proptest::collection::vec(any::<(bool, u32)>(), 0..400)) {
            let mut s = Sequence::<16> { issued: u32::MAX - 50, done: u32::MAX - 50 };
            let mut queue = std::collections::VecDeque::new();
            let mut slot = s.issued % 16;
            for (issue, value) in steps {
                if issue {
                    match s.issue() {
                        Some(i) => {
                            prop_assert_eq!(i.slot, slot);
                            slot = (slot + 1) % 16;
                            prop_assert_eq!(i.put, slot);
                            queue.push_back(i.number);
                            prop_assert!(queue.len() < 16);
                        }
                        None => prop_assert_eq!(queue.len(), 15),
                    }
                } else if let Some(at) = queue.iter().position(|n| *n == value) {
                    prop_assert_eq!(s.observe(value), Ok(at as u32 + 1));
                    queue.drain(..=at);
                } else if !queue.is_empty() {
                    let at = value as usize % queue.len();
                    let number = queue[at];
                    prop_assert_eq!(s.observe(number), Ok(at as u32 + 1));
                    queue.drain(..=at);
                } else if value != s.done {
                    prop_assert_eq!(s.observe(value), Err(Bogus(value)));
                }
                prop_assert_eq!(s.in_flight() as usize, queue.len());
            }
        }
    }
}
