// SPDX-License-Identifier: GPL-2.0

//! Tells a register value from the pattern of a read that failed.
//!
//! ```text
//!   0xffffffff   nobody answered: the device is gone or in D3
//!   0xbadfXXXX   the PRI hub refused the read (privilege mask, no such register, timeout)
//!   else         a value
//! ```
//!
//! Both patterns have bit 31 and many others set, so that "field >= n" or "!= 0" taken from
//! them reads as success (OGKM 570.144 kernel_falcon_ga102.c treats 0xbadfXXXX as "blocked").

/// Why a register value is not one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BadRead {
    /// All ones: nothing answered the read.
    Gone,
    /// The PRI hub's error pattern, kept as read.
    Blocked(u32),
}

impl BadRead {
    /// The value as it was read.
    pub(crate) const fn raw(self) -> u32 {
        match self {
            Self::Gone => u32::MAX,
            Self::Blocked(raw) => raw,
        }
    }

    /// What it means, for a log line.
    pub(crate) const fn reason(self) -> &'static str {
        match self {
            Self::Gone => "device does not answer",
            Self::Blocked(_) => "register read refused by the GPU",
        }
    }
}

const PRI_ERROR_MASK: u32 = 0xffff_0000;
const PRI_ERROR: u32 = 0xbadf_0000;

/// Returns `value` unless it is the pattern of a failed read.
///
/// Only for registers that report a state; data registers such as mailboxes may legally hold
/// any value.
pub(crate) fn check<R>(value: R) -> Result<R, BadRead>
where
    R: Copy,
    u32: From<R>,
{
    match u32::from(value) {
        u32::MAX => Err(BadRead::Gone),
        raw if raw & PRI_ERROR_MASK == PRI_ERROR => Err(BadRead::Blocked(raw)),
        _ => Ok(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_not_values() {
        assert_eq!(check(u32::MAX), Err(BadRead::Gone));
        assert_eq!(check(0xbadf_5108u32), Err(BadRead::Blocked(0xbadf_5108)));
        assert_eq!(check(0xbadf_0000u32), Err(BadRead::Blocked(0xbadf_0000)));
    }

    #[test]
    fn values_pass() {
        for value in [0u32, 1, 0xbade_ffff, 0xbae0_0000, 0xffff_fffe, 0x192a_1000] {
            assert_eq!(check(value), Ok(value));
        }
    }
}
