// SPDX-License-Identifier: GPL-2.0

//! Byte layouts of event objects, firmware 570.144: what makes GSP-RM send a POST_EVENT.
//!
//! ```text
//!   subdevice 0x2080
//!     +- 0x7e  event         | client 0 | source 4 | class 8 | notifier + flags 0xc | data 0x10 |
//!     0x20800301 EVENT_SET_NOTIFICATION     | notifier 0 | action 4 | state 8 | info 0xc | info 0x10 |
//! ```
//!
//! Both are needed: the object says who is told, the control turns the notifier on for the
//! subdevice. Of the flags, "client RM" makes the message leave GSP.
//!
//! Pure: also compiled on the host by `tools/testing/host-tests`.
//!
//! Source: OGKM 570.144 `src/common/sdk/nvidia/inc/{class/cl0005.h,class/cl0005_notification.h,
//! ctrl/ctrl2080/ctrl2080event.h}`, `src/nvidia/inc/kernel/vgpu/rpc.h`.

use zerocopy::FromZeros;
use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Class of an event object (`NV01_EVENT_KERNEL_CALLBACK_EX`).
pub(crate) const CLASS_EVENT: u32 = 0x7e;
/// `NV2080_CTRL_CMD_EVENT_SET_NOTIFICATION`.
pub(crate) const CTRL_EVENT_SET_NOTIFICATION: u32 = 0x2080_0301;

/// `NV0005_ALLOC_PARAMETERS`.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub(crate) struct EventParams {
    h_parent_client: u32,
    /// GSP-RM takes the parent of the object.
    h_src_resource: u32,
    h_class: u32,
    notify_index: u32,
    /// A pointer of RM on a CPU; 0.
    data: u64,
}

impl EventParams {
    /// `NV01_EVENT_CLIENT_RM`: the notification is for the other side of the queues.
    const CLIENT_RM: u32 = 0x0400_0000;

    /// Notifications of `notifier`, an `NV2080_NOTIFIERS`, for client `h_client`.
    pub(crate) fn new(h_client: u32, notifier: u16) -> Self {
        Self {
            h_parent_client: h_client,
            h_src_resource: 0,
            h_class: CLASS_EVENT,
            notify_index: u32::from(notifier) | Self::CLIENT_RM,
            data: 0,
        }
    }
}

/// Parameters of [`CTRL_EVENT_SET_NOTIFICATION`].
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub(crate) struct SetNotificationParams {
    event: u32,
    action: u32,
    notify_state: u8,
    pad0: [u8; 3],
    info32: u32,
    info16: u16,
    pad1: [u8; 2],
}

impl SetNotificationParams {
    /// `NV2080_CTRL_EVENT_SET_NOTIFICATION_ACTION_REPEAT`.
    const REPEAT: u32 = 2;

    /// Every notification of `notifier`, an `NV2080_NOTIFIERS`, is sent.
    pub(crate) fn repeat(notifier: u16) -> Self {
        Self {
            event: notifier.into(),
            action: Self::REPEAT,
            ..Self::new_zeroed()
        }
    }
}

const _: () = {
    assert!(size_of::<EventParams>() == 24);
    assert!(size_of::<SetNotificationParams>() == 0x14);
};

#[cfg(test)]
mod tests {
    use super::*;
    use core::mem::offset_of;
    use zerocopy::IntoBytes as _;

    #[test]
    fn event_bytes() {
        let params = EventParams::new(0xc1d0_0100, 112);
        let words = [0xc1d0_0100, 0, 0x7e, 0x0400_0070, 0, 0].map(u32::to_le_bytes);
        assert_eq!(params.as_bytes(), words.as_flattened());
    }

    #[test]
    fn notification_bytes() {
        let params = SetNotificationParams::repeat(112);
        let words = [112, 2, 0, 0, 0].map(u32::to_le_bytes);
        assert_eq!(params.as_bytes(), words.as_flattened());
        assert_eq!(offset_of!(SetNotificationParams, notify_state), 8);
        assert_eq!(offset_of!(SetNotificationParams, info32), 0xc);
        assert_eq!(offset_of!(SetNotificationParams, info16), 0x10);
    }
}
