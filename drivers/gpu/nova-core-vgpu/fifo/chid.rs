// SPDX-License-Identifier: GPL-2.0

//! Channel-ID pool, keyed by runlist.
//!
//! ```text
//!              0   1        64       128                                   2048
//!   runlist 0  |GSP|  host  | vGPU 1 | vGPU 2 |           free                |
//!   runlist 1  |GSP|  host  | vGPU 1 | vGPU 2 |           free                |
//!   …           |     |      same range on every runlist, reserved on all of them or on none
//!               |     one ID on one runlist, for a channel of this driver
//!               never handed out: GSP-RM may use it
//! ```
//!
//! With SR-IOV mode on, GSP-RM counts channel IDs per runlist on Ada (OGKM 570.144
//! `kernel_fifo_init.c`, per-runlist channel RAM), so a channel is named by (runlist, id) and each
//! runlist has its own table here. A vGPU gets one range, the same on all runlists, because
//! BOOTLOAD takes one offset per engine and the guest expects its IDs to start at 0 everywhere.
//! Sizes are powers of two and ranges are naturally aligned, as the host resource manager does it
//! (OGKM 570.144 `kernel_vgpu_mgr.c`).
//!
//! A range that firmware did not confirm to have let go stays with the owner "quarantine".
//!
//! Pure: also compiled on the host by `tools/testing/host-tests`.

use core::ops::{DerefMut, Range};

/// Most channel IDs a runlist can have (`NV_CHRAM_CHANNEL__SIZE_1`, OGKM 570.144
/// `ampere/ga100/dev_runlist.h`).
pub(crate) const MAX_CHANNELS: u32 = 2048;

const WORDS: usize = MAX_CHANNELS as usize / 64;

/// IDs of a runlist that GSP-RM may keep for its own channels.
const FIRMWARE: Range<u32> = 0..1;
/// IDs for channels of this driver.
const HOST: Range<u32> = FIRMWARE.end..64;

/// Why the pool refused. Nothing has changed in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ChidError {
    /// Count is zero, not a power of two or beyond the pool; there is no such runlist; or the range
    /// is outside of it.
    Invalid,
    /// No free range of that size exists on all runlists, or too many ranges are live.
    NoSpace,
    /// No such range is reserved.
    NotFound,
}

/// Whom a range of IDs belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ChannelOwner {
    /// The PF driver itself.
    #[default]
    Pf,
    /// The vGPU behind this GFID.
    Guest(u32),
    /// A former owner's, out of use because firmware did not confirm that it has let go.
    Quarantine,
}

/// A range of IDs that is handed out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lease {
    start: u32,
    /// Excluded. Equal to `start` in an entry of the table that is not in use.
    end: u32,
    /// On this runlist; `None`: on all of them.
    runlist: Option<u32>,
    owner: ChannelOwner,
}

impl Lease {
    /// The IDs.
    pub(crate) fn ids(&self) -> Range<u32> {
        self.start..self.end
    }

    /// The runlist that the IDs are on; `None`: all of them.
    pub(crate) fn runlist(&self) -> Option<u32> {
        self.runlist
    }

    /// Whose they are.
    pub(crate) fn owner(&self) -> ChannelOwner {
        self.owner
    }

    fn is_live(&self) -> bool {
        self.start != self.end
    }

    fn is_on(&self, runlist: u32) -> bool {
        self.runlist.is_none_or(|id| id == runlist)
    }
}

/// The IDs of one runlist: one bit each.
#[derive(Clone, Debug)]
pub(crate) struct Runlist {
    id: u32,
    channels: u32,
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

    /// Number of IDs that are handed out.
    pub(crate) fn used(&self) -> u32 {
        self.used.iter().map(|w| w.count_ones()).sum()
    }

    fn is_free(&self, ids: &Range<u32>) -> bool {
        ids.end <= self.channels && ids.clone().all(|id| !get(&self.used, id))
    }
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

/// The pool over all runlists; `R` and `L` own the tables (a `KVec` in the driver).
pub(crate) struct Pool<R: DerefMut<Target = [Runlist]>, L: DerefMut<Target = [Lease]>> {
    runlists: R,
    leases: L,
}

impl<R: DerefMut<Target = [Runlist]>, L: DerefMut<Target = [Lease]>> Pool<R, L> {
    /// A pool over `runlists`. `leases` bounds how many ranges can be live; its content is
    /// ignored.
    ///
    /// # Errors
    ///
    /// `Invalid` if there is no runlist, a number appears twice, or a runlist has no IDs beyond
    /// those of firmware and of this driver.
    pub(crate) fn new(runlists: R, mut leases: L) -> Result<Self, ChidError> {
        for (i, runlist) in runlists.iter().enumerate() {
            let twice = runlists[..i].iter().any(|other| other.id == runlist.id);
            if twice || runlist.channels <= HOST.end {
                return Err(ChidError::Invalid);
            }
        }
        if runlists.is_empty() {
            return Err(ChidError::Invalid);
        }
        leases.fill(Lease::default());
        Ok(Self { runlists, leases })
    }

    /// Reserves `count` IDs for a vGPU, the same ones on every runlist.
    pub(crate) fn reserve(
        &mut self,
        count: u32,
        owner: ChannelOwner,
    ) -> Result<Range<u32>, ChidError> {
        if !count.is_power_of_two() || count > self.limit() {
            return Err(ChidError::Invalid);
        }
        // Both are powers of two, so the alignment is kept.
        let mut base = HOST.end.next_multiple_of(count);
        while base + count <= self.limit() {
            let ids = base..base + count;
            if self.runlists.iter().all(|r| r.is_free(&ids)) {
                return self.lease(ids, None, owner);
            }
            base += count;
        }
        Err(ChidError::NoSpace)
    }

    /// Reserves an ID for a channel of this driver on `runlist`.
    pub(crate) fn reserve_host(&mut self, runlist: u32) -> Result<u32, ChidError> {
        let table = self
            .runlists
            .iter()
            .find(|r| r.id == runlist)
            .ok_or(ChidError::Invalid)?;
        let id = HOST
            .into_iter()
            .find(|&id| table.is_free(&(id..id + 1)))
            .ok_or(ChidError::NoSpace)?;
        self.lease(id..id + 1, Some(runlist), ChannelOwner::Pf)?;
        Ok(id)
    }

    fn lease(
        &mut self,
        ids: Range<u32>,
        runlist: Option<u32>,
        owner: ChannelOwner,
    ) -> Result<Range<u32>, ChidError> {
        let entry = self.leases.iter_mut().find(|l| !l.is_live());
        let entry = entry.ok_or(ChidError::NoSpace)?;
        *entry = Lease {
            start: ids.start,
            end: ids.end,
            runlist,
            owner,
        };
        let lease = *entry;
        self.mark(&lease, true);
        Ok(ids)
    }

    fn mark(&mut self, lease: &Lease, used: bool) {
        for runlist in self.runlists.iter_mut().filter(|r| lease.is_on(r.id)) {
            set(&mut runlist.used, &lease.ids(), used);
        }
    }

    fn find(&mut self, ids: &Range<u32>, runlist: Option<u32>) -> Result<&mut Lease, ChidError> {
        self.leases
            .iter_mut()
            .find(|l| l.is_live() && l.ids() == *ids && l.runlist == runlist)
            .ok_or(ChidError::NotFound)
    }

    /// Gives back a range as it was reserved: on `runlist`, or on all of them.
    pub(crate) fn release(
        &mut self,
        ids: &Range<u32>,
        runlist: Option<u32>,
    ) -> Result<(), ChidError> {
        let lease = core::mem::take(self.find(ids, runlist)?);
        self.mark(&lease, false);
        Ok(())
    }

    /// Keeps a range out of use until it is released.
    pub(crate) fn quarantine(
        &mut self,
        ids: &Range<u32>,
        runlist: Option<u32>,
    ) -> Result<(), ChidError> {
        self.find(ids, runlist)?.owner = ChannelOwner::Quarantine;
        Ok(())
    }

    /// Number of IDs that all runlists have.
    pub(crate) fn limit(&self) -> u32 {
        self.runlists.iter().map(|r| r.channels).min().unwrap_or(0)
    }

    /// Number of IDs that vGPUs can share.
    pub(crate) fn available(&self) -> u32 {
        self.limit() - HOST.end
    }

    /// Number of IDs of vGPUs that are free on all runlists now.
    pub(crate) fn free(&self) -> u32 {
        (HOST.end..self.limit())
            .filter(|&id| self.runlists.iter().all(|r| r.is_free(&(id..id + 1))))
            .count() as u32
    }

    /// The runlists.
    pub(crate) fn runlists(&self) -> &[Runlist] {
        &self.runlists
    }

    /// What is handed out.
    pub(crate) fn leases(&self) -> impl Iterator<Item = &Lease> {
        self.leases.iter().filter(|l| l.is_live())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type TestPool = Pool<Vec<Runlist>, Vec<Lease>>;

    const GUEST: ChannelOwner = ChannelOwner::Guest(1);

    fn pool_with(channels: &[u32], leases: usize) -> TestPool {
        let runlists = channels
            .iter()
            .enumerate()
            .map(|(i, &n)| Runlist::new(i as u32 * 3, n).unwrap())
            .collect();
        Pool::new(runlists, vec![Lease::default(); leases]).unwrap()
    }

    fn pool(channels: &[u32]) -> TestPool {
        pool_with(channels, 64)
    }

    #[test]
    fn natural_alignment_above_the_ids_of_the_host() {
        let mut p = pool(&[2048, 2048]);
        assert_eq!(p.available(), 1984);
        assert_eq!(p.reserve(64, GUEST), Ok(64..128));
        assert_eq!(p.reserve(512, GUEST), Ok(512..1024));
        assert_eq!(p.reserve(32, GUEST), Ok(128..160));
        assert_eq!(p.reserve(1024, GUEST), Ok(1024..2048));
        assert_eq!(p.reserve(1024, GUEST), Err(ChidError::NoSpace));
        assert_eq!(p.free(), 1984 - 64 - 512 - 32 - 1024);
        for r in p.runlists() {
            assert_eq!(r.used(), 64 + 512 + 32 + 1024);
        }
    }

    #[test]
    fn every_share_of_the_pool_fits_as_often_as_promised() {
        for instances in 1..=32u32 {
            let mut p = pool(&[2048; 9]);
            let share = p.available() / instances;
            let count = 1 << (31 - share.leading_zeros());
            for i in 0..instances {
                assert!(
                    p.reserve(count, ChannelOwner::Guest(i + 1)).is_ok(),
                    "{instances} instances, number {i}"
                );
            }
        }
    }

    #[test]
    fn all_runlists_or_none() {
        let mut p = pool(&[2048, 2048, 2048]);
        // One runlist has a hole less: the same range must be free on all of them.
        set(&mut p.runlists[1].used, &(256..257), true);
        assert_eq!(p.reserve(256, GUEST), Ok(512..768));
        assert_eq!(p.runlists()[0].used(), 256);
        assert_eq!(p.runlists()[1].used(), 257);
        set(&mut p.runlists[2].used, &(768..2048), true);
        assert_eq!(p.reserve(256, GUEST), Err(ChidError::NoSpace));
        assert_eq!(p.runlists()[0].used(), 256);
    }

    #[test]
    fn the_smallest_runlist_limits() {
        let mut p = pool(&[2048, 512]);
        assert_eq!(p.limit(), 512);
        assert_eq!(p.reserve(256, GUEST), Ok(256..512));
        assert_eq!(p.reserve(256, GUEST), Err(ChidError::NoSpace));
        assert_eq!(p.reserve(1024, GUEST), Err(ChidError::Invalid));
    }

    #[test]
    fn ids_of_the_host_are_per_runlist() {
        let mut p = pool(&[2048, 2048]);
        assert_eq!(p.reserve_host(0), Ok(1), "0 is firmware's");
        assert_eq!(p.reserve_host(0), Ok(2));
        assert_eq!(p.reserve_host(3), Ok(1), "another runlist, another channel");
        assert_eq!(p.reserve_host(1), Err(ChidError::Invalid));
        assert_eq!(p.free(), 1984, "guests do not notice");
        let on =
            |p: &TestPool, runlist| p.leases().filter(|l| l.runlist() == Some(runlist)).count();
        assert_eq!((on(&p, 0), on(&p, 3)), (2, 1));
        assert_eq!(p.release(&(1..2), Some(3)), Ok(()));
        assert_eq!(p.release(&(1..2), Some(3)), Err(ChidError::NotFound));
        assert_eq!(
            p.reserve_host(0),
            Ok(3),
            "the other runlist's has not come back"
        );
        for id in 4..64 {
            assert_eq!(p.reserve_host(0), Ok(id));
        }
        assert_eq!(p.reserve_host(0), Err(ChidError::NoSpace));
        assert_eq!(p.reserve(64, GUEST), Ok(64..128));
    }

    #[test]
    fn release_is_exact() {
        let mut p = pool(&[2048, 2048]);
        let ids = p.reserve(128, GUEST).unwrap();
        let not_found = Err(ChidError::NotFound);
        assert_eq!(p.release(&(ids.start..ids.end + 1), None), not_found);
        assert_eq!(p.release(&(ids.start..ids.end - 1), None), not_found);
        assert_eq!(p.release(&ids, Some(0)), not_found);
        assert_eq!(p.release(&(0..1), None), not_found);
        assert_eq!(p.release(&(0..4096), None), not_found);
        assert_eq!(p.release(&(0..0), None), not_found);
        assert_eq!(p.release(&ids, None), Ok(()));
        assert_eq!(p.release(&ids, None), not_found);
        assert_eq!(p.free(), 1984);
    }

    #[test]
    fn owners() {
        let mut p = pool(&[2048]);
        let a = p.reserve(64, ChannelOwner::Guest(3)).unwrap();
        let b = p.reserve(64, ChannelOwner::Guest(4)).unwrap();
        p.quarantine(&a, None).unwrap();
        assert_eq!(p.quarantine(&(0..64), None), Err(ChidError::NotFound));
        let owners = |p: &TestPool| p.leases().map(Lease::owner).collect::<Vec<_>>();
        assert_eq!(
            owners(&p),
            [ChannelOwner::Quarantine, ChannelOwner::Guest(4)]
        );
        assert_eq!(p.reserve(64, GUEST), Ok(b.end..b.end + 64));
        p.release(&a, None).unwrap();
        assert_eq!(p.reserve(64, GUEST), Ok(a));
    }

    #[test]
    fn bad_counts_and_tables() {
        let mut p = pool_with(&[2048], 1);
        assert_eq!(p.reserve(0, GUEST), Err(ChidError::Invalid));
        assert_eq!(p.reserve(3, GUEST), Err(ChidError::Invalid));
        assert_eq!(p.reserve(4096, GUEST), Err(ChidError::Invalid));
        assert_eq!(p.reserve(2048, GUEST), Err(ChidError::NoSpace));
        assert!(p.reserve_host(0).is_ok());
        assert_eq!(
            p.reserve_host(0),
            Err(ChidError::NoSpace),
            "one range at most"
        );
        assert_eq!(p.reserve(1, GUEST), Err(ChidError::NoSpace));
        assert_eq!(p.runlists()[0].used(), 1);

        assert!(Runlist::new(0, 0).is_err());
        assert!(Runlist::new(0, 2049).is_err());
        let new = |runlists| Pool::new(runlists, vec![Lease::default(); 4]);
        assert!(new(Vec::new()).is_err());
        let twice = vec![Runlist::new(1, 128).unwrap(), Runlist::new(1, 128).unwrap()];
        assert!(new(twice).is_err());
        assert!(
            new(vec![Runlist::new(1, 64).unwrap()]).is_err(),
            "none for vGPUs"
        );
        assert!(new(vec![Runlist::new(1, 65).unwrap()]).is_ok());
    }

    proptest! {
        /// Whatever the order, no ID of a runlist has two owners, and all come back.
        #[test]
        fn no_two_owners(steps in proptest::collection::vec((0u8..3, 0u32..11, any::<prop::sample::Index>()), 1..200)) {
            let mut p = pool(&[2048, 1024]);
            let mut live: Vec<(Range<u32>, Option<u32>)> = Vec::new();
            for (kind, value, index) in steps {
                match kind {
                    0 => live.extend(p.reserve(1 << value, GUEST).ok().map(|ids| (ids, None))),
                    1 => {
                        let runlist = value % 2 * 3;
                        let id = p.reserve_host(runlist).ok();
                        live.extend(id.map(|id| (id..id + 1, Some(runlist))));
                    }
                    _ if live.is_empty() => (),
                    _ => {
                        let (ids, runlist) = live.swap_remove(index.index(live.len()));
                        prop_assert_eq!(p.release(&ids, runlist), Ok(()));
                    }
                }
                for runlist in [0, 3] {
                    let mut seen = vec![false; 2048];
                    for (ids, _) in live.iter().filter(|l| l.1.is_none_or(|r| r == runlist)) {
                        prop_assert!(ids.start > 0);
                        for id in ids.clone() {
                            prop_assert!(!seen[id as usize]);
                            seen[id as usize] = true;
                        }
                    }
                    let used = seen.iter().filter(|s| **s).count();
                    let table = p.runlists().iter().find(|r| r.id() == runlist).unwrap();
                    prop_assert_eq!(table.used() as usize, used);
                }
                prop_assert_eq!(p.leases().count(), live.len());
            }
        }
    }
}
