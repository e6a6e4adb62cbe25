// SPDX-License-Identifier: GPL-2.0

//! Where the parts of WPR2 and the regions around it go, from the top of FB down.
//!
//! ```text
//!  fb_size ─┬──────────────────┐
//!           │ VGA workspace    │  ends the carve-out; 128 KiB aligned start = end of WPR
//!  frts ────┼──────────────────┤ ─┐ 1 MiB, written by FWSEC-FRTS
//!  boot ────┼──────────────────┤  │ GSP bootloader, 4 KiB aligned
//!  image ───┼──────────────────┤  │ GSP-RM, 64 KiB aligned          WPR2
//!  heap ────┼──────────────────┤  │ GSP-RM heap, 1 MiB aligned
//!  wpr2 ────┼──────────────────┤ ─┘ metadata, 1 MiB aligned
//!  non-WPR ─┼──────────────────┤    1 MiB heap outside of WPR2
//!  reserved ┘ = start of the non-WPR heap: everything above is GSP's
//! ```
//!
//! Source: OGKM 570.144 `kernel_gsp_tu102.c` (`kgspCalculateFbLayout`) and `gsp_fw_heap.h`.
//! All values are FB addresses or sizes in bytes.

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

const FRTS_SIZE: u64 = MIB;
const NON_WPR_HEAP_SIZE: u64 = MIB;
/// Size of the metadata at the start of WPR2.
const WPR_META_SIZE: u64 = 256;

const WPR_END_ALIGN: u64 = 128 * KIB;
const BOOT_ALIGN: u64 = 4 * KIB;
const IMAGE_ALIGN: u64 = 64 * KIB;
const REGION_ALIGN: u64 = MIB;

/// Heap parts of the libos3 build for Ada, bare metal.
const HEAP_OS: u64 = 22 * MIB;
const HEAP_RM: u64 = 8 * MIB;
const HEAP_PER_GIB: u64 = 96 * KIB;
const HEAP_CLIENTS: u64 = 96 * MIB;
const HEAP_MIN: u64 = 88 * MIB;

/// Heap of a GSP-RM that runs vGPU plugin tasks (`GSP_FW_HEAP_SIZE_VGPU_DEFAULT`).
pub(crate) const HEAP_VGPU: u64 = 581 * MIB;
/// VF partitions that such a heap is made for (`MAX_PARTITIONS_WITH_GFID`).
pub(crate) const VGPU_PARTITIONS: u8 = 32;
/// FB at the top that the boot firmware has scrubbed; a larger reservation needs the scrubber.
pub(crate) const PRE_SCRUBBED: u64 = 256 * MIB;

/// A range of FB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Region {
    /// First byte.
    pub(crate) start: u64,
    /// Length in bytes.
    pub(crate) size: u64,
}

/// What the layout depends on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Input {
    /// Usable FB in bytes.
    pub(crate) fb_size: u64,
    /// Start of the VGA workspace if the display engine has one.
    pub(crate) vga_workspace: Option<u64>,
    /// Size of the bootloader image in bytes.
    pub(crate) boot_size: u64,
    /// Size of GSP-RM in bytes.
    pub(crate) image_size: u64,
    /// vGPU mode.
    pub(crate) vgpu: bool,
}

/// The layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Layout {
    /// Usable FB in bytes.
    pub(crate) fb_size: u64,
    /// VGA workspace, up to the end of FB.
    pub(crate) vga_workspace: Region,
    /// Firmware runtime services.
    pub(crate) frts: Region,
    /// GSP bootloader.
    pub(crate) boot: Region,
    /// GSP-RM.
    pub(crate) image: Region,
    /// GSP-RM heap.
    pub(crate) heap: Region,
    /// WPR2, from its metadata to the end of FRTS.
    pub(crate) wpr2: Region,
    /// Heap outside of WPR2; its start is the start of GSP's reservation.
    pub(crate) non_wpr_heap: Region,
    /// `gspFwWprEnd`.
    pub(crate) wpr_end: u64,
    /// VF partitions that the heap is made for; 0 without vGPU.
    pub(crate) vf_partitions: u8,
}

/// FB is too small for the layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooSmall;

const fn align_down(value: u64, align: u64) -> u64 {
    value & !(align - 1)
}

/// Heap size without vGPU: fixed parts plus page tables that grow with FB.
const fn bare_metal_heap(fb_size: u64) -> u64 {
    let per_gib = (HEAP_PER_GIB * fb_size.div_ceil(GIB)).next_multiple_of(MIB);
    let size = HEAP_OS + HEAP_RM + per_gib + HEAP_CLIENTS;

    if size < HEAP_MIN {
        HEAP_MIN
    } else {
        size
    }
}

/// Start of the VGA workspace: the register's value when there is one and it is not too low.
fn vga_start(input: &Input) -> Option<u64> {
    let default = input.fb_size.checked_sub(MIB)?;

    match input.vga_workspace {
        None => Some(default),
        Some(start) if start < default => input.fb_size.checked_sub(128 * KIB),
        Some(start) if start < input.fb_size => Some(start),
        Some(_) => None,
    }
}

impl Layout {
    /// Computes the layout.
    ///
    /// # Errors
    ///
    /// [`TooSmall`] when FB cannot hold it or the VGA workspace is outside of FB.
    pub(crate) fn new(input: &Input) -> Result<Self, TooSmall> {
        Self::compute(input).ok_or(TooSmall)
    }

    fn compute(input: &Input) -> Option<Self> {
        let vga = vga_start(input)?;
        let wpr_end = align_down(vga, WPR_END_ALIGN);
        let frts = wpr_end.checked_sub(FRTS_SIZE)?;
        let boot = align_down(frts.checked_sub(input.boot_size)?, BOOT_ALIGN);
        let image = align_down(boot.checked_sub(input.image_size)?, IMAGE_ALIGN);
        let heap_wanted = if input.vgpu {
            HEAP_VGPU
        } else {
            bare_metal_heap(input.fb_size)
        };
        let heap = align_down(image.checked_sub(heap_wanted)?, REGION_ALIGN);
        let wpr2 = align_down(heap.checked_sub(WPR_META_SIZE)?, REGION_ALIGN);
        let non_wpr_heap = wpr2.checked_sub(NON_WPR_HEAP_SIZE)?;

        Some(Self {
            fb_size: input.fb_size,
            vga_workspace: Region {
                start: vga,
                size: input.fb_size - vga,
            },
            frts: Region {
                start: frts,
                size: FRTS_SIZE,
            },
            boot: Region {
                start: boot,
                size: input.boot_size,
            },
            image: Region {
                start: image,
                size: input.image_size,
            },
            heap: Region {
                start: heap,
                size: align_down(image - heap, REGION_ALIGN),
            },
            wpr2: Region {
                start: wpr2,
                size: frts + FRTS_SIZE - wpr2,
            },
            non_wpr_heap: Region {
                start: non_wpr_heap,
                size: NON_WPR_HEAP_SIZE,
            },
            wpr_end,
            vf_partitions: if input.vgpu { VGPU_PARTITIONS } else { 0 },
        })
    }

    /// Bytes at the top of FB that belong to GSP.
    pub(crate) const fn reserved(&self) -> u64 {
        self.fb_size - self.non_wpr_heap.start
    }

    /// The reservation reaches into FB that the boot firmware has not scrubbed.
    pub(crate) const fn needs_scrubber(&self) -> bool {
        self.reserved() > PRE_SCRUBBED
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // GSP 570.144: sizes of bootloader and `.fwimage`.
    fn input(fb_mib: u64, vgpu: bool) -> Input {
        Input {
            fb_size: fb_mib * MIB,
            vga_workspace: None,
            boot_size: 0x9000,
            image_size: 0x3c9_9000,
            vgpu,
        }
    }

    #[test]
    fn vgpu_48_gib() {
        let l = Layout::new(&input(0xc000, true)).unwrap();
        assert_eq!(l.vga_workspace.start, 0xb_fff0_0000);
        assert_eq!(l.frts.start, 0xb_ffe0_0000);
        assert_eq!(l.boot.start, 0xb_ffdf_7000);
        assert_eq!(l.image.start, 0xb_fc15_0000);
        assert_eq!((l.heap.start, l.heap.size), (0xb_d7c0_0000, 0x2450_0000));
        assert_eq!(l.wpr2.start, 0xb_d7b0_0000);
        assert_eq!(l.wpr2.start + l.wpr2.size, 0xb_fff0_0000);
        assert_eq!(l.non_wpr_heap.start, 0xb_d7a0_0000);
        assert_eq!(l.wpr_end, l.frts.start + l.frts.size);
        assert_eq!(l.reserved(), 646 * MIB);
        assert!(l.needs_scrubber());
        assert_eq!(l.vf_partitions, 32);
    }

    #[test]
    fn bare_metal_48_gib() {
        let l = Layout::new(&input(0xc000, false)).unwrap();
        assert_eq!((l.heap.start, l.heap.size), (0xb_f3e0_0000, 0x830_0000));
        assert_eq!(l.wpr2.start, 0xb_f3d0_0000);
        assert_eq!(l.non_wpr_heap.start, 0xb_f3c0_0000);
        assert_eq!(l.reserved(), 196 * MIB);
        assert!(!l.needs_scrubber());
        assert_eq!(l.vf_partitions, 0);
    }

    #[test]
    fn vgpu_45_gib_with_ecc() {
        let l = Layout::new(&input(0xb400, true)).unwrap();
        assert_eq!(l.vga_workspace.start, 0xb_3ff0_0000);
        assert_eq!(l.frts.start, 0xb_3fe0_0000);
        assert_eq!(l.boot.start, 0xb_3fdf_7000);
        assert_eq!(l.image.start, 0xb_3c15_0000);
        assert_eq!((l.heap.start, l.heap.size), (0xb_17c0_0000, 0x2450_0000));
        assert_eq!(l.wpr2.start, 0xb_17b0_0000);
        assert_eq!(l.non_wpr_heap.start, 0xb_17a0_0000);
        assert_eq!(l.wpr_end, 0xb_3ff0_0000);
        assert_eq!(l.reserved(), 646 * MIB);
    }

    #[test]
    fn reservation_does_not_depend_on_fb_size_with_vgpu() {
        for fb_mib in [1024, 2048, 24576, 49140] {
            assert_eq!(
                Layout::new(&input(fb_mib, true)).unwrap().reserved(),
                646 * MIB
            );
        }
        assert_eq!(
            Layout::new(&input(2048, false)).unwrap().reserved(),
            192 * MIB
        );
    }

    #[test]
    fn vga_workspace_rules() {
        let start = |vga| {
            let mut i = input(1024, true);
            i.vga_workspace = Some(vga);
            Layout::new(&i).map(|l| l.vga_workspace.start)
        };
        assert_eq!(start(GIB - MIB), Ok(GIB - MIB));
        assert_eq!(start(GIB - 256 * KIB), Ok(GIB - 256 * KIB));
        assert_eq!(start(GIB / 2), Ok(GIB - 128 * KIB));
        assert_eq!(start(GIB), Err(TooSmall));
    }

    #[test]
    fn too_small() {
        assert_eq!(Layout::new(&input(640, true)), Err(TooSmall));
        assert_eq!(Layout::new(&input(0, false)), Err(TooSmall));
    }
}
