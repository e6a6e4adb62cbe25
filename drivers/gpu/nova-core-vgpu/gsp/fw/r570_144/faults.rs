// SPDX-License-Identifier: GPL-2.0

//! Events about a virtual function, firmware 570.144.
//!
//! ```text
//!   RC_TRIGGERED               engine 0 | chid 4 | gfid 8 | level 0xc | type 0x10 | …
//!   VGPU_GSP_PLUGIN_TRIGGERED  gfid 0 | notify index 4
//! ```
//!
//! Pure: also compiled on the host by `tools/testing/host-tests`.
//!
//! Source: OGKM 570.144 `src/nvidia/generated/g_rpc-structures.h`.

use super::super::super::super::bytes::u32_at;

/// A channel was stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RcTriggered {
    /// `NV2080_ENGINE_TYPE`.
    pub(crate) engine: u32,
    /// Channel ID on the runlist of the engine.
    pub(crate) chid: u32,
    /// Whose channel; 0 is the PF's.
    pub(crate) gfid: u32,
}

impl RcTriggered {
    /// Decodes the payload; `None` if it is too short.
    pub(crate) fn decode(payload: &[u8]) -> Option<Self> {
        Some(Self {
            engine: u32_at(payload, 0)?,
            chid: u32_at(payload, 4)?,
            gfid: u32_at(payload, 8)?,
        })
    }
}

/// The firmware task of a virtual function has something to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PluginTriggered {
    /// Whose task.
    pub(crate) gfid: u32,
    /// What it is about.
    pub(crate) notify_index: u32,
}

impl PluginTriggered {
    /// Decodes the payload; `None` if it is too short.
    pub(crate) fn decode(payload: &[u8]) -> Option<Self> {
        Some(Self {
            gfid: u32_at(payload, 0)?,
            notify_index: u32_at(payload, 4)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_where_they_should_be() {
        let payload: Vec<u8> = [0x09u32, 0x41, 3, 7, 31].map(u32::to_le_bytes).concat();
        assert_eq!(
            RcTriggered::decode(&payload),
            Some(RcTriggered {
                engine: 9,
                chid: 0x41,
                gfid: 3
            })
        );
        assert_eq!(
            PluginTriggered::decode(&payload[8..]),
            Some(PluginTriggered {
                gfid: 3,
                notify_index: 7
            })
        );
    }

    #[test]
    fn short_payloads_are_refused() {
        assert_eq!(RcTriggered::decode(&[0; 11]), None);
        assert_eq!(PluginTriggered::decode(&[0; 7]), None);
    }
}
