// SPDX-License-Identifier: GPL-2.0

//! Where vGPUs may be, as the host resource manager computes it.
//!
//! ```text
//!   mode off   one profile size at a time, at most maxInstance of the type
//!              placement j * size    first segment + j * segments of the guest
//!   mode on    region = size of the type with maxInstance 1, halved down to 1/16:
//!              1/n part: 2n instances     one at each end
//!                        n (not a power of two, rounded down)   at the outer end
//!              a segment at the outer end of each half is set aside for small
//!              heaps where a type of 2n instances has a heap of just a segment
//! ```
//!
//! The numbers follow OGKM 570.144 `kernel_vgpu_mgr.c`; statuses are those of
//! `_kvgpumgrCheckVgpuTypeSupported` and of a placement ID that is not creatable.
//! Types that give no profile size are outside of all this, as MIG's are there.

use crate::rm::status::{refuse, Refusal};
use crate::rm::types::{Types, VgpuType};

const GIB: u64 = 1 << 30;
const MIB: u64 = 1 << 20;
/// Instances of a GPU (MAX_VGPU_DEVICES_PER_PGPU).
const MAX_VGPUS: usize = 32;
/// IDs that 1 GiB of guest memory cannot have when the driver is a GSP client.
const DENIED_1G: [u64; 16] = [2, 3, 8, 9, 14, 15, 20, 21, 26, 27, 32, 33, 38, 39, 44, 45];

/// What the arithmetic starts from.
#[derive(Debug, Clone)]
pub struct Board {
    /// Bytes of a VMMU segment.
    pub segment: u64,
    /// Address of the first byte that vGPUs may have.
    pub first: u64,
    /// Bytes of frame buffer in all.
    pub total: u64,
}

/// A vGPU that exists already.
#[derive(Debug, Clone, Copy)]
pub struct Existing {
    /// Its function.
    pub gfid: u32,
    /// Its type; 0 when nobody has said.
    pub vgpu_type: u32,
    /// Its placement ID, once told.
    pub placement: Option<u16>,
}

fn size_of(t: &VgpuType) -> u64 {
    t.profile_size / GIB
}

impl Board {
    fn align_up(value: u64, to: u64) -> u64 {
        value.div_ceil(to).saturating_mul(to)
    }

    /// Segments of a guest by the formula for GSP clients.
    fn guest_segments(&self, t: &VgpuType) -> u64 {
        let total = Board::align_up(self.total / MIB * MIB, 8 * self.segment);
        let share = (total / u64::from(t.max_instance.max(1)))
            .saturating_sub(t.fb_reservation)
            .saturating_sub(t.gsp_heap);
        share.min(t.fb_length) / self.segment
    }

    /// First segment that vGPUs may have.
    fn base(&self) -> u64 {
        self.first.div_ceil(self.segment)
    }

    /// Where a guest of `segments` segments starts: (placement ID, segment).
    pub fn places(
        &self,
        types: &Types,
        t: &VgpuType,
        mixed: bool,
        segments: u64,
    ) -> Vec<(u64, u64)> {
        if !mixed {
            let each = size_of(t);
            return (0..u64::from(t.max_instance).min(MAX_VGPUS as u64))
                .map(|j| (j * each, self.base() + j * segments))
                .collect();
        }
        // The last one that has all of the board counts.
        let mut all_types = types.iter().rev();
        let Some(whole) = all_types.find(|w| w.max_instance == 1 && size_of(w) != 0) else {
            return Vec::new();
        };
        let all = self.guest_segments(whole) + whole.gsp_heap / self.segment;
        let mut found = Vec::new();
        let search = Search {
            types,
            wanted: t,
            segments,
            segment_size: self.segment,
        };
        let root = Part {
            ids: (0, size_of(whole)),
            segments: (self.base(), self.base() + all),
            parts: 1,
            left: true,
        };
        search.walk(&root, &mut found);
        found
    }
}

struct Search<'a> {
    types: &'a Types,
    wanted: &'a VgpuType,
    /// Of the guest.
    segments: u64,
    segment_size: u64,
}

struct Part {
    ids: (u64, u64),
    segments: (u64, u64),
    parts: u32,
    left: bool,
}

impl Search<'_> {
    fn walk(&self, part: &Part, found: &mut Vec<(u64, u64)>) {
        if part.parts as usize > MAX_VGPUS / 2 {
            return;
        }
        let t = self.wanted;
        let rounded = 1u32
            .checked_shl(t.max_instance.checked_ilog2().unwrap_or(0))
            .unwrap_or(1);
        let (left, right) = if t.max_instance == part.parts * 2 {
            (true, true)
        } else if (rounded < t.max_instance && rounded == part.parts)
            || (part.parts == 1 && t.max_instance == 1)
        {
            (part.left, !part.left)
        } else {
            (false, false)
        };
        if left {
            self.note(part.ids.0, part.segments.0, found);
        }
        if right {
            let large = t.gsp_heap >= self.segment_size && rounded as usize != MAX_VGPUS;
            let heap = if large {
                t.gsp_heap / self.segment_size
            } else {
                0
            };
            self.note(
                part.ids.1.saturating_sub(size_of(t)),
                part.segments.1.saturating_sub(self.segments + heap),
                found,
            );
        }
        let set_aside = u64::from(self.types.iter().any(|o| {
            size_of(o) != 0 && o.max_instance == part.parts * 2 && o.gsp_heap == self.segment_size
        }));
        let id = (part.ids.0 + part.ids.1) / 2;
        let segment = (part.segments.0 + part.segments.1) / 2;
        self.walk(
            &Part {
                ids: (part.ids.0, id),
                segments: (part.segments.0 + set_aside, segment),
                parts: part.parts * 2,
                left: true,
            },
            found,
        );
        self.walk(
            &Part {
                ids: (id, part.ids.1),
                segments: (segment, part.segments.1.saturating_sub(set_aside)),
                parts: part.parts * 2,
                left: false,
            },
            found,
        );
    }

    fn note(&self, id: u64, segment: u64, found: &mut Vec<(u64, u64)>) {
        let one_gib = self.segments * self.segment_size == GIB;
        if !(one_gib && DENIED_1G.contains(&id)) {
            found.push((id, segment));
        }
    }
}

/// BOOTLOAD or SETUP_CONFIG names a type: may there be one more of it?
pub fn check_type(
    types: &Types,
    mixed: bool,
    gfid: u32,
    vgpu_type: u32,
    existing: &[Existing],
) -> Result<(), Refusal> {
    let others: Vec<&Existing> = existing.iter().filter(|e| e.gfid != gfid).collect();
    if others.len() >= MAX_VGPUS {
        refuse!(
            ERR_INSUFFICIENT_RESOURCES,
            "placement-full",
            "gfid {gfid}: there are {MAX_VGPUS} vGPUs"
        )
    }
    let Some(t) = types.get(vgpu_type).filter(|t| size_of(t) != 0) else {
        return Ok(());
    };
    if mixed {
        return Ok(());
    }
    let mut known = others.iter().filter_map(|o| types.get(o.vgpu_type));
    if let Some(o) = known.find(|o| o.profile_size != t.profile_size) {
        refuse!(
            ERR_NOT_SUPPORTED,
            "placement-size",
            "gfid {gfid}: {} beside {} in homogeneous mode",
            t.name,
            o.name
        )
    }
    if others.len() >= t.max_instance as usize {
        refuse!(
            ERR_INSUFFICIENT_RESOURCES,
            "placement-full",
            "gfid {gfid}: {} has {} instances",
            t.name,
            t.max_instance
        )
    }
    Ok(())
}

/// SETUP_CONFIG names a placement ID: does the type have it, is it free, and is
/// the guest's memory `fb` (address, bytes) where it has to be?
pub fn check_place(
    board: &Board,
    types: &Types,
    mixed: bool,
    (gfid, vgpu_type, id): (u32, u32, u16),
    (address, bytes): (u64, u64),
    existing: &[Existing],
) -> Result<(), Refusal> {
    let Some(t) = types.get(vgpu_type).filter(|t| size_of(t) != 0) else {
        return Ok(());
    };
    let places = board.places(types, t, mixed, bytes / board.segment);
    let Some((_, segment)) = places.iter().find(|(i, _)| *i == u64::from(id)) else {
        refuse!(
            ERR_INVALID_STATE,
            "placement-id",
            "gfid {gfid}: {} has no placement {id}, but {:?}",
            t.name,
            places.iter().map(|(i, _)| *i).collect::<Vec<_>>()
        )
    };
    let mine = (u64::from(id), u64::from(id) + size_of(t));
    for other in existing.iter().filter(|e| e.gfid != gfid) {
        let (Some(o), Some(at)) = (types.get(other.vgpu_type), other.placement) else {
            continue;
        };
        let theirs = (u64::from(at), u64::from(at) + size_of(o));
        if mine.0 < theirs.1 && theirs.0 < mine.1 {
            refuse!(
                ERR_INVALID_STATE,
                "placement-in-use",
                "gfid {gfid}: placement {id} of {} overlaps {at} of {}, gfid {}",
                t.name,
                o.name,
                other.gfid
            )
        }
    }
    if segment * board.segment != address {
        refuse!(
            ERR_INVALID_STATE,
            "placement-fb",
            "gfid {gfid}: placement {id} of {} is at {:#x}, the guest's memory at {address:#x}",
            t.name,
            segment * board.segment
        )
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rm::types::tests::{board_48, id_of};

    const SEG: u64 = 128 << 20;

    fn board() -> Board {
        Board {
            segment: SEG,
            first: 0,
            total: 48 * GIB,
        }
    }

    fn ids(size: u64, mixed: bool) -> Vec<u64> {
        let types = board_48();
        let t = types.get(id_of(size)).unwrap();
        let b = board();
        let places = b.places(&types, t, mixed, b.guest_segments(t));
        let mut ids: Vec<u64> = places.iter().map(|p| p.0).collect();
        ids.sort_unstable();
        ids
    }

    #[test]
    fn placements_of_a_48_gib_board() {
        assert_eq!(ids(48, true), [0]);
        assert_eq!(ids(24, true), [0, 24]);
        assert_eq!(ids(16, true), [0, 32]);
        assert_eq!(ids(8, true), [0, 16, 24, 40]);
        assert_eq!(ids(12, true), [0, 12, 24, 36]);
        assert_eq!(ids(2, true).len(), 16);
        assert_eq!(ids(1, true)[..4], [0, 5, 6, 11]);
        assert_eq!(ids(2, false), (0..24).map(|j| 2 * j).collect::<Vec<_>>());
        assert_eq!(ids(16, false), [0, 16, 32]);
    }

    #[test]
    fn segments_of_quarters_are_set_aside_for_heaps() {
        let types = board_48();
        let b = board();
        let start = |size, id| {
            let t = types.get(id_of(size)).unwrap();
            let places = b.places(&types, t, true, b.guest_segments(t));
            places.iter().find(|p| p.0 == id).map(|p| p.1)
        };
        assert_eq!(start(24, 0), Some(0));
        // 12 GiB has just a segment of heap, so what is smaller begins one later.
        assert_eq!(
            (start(12, 0), start(6, 0), start(1, 0)),
            (Some(0), Some(1), Some(1))
        );
    }

    #[test]
    fn one_size_at_a_time_without_the_mode() {
        let types = board_48();
        let other = |gfid, size| Existing {
            gfid,
            vgpu_type: id_of(size),
            placement: Some(0),
        };
        let check = |mixed, size, existing: &[Existing]| {
            check_type(&types, mixed, 9, id_of(size), existing).map_err(|r| r.kind)
        };
        assert_eq!(check(false, 24, &[other(1, 24)]), Ok(()));
        assert_eq!(
            check(false, 24, &[other(1, 24), other(2, 24)]),
            Err("placement-full")
        );
        assert_eq!(check(false, 24, &[other(1, 8)]), Err("placement-size"));
        assert_eq!(check(true, 24, &[other(1, 8)]), Ok(()));
        let full: Vec<_> = (10..42).map(|gfid| other(gfid, 1)).collect();
        assert_eq!(check(true, 1, &full), Err("placement-full"));
    }

    #[test]
    fn a_place_is_an_id_and_an_address_and_free() {
        let types = board_48();
        let b = board();
        let taken = Existing {
            gfid: 1,
            vgpu_type: id_of(8),
            placement: Some(16),
        };
        let t = types.get(id_of(6)).unwrap();
        let bytes = b.guest_segments(t) * SEG;
        let check = |id: u16, segment: u64| {
            let who = (2, id_of(6), id);
            check_place(&b, &types, true, who, (segment * SEG, bytes), &[taken]).map_err(|r| r.kind)
        };
        assert_eq!(check(0, 1), Ok(()));
        assert_eq!(check(0, 0), Err("placement-fb"));
        assert_eq!(check(5, 1), Err("placement-id"));
        assert_eq!(check(18, 1), Err("placement-in-use"));
        assert_eq!(check(u16::MAX, 1), Err("placement-id"));
    }
}
