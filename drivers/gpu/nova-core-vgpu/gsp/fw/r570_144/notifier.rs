// SPDX-License-Identifier: GPL-2.0

//! POST_EVENT: an event object fired, firmware 570.144.
//!
//! ```text
//!   client 0 | event 4 | notifier 8 | data 0xc | info 0x10 (16 bits) | status 0x14
//!   bytes of event data 0x18 | whole list 0x1c (8 bits) | event data 0x1d …
//! ```
//!
//! Pure: also compiled on the host by `tools/testing/host-tests`.
//!
//! Source: OGKM 570.144 `src/nvidia/generated/g_rpc-structures.h`, `cl2080_notification.h`.

use super::super::super::super::bytes::{
    slice,
    u16_at,
    u32_at,
    u8_at,
    usize_at, //
};

/// `NV2080_NOTIFIERS_ECC_SBE`: ECC has corrected an error.
pub(crate) const ECC_SBE: u16 = 111;
/// `NV2080_NOTIFIERS_ECC_DBE`: ECC could not correct an error.
pub(crate) const ECC_DBE: u16 = 112;
/// `NV2080_NOTIFIERS_POISON_ERROR_NON_FATAL`: who used poisoned data was stopped.
pub(crate) const POISON_ERROR_NON_FATAL: u16 = 155;
/// `NV2080_NOTIFIERS_POISON_ERROR_FATAL`: poisoned data were used, nobody knows by whom.
pub(crate) const POISON_ERROR_FATAL: u16 = 156;
/// `NV2080_NOTIFIERS_ECC_SBE_STORM`: ECC corrects errors again and again.
pub(crate) const ECC_SBE_STORM: u16 = 187;

/// Number of notifiers of a subdevice (`NV2080_NOTIFIERS_MAXCOUNT`).
pub(crate) const COUNT: usize = 197;

const EVENT_DATA: usize = 0x1d;

/// What a notifier is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// An engine has finished something, without stalling.
    NonStall,
    /// A method of a channel asked for it.
    Fifo,
    /// A channel was stopped.
    RcError,
    /// ECC has corrected an error.
    EccCorrected,
    /// Data are lost: ECC could not correct an error, or poisoned data were used.
    DataLost,
    /// The GPU cannot be used any more.
    Unavailable,
    /// Anything else.
    Other,
}

impl Class {
    /// The class of notifier `index`.
    pub(crate) fn of(index: u32) -> Self {
        match index {
            // Graphics, decoders, copy engines, encoders, further graphics and copy engines.
            12 | 14..=20 | 23..=32 | 38..=40 | 146..=152 | 166..=175 | 183 => Self::NonStall,
            35 => Self::Fifo,
            37 => Self::RcError,
            111 | 187 => Self::EccCorrected,
            112 | 155 | 156 => Self::DataLost,
            191 => Self::Unavailable,
            _ => Self::Other,
        }
    }

    /// Name of the class.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::NonStall => "non-stall",
            Self::Fifo => "fifo",
            Self::RcError => "rc-error",
            Self::EccCorrected => "ecc-corrected",
            Self::DataLost => "data-lost",
            Self::Unavailable => "gpu-unavailable",
            Self::Other => "other",
        }
    }
}

/// The event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PostEvent<'a> {
    /// Client of the event object.
    pub(crate) client: u32,
    /// The event object.
    pub(crate) event: u32,
    /// `NV2080_NOTIFIERS_*`, below [`COUNT`].
    pub(crate) notifier: u32,
    /// Depends on the notifier.
    pub(crate) data: u32,
    /// Depends on the notifier.
    pub(crate) info: u16,
    /// Raw `NV_STATUS`.
    pub(crate) status: u32,
    /// Depends on the notifier.
    pub(crate) event_data: &'a [u8],
}

impl<'a> PostEvent<'a> {
    /// Decodes the payload; `None` if it is too short for what it says or there is no such
    /// notifier.
    pub(crate) fn decode(payload: &'a [u8]) -> Option<Self> {
        u8_at(payload, EVENT_DATA - 1)?;
        Some(Self {
            client: u32_at(payload, 0)?,
            event: u32_at(payload, 4)?,
            notifier: u32_at(payload, 8).filter(|n| (*n as usize) < COUNT)?,
            data: u32_at(payload, 0x0c)?,
            info: u16_at(payload, 0x10)?,
            status: u32_at(payload, 0x14)?,
            event_data: slice(payload, EVENT_DATA, usize_at(payload, 0x18)?)?,
        })
    }

    /// What the notifier is about.
    pub(crate) fn class(&self) -> Class {
        Class::of(self.notifier)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(notifier: u32, size: u32, data: &[u8]) -> Vec<u8> {
        let mut payload: Vec<u8> = [0xc1d0_0001, 0xcafe, notifier, 7, 0x9_0008, 0x56, size]
            .map(u32::to_le_bytes)
            .concat();
        payload.push(1);
        payload.extend(data);
        payload
    }

    #[test]
    fn words_are_where_they_should_be() {
        let bytes = payload(112, 3, b"abcd");
        let event = PostEvent::decode(&bytes).unwrap();
        assert_eq!((event.client, event.event), (0xc1d0_0001, 0xcafe));
        assert_eq!((event.data, event.info, event.status), (7, 8, 0x56));
        assert_eq!(event.event_data, b"abc");
        assert_eq!(event.class(), Class::DataLost);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        assert_eq!(PostEvent::decode(&payload(112, 5, b"abcd")), None);
        assert_eq!(PostEvent::decode(&payload(112, u32::MAX, b"abcd")), None);
        assert_eq!(PostEvent::decode(&payload(197, 0, b"")), None);
        assert_eq!(PostEvent::decode(&payload(12, 0, b"")[..0x1c]), None);
        assert!(PostEvent::decode(&payload(196, 0, b"")).is_some());
    }

    #[test]
    fn classes() {
        for (index, class) in [
            (12, Class::NonStall),
            (22, Class::Other),
            (23, Class::NonStall),
            (32, Class::NonStall),
            (35, Class::Fifo),
            (37, Class::RcError),
            (111, Class::EccCorrected),
            (156, Class::DataLost),
            (191, Class::Unavailable),
            (0, Class::Other),
        ] {
            assert_eq!(Class::of(index), class, "{index}");
            assert!(!class.name().is_empty());
        }
    }
}
