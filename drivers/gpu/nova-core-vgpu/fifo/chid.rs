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
//! A range that firmware did not confirm to have let go stays with the owner "quarantine", until the
//! GPU is reset.
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
    /// The range is empty, no power of two, not aligned or outside of what vGPUs can have; there is
    /// no such runlist; or the range is outside of it.
    Invalid,
    /// The range is not free on all runlists, or too many ranges are live.
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

    /// Reserves these IDs for a vGPU, on every runlist.
    pub(crate) fn reserve(
        &mut self,
        ids: &Range<u32>,
        owner: ChannelOwner,
    ) -> Result<Range<u32>, ChidError> {
        let vgpus = self.vgpus();
        let count = ids.end.saturating_sub(ids.start);
        let aligned = count.is_power_of_two() && ids.start.checked_rem(count) == Some(0);
        if !aligned || ids.start < vgpus.start || ids.end > vgpus.end {
            return Err(ChidError::Invalid);
        }
        if !self.runlists.iter().all(|r| r.is_free(ids)) {
            return Err(ChidError::NoSpace);
        }
        self.lease(ids.clone(), None, owner)
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

    /// Gives back all that is in quarantine, because the GPU has been reset.
    pub(crate) fn end_quarantine(&mut self) {
        let mut at = 0;
        while let Some(lease) = self.leases.get_mut(at) {
            if lease.is_live() && lease.owner == ChannelOwner::Quarantine {
                let lease = core::mem::take(lease);
                self.mark(&lease, false);
            }
            at += 1;
        }
    }

    /// Number of IDs that all runlists have.
    pub(crate) fn limit(&self) -> u32 {
        self.runlists.iter().map(|r| r.channels).min().unwrap_or(0)
    }

    /// IDs that vGPUs can share.
    pub(crate) fn vgpus(&self) -> Range<u32> {
        HOST.end..self.limit()
    }

    /// Number of IDs of vGPUs that are free on all runlists now.
    pub(crate) fn free(&self) -> u32 {
        self.vgpus()
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
#[path = "chid/tests.rs"]
mod tests;
