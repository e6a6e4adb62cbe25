// SPDX-License-Identifier: GPL-2.0

//! `NV_STATUS`: the result words of GSP-RM and the errno each of them becomes.
//!
//! ```text
//!   RPC header:  rpc_result ----+
//!                               +--> NvStatus(raw) --errno()--> errno, raw value kept for the log
//!   RM command:  status --------+
//! ```
//!
//! Pure: also compiled on the host by `tools/testing/host-tests`.
//!
//! Source of the numbers: OGKM 570.144 `src/common/sdk/nvidia/inc/nvstatuscodes.h`.

use core::fmt;

/// A raw `NV_STATUS` word. Zero is success, everything else is a failure or (from `0x10000`) a
/// warning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NvStatus(pub(crate) u32);

/// errno numbers used by the table (`include/uapi/asm-generic/errno{-base,}.h`).
mod errno {
    pub(super) const EPERM: i32 = 1;
    pub(super) const ENOENT: i32 = 2;
    pub(super) const ESRCH: i32 = 3;
    pub(super) const EINTR: i32 = 4;
    pub(super) const EIO: i32 = 5;
    pub(super) const EAGAIN: i32 = 11;
    pub(super) const ENOMEM: i32 = 12;
    pub(super) const EACCES: i32 = 13;
    pub(super) const EBUSY: i32 = 16;
    pub(super) const EEXIST: i32 = 17;
    pub(super) const ENODEV: i32 = 19;
    pub(super) const EINVAL: i32 = 22;
    pub(super) const ENOSPC: i32 = 28;
    pub(super) const ERANGE: i32 = 34;
    pub(super) const ELOOP: i32 = 40;
    pub(super) const EOPNOTSUPP: i32 = 95;
    pub(super) const ETIMEDOUT: i32 = 110;
}

/// Declares all codes there are: name, number and errno in one place. Warnings have no errno of
/// their own.
macro_rules! nv_status {
    (
        errors { $($name:ident = $value:literal => $errno:ident;)* }
        warnings { $($warning:ident = $number:literal;)* }
    ) => {
        impl NvStatus {
            /// Name of the code as published, without the `NV_` prefix.
            ///
            /// `None` for a code that was not published; its raw value is all there is then.
            pub(crate) fn name(self) -> Option<&'static str> {
                match self.0 {
                    0 => Some("OK"),
                    $($value => Some(concat!("ERR_", stringify!($name))),)*
                    $($number => Some(concat!("WARN_", stringify!($warning))),)*
                    _ => None,
                }
            }

            /// Positive errno for a failure, zero for success.
            ///
            /// Unknown codes and warnings become `EIO`: the operation did not do just what was
            /// asked.
            pub(crate) fn errno(self) -> i32 {
                match self.0 {
                    0 => 0,
                    $($value => errno::$errno,)*
                    _ => errno::EIO,
                }
            }
        }

        #[cfg(test)]
        const ALL: &[(u32, i32)] = &[$(($value, errno::$errno),)*];
    };
}

nv_status! {
    errors {
        BROKEN_FB = 0x01 => EIO;
        BUFFER_TOO_SMALL = 0x02 => EINVAL;
        BUSY_RETRY = 0x03 => EAGAIN;
        CALLBACK_NOT_SCHEDULED = 0x04 => EIO;
        CARD_NOT_PRESENT = 0x05 => ENODEV;
        CYCLE_DETECTED = 0x06 => ELOOP;
        DMA_IN_USE = 0x07 => EBUSY;
        DMA_MEM_NOT_LOCKED = 0x08 => EINVAL;
        DMA_MEM_NOT_UNLOCKED = 0x09 => EINVAL;
        DUAL_LINK_INUSE = 0x0a => EBUSY;
        ECC_ERROR = 0x0b => EIO;
        FIFO_BAD_ACCESS = 0x0c => EIO;
        FREQ_NOT_SUPPORTED = 0x0d => EOPNOTSUPP;
        GPU_DMA_NOT_INITIALIZED = 0x0e => EIO;
        GPU_IS_LOST = 0x0f => ENODEV;
        GPU_IN_FULLCHIP_RESET = 0x10 => ENODEV;
        GPU_NOT_FULL_POWER = 0x11 => EAGAIN;
        GPU_UUID_NOT_FOUND = 0x12 => ENODEV;
        HOT_SWITCH = 0x13 => EAGAIN;
        I2C_ERROR = 0x14 => EIO;
        I2C_SPEED_TOO_HIGH = 0x15 => EINVAL;
        ILLEGAL_ACTION = 0x16 => EACCES;
        IN_USE = 0x17 => EBUSY;
        INFLATE_COMPRESSED_DATA_FAILED = 0x18 => EIO;
        INSERT_DUPLICATE_NAME = 0x19 => EEXIST;
        INSUFFICIENT_RESOURCES = 0x1a => ENOSPC;
        INSUFFICIENT_PERMISSIONS = 0x1b => EPERM;
        INSUFFICIENT_POWER = 0x1c => EIO;
        INVALID_ACCESS_TYPE = 0x1d => EACCES;
        INVALID_ADDRESS = 0x1e => EINVAL;
        INVALID_ARGUMENT = 0x1f => EINVAL;
        INVALID_BASE = 0x20 => EINVAL;
        INVALID_CHANNEL = 0x21 => EINVAL;
        INVALID_CLASS = 0x22 => EINVAL;
        INVALID_CLIENT = 0x23 => EINVAL;
        INVALID_COMMAND = 0x24 => EOPNOTSUPP;
        INVALID_DATA = 0x25 => EINVAL;
        INVALID_DEVICE = 0x26 => EINVAL;
        INVALID_DMA_SPECIFIER = 0x27 => EINVAL;
        INVALID_EVENT = 0x28 => EINVAL;
        INVALID_FLAGS = 0x29 => EINVAL;
        INVALID_FUNCTION = 0x2a => EOPNOTSUPP;
        INVALID_HEAP = 0x2b => EIO;
        INVALID_INDEX = 0x2c => EINVAL;
        INVALID_IRQ_LEVEL = 0x2d => EINVAL;
        INVALID_LIMIT = 0x2e => EINVAL;
        INVALID_LOCK_STATE = 0x2f => EIO;
        INVALID_METHOD = 0x30 => EINVAL;
        INVALID_OBJECT = 0x31 => EINVAL;
        INVALID_OBJECT_BUFFER = 0x32 => EINVAL;
        INVALID_OBJECT_HANDLE = 0x33 => EINVAL;
        INVALID_OBJECT_NEW = 0x34 => EINVAL;
        INVALID_OBJECT_OLD = 0x35 => EINVAL;
        INVALID_OBJECT_PARENT = 0x36 => EINVAL;
        INVALID_OFFSET = 0x37 => EINVAL;
        INVALID_OPERATION = 0x38 => EINVAL;
        INVALID_OWNER = 0x39 => EACCES;
        INVALID_PARAM_STRUCT = 0x3a => EINVAL;
        INVALID_PARAMETER = 0x3b => EINVAL;
        INVALID_PATH = 0x3c => ENOENT;
        INVALID_POINTER = 0x3d => EINVAL;
        INVALID_REGISTRY_KEY = 0x3e => EINVAL;
        INVALID_REQUEST = 0x3f => EINVAL;
        INVALID_STATE = 0x40 => EIO;
        INVALID_STRING_LENGTH = 0x41 => EINVAL;
        INVALID_READ = 0x42 => EACCES;
        INVALID_WRITE = 0x43 => EACCES;
        INVALID_XLATE = 0x44 => EINVAL;
        IRQ_NOT_FIRING = 0x45 => EIO;
        IRQ_EDGE_TRIGGERED = 0x46 => EINVAL;
        MEMORY_TRAINING_FAILED = 0x47 => EIO;
        MISMATCHED_SLAVE = 0x48 => EINVAL;
        MISMATCHED_TARGET = 0x49 => EINVAL;
        MISSING_TABLE_ENTRY = 0x4a => ENOENT;
        MODULE_LOAD_FAILED = 0x4b => EIO;
        MORE_DATA_AVAILABLE = 0x4c => EAGAIN;
        MORE_PROCESSING_REQUIRED = 0x4d => EAGAIN;
        MULTIPLE_MEMORY_TYPES = 0x4e => EINVAL;
        NO_FREE_FIFOS = 0x4f => ENOSPC;
        NO_INTR_PENDING = 0x50 => EAGAIN;
        NO_MEMORY = 0x51 => ENOMEM;
        NO_SUCH_DOMAIN = 0x52 => ENOENT;
        NO_VALID_PATH = 0x53 => ENOENT;
        NOT_COMPATIBLE = 0x54 => EINVAL;
        NOT_READY = 0x55 => EAGAIN;
        NOT_SUPPORTED = 0x56 => EOPNOTSUPP;
        OBJECT_NOT_FOUND = 0x57 => ENOENT;
        OBJECT_TYPE_MISMATCH = 0x58 => EINVAL;
        OPERATING_SYSTEM = 0x59 => EIO;
        OTHER_DEVICE_FOUND = 0x5a => ENODEV;
        OUT_OF_RANGE = 0x5b => ERANGE;
        OVERLAPPING_UVM_COMMIT = 0x5c => EEXIST;
        PAGE_TABLE_NOT_AVAIL = 0x5d => ENOMEM;
        PID_NOT_FOUND = 0x5e => ESRCH;
        PROTECTION_FAULT = 0x5f => EACCES;
        RC_ERROR = 0x60 => EIO;
        REJECTED_VBIOS = 0x61 => EIO;
        RESET_REQUIRED = 0x62 => EIO;
        STATE_IN_USE = 0x63 => EBUSY;
        SIGNAL_PENDING = 0x64 => EINTR;
        TIMEOUT = 0x65 => ETIMEDOUT;
        TIMEOUT_RETRY = 0x66 => EAGAIN;
        TOO_MANY_PRIMARIES = 0x67 => ENOSPC;
        UVM_ADDRESS_IN_USE = 0x68 => EEXIST;
        MAX_SESSION_LIMIT_REACHED = 0x69 => ENOSPC;
        LIB_RM_VERSION_MISMATCH = 0x6a => EINVAL;
        PRIV_SEC_VIOLATION = 0x6b => EPERM;
        GPU_IN_DEBUG_MODE = 0x6c => EACCES;
        FEATURE_NOT_ENABLED = 0x6d => EOPNOTSUPP;
        RESOURCE_LOST = 0x6e => ENODEV;
        PMU_NOT_READY = 0x6f => EAGAIN;
        FLCN_ERROR = 0x70 => EIO;
        FATAL_ERROR = 0x71 => EIO;
        MEMORY_ERROR = 0x72 => EIO;
        INVALID_LICENSE = 0x73 => EACCES;
        NVLINK_INIT_ERROR = 0x74 => EIO;
        NVLINK_MINION_ERROR = 0x75 => EIO;
        NVLINK_CLOCK_ERROR = 0x76 => EIO;
        NVLINK_TRAINING_ERROR = 0x77 => EIO;
        NVLINK_CONFIGURATION_ERROR = 0x78 => EIO;
        RISCV_ERROR = 0x79 => EIO;
        FABRIC_MANAGER_NOT_PRESENT = 0x7a => ENODEV;
        ALREADY_SIGNALLED = 0x7b => EEXIST;
        QUEUE_TASK_SLOT_NOT_AVAILABLE = 0x7c => EAGAIN;
        KEY_ROTATION_IN_PROGRESS = 0x7d => EAGAIN;
        TEST_ONLY_CODE_NOT_ENABLED = 0x7e => EOPNOTSUPP;
        SECURE_BOOT_FAILED = 0x7f => EIO;
        INSUFFICIENT_ZBC_ENTRY = 0x80 => ENOSPC;
        NVLINK_FABRIC_NOT_READY = 0x81 => EAGAIN;
        NVLINK_FABRIC_FAILURE = 0x82 => EIO;
        GPU_MEMORY_ONLINING_FAILURE = 0x83 => EIO;
        REDUCTION_MANAGER_NOT_AVAILABLE = 0x84 => ENODEV;
        RESOURCE_RETIREMENT_ERROR = 0x86 => EIO;
        GENERIC = 0xffff => EIO;
    }
    warnings {
        HOT_SWITCH = 0x1_0001;
        INCORRECT_PERFMON_DATA = 0x1_0002;
        MISMATCHED_SLAVE = 0x1_0003;
        MISMATCHED_TARGET = 0x1_0004;
        MORE_PROCESSING_REQUIRED = 0x1_0005;
        NOTHING_TO_DO = 0x1_0006;
        NULL_OBJECT = 0x1_0007;
        OUT_OF_RANGE = 0x1_0008;
    }
}

impl NvStatus {
    /// Success.
    pub(crate) const OK: NvStatus = NvStatus(0);

    /// Whether the word says that what a handle names does not exist: `INVALID_CLIENT`,
    /// `INVALID_OBJECT`, `INVALID_OBJECT_HANDLE`, `INVALID_OBJECT_OLD` or `OBJECT_NOT_FOUND`.
    pub(crate) fn is_absent(self) -> bool {
        matches!(self.0, 0x23 | 0x31 | 0x33 | 0x35 | 0x57)
    }

    /// Whether the word says success.
    pub(crate) fn is_ok(self) -> bool {
        self == Self::OK
    }
}

impl fmt::Display for NvStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "NV_STATUS {:#06x} ({name})", self.0),
            None => write!(f, "NV_STATUS {:#06x}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn success_is_zero() {
        assert!(NvStatus(0).is_ok());
        assert_eq!(NvStatus(0).errno(), 0);
        assert_eq!(NvStatus(0).name(), Some("OK"));
    }

    #[test]
    fn every_known_code_fails_with_its_errno() {
        for &(raw, errno) in ALL {
            assert_ne!(raw, 0);
            assert_ne!(errno, 0);
            assert_eq!(NvStatus(raw).errno(), errno);
            assert!(NvStatus(raw).name().is_some(), "{raw:#x}");
        }
    }

    #[test]
    fn unknown_codes_and_warnings_are_failures() {
        for raw in [0x85, 0x87, 0x1_0000, 0x1_0009, 0xdead_beef, u32::MAX] {
            assert_eq!(NvStatus(raw).errno(), 5, "{raw:#x}");
            assert_eq!(NvStatus(raw).name(), None);
            assert!(!NvStatus(raw).is_ok());
        }
        assert_eq!(NvStatus(0x1_0006).name(), Some("WARN_NOTHING_TO_DO"));
        assert_eq!(NvStatus(0x1_0006).errno(), 5);
    }

    #[test]
    fn every_number_up_to_the_last_has_a_name() {
        let without: Vec<_> = (0..=0x86)
            .filter(|n| NvStatus(*n).name().is_none())
            .collect();
        assert_eq!(without, [0x85]);
        // All of these, but success and the gap, and the generic error.
        assert_eq!(ALL.len(), 0x86);
    }

    #[test]
    fn absent_objects() {
        let absent = |raw: u32| NvStatus(raw).is_absent();
        let named = ALL.iter().filter(|(raw, _)| absent(*raw)).count();
        assert_eq!(named, 5, "all of them have a name");
        assert!(!absent(0) && !absent(0x17) && !absent(0xffff));
    }

    #[test]
    fn display_keeps_the_raw_value() {
        assert_eq!(
            NvStatus(0x1f).to_string(),
            "NV_STATUS 0x001f (ERR_INVALID_ARGUMENT)"
        );
        assert_eq!(NvStatus(0x1234_5678).to_string(), "NV_STATUS 0x12345678");
    }
}
