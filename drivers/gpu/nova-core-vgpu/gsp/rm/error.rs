// SPDX-License-Identifier: GPL-2.0

//! Errors of RM commands: an errno for the caller, the raw `NV_STATUS` for the log.
//!
//! ```text
//!   transport failed (timeout, bad element, queue dead)  -> errno of the transport, no status
//!   rpc_result or status is not NV_OK                    -> errno of the table, raw status kept
//!   the reply does not fit the request                   -> EPROTO, no status
//! ```

use kernel::{
    fmt,
    prelude::*, //
};

use crate::gsp::nv_status::NvStatus;

/// Why an RM command failed.
#[derive(Clone, Copy, Debug)]
pub struct RmError {
    status: Option<NvStatus>,
    error: Error,
}

impl RmError {
    /// The raw `NV_STATUS`, if firmware answered at all.
    pub fn status(&self) -> Option<u32> {
        self.status.map(|status| status.0)
    }

    /// The errno.
    pub fn error(&self) -> Error {
        self.error
    }

    /// Whether firmware says that the object, or its client, does not exist.
    pub(super) fn is_absent(&self) -> bool {
        self.status.is_some_and(|status| status.is_absent())
    }

    /// The reply does not fit the request.
    pub(super) const MALFORMED: RmError = RmError {
        status: None,
        error: EPROTO,
    };

    /// Whether there was a reply that does not fit the request.
    pub(super) fn is_malformed(&self) -> bool {
        self.status.is_none() && self.error == EPROTO
    }

    /// Checks one status word.
    pub(super) fn check(raw: u32) -> Result<(), RmError> {
        let status = NvStatus(raw);
        if status.is_ok() {
            return Ok(());
        }
        Err(RmError {
            status: Some(status),
            error: status.to_errno(),
        })
    }
}

impl From<Error> for RmError {
    fn from(error: Error) -> Self {
        RmError {
            status: None,
            error,
        }
    }
}

impl From<RmError> for Error {
    fn from(e: RmError) -> Error {
        e.error
    }
}

impl NvStatus {
    /// The errno of a failure. Success has none; asked for it all the same, it is `EIO`.
    pub(crate) fn to_errno(self) -> Error {
        match self.errno() {
            0 => EIO,
            errno => Error::from_errno(-errno),
        }
    }
}

impl fmt::Display for NvStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        core::fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for RmError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.status {
            Some(status) => core::fmt::Display::fmt(&status, f),
            None => write!(f, "no answer ({:?})", self.error),
        }
    }
}
