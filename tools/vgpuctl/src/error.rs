// SPDX-License-Identifier: GPL-2.0

//! What went wrong, and what a person can do about it.
//!
//! ```text
//!   vgpuctl: 0000:c1:00.4: cannot select type 949: No space left on device (os error 28)
//!     all instances of the type are taken; types that can be created now: 941 NVIDIA …
//! ```

use std::fmt;

/// Exit statuses. 2 is clap's, for wrong usage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// 1: the host is not as it should be, or the kernel refused.
    Failed,
    /// 3: what was waited for did not come.
    TimedOut,
}

/// A failure.
#[derive(Debug)]
pub struct Error {
    kind: Kind,
    what: String,
    advice: Option<String>,
}

pub type Result<T = (), E = Error> = std::result::Result<T, E>;

impl Error {
    pub fn new(what: impl Into<String>) -> Self {
        Self {
            kind: Kind::Failed,
            what: what.into(),
            advice: None,
        }
    }

    pub fn timed_out(what: impl Into<String>) -> Self {
        Self {
            kind: Kind::TimedOut,
            ..Self::new(what)
        }
    }

    /// What to do; one line.
    pub fn advice(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }

    pub fn kind(&self) -> Kind {
        self.kind
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        match &self.advice {
            Some(advice) => write!(f, "\n  {advice}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}
