// SPDX-License-Identifier: GPL-2.0

//! Channel IDs: one space of 2048 per runlist.
//!
//! With RMSetSriovMode = 1 RM keeps a separate channel RAM, and so a separate ID
//! heap, for each runlist. A vGPU's range is reserved on every runlist that has
//! an engine, at the offset the host names for that engine:
//!
//! ```text
//!   chidOffset[NV2080_ENGINE_TYPE]   GR0 CE0 CE1 | CE2 | CE3 | ...
//!                                     \   |   /     |
//!   runlist                             0           1     ...
//!                                    0 .. [offset, offset + count) .. 2048
//!                                    host channels take single IDs outside
//! ```
//!
//! ID 0 is never given to a host channel: RM keeps it for itself when vGPU
//! offload is off, and nobody depends on it when it is on.
//!
//! Source: OGKM 570.144 `src/nvidia/src/kernel/virtualization/common_vgpu_mgr.c`
//! (vgpuMgrReserveSystemChannelIDs: fixed offset in GSP-RM, each runlist once,
//! the software engine left out) and `src/nvidia/src/kernel/gpu/fifo/kernel_fifo.c`
//! (alignment 1; a range that is not free is NV_ERR_NO_MEMORY from the heap).

use crate::rm::engines::{ENGINES, RUNLISTS};
use crate::rm::status::{refuse, Refusal};
use std::collections::BTreeSet;

/// Channel IDs of one runlist.
pub const CHANNELS: u32 = 2048;

#[derive(Debug, Clone, PartialEq, Eq)]
struct Range {
    gfid: u32,
    start: u32,
    end: u32,
}

/// Who has which IDs.
#[derive(Debug, Clone)]
pub struct Chids {
    runlists: Vec<Vec<Range>>,
    /// (runlist, ID) of each channel of the host.
    hosts: BTreeSet<(u32, u32)>,
}

impl Default for Chids {
    fn default() -> Self {
        Chids {
            runlists: vec![Vec::new(); RUNLISTS],
            hosts: BTreeSet::new(),
        }
    }
}

impl Chids {
    /// Reserves `count` IDs for `gfid` on every runlist, at the offset given for
    /// the runlist's engines. Takes all of them or none.
    ///
    /// `offsets` is indexed by NV2080_ENGINE_TYPE; entries of engines the GPU
    /// does not have are ignored.
    pub fn reserve(&mut self, gfid: u32, offsets: &[u32], count: u32) -> Result<(), Refusal> {
        if count == 0 || !count.is_power_of_two() {
            refuse!(
                ERR_INVALID_ARGUMENT,
                "channel-count",
                "gfid {gfid}: {count} channels; AD102 has no support for counts that are no power of two"
            )
        }
        let mut wanted: Vec<Option<Range>> = vec![None; RUNLISTS];
        for engine in ENGINES {
            let Some(runlist) = engine.runlist else {
                continue;
            };
            let start = offsets
                .get(engine.nv2080_type as usize)
                .copied()
                .unwrap_or(0);
            let end = match start.checked_add(count) {
                Some(end) if end <= CHANNELS => end,
                _ => refuse!(
                    ERR_NO_MEMORY,
                    "channel-range",
                    "gfid {gfid}: channels {start}+{count} of {} are beyond {CHANNELS}",
                    engine.name
                ),
            };
            let range = Range { gfid, start, end };
            match &wanted[runlist as usize] {
                Some(other) if *other != range => refuse!(
                    ERR_INVALID_ARGUMENT,
                    "channel-runlist",
                    "gfid {gfid}: {} shares runlist {runlist} but starts at {start}, not {}",
                    engine.name,
                    other.start
                ),
                _ => wanted[runlist as usize] = Some(range),
            }
        }
        for (runlist, range) in wanted.iter().enumerate() {
            let Some(range) = range else { continue };
            let taken = self.runlists[runlist]
                .iter()
                .find(|o| range.start < o.end && o.start < range.end);
            if let Some(o) = taken {
                refuse!(
                    ERR_NO_MEMORY,
                    "channel-in-use",
                    "gfid {gfid}: channels {}..{} of runlist {runlist} overlap {}..{} of gfid {}",
                    range.start,
                    range.end,
                    o.start,
                    o.end,
                    o.gfid
                )
            }
            let mut hosts = self.hosts.iter();
            if let Some((_, chid)) = hosts
                .find(|(r, chid)| *r as usize == runlist && (range.start..range.end).contains(chid))
            {
                refuse!(
                    ERR_NO_MEMORY,
                    "channel-in-use",
                    "gfid {gfid}: channel {chid} of runlist {runlist} is one of the host"
                )
            }
        }
        for (have, range) in self.runlists.iter_mut().zip(wanted) {
            have.extend(range);
        }
        Ok(())
    }

    /// Gives back everything `gfid` has.
    pub fn release(&mut self, gfid: u32) {
        for have in &mut self.runlists {
            have.retain(|r| r.gfid != gfid);
        }
    }

    /// Takes one ID for a channel of the host. With `shared`, an ID that any
    /// runlist has in use is in use.
    pub fn take(&mut self, runlist: u32, chid: u32, shared: bool) -> Result<(), Refusal> {
        if chid == 0 || chid >= CHANNELS {
            refuse!(
                ERR_INVALID_PARAMETER,
                "channel-id",
                "channel ID {chid} of runlist {runlist} is not in 1..{CHANNELS}"
            )
        }
        if let Some(r) = self.owner(runlist, chid) {
            refuse!(
                ERR_NO_MEMORY,
                "channel-in-use",
                "channel {chid} of runlist {runlist} belongs to gfid {r}"
            )
        }
        let mut hosts = self.hosts.iter();
        if hosts.any(|(r, c)| *c == chid && (shared || *r == runlist)) {
            refuse!(
                ERR_NO_MEMORY,
                "channel-in-use",
                "channel {chid} of runlist {runlist} exists"
            )
        }
        self.hosts.insert((runlist, chid));
        Ok(())
    }

    /// Gives an ID of the host back.
    pub fn give(&mut self, runlist: u32, chid: u32) {
        self.hosts.remove(&(runlist, chid));
    }

    /// The vGPU that has an ID.
    pub fn owner(&self, runlist: u32, chid: u32) -> Option<u32> {
        let have = self.runlists.get(runlist as usize)?;
        let mut have = have.iter();
        have.find(|r| (r.start..r.end).contains(&chid))
            .map(|r| r.gfid)
    }

    /// IDs reserved on runlist 0, which every vGPU has.
    pub fn reserved(&self) -> u32 {
        self.runlists[0].iter().map(|r| r.end - r.start).sum()
    }

    /// Host ID of channel `chid` of `gfid` on `runlist`, if the vGPU has it.
    pub fn host_id(&self, gfid: u32, runlist: u32, chid: u32) -> Option<u32> {
        let have = self.runlists.get(runlist as usize)?;
        let r = have.iter().find(|r| r.gfid == gfid)?;
        r.start.checked_add(chid).filter(|id| *id < r.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rm::engines::ENGINE_TYPES;
    use crate::rm::status::NvStatus;
    use proptest::prelude::*;

    fn all(start: u32) -> Vec<u32> {
        vec![start; ENGINE_TYPES]
    }

    #[test]
    fn ranges_are_exclusive_and_come_back() {
        let mut c = Chids::default();
        c.reserve(1, &all(0), 64).unwrap();
        c.reserve(2, &all(64), 64).unwrap();
        assert_eq!(
            c.reserve(3, &all(96), 64).unwrap_err().status,
            NvStatus::ERR_NO_MEMORY
        );
        assert_eq!(
            c.reserve(3, &all(96), 64).unwrap_err().kind,
            "channel-in-use"
        );
        assert_eq!(c.reserved(), 128);
        assert_eq!(c.host_id(2, 5, 10), Some(74));
        assert_eq!(c.host_id(2, 5, 64), None);
        assert_eq!(c.host_id(3, 5, 0), None);
        assert_eq!(c.host_id(2, 99, 0), None);
        c.release(1);
        c.release(2);
        assert_eq!(c.reserved(), 0);
        c.reserve(3, &all(96), 64).unwrap();
    }

    #[test]
    fn each_runlist_is_its_own_space() {
        let mut c = Chids::default();
        c.reserve(1, &all(0), 64).unwrap();
        // Only CE2 (runlist 1) collides: nothing may be taken.
        let mut o = all(512);
        o[0x0b] = 32;
        assert_eq!(c.reserve(2, &o, 64).unwrap_err().kind, "channel-in-use");
        c.reserve(2, &all(512), 64).unwrap();
        assert_eq!(c.reserved(), 128);
    }

    #[test]
    fn engines_of_one_runlist_agree() {
        let mut c = Chids::default();
        let mut o = all(0);
        o[0x09] = 64;
        assert_eq!(c.reserve(1, &o, 64).unwrap_err().kind, "channel-runlist");
        // An engine the GPU lacks may say anything.
        let mut o = all(0);
        o[0x02] = 9999;
        c.reserve(1, &o, 64).unwrap();
    }

    #[test]
    fn counts_and_ends_are_checked() {
        let mut c = Chids::default();
        for n in [0, 3, 100] {
            assert_eq!(c.reserve(1, &all(0), n).unwrap_err().kind, "channel-count");
        }
        assert_eq!(
            c.reserve(1, &all(2000), 64).unwrap_err().kind,
            "channel-range"
        );
        assert_eq!(
            c.reserve(1, &all(u32::MAX), 64).unwrap_err().kind,
            "channel-range"
        );
        c.reserve(1, &all(0), 2048).unwrap();
    }

    #[test]
    fn host_channels_and_ranges_exclude_each_other() {
        let mut c = Chids::default();
        c.reserve(1, &all(64), 64).unwrap();
        for (chid, kind) in [
            (0, "channel-id"),
            (2048, "channel-id"),
            (64, "channel-in-use"),
        ] {
            assert_eq!(c.take(1, chid, false).unwrap_err().kind, kind, "{chid}");
        }
        c.take(1, 63, false).unwrap();
        c.take(2, 63, false).unwrap();
        assert_eq!(c.take(3, 63, true).unwrap_err().kind, "channel-in-use");
        assert_eq!(c.take(1, 63, false).unwrap_err().kind, "channel-in-use");
        assert_eq!(
            c.reserve(2, &all(0), 64).unwrap_err().kind,
            "channel-in-use"
        );
        c.give(1, 63);
        assert_eq!(
            c.reserve(2, &all(0), 64).unwrap_err().kind,
            "channel-in-use"
        );
        c.give(2, 63);
        c.reserve(2, &all(0), 64).unwrap();
        assert_eq!((c.owner(1, 127), c.owner(1, 128)), (Some(1), None));
    }

    /// (gfid, start, log2 of the count, release instead)
    fn request() -> impl Strategy<Value = (u32, u32, u32, bool)> {
        (1u32..6, 0u32..2100, 0u32..8, any::<bool>())
    }

    proptest! {
        /// No ID of a runlist ever belongs to two vGPUs.
        #[test]
        fn no_id_has_two_owners(ops in prop::collection::vec(request(), 0..60)) {
            let mut c = Chids::default();
            for (gfid, start, log, free) in ops {
                if free {
                    c.release(gfid);
                } else {
                    let _ = c.reserve(gfid, &all(start), 1 << log);
                }
                for have in &c.runlists {
                    for (i, a) in have.iter().enumerate() {
                        prop_assert!(a.end <= CHANNELS);
                        for b in &have[i + 1..] {
                            prop_assert!(a.end <= b.start || b.end <= a.start);
                        }
                    }
                }
            }
            (1..6).for_each(|g| c.release(g));
            prop_assert_eq!(c.reserved(), 0);
        }
    }
}
