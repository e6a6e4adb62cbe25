// SPDX-License-Identifier: GPL-2.0

//! The VMMU: second-stage translation of each VF's frame buffer.
//!
//! ```text
//!   gfid, guest FB address                      host FB address
//!     guest segment 0  [0, seg)          ->  seg-aligned host segment
//!     guest segment 1  [seg, 2 * seg)    ->  ...
//!     beyond the last segment            ->  nothing
//! ```
//!
//! A host segment has at most one owner. The PF (gfid 0) is not translated and
//! not known here.

use crate::rm::status::{refuse, Refusal};
use std::collections::BTreeMap;
use std::ops::Range;

/// Most segments in one vGPU's list (NV2080_CTRL_MAX_VMMU_SEGMENTS).
pub const MAX_SEGMENTS: usize = 384;

/// Segment maps of all VFs.
#[derive(Debug, Clone)]
pub struct Vmmu {
    segment: u64,
    maps: BTreeMap<u32, Vec<u64>>,
}

impl Vmmu {
    /// An empty map with segments of `segment` bytes (a power of two).
    pub fn new(segment: u64) -> Vmmu {
        Vmmu {
            segment,
            maps: BTreeMap::new(),
        }
    }

    /// Segment size in bytes.
    pub fn segment(&self) -> u64 {
        self.segment
    }

    /// Checks a list of FB pieces without installing it.
    ///
    /// Each must be aligned in address and length and must not be empty; no
    /// segment may be listed twice or belong to another VF.
    pub fn check(&self, gfid: u32, pieces: &[Range<u64>]) -> Result<(), Refusal> {
        if pieces.is_empty() || pieces.len() > MAX_SEGMENTS {
            refuse!(
                ERR_INVALID_ARGUMENT,
                "fb-segments",
                "gfid {gfid}: {} FB segments, 1..={MAX_SEGMENTS} are possible",
                pieces.len()
            )
        }
        for p in pieces {
            if p.start >= p.end {
                refuse!(
                    ERR_INVALID_ARGUMENT,
                    "fb-segments",
                    "gfid {gfid}: FB at {:#x} is empty or wraps",
                    p.start
                )
            }
            if p.start % self.segment != 0 || p.end % self.segment != 0 {
                refuse!(
                    ERR_INVALID_ARGUMENT,
                    "fb-alignment",
                    "gfid {gfid}: FB {:#x}..{:#x} is not aligned to the VMMU segment {:#x}",
                    p.start,
                    p.end,
                    self.segment
                )
            }
        }
        for (i, a) in pieces.iter().enumerate() {
            if let Some(b) = pieces[i + 1..].iter().find(|b| overlap(a, b)) {
                refuse!(
                    ERR_INVALID_ARGUMENT,
                    "fb-overlap",
                    "gfid {gfid}: its FB pieces {:#x} and {:#x} overlap",
                    a.start,
                    b.start
                )
            }
            if let Some(owner) = self.owner(a) {
                refuse!(
                    ERR_IN_USE,
                    "fb-overlap",
                    "gfid {gfid}: FB {:#x}..{:#x} overlaps that of gfid {owner}",
                    a.start,
                    a.end
                )
            }
        }
        Ok(())
    }

    /// Installs the map of `gfid`, in the order of the guest's addresses.
    pub fn install(&mut self, gfid: u32, pieces: &[Range<u64>]) -> Result<(), Refusal> {
        self.check(gfid, pieces)?;
        let step = self.segment as usize;
        let map = pieces
            .iter()
            .flat_map(|p| p.clone().step_by(step))
            .collect();
        self.maps.insert(gfid, map);
        Ok(())
    }

    /// Removes the map of `gfid`: every address of it stops translating.
    pub fn remove(&mut self, gfid: u32) {
        self.maps.remove(&gfid);
    }

    /// Host FB address behind `addr` of `gfid`.
    pub fn translate(&self, gfid: u32, addr: u64) -> Option<u64> {
        let index = usize::try_from(addr / self.segment).ok()?;
        let base = self.maps.get(&gfid)?.get(index)?;
        Some(base + addr % self.segment)
    }

    /// The VF that owns any part of a host FB range.
    pub fn owner(&self, range: &Range<u64>) -> Option<u32> {
        self.maps
            .iter()
            .find(|(_, map)| map.iter().any(|s| overlap(range, &(*s..s + self.segment))))
            .map(|(gfid, _)| *gfid)
    }

    /// Bytes of FB `gfid` can reach.
    pub fn length(&self, gfid: u32) -> u64 {
        self.maps
            .get(&gfid)
            .map_or(0, |m| m.len() as u64 * self.segment)
    }

    /// Segments owned by all VFs together.
    pub fn segments(&self) -> usize {
        self.maps.values().map(Vec::len).sum()
    }
}

/// Whether two ranges have a byte in common.
pub fn overlap(a: &Range<u64>, b: &Range<u64>) -> bool {
    a.start < b.end && b.start < a.end
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rm::status::NvStatus;
    use proptest::prelude::*;

    const SEG: u64 = 128 << 20;

    fn segs(from: u64, n: u64) -> Range<u64> {
        from * SEG..(from + n) * SEG
    }

    #[test]
    fn guest_addresses_are_contiguous_over_pieces() {
        let mut v = Vmmu::new(SEG);
        v.install(3, &[segs(10, 2), segs(4, 1)]).unwrap();
        assert_eq!(v.translate(3, 0), Some(10 * SEG));
        assert_eq!(v.translate(3, 2 * SEG - 1), Some(12 * SEG - 1));
        assert_eq!(v.translate(3, 2 * SEG + 5), Some(4 * SEG + 5));
        assert_eq!(v.translate(3, 3 * SEG), None);
        assert_eq!(v.translate(3, u64::MAX), None);
        assert_eq!(v.translate(2, 0), None);
        assert_eq!((v.length(3), v.segments()), (3 * SEG, 3));
        v.remove(3);
        assert_eq!(v.translate(3, 0), None);
        assert_eq!(v.segments(), 0);
    }

    #[test]
    fn misaligned_and_empty_lists_are_refused() {
        let v = Vmmu::new(SEG);
        let cases = [
            (vec![], "fb-segments"),
            (vec![segs(1, 1); 385], "fb-segments"),
            (vec![segs(1, 0)], "fb-segments"),
            (vec![segs(0, 1), SEG + 4096..3 * SEG], "fb-alignment"),
            (vec![segs(0, 1), SEG..2 * SEG + 4096], "fb-alignment"),
            (vec![segs(1, 2), segs(2, 1)], "fb-overlap"),
        ];
        for (pieces, kind) in cases {
            let r = v.check(1, &pieces).unwrap_err();
            assert_eq!(
                (r.kind, r.status),
                (kind, NvStatus::ERR_INVALID_ARGUMENT),
                "{pieces:?}"
            );
        }
    }

    #[test]
    fn a_segment_has_one_owner() {
        let mut v = Vmmu::new(SEG);
        v.install(1, &[segs(0, 8)]).unwrap();
        let r = v.install(2, &[segs(7, 2)]).unwrap_err();
        assert_eq!((r.kind, r.status), ("fb-overlap", NvStatus::ERR_IN_USE));
        assert_eq!(v.translate(2, 0), None);
        assert_eq!(v.owner(&(8 * SEG - 1..8 * SEG)), Some(1));
        assert_eq!(v.owner(&(8 * SEG..9 * SEG)), None);
    }

    /// (gfid, pieces as segment and count, remove instead)
    fn request() -> impl Strategy<Value = (u32, Vec<(u64, u64)>, bool)> {
        let pieces = prop::collection::vec((0u64..24, 0u64..4), 0..4);
        (1u32..6, pieces, any::<bool>())
    }

    proptest! {
        /// After any sequence of installs and removals, no host byte is reachable
        /// from two VFs, and no VF reaches a byte it was not given.
        #[test]
        fn no_byte_is_shared(
            log in 25u32..=29,
            ops in prop::collection::vec(request(), 0..40),
            probes in prop::collection::vec(any::<u64>(), 0..20),
        ) {
            let seg = 1u64 << log;
            let mut v = Vmmu::new(seg);
            let mut given: BTreeMap<u32, Vec<Range<u64>>> = BTreeMap::new();
            for (gfid, pieces, remove) in ops {
                if remove || given.contains_key(&gfid) {
                    v.remove(gfid);
                    given.remove(&gfid);
                } else {
                    let pieces: Vec<_> = pieces.iter().map(|(a, n)| a * seg..(a + n) * seg).collect();
                    if v.install(gfid, &pieces).is_ok() {
                        given.insert(gfid, pieces);
                    }
                }
                let mut owner = BTreeMap::new();
                for g in 1..6u32 {
                    for guest in 0..40u64 {
                        let at = guest * seg + seg / 2;
                        let Some(host) = v.translate(g, at) else { continue };
                        prop_assert_eq!(host % seg, at % seg);
                        prop_assert!(given[&g].iter().any(|p| p.contains(&host)));
                        prop_assert!(owner.insert(host / seg, g).is_none());
                    }
                    for p in &probes {
                        if let Some(host) = v.translate(g, *p) {
                            prop_assert!(given[&g].iter().any(|r| r.contains(&host)));
                        }
                    }
                }
            }
        }
    }
}
