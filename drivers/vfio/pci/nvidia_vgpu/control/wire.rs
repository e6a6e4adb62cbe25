// SPDX-License-Identifier: GPL-2.0

//! Parameters of the vGPU manager's RM controls (interface 0x20804), firmware 570.144.
//!
//! ```text
//!   0x20804001  BOOTLOAD_GSP_VGPU_PLUGIN_TASK   6616 bytes
//!   0x20804002  SHUTDOWN_GSP_VGPU_PLUGIN_TASK      4 bytes, gfid
//!   0x20804003  PGPU_ADD_VGPU_TYPE            334344 bytes, from the metadata file
//!   0x20804004  ENUMERATE_VGPU_PER_PGPU         4872 bytes, see `guests`
//!   0x20804008  VGPU_PLUGIN_CLEANUP                4 bytes, gfid
//!   0x2080400b  SET_VGPU_MGR_CONFIG                1 byte, sizes can be mixed
//!   0x2080400e  SET_VGPU_HETEROGENEOUS_MODE        1 byte, sizes are mixed
//! ```
//!
//! Source: OGKM 570.144 `ctrl2080vgpumgrinternal.h`.
//!
//! Pure: also compiled on the host by `tools/testing/host-tests`.

use core::mem::{
    offset_of,
    size_of, //
};

/// Starts the plugin task of a VF.
pub(crate) const CMD_BOOTLOAD_GSP_VGPU_PLUGIN_TASK: u32 = 0x2080_4001;
/// Stops it.
pub(crate) const CMD_SHUTDOWN_GSP_VGPU_PLUGIN_TASK: u32 = 0x2080_4002;
/// Tells of all vGPUs and their guests.
pub(crate) const CMD_ENUMERATE_VGPU_PER_PGPU: u32 = 0x2080_4004;
/// Makes GSP forget the VF's vGPU.
pub(crate) const CMD_VGPU_PLUGIN_CLEANUP: u32 = 0x2080_4008;
/// Says what the host supports.
pub(crate) const CMD_SET_VGPU_MGR_CONFIG: u32 = 0x2080_400b;
/// Says how vGPUs are arranged.
pub(crate) const CMD_SET_VGPU_HETEROGENEOUS_MODE: u32 = 0x2080_400e;

/// `NV_ERR_OBJECT_NOT_FOUND` (OGKM 570.144 `nvstatuscodes.h`).
pub(crate) const ERR_OBJECT_NOT_FOUND: u32 = 0x57;

/// `NV2080_ENGINE_TYPE_LAST`: entries of the channel offset table.
pub(crate) const ENGINES: usize = 0x54;
/// `NV2080_CTRL_MAX_VMMU_SEGMENTS`: pieces that a guest FB may consist of.
pub(crate) const MAX_VMMU_SEGMENTS: usize = 384;

/// Parameters of `CMD_BOOTLOAD_GSP_VGPU_PLUGIN_TASK`.
#[derive(
    zerocopy_derive::FromBytes,
    zerocopy_derive::IntoBytes,
    zerocopy_derive::Immutable,
    zerocopy_derive::KnownLayout,
)]
#[repr(C)]
pub(crate) struct Bootload {
    /// Domain 31:16, bus 15:8, device 7:3, function 2:0 of the VF.
    pub(crate) dbdf: u32,
    /// VF number from 1.
    pub(crate) gfid: u32,
    /// Type id.
    pub(crate) vgpu_type: u32,
    /// Process that has the device open.
    pub(crate) vm_pid: u32,
    /// 0: no MIG.
    pub(crate) swizz_id: u32,
    /// Channels of the vGPU on each engine.
    pub(crate) num_channels: u32,
    /// Channels that the plugin uses itself.
    pub(crate) num_plugin_channels: u32,
    /// First channel on each engine, by `NV2080_ENGINE_TYPE`.
    pub(crate) chid_offset: [u32; ENGINES],
    /// MIG only.
    pub(crate) disable_default_smc_exec_part_restore: u8,
    /// 0.
    pub(crate) padding1: [u8; 3],
    /// Used entries of the two lists.
    pub(crate) num_guest_fb_segments: u32,
    /// 0.
    pub(crate) padding2: [u8; 4],
    /// Guest FB, addresses in the PF's FB; multiples of the VMMU segment.
    pub(crate) guest_fb_phys_addr_list: [u64; MAX_VMMU_SEGMENTS],
    /// Guest FB, lengths; multiples of the VMMU segment.
    pub(crate) guest_fb_length_list: [u64; MAX_VMMU_SEGMENTS],
    /// Management heap, address in the PF's FB.
    pub(crate) plugin_heap_memory_phys_addr: u64,
    /// Management heap, bytes.
    pub(crate) plugin_heap_memory_length: u64,
    /// Control buffer, from the start of the heap.
    pub(crate) ctrl_buff_offset: u64,
    /// An address in the PF's FB, in spite of its name; so are the next two.
    pub(crate) init_task_log_buff_offset: u64,
    /// Bytes.
    pub(crate) init_task_log_buff_size: u64,
    /// Address.
    pub(crate) vgpu_task_log_buff_offset: u64,
    /// Bytes.
    pub(crate) vgpu_task_log_buff_size: u64,
    /// Address.
    pub(crate) kernel_log_buff_offset: u64,
    /// Bytes.
    pub(crate) kernel_log_buff_size: u64,
    /// MIG only.
    pub(crate) mig_rm_heap_memory_phys_addr: u64,
    /// MIG only.
    pub(crate) mig_rm_heap_memory_length: u64,
    /// 0.
    pub(crate) device_profiling_enabled: u8,
    /// 0.
    pub(crate) padding3: [u8; 7],
}

/// Parameters of the two controls that name a VF only.
#[derive(
    Clone,
    Copy,
    zerocopy_derive::FromBytes,
    zerocopy_derive::IntoBytes,
    zerocopy_derive::Immutable,
    zerocopy_derive::KnownLayout,
)]
#[repr(C)]
pub(crate) struct Gfid {
    /// VF number from 1.
    pub(crate) gfid: u32,
}

const _: () = {
    assert!(size_of::<Bootload>() == 6616);
    assert!(offset_of!(Bootload, chid_offset) == 28);
    assert!(offset_of!(Bootload, disable_default_smc_exec_part_restore) == 364);
    assert!(offset_of!(Bootload, num_guest_fb_segments) == 368);
    assert!(offset_of!(Bootload, guest_fb_phys_addr_list) == 376);
    assert!(offset_of!(Bootload, guest_fb_length_list) == 3448);
    assert!(offset_of!(Bootload, plugin_heap_memory_phys_addr) == 6520);
    assert!(offset_of!(Bootload, ctrl_buff_offset) == 6536);
    assert!(offset_of!(Bootload, init_task_log_buff_offset) == 6544);
    assert!(offset_of!(Bootload, kernel_log_buff_offset) == 6576);
    assert!(offset_of!(Bootload, mig_rm_heap_memory_phys_addr) == 6592);
    assert!(offset_of!(Bootload, device_profiling_enabled) == 6608);
    assert!(size_of::<Gfid>() == 4);
};
