// SPDX-License-Identifier: GPL-2.0

//! One launch of a copy engine, done in pieces.
//!
//! ```text
//!   line i, i < lines          source base + i * pitch in
//!     unit e, e < units          + e * bytes of a source element
//!                              destination base + i * pitch out
//!                                + e * bytes of a destination element
//!
//!   no remap   units are bytes, copied
//!   remap      a destination element is made of components: a component of the
//!              source element, a constant, or left alone. The source is read only
//!              if a component wants it.
//! ```
//!
//! A job keeps its place, so that a slow engine can do a part of it and come back.

use crate::fifo::memory::{Memory, Mode, Violation};
use crate::vram::Pattern;

/// Elements handled at once when there is no faster way.
const BATCH: u64 = 256;

/// Source or destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Side {
    /// How its addresses are meant.
    pub mode: Mode,
    /// Address of the first line.
    pub base: u64,
    /// From a line to the next.
    pub pitch: i64,
}

impl Side {
    fn line(&self, i: u64) -> u64 {
        self.base.wrapping_add((self.pitch as u64).wrapping_mul(i))
    }
}

/// One component of a destination element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Component {
    /// The bytes at this offset of the source element.
    Source(usize),
    /// These bytes.
    Constant(Vec<u8>),
    /// What was there.
    Keep,
}

/// How destination elements are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remap {
    /// Bytes of a component.
    pub size: usize,
    /// Bytes of a source element.
    pub source: usize,
    /// Components of a destination element.
    pub components: Vec<Component>,
}

impl Remap {
    /// The bytes of each element when all of them are constants.
    fn constant(&self) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        for c in &self.components {
            match c {
                Component::Constant(b) => bytes.extend(b),
                _ => return None,
            }
        }
        Some(bytes)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Work {
    Copy,
    /// The same element over and over.
    Fill(Vec<u8>),
    Remap(Remap),
}

/// The transfer of a launch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfer {
    src: Side,
    dst: Side,
    /// Bytes of a destination element.
    element: u64,
    /// Elements of a line.
    units: u64,
    lines: u64,
    work: Work,
    /// Line and byte of the destination line that come next.
    line: u64,
    at: u64,
}

impl Transfer {
    /// A transfer of `lines` lines of `units` elements, or bytes without `remap`.
    pub fn new(src: Side, dst: Side, units: u64, lines: u64, remap: Option<Remap>) -> Transfer {
        let (element, work) = match remap {
            None => (1, Work::Copy),
            Some(r) => {
                let element = (r.size * r.components.len()) as u64;
                match r.constant() {
                    Some(bytes) => (element, Work::Fill(bytes)),
                    None => (element, Work::Remap(r)),
                }
            }
        };
        Transfer {
            src,
            dst,
            element,
            units,
            lines: if units == 0 { 0 } else { lines },
            work,
            line: 0,
            at: 0,
        }
    }

    fn line_bytes(&self) -> u64 {
        self.units * self.element
    }

    /// Destination bytes that are left to do.
    pub fn left(&self) -> u64 {
        let lines = self.lines - self.line;
        lines
            .saturating_mul(self.line_bytes())
            .saturating_sub(self.at)
    }

    /// Whether bytes come from the source.
    pub fn reads(&self) -> bool {
        match &self.work {
            Work::Copy => true,
            Work::Fill(_) => false,
            Work::Remap(r) => r
                .components
                .iter()
                .any(|c| matches!(c, Component::Source(_))),
        }
    }

    /// Where the next byte goes.
    pub fn next_address(&self) -> u64 {
        self.dst.line(self.line).wrapping_add(self.at)
    }

    /// Does at most `max` bytes (whole elements when remapping) in at most `pieces`
    /// pieces. Gives the bytes done.
    pub fn step(
        &mut self,
        memory: &mut Memory<'_>,
        max: u64,
        pieces: u32,
    ) -> Result<u64, Violation> {
        let mut done = 0;
        for _ in 0..pieces {
            let now =
                (self.line_bytes() - self.at.min(self.line_bytes())).min(max.saturating_sub(done));
            if self.line >= self.lines || now == 0 {
                break;
            }
            let n = self.piece(memory, now)?;
            done += n;
            self.at += n;
            if self.at >= self.line_bytes() {
                self.at = 0;
                self.line += 1;
            }
        }
        Ok(done)
    }

    fn piece(&self, memory: &mut Memory<'_>, max: u64) -> Result<u64, Violation> {
        let dst = self.dst.line(self.line);
        let to = dst.wrapping_add(self.at);
        match &self.work {
            Work::Copy => {
                let from = self.src.line(self.line).wrapping_add(self.at);
                memory.copy_run((self.src.mode, from), (self.dst.mode, to), max)
            }
            Work::Fill(element) => match pattern(element, dst) {
                Some(p) => memory.fill_run(self.dst.mode, to, max, p),
                None => {
                    let n = max.min(BATCH * self.element);
                    let bytes: Vec<u8> = (self.at..self.at + n)
                        .map(|i| element[(i % self.element) as usize])
                        .collect();
                    memory.write(self.dst.mode, to, &bytes)?;
                    Ok(n)
                }
            },
            Work::Remap(r) => {
                // Whole elements, at least one.
                let n = (max / self.element).clamp(1, BATCH);
                self.elements(memory, r, to, n)?;
                Ok(n * self.element)
            }
        }
    }

    /// Makes `n` elements at `to`.
    fn elements(
        &self,
        memory: &mut Memory<'_>,
        r: &Remap,
        to: u64,
        n: u64,
    ) -> Result<(), Violation> {
        let mut source = vec![0; r.source * n as usize];
        if self.reads() {
            let first = self.at / self.element * r.source as u64;
            let from = self.src.line(self.line).wrapping_add(first);
            memory.read(self.src.mode, from, &mut source)?;
        }
        for (e, read) in source.chunks_exact(r.source).enumerate() {
            let at = to.wrapping_add(e as u64 * self.element);
            for (c, component) in r.components.iter().enumerate() {
                let at = at.wrapping_add((c * r.size) as u64);
                match component {
                    Component::Source(off) => {
                        memory.write(self.dst.mode, at, &read[*off..off + r.size])?;
                    }
                    Component::Constant(bytes) => memory.write(self.dst.mode, at, bytes)?,
                    Component::Keep => {}
                }
            }
        }
        Ok(())
    }
}

/// An element that divides eight bytes as a pattern, for lines that begin at `base`.
fn pattern(element: &[u8], base: u64) -> Option<Pattern> {
    let d = element.len() as u64;
    if d == 0 || 8 % d != 0 {
        return None;
    }
    let mut p = [0; 8];
    for (k, b) in p.iter_mut().enumerate() {
        let i = (k as u64).wrapping_sub(base) % d;
        *b = element[i as usize];
    }
    Some(p)
}

/// What is written when a launch is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Semaphore {
    /// Virtual address.
    pub addr: u64,
    /// Value.
    pub payload: u64,
    /// The value has eight bytes.
    pub wide: bool,
    /// Four words: value, upper value or zero, time in nanoseconds.
    pub timestamp: bool,
}

impl Semaphore {
    /// Writes it.
    pub fn release(
        &self,
        memory: &mut Memory<'_>,
        mode: Mode,
        now_ns: u64,
    ) -> Result<(), Violation> {
        let mut bytes = self.payload.to_le_bytes().to_vec();
        if self.timestamp {
            bytes.extend(now_ns.to_le_bytes());
        } else if !self.wide {
            bytes.truncate(4);
        }
        memory.write(mode, self.addr, &bytes)
    }
}

/// A launch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Bytes to move first.
    pub transfer: Option<Transfer>,
    /// Semaphore to release then.
    pub semaphore: Option<Semaphore>,
    /// Raise the engine's non-stall vector at last.
    pub interrupt: bool,
    /// Address space of the semaphore.
    pub space: Mode,
}

impl Job {
    /// A launch of these parts.
    pub fn new(
        transfer: Option<Transfer>,
        semaphore: Option<Semaphore>,
        interrupt: bool,
        space: Mode,
    ) -> Job {
        Job {
            transfer,
            semaphore,
            interrupt,
            space,
        }
    }

    /// Destination bytes that are left to do.
    pub fn left(&self) -> u64 {
        self.transfer.as_ref().map_or(0, Transfer::left)
    }
}
