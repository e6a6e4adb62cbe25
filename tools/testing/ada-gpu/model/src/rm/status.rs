// SPDX-License-Identifier: GPL-2.0

//! NV_STATUS words and refusals.
//!
//! ```text
//!   RPC header  rpc_result   "the message could not be handled at all"
//!   payload     status       "the object, control or allocation said no"
//! ```
//!
//! A refusal carries the status the driver gets to see and the sentence that
//! goes into the model's log, so that no part of GSP-RM can say no without
//! leaving a line behind.
//!
//! Numbers: OGKM 570.144 `src/common/sdk/nvidia/inc/nvstatuscodes.h` and
//! `src/nvidia/inc/kernel/vgpu/rpc_headers.h` (the 0xFF1000xx range).

use std::fmt;

/// One NV_STATUS word.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct NvStatus(pub u32);

macro_rules! statuses {
    ($($name:ident = $value:literal;)*) => {
        #[allow(missing_docs)]
        impl NvStatus {
            $(pub const $name: NvStatus = NvStatus($value);)*

            /// NVIDIA's name of the code without its `NV_` prefix, where the
            /// model uses the code.
            pub fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($value => Some(stringify!($name)),)*
                    _ => None,
                }
            }
        }
    };
}

statuses! {
    OK = 0x00;
    ERR_IN_USE = 0x17;
    ERR_INSERT_DUPLICATE_NAME = 0x19;
    ERR_INSUFFICIENT_RESOURCES = 0x1a;
    ERR_INVALID_ADDRESS = 0x1e;
    ERR_INVALID_ARGUMENT = 0x1f;
    ERR_INVALID_CLASS = 0x22;
    ERR_INVALID_CLIENT = 0x23;
    ERR_INVALID_DATA = 0x25;
    ERR_INVALID_INDEX = 0x2c;
    ERR_INVALID_OBJECT = 0x31;
    ERR_INVALID_OBJECT_HANDLE = 0x33;
    ERR_INVALID_OBJECT_PARENT = 0x36;
    ERR_INVALID_PARAM_STRUCT = 0x3a;
    ERR_INVALID_PARAMETER = 0x3b;
    ERR_INVALID_STATE = 0x40;
    ERR_NO_MEMORY = 0x51;
    ERR_NOT_SUPPORTED = 0x56;
    ERR_OBJECT_NOT_FOUND = 0x57;
    ERR_OUT_OF_RANGE = 0x5b;
    ERR_STATE_IN_USE = 0x63;
    ERR_GENERIC = 0xffff;
    RPC_UNKNOWN_FUNCTION = 0xff10_0001;
    RPC_INVALID_MESSAGE_FORMAT = 0xff10_0002;
}

impl fmt::Debug for NvStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "NV_{name} ({:#x})", self.0),
            None => write!(f, "NV_STATUS {:#x}", self.0),
        }
    }
}

impl fmt::Display for NvStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// Why a request was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What the driver gets.
    pub status: NvStatus,
    /// Stable short name; the statistics count refusals by it.
    pub kind: &'static str,
    /// One sentence for the log.
    pub text: String,
}

impl Refusal {
    /// A refusal of kind `kind` that the driver sees as `status`.
    pub fn new(status: NvStatus, kind: &'static str, text: impl Into<String>) -> Self {
        Refusal {
            status,
            kind,
            text: text.into(),
        }
    }
}

/// `return Err(...)` with a formatted sentence.
macro_rules! refuse {
    ($status:ident, $kind:literal, $($text:tt)+) => {
        return Err($crate::rm::status::Refusal::new(
            $crate::rm::status::NvStatus::$status,
            $kind,
            format!($($text)+),
        ))
    };
}
pub(crate) use refuse;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_numbers() {
        assert_eq!(NvStatus(0x57).name(), Some("ERR_OBJECT_NOT_FOUND"));
        assert_eq!(NvStatus(0x3a), NvStatus::ERR_INVALID_PARAM_STRUCT);
        assert_eq!(NvStatus(0x12345).name(), None);
        assert_eq!(format!("{}", NvStatus(0x56)), "NV_ERR_NOT_SUPPORTED (0x56)");
    }

    #[test]
    fn the_macro_returns_the_refusal() {
        fn no(n: u32) -> Result<(), Refusal> {
            refuse!(ERR_IN_USE, "test", "{n} is taken")
        }
        let r = no(5).unwrap_err();
        assert_eq!(
            (r.status, r.kind, r.text.as_str()),
            (NvStatus::ERR_IN_USE, "test", "5 is taken")
        );
    }
}
