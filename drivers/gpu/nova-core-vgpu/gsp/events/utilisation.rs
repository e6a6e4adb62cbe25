// SPDX-License-Identifier: GPL-2.0

//! Who uses the engines, from the samples that GSP sends.
//!
//! ```text
//!   message: ring of samples ─▶ only those newer than the newest so far
//!                              ─▶ entry of (process, process in the VM), per engine: last, sum, max
//!   no entry is free ─▶ that of who was not seen for the longest time
//! ```
//!
//! A vGPU is the process that has its VF open. The storage is the caller's.
//!
//! Pure: also compiled on the host by `tools/testing/host-tests`.

use super::super::fw::r570_144::perfmon::{
    UtilSamples,
    ENGINES, //
};

/// Use of one engine, in 1/100 %.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Engine {
    /// In the newest sample in which it was used.
    pub(crate) last: u32,
    /// Largest.
    pub(crate) max: u32,
    /// Of all samples.
    sum: u64,
}

/// What one process used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Process on the host.
    pub(crate) pid: u32,
    /// Process inside of the VM, 0 for a process of the host.
    pub(crate) sub_pid: u32,
    /// Per engine, in the order of [`super::super::fw::r570_144::perfmon::ENGINE_NAMES`].
    pub(crate) engines: [Engine; ENGINES],
    /// Samples since the first one with this process, that one included; 0: the entry is free.
    samples: u64,
    /// Time of the newest sample with this process.
    seen: u64,
}

impl Entry {
    /// Mean use of an engine since the process was first seen, in 1/100 %.
    pub(crate) fn mean(&self, engine: &Engine) -> u64 {
        engine.sum.checked_div(self.samples).unwrap_or(0)
    }
}

/// The table.
pub(crate) struct Utilisation<T> {
    entries: T,
    newest: u64,
    samples: u64,
}

impl<T: AsRef<[Entry]> + AsMut<[Entry]>> Utilisation<T> {
    /// An empty table in `entries`.
    pub(crate) fn new(mut entries: T) -> Self {
        entries.as_mut().fill(Entry::default());
        Self {
            entries,
            newest: 0,
            samples: 0,
        }
    }

    /// Samples so far.
    pub(crate) fn samples(&self) -> u64 {
        self.samples
    }

    /// The entries in use.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.entries.as_ref().iter().filter(|e| e.samples != 0)
    }

    /// Adds what is new in a message.
    pub(crate) fn add(&mut self, samples: &UtilSamples<'_>) {
        let known = self.newest;

        for sample in samples.iter().filter(|s| s.time > known) {
            self.newest = self.newest.max(sample.time);
            self.samples = self.samples.saturating_add(1);
            for entry in self.entries.as_mut().iter_mut().filter(|e| e.samples != 0) {
                entry.samples = entry.samples.saturating_add(1);
            }
            for (index, used) in sample.engines.iter().enumerate() {
                let Some(used) = used else { continue };
                let Some(entry) = self.entry(used.pid, used.sub_pid) else {
                    continue;
                };
                // The ring is not in the order of time.
                let newer = sample.time >= entry.seen;
                entry.seen = entry.seen.max(sample.time);
                if let Some(engine) = entry.engines.get_mut(index) {
                    engine.sum = engine.sum.saturating_add(used.share.into());
                    engine.max = engine.max.max(used.share);
                    if newer {
                        engine.last = used.share;
                    }
                }
            }
        }
    }

    /// The entry of a process, made if need be; `None` if there is room for none.
    fn entry(&mut self, pid: u32, sub_pid: u32) -> Option<&mut Entry> {
        let is = |e: &Entry| e.samples != 0 && (e.pid, e.sub_pid) == (pid, sub_pid);
        let entries = self.entries.as_mut();

        if let Some(index) = entries.iter().position(is) {
            return entries.get_mut(index);
        }
        let entry = entries.iter_mut().min_by_key(|e| e.seen)?;
        *entry = Entry {
            pid,
            sub_pid,
            samples: 1,
            ..Entry::default()
        };
        Some(entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A message with (time, pid, sub pid, use of graphics).
    fn message(samples: &[(u64, u32, u32, u32)]) -> Vec<u8> {
        let mut payload = vec![0; 4048];
        for (i, (time, pid, sub_pid, share)) in samples.iter().enumerate() {
            let at = 0x10 + 0x38 * i;
            payload[at..at + 8].copy_from_slice(&time.to_le_bytes());
            payload[at + 8..at + 0x38].fill(0xff);
            for (j, word) in [share, pid, sub_pid].into_iter().enumerate() {
                payload[at + 0x14 + 4 * j..][..4].copy_from_slice(&word.to_le_bytes());
            }
        }
        payload
    }

    fn add(table: &mut Utilisation<Vec<Entry>>, samples: &[(u64, u32, u32, u32)]) {
        table.add(&UtilSamples::decode(&message(samples)).unwrap());
    }

    fn table(entries: usize) -> Utilisation<Vec<Entry>> {
        Utilisation::new(vec![Entry::default(); entries])
    }

    #[test]
    fn samples_count_once() {
        let mut table = table(4);
        add(&mut table, &[(10, 7, 0, 100), (11, 7, 0, 300)]);
        add(
            &mut table,
            &[(11, 7, 0, 300), (10, 7, 0, 100), (12, 7, 0, 200)],
        );
        assert_eq!(table.samples(), 3);
        let entry = *table.iter().next().unwrap();
        let gr = entry.engines[1];
        assert_eq!((gr.last, gr.max, entry.mean(&gr)), (200, 300, 200));
        assert_eq!(entry.engines[0], Engine::default());
        assert_eq!(table.iter().count(), 1);
    }

    #[test]
    fn idle_time_lowers_the_mean() {
        let mut table = table(4);
        add(
            &mut table,
            &[(1, 7, 0, 1000), (2, u32::MAX, 0, 0), (3, 8, 0, 10)],
        );
        let entry = *table.iter().find(|e| e.pid == 7).unwrap();
        assert_eq!(entry.mean(&entry.engines[1]), 333);
    }

    #[test]
    fn ring_that_has_wrapped() {
        let mut table = table(4);
        add(
            &mut table,
            &[(30, 7, 1, 5), (31, 7, 1, 6), (28, 7, 1, 3), (29, 7, 1, 4)],
        );
        let entry = *table.iter().next().unwrap();
        assert_eq!((table.samples(), entry.engines[1].last), (4, 6));
        assert_eq!((entry.pid, entry.sub_pid), (7, 1));
    }

    #[test]
    fn oldest_makes_room() {
        let mut table = table(2);
        add(
            &mut table,
            &[(1, 1, 0, 5), (2, 2, 0, 5), (3, 1, 0, 5), (4, 3, 0, 5)],
        );
        let mut pids: Vec<_> = table.iter().map(|e| e.pid).collect();
        pids.sort();
        assert_eq!(pids, [1, 3]);
    }

    #[test]
    fn no_room_at_all() {
        let mut table = table(0);
        add(&mut table, &[(1, 1, 0, 5)]);
        assert_eq!((table.samples(), table.iter().count()), (1, 0));
    }
}
