// SPDX-License-Identifier: GPL-2.0

//! Messages on their way to the driver, and the time GSP-RM takes for them.
//!
//! ```text
//! reply, event -> Message { ready_ns, elements } -> due, in order of ready_ns
//!     -> element by element into the status queue; one message at a time, so that
//!        its continuation records stay behind it
//!
//! thread 0  |--- control A ---|                 firmware-threads = 2: A and B at
//! thread 1  |- control B -|- control C -|       once, C behind B; B's answer comes
//!                                               before A's
//! ```
//!
//! Answers leave in the order in which their work ends, as nothing in the protocol
//! ties them to the order of the requests but the sequence number.

use super::element::{Element, MAX_PAYLOAD};
use super::function::CONTINUATION_RECORD;
use std::collections::VecDeque;

/// Header words of a message: function, result, RPC sequence, spare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// RPC function or event number.
    pub function: u32,
    /// `rpc_result`.
    pub result: u32,
    /// RPC sequence word.
    pub rpc_sequence: u32,
    /// Spare word.
    pub spare: u32,
}

#[derive(Debug)]
struct Message {
    ready_ns: u64,
    elements: VecDeque<Element>,
}

/// What waits to be sent.
#[derive(Debug, Default)]
pub struct Outgoing {
    waiting: VecDeque<Message>,
    /// The first elements of this one are in the queue already.
    partly: Option<Message>,
}

impl Outgoing {
    /// Adds a message that may be sent at `ready_ns`.
    pub fn push(&mut self, ready_ns: u64, header: Header, mut payload: Vec<u8>) {
        let mut elements = VecDeque::new();
        let mut function = header.function;
        loop {
            let rest = payload.split_off(payload.len().min(MAX_PAYLOAD));
            elements.push_back(Element {
                function,
                result: [header.result; 2],
                rpc_sequence: header.rpc_sequence,
                spare: header.spare,
                payload,
            });
            if rest.is_empty() {
                break;
            }
            payload = rest;
            function = CONTINUATION_RECORD;
        }
        // Behind all that are ready no later: equal times keep their order.
        let at = self.waiting.partition_point(|m| m.ready_ns <= ready_ns);
        self.waiting.insert(at, Message { ready_ns, elements });
    }

    /// The element to send at `now`, if one is due.
    pub fn due(&mut self, now: u64) -> Option<&Element> {
        if self.partly.is_none() && self.waiting.front()?.ready_ns <= now {
            self.partly = self.waiting.pop_front();
        }
        self.partly.as_ref()?.elements.front()
    }

    /// Takes the element [`Outgoing::due`] gave.
    pub fn take(&mut self) -> Option<Element> {
        let message = self.partly.as_mut()?;
        let element = message.elements.pop_front();
        if message.elements.is_empty() {
            self.partly = None;
        }
        element
    }

    /// When the next message is due.
    pub fn next_ns(&self) -> Option<u64> {
        self.waiting.front().map(|m| m.ready_ns)
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Outgoing::default();
    }
}

/// The threads GSP-RM works with: until when each is busy.
#[derive(Debug, Default)]
pub struct Threads(Vec<u64>);

impl Threads {
    /// Work of `ns` that arrives at `now`, with `count` threads: when it ends.
    pub fn work(&mut self, now: u64, ns: u64, count: usize) -> u64 {
        if ns == 0 {
            return now;
        }
        // A thread that ended is as good as none.
        self.0.retain(|t| *t > now);
        if self.0.len() < count.max(1) {
            let end = now.saturating_add(ns);
            self.0.push(end);
            return end;
        }
        match self.0.iter_mut().min() {
            Some(t) => {
                *t = t.saturating_add(ns);
                *t
            }
            None => now,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(function: u32) -> Header {
        Header {
            function,
            result: 0,
            rpc_sequence: 0,
            spare: 0,
        }
    }

    fn sent(o: &mut Outgoing, now: u64) -> Vec<u32> {
        let mut all = Vec::new();
        while o.due(now).is_some() {
            all.extend(o.take().map(|e| e.function));
        }
        all
    }

    #[test]
    fn order_is_that_of_the_ends() {
        let mut o = Outgoing::default();
        for (ready, function) in [(30, 1), (10, 2), (20, 3), (10, 4)] {
            o.push(ready, header(function), vec![]);
        }
        assert!(sent(&mut o, 9).is_empty());
        assert_eq!(o.next_ns(), Some(10));
        assert_eq!(sent(&mut o, 25), [2, 4, 3]);
        assert_eq!(sent(&mut o, 30), [1]);
        assert_eq!(o.next_ns(), None);
    }

    #[test]
    fn a_long_message_is_not_interrupted() {
        let mut o = Outgoing::default();
        o.push(20, header(1), vec![0; 2 * MAX_PAYLOAD + 1]);
        o.push(30, header(2), vec![]);
        o.due(20).unwrap();
        o.take().unwrap();
        // Earlier than the rest of the first, but too late to go before it.
        o.push(5, header(3), vec![]);
        assert_eq!(
            sent(&mut o, 30),
            [CONTINUATION_RECORD, CONTINUATION_RECORD, 3, 2]
        );
    }

    #[test]
    fn threads_overlap_and_then_queue() {
        let mut t = Threads::default();
        assert_eq!(t.work(0, 0, 1), 0);
        assert_eq!(t.work(0, 10, 2), 10);
        assert_eq!(t.work(0, 4, 2), 4);
        assert_eq!(t.work(0, 4, 2), 8);
        assert_eq!(t.work(9, 4, 2), 13);
        let mut one = Threads::default();
        let ends: Vec<_> = (0..3).map(|_| one.work(0, 5, 1)).collect();
        assert_eq!(ends, [5, 10, 15]);
    }
}
