// SPDX-License-Identifier: GPL-2.0

//! What a range of memory holds, byte for byte.
//!
//! ```text
//! aligned words   0            -> zero
//!                 poison       -> poison       never written
//!                 0x6f77_00nn  -> tag nn       left behind by gfid nn
//!                 anything     -> other        (and bytes of partial words)
//! ```
//!
//! A guest's memory is filled with its tag when the guest goes, so that a scrub
//! which misses a byte shows whose byte it was.

use super::{byte, Content, OutOfRange, Vram};
use serde_json::{json, Map};
use std::collections::BTreeMap;
use std::ops::Range;

const TAG: u32 = 0x6f77_0000;

/// The word that a guest's memory is filled with when it goes.
pub fn owner_tag(gfid: u8) -> u32 {
    TAG | u32::from(gfid)
}

/// Bytes of each sort in a range.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Zero.
    pub zero: u64,
    /// Never written.
    pub poison: u64,
    /// Left behind, by gfid.
    pub tags: BTreeMap<u8, u64>,
    /// Anything else.
    pub other: u64,
}

impl Tally {
    fn add(&mut self, word: u32, poison: u32, bytes: u64) {
        let tag = (word & 0xffff_ff00 == TAG).then_some(word as u8);
        let sort = match tag {
            Some(gfid) => self.tags.entry(gfid).or_default(),
            None if word == 0 => &mut self.zero,
            None if word == poison => &mut self.poison,
            None => &mut self.other,
        };
        *sort += bytes;
    }

    /// As one line of JSON.
    pub fn json(&self) -> String {
        let tags: Map<_, _> = self
            .tags
            .iter()
            .map(|(gfid, n)| (gfid.to_string(), json!(n)))
            .collect();
        json!({ "zero": self.zero, "poison": self.poison, "tags": tags, "other": self.other })
            .to_string()
    }
}

impl Vram {
    /// Counts what is in `range`.
    pub fn tally(&self, range: Range<u64>) -> Result<Tally, OutOfRange> {
        self.check(range.start, range.end.saturating_sub(range.start))?;
        let mut tally = Tally::default();
        let poison = u32::from_le_bytes([0, 1, 2, 3].map(|i| byte(&self.poison, i)));
        let mut at = range.start;
        while at < range.end {
            // Partial words at the ends are judged by the whole word.
            let word_at = at & !3;
            let left = range.end - at;
            let (n, content) = self.content(word_at, left.next_multiple_of(4).max(4));
            let n = (word_at + n).min(range.end) - at;
            match content {
                Content::Fill(f) => {
                    let p = f.pattern.unwrap_or(self.poison);
                    for (i, half) in p.chunks_exact(4).enumerate() {
                        let word = half.iter().rev().fold(0, |w, b| w << 8 | u32::from(*b));
                        let words = halves(at..at + n, i as u64);
                        if words != 0 {
                            tally.add(word, poison, words);
                        }
                    }
                }
                Content::Data(_, data) => {
                    for (i, word) in data.chunks(4).enumerate() {
                        let first = word_at + 4 * i as u64;
                        let inside = first.max(at)..(first + 4).min(at + n);
                        let word = word.iter().rev().fold(0, |w, b| w << 8 | u32::from(*b));
                        if inside.start < inside.end {
                            tally.add(word, poison, inside.end - inside.start);
                        }
                    }
                }
            }
            at += n;
        }
        Ok(tally)
    }
}

/// Bytes of `range` in the even (0) or odd (1) words.
fn halves(range: Range<u64>, half: u64) -> u64 {
    let upto = |end: u64| end / 8 * 4 + (end % 8).saturating_sub(4 * half).min(4);
    upto(range.end) - upto(range.start)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vram::Writer;

    #[test]
    fn every_byte_is_counted_once() {
        let gib = 1u64 << 30;
        let mut v = Vram::new(8 * gib, 0xdead_beef);
        let tag = u64::from(owner_tag(3)) * 0x1_0000_0001;
        v.fill(gib..2 * gib, tag.to_le_bytes(), Writer::Gsp)
            .unwrap();
        v.zero(gib + 4096..2 * gib - 8, Writer::Engine(0)).unwrap();
        v.write32(gib + 8192, 0x1234, Writer::Cpu).unwrap();
        let t = v.tally(gib - 100..2 * gib + 50).unwrap();
        assert_eq!((t.poison, t.other), (150, 4));
        assert_eq!(t.tags, BTreeMap::from([(3, 4096 + 8)]));
        assert_eq!(t.zero, gib - 4096 - 8 - 4);
        assert_eq!(v.tally(gib + 8193..gib + 8195).unwrap().other, 2);
        assert_eq!(v.tally(5..5).unwrap(), Tally::default());
        assert!(v.tally(0..9 * gib).is_err());
        assert_eq!(
            v.tally(gib..gib + 4).unwrap().json(),
            r#"{"other":0,"poison":0,"tags":{"3":4},"zero":0}"#
        );
    }

    #[test]
    fn words_of_a_pattern() {
        for (start, end) in [(0, 8), (1, 7), (3, 13), (4, 8), (5, 6), (0, 4096)] {
            let odd = (start..end).filter(|a| a % 8 >= 4).count() as u64;
            assert_eq!(halves(start..end, 1), odd, "{start}..{end}");
            assert_eq!(halves(start..end, 0), end - start - odd);
        }
    }
}
