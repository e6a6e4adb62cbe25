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
    pub(super) const EOPNOTSUPP: i32 = 95;
    pub(super) const ETIMEDOUT: i32 = 110;
}

/// Declares the codes that this driver tells apart: name, number and errno in one place.
macro_rules! nv_status {
    ($($name:ident = $value:literal => $errno:ident;)*) => {
        impl NvStatus {
            /// Name of the code as published, without the `NV_` prefix.
            ///
            /// `None` for a code this driver does not know; its raw value is all there is then.
            pub(crate) fn name(self) -> Option<&'static str> {
                match self.0 {
                    0 => Some("OK"),
                    $($value => Some(concat!("ERR_", stringify!($name))),)*
                    _ => None,
                }
            }

            /// Positive errno for a failure, zero for success.
            ///
            /// Unknown codes, warnings included, become `EIO`: the operation did not do what was
            /// asked and the caller cannot tell why.
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
    BROKEN_FB = 0x01 => EIO;
    BUFFER_TOO_SMALL = 0x02 => EINVAL;
    BUSY_RETRY = 0x03 => EAGAIN;
    CARD_NOT_PRESENT = 0x05 => ENODEV;
    GPU_IS_LOST = 0x0f => ENODEV;
    GPU_IN_FULLCHIP_RESET = 0x10 => ENODEV;
    ILLEGAL_ACTION = 0x16 => EACCES;
    IN_USE = 0x17 => EBUSY;
    INSERT_DUPLICATE_NAME = 0x19 => EEXIST;
    INSUFFICIENT_RESOURCES = 0x1a => ENOSPC;
    INSUFFICIENT_PERMISSIONS = 0x1b => EPERM;
    INVALID_ADDRESS = 0x1e => EINVAL;
    INVALID_ARGUMENT = 0x1f => EINVAL;
    INVALID_CHANNEL = 0x21 => EINVAL;
    INVALID_CLASS = 0x22 => EINVAL;
    INVALID_CLIENT = 0x23 => EINVAL;
    INVALID_COMMAND = 0x24 => EOPNOTSUPP;
    INVALID_DATA = 0x25 => EINVAL;
    INVALID_DEVICE = 0x26 => EINVAL;
    INVALID_FUNCTION = 0x2a => EOPNOTSUPP;
    INVALID_INDEX = 0x2c => EINVAL;
    INVALID_LIMIT = 0x2e => EINVAL;
    INVALID_OBJECT = 0x31 => EINVAL;
    INVALID_OBJECT_HANDLE = 0x33 => EINVAL;
    INVALID_OBJECT_NEW = 0x34 => EINVAL;
    INVALID_OBJECT_OLD = 0x35 => EINVAL;
    INVALID_OBJECT_PARENT = 0x36 => EINVAL;
    INVALID_OFFSET = 0x37 => EINVAL;
    INVALID_OPERATION = 0x38 => EINVAL;
    INVALID_PARAM_STRUCT = 0x3a => EINVAL;
    INVALID_PARAMETER = 0x3b => EINVAL;
    INVALID_POINTER = 0x3d => EINVAL;
    INVALID_REQUEST = 0x3f => EINVAL;
    INVALID_STATE = 0x40 => EIO;
    INVALID_STRING_LENGTH = 0x41 => EINVAL;
    MISSING_TABLE_ENTRY = 0x4a => ENOENT;
    NO_FREE_FIFOS = 0x4f => ENOSPC;
    NO_MEMORY = 0x51 => ENOMEM;
    NOT_COMPATIBLE = 0x54 => EINVAL;
    NOT_READY = 0x55 => EAGAIN;
    NOT_SUPPORTED = 0x56 => EOPNOTSUPP;
    OBJECT_NOT_FOUND = 0x57 => ENOENT;
    OBJECT_TYPE_MISMATCH = 0x58 => EINVAL;
    OUT_OF_RANGE = 0x5b => ERANGE;
    PROTECTION_FAULT = 0x5f => EACCES;
    RESET_REQUIRED = 0x62 => EIO;
    STATE_IN_USE = 0x63 => EBUSY;
    SIGNAL_PENDING = 0x64 => EINTR;
    TIMEOUT = 0x65 => ETIMEDOUT;
    TIMEOUT_RETRY = 0x66 => EAGAIN;
    MAX_SESSION_LIMIT_REACHED = 0x69 => ENOSPC;
    LIB_RM_VERSION_MISMATCH = 0x6a => EINVAL;
    PRIV_SEC_VIOLATION = 0x6b => EPERM;
    FEATURE_NOT_ENABLED = 0x6d => EOPNOTSUPP;
    RESOURCE_LOST = 0x6e => ENODEV;
    FATAL_ERROR = 0x71 => EIO;
    INVALID_LICENSE = 0x73 => EACCES;
    GENERIC = 0xffff => EIO;
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
        for raw in [0x85, 0x87, 0x1_0001, 0xdead_beef, u32::MAX] {
            assert_eq!(NvStatus(raw).errno(), 5, "{raw:#x}");
            assert_eq!(NvStatus(raw).name(), None);
            assert!(!NvStatus(raw).is_ok());
        }
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
