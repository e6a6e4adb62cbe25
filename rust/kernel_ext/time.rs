// SPDX-License-Identifier: GPL-2.0

//! Time spans as C counts them.

use kernel::{
    prelude::*,
    time::{
        msecs_to_jiffies,
        Delta, //
    },
};

/// Converts a time span to jiffies, rounded up to milliseconds; negative ones become zero, endless
/// ones the longest possible.
pub(crate) fn jiffies(span: Delta) -> c_ulong {
    let millis = span.as_millis_ceil().clamp(0, i64::from(i32::MAX));

    // CAST: Within the range of `u32` by the line above; jiffies are an `unsigned long`.
    msecs_to_jiffies(millis as u32) as c_ulong
}
