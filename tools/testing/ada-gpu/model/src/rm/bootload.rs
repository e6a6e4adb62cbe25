// SPDX-License-Identifier: GPL-2.0

//! BOOTLOAD_GSP_VGPU_PLUGIN_TASK (0x20804001): decoding and the checks that need
//! nothing but the request itself.
//!
//! ```text
//!      0 dbdf  4 gfid  8 vgpuType  12 vmPid  16 swizzId
//!     20 numChannels  24 numPluginChannels  28 chidOffset[84]
//!    368 numGuestFbSegments  376 address[384]  3448 length[384]
//!   6520 heap address, length  6536 ctrlBuffOffset (relative to the heap)
//!   6544 three logs: absolute FB address, size        6592 MIG heap
//!   6608 bDeviceProfilingEnabled                      6616 end
//! ```
//!
//! Layout: OGKM 570.144 `ctrl2080vgpumgrinternal.h`. Checks and statuses: OGKM
//! `src/nvidia/src/kernel/virtualization/kernel_hostvgpudeviceapi.c` and
//! `kernel_vgpu_mgr.c` where they are public. The host RM leaves dbdf, vgpuType,
//! vmPid and both channel counts 0, so 0 is not refused there.

use crate::bytes::{u32_at, u64_at};
use crate::rm::engines::ENGINE_TYPES;
use crate::rm::plugin::layout;
use crate::rm::status::{refuse, Refusal};
use crate::rm::vmmu::{overlap, MAX_SEGMENTS};
use std::ops::Range;

/// Bytes of the parameters.
pub const PARAMS_SIZE: usize = 6616;
/// Plugin channels a vGPU may have (VGPU_MAX_PLUGIN_CHANNELS).
pub const MAX_PLUGIN_CHANNELS: u32 = 5;
/// Granularity of the heap: a GPU page.
const PAGE: u64 = 4096;

/// The request, ranges already checked for wrap-around.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bootload {
    /// PCI address of the VF as the driver encodes it; 0 when not given.
    pub dbdf: u32,
    /// Function id, VF index + 1.
    pub gfid: u32,
    /// Type id; 0 when not given.
    pub vgpu_type: u32,
    /// Process that opened the VF; 0 when not given.
    pub vm_pid: u32,
    /// Channels of the guest; 0 when only SETUP_CONFIG will tell.
    pub channels: u32,
    /// Channels the plugin wants for itself.
    pub plugin_channels: u32,
    /// First channel ID by NV2080_ENGINE_TYPE.
    pub chid_offset: Vec<u32>,
    /// Guest frame buffer, in guest order.
    pub fb: Vec<Range<u64>>,
    /// Management heap.
    pub heap: Range<u64>,
    /// Control buffer, relative to the heap.
    pub ctrl_offset: u64,
    /// Logs of init task, vGPU task and kernel; empty when not wanted.
    pub logs: [Range<u64>; 3],
}

fn range(address: u64, length: u64) -> Option<Range<u64>> {
    Some(address..address.checked_add(length)?)
}

impl Bootload {
    /// Decodes parameters of the right size.
    pub fn decode(p: &[u8]) -> Result<Bootload, Refusal> {
        let word = |at| u32_at(p, at).unwrap_or(0);
        let long = |at| u64_at(p, at).unwrap_or(0);
        let gfid = word(4);
        let swizz = word(16);
        if swizz != 0 {
            refuse!(
                ERR_NOT_SUPPORTED,
                "mig",
                "gfid {gfid}: MIG instance {swizz}, AD102 has no MIG"
            )
        }
        if long(6600) != 0 {
            refuse!(
                ERR_NOT_SUPPORTED,
                "mig",
                "gfid {gfid}: a MIG heap, AD102 has no MIG"
            )
        }
        let segments = word(368) as usize;
        if segments == 0 || segments > MAX_SEGMENTS {
            refuse!(
                ERR_INVALID_ARGUMENT,
                "fb-segments",
                "gfid {gfid}: {segments} FB segments, 1..={MAX_SEGMENTS} are possible"
            )
        }
        let mut fb = Vec::with_capacity(segments);
        for i in 0..segments {
            let (address, length) = (long(376 + 8 * i), long(3448 + 8 * i));
            match range(address, length) {
                Some(r) => fb.push(r),
                None => refuse!(
                    ERR_INVALID_ARGUMENT,
                    "fb-segments",
                    "gfid {gfid}: FB {address:#x}+{length:#x} wraps"
                ),
            }
        }
        let Some(heap) = range(long(6520), long(6528)) else {
            refuse!(
                ERR_INVALID_ARGUMENT,
                "heap",
                "gfid {gfid}: heap address and length wrap"
            )
        };
        let request = Bootload {
            dbdf: word(0),
            gfid,
            vgpu_type: word(8),
            vm_pid: word(12),
            channels: word(20),
            plugin_channels: word(24),
            chid_offset: (0..ENGINE_TYPES).map(|i| word(28 + 4 * i)).collect(),
            fb,
            heap,
            ctrl_offset: long(6536),
            // Checked below.
            logs: [6544, 6560, 6576].map(|at| long(at)..long(at).saturating_add(long(at + 8))),
        };
        request.check_heap()?;
        for (name, at) in [("init task", 6544), ("vGPU task", 6560), ("kernel", 6576)] {
            request.check_log(name, long(at), long(at + 8))?;
        }
        Ok(request)
    }

    /// The heap holds the communication area and something more, is made of
    /// pages, and is apart from the guest's memory.
    fn check_heap(&self) -> Result<(), Refusal> {
        let (gfid, heap) = (self.gfid, &self.heap);
        let length = heap.end - heap.start;
        if heap.start % PAGE != 0 || length % PAGE != 0 {
            refuse!(
                ERR_INVALID_ARGUMENT,
                "heap",
                "gfid {gfid}: heap {:#x}+{length:#x} is not made of pages",
                heap.start
            )
        }
        let area = self.ctrl_offset.checked_add(layout::AREA_SIZE);
        if self.ctrl_offset % PAGE != 0 || area.is_none_or(|end| end >= length) {
            refuse!(
                ERR_INVALID_ARGUMENT,
                "heap",
                "gfid {gfid}: heap of {length:#x} bytes leaves nothing behind the communication area at {:#x}",
                self.ctrl_offset
            )
        }
        if let Some(piece) = self.fb.iter().find(|p| overlap(p, heap)) {
            refuse!(
                ERR_INVALID_ARGUMENT,
                "heap-overlap",
                "gfid {gfid}: heap {:#x}..{:#x} overlaps its own FB {:#x}..{:#x}",
                heap.start,
                heap.end,
                piece.start,
                piece.end
            )
        }
        Ok(())
    }

    /// A log lies inside the heap and ends before the heap does. A log of size 0
    /// is one the driver does not want.
    fn check_log(&self, name: &str, address: u64, size: u64) -> Result<(), Refusal> {
        let inside = address >= self.heap.start
            && address
                .checked_add(size)
                .is_some_and(|end| end < self.heap.end);
        if size != 0 && !inside {
            refuse!(
                ERR_INVALID_ARGUMENT,
                "log-range",
                "gfid {}: {name} log {address:#x}+{size:#x} is not inside the heap {:#x}..{:#x}",
                self.gfid,
                self.heap.start,
                self.heap.end
            )
        }
        Ok(())
    }

    /// Control buffer as an absolute FB address.
    pub fn control_address(&self) -> u64 {
        self.heap.start + self.ctrl_offset
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::bytes::{put_u32, put_u64};

    /// A request that everything accepts: 1 GiB of FB, 32 MiB of heap behind it.
    pub(crate) fn message(gfid: u32, fb: u64, heap: u64, chid: u32, channels: u32) -> Vec<u8> {
        let mut p = vec![0; PARAMS_SIZE];
        put_u32(&mut p, 0, 0x104);
        put_u32(&mut p, 4, gfid);
        put_u32(&mut p, 20, channels);
        put_u32(&mut p, 24, 1);
        for i in 0..ENGINE_TYPES {
            put_u32(&mut p, 28 + 4 * i, chid);
        }
        put_u32(&mut p, 368, 1);
        put_u64(&mut p, 376, fb);
        put_u64(&mut p, 3448, 1 << 30);
        put_u64(&mut p, 6520, heap);
        put_u64(&mut p, 6528, 32 << 20);
        for (at, off, size) in [
            (6544, 0x20_4000, 0x2_0000),
            (6560, 0x22_4000, 0x4_0000),
            (6576, 0x26_4000, 0x1_0000),
        ] {
            put_u64(&mut p, at, heap + off);
            put_u64(&mut p, at + 8, size);
        }
        p
    }

    fn kind_after(change: impl FnOnce(&mut Vec<u8>)) -> &'static str {
        let mut p = message(1, 1 << 30, 4 << 30, 0, 64);
        change(&mut p);
        Bootload::decode(&p).map_or_else(|r| r.kind, |_| "ok")
    }

    #[test]
    fn a_good_request_decodes() {
        let b = Bootload::decode(&message(7, 1 << 30, 4 << 30, 128, 64)).unwrap();
        assert_eq!(
            (b.gfid, b.channels, b.plugin_channels, b.chid_offset[1]),
            (7, 64, 1, 128)
        );
        assert_eq!(b.fb, vec![1 << 30..2 << 30]);
        assert_eq!(b.control_address(), 4 << 30);
    }

    #[test]
    fn every_range_is_checked() {
        assert_eq!(kind_after(|_| ()), "ok");
        assert_eq!(
            kind_after(|p| {
                put_u32(p, 368, 0);
            }),
            "fb-segments"
        );
        assert_eq!(
            kind_after(|p| {
                put_u32(p, 368, 385);
            }),
            "fb-segments"
        );
        assert_eq!(
            kind_after(|p| {
                put_u64(p, 376, u64::MAX);
            }),
            "fb-segments"
        );
        assert_eq!(
            kind_after(|p| {
                put_u64(p, 6520, u64::MAX - 5);
            }),
            "heap"
        );
        assert_eq!(
            kind_after(|p| {
                put_u64(p, 6520, (4 << 30) + 8);
            }),
            "heap"
        );
        assert_eq!(
            kind_after(|p| {
                put_u64(p, 6528, 0x27_4000);
            }),
            "heap"
        );
        assert_eq!(
            kind_after(|p| {
                put_u64(p, 6536, 32 << 20);
            }),
            "heap"
        );
        assert_eq!(
            kind_after(|p| {
                put_u64(p, 6520, (1 << 30) + (512 << 20));
            }),
            "heap-overlap"
        );
        assert_eq!(
            kind_after(|p| {
                put_u64(p, 6544, 0x20_4000);
            }),
            "log-range"
        );
        assert_eq!(
            kind_after(|p| {
                put_u64(p, 6568, 32 << 20);
            }),
            "log-range"
        );
        assert_eq!(
            kind_after(|p| {
                put_u64(p, 6584, u64::MAX);
            }),
            "log-range"
        );
        assert_eq!(
            kind_after(|p| {
                put_u64(p, 6584, 0);
                put_u64(p, 6576, 0);
            }),
            "ok"
        );
        assert_eq!(
            kind_after(|p| {
                put_u32(p, 16, 1);
            }),
            "mig"
        );
        assert_eq!(
            kind_after(|p| {
                put_u64(p, 6600, 4096);
            }),
            "mig"
        );
    }
}
