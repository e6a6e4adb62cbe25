// SPDX-License-Identifier: GPL-2.0

//! Address of a PCI function: `domain:bus:device.function`, as sysfs names it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A PCI function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    domain: u32,
    bus: u8,
    /// Device (5 bits) and function (3 bits).
    devfn: u8,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (device, function) = (self.devfn >> 3, self.devfn & 7);
        // Domains that no firmware table knows have five digits.
        write!(
            f,
            "{:04x}:{:02x}:{device:02x}.{function:x}",
            self.domain, self.bus
        )
    }
}

/// A hexadecimal number of at most `max_digits` digits.
fn hex(text: &str, max_digits: usize) -> Option<u32> {
    if text.is_empty() || text.len() > max_digits || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    u32::from_str_radix(text, 16).ok()
}

impl FromStr for Address {
    type Err = String;

    /// The domain may be missing and is 0 then, as with other PCI tools.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let (rest, function) = text.rsplit_once('.')?;
            let (rest, device) = rest.rsplit_once(':')?;
            let (domain, bus) = rest.rsplit_once(':').unwrap_or(("0000", rest));
            let (device, function) = (hex(device, 2)?, hex(function, 1)?);
            if device > 0x1f || function > 7 {
                return None;
            }
            Some(Self {
                domain: hex(domain, 8)?,
                bus: u8::try_from(hex(bus, 2)?).ok()?,
                devfn: u8::try_from(device << 3 | function).ok()?,
            })
        };
        parse().ok_or_else(|| format!("'{text}' is no PCI address like 0000:c1:00.4"))
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn domain_is_optional() {
        let with: Address = "0000:C1:00.4".parse().unwrap();
        let without: Address = "c1:0.4".parse().unwrap();
        assert_eq!(with, without);
        assert_eq!(with.to_string(), "0000:c1:00.4");
    }

    #[test]
    fn other_domains() {
        for text in ["0001:c8:1f.7", "10000:e1:00.0"] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_address() {
        for text in [
            "",
            "c1:00",
            "c1:00.8",
            "c1:20.0",
            "g1:00.0",
            "0:0:0:0.0",
            "c1:00.0 ",
            "+1:00.0",
            "../c1:00.0",
            "123456789:00:00.0",
            "100:00.0",
        ] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn round_trip(domain in 0u32.., bus: u8, devfn: u8) {
            let address = Address { domain, bus, devfn };
            prop_assert_eq!(address.to_string().parse::<Address>(), Ok(address));
        }

        #[test]
        fn never_panics(text in ".*") {
            let _ = text.parse::<Address>();
        }
    }
}
