// SPDX-License-Identifier: GPL-2.0

//! Memory as the engines of a channel reach it.
//!
//! ```text
//!   Virtual   root directory -> GMMU walk -> FB or system memory, or sparse
//!   Physical  FB, or system memory by bus address (privileged channels)
//!
//!   FB      inside the memory and outside of WPR2, else a region violation
//!   system  DMA by the PF, which the machine may refuse
//! ```
//!
//! Everything is done in runs: pieces that one mapping covers.

use crate::host::Host;
use crate::mmu::tlb::{Seen, Space, Tlb};
use crate::mmu::{Aperture, Fault, Leaf, Target};
use crate::vram::{Pattern, Vram, Writer};
use crate::window::BoardTables;
use std::ops::Range;

const PAGE: u64 = 4096;
/// Longest piece of system memory moved at once.
const BUFFER: u64 = PAGE;

/// How an address is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Below a root directory, up to a limit.
    Virtual {
        /// Root directory in video memory; `None` when there is none.
        root: Option<u64>,
        /// First byte beyond the address space.
        limit: u64,
    },
    /// As it is.
    Physical(Aperture),
}

/// An access that memory management refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Violation {
    /// Type of the fault.
    pub fault: Fault,
    /// Address as it was meant.
    pub addr: u64,
    /// It was a write.
    pub write: bool,
}

/// Where a run of bytes is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// Memory and byte address; `None` for a sparse mapping.
    pub place: Option<(Aperture, u64)>,
    /// Bytes that follow one another there.
    pub len: u64,
}

/// The memories, and who writes to them.
pub struct Memory<'a> {
    /// Video memory.
    pub vram: &'a mut Vram,
    /// The machine.
    pub host: &'a dyn Host,
    /// Memory that nobody but firmware may touch.
    pub wpr2: Option<Range<u64>>,
    /// Function of the channel.
    pub gfid: u8,
    /// Translations, kept if told so.
    pub tlb: &'a mut Tlb,
    /// Keep translations until they are invalidated.
    pub keep: bool,
    /// Translations that were walked for.
    pub seen: &'a mut Vec<Seen>,
}

impl Memory<'_> {
    /// Translates a virtual address, from the translation cache or by a walk.
    fn translate(&mut self, root: u64, va: u64) -> Result<Leaf, Fault> {
        let tables = BoardTables {
            vram: &*self.vram,
            host: self.host,
        };
        let gfid = u32::from(self.gfid);
        self.tlb
            .translate(&tables, Space { gfid, root }, va, self.keep, self.seen)
    }

    /// Finds where `addr` is, for at most `max` bytes (not 0).
    fn resolve(&mut self, mode: Mode, addr: u64, max: u64, write: bool) -> Result<Run, Violation> {
        let violation = |fault| Violation { fault, addr, write };
        let (place, len) = match mode {
            Mode::Physical(aperture) => (Some((aperture, addr)), max),
            Mode::Virtual { limit, .. } if addr >= limit => return Err(violation(Fault::VaLimit)),
            Mode::Virtual { root: None, .. } => return Err(violation(Fault::UnboundInstance)),
            Mode::Virtual {
                root: Some(root),
                limit,
            } => {
                let leaf = self.translate(root, addr).map_err(violation)?;
                let len = (leaf.va + leaf.size).min(limit) - addr;
                match leaf.at(addr) {
                    Target::Sparse => (None, len),
                    Target::Memory {
                        read_only: true, ..
                    } if write => return Err(violation(Fault::ReadOnly)),
                    Target::Memory {
                        aperture, addr: to, ..
                    } => (Some((aperture, to)), len),
                }
            }
        };
        let len = len.min(max);
        if let Some((Aperture::Video, at)) = place {
            let room = self.room(at);
            if room == 0 {
                return Err(violation(Fault::Region));
            }
            return Ok(Run {
                place,
                len: len.min(room),
            });
        }
        Ok(Run { place, len })
    }

    /// Bytes from `at` on that are memory and not protected.
    fn room(&self, at: u64) -> u64 {
        let end = self.vram.size();
        match &self.wpr2 {
            Some(w) if at < w.start => w.start.min(end).saturating_sub(at),
            Some(w) if at < w.end => 0,
            _ => end.saturating_sub(at),
        }
    }

    /// Reads `buf.len()` bytes.
    pub fn read(&mut self, mode: Mode, addr: u64, buf: &mut [u8]) -> Result<(), Violation> {
        let mut at = addr;
        let mut rest = buf;
        while !rest.is_empty() {
            let run = self.resolve(mode, at, rest.len() as u64, false)?;
            let (now, later) = rest.split_at_mut(run.len as usize);
            self.read_run(&run, now).map_err(|fault| Violation {
                fault,
                addr: at,
                write: false,
            })?;
            at = at.wrapping_add(run.len);
            rest = later;
        }
        Ok(())
    }

    /// Writes `buf`.
    pub fn write(&mut self, mode: Mode, addr: u64, buf: &[u8]) -> Result<(), Violation> {
        let mut at = addr;
        let mut rest = buf;
        while !rest.is_empty() {
            let run = self.resolve(mode, at, rest.len() as u64, true)?;
            let (now, later) = rest.split_at(run.len as usize);
            self.write_run(&run, now).map_err(|fault| Violation {
                fault,
                addr: at,
                write: true,
            })?;
            at = at.wrapping_add(run.len);
            rest = later;
        }
        Ok(())
    }

    fn read_run(&self, run: &Run, buf: &mut [u8]) -> Result<(), Fault> {
        match run.place {
            None => buf.fill(0),
            Some((Aperture::Video, at)) => {
                self.vram.read(at, buf).map_err(|_| Fault::Region)?;
            }
            Some((Aperture::System, at)) => {
                self.host.dma_read(at, buf).map_err(|_| Fault::Region)?;
            }
        }
        Ok(())
    }

    fn write_run(&mut self, run: &Run, buf: &[u8]) -> Result<(), Fault> {
        match run.place {
            None => {}
            Some((Aperture::Video, at)) => {
                let by = self.writer();
                self.vram.write(at, buf, by).map_err(|_| Fault::Region)?;
            }
            Some((Aperture::System, at)) => {
                self.host.dma_write(at, buf).map_err(|_| Fault::Region)?;
            }
        }
        Ok(())
    }

    fn writer(&self) -> Writer {
        Writer::Engine(self.gfid)
    }

    /// Fills one run from `addr` on with a pattern in phase with the address; gives
    /// its length, at most `max`.
    pub fn fill_run(
        &mut self,
        mode: Mode,
        addr: u64,
        max: u64,
        pattern: Pattern,
    ) -> Result<u64, Violation> {
        let mut run = self.resolve(mode, addr, max, true)?;
        let violation = |fault| Violation {
            fault,
            addr,
            write: true,
        };
        match run.place {
            None => {}
            Some((Aperture::Video, at)) => {
                let by = self.writer();
                self.vram
                    .fill(at..at + run.len, pattern, by)
                    .map_err(|_| violation(Fault::Region))?;
            }
            Some((Aperture::System, at)) => {
                run.len = run.len.min(BUFFER);
                let bytes: Vec<u8> = (at..at + run.len)
                    .map(|a| pattern[(a % 8) as usize])
                    .collect();
                self.write_run(&run, &bytes).map_err(violation)?;
            }
        }
        Ok(run.len)
    }

    /// Copies one run; gives its length, at most `max`.
    pub fn copy_run(
        &mut self,
        (from_mode, from): (Mode, u64),
        (to_mode, to): (Mode, u64),
        max: u64,
    ) -> Result<u64, Violation> {
        let source = self.resolve(from_mode, from, max, false)?;
        let target = self.resolve(to_mode, to, source.len, true)?;
        let len = target.len;
        if let (Some((Aperture::Video, a)), Some((Aperture::Video, b))) =
            (source.place, target.place)
        {
            let by = self.writer();
            self.vram.copy(a, b, len, by).map_err(|_| Violation {
                fault: Fault::Region,
                addr: to,
                write: true,
            })?;
            return Ok(len);
        }
        let len = len.min(BUFFER);
        let mut buf = vec![0; len as usize];
        self.read_run(&source, &mut buf)
            .map_err(|fault| Violation {
                fault,
                addr: from,
                write: false,
            })?;
        self.write_run(&target, &buf).map_err(|fault| Violation {
            fault,
            addr: to,
            write: true,
        })?;
        Ok(len)
    }

    /// Reads a little-endian `u32`.
    pub fn read32(&mut self, mode: Mode, addr: u64) -> Result<u32, Violation> {
        let mut b = [0; 4];
        self.read(mode, addr, &mut b)?;
        Ok(u32::from_le_bytes(b))
    }

    /// Reads a little-endian `u64`.
    pub fn read64(&mut self, mode: Mode, addr: u64) -> Result<u64, Violation> {
        let mut b = [0; 8];
        self.read(mode, addr, &mut b)?;
        Ok(u64::from_le_bytes(b))
    }
}
