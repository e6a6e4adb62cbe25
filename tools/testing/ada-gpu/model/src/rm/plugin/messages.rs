// SPDX-License-Identifier: GPL-2.0

//! The messages a host sends to a plugin task, and their payloads.
//!
//! ```text
//!    1 VERSION_NEGOTIATION            none, or version u32@0, negotiated u32@4 (answer)
//!    2 SETUP_CONFIG_PARAMS_AND_INIT   112 bytes
//!    3 RESET                          no payload
//!   13 UPDATE_BME_STATE               enable u8@0, allowed u8@1 (answer)
//!   4..12, 14                         known by number only
//! ```
//!
//! Source: vGPU VFIO RFC v2 (September 2025), `drivers/vfio/pci/nvidia-vgpu/`.
//! The 112-byte layout belongs to firmware 570.

use crate::bytes::{u16_at, u32_at, u64_at, u8_at};
use crate::rm::status::{refuse, Refusal};

/// VERSION_NEGOTIATION.
pub const VERSION_NEGOTIATION: u32 = 1;
/// SETUP_CONFIG_PARAMS_AND_INIT.
pub const SETUP_CONFIG: u32 = 2;
/// RESET.
pub const RESET: u32 = 3;
/// UPDATE_BME_STATE.
pub const UPDATE_BME: u32 = 13;
/// The only version of the message interface.
pub const INTERFACE_VERSION: u32 = 1;
/// One more than the highest message type of r570.
pub const MAX: u32 = 15;

/// Bytes of the SETUP_CONFIG payload.
pub const CONFIG_SIZE: usize = 112;
/// The page size every x86 host has.
const HOST_PAGE: u64 = 4096;

/// What SETUP_CONFIG tells the plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginConfig {
    /// Identity of the vGPU.
    pub uuid: [u8; 16],
    /// PCI address of the VF.
    pub dbdf: u32,
    /// Type id.
    pub vgpu_type: u32,
    /// Process that opened the VF.
    pub vm_pid: u32,
    /// Channels of the guest.
    pub channels: u32,
    /// Channels of the plugin.
    pub plugin_channels: u32,
    /// First unit of the GPU that the vGPU covers.
    pub placement_id: u16,
}

impl PluginConfig {
    /// Decodes and checks a payload; every combination of the flag bytes is accepted.
    pub fn decode(b: &[u8; CONFIG_SIZE]) -> Result<PluginConfig, Refusal> {
        let word = |at| u32_at(b, at).unwrap_or(0);
        let mut uuid = [0; 16];
        uuid.copy_from_slice(&b[..16]);
        let page = u64_at(b, 64).unwrap_or(0);
        if page != HOST_PAGE {
            refuse!(
                ERR_INVALID_ARGUMENT,
                "plugin-config",
                "host page size {page}, expected {HOST_PAGE}"
            )
        }
        let arch = word(60);
        if arch != 1 && arch != 2 {
            refuse!(
                ERR_INVALID_ARGUMENT,
                "plugin-config",
                "host CPU architecture {arch}"
            )
        }
        if let Some(at) = (75..=80).find(|at| u8_at(b, *at).is_some_and(|v| v > 1)) {
            refuse!(
                ERR_INVALID_ARGUMENT,
                "plugin-config",
                "flag byte {at} is neither 0 nor 1"
            )
        }
        Ok(PluginConfig {
            uuid,
            dbdf: word(16),
            vgpu_type: word(28),
            vm_pid: word(32),
            channels: word(40),
            plugin_channels: word(44),
            placement_id: u16_at(b, 84).unwrap_or(0),
        })
    }

    /// The identity as people write it.
    pub fn uuid_text(&self) -> String {
        let hex: Vec<String> = self.uuid.iter().map(|b| format!("{b:02x}")).collect();
        [&hex[..4], &hex[4..6], &hex[6..8], &hex[8..10], &hex[10..]]
            .map(<[String]>::concat)
            .join("-")
    }
}

/// The sequence number that follows `last`: 0 and the boot marker are skipped.
pub fn next_sequence(last: u32) -> u32 {
    match last.wrapping_add(1) {
        0 => 1,
        super::layout::BOOT_MARKER => super::layout::BOOT_MARKER + 1,
        n => n,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::bytes::{put_u32, put_u64};

    /// A configuration for type `vgpu_type` with `channels` channels.
    pub(crate) fn config(vgpu_type: u32, channels: u32) -> [u8; CONFIG_SIZE] {
        let mut b = [0; CONFIG_SIZE];
        b[0] = 0x42;
        put_u32(&mut b, 16, 0x104);
        put_u32(&mut b, 28, vgpu_type);
        put_u32(&mut b, 40, channels);
        put_u32(&mut b, 44, 1);
        put_u32(&mut b, 56, 4);
        put_u32(&mut b, 60, 2);
        put_u64(&mut b, 64, 4096);
        b
    }

    #[test]
    fn fields_are_found_and_checked() {
        let c = PluginConfig::decode(&config(941, 64)).unwrap();
        assert_eq!((c.vgpu_type, c.channels, c.dbdf), (941, 64, 0x104));
        let mut b = config(941, 64);
        put_u64(&mut b, 64, 0);
        assert_eq!(PluginConfig::decode(&b).unwrap_err().kind, "plugin-config");
        let mut b = config(941, 64);
        b[80] = 7;
        assert!(PluginConfig::decode(&b).is_err());
        let mut b = config(941, 64);
        (75..=80).for_each(|i| b[i] = 1);
        assert!(PluginConfig::decode(&b).is_ok());
    }

    #[test]
    fn sequence_skips_zero_and_marker() {
        assert_eq!(next_sequence(0), 1);
        assert_eq!(next_sequence(u32::MAX), 1);
        assert_eq!(next_sequence(0x4e65_4a6e), 0x4e65_4a70);
    }
}
