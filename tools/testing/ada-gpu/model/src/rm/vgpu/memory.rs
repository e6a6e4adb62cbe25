// SPDX-License-Identifier: GPL-2.0

//! What firmware demands of the memory that a vGPU is given, and leaves in it.
//!
//! ```text
//!   BOOTLOAD   usable, nobody else's, zero but for the communication area
//!   CLEANUP    full of the owner's tag
//! ```

use super::Vgpus;
use crate::config::FbCheck;
use crate::rm::bootload::Bootload;
use crate::rm::plugin::layout::AREA_SIZE;
use crate::rm::status::{refuse, Refusal};
use crate::rm::vmmu::overlap;
use crate::services::Services;
use crate::vram::{owner_tag, Writer};

impl Vgpus {
    /// FB and heap are usable memory that no other vGPU has.
    pub(super) fn check_memory(&self, request: &Bootload) -> Result<(), Refusal> {
        let gfid = request.gfid;
        for r in request.fb.iter().chain([&request.heap]) {
            if r.start < self.usable.start || r.end > self.usable.end {
                refuse!(
                    ERR_INVALID_ADDRESS,
                    "fb-reserved",
                    "gfid {gfid}: {:#x}..{:#x} reaches outside of the usable FB {:#x}..{:#x}",
                    r.start,
                    r.end,
                    self.usable.start,
                    self.usable.end
                )
            }
        }
        for (other, v) in &self.list {
            let theirs = &v.request;
            if let Some(r) = request.fb.iter().find(|r| overlap(r, &theirs.heap)) {
                refuse!(
                    ERR_IN_USE,
                    "fb-overlap",
                    "gfid {gfid}: FB {:#x}..{:#x} overlaps the heap of gfid {other}",
                    r.start,
                    r.end
                )
            }
            if theirs
                .fb
                .iter()
                .chain([&theirs.heap])
                .any(|r| overlap(r, &request.heap))
            {
                refuse!(
                    ERR_IN_USE,
                    "heap-overlap",
                    "gfid {gfid}: heap {:#x}..{:#x} overlaps memory of gfid {other}",
                    request.heap.start,
                    request.heap.end
                )
            }
        }
        Ok(())
    }

    /// Guest and plugin find nothing but zeros in their memory, the communication
    /// area apart: what anybody left there is a leak.
    pub(super) fn check_clean(
        &self,
        s: &mut Services<'_>,
        request: &Bootload,
    ) -> Result<(), Refusal> {
        let gfid = request.gfid;
        let area = request.control_address();
        let area_end = area.saturating_add(AREA_SIZE).min(request.heap.end);
        let heap = [request.heap.start..area, area_end..request.heap.end];
        let all = request
            .fb
            .iter()
            .map(|r| ("guest FB", "bootload-dirty-fb", r))
            .chain(heap.iter().map(|r| ("heap", "bootload-dirty-heap", r)));
        for (what, count, range) in all {
            if s.config.fb_check == FbCheck::Off {
                continue;
            }
            let Ok(Some(at)) = s.vram.first_nonzero(range.clone()) else {
                continue;
            };
            let word = s.vram.read32(at & !3).unwrap_or(0);
            if s.config.fb_check == FbCheck::Refuse {
                refuse!(
                    ERR_INVALID_STATE,
                    "bootload-dirty",
                    "gfid {gfid}: {what} {range:x?} holds {word:#x} at {at:#x}, not zero"
                )
            }
            s.stats.count(count);
            s.trace.line(
                "vgpu",
                format_args!("gfid {gfid} {what} dirty: {word:#x} at {at:#x}"),
            );
        }
        Ok(())
    }

    /// Leaves the tag of its owner in the memory of a vGPU that is gone.
    pub(super) fn tag_memory(s: &mut Services<'_>, request: &Bootload) {
        let tag = u64::from(owner_tag(request.gfid as u8));
        let pattern = (tag << 32 | tag).to_le_bytes();
        for r in request.fb.iter().chain([&request.heap]) {
            if s.vram.fill(r.clone(), pattern, Writer::Gsp).is_err() {
                s.refuse("fb-range", format_args!("memory {r:x?} of a vGPU"));
            }
        }
    }
}
