// SPDX-License-Identifier: GPL-2.0

//! Layout of the control payload: `NV2080_CTRL_VGPU_MGR_INTERNAL_PGPU_ADD_VGPU_TYPE_PARAMS` of
//! GSP firmware 570.144 with its array of `NVA081_CTRL_VGPU_INFO`.
//!
//! ```text
//!   0   discardVgpuTypes  u8   drop the types stored before
//!   4   vgpuInfoCount     u32  used elements, at most 64
//!   8   vgpuInfo[64]           5224 bytes each          = 334344 bytes
//! ```
//!
//! Source: open-gpu-kernel-modules 570.144, `ctrla081.h` and `ctrl2080vgpumgrinternal.h`.

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, FromZeros as _, Immutable, IntoBytes, KnownLayout, Unaligned};

/// `NV2080_CTRL_CMD_VGPU_MGR_INTERNAL_PGPU_ADD_VGPU_TYPE`.
pub const CMD_ADD_VGPU_TYPE: u64 = 0x2080_4003;
/// `NVA081_MAX_VGPU_TYPES_PER_PGPU`.
pub const MAX_TYPES: usize = 64;
/// `NVA081_MAX_VGPU_PER_PGPU`.
pub const MAX_INSTANCES: u32 = 32;

/// One vGPU type as the GSP knows it.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned, Clone, Copy, Debug)]
#[repr(C)]
pub struct VgpuInfo {
    pub vgpu_type: U32,
    pub vgpu_name: [u8; 32],
    pub vgpu_class: [u8; 32],
    pub vgpu_signature: [u8; 128],
    pub license: [u8; 128],
    pub max_instance: U32,
    pub num_heads: U32,
    pub max_resolution_x: U32,
    pub max_resolution_y: U32,
    pub max_pixels: U32,
    /// Frame-rate limit, frames per second.
    pub frl_config: U32,
    pub cuda_enabled: U32,
    pub ecc_supported: U32,
    /// MIG slice in bytes; 0 for a time-sliced type.
    pub gpu_instance_size: U32,
    pub multi_vgpu_supported: U32,
    pub padding1: [u8; 4],
    pub vdev_id: U64,
    pub pdev_id: U64,
    /// Framebuffer class in bytes.
    pub profile_size: U64,
    pub fb_length: U64,
    pub gsp_heap_size: U64,
    pub fb_reservation: U64,
    pub mappable_video_size: U64,
    /// Percent.
    pub encoder_capacity: U32,
    pub padding2: [u8; 4],
    /// MiB.
    pub bar1_length: U64,
    pub frl_enable: U32,
    pub adapter_name: [u8; 64],
    pub adapter_name_unicode: [U16; 64],
    pub short_gpu_name: [u8; 64],
    pub licensed_product_name: [u8; 128],
    pub vgpu_extra_params: [U32; 1024],
    pub ftrace_enable: U32,
    pub gpu_direct_supported: U32,
    pub nvlink_p2p_supported: U32,
    pub multi_vgpu_exclusive: U32,
    pub exclusive_type: U32,
    pub exclusive_size: U32,
    pub gpu_instance_profile_id: U32,
    /// Placement units, 1 GiB each.
    pub placement_size: U32,
    pub homogeneous_placement_count: U32,
    pub homogeneous_placement_ids: [U32; 32],
    pub heterogeneous_placement_count: U32,
    pub heterogeneous_placement_ids: [U32; 32],
    pub padding3: [u8; 4],
}

/// The whole payload.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct AddVgpuType {
    pub discard_vgpu_types: u8,
    pub padding: [u8; 3],
    pub vgpu_info_count: U32,
    pub vgpu_info: [VgpuInfo; MAX_TYPES],
}

impl AddVgpuType {
    /// An empty payload, on the heap because of its size.
    pub fn empty() -> Box<Self> {
        // A 334344-byte allocation that fails ends the process anyway.
        Self::new_box_zeroed().unwrap_or_else(|_| std::process::abort())
    }
}

const _: () = {
    use std::mem::offset_of;
    assert!(size_of::<VgpuInfo>() == 5224);
    assert!(offset_of!(VgpuInfo, license) == 196);
    assert!(offset_of!(VgpuInfo, max_instance) == 324);
    assert!(offset_of!(VgpuInfo, vdev_id) == 368);
    assert!(offset_of!(VgpuInfo, mappable_video_size) == 416);
    assert!(offset_of!(VgpuInfo, bar1_length) == 432);
    assert!(offset_of!(VgpuInfo, adapter_name_unicode) == 508);
    assert!(offset_of!(VgpuInfo, vgpu_extra_params) == 828);
    assert!(offset_of!(VgpuInfo, ftrace_enable) == 4924);
    assert!(offset_of!(VgpuInfo, placement_size) == 4952);
    assert!(offset_of!(VgpuInfo, heterogeneous_placement_count) == 5088);
    assert!(size_of::<AddVgpuType>() == 334_344);
    assert!(offset_of!(AddVgpuType, vgpu_info) == 8);
};
