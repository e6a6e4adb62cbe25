// SPDX-License-Identifier: GPL-2.0

//! Byte layouts of RM commands and of the parameters this driver sends, firmware 570.144.
//!
//! ```text
//!   RPC 76  GSP_RM_CONTROL  | ControlHeader 24 | parameters of the control …        |
//!   RPC 103 GSP_RM_ALLOC    | AllocHeader   32 | parameters of the class …          |
//!   RPC 10  FREE            | FreeParams    16 |
//!   the reply has the same shape: `status` is filled in, parameters are those of the answer
//! ```
//!
//! Pure: also compiled on the host by `tools/testing/host-tests`.
//!
//! Source: OGKM 570.144 `src/nvidia/generated/g_rpc-structures.h`,
//! `src/common/sdk/nvidia/inc/{nvos.h,class/cl0000.h,class/cl0080.h,class/cl2080.h,ctrl/ctrl2080/*}`.

use zerocopy_derive::{
    FromBytes,
    Immutable,
    IntoBytes,
    KnownLayout, //
};

/// Class of a client (`NV01_ROOT`).
pub(crate) const CLASS_ROOT: u32 = 0x0000;
/// Class of a device (`NV01_DEVICE_0`).
pub(crate) const CLASS_DEVICE: u32 = 0x0080;
/// Class of a subdevice (`NV20_SUBDEVICE_0`).
pub(crate) const CLASS_SUBDEVICE: u32 = 0x2080;

/// `NV2080_CTRL_CMD_GPU_QUERY_ECC_STATUS`.
pub(crate) const CTRL_GPU_QUERY_ECC_STATUS: u32 = 0x2080_012f;
/// `NV2080_CTRL_CMD_GPU_GET_VMMU_SEGMENT_SIZE`.
pub(crate) const CTRL_GPU_GET_VMMU_SEGMENT_SIZE: u32 = 0x2080_017e;
/// `NV2080_CTRL_CMD_INTERNAL_FIFO_GET_NUM_CHANNELS`.
pub(crate) const CTRL_INTERNAL_FIFO_GET_NUM_CHANNELS: u32 = 0x2080_0a61;
/// `NV2080_CTRL_CMD_FIFO_GET_DEVICE_INFO_TABLE`.
pub(crate) const CTRL_FIFO_GET_DEVICE_INFO_TABLE: u32 = 0x2080_1112;
/// `NV2080_CTRL_CMD_GSP_GET_FEATURES`.
pub(crate) const CTRL_GSP_GET_FEATURES: u32 = 0x2080_3601;

/// Head of a GSP_RM_CONTROL command and of its reply.
#[repr(C)]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub(crate) struct ControlHeader {
    /// Client the object belongs to.
    pub(crate) h_client: u32,
    /// Object that is controlled.
    pub(crate) h_object: u32,
    /// Control number.
    pub(crate) cmd: u32,
    /// `NV_STATUS`, in the reply.
    pub(crate) status: u32,
    /// Bytes of parameters that follow.
    pub(crate) params_size: u32,
    /// Always 0 from this driver.
    pub(crate) flags: u32,
}

/// Head of a GSP_RM_ALLOC command and of its reply.
#[repr(C)]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub(crate) struct AllocHeader {
    /// Client the new object belongs to (itself, for a client).
    pub(crate) h_client: u32,
    /// Parent object.
    pub(crate) h_parent: u32,
    /// Handle the new object shall have.
    pub(crate) h_object: u32,
    /// Class of the new object.
    pub(crate) h_class: u32,
    /// `NV_STATUS`, in the reply.
    pub(crate) status: u32,
    /// Bytes of parameters that follow.
    pub(crate) params_size: u32,
    /// Always 0 from this driver.
    pub(crate) flags: u32,
    /// Zero.
    pub(crate) reserved: [u8; 4],
}

/// FREE command (`NVOS00_PARAMETERS`) and its reply.
#[repr(C)]
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
pub(crate) struct FreeParams {
    /// Client.
    pub(crate) h_root: u32,
    /// Parent of the object, 0 for a client.
    pub(crate) h_object_parent: u32,
    /// Object to free.
    pub(crate) h_object_old: u32,
    /// `NV_STATUS`, in the reply.
    pub(crate) status: u32,
}

/// `NV0000_ALLOC_PARAMETERS`.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub(crate) struct RootParams {
    /// Handle of the client itself.
    pub(crate) h_client: u32,
    /// Process the client acts for.
    pub(crate) process_id: u32,
    /// Name of that process.
    pub(crate) process_name: [u8; 100],
    /// Alignment.
    pub(crate) padding: [u8; 4],
    /// Pointer in the address space of a CPU RM; 0.
    pub(crate) os_pid_info: u64,
}

/// `processID` of a client that belongs to the kernel.
pub(crate) const PROCESS_ID_KERNEL: u32 = u32::MAX;

impl RootParams {
    /// Parameters of a kernel client with handle `h_client`.
    pub(crate) fn new(h_client: u32) -> Self {
        Self {
            h_client,
            process_id: PROCESS_ID_KERNEL,
            process_name: [0; 100],
            padding: [0; 4],
            os_pid_info: 0,
        }
    }
}

/// `NV0080_ALLOC_PARAMETERS`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub(crate) struct DeviceParams {
    /// Device number below GSP-RM: 0, it drives one GPU.
    pub(crate) device_id: u32,
    /// Client whose address space is shared.
    pub(crate) h_client_share: u32,
    /// Not used.
    pub(crate) h_target_client: u32,
    /// Not used.
    pub(crate) h_target_device: u32,
    /// Not used.
    pub(crate) flags: u32,
    /// Alignment.
    pub(crate) padding: u32,
    /// Default.
    pub(crate) va_space_size: u64,
    /// Default.
    pub(crate) va_start_internal: u64,
    /// Default.
    pub(crate) va_limit_internal: u64,
    /// Default.
    pub(crate) va_mode: u32,
    /// Alignment.
    pub(crate) padding2: u32,
}

/// `NV2080_ALLOC_PARAMETERS`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub(crate) struct SubdeviceParams {
    /// Subdevice number below the device: 0.
    pub(crate) sub_device_id: u32,
}

/// Parameters of [`CTRL_INTERNAL_FIFO_GET_NUM_CHANNELS`].
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub(crate) struct NumChannelsParams {
    /// In: runlist.
    pub(crate) runlist_id: u32,
    /// Out: its channel IDs.
    pub(crate) num_channels: u32,
}

/// Bytes of the parameters of [`CTRL_GPU_QUERY_ECC_STATUS`]: 36 units of 40 bytes and 24 more.
pub(crate) const ECC_STATUS_SIZE: usize = 1464;
/// Offset of `units[0].enabled`, the switch of the frame buffer.
pub(crate) const ECC_STATUS_FB_ENABLED: usize = 0;

/// Parameters of [`CTRL_GSP_GET_FEATURES`].
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub(crate) struct FeaturesParams {
    /// Feature bits.
    pub(crate) gsp_features: u32,
    /// Whether the rest is filled in.
    pub(crate) valid: u8,
    /// Not used.
    pub(crate) default_gsp_rm_gpu: u8,
    /// Version of the running firmware, NUL-terminated.
    pub(crate) firmware_version: [u8; 64],
    /// Alignment.
    pub(crate) padding: [u8; 2],
}

/// Entries that one call of [`CTRL_FIFO_GET_DEVICE_INFO_TABLE`] can return.
pub(crate) const DEVICE_INFO_ENTRIES: usize = 32;

/// Index into [`DeviceInfoEntry::engine_data`]: engine, in RM's numbering.
pub(crate) const ENGINE_DATA_RM_ENGINE_TYPE: usize = 2;
/// Index into [`DeviceInfoEntry::engine_data`]: runlist; valid for host-driven engines.
pub(crate) const ENGINE_DATA_RUNLIST: usize = 3;
/// Index into [`DeviceInfoEntry::engine_data`]: whether channels run on the engine.
pub(crate) const ENGINE_DATA_IS_HOST_DRIVEN: usize = 12;

/// One engine of the device-info table (`NV2080_CTRL_FIFO_DEVICE_ENTRY`).
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub(crate) struct DeviceInfoEntry {
    /// Indexed by the `ENGINE_DATA_*` constants.
    pub(crate) engine_data: [u32; 16],
    /// PBDMAs that feed the engine.
    pub(crate) pbdma_ids: [u32; 2],
    /// Their fault ids.
    pub(crate) pbdma_fault_ids: [u32; 2],
    /// How many of them.
    pub(crate) num_pbdmas: u32,
    /// Name for people.
    pub(crate) engine_name: [u8; 16],
}

/// Parameters of [`CTRL_FIFO_GET_DEVICE_INFO_TABLE`].
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub(crate) struct DeviceInfoParams {
    /// In: first entry wanted, a multiple of [`DEVICE_INFO_ENTRIES`].
    pub(crate) base_index: u32,
    /// Out: entries returned.
    pub(crate) num_entries: u32,
    /// Out: whether there are more.
    pub(crate) more: u8,
    /// Alignment.
    pub(crate) padding: [u8; 3],
    /// Out.
    pub(crate) entries: [DeviceInfoEntry; DEVICE_INFO_ENTRIES],
}

const _: () = {
    assert!(size_of::<ControlHeader>() == 24);
    assert!(size_of::<AllocHeader>() == 32);
    assert!(size_of::<FreeParams>() == 16);
    assert!(size_of::<RootParams>() == 120);
    assert!(size_of::<DeviceParams>() == 56);
    assert!(size_of::<SubdeviceParams>() == 4);
    assert!(size_of::<NumChannelsParams>() == 8);
    assert!(size_of::<FeaturesParams>() == 72);
    assert!(size_of::<DeviceInfoEntry>() == 100);
    assert!(size_of::<DeviceInfoParams>() == 3212);
};

#[cfg(test)]
mod tests {
    use super::*;
    use core::mem::offset_of;
    use zerocopy::IntoBytes as _;

    #[test]
    fn control_header_bytes() {
        let head = ControlHeader {
            h_client: 0xc1d0_0001,
            h_object: 0x5d1d_0000,
            cmd: CTRL_GPU_GET_VMMU_SEGMENT_SIZE,
            status: 0,
            params_size: 8,
            flags: 0,
        };
        assert_eq!(
            head.as_bytes(),
            [
                0x01, 0x00, 0xd0, 0xc1, 0x00, 0x00, 0x1d, 0x5d, 0x7e, 0x01, 0x80, 0x20, 0, 0, 0, 0,
                8, 0, 0, 0, 0, 0, 0, 0
            ]
        );
    }

    #[test]
    fn offsets() {
        assert_eq!(offset_of!(AllocHeader, status), 16);
        assert_eq!(offset_of!(AllocHeader, params_size), 20);
        assert_eq!(offset_of!(FreeParams, status), 12);
        assert_eq!(offset_of!(RootParams, process_name), 8);
        assert_eq!(offset_of!(RootParams, os_pid_info), 112);
        assert_eq!(offset_of!(DeviceParams, va_space_size), 24);
        assert_eq!(offset_of!(DeviceParams, va_mode), 48);
        assert_eq!(offset_of!(FeaturesParams, firmware_version), 6);
        assert_eq!(offset_of!(DeviceInfoParams, more), 8);
        assert_eq!(offset_of!(DeviceInfoParams, entries), 12);
        assert_eq!(offset_of!(DeviceInfoEntry, pbdma_ids), 64);
        assert_eq!(offset_of!(DeviceInfoEntry, engine_name), 84);
    }
}
