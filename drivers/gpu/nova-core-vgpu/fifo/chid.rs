// SPDX-License-Identifier: GPL-2.0

//! Channel-ID pool, keyed by runlist.
//!
//! ```text
//!              0   1        64       128                                   2048
//!   runlist 0  |GSP|  host  | vGPU 1 | vGPU 2 |           free                |
//!   runlist 1  |GSP|  host  | vGPU 1 | vGPU 2 |           free                |
//!   …          same range on every runlist, reserved on all of them or on none
//! ```
//!
//! With SR-IOV mode on, GSP-RM counts channel IDs per runlist on Ada (OGKM 570.144
//! `kernel_fifo_init.c`, per-runlist channel RAM), so a channel is named by (runlist, id) and each
//! runlist has its own table here. A vGPU gets one range, the same on all runlists, because
//! BOOTLOAD takes one offset per engine and the guest expects its IDs to start at 0 everywhere.
//! Sizes are powers of two and ranges are naturally aligned, as the host resource manager does it
//! (OGKM 570.144 `kernel_vgpu_mgr.c`).
//!
//! Pure: also compiled on the host by `tools/testing/host-tests`.

use core::ops::{DerefMut, Range};

/// Most channel IDs a runlist can have (`NV_CHRAM_CHANNEL__SIZE_1`, OGKM 570.144
/// `ampere/ga100/dev_runlist.h`).
pub(crate) const MAX_CHANNELS: u32 = 2048;

const WORDS: usize = MAX_CHANNELS as usize / 64;

/// Why the pool refused. Nothing has changed in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ChidError {
    /// Count is zero, not a power of two or beyond the pool; or the range is outside of it.
    Invalid,
    /// No free range of that size exists on all runlists.
    NoSpace,
    /// The range is not reserved in full.
    NotFound,
}

/// The IDs of one runlist: one bit each.
#[derive(Clone, Debug)]
pub(crate) struct Runlist {
    id: u32,
    channels: u32,
    /// Kept by GSP-RM or by the host driver, never given to a vGPU.
    excluded: [u64; WORDS],
    used: [u64; WORDS],
}

impl Runlist {
    /// A runlist with number `id` and `channels` IDs.
    pub(crate) fn new(id: u32, channels: u32) -> Result<Self, ChidError> {
        if channels == 0 || channels > MAX_CHANNELS {
            return Err(ChidError::Invalid);
        }
        Ok(Self {
            id,
            channels,
            excluded: [0; WORDS],
            used: [0; WORDS],
        })
    }

    /// Runlist number as in the device-info table.
    pub(crate) fn id(&self) -> u32 {
        self.id
    }

    /// Number of IDs this runlist has.
    pub(crate) fn channels(&self) -> u32 {
        self.channels
    }

    /// Number of IDs held by vGPUs.
    pub(crate) fn used(&self) -> u32 {
        count(&self.used)
    }

    /// Number of IDs that vGPUs can never have.
    pub(crate) fn excluded(&self) -> u32 {
        count(&self.excluded)
    }

    fn is_free(&self, ids: &Range<u32>) -> bool {
        ids.end <= self.channels
            && ids
                .clone()
                .all(|id| !get(&self.excluded, id) && !get(&self.used, id))
    }
}

fn count(words: &[u64; WORDS]) -> u32 {
    words.iter().map(|w| w.count_ones()).sum()
}

fn get(words: &[u64; WORDS], id: u32) -> bool {
    words[id as usize / 64] >> (id % 64) & 1 != 0
}

fn set(words: &mut [u64; WORDS], ids: &Range<u32>, value: bool) {
    for id in ids.clone() {
        let (word, bit) = (id as usize / 64, 1u64 << (id % 64));
        if value {
            words[word] |= bit;
        } else {
            words[word] &= !bit;
        }
    }
}

/// The pool over all runlists; `R` owns the table (a `KVec` in the driver).
pub(crate) struct Pool<R: DerefMut<Target = [Runlist]>> {
    runlists: R,
}

impl<R: DerefMut<Target = [Runlist]>> Pool<R> {
    /// A pool over `runlists` in which the IDs of `excluded` are never handed out.
    ///
    /// # Errors
    ///
    /// `Invalid` if there is no runlist, a number appears twice, or `excluded` is out of range.
    pub(crate) fn new(mut runlists: R, excluded: &[Range<u32>]) -> Result<Self, ChidError> {
        for (i, runlist) in runlists.iter().enumerate() {
            if runlists[..i].iter().any(|other| other.id == runlist.id) {
                return Err(ChidError::Invalid);
            }
        }
        for runlist in runlists.iter_mut() {
            for ids in excluded {
                if ids.end > runlist.channels {
                    return Err(ChidError::Invalid);
                }
                set(&mut runlist.excluded, ids, true);
            }
        }
        if runlists.is_empty() {
            return Err(ChidError::Invalid);
        }
        Ok(Self { runlists })
    }

    /// Reserves `count` IDs, the same ones on every runlist.
    pub(crate) fn reserve(&mut self, count: u32) -> Result<Range<u32>, ChidError> {
        if !count.is_power_of_two() || count > self.limit() {
            return Err(ChidError::Invalid);
        }
        let mut base = 0;
        while base + count <= self.limit() {
            let ids = base..base + count;
            if self.runlists.iter().all(|r| r.is_free(&ids)) {
                for runlist in self.runlists.iter_mut() {
                    set(&mut runlist.used, &ids, true);
                }
                return Ok(ids);
            }
            base += count;
        }
        Err(ChidError::NoSpace)
    }

    /// Gives back a range on every runlist.
    pub(crate) fn release(&mut self, ids: &Range<u32>) -> Result<(), ChidError> {
        if ids.is_empty() || ids.end > self.limit() {
            return Err(ChidError::Invalid);
        }
        let whole = |r: &Runlist| ids.clone().all(|id| get(&r.used, id));
        if !self.runlists.iter().all(whole) {
            return Err(ChidError::NotFound);
        }
        for runlist in self.runlists.iter_mut() {
            set(&mut runlist.used, ids, false);
        }
        Ok(())
    }

    /// Number of IDs that all runlists have.
    pub(crate) fn limit(&self) -> u32 {
        self.runlists.iter().map(|r| r.channels).min().unwrap_or(0)
    }

    /// Number of IDs that vGPUs can share: `limit` without the excluded ones.
    pub(crate) fn available(&self) -> u32 {
        (0..self.limit())
            .filter(|&id| self.runlists.iter().all(|r| !get(&r.excluded, id)))
            .count() as u32
    }

    /// Number of IDs free on all runlists now.
    pub(crate) fn free(&self) -> u32 {
        (0..self.limit())
            .filter(|&id| self.runlists.iter().all(|r| r.is_free(&(id..id + 1))))
            .count() as u32
    }

    /// The runlists.
    pub(crate) fn runlists(&self) -> &[Runlist] {
        &self.runlists
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::slice;

    fn pool(channels: &[u32], excluded: &[Range<u32>]) -> Pool<Vec<Runlist>> {
        let runlists = channels
            .iter()
            .enumerate()
            .map(|(i, &n)| Runlist::new(i as u32 * 3, n).unwrap())
            .collect();
        Pool::new(runlists, excluded).unwrap()
    }

    #[test]
    fn natural_alignment_above_the_excluded_ids() {
        let mut p = pool(&[2048, 2048], &[0..1, 1..64]);
        assert_eq!(p.available(), 1984);
        assert_eq!(p.reserve(64), Ok(64..128));
        assert_eq!(p.reserve(512), Ok(512..1024));
        assert_eq!(p.reserve(32), Ok(128..160));
        assert_eq!(p.reserve(1024), Ok(1024..2048));
        assert_eq!(p.reserve(1024), Err(ChidError::NoSpace));
        assert_eq!(p.free(), 1984 - 64 - 512 - 32 - 1024);
        for r in p.runlists() {
            assert_eq!(r.used(), 64 + 512 + 32 + 1024);
            assert_eq!(r.excluded(), 64);
        }
    }

    #[test]
    fn every_share_of_the_pool_fits_as_often_as_promised() {
        for instances in 1..=32u32 {
            let mut p = pool(&[2048; 9], slice::from_ref(&(0..64)));
            let share = p.available() / instances;
            let count = 1 << (31 - share.leading_zeros());
            for i in 0..instances {
                assert!(
                    p.reserve(count).is_ok(),
                    "{instances} instances, number {i}"
                );
            }
        }
    }

    #[test]
    fn all_runlists_or_none() {
        let mut p = pool(&[2048, 2048, 2048], &[]);
        // One runlist has a hole less: the same range must be free on all of them.
        set(&mut p.runlists[1].used, &(0..1), true);
        assert_eq!(p.reserve(256), Ok(256..512));
        assert_eq!(p.runlists()[0].used(), 256);
        assert_eq!(p.runlists()[1].used(), 257);
        set(&mut p.runlists[2].used, &(512..2048), true);
        assert_eq!(p.reserve(256), Err(ChidError::NoSpace));
        assert_eq!(p.runlists()[0].used(), 256);
    }

    #[test]
    fn the_smallest_runlist_limits() {
        let mut p = pool(&[2048, 512], slice::from_ref(&(0..1)));
        assert_eq!(p.limit(), 512);
        assert_eq!(p.reserve(256), Ok(256..512));
        assert_eq!(p.reserve(256), Err(ChidError::NoSpace));
        assert_eq!(p.reserve(1024), Err(ChidError::Invalid));
    }

    #[test]
    fn release_is_exact() {
        let mut p = pool(&[2048, 2048], slice::from_ref(&(0..64)));
        let ids = p.reserve(128).unwrap();
        assert_eq!(
            p.release(&(ids.start..ids.end + 1)),
            Err(ChidError::NotFound)
        );
        assert_eq!(p.release(&(0..1)), Err(ChidError::NotFound));
        assert_eq!(p.release(&(0..4096)), Err(ChidError::Invalid));
        assert_eq!(p.release(&(5..5)), Err(ChidError::Invalid));
        assert_eq!(p.release(&ids), Ok(()));
        assert_eq!(p.release(&ids), Err(ChidError::NotFound));
        assert_eq!(p.free(), 1984);
    }

    #[test]
    fn bad_counts_and_tables() {
        let mut p = pool(&[2048], &[]);
        assert_eq!(p.reserve(0), Err(ChidError::Invalid));
        assert_eq!(p.reserve(3), Err(ChidError::Invalid));
        assert_eq!(p.reserve(4096), Err(ChidError::Invalid));
        assert!(Runlist::new(0, 0).is_err());
        assert!(Runlist::new(0, 2049).is_err());
        assert!(Pool::new(Vec::new(), &[]).is_err());
        let twice = vec![Runlist::new(1, 64).unwrap(), Runlist::new(1, 64).unwrap()];
        assert!(Pool::new(twice, &[]).is_err());
        assert!(Pool::new(
            vec![Runlist::new(1, 64).unwrap()],
            slice::from_ref(&(0..65))
        )
        .is_err());
    }
}
