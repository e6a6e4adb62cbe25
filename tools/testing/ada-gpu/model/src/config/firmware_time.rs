// SPDX-License-Identifier: GPL-2.0

//! The time GSP-RM works on a control before it answers.
//!
//! ```text
//! 1000                 each control takes 1 ms
//! 5;1000000:0x20804001 each takes 5 us, BOOTLOAD a second
//! ```

use super::parse_u64;
use std::collections::BTreeMap;
use std::fmt;

const NS_PER_US: u64 = 1000;

/// Nanoseconds per control command.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FirmwareTime {
    any: u64,
    of: BTreeMap<u32, u64>,
}

impl FirmwareTime {
    /// Parses the text form.
    pub(super) fn parse(text: &str) -> Result<FirmwareTime, String> {
        let mut t = FirmwareTime::default();
        for part in text.split(';').map(str::trim).filter(|p| !p.is_empty()) {
            let (us, cmd) = match part.split_once(':') {
                Some((us, cmd)) => (us, Some(parse_u64(cmd)?)),
                None => (part, None),
            };
            let ns = parse_u64(us)?
                .checked_mul(NS_PER_US)
                .ok_or("number too large")?;
            match cmd.map(u32::try_from) {
                None => t.any = ns,
                Some(Ok(cmd)) => {
                    t.of.insert(cmd, ns);
                }
                Some(Err(_)) => return Err("a command has 32 bits".to_owned()),
            }
        }
        Ok(t)
    }

    /// Nanoseconds for control `cmd`.
    pub fn of(&self, cmd: u32) -> u64 {
        self.of.get(&cmd).copied().unwrap_or(self.any)
    }
}

impl fmt::Display for FirmwareTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.any / NS_PER_US)?;
        for (cmd, ns) in &self.of {
            write!(f, ";{}:{cmd:#x}", ns / NS_PER_US)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_for_all_and_one_for_each() {
        let t = FirmwareTime::parse("5; 1000000:0x20804001").unwrap();
        assert_eq!((t.of(1), t.of(0x2080_4001)), (5_000, 1_000_000_000));
        assert_eq!(t.to_string(), "5;1000000:0x20804001");
        assert_eq!(FirmwareTime::parse("").unwrap(), FirmwareTime::default());
        for bad in ["x", "1:y", "1:0x100000000", "99999999999999999999"] {
            assert!(FirmwareTime::parse(bad).is_err(), "{bad}");
        }
    }
}
