// SPDX-License-Identifier: GPL-2.0

//! One row: a figure, its peer from the same run, and what their ratio must be.
//!
//! ```text
//! bench: NAME | WHAT | MEASURED UNIT | PEER NAME-OF-THE-PEER | <= 1.3
//!               free text of the scripts in the VM, one line a row
//! ```

use serde::Serialize;
use std::fmt;

/// Starts a line that is a row.
const MARK: &str = "bench: ";

/// Which side of the limit the ratio must be on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Bound {
    /// The ratio must not be above the limit.
    AtMost,
    /// The ratio must not be below the limit.
    AtLeast,
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Bound::AtMost => "<=",
            Bound::AtLeast => ">=",
        })
    }
}

/// A row.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// Short name, unique in a run.
    pub name: String,
    /// What is measured.
    pub what: String,
    /// Our figure.
    pub measured: f64,
    /// Unit of both figures.
    pub unit: String,
    /// The peer's figure.
    pub peer: f64,
    /// Who the peer is.
    pub against: String,
    /// Which side of `limit` is good.
    pub bound: Bound,
    /// What the ratio is compared with.
    pub limit: f64,
}

impl Row {
    /// Measured figure over the peer's.
    pub fn ratio(&self) -> f64 {
        self.measured / self.peer
    }

    /// The ratio is not what it must be. A peer of zero has no ratio.
    pub fn is_short(&self) -> bool {
        let ratio = self.ratio();
        !match self.bound {
            Bound::AtMost => ratio <= self.limit,
            Bound::AtLeast => ratio >= self.limit,
        }
    }

    /// Parses a line; `None` when it is none of ours.
    ///
    /// # Errors
    ///
    /// What is wrong with a line that carries the mark.
    pub fn parse(line: &str) -> Option<Result<Row, String>> {
        let text = line.strip_prefix(MARK)?;
        Some(fields(text).map_err(|why| format!("'{text}': {why}")))
    }
}

fn fields(text: &str) -> Result<Row, String> {
    let parts: Vec<&str> = text.split('|').map(str::trim).collect();
    let [name, what, measured, peer, limit] = parts[..] else {
        return Err(format!("{} fields, not 5", parts.len()));
    };
    let (measured, unit) = figure(measured)?;
    let (peer, against) = figure(peer)?;
    let (bound, limit) = match limit.split_once(' ') {
        Some(("<=", n)) => (Bound::AtMost, n),
        Some((">=", n)) => (Bound::AtLeast, n),
        _ => return Err(format!("no bound in '{limit}'")),
    };
    Ok(Row {
        name: name.to_owned(),
        what: what.to_owned(),
        measured,
        unit,
        peer,
        against,
        bound,
        limit: number(limit)?,
    })
}

/// "12.5 us" is a number and the words behind it.
fn figure(text: &str) -> Result<(f64, String), String> {
    let (n, words) = text
        .split_once(' ')
        .ok_or_else(|| format!("no words in '{text}'"))?;
    Ok((number(n)?, words.trim().to_owned()))
}

fn number(text: &str) -> Result<f64, String> {
    match text.trim().parse::<f64>() {
        Ok(n) if n.is_finite() && n >= 0.0 => Ok(n),
        _ => Err(format!("'{text}' is not a number")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "bench: rpc-p50 | RM control, p50 | 130 us | 100 doorbell | <= 1.3";

    fn parse(line: &str) -> Result<Row, String> {
        Row::parse(line).expect("a row")
    }

    #[test]
    fn a_row_has_five_fields() {
        let row = parse(LINE).unwrap();
        assert_eq!((row.measured, row.unit.as_str()), (130.0, "us"));
        assert_eq!((row.peer, row.against.as_str()), (100.0, "doorbell"));
        assert_eq!((row.bound, row.limit), (Bound::AtMost, 1.3));
        assert!(!row.is_short());
    }

    #[test]
    fn other_lines_are_not_ours() {
        assert_eq!(Row::parse("ok 1 bench: x"), None);
    }

    #[test]
    fn nonsense_is_named() {
        for (line, why) in [
            ("bench: a | b | 1 us | 2 x", "4 fields"),
            ("bench: a | b | one us | 2 x | <= 1", "'one'"),
            ("bench: a | b | NaN us | 2 x | <= 1", "'NaN'"),
            ("bench: a | b | 1 us | 2 x | < 1", "no bound"),
            ("bench: a | b | 1 | 2 x | <= 1", "no words"),
        ] {
            assert!(parse(line).unwrap_err().contains(why), "{line}");
        }
    }

    #[test]
    fn both_bounds_include_the_limit() {
        let mut row = parse(LINE).unwrap();
        row.measured = 131.0;
        assert!(row.is_short());
        row.bound = Bound::AtLeast;
        assert!(!row.is_short());
        row.measured = 129.0;
        assert!(row.is_short());
    }

    #[test]
    fn nothing_to_compare_with_is_short() {
        let mut row = parse(LINE).unwrap();
        row.peer = 0.0;
        assert!(row.is_short());
        row.measured = 0.0;
        assert!(row.is_short());
    }
}
