// SPDX-License-Identifier: GPL-2.0

//! What a plugin task has written about itself and its guest, taken apart.
//!
//! ```text
//!   control and response buffer --> Report    numbers, shown as they are
//!   error buffer                    bytes     up to `error_put`, around and around
//!   log                             u64 put index (in words of 8 bytes) | words, around and around
//! ```
//!
//! The task can write anything at any time: nothing here is taken for an address or a length
//! without a limit. The entries of error buffer and logs are not published; logs are for the decoder
//! that has the strings of the firmware (OGKM 570.144 `kgspInitVgpuPartitionLogging`).
//!
//! Pure: also compiled on the host by `tools/testing/host-tests`.

use super::layout::{
    control,
    response,
    ERROR_SIZE, //
};

/// Words of the control and the response buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Report {
    /// Layout version, written by the driver.
    pub(crate) version: u32,
    /// Type of the last message.
    pub(crate) message: u32,
    /// Its sequence number, or the boot marker.
    pub(crate) sequence: u32,
    /// Up to where the driver has taken notice of errors.
    pub(crate) error_get: u32,
    /// Sequence number that was taken up last.
    pub(crate) received: u32,
    /// Sequence number that was done last.
    pub(crate) processed: u32,
    /// Result of that message.
    pub(crate) result: u32,
    /// Version of the interface to the guest's driver, 0 when the task has not said it.
    pub(crate) guest_rpc_version: u32,
    /// Up to where errors are written.
    pub(crate) error_put: u32,
    /// State of the guest's licence.
    pub(crate) license_state: u32,
    /// Operating system of the guest.
    pub(crate) guest_os: u32,
    /// State of the frame rate limiter.
    pub(crate) frame_rate_limit: u32,
}

impl Report {
    /// Takes the used parts of both buffers apart.
    pub(crate) fn decode(control: &[u8; control::USED], response: &[u8; response::USED]) -> Self {
        let c = |offset| word(control, offset);
        let r = |offset| word(response, offset);
        Self {
            version: c(control::VERSION),
            message: c(control::MESSAGE_TYPE),
            sequence: c(control::MESSAGE_SEQ),
            error_get: c(control::ERROR_GET),
            received: r(response::SEQ_RECEIVED),
            processed: r(response::SEQ_PROCESSED),
            result: r(response::RESULT_CODE),
            guest_rpc_version: r(response::GUEST_RPC_VERSION),
            error_put: r(response::ERROR_PUT),
            license_state: r(response::LICENSE_STATE),
            guest_os: r(response::GUEST_OS),
            frame_rate_limit: r(response::FRAME_RATE_LIMIT),
        }
    }
}

/// The word at `offset`, 0 when it is not there.
fn word(buffer: &[u8], offset: u32) -> u32 {
    // CAST: `usize` has 64 bits on every architecture with this device.
    let bytes = buffer.get(offset as usize..).and_then(|b| b.first_chunk());
    bytes.map_or(0, |b| u32::from_le_bytes(*b))
}

/// Whether `put` can be an index into the error buffer, whatever it counts.
pub(crate) fn is_error_index(put: u32) -> bool {
    // CAST: As above.
    (put as usize) < ERROR_SIZE
}

/// Bytes at the beginning of a log of `size` bytes that have ever been written, its put index
/// included; `put` is that index.
pub(crate) fn log_used(put: u64, size: usize) -> usize {
    const WORD: usize = size_of::<u64>();
    let words = usize::try_from(put).unwrap_or(usize::MAX);
    match words {
        0 => 0,
        // An index that makes no sense, or a log that has begun again from its start.
        words => words
            .checked_add(1)
            .and_then(|words| words.checked_mul(WORD))
            .map_or(size, |used| used.min(size)),
    }
}
