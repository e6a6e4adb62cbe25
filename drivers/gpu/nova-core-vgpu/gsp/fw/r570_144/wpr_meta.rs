// SPDX-License-Identifier: GPL-2.0

//! `GspFwWprMeta`: what booter needs to know to build WPR2 (OGKM 570.144 `gsp_fw_wpr_meta.h`).

use zerocopy::FromZeros;
use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::super::super::super::fb::layout::Layout;

const MAGIC: u64 = 0xdc3a_ae21_371a_60b3;
const REVISION: u64 = 1;

/// Where the images are in system memory; all addresses are DMA addresses.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Images {
    /// Level 0 page of the radix-3 page table of GSP-RM.
    pub(crate) radix3: u64,
    /// Size of GSP-RM in bytes.
    pub(crate) radix3_size: u64,
    /// Bootloader.
    pub(crate) bootloader: u64,
    /// Size of the bootloader in bytes.
    pub(crate) bootloader_size: u64,
    /// Offset of the monitor's code in the bootloader in bytes.
    pub(crate) code_offset: u64,
    /// Offset of the monitor's data in the bootloader in bytes.
    pub(crate) data_offset: u64,
    /// Offset of the manifest in the bootloader in bytes.
    pub(crate) manifest_offset: u64,
    /// Signatures of GSP-RM.
    pub(crate) signature: u64,
    /// Size of the signatures in bytes.
    pub(crate) signature_size: u64,
}

/// The metadata. Fields that the firmware writes stay private and zero.
#[repr(C)]
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub(crate) struct WprMeta {
    magic: u64,
    revision: u64,
    radix3: u64,
    radix3_size: u64,
    bootloader: u64,
    bootloader_size: u64,
    bootloader_code_offset: u64,
    bootloader_data_offset: u64,
    bootloader_manifest_offset: u64,
    signature: u64,
    signature_size: u64,
    rsvd_start: u64,
    non_wpr_heap_offset: u64,
    non_wpr_heap_size: u64,
    wpr_start: u64,
    heap_offset: u64,
    heap_size: u64,
    image_offset: u64,
    boot_offset: u64,
    frts_offset: u64,
    frts_size: u64,
    wpr_end: u64,
    fb_size: u64,
    vga_workspace_offset: u64,
    vga_workspace_size: u64,
    boot_count: u64,
    partition_rpc: [u8; 0x20],
    vf_partition_count: u8,
    flags: u8,
    pad: [u8; 2],
    pmu_reserved_size: u32,
    verified: u64,
}

impl WprMeta {
    /// Metadata for a first boot.
    pub(crate) fn new(layout: &Layout, images: &Images) -> Self {
        Self {
            magic: MAGIC,
            revision: REVISION,
            radix3: images.radix3,
            radix3_size: images.radix3_size,
            bootloader: images.bootloader,
            bootloader_size: images.bootloader_size,
            bootloader_code_offset: images.code_offset,
            bootloader_data_offset: images.data_offset,
            bootloader_manifest_offset: images.manifest_offset,
            signature: images.signature,
            signature_size: images.signature_size,
            rsvd_start: layout.non_wpr_heap.start,
            non_wpr_heap_offset: layout.non_wpr_heap.start,
            non_wpr_heap_size: layout.non_wpr_heap.size,
            wpr_start: layout.wpr2.start,
            heap_offset: layout.heap.start,
            heap_size: layout.heap.size,
            image_offset: layout.image.start,
            boot_offset: layout.boot.start,
            frts_offset: layout.frts.start,
            frts_size: layout.frts.size,
            wpr_end: layout.wpr_end,
            fb_size: layout.fb_size,
            vga_workspace_offset: layout.vga_workspace.start,
            vga_workspace_size: layout.vga_workspace.size,
            vf_partition_count: layout.vf_partitions,
            ..Self::new_zeroed()
        }
    }
}

const _: () = assert!(size_of::<WprMeta>() == 256);
const _: () = assert!(core::mem::offset_of!(WprMeta, signature) == 0x48);
const _: () = assert!(core::mem::offset_of!(WprMeta, wpr_start) == 0x70);
const _: () = assert!(core::mem::offset_of!(WprMeta, image_offset) == 0x88);
const _: () = assert!(core::mem::offset_of!(WprMeta, frts_offset) == 0x98);
const _: () = assert!(core::mem::offset_of!(WprMeta, fb_size) == 0xb0);
const _: () = assert!(core::mem::offset_of!(WprMeta, boot_count) == 0xc8);
const _: () = assert!(core::mem::offset_of!(WprMeta, vf_partition_count) == 0xf0);
const _: () = assert!(core::mem::offset_of!(WprMeta, pmu_reserved_size) == 0xf4);
const _: () = assert!(core::mem::offset_of!(WprMeta, verified) == 0xf8);

#[cfg(test)]
mod tests {
    use super::super::super::super::super::fb::layout::Input;
    use super::*;
    use zerocopy::IntoBytes as _;

    #[test]
    fn vgpu_fields_are_where_booter_reads_them() {
        let layout = Layout::new(&Input {
            fb_size: 48 << 30,
            vga_workspace: None,
            boot_size: 0x9000,
            image_size: 0x3c9_9000,
            vgpu: true,
        })
        .unwrap();
        let meta = WprMeta::new(
            &layout,
            &Images {
                radix3: 0x1000,
                radix3_size: 0x3c9_9000,
                bootloader: 0x2000,
                bootloader_size: 0x9000,
                code_offset: 0x4800,
                data_offset: 0x800,
                manifest_offset: 0,
                signature: 0x3000,
                signature_size: 4096,
            },
        );
        let bytes = meta.as_bytes();
        let word = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());

        assert_eq!(word(0x00), 0xdc3a_ae21_371a_60b3);
        assert_eq!(word(0x08), 1);
        assert_eq!((word(0x10), word(0x18)), (0x1000, 0x3c9_9000));
        assert_eq!((word(0x30), word(0x38)), (0x4800, 0x800));
        assert_eq!(word(0x58), 0xb_d7a0_0000);
        assert_eq!((word(0x60), word(0x68)), (0xb_d7a0_0000, 1 << 20));
        assert_eq!(word(0x70), 0xb_d7b0_0000);
        assert_eq!((word(0x78), word(0x80)), (0xb_d7c0_0000, 0x2450_0000));
        assert_eq!((word(0x88), word(0x90)), (0xb_fc15_0000, 0xb_ffdf_7000));
        assert_eq!((word(0x98), word(0xa0)), (0xb_ffe0_0000, 1 << 20));
        assert_eq!((word(0xa8), word(0xb0)), (0xb_fff0_0000, 48 << 30));
        assert_eq!((word(0xb8), word(0xc0)), (0xb_fff0_0000, 1 << 20));
        assert_eq!(bytes[0xf0], 32);
        assert!(bytes[0xc8..0xf0].iter().all(|b| *b == 0));
        assert!(bytes[0xf1..].iter().all(|b| *b == 0));
    }
}
