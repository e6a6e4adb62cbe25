// SPDX-License-Identifier: GPL-2.0

//! Events about something that went wrong, firmware 570.144.
//!
//! ```text
//!   RC_TRIGGERED     engine 0 | chid 4 | gfid 8 | level 0xc | type 0x10 | scope 0x14
//!                    partition 0x18 (16 bits) | fault address 0x1c lo, 0x20 hi | fault type 0x24
//!                    callback 0x28 (8 bits) | journal bytes 0x2c | journal 0x30 …
//!   OS_ERROR_LOG     Xid 0 | runlist 4 | chid 8 | text 0xc (256 bytes) | previous Xid 0x10c
//!   RECOVERY_ACTION  type 0 | value 4 (8 bits)
//!   FECS_ERROR       graphics engine 0 | type 4 (8 bits)
//! ```
//!
//! Pure: also compiled on the host by `tools/testing/host-tests`.
//!
//! Source: OGKM 570.144 `src/nvidia/generated/g_rpc-structures.h`, `nverror.h`.

use super::super::super::super::bytes::{
    slice,
    u32_at,
    u8_at,
    usize_at, //
};

/// `ROBUST_CHANNEL_FIFO_ERROR_MMU_ERR_FLT`: the fault address counts.
const MMU_FAULT: u32 = 31;
/// `ROBUST_CHANNEL_FAST_PATH_ERROR`: no error of a channel, but the end of a series of them.
const FAST_PATH: u32 = 141;

const RC_JOURNAL: usize = 0x30;
const XID_TEXT: usize = 0x0c;
const XID_TEXT_SIZE: usize = 0x100;
const XID_PREVIOUS: usize = XID_TEXT + XID_TEXT_SIZE;

/// A channel was stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RcTriggered {
    /// `NV2080_ENGINE_TYPE`.
    pub(crate) engine: u32,
    /// Channel ID on the runlist of the engine.
    pub(crate) chid: u32,
    /// Whose channel; 0 is the PF's.
    pub(crate) gfid: u32,
    /// `ROBUST_CHANNEL_*`, the number of the Xid.
    pub(crate) except_type: u32,
    /// What was accessed, if an MMU fault was the reason.
    pub(crate) fault_address: Option<u64>,
}

impl RcTriggered {
    /// Decodes the payload; `None` if it is too short for what it says.
    pub(crate) fn decode(payload: &[u8]) -> Option<Self> {
        slice(payload, RC_JOURNAL, usize_at(payload, 0x2c)?)?;

        let except_type = u32_at(payload, 0x10)?;
        let address = u64::from(u32_at(payload, 0x20)?) << 32 | u64::from(u32_at(payload, 0x1c)?);
        Some(Self {
            engine: u32_at(payload, 0)?,
            chid: u32_at(payload, 4)?,
            gfid: u32_at(payload, 8)?,
            except_type,
            fault_address: (except_type == MMU_FAULT).then_some(address),
        })
    }

    /// Whether this is not about a channel: GSP says that it has written all error notifiers. Only
    /// who has asked for ECC notifiers must answer.
    pub(crate) fn is_fast_path(&self) -> bool {
        self.except_type == FAST_PATH
    }
}

/// An Xid message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OsErrorLog<'a> {
    /// Number of the message.
    pub(crate) xid: u32,
    /// The text, without what follows its end; not necessarily printable.
    pub(crate) text: &'a [u8],
}

impl<'a> OsErrorLog<'a> {
    /// Decodes the payload; `None` if it is too short.
    pub(crate) fn decode(payload: &'a [u8]) -> Option<Self> {
        let text = slice(payload, XID_TEXT, XID_TEXT_SIZE)?;
        let end = text.iter().position(|b| *b == 0).unwrap_or(text.len());

        // The last field.
        u32_at(payload, XID_PREVIOUS)?;
        Some(Self {
            xid: u32_at(payload, 0)?,
            text: slice(text, 0, end)?,
        })
    }
}

/// What GSP-RM wants to be done about an error of the whole GPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RecoveryAction {
    /// `GPU_RECOVERY_EVENT_TYPE_*`.
    pub(crate) kind: u32,
    /// Needed or not needed any more.
    pub(crate) value: bool,
}

impl RecoveryAction {
    /// Decodes the payload; `None` if it is too short.
    pub(crate) fn decode(payload: &[u8]) -> Option<Self> {
        Some(Self {
            kind: u32_at(payload, 0)?,
            value: u8_at(payload, 4)? != 0,
        })
    }

    /// Name of the action.
    pub(crate) fn name(&self) -> &'static str {
        match self.kind {
            0 => "refresh",
            1 => "drain peer-to-peer traffic",
            2 => "reboot of the system",
            _ => "unknown",
        }
    }
}

/// The context switch unit of a graphics engine has a problem with its trace buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FecsError {
    /// Which graphics engine.
    pub(crate) engine: u32,
    /// `FECS_ERROR_EVENT_TYPE_*`.
    pub(crate) kind: u8,
}

impl FecsError {
    /// Decodes the payload; `None` if it is too short.
    pub(crate) fn decode(payload: &[u8]) -> Option<Self> {
        Some(Self {
            engine: u32_at(payload, 0)?,
            kind: u8_at(payload, 4)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rc(except_type: u32, journal: u32, bytes: usize) -> Vec<u8> {
        let mut payload: Vec<u8> = [
            0x0b,
            0x41,
            3,
            2,
            except_type,
            1,
            7,
            0xdead_b000,
            0x12,
            5,
            1,
            journal,
        ]
        .map(u32::to_le_bytes)
        .concat();
        payload.resize(RC_JOURNAL + bytes, 0xee);
        payload
    }

    #[test]
    fn rc_words_are_where_they_should_be() {
        let decoded = RcTriggered::decode(&rc(MMU_FAULT, 0, 0)).unwrap();
        assert_eq!(
            (decoded.engine, decoded.chid, decoded.gfid),
            (0x0b, 0x41, 3)
        );
        assert_eq!(decoded.fault_address, Some(0x12_dead_b000));
        assert!(!decoded.is_fast_path());

        let decoded = RcTriggered::decode(&rc(FAST_PATH, 8, 8)).unwrap();
        assert_eq!(decoded.fault_address, None);
        assert!(decoded.is_fast_path());
    }

    #[test]
    fn rc_journal_must_be_there() {
        assert!(RcTriggered::decode(&rc(13, 9, 8)).is_none());
        assert!(RcTriggered::decode(&rc(13, u32::MAX, 8)).is_none());
        assert!(RcTriggered::decode(&rc(13, 0, 0)[..RC_JOURNAL - 1]).is_none());
    }

    #[test]
    fn xid_text_ends_at_its_end() {
        let mut payload = vec![0; XID_PREVIOUS + 4];
        payload[0] = 31;
        payload[XID_TEXT..XID_TEXT + 5].copy_from_slice(b"fault");
        assert_eq!(
            OsErrorLog::decode(&payload),
            Some(OsErrorLog {
                xid: 31,
                text: b"fault"
            })
        );
        payload[XID_TEXT..XID_PREVIOUS].fill(b'x');
        assert_eq!(
            OsErrorLog::decode(&payload).unwrap().text.len(),
            XID_TEXT_SIZE
        );
        payload.pop();
        assert_eq!(OsErrorLog::decode(&payload), None);
    }

    #[test]
    fn other_payloads() {
        let action = RecoveryAction::decode(&[2, 0, 0, 0, 1]).unwrap();
        assert_eq!(
            (action.name(), action.value),
            ("reboot of the system", true)
        );
        assert_eq!(RecoveryAction::decode(&[2, 0, 0, 0]), None);
        assert_eq!(
            FecsError::decode(&[1, 0, 0, 0, 9]),
            Some(FecsError { engine: 1, kind: 9 })
        );
        assert_eq!(FecsError::decode(&[1, 0, 0, 0]), None);
    }
}
