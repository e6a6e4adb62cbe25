// SPDX-License-Identifier: GPL-2.0

//! `GspFwWprMeta`: decoding, and every check booter makes on it.
//!
//! ```text
//! 0      reserved_start                                              fb_size
//! | usable | non-WPR heap | meta | heap | image | bootloader | FRTS | VGA |
//!                         |<------------- WPR2 ------------------->|
//! ```
//!
//! 256 bytes, revision 1 (OGKM 570.144, gsp_fw_wpr_meta.h).

use super::{refuse, Refusal};
use crate::bytes::{u32_at, u64_at, u8_at};
use crate::services::FbLayout;
use std::ops::Range;

/// Size of the structure.
pub const SIZE: usize = 256;
const MAGIC: u64 = 0xdc3a_ae21_371a_60b3;
const REVISION: u64 = 1;
/// Stored in `verified` of the copy in WPR2.
pub const VERIFIED: u64 = 0xa0a0_a0a0_a0a0_a0a0;
/// Offset of `verified`.
pub const VERIFIED_OFFSET: usize = 0xf8;

const MIB: u64 = 1 << 20;
/// Smallest heap RM boots with: bare metal, and with vGPU partitions
/// (OGKM 570.144, gsp_fw_heap.h).
const HEAP_MIN: u64 = 88 * MIB;
const HEAP_MIN_VGPU: u64 = 581 * MIB;
/// Most partitions with a GFID.
const MAX_PARTITIONS: u8 = 32;
/// Far above any bootloader; 0x9000 bytes in 570.144.
const BOOTLOADER_MAX: u64 = 16 * MIB;
/// Flag bits known in 570.144.
const KNOWN_FLAGS: u8 = 0x7;

/// The fields booter uses. Addresses are DMA addresses, offsets are in FB.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WprMeta {
    /// DMA address of the radix3 root page.
    pub radix3: u64,
    /// Bytes of the GSP image.
    pub image_size: u64,
    /// DMA address of the bootloader.
    pub bootloader: u64,
    /// Its size in bytes.
    pub bootloader_size: u64,
    /// Code in the bootloader.
    pub code_offset: u64,
    /// Data in the bootloader.
    pub data_offset: u64,
    /// Manifest in the bootloader.
    pub manifest_offset: u64,
    /// DMA address of the image signature.
    pub signature: u64,
    /// Its size in bytes.
    pub signature_size: u64,
    /// First reserved FB byte.
    pub reserved_start: u64,
    /// Heap below WPR2: offset, size.
    pub non_wpr_heap: (u64, u64),
    /// First byte of WPR2.
    pub wpr_start: u64,
    /// Heap in WPR2: offset, size.
    pub heap: (u64, u64),
    /// FB offset of the image.
    pub image_offset: u64,
    /// FB offset of the bootloader.
    pub bootloader_offset: u64,
    /// FRTS: offset, size.
    pub frts: (u64, u64),
    /// First byte behind WPR2.
    pub wpr_end: u64,
    /// FB size the driver assumed.
    pub fb_size: u64,
    /// VGA workspace: offset, size.
    pub vga: (u64, u64),
    /// 0 on a cold boot.
    pub boot_count: u64,
    /// VF partitions the heap is for.
    pub partitions: u8,
    /// Flag bits.
    pub flags: u8,
    /// Bytes reserved for the PMU; 0 on Ada.
    pub pmu_reserved: u32,
    /// Written by booter.
    pub verified: u64,
}

impl WprMeta {
    /// Decodes the structure; refuses a wrong magic or revision.
    pub fn decode(b: &[u8; SIZE]) -> Result<WprMeta, Refusal> {
        let q = |off| u64_at(b, off).unwrap_or(0);
        if q(0) != MAGIC {
            refuse!("wpr-meta-magic", "magic {:#x}", q(0));
        }
        if q(8) != REVISION {
            refuse!("wpr-meta-revision", "revision {}", q(8));
        }
        Ok(WprMeta {
            radix3: q(0x10),
            image_size: q(0x18),
            bootloader: q(0x20),
            bootloader_size: q(0x28),
            code_offset: q(0x30),
            data_offset: q(0x38),
            manifest_offset: q(0x40),
            signature: q(0x48),
            signature_size: q(0x50),
            reserved_start: q(0x58),
            non_wpr_heap: (q(0x60), q(0x68)),
            wpr_start: q(0x70),
            heap: (q(0x78), q(0x80)),
            image_offset: q(0x88),
            bootloader_offset: q(0x90),
            frts: (q(0x98), q(0xa0)),
            wpr_end: q(0xa8),
            fb_size: q(0xb0),
            vga: (q(0xb8), q(0xc0)),
            boot_count: q(0xc8),
            partitions: u8_at(b, 0xf0).unwrap_or(0),
            flags: u8_at(b, 0xf1).unwrap_or(0),
            pmu_reserved: u32_at(b, 0xf4).unwrap_or(0),
            verified: q(VERIFIED_OFFSET),
        })
    }

    /// Checks the layout against the board: `fb_size` usable bytes, `frts` as
    /// FWSEC created it.
    pub fn check(&self, fb_size: u64, frts: &Range<u64>) -> Result<FbLayout, Refusal> {
        let span = |(start, size): (u64, u64)| -> Result<Range<u64>, Refusal> {
            match start.checked_add(size) {
                Some(end) if end <= fb_size => Ok(start..end),
                _ => refuse!("wpr-layout", "{start:#x} size {size:#x} is not in memory"),
            }
        };
        if self.fb_size != fb_size {
            refuse!(
                "wpr-layout",
                "fbSize {:#x}, board has {fb_size:#x}",
                self.fb_size
            );
        }
        let non_wpr_heap = span(self.non_wpr_heap)?;
        let heap = span(self.heap)?;
        let image = span((self.image_offset, self.image_size))?;
        let bootloader = span((self.bootloader_offset, self.bootloader_size))?;
        let meta_frts = span(self.frts)?;
        let vga = span(self.vga)?;
        let order = [
            ("non-WPR heap", self.reserved_start, non_wpr_heap.start),
            ("WPR2", non_wpr_heap.end, self.wpr_start),
            (
                "heap",
                self.wpr_start.saturating_add(SIZE as u64),
                heap.start,
            ),
            ("image", heap.end, image.start),
            ("bootloader", image.end, bootloader.start),
            ("FRTS", bootloader.end, meta_frts.start),
            ("VGA workspace", self.wpr_end, vga.start),
        ];
        for (what, low, high) in order {
            if low > high {
                refuse!(
                    "wpr-layout",
                    "{what} at {high:#x} overlaps what ends at {low:#x}"
                );
            }
        }
        let aligned = [
            ("gspFwWprStart", self.wpr_start, MIB),
            ("gspFwHeapOffset", heap.start, MIB),
            ("gspFwHeapSize", heap.end, MIB),
            ("nonWprHeapOffset", non_wpr_heap.start, MIB),
            ("gspFwOffset", image.start, 64 << 10),
            ("bootBinOffset", bootloader.start, 4 << 10),
            ("frtsOffset", meta_frts.start, 128 << 10),
            ("sysmemAddrOfRadix3Elf", self.radix3, 4 << 10),
            ("sizeOfRadix3Elf", self.image_size, 4 << 10),
        ];
        for (what, value, align) in aligned {
            if value % align != 0 {
                refuse!("wpr-layout", "{what} {value:#x} is not {align:#x} aligned");
            }
        }
        if self.reserved_start != non_wpr_heap.start || non_wpr_heap.is_empty() {
            refuse!(
                "wpr-layout",
                "gspFwRsvdStart {:#x}, non-WPR heap {non_wpr_heap:x?}",
                self.reserved_start
            );
        }
        if meta_frts != *frts {
            refuse!(
                "wpr-frts",
                "frts {meta_frts:x?} but FWSEC created {frts:x?}"
            );
        }
        if self.wpr_end != meta_frts.end {
            refuse!(
                "wpr-layout",
                "gspFwWprEnd {:#x}, FRTS ends at {:#x}",
                self.wpr_end,
                meta_frts.end
            );
        }
        if vga.end != fb_size || vga.is_empty() {
            refuse!("wpr-layout", "VGA workspace {vga:x?}");
        }
        let in_bootloader = [self.code_offset, self.data_offset, self.manifest_offset]
            .map(|o| o < self.bootloader_size);
        if in_bootloader != [true; 3]
            || self.bootloader_size > BOOTLOADER_MAX
            || self.image_size == 0
        {
            refuse!(
                "wpr-bootloader",
                "bootloader of {:#x} bytes, or its offsets",
                self.bootloader_size
            );
        }
        if self.signature_size == 0 || self.signature_size > 64 << 10 {
            refuse!(
                "wpr-signature",
                "signature of {} bytes",
                self.signature_size
            );
        }
        if self.partitions > MAX_PARTITIONS {
            refuse!("wpr-partitions", "{} VF partitions", self.partitions);
        }
        if self.boot_count != 0 || self.verified != 0 || self.pmu_reserved != 0 {
            refuse!(
                "wpr-layout",
                "bootCount {} verified {:#x} pmuReservedSize {:#x}",
                self.boot_count,
                self.verified,
                self.pmu_reserved
            );
        }
        if self.flags & !KNOWN_FLAGS != 0 {
            refuse!("wpr-flags", "flags {:#x}", self.flags);
        }
        Ok(FbLayout {
            fb_size,
            reserved_start: self.reserved_start,
            non_wpr_heap,
            wpr: self.wpr_start..self.wpr_end,
            heap,
            frts: meta_frts,
            vga,
        })
    }

    /// Whether RM can boot in the heap it was given.
    pub fn heap_suffices(&self) -> bool {
        let least = if self.partitions == 0 {
            HEAP_MIN
        } else {
            HEAP_MIN_VGPU
        };
        self.heap.1 >= least
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bytes::{put, put_u64};

    /// The worked vGPU example: 48 GiB, bootloader 0x9000, image 0x3c99000.
    fn vgpu() -> [u8; SIZE] {
        let mut b = [0; SIZE];
        for (off, v) in [
            (0x00, MAGIC),
            (0x08, 1),
            (0x10, 0x10_0000),
            (0x18, 0x3c9_9000),
            (0x20, 0x20_0000),
            (0x28, 0x9000),
            (0x30, 0x4800),
            (0x38, 0x800),
            (0x48, 0x30_0000),
            (0x50, 4096),
            (0x58, 0xb_d7a0_0000),
            (0x60, 0xb_d7a0_0000),
            (0x68, MIB),
            (0x70, 0xb_d7b0_0000),
            (0x78, 0xb_d7c0_0000),
            (0x80, 0x2450_0000),
            (0x88, 0xb_fc15_0000),
            (0x90, 0xb_ffdf_7000),
            (0x98, 0xb_ffe0_0000),
            (0xa0, MIB),
            (0xa8, 0xb_fff0_0000),
            (0xb0, 0xc_0000_0000),
            (0xb8, 0xb_fff0_0000),
            (0xc0, MIB),
        ] {
            put_u64(&mut b, off, v);
        }
        put(&mut b, 0xf0, &[32]);
        b
    }

    const FRTS: Range<u64> = 0xb_ffe0_0000..0xb_fff0_0000;

    fn check(b: &[u8; SIZE]) -> Result<FbLayout, Refusal> {
        WprMeta::decode(b)?.check(0xc_0000_0000, &FRTS)
    }

    #[test]
    fn worked_example_is_accepted() {
        let l = check(&vgpu()).unwrap();
        assert_eq!(l.fb_size - l.reserved_start, 646 * MIB);
        assert_eq!(l.wpr, 0xb_d7b0_0000..0xb_fff0_0000);
        assert!(WprMeta::decode(&vgpu()).unwrap().heap_suffices());
    }

    #[test]
    fn every_field_is_checked() {
        for (off, v, kind) in [
            (0x00, 0, "wpr-meta-magic"),
            (0x08, 2, "wpr-meta-revision"),
            (0x10, 0x10_0800, "wpr-layout"),
            (0x18, 0, "wpr-bootloader"),
            (0x18, u64::MAX, "wpr-layout"),
            (0x28, 0x4000, "wpr-bootloader"),
            (0x28, 0x100_1000, "wpr-layout"),
            (0x50, 0, "wpr-signature"),
            (0x58, 0xb_d7b0_0000, "wpr-layout"),
            (0x68, 0, "wpr-layout"),
            (0x68, 2 * MIB, "wpr-layout"),
            (0x70, 0xb_d7c0_0000, "wpr-layout"),
            (0x80, 0x2460_0000, "wpr-layout"),
            (0x88, 0xb_fc15_1000, "wpr-layout"),
            (0x90, 0xb_ffe0_0000, "wpr-layout"),
            (0x98, 0xb_ffdf_f000, "wpr-layout"),
            (0x98, 0xb_ffe2_0000, "wpr-frts"),
            (0xa8, 0xb_ffe0_0000, "wpr-layout"),
            (0xb0, 0xb_4000_0000, "wpr-layout"),
            (0xc0, 0, "wpr-layout"),
            (0xc8, 1, "wpr-layout"),
            (0xf0, 33, "wpr-partitions"),
            (0xf0, 0x0820, "wpr-flags"),
            (0xf8, VERIFIED, "wpr-layout"),
        ] {
            let mut b = vgpu();
            put_u64(&mut b, off, v);
            assert_eq!(
                check(&b).map_err(|r| r.kind),
                Err(kind),
                "{off:#x} = {v:#x}"
            );
        }
    }

    #[test]
    fn small_heap_is_noticed() {
        let mut b = vgpu();
        put_u64(&mut b, 0x78, 0xb_f3e0_0000);
        put_u64(&mut b, 0x80, 0x830_0000);
        let m = WprMeta::decode(&b).unwrap();
        assert!(m.check(0xc_0000_0000, &FRTS).is_ok());
        assert!(!m.heap_suffices());
        put(&mut b, 0xf0, &[0]);
        assert!(WprMeta::decode(&b).unwrap().heap_suffices());
    }
}
