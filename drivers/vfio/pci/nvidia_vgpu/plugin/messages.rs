// SPDX-License-Identifier: GPL-2.0

//! Messages to the plugin task: numbers, payloads, and what may come back.
//!
//! ```text
//!    1  VERSION_NEGOTIATION             8 bytes: version of the driver | agreed version (plugin)
//!    2  SETUP_CONFIG_PARAMS_AND_INIT    112 bytes, ConfigParams
//!    3  RESET                           no payload
//!   13  UPDATE_BME_STATE                2 bytes: enable | allowed (written by the plugin)
//! ```
//!
//! Source: `rpc.h` and `vgpu.c` of the NVIDIA vGPU VFIO RFC v2, layout of firmware 570.144.
//!
//! Pure: also compiled on the host by `tools/testing/host-tests`.

use core::mem::{
    offset_of,
    size_of, //
};

/// Message types in use. Numbers up to 14 exist in this firmware.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum MessageType {
    /// First message after boot.
    VersionNegotiation = 1,
    /// Describes the vGPU; the plugin sets it up.
    SetupConfigParamsAndInit = 2,
    /// The guest's device was reset.
    Reset = 3,
    /// The guest has switched bus mastering.
    UpdateBmeState = 13,
}

impl MessageType {
    /// All of them, in the order of [`index`](Self::index).
    pub(crate) const ALL: [Self; 4] = [
        Self::VersionNegotiation,
        Self::SetupConfigParamsAndInit,
        Self::Reset,
        Self::UpdateBmeState,
    ];

    /// Position in [`ALL`](Self::ALL).
    pub(crate) fn index(self) -> usize {
        match self {
            Self::VersionNegotiation => 0,
            Self::SetupConfigParamsAndInit => 1,
            Self::Reset => 2,
            Self::UpdateBmeState => 3,
        }
    }

    /// Name for log lines.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::VersionNegotiation => "VERSION_NEGOTIATION",
            Self::SetupConfigParamsAndInit => "SETUP_CONFIG_PARAMS_AND_INIT",
            Self::Reset => "RESET",
            Self::UpdateBmeState => "UPDATE_BME_STATE",
        }
    }
}

/// Versions of the message interface that this driver speaks.
pub(crate) const VERSIONS: core::ops::RangeInclusive<u32> = 1..=1;

/// Payload of `VersionNegotiation`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct VersionOffer;

impl VersionOffer {
    /// Bytes of the payload.
    pub(crate) const SIZE: usize = 8;

    /// The payload to send: the highest version, and nothing agreed upon.
    pub(crate) fn encode() -> [u8; Self::SIZE] {
        let mut payload = [0; Self::SIZE];
        payload[..4].copy_from_slice(&VERSIONS.end().to_le_bytes());
        payload
    }

    /// The version that both sides speak from now on.
    ///
    /// A plugin that leaves the second word alone has not looked at the offer. That is what published
    /// drivers rely on, which send none; they speak the first version.
    ///
    /// # Errors
    ///
    /// The version that the plugin wants, when it is not one of [`VERSIONS`].
    pub(crate) fn decode_agreed(answer: &[u8; Self::SIZE]) -> Result<u32, u32> {
        let [_, _, _, _, agreed @ ..] = *answer;
        match u32::from_le_bytes(agreed) {
            0 => Ok(*VERSIONS.start()),
            version if VERSIONS.contains(&version) => Ok(version),
            version => Err(version),
        }
    }
}

/// Payload of `SetupConfigParamsAndInit`.
#[derive(
    Clone,
    Copy,
    Debug,
    zerocopy_derive::FromBytes,
    zerocopy_derive::IntoBytes,
    zerocopy_derive::Immutable,
    zerocopy_derive::KnownLayout,
)]
#[repr(C)]
pub(crate) struct ConfigParams {
    /// Tells one vGPU from another.
    pub(crate) uuid: [u8; 16],
    /// Domain 31:16, bus 15:8, device 7:3, function 2:0 of the VF.
    pub(crate) dbdf: u32,
    /// 0: no driver VM.
    pub(crate) driver_vm_vf_dbdf: u32,
    /// 0 with this firmware.
    pub(crate) vgpu_device_instance_id: u32,
    /// Type id.
    pub(crate) vgpu_type: u32,
    /// Process that has the device open.
    pub(crate) vm_pid: u32,
    /// 0: no MIG.
    pub(crate) swizz_id: u32,
    /// As in BOOTLOAD.
    pub(crate) num_channels: u32,
    /// As in BOOTLOAD.
    pub(crate) num_plugin_channels: u32,
    /// 0.
    pub(crate) vmm_cap: u32,
    /// See [`MIGRATION_FEATURE`].
    pub(crate) migration_feature: u32,
    /// See [`HYPERVISOR_TYPE`].
    pub(crate) hypervisor_type: u32,
    /// See [`HOST_CPU_ARCH`].
    pub(crate) host_cpu_arch: u32,
    /// Bytes.
    pub(crate) host_page_size: u64,
    /// 0.
    pub(crate) reserved1: [u8; 3],
    /// Unified memory for CUDA.
    pub(crate) enable_uvm: u8,
    /// Fewer interrupts for Linux guests.
    pub(crate) linux_interrupt_optimization: u8,
    /// The VMM can migrate the vGPU.
    pub(crate) vmm_migration_supported: u8,
    /// 0.
    pub(crate) reserved2: u8,
    /// Console over VNC.
    pub(crate) enable_console_vnc: u8,
    /// Non-stall events for Linux guests.
    pub(crate) use_non_stall_linux_events: u8,
    /// 0.
    pub(crate) reserved3: [u8; 3],
    /// First unit of the GPU that the vGPU covers.
    pub(crate) placement_id: u16,
    /// 0.
    pub(crate) padding1: u16,
    /// 0.
    pub(crate) reserved4: u32,
    /// 0.
    pub(crate) channel_usage_threshold_percentage: u32,
    /// 0.
    pub(crate) reserved5: u8,
    /// 0.
    pub(crate) padding2: [u8; 3],
    /// 0.
    pub(crate) reserved6: u32,
    /// 0.
    pub(crate) reserved7: u8,
    /// 0.
    pub(crate) padding3: [u8; 7],
}

const _: () = {
    assert!(size_of::<ConfigParams>() == 112);
    assert!(offset_of!(ConfigParams, vgpu_type) == 28);
    assert!(offset_of!(ConfigParams, migration_feature) == 52);
    assert!(offset_of!(ConfigParams, host_page_size) == 64);
    assert!(offset_of!(ConfigParams, enable_uvm) == 75);
    assert!(offset_of!(ConfigParams, enable_console_vnc) == 79);
    assert!(offset_of!(ConfigParams, placement_id) == 84);
    assert!(offset_of!(ConfigParams, reserved4) == 88);
    assert!(offset_of!(ConfigParams, reserved6) == 100);
    assert!(offset_of!(ConfigParams, reserved7) == 104);
};

/// Value of `migration_feature` that every public driver sends; its meaning is not published.
pub(crate) const MIGRATION_FEATURE: u32 = 0x4000;
/// Value of `hypervisor_type` captured on a KVM host (not the published enumeration's KVM, 3).
pub(crate) const HYPERVISOR_TYPE: u32 = 4;
/// Value of `host_cpu_arch` for x86-64.
pub(crate) const HOST_CPU_ARCH: u32 = 2;

/// What differs from vGPU to vGPU in [`ConfigParams`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Config {
    /// See [`ConfigParams::uuid`].
    pub(crate) uuid: [u8; 16],
    /// See [`ConfigParams::dbdf`].
    pub(crate) dbdf: u32,
    /// Type id.
    pub(crate) vgpu_type: u32,
    /// Process that has the device open.
    pub(crate) vm_pid: u32,
    /// As in BOOTLOAD.
    pub(crate) num_channels: u32,
    /// As in BOOTLOAD.
    pub(crate) num_plugin_channels: u32,
    /// See [`ConfigParams::placement_id`].
    pub(crate) placement_id: u16,
    /// Bytes.
    pub(crate) host_page_size: u64,
}

impl ConfigParams {
    /// The payload for one vGPU. Every flag is off until what it stands for exists; the console
    /// is on as in every public driver of this generation.
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            uuid: config.uuid,
            dbdf: config.dbdf,
            driver_vm_vf_dbdf: 0,
            vgpu_device_instance_id: 0,
            vgpu_type: config.vgpu_type,
            vm_pid: config.vm_pid,
            swizz_id: 0,
            num_channels: config.num_channels,
            num_plugin_channels: config.num_plugin_channels,
            vmm_cap: 0,
            migration_feature: MIGRATION_FEATURE,
            hypervisor_type: HYPERVISOR_TYPE,
            host_cpu_arch: HOST_CPU_ARCH,
            host_page_size: config.host_page_size,
            reserved1: [0; 3],
            enable_uvm: 0,
            linux_interrupt_optimization: 0,
            vmm_migration_supported: 0,
            reserved2: 0,
            enable_console_vnc: 1,
            use_non_stall_linux_events: 0,
            reserved3: [0; 3],
            placement_id: config.placement_id,
            padding1: 0,
            reserved4: 0,
            channel_usage_threshold_percentage: 0,
            reserved5: 0,
            padding2: [0; 3],
            reserved6: 0,
            reserved7: 0,
            padding3: [0; 7],
        }
    }
}

/// Payload of `UpdateBmeState`, as sent and as it comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BmeState {
    /// Bus mastering is on.
    pub(crate) enable: bool,
}

impl BmeState {
    /// Bytes of the payload.
    pub(crate) const SIZE: usize = 2;

    /// The payload to send.
    pub(crate) fn encode(self) -> [u8; Self::SIZE] {
        [self.enable.into(), 0]
    }

    /// Does the plugin agree? `None` when its answer is neither yes nor no.
    pub(crate) fn decode_allowed(answer: &[u8]) -> Option<bool> {
        match answer {
            [_, 0] => Some(false),
            [_, 1] => Some(true),
            _ => None,
        }
    }
}

/// An identifier (RFC 9562 version 8) that differs for every VF: made of the VF's address, for a vGPU
/// that user space has given no other identity.
pub(crate) fn uuid(dbdf: u32, gfid: u32) -> [u8; 16] {
    let mut uuid = *b"nv-vgpu\0\0\0\0\0\0\0\0\0";
    uuid[8..12].copy_from_slice(&dbdf.to_be_bytes());
    uuid[12..16].copy_from_slice(&gfid.to_be_bytes());
    // Version 8 (vendor-defined contents) and the variant bits of RFC 9562.
    uuid[6] = 0x80;
    uuid[8] = 0x80 | (uuid[8] & 0x3f);
    uuid
}
