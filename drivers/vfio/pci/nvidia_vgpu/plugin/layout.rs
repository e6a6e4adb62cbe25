// SPDX-License-Identifier: GPL-2.0

//! The area that driver and plugin task share: the start of the management heap, firmware 570.144.
//!
//! ```text
//!   0x000000  control    4 KiB   driver -> plugin (and the boot marker the other way)
//!   0x001000  response   4 KiB   plugin -> driver
//!   0x002000  message    4 KiB   payload, both ways
//!   0x003000  migration  2 MiB
//!   0x203000  error      4 KiB   plugin -> driver
//!   0x204000  init task log      128 KiB
//!   0x224000  vGPU task log      256 KiB
//!   0x264000  kernel log          64 KiB
//!   0x274000  the plugin's own heap, up to the end of the management heap
//! ```
//!
//! Source: `include/nvrm/vgpu.h` and `rpc.c` of the NVIDIA vGPU VFIO RFC v2.
//!
//! Pure: also compiled on the host by `tools/testing/host-tests`.

/// Control buffer.
pub(crate) const CONTROL: u32 = 0x0;
/// Response buffer.
pub(crate) const RESPONSE: u32 = 0x1000;
/// Message buffer.
pub(crate) const MESSAGE: u32 = 0x2000;
/// Bytes of the message buffer: the longest payload.
pub(crate) const MESSAGE_SIZE: usize = 0x1000;
/// Migration buffer.
pub(crate) const MIGRATION: u32 = 0x3000;
/// Error buffer.
pub(crate) const ERROR: u32 = 0x20_3000;
/// Bytes of the error buffer.
pub(crate) const ERROR_SIZE: usize = 0x1000;
/// Control, response and message buffer: what must read as zero before the plugin task starts,
/// because words of the previous task would be taken for its own.
pub(crate) const CLEARED_SIZE: usize = 0x3000;

/// A piece of the heap that the plugin task writes its log to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Log {
    /// From the start of the heap.
    pub(crate) offset: u64,
    /// In bytes.
    pub(crate) size: u64,
}

/// Log of the init task.
pub(crate) const INIT_TASK_LOG: Log = Log {
    offset: 0x20_4000,
    size: 0x2_0000,
};
/// Log of the vGPU task.
pub(crate) const VGPU_TASK_LOG: Log = Log {
    offset: 0x22_4000,
    size: 0x4_0000,
};
/// Log of the plugin's kernel.
pub(crate) const KERNEL_LOG: Log = Log {
    offset: 0x26_4000,
    size: 0x1_0000,
};
/// Bytes of the shared area; the heap must be larger.
pub(crate) const SHARED_SIZE: u64 = 0x27_4000;

/// Words of the control buffer, offsets from its start.
pub(crate) mod control {
    /// u32: version of this layout.
    pub(crate) const VERSION: u32 = 0;
    /// u32: type of the message.
    pub(crate) const MESSAGE_TYPE: u32 = 4;
    /// u32: sequence number of the message; the boot marker before the first one.
    pub(crate) const MESSAGE_SEQ: u32 = 8;
    /// u64: where the response buffer is, from the start of the heap.
    pub(crate) const RESPONSE_OFFSET: u32 = 16;
    /// u64: where the message buffer is.
    pub(crate) const MESSAGE_OFFSET: u32 = 24;
    /// u64: where the migration buffer is.
    pub(crate) const MIGRATION_OFFSET: u32 = 32;
    /// u64: where the error buffer is.
    pub(crate) const ERROR_OFFSET: u32 = 40;
    /// u32: up to where the driver has taken notice of the error buffer.
    pub(crate) const ERROR_GET: u32 = 56;
    /// Bytes that are in use.
    pub(crate) const USED: usize = 512;
    /// Value of `VERSION`.
    pub(crate) const VERSION_1: u32 = 1;
    /// What the plugin task stores in `MESSAGE_SEQ` once it is up.
    pub(crate) const BOOT_MARKER: u32 = 0x4e65_4a6f;
}

/// Words of the response buffer, offsets from its start.
///
/// Behind four display surfaces of 80 bytes each, as in firmware 535 and later than 570; the RFC has
/// them shorter by 8, but no public driver reads what follows. Nothing that the driver does depends
/// on those words: they are shown.
pub(crate) mod response {
    /// u32: sequence number of the message that was last taken up.
    pub(crate) const SEQ_RECEIVED: u32 = 0;
    /// u32: sequence number of the message that is done.
    pub(crate) const SEQ_PROCESSED: u32 = 4;
    /// u32: its result, 0 for success.
    pub(crate) const RESULT_CODE: u32 = 8;
    /// u32: version of the interface to the guest's driver.
    pub(crate) const GUEST_RPC_VERSION: u32 = 12;
    /// u32: up to where the error buffer is written.
    pub(crate) const ERROR_PUT: u32 = 344;
    /// u32: state of the guest's licence.
    pub(crate) const LICENSE_STATE: u32 = 348;
    /// u32: operating system of the guest.
    pub(crate) const GUEST_OS: u32 = 352;
    /// u32: state of the frame rate limiter.
    pub(crate) const FRAME_RATE_LIMIT: u32 = 356;
    /// Bytes that are in use.
    pub(crate) const USED: usize = 360;
}

const _: () = {
    assert!(KERNEL_LOG.offset + KERNEL_LOG.size == SHARED_SIZE);
    assert!(VGPU_TASK_LOG.offset + VGPU_TASK_LOG.size == KERNEL_LOG.offset);
    assert!(INIT_TASK_LOG.offset + INIT_TASK_LOG.size == VGPU_TASK_LOG.offset);
    assert!(ERROR as u64 + ERROR_SIZE as u64 == INIT_TASK_LOG.offset);
    assert!(response::FRAME_RATE_LIMIT as usize + 4 == response::USED);
    assert!(MIGRATION + 0x20_0000 == ERROR);
    assert!(MESSAGE as usize + MESSAGE_SIZE == CLEARED_SIZE);
};
