// SPDX-License-Identifier: GPL-2.0

//! The answer to GET_GSP_STATIC_INFO (function 65).
//!
//! ```text
//!   0x018 GID   0x158 FB regions   0x460 SR-IOV capabilities   0x4b0 max GFID
//!   0x4c8 FB length   0x4ec name   0x600 BAR1 and BAR2 page directories
//!   0x640 handles of RM's own client, device, subdevice        0x678 end
//!
//!   FB regions:  0: usable        [0, reserved_start)
//!                1: firmware      [reserved_start, FB end)   protected
//! ```
//!
//! Layout: OGKM 570.144 `src/nvidia/inc/kernel/gpu/gsp/gsp_static_config.h`;
//! offsets as asserted in `src/nvidia/interface/gsp_abi_check.c`.

use crate::bytes::{put, put_u16, put_u32, put_u64};
use crate::services::Services;
use std::ops::Range;

/// Bytes of GspStaticConfigInfo in r570.
pub const SIZE: usize = 0x678;

/// RM's own client; one of the handles from RS_CLIENT_INTERNAL_HANDLE_BASE on.
pub const INTERNAL_CLIENT: u32 = 0xc1e0_0005;
/// Device below [`INTERNAL_CLIENT`].
pub const INTERNAL_DEVICE: u32 = 0xabcd_0080;
/// Subdevice below [`INTERNAL_DEVICE`].
pub const INTERNAL_SUBDEVICE: u32 = 0xabcd_2080;

const GID_INFO: usize = 0x18;
const FB_REGION_COUNT: usize = 0x158;
const FB_REGIONS: usize = 0x160;
const FB_REGION_SIZE: usize = 0x30;
/// NV0080_CTRL_GPU_GET_SRIOV_CAPS_PARAMS inside the structure.
const SRIOV_CAPS: usize = 0x460;
const SRIOV_MAX_GFID: usize = 0x4b0;
const FB_LENGTH: usize = 0x4c8;
const FB_BUS_WIDTH: usize = 0x4d8;
const FB_RAM_TYPE: usize = 0x4dc;
const FBP_MASK: usize = 0x4e0;
const L2_CACHE_SIZE: usize = 0x4e8;
const NAME: usize = 0x4ec;
const SHORT_NAME: usize = 0x52c;
const NAME_UNICODE: usize = 0x56c;
const NAME_LENGTH: usize = 64;
const BAR1_PDE_BASE: usize = 0x600;
const BAR2_PDE_BASE: usize = 0x608;
const VBIOS_VALID: usize = 0x610;
const VBIOS_SUB_VENDOR: usize = 0x614;
const VBIOS_SUB_DEVICE: usize = 0x618;
const H_INTERNAL_CLIENT: usize = 0x640;

/// Bytes of the SR-IOV capabilities structure.
pub const SRIOV_CAPS_SIZE: usize = 0x50;

/// GDDR6 in NV2080_CTRL_FB_INFO_RAM_TYPE numbering.
const RAM_TYPE_GDDR6: u32 = 0x11;

/// FB that RM leaves to the driver.
pub fn usable_fb(s: &Services<'_>) -> Range<u64> {
    0..s.boot.layout.reserved_start
}

/// Highest GFID that exists: VFs, limited by the partitions GSP was booted with.
pub fn max_gfid(s: &Services<'_>) -> u32 {
    if s.boot.vgpu {
        s.boot.system.vf.total_vfs.min(s.boot.partitions.into())
    } else {
        0
    }
}

/// Builds the answer.
pub fn encode(s: &Services<'_>) -> Vec<u8> {
    let mut b = vec![0; SIZE];
    let c = s.config;
    let usable = usable_fb(s);
    let fb_size = c.fb_size();

    gid(&mut b, c.device_id);
    let regions = [(usable.clone(), false), (usable.end..fb_size, true)];
    let mut count = 0;
    for (range, protected) in regions.into_iter().filter(|(r, _)| r.start < r.end) {
        let at = FB_REGIONS + count * FB_REGION_SIZE;
        put_u64(&mut b, at, range.start);
        put_u64(&mut b, at + 8, range.end - 1);
        if protected {
            put_u64(&mut b, at + 0x10, range.end - range.start);
        } else {
            put_u32(&mut b, at + 0x18, 100);
            put(&mut b, at + 0x1c, &[1, 1]);
        }
        put(&mut b, at + 0x1e, &[protected.into()]);
        count += 1;
    }
    put_u32(&mut b, FB_REGION_COUNT, count as u32);

    let caps = sriov_caps(s);
    put(&mut b, SRIOV_CAPS, &caps);
    put_u32(&mut b, SRIOV_MAX_GFID, max_gfid(s));

    put_u64(&mut b, FB_LENGTH, fb_size);
    put_u32(&mut b, FB_BUS_WIDTH, 384);
    put_u32(&mut b, FB_RAM_TYPE, RAM_TYPE_GDDR6);
    put_u64(&mut b, FBP_MASK, 0x3f);
    put_u32(&mut b, L2_CACHE_SIZE, 96 << 20);

    let name = c.board_name();
    let short = name.strip_prefix("NVIDIA ").unwrap_or(&name);
    text(&mut b, NAME, &name);
    text(&mut b, SHORT_NAME, short);
    for (i, u) in name.encode_utf16().take(NAME_LENGTH - 1).enumerate() {
        put_u16(&mut b, NAME_UNICODE + 2 * i, u);
    }
    put_u64(&mut b, BAR1_PDE_BASE, s.boot.bar1_pde_base);
    put_u64(&mut b, BAR2_PDE_BASE, s.boot.bar2_pde_base);
    put(&mut b, VBIOS_VALID, &[1]);
    put_u32(&mut b, VBIOS_SUB_VENDOR, c.subsystem_vendor_id.into());
    put_u32(&mut b, VBIOS_SUB_DEVICE, c.subsystem_id.into());
    for (i, handle) in [INTERNAL_CLIENT, INTERNAL_DEVICE, INTERNAL_SUBDEVICE]
        .into_iter()
        .enumerate()
    {
        put_u32(&mut b, H_INTERNAL_CLIENT + 4 * i, handle);
    }
    b
}

/// NV0080_CTRL_GPU_GET_SRIOV_CAPS_PARAMS: what the driver said in
/// SET_SYSTEM_INFO, and the BAR sizes the board has.
pub fn sriov_caps(s: &Services<'_>) -> [u8; SRIOV_CAPS_SIZE] {
    let mut b = [0; SRIOV_CAPS_SIZE];
    let vf = &s.boot.system.vf;
    put_u32(&mut b, 0, vf.total_vfs);
    put_u32(&mut b, 4, vf.first_vf_offset);
    let sizes = if vf.total_vfs == 0 {
        [0; 3]
    } else {
        [s.config.vf_bar0, s.config.vf_bar1, s.config.vf_bar3]
    };
    for (i, size) in sizes.into_iter().enumerate() {
        put_u64(&mut b, 0x10 + 8 * i, vf.first_vf_bar[i]);
        put_u64(&mut b, 0x28 + 8 * i, size);
        put(&mut b, 0x40 + i, &[vf.bar_is_64bit[i].into()]);
    }
    put(&mut b, 0x43, &[s.boot.vgpu.into()]);
    b
}

/// The GPU's UUID in binary: stable per board model.
fn gid(b: &mut [u8], device_id: u16) {
    put_u32(b, GID_INFO + 4, 2);
    put_u32(b, GID_INFO + 8, 16);
    let mut id = [0xa5; 16];
    id[..2].copy_from_slice(&device_id.to_be_bytes());
    put(b, GID_INFO + 12, &id);
}

/// A NUL-terminated string of at most 63 bytes.
fn text(b: &mut [u8], at: usize, s: &str) {
    put(b, at, &s.as_bytes()[..s.len().min(NAME_LENGTH - 1)]);
}
