// SPDX-License-Identifier: GPL-2.0

//! Values of properties as text.
//!
//! ```text
//! number   decimal, 0x hexadecimal, suffix K M G T for sizes
//! boolean  on off yes no true false 1 0
//! time     milliseconds
//! range    START:END
//! ```

/// Parses an unsigned number: decimal or `0x` hexadecimal, with an optional
/// binary suffix K, M, G or T.
pub fn parse_u64(text: &str) -> Result<u64, String> {
    let t = text.trim();
    if let Some(hex) = t.strip_prefix("0x").or_else(|| t.strip_prefix("0X")) {
        return u64::from_str_radix(hex, 16).map_err(|e| e.to_string());
    }
    let (digits, shift) = match t.chars().last() {
        Some('K' | 'k') => (&t[..t.len() - 1], 10),
        Some('M' | 'm') => (&t[..t.len() - 1], 20),
        Some('G' | 'g') => (&t[..t.len() - 1], 30),
        Some('T' | 't') => (&t[..t.len() - 1], 40),
        _ => (t, 0),
    };
    let n: u64 = digits
        .parse()
        .map_err(|e: std::num::ParseIntError| e.to_string())?;
    n.checked_mul(1 << shift)
        .ok_or_else(|| "number too large".to_owned())
}

/// Parses a switch.
pub(super) fn parse_bool(text: &str) -> Result<bool, String> {
    match text {
        "on" | "yes" | "true" | "1" => Ok(true),
        "off" | "no" | "false" | "0" => Ok(false),
        _ => Err("expected on or off".to_owned()),
    }
}

/// Parses milliseconds; gives nanoseconds.
pub(super) fn parse_ms(text: &str) -> Result<u64, String> {
    parse_u64(text)?
        .checked_mul(1_000_000)
        .ok_or_else(|| "number too large".to_owned())
}

/// Parses a range, the end excluded.
pub(super) fn parse_range(text: &str) -> Result<std::ops::Range<u64>, String> {
    let (start, end) = text.split_once(':').ok_or("expected START:END")?;
    let range = parse_u64(start)?..parse_u64(end)?;
    if range.start > range.end {
        return Err("START is beyond END".to_owned());
    }
    Ok(range)
}

/// Text that may be missing: empty or `auto`.
pub(super) fn parse_opt(text: &str) -> Option<String> {
    (!text.is_empty() && text != "auto").then(|| text.to_owned())
}

/// Parses a number of fewer bits.
pub(super) fn narrow<T: TryFrom<u64>>(text: &str) -> Result<T, String> {
    T::try_from(parse_u64(text)?).map_err(|_| "number too large".to_owned())
}

/// A size with the largest suffix that is exact.
pub(super) fn size(n: u64) -> String {
    for (shift, unit) in [(30, 'G'), (20, 'M'), (10, 'K')] {
        if n != 0 && n % (1 << shift) == 0 {
            return format!("{}{unit}", n >> shift);
        }
    }
    n.to_string()
}

/// A switch.
pub(super) fn onoff(b: bool) -> String {
    if b { "on" } else { "off" }.to_owned()
}
