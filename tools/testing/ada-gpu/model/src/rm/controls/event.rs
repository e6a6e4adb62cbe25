// SPDX-License-Identifier: GPL-2.0

//! Controls about the notifiers of a subdevice.
//!
//! ```text
//!   0x20800301 EVENT_SET_NOTIFICATION
//! ```
//!
//! Source: OGKM 570.144 `ctrl2080event.h`.

use super::Control;
use crate::rm::event::SET_NOTIFICATION_SIZE;

/// The controls of this file.
pub const TABLE: &[Control] = &[Control {
    cmd: 0x2080_0301,
    name: "EVENT_SET_NOTIFICATION",
    size: SET_NOTIFICATION_SIZE,
    vgpu: false,
    run: |rm, _, target, p| rm.events.set_notification(target, p),
}];
