// SPDX-License-Identifier: GPL-2.0

//! Video memory: sparse, poisoned until written.
//!
//! ```text
//! address -> block (2 MiB)  Fill   one pattern over all of it, last writer
//!                           Pages  -> page (4 KiB)  Fill  one pattern
//!                                                   Data  own storage, last writer
//! ```
//!
//! A pattern is 8 bytes, in phase with the address, or the poison that memory
//! holds until somebody writes it. Fills and copies of patterns take no storage
//! and a step per block, so that scrubbing 48 GiB is cheap and what was not
//! scrubbed can be found byte for byte (tally.rs).

mod tally;

pub use tally::{owner_tag, Tally};

use std::ops::Range;

const PAGE: u64 = 4096;
const PAGES_PER_BLOCK: usize = 512;
const BLOCK: u64 = PAGE * PAGES_PER_BLOCK as u64;

/// Eight bytes that repeat, in phase with the address.
pub type Pattern = [u8; 8];

/// Who wrote a page last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writer {
    /// Nobody since power-on or since the range was poisoned.
    Nobody,
    /// A CPU through the PF.
    Cpu,
    /// Firmware: FWSEC, booter, GSP-RM, plugins.
    Gsp,
    /// A channel's engine, by GFID of the channel.
    Engine(u8),
    /// A VF, by GFID.
    Gfid(u8),
}

/// An access outside of the memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutOfRange;

/// Memory that holds a pattern; `None` is the poison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Fill {
    pattern: Option<Pattern>,
    by: Writer,
}

const UNTOUCHED: Fill = Fill {
    pattern: None,
    by: Writer::Nobody,
};

enum Page {
    Fill(Fill),
    Data(Writer, Box<[u8; PAGE as usize]>),
}

enum Block {
    Fill(Fill),
    Pages(Box<[Page]>),
}

/// What a piece of memory holds.
enum Content<'a> {
    Fill(Fill),
    Data(Writer, &'a [u8]),
}

/// The board's memory.
pub struct Vram {
    size: u64,
    poison: Pattern,
    blocks: Vec<Block>,
}

/// Byte `at` of memory that holds `pattern`.
fn byte(pattern: &Pattern, at: u64) -> u8 {
    pattern[(at % 8) as usize]
}

impl Vram {
    /// `size` bytes of memory, all of it reading as `poison`.
    pub fn new(size: u64, poison: u32) -> Vram {
        let blocks = usize::try_from(size.div_ceil(BLOCK)).unwrap_or(0);
        let poison = u64::from(poison) << 32 | u64::from(poison);
        Vram {
            size,
            poison: poison.to_le_bytes(),
            blocks: (0..blocks).map(|_| Block::Fill(UNTOUCHED)).collect(),
        }
    }

    /// Size in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    fn check(&self, addr: u64, len: u64) -> Result<(), OutOfRange> {
        match addr.checked_add(len) {
            Some(end) if end <= self.size => Ok(()),
            _ => Err(OutOfRange),
        }
    }

    /// What is at `addr`, and for how many bytes, up to `max`, that is so. The
    /// address has been checked.
    fn content(&self, addr: u64, max: u64) -> (u64, Content<'_>) {
        let in_block = BLOCK - addr % BLOCK;
        match &self.blocks[(addr / BLOCK) as usize] {
            Block::Fill(f) => (in_block.min(max), Content::Fill(*f)),
            Block::Pages(pages) => {
                let off = addr % PAGE;
                let n = (PAGE - off).min(max);
                let content = match &pages[(addr / PAGE) as usize % PAGES_PER_BLOCK] {
                    Page::Fill(f) => Content::Fill(*f),
                    Page::Data(by, data) => {
                        Content::Data(*by, &data[off as usize..(off + n) as usize])
                    }
                };
                (n, content)
            }
        }
    }

    /// Bytes from `addr` on, up to `max`, that hold one pattern; otherwise the rest of
    /// a page of data.
    fn run(&self, addr: u64, max: u64) -> (u64, Option<Fill>) {
        let (mut n, fill) = match self.content(addr, max) {
            (n, Content::Fill(f)) => (n, f),
            (n, Content::Data(..)) => return (n, None),
        };
        while n < max {
            match self.content(addr + n, max - n) {
                (more, Content::Fill(f)) if f == fill => n += more,
                _ => break,
            }
        }
        (n, Some(fill))
    }

    /// The storage of the page at `addr`, which `by` is about to write.
    fn data_mut(&mut self, addr: u64, by: Writer) -> &mut [u8; PAGE as usize] {
        let poison = self.poison;
        let page = self.page_mut(addr);
        if let Page::Fill(f) = page {
            let pattern = f.pattern.unwrap_or(poison);
            let mut data = Box::new([0; PAGE as usize]);
            for (b, p) in data.iter_mut().zip(pattern.into_iter().cycle()) {
                *b = p;
            }
            *page = Page::Data(by, data);
        }
        match page {
            Page::Data(writer, data) => {
                *writer = by;
                data
            }
            Page::Fill(_) => unreachable!("the page was given storage above"),
        }
    }

    fn page_mut(&mut self, addr: u64) -> &mut Page {
        let block = &mut self.blocks[(addr / BLOCK) as usize];
        if let Block::Fill(f) = block {
            let fill = *f;
            *block = Block::Pages((0..PAGES_PER_BLOCK).map(|_| Page::Fill(fill)).collect());
        }
        match block {
            Block::Pages(pages) => &mut pages[(addr / PAGE) as usize % PAGES_PER_BLOCK],
            Block::Fill(_) => unreachable!("the block was given pages above"),
        }
    }

    /// Reads `buf.len()` bytes at `addr`.
    pub fn read(&self, addr: u64, buf: &mut [u8]) -> Result<(), OutOfRange> {
        self.check(addr, buf.len() as u64)?;
        let mut at = addr;
        let mut rest = buf;
        while !rest.is_empty() {
            let (n, content) = self.content(at, rest.len() as u64);
            let (now, later) = rest.split_at_mut(n as usize);
            match content {
                Content::Fill(f) => {
                    let pattern = f.pattern.unwrap_or(self.poison);
                    for (b, a) in now.iter_mut().zip(at..) {
                        *b = byte(&pattern, a);
                    }
                }
                Content::Data(_, data) => now.copy_from_slice(data),
            }
            at += n;
            rest = later;
        }
        Ok(())
    }

    /// Writes `buf` at `addr`.
    pub fn write(&mut self, addr: u64, buf: &[u8], by: Writer) -> Result<(), OutOfRange> {
        self.check(addr, buf.len() as u64)?;
        let mut at = addr;
        let mut rest = buf;
        while !rest.is_empty() {
            let off = (at % PAGE) as usize;
            let n = rest.len().min(PAGE as usize - off);
            let (now, later) = rest.split_at(n);
            self.data_mut(at, by)[off..off + n].copy_from_slice(now);
            at += n as u64;
            rest = later;
        }
        Ok(())
    }

    /// Reads a little-endian `u32`.
    pub fn read32(&self, addr: u64) -> Result<u32, OutOfRange> {
        let mut b = [0; 4];
        self.read(addr, &mut b)?;
        Ok(u32::from_le_bytes(b))
    }

    /// Reads a little-endian `u64`.
    pub fn read64(&self, addr: u64) -> Result<u64, OutOfRange> {
        let mut b = [0; 8];
        self.read(addr, &mut b)?;
        Ok(u64::from_le_bytes(b))
    }

    /// Writes a little-endian `u32`.
    pub fn write32(&mut self, addr: u64, v: u32, by: Writer) -> Result<(), OutOfRange> {
        self.write(addr, &v.to_le_bytes(), by)
    }

    /// Writes a little-endian `u64`.
    pub fn write64(&mut self, addr: u64, v: u64, by: Writer) -> Result<(), OutOfRange> {
        self.write(addr, &v.to_le_bytes(), by)
    }

    /// Fills a range with zeros.
    pub fn zero(&mut self, range: Range<u64>, by: Writer) -> Result<(), OutOfRange> {
        self.fill(range, [0; 8], by)
    }

    /// Fills a range with a pattern; whole pages and blocks take no storage.
    pub fn fill(
        &mut self,
        range: Range<u64>,
        pattern: Pattern,
        by: Writer,
    ) -> Result<(), OutOfRange> {
        let pattern = Some(pattern);
        self.replace(range, Fill { pattern, by })
    }

    /// Puts a range back to its never-written state, as losing power would.
    pub fn poison(&mut self, range: Range<u64>) -> Result<(), OutOfRange> {
        self.replace(range, UNTOUCHED)
    }

    fn replace(&mut self, range: Range<u64>, fill: Fill) -> Result<(), OutOfRange> {
        self.check(range.start, range.end.saturating_sub(range.start))?;
        let mut at = range.start;
        while at < range.end {
            let left = range.end - at;
            if at % BLOCK == 0 && left >= BLOCK {
                self.blocks[(at / BLOCK) as usize] = Block::Fill(fill);
                at += BLOCK;
                continue;
            }
            let off = at % PAGE;
            let n = (PAGE - off).min(left);
            if n == PAGE {
                *self.page_mut(at) = Page::Fill(fill);
            } else {
                let pattern = fill.pattern.unwrap_or(self.poison);
                let data = self.data_mut(at, fill.by);
                for (b, a) in data[off as usize..(off + n) as usize].iter_mut().zip(at..) {
                    *b = byte(&pattern, a);
                }
            }
            at += n;
        }
        Ok(())
    }

    /// Copies `len` bytes forward, page by page; memory that holds a pattern is
    /// copied as one.
    pub fn copy(&mut self, from: u64, to: u64, len: u64, by: Writer) -> Result<(), OutOfRange> {
        self.check(from, len)?;
        self.check(to, len)?;
        let mut done = 0;
        let mut buf = [0; PAGE as usize];
        while done < len {
            let (n, fill) = self.run(from + done, len - done);
            let at = to + done;
            if let Some(f) = fill {
                let mut pattern = f.pattern.unwrap_or(self.poison);
                pattern.rotate_right((to.wrapping_sub(from) % 8) as usize);
                self.fill(at..at + n, pattern, by)?;
            } else {
                let now = &mut buf[..n as usize];
                self.read(from + done, now)?;
                self.write(at, now, by)?;
            }
            done += n;
        }
        Ok(())
    }

    /// First address in `range` whose byte is not zero, if any. Never-written
    /// memory counts as not zero unless the poison pattern is zero.
    pub fn first_nonzero(&self, range: Range<u64>) -> Result<Option<u64>, OutOfRange> {
        self.check(range.start, range.end.saturating_sub(range.start))?;
        let mut at = range.start;
        while at < range.end {
            let (n, content) = self.content(at, range.end - at);
            let hit = match content {
                Content::Fill(f) => {
                    let pattern = f.pattern.unwrap_or(self.poison);
                    (at..at + n.min(8)).find(|a| byte(&pattern, *a) != 0)
                }
                Content::Data(_, data) => {
                    let first = data.iter().position(|b| *b != 0);
                    first.map(|i| at + i as u64)
                }
            };
            if hit.is_some() {
                return Ok(hit);
            }
            at += n;
        }
        Ok(None)
    }

    /// Who wrote the page at `addr` last.
    pub fn writer(&self, addr: u64) -> Result<Writer, OutOfRange> {
        self.check(addr, 1)?;
        Ok(match self.content(addr, 1).1 {
            Content::Fill(f) => f.by,
            Content::Data(by, _) => by,
        })
    }
}

#[cfg(test)]
mod tests;
