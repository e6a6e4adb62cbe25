// SPDX-License-Identifier: GPL-2.0

//! How many channels a vGPU gets.
//!
//! ```text
//!   all channels of vGPUs / max_instance, rounded down to a power of two
//! ```
//!
//! Ranges of channel IDs are powers of two because they are aligned to their size.
//!
//! Pure: also compiled on the host by `tools/testing/host-tests`.

/// Channels of one vGPU: the largest power of two of which `max_instance` fit into `total`.
///
/// `None` when there are fewer channels than instances.
pub(crate) fn channel_count(total: u32, max_instance: u32) -> Option<u32> {
    let share = total.checked_div(max_instance)?;
    Some(1 << share.checked_ilog2()?)
}
