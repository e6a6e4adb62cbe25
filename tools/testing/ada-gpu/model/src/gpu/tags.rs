// SPDX-License-Identifier: GPL-2.0

//! Tags in video memory, to catch an access through a window that somebody else
//! has moved.
//!
//! ```text
//! pramin-tags=START:END   first dword of each 64 KiB := 0x7a6 << 20 | address >> 16
//! pramin-tags             "tags 1024 wrong 0"
//! ```
//!
//! PRAMIN has one window for the whole board, and the model cannot know which
//! thread an access belongs to. What it can tell is where the accesses ended: a
//! driver that reads a range and finds another's tag, or whose writes destroyed
//! one, has moved the window without holding its lock.

use super::Gpu;
use crate::config::parse_u64;
use crate::vram::Writer;
use std::ops::Range;

/// Bytes between tags: what the window can be moved by.
const STEP: u64 = 64 << 10;
const MAGIC: u32 = 0x7a6 << 20;

/// Where tags are.
#[derive(Debug, Default)]
pub(super) struct Tags(Range<u64>);

fn tag(addr: u64) -> u32 {
    MAGIC | (addr >> 16) as u32 & 0xf_ffff
}

impl Gpu {
    /// Writes the tags of `START:END`, byte addresses, multiples of 64 KiB.
    pub(super) fn set_tags(&mut self, text: &str) -> Result<(), String> {
        let (start, end) = text.split_once(':').ok_or("pramin-tags: START:END")?;
        let range = parse_u64(start)?..parse_u64(end)?;
        let bad = range.start % STEP != 0 || range.end % STEP != 0;
        if bad || range.start > range.end || range.end > self.board.vram.size() {
            return Err(format!("pramin-tags={text}: no such 64 KiB pages"));
        }
        for addr in range.clone().step_by(STEP as usize) {
            let written = self.board.vram.write32(addr, tag(addr), Writer::Gsp);
            written.map_err(|_| format!("pramin-tags: {addr:#x}"))?;
        }
        self.tags = Tags(range);
        Ok(())
    }

    /// How many there are, and how many are not what they were.
    pub(super) fn tags_text(&self) -> String {
        let (mut count, mut wrong) = (0, 0);
        for addr in self.tags.0.clone().step_by(STEP as usize) {
            count += 1;
            wrong += u64::from(self.board.vram.read32(addr) != Ok(tag(addr)));
        }
        format!("tags {count} wrong {wrong}\n")
    }
}
