// SPDX-License-Identifier: GPL-2.0

//! Counts: what exists now, what happened so far, what was refused.
//!
//! ```json
//! { "live":     { "clients": 1, "objects": 2, "vgpus": 0, ... },
//!   "refusals": { "queue-checksum": 1 },
//!   "counts":   { "rpc": 12, "mmio-read": 345, ... },
//!   "board":    { "wpr2": 1, "gsp": 1, "bus-master": 1 } }
//! ```
//!
//! `live` is what leak tests compare before and after; the keys listed in
//! [`LIVE`] are always present. `board` is what a driver must switch off before
//! it leaves the board to the next one.

use serde_json::{json, Map, Value};
use std::collections::BTreeMap;

/// Live counts that are reported even when zero.
pub const LIVE: &[&str] = &[
    "clients",
    "objects",
    "vgpus",
    "fb-segments",
    "channels",
    "channel-groups",
    "host-channels",
    "vaspaces",
    "events",
];

/// All counts of a board.
#[derive(Debug, Default, Clone)]
pub struct Stats {
    /// Register and memory-window reads by a CPU.
    pub mmio_reads: u64,
    /// Register and memory-window writes by a CPU.
    pub mmio_writes: u64,
    /// Elements put into the status queue.
    pub messages_sent: u64,
    live: BTreeMap<&'static str, i64>,
    counts: BTreeMap<String, u64>,
    refusals: BTreeMap<String, u64>,
}

impl Stats {
    /// One more thing of this sort exists.
    pub fn born(&mut self, what: &'static str) {
        self.adjust(what, 1);
    }

    /// One thing of this sort is gone.
    pub fn gone(&mut self, what: &'static str) {
        self.adjust(what, -1);
    }

    /// Changes a live count by `by`.
    pub fn adjust(&mut self, what: &'static str, by: i64) {
        *self.live.entry(what).or_insert(0) += by;
    }

    /// The number of live things of this sort.
    pub fn live(&self, what: &str) -> i64 {
        self.live.get(what).copied().unwrap_or(0)
    }

    /// Forgets all live things: the firmware that kept them is gone.
    pub fn reset_live(&mut self) {
        self.live.clear();
    }

    /// Something happened once more.
    pub fn count(&mut self, what: &str) {
        self.add(what, 1);
    }

    /// Something happened `n` times more.
    pub fn add(&mut self, what: &str, n: u64) {
        match self.counts.get_mut(what) {
            Some(have) => *have += n,
            None => {
                self.counts.insert(what.to_owned(), n);
            }
        }
    }

    /// How often something happened.
    pub fn counted(&self, what: &str) -> u64 {
        self.counts.get(what).copied().unwrap_or(0)
    }

    /// A refusal of this kind.
    pub fn refused(&mut self, kind: &str) {
        *self.refusals.entry(kind.to_owned()).or_insert(0) += 1;
    }

    /// Number of refusals of one kind.
    pub fn refusals_of(&self, kind: &str) -> u64 {
        self.refusals.get(kind).copied().unwrap_or(0)
    }

    /// Number of refusals of any kind.
    pub fn refusals(&self) -> u64 {
        self.refusals.values().sum()
    }

    /// Everything as JSON text, with what is switched on on the board.
    pub fn json(&self, board: &[(&str, bool)]) -> String {
        let mut live: Map<String, Value> =
            LIVE.iter().map(|k| ((*k).to_owned(), json!(0))).collect();
        live.extend(self.live.iter().map(|(k, v)| ((*k).to_owned(), json!(v))));
        let mut counts: Map<String, Value> = self
            .counts
            .iter()
            .map(|(k, v)| (k.clone(), json!(v)))
            .collect();
        counts.insert("message-sent".to_owned(), json!(self.messages_sent));
        counts.insert("mmio-read".to_owned(), json!(self.mmio_reads));
        counts.insert("mmio-write".to_owned(), json!(self.mmio_writes));
        let board: Map<String, Value> = board
            .iter()
            .map(|&(name, on)| (name.to_owned(), json!(u8::from(on))))
            .collect();
        json!({
            "live": live, "refusals": self.refusals, "counts": counts, "board": board,
        })
        .to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_has_all_live_keys() {
        let mut s = Stats::default();
        s.born("clients");
        s.refused("queue-checksum");
        s.count("rpc");
        let v: Value = serde_json::from_str(&s.json(&[("wpr2", true)])).unwrap();
        assert_eq!(v["live"]["clients"], 1);
        assert_eq!(v["live"]["channels"], 0);
        assert_eq!(v["refusals"]["queue-checksum"], 1);
        assert_eq!(v["counts"]["rpc"], 1);
        assert_eq!(v["board"]["wpr2"], 1);
    }
}
