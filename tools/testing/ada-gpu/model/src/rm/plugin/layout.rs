// SPDX-License-Identifier: GPL-2.0

//! The area host and plugin task talk through: start of the management heap.
//!
//! ```text
//!   0x000000  control    host writes; the task puts its boot marker at +8
//!   0x001000  response   task writes
//!   0x002000  message    both
//!   0x003000  migration  2 MiB
//!   0x203000  error      task writes
//!   0x204000  init task log, 0x224000 vGPU task log, 0x264000 kernel log
//!   0x274000  end; the rest of the heap is the task's own
//! ```
//!
//! Source: the r570 excerpt in the vGPU VFIO RFC v2 (September 2025),
//! `drivers/vfio/pci/nvidia-vgpu/include/nvrm/vgpu.h` and `rpc.c`.

use crate::bytes::{u32_at, u64_at};
use std::ops::Range;

/// Bytes of the whole area.
pub const AREA_SIZE: u64 = 0x27_4000;
/// Bytes of the control, response, message and error buffers.
pub const BUFFER_SIZE: u64 = 0x1000;
/// Bytes of the migration buffer.
pub const MIGRATION_SIZE: u64 = 0x20_0000;

/// Stored at control + 8 once the task is up.
pub const BOOT_MARKER: u32 = 0x4e65_4a6f;
/// Protocol version in the control buffer; bit 31 marks the variant later
/// drivers send to the same firmware.
pub const VERSION: u32 = 1;
const VERSION_FLAG: u32 = 1 << 31;

/// message_seq_num, which also carries the boot marker.
pub const CTRL_SEQUENCE: u64 = 8;

/// response: message_seq_num_received.
pub const RESP_RECEIVED: u64 = 0;
/// response: message_seq_num_processed, written last.
pub const RESP_PROCESSED: u64 = 4;
/// response: result_code, 0 for success.
pub const RESP_RESULT: u64 = 8;
/// response: guest_rpc_version.
pub const RESP_GUEST_RPC_VERSION: u64 = 12;

/// response: error_buff_gsp_put_idx, behind surfaces of 80 bytes.
pub const RESP_ERROR_PUT: u64 = 344;
/// response: grid_license_state.
pub const RESP_LICENSE: u64 = 348;
/// response: guest_os_type.
pub const RESP_GUEST_OS: u64 = 352;

/// What the host wrote into the control buffer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Control {
    /// Protocol version without its flag bit.
    pub version: u32,
    /// Message type.
    pub message: u32,
    /// Sequence number of the message.
    pub sequence: u32,
    /// Response buffer, relative to the heap.
    pub response: u64,
    /// Message buffer, relative to the heap.
    pub payload: u64,
    /// Migration buffer, relative to the heap.
    pub migration: u64,
    /// Error buffer, relative to the heap.
    pub error: u64,
}

/// Bytes of the control buffer that [`Control`] decodes.
pub const CONTROL_SIZE: usize = 48;

impl Control {
    /// Decodes the first [`CONTROL_SIZE`] bytes of the control buffer.
    pub fn decode(b: &[u8; CONTROL_SIZE]) -> Control {
        let word = |at| u32_at(b, at).unwrap_or(0);
        let long = |at| u64_at(b, at).unwrap_or(0);
        Control {
            version: word(0) & !VERSION_FLAG,
            message: word(4),
            sequence: word(8),
            response: long(16),
            payload: long(24),
            migration: long(32),
            error: long(40),
        }
    }

    /// Whether all buffers lie inside a heap of `length` bytes, page aligned and
    /// apart from each other and from the control buffer at `ctrl`.
    pub fn buffers_fit(&self, ctrl: u64, length: u64) -> bool {
        let wanted = [
            (ctrl, BUFFER_SIZE),
            (self.response, BUFFER_SIZE),
            (self.payload, BUFFER_SIZE),
            (self.migration, MIGRATION_SIZE),
            (self.error, BUFFER_SIZE),
        ];
        let mut ranges: Vec<Range<u64>> = Vec::new();
        for (start, size) in wanted {
            let Some(end) = start.checked_add(size) else {
                return false;
            };
            if start % BUFFER_SIZE != 0 || end > length {
                return false;
            }
            if ranges.iter().any(|r| start < r.end && r.start < end) {
                return false;
            }
            ranges.push(start..end);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: Control = Control {
        version: 1,
        message: 1,
        sequence: 1,
        response: 0x1000,
        payload: 0x2000,
        migration: 0x3000,
        error: 0x20_3000,
    };

    #[test]
    fn version_flag_is_ignored() {
        let mut b = [0u8; CONTROL_SIZE];
        b[..4].copy_from_slice(&0x8000_0001u32.to_le_bytes());
        assert_eq!(Control::decode(&b).version, VERSION);
    }

    #[test]
    fn buffers_must_be_in_the_heap_and_apart() {
        let heap = 32 << 20;
        assert!(GOOD.buffers_fit(0, heap));
        for bad in [
            Control {
                response: 0,
                ..GOOD
            },
            Control {
                response: 0x1004,
                ..GOOD
            },
            Control {
                payload: 0x1000,
                ..GOOD
            },
            Control {
                payload: heap,
                ..GOOD
            },
            Control {
                error: u64::MAX - 0xfff,
                ..GOOD
            },
            Control {
                migration: heap - 0x1000,
                ..GOOD
            },
        ] {
            assert!(!bad.buffers_fit(0, heap), "{bad:?}");
        }
        assert!(!GOOD.buffers_fit(0, 0x20_3fff));
    }
}
