// SPDX-License-Identifier: GPL-2.0

//! Video memory: sparse, poisoned until written.
//!
//! ```text
//! address -> block (2 MiB) -> page (4 KiB): Untouched  reads as the poison pattern
//!                                           Zero       written with zeros as a whole
//!                                           Data       own storage, last writer
//! ```
//!
//! The poison pattern lets a test see memory that was used without being
//! scrubbed; whole-page zero fills take no storage, so a 48 GiB scrub is cheap.

use std::ops::Range;

const PAGE: u64 = 4096;
const PAGES_PER_BLOCK: usize = 512;
const BLOCK: u64 = PAGE * PAGES_PER_BLOCK as u64;

/// Who wrote a page last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writer {
    /// Nobody since power-on or since the range was poisoned.
    Nobody,
    /// A CPU through the PF.
    Cpu,
    /// Firmware: FWSEC, booter, GSP-RM, plugins.
    Gsp,
    /// A VF, by GFID.
    Gfid(u8),
}

/// An access outside of the memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutOfRange;

enum Page {
    Untouched,
    Zero(Writer),
    Data(Writer, Box<[u8; PAGE as usize]>),
}

/// The board's memory.
pub struct Vram {
    size: u64,
    poison: [u8; 4],
    blocks: Vec<Option<Box<[Page]>>>,
}

impl Vram {
    /// `size` bytes of memory, all of it reading as `poison`.
    pub fn new(size: u64, poison: u32) -> Vram {
        let blocks = usize::try_from(size.div_ceil(BLOCK)).unwrap_or(0);
        Vram {
            size,
            poison: poison.to_le_bytes(),
            blocks: (0..blocks).map(|_| None).collect(),
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

    fn page(&self, addr: u64) -> &Page {
        let block = self.blocks[(addr / BLOCK) as usize].as_deref();
        block.map_or(&Page::Untouched, |b| {
            &b[(addr / PAGE) as usize % PAGES_PER_BLOCK]
        })
    }

    fn page_mut(&mut self, addr: u64) -> &mut Page {
        let block = self.blocks[(addr / BLOCK) as usize].get_or_insert_with(|| {
            (0..PAGES_PER_BLOCK)
                .map(|_| Page::Untouched)
                .collect::<Vec<_>>()
                .into_boxed_slice()
        });
        &mut block[(addr / PAGE) as usize % PAGES_PER_BLOCK]
    }

    /// Reads `buf.len()` bytes at `addr`.
    pub fn read(&self, addr: u64, buf: &mut [u8]) -> Result<(), OutOfRange> {
        self.check(addr, buf.len() as u64)?;
        let mut at = addr;
        let mut rest = buf;
        while !rest.is_empty() {
            let off = (at % PAGE) as usize;
            let n = rest.len().min(PAGE as usize - off);
            let (now, later) = rest.split_at_mut(n);
            match self.page(at) {
                Page::Untouched => {
                    for (i, b) in now.iter_mut().enumerate() {
                        *b = self.poison[(off + i) % 4];
                    }
                }
                Page::Zero(_) => now.fill(0),
                Page::Data(_, data) => now.copy_from_slice(&data[off..off + n]),
            }
            at += n as u64;
            rest = later;
        }
        Ok(())
    }

    /// Writes `buf` at `addr`.
    pub fn write(&mut self, addr: u64, buf: &[u8], by: Writer) -> Result<(), OutOfRange> {
        self.check(addr, buf.len() as u64)?;
        let poison = self.poison;
        let mut at = addr;
        let mut rest = buf;
        while !rest.is_empty() {
            let off = (at % PAGE) as usize;
            let n = rest.len().min(PAGE as usize - off);
            let (now, later) = rest.split_at(n);
            let page = self.page_mut(at);
            let data = match page {
                Page::Data(_, data) => data,
                _ => {
                    let mut data = Box::new([0u8; PAGE as usize]);
                    if matches!(page, Page::Untouched) {
                        for (i, b) in data.iter_mut().enumerate() {
                            *b = poison[i % 4];
                        }
                    }
                    *page = Page::Data(by, data);
                    match page {
                        Page::Data(_, data) => data,
                        _ => return Err(OutOfRange),
                    }
                }
            };
            data[off..off + n].copy_from_slice(now);
            if let Page::Data(writer, _) = page {
                *writer = by;
            }
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

    /// Fills a range with zeros; whole pages take no storage.
    pub fn zero(&mut self, range: Range<u64>, by: Writer) -> Result<(), OutOfRange> {
        self.replace(range, &[0; PAGE as usize], by, || Page::Zero(by))
    }

    /// Puts a range back to its never-written state, as losing power would.
    pub fn poison(&mut self, range: Range<u64>) -> Result<(), OutOfRange> {
        let mut fill = [0u8; PAGE as usize];
        for (i, b) in fill.iter_mut().enumerate() {
            *b = self.poison[i % 4];
        }
        self.replace(range, &fill, Writer::Nobody, || Page::Untouched)
    }

    fn replace(
        &mut self,
        range: Range<u64>,
        fill: &[u8; PAGE as usize],
        by: Writer,
        whole: impl Fn() -> Page,
    ) -> Result<(), OutOfRange> {
        self.check(range.start, range.end.saturating_sub(range.start))?;
        let mut at = range.start;
        while at < range.end {
            let off = at % PAGE;
            let n = (PAGE - off).min(range.end - at);
            if n == PAGE {
                *self.page_mut(at) = whole();
            } else {
                self.write(at, &fill[off as usize..(off + n) as usize], by)?;
            }
            at += n;
        }
        Ok(())
    }

    /// First address in `range` whose byte is not zero, if any. Never-written
    /// memory counts as not zero unless the poison pattern is zero.
    pub fn first_nonzero(&self, range: Range<u64>) -> Result<Option<u64>, OutOfRange> {
        self.check(range.start, range.end.saturating_sub(range.start))?;
        let mut at = range.start;
        while at < range.end {
            let off = at % PAGE;
            let n = (PAGE - off).min(range.end - at);
            let hit = match self.page(at) {
                Page::Zero(_) => None,
                Page::Untouched => (0..n).find(|i| self.poison[((off + i) % 4) as usize] != 0),
                Page::Data(_, data) => (0..n).find(|i| data[(off + i) as usize] != 0),
            };
            if let Some(i) = hit {
                return Ok(Some(at + i));
            }
            at += n;
        }
        Ok(None)
    }

    /// Who wrote the page at `addr` last.
    pub fn writer(&self, addr: u64) -> Result<Writer, OutOfRange> {
        self.check(addr, 1)?;
        Ok(match self.page(addr) {
            Page::Untouched => Writer::Nobody,
            Page::Zero(by) | Page::Data(by, _) => *by,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn poison_until_written() {
        let mut v = Vram::new(64 << 20, 0xdead_beef);
        assert_eq!(v.read32(0x1000), Ok(0xdead_beef));
        v.write(0x1ffe, &[1, 2, 3, 4], Writer::Cpu).unwrap();
        assert_eq!(v.read32(0x1ffe), Ok(0x0403_0201));
        assert_eq!(v.read32(0x1ff8), Ok(0xdead_beef));
        assert_eq!(v.read32(0x2004), Ok(0xdead_beef));
        assert_eq!(v.writer(0x2000), Ok(Writer::Cpu));
        assert_eq!(v.writer(0x3000), Ok(Writer::Nobody));
        assert_eq!(v.read32((64 << 20) - 3), Err(OutOfRange));
        assert_eq!(v.read32(u64::MAX), Err(OutOfRange));
    }

    #[test]
    fn zero_and_scan() {
        let mut v = Vram::new(64 << 20, 0xdead_beef);
        v.zero(0x1800..0x40_0000, Writer::Cpu).unwrap();
        assert_eq!(v.first_nonzero(0x1800..0x40_0000), Ok(None));
        assert_eq!(v.first_nonzero(0x1000..0x40_0000), Ok(Some(0x1000)));
        assert_eq!(v.first_nonzero(0x1800..0x40_0001), Ok(Some(0x40_0000)));
        v.poison(0x2000..0x3000).unwrap();
        assert_eq!(v.first_nonzero(0x1800..0x40_0000), Ok(Some(0x2000)));
    }
}
