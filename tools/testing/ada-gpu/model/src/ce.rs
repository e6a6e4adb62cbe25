// SPDX-License-Identifier: GPL-2.0

//! Copy engines, class 0xc7b5: the method registers and what a launch means.
//!
//! ```text
//!   0x240 semaphore A, B   0x248 payload, upper   0x254 render enable A, B, C
//!   0x260 source, 0x264 destination physical mode (target 1:0)
//!   0x400 offset in  0x408 offset out  0x410 pitch in, out  0x418 line length, count
//!   0x700 constant A, B    0x708 components
//!
//!   0x300 LAUNCH_DMA --checked--> Job (job.rs): a transfer, then a semaphore, then
//!         the non-stall interrupt
//!   1:0 transfer  2 flush  4:3 semaphore  6:5 interrupt  7, 8 source, destination
//!   are pitch  9 multi-line  10 remap  11 RMW disable  12, 13 source, destination
//!   are physical  19 semaphore reduction  23:22 VPR  25 flush type  26 PLC
//!   disable  27 payload of two words
//! ```
//!
//! Pitches are signed. Block-linear layouts and semaphore reductions are not
//! modelled and refused. Source: OGKM 570.144 `kernel-open/nvidia-uvm/clc7b5.h`.

pub mod job;

use crate::fifo::memory::Mode;
use crate::mmu::Aperture;
use job::{Component, Job, Semaphore, Side, Transfer};
use std::fmt;

/// Methods are below this address, except one that does nothing.
const METHODS_END: u32 = 0x754;
const LAUNCH_DMA: u32 = 0x300;
/// Method addresses of the class, as ranges.
const KNOWN: &[std::ops::Range<u32>] = &[
    0x100..0x104,
    0x140..0x144,
    0x21c..0x228,
    0x240..0x250,
    0x254..0x268,
    0x300..0x304,
    0x400..0x420,
    0x700..0x724,
    0x728..0x740,
    0x744..0x754,
    0x1114..0x1118,
];

const SEMAPHORE: u32 = 0x240;
const PAYLOAD: u32 = 0x248;
const PAYLOAD_UPPER: u32 = 0x24c;
const RENDER_ENABLE_C: u32 = 0x25c;
const SRC_PHYS_MODE: u32 = 0x260;
const DST_PHYS_MODE: u32 = 0x264;
const OFFSET_IN: u32 = 0x400;
const OFFSET_OUT: u32 = 0x408;
const PITCH_IN: u32 = 0x410;
const PITCH_OUT: u32 = 0x414;
const LINE_LENGTH: u32 = 0x418;
const LINE_COUNT: u32 = 0x41c;
const CONST_A: u32 = 0x700;
const CONST_B: u32 = 0x704;
const COMPONENTS: u32 = 0x708;

/// Render-enable mode: nothing is transferred.
const RENDER_FALSE: u32 = 0;
const RENDER_TRUE: u32 = 1;
const ADDRESS_UPPER: u32 = 0x1_ffff;

/// Why an engine stops a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Illegal(pub &'static str);

/// Something a launch does that is legal but a mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Doubt {
    /// Name of the refusal.
    pub kind: &'static str,
    /// What about it.
    pub text: &'static str,
}

/// What writing a method leaves to do.
#[derive(Debug)]
pub enum Effect {
    /// Nothing.
    None,
    /// A job, and what is wrong with it.
    Launch(Box<Job>, Vec<Doubt>),
}

/// How the channel reaches memory.
#[derive(Debug, Clone, Copy)]
pub struct Rights {
    /// Its address space.
    pub space: Mode,
    /// May use physical addresses.
    pub privileged: bool,
}

/// The method registers of one channel.
#[derive(Clone)]
pub struct Methods {
    regs: Box<[u32; (METHODS_END / 4) as usize]>,
}

impl Default for Methods {
    fn default() -> Self {
        let mut m = Methods {
            regs: Box::new([0; (METHODS_END / 4) as usize]),
        };
        m.regs[RENDER_ENABLE_C as usize / 4] = RENDER_TRUE;
        m
    }
}

impl fmt::Debug for Methods {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Methods")
    }
}

fn bits(v: u32, high: u32, low: u32) -> u32 {
    v >> low & (u32::MAX >> (31 - (high - low)))
}

impl Methods {
    fn get(&self, method: u32) -> u32 {
        self.regs
            .get(method as usize / 4)
            .copied()
            .unwrap_or_default()
    }

    fn address(&self, upper: u32) -> u64 {
        u64::from(self.get(upper) & ADDRESS_UPPER) << 32 | u64::from(self.get(upper + 4))
    }

    /// Writes the method at byte address `method`.
    pub fn write(&mut self, method: u32, v: u32, rights: Rights) -> Result<Effect, Illegal> {
        if !KNOWN.iter().any(|r| r.contains(&method)) {
            return Err(Illegal("no such method"));
        }
        if let Some(reg) = self.regs.get_mut(method as usize / 4) {
            *reg = v;
        }
        if method != LAUNCH_DMA {
            return Ok(Effect::None);
        }
        let mut doubts = Vec::new();
        let job = self.launch(v, rights, &mut doubts)?;
        Ok(Effect::Launch(Box::new(job), doubts))
    }

    fn launch(&self, v: u32, rights: Rights, doubts: &mut Vec<Doubt>) -> Result<Job, Illegal> {
        if bits(v, 31, 28) != 0 || bits(v, 24, 24) != 0 {
            return Err(Illegal("reserved bits of LAUNCH_DMA"));
        }
        if bits(v, 19, 19) != 0 {
            return Err(Illegal("semaphore reductions are not modelled"));
        }
        if bits(v, 23, 22) != 0 {
            doubts.push(Doubt {
                kind: "ce-vpr",
                text: "video protected mode",
            });
        }
        let transfer = match bits(v, 1, 0) {
            0 => None,
            1 | 2 => self.transfer(v, rights, doubts)?,
            _ => return Err(Illegal("transfer type 3")),
        };
        let wide = bits(v, 27, 27) != 0;
        let payload = match wide {
            true => u64::from(self.get(PAYLOAD_UPPER)) << 32 | u64::from(self.get(PAYLOAD)),
            false => u64::from(self.get(PAYLOAD)),
        };
        let semaphore = match bits(v, 4, 3) {
            0 => None,
            kind => {
                if kind == 3 {
                    doubts.push(Doubt {
                        kind: "ce-conditional-semaphore",
                        text: "conditional interrupt semaphore",
                    });
                }
                let timestamp = kind == 2;
                let addr = self.address(SEMAPHORE);
                let align = match (timestamp, wide) {
                    (true, _) => 16,
                    (false, true) => 8,
                    (false, false) => 4,
                };
                if addr % align != 0 {
                    return Err(Illegal("misaligned semaphore"));
                }
                Some(Semaphore {
                    addr,
                    payload,
                    wide,
                    timestamp,
                })
            }
        };
        let interrupt = match bits(v, 6, 5) {
            0 => false,
            2 => true,
            1 => {
                doubts.push(Doubt {
                    kind: "ce-blocking-interrupt",
                    text: "blocking interrupt, which is GSP's",
                });
                false
            }
            _ => return Err(Illegal("interrupt type 3")),
        };
        Ok(Job::new(transfer, semaphore, interrupt, rights.space))
    }

    fn transfer(
        &self,
        v: u32,
        rights: Rights,
        doubts: &mut Vec<Doubt>,
    ) -> Result<Option<Transfer>, Illegal> {
        if bits(v, 7, 7) == 0 || bits(v, 8, 8) == 0 {
            return Err(Illegal("block-linear layouts are not modelled"));
        }
        match self.get(RENDER_ENABLE_C) {
            RENDER_FALSE => return Ok(None),
            RENDER_TRUE => {}
            _ => doubts.push(Doubt {
                kind: "ce-render-enable",
                text: "conditional rendering, taken as true",
            }),
        }
        let side = |physical: bool, mode: u32, offset: u32, pitch: u32| {
            let mode = match (physical, bits(self.get(mode), 1, 0)) {
                (false, _) => rights.space,
                _ if !rights.privileged => {
                    return Err(Illegal("physical address in an unprivileged channel"))
                }
                (true, 0) => Mode::Physical(Aperture::Video),
                (true, 1 | 2) => Mode::Physical(Aperture::System),
                _ => return Err(Illegal("peer memory is not modelled")),
            };
            Ok(Side {
                mode,
                base: self.address(offset),
                pitch: i64::from(self.get(pitch) as i32),
            })
        };
        let src = side(bits(v, 12, 12) != 0, SRC_PHYS_MODE, OFFSET_IN, PITCH_IN)?;
        let dst = side(bits(v, 13, 13) != 0, DST_PHYS_MODE, OFFSET_OUT, PITCH_OUT)?;
        let lines = match bits(v, 9, 9) {
            0 => 1,
            _ => u64::from(self.get(LINE_COUNT)),
        };
        let units = u64::from(self.get(LINE_LENGTH));
        let remap = match bits(v, 10, 10) {
            0 => None,
            _ => Some(self.remap()?),
        };
        Ok(Some(Transfer::new(src, dst, units, lines, remap)))
    }

    /// Bytes of a source element, and the components of a destination element.
    fn remap(&self) -> Result<job::Remap, Illegal> {
        let c = self.get(COMPONENTS);
        let size = bits(c, 17, 16) as usize + 1;
        let sources = bits(c, 21, 20) + 1;
        let mut components = Vec::new();
        for i in 0..=bits(c, 25, 24) {
            let constant = |reg| {
                let bytes = self.get(reg).to_le_bytes();
                Component::Constant(bytes[..size].to_vec())
            };
            components.push(match bits(c, 4 * i + 2, 4 * i) {
                s @ 0..=3 if s < sources => Component::Source(s as usize * size),
                0..=3 => return Err(Illegal("component beyond the source element")),
                4 => constant(CONST_A),
                5 => constant(CONST_B),
                6 => Component::Keep,
                _ => return Err(Illegal("component selector 7")),
            });
        }
        Ok(job::Remap {
            size,
            source: sources as usize * size,
            components,
        })
    }
}

#[cfg(test)]
mod tests;
