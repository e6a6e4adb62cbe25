// SPDX-License-Identifier: GPL-2.0

//! Host methods: those below 0x100, which every channel has.
//!
//! ```text
//!   0x00 SET_OBJECT   0x20 NON_STALL_INTERRUPT   0x28-0x34 MEM_OP   0x50 reference
//!   0x10-0x1c SEMAPHORE A-D        D: 4:0 operation  20 no WFI  24 four bytes  30:27, 31
//!   0x5c-0x6c SEM_ADDR, PAYLOAD, EXECUTE   2:0 operation  20 WFI  24 eight bytes
//!                                          25 timestamp  30:27 reduction  31 unsigned
//!   0x78 WFI
//! ```
//!
//! A release without WFI does not wait for the engine. Source: OGKM 570.144
//! `kernel-open/nvidia-uvm/clc56f.h`.

use super::memory::{Memory, Mode, Violation};

/// Methods below this address are the host's.
pub const END: u32 = 0x100;

const SET_OBJECT: u32 = 0x00;
const SEMAPHORE_A: u32 = 0x10;
const SEMAPHORE_B: u32 = 0x14;
const SEMAPHORE_C: u32 = 0x18;
const SEMAPHORE_D: u32 = 0x1c;
const NON_STALL_INTERRUPT: u32 = 0x20;
const MEM_OP_C: u32 = 0x30;
const MEM_OP_D: u32 = 0x34;
const SET_REFERENCE: u32 = 0x50;
const SEM_ADDR_LO: u32 = 0x5c;
const SEM_ADDR_HI: u32 = 0x60;
const SEM_PAYLOAD_LO: u32 = 0x64;
const SEM_PAYLOAD_HI: u32 = 0x68;
const SEM_EXECUTE: u32 = 0x6c;
const WFI: u32 = 0x78;
/// Methods without an effect here: NOP, FB_FLUSH, MEM_OP A and B, YIELD, CLEAR_FAULTED.
const INERT: [u32; 6] = [0x08, 0x24, 0x28, 0x2c, 0x80, 0x84];

/// What to compare a semaphore with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Test {
    /// Equal.
    Equal,
    /// At least, as unsigned numbers.
    AtLeast,
    /// At least, counting around.
    CircularAtLeast,
    /// A bit in common.
    And,
    /// A bit that neither has.
    Nor,
}

/// A semaphore in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Semaphore {
    /// Virtual address.
    pub addr: u64,
    /// Value written or compared with.
    pub payload: u64,
    /// The value has eight bytes.
    pub wide: bool,
}

/// What a host method does beside changing its register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Nothing.
    None,
    /// An object is bound to the sub-channel.
    Object(u32),
    /// A semaphore is written.
    Release {
        /// Which.
        semaphore: Semaphore,
        /// With the time, in 16 bytes.
        timestamp: bool,
    },
    /// A semaphore is changed: reduction and whether unsigned.
    Reduce(Semaphore, u32, bool),
    /// The channel waits for a semaphore.
    Acquire(Semaphore, Test),
    /// The engine's non-stall vector is raised.
    NonStall,
    /// The reference word in USERD.
    Reference(u32),
    /// Translations are dropped: those of one root, or all.
    Invalidate(Option<u64>),
    /// No such method or operation.
    Illegal(&'static str),
}

/// The host method registers of one channel.
#[derive(Debug, Clone)]
pub struct Methods {
    regs: [u32; (END / 4) as usize],
}

impl Default for Methods {
    fn default() -> Self {
        Methods {
            regs: [0; (END / 4) as usize],
        }
    }
}

/// Whether the method must not be done before the engine is idle.
pub fn waits_for_engine(method: u32, v: u32) -> bool {
    match method {
        WFI => true,
        SEM_EXECUTE => matches!(v & 7, 1 | 6) && v & 1 << 20 != 0,
        SEMAPHORE_D => v & 0x1f == 2 && v & 1 << 20 == 0,
        _ => false,
    }
}

impl Methods {
    fn get(&self, method: u32) -> u64 {
        u64::from(self.regs[method as usize / 4 % self.regs.len()])
    }

    /// Writes the method at byte address `method`, below [`END`].
    pub fn write(&mut self, method: u32, v: u32) -> Action {
        let i = method as usize / 4 % self.regs.len();
        self.regs[i] = v;
        match method {
            SET_OBJECT => Action::Object(v),
            NON_STALL_INTERRUPT => Action::NonStall,
            SET_REFERENCE => Action::Reference(v),
            MEM_OP_D => self.mem_op(v),
            SEMAPHORE_D => self.legacy(v),
            SEM_EXECUTE => self.execute(v),
            WFI | MEM_OP_C | SEMAPHORE_A | SEMAPHORE_B | SEMAPHORE_C => Action::None,
            SEM_ADDR_LO | SEM_ADDR_HI | SEM_PAYLOAD_LO | SEM_PAYLOAD_HI => Action::None,
            _ if INERT.contains(&method) => Action::None,
            _ => Action::Illegal("no such host method"),
        }
    }

    fn mem_op(&self, d: u32) -> Action {
        const TLB_INVALIDATE: u32 = 9;
        const TLB_INVALIDATE_TARGETED: u32 = 0xa;
        let c = self.get(MEM_OP_C);
        match d >> 27 {
            TLB_INVALIDATE | TLB_INVALIDATE_TARGETED if c & 1 != 0 => Action::Invalidate(None),
            TLB_INVALIDATE | TLB_INVALIDATE_TARGETED => {
                Action::Invalidate(Some(u64::from(d & 0x7ff_ffff) << 32 | c & 0xffff_f000))
            }
            _ => Action::None,
        }
    }

    fn legacy(&self, d: u32) -> Action {
        let semaphore = Semaphore {
            addr: (self.get(SEMAPHORE_A) & 0xff) << 32 | self.get(SEMAPHORE_B) & !3,
            payload: self.get(SEMAPHORE_C),
            wide: false,
        };
        let timestamp = d & 1 << 24 == 0;
        match d & 0x1f {
            2 => release(semaphore, timestamp),
            1 => Action::Acquire(semaphore, Test::Equal),
            4 => Action::Acquire(semaphore, Test::CircularAtLeast),
            8 => Action::Acquire(semaphore, Test::And),
            0x10 => Action::Reduce(semaphore, d >> 27 & 0xf, d >> 31 != 0),
            _ => Action::Illegal("semaphore operation"),
        }
    }

    fn execute(&self, v: u32) -> Action {
        let wide = v & 1 << 24 != 0;
        let high = self.get(SEM_PAYLOAD_HI) << 32;
        let semaphore = Semaphore {
            addr: (self.get(SEM_ADDR_HI) & 0xff) << 32 | self.get(SEM_ADDR_LO) & !3,
            payload: self.get(SEM_PAYLOAD_LO) | if wide { high } else { 0 },
            wide,
        };
        if wide && semaphore.addr % 8 != 0 {
            return Action::Illegal("misaligned semaphore");
        }
        match v & 7 {
            0 => Action::Acquire(semaphore, Test::Equal),
            1 => release(semaphore, v & 1 << 25 != 0),
            2 => Action::Acquire(semaphore, Test::AtLeast),
            3 => Action::Acquire(semaphore, Test::CircularAtLeast),
            4 => Action::Acquire(semaphore, Test::And),
            5 => Action::Acquire(semaphore, Test::Nor),
            6 => Action::Reduce(semaphore, v >> 27 & 0xf, v >> 31 != 0),
            _ => Action::Illegal("semaphore operation 7"),
        }
    }
}

fn release(semaphore: Semaphore, timestamp: bool) -> Action {
    if timestamp && semaphore.addr % 16 != 0 {
        return Action::Illegal("misaligned semaphore");
    }
    Action::Release {
        semaphore,
        timestamp,
    }
}

impl Semaphore {
    fn load(&self, memory: &mut Memory<'_>, mode: Mode) -> Result<u64, Violation> {
        match self.wide {
            true => memory.read64(mode, self.addr),
            false => memory.read32(mode, self.addr).map(u64::from),
        }
    }

    fn store(&self, memory: &mut Memory<'_>, mode: Mode, v: u64) -> Result<(), Violation> {
        let n = if self.wide { 8 } else { 4 };
        memory.write(mode, self.addr, &v.to_le_bytes()[..n])
    }

    /// Writes the value, with the time if wanted.
    pub fn release(
        &self,
        memory: &mut Memory<'_>,
        mode: Mode,
        timestamp_ns: Option<u64>,
    ) -> Result<(), Violation> {
        match timestamp_ns {
            None => self.store(memory, mode, self.payload),
            Some(ns) => {
                let bytes = [self.payload.to_le_bytes(), ns.to_le_bytes()].concat();
                memory.write(mode, self.addr, &bytes)
            }
        }
    }

    /// Whether the semaphore is as the channel wants it.
    pub fn passes(
        &self,
        memory: &mut Memory<'_>,
        mode: Mode,
        test: Test,
    ) -> Result<bool, Violation> {
        let (v, p) = (self.load(memory, mode)?, self.payload);
        let top = if self.wide { 63 } else { 31 };
        let mask = u64::MAX >> (63 - top);
        Ok(match test {
            Test::Equal => v == p,
            Test::AtLeast => v >= p,
            Test::CircularAtLeast => v.wrapping_sub(p) >> top & 1 == 0,
            Test::And => v & p != 0,
            Test::Nor => !(v | p) & mask != 0,
        })
    }

    /// Applies a reduction.
    pub fn reduce(
        &self,
        memory: &mut Memory<'_>,
        mode: Mode,
        operation: u32,
        unsigned: bool,
    ) -> Result<(), Violation> {
        let (v, p) = (self.load(memory, mode)?, self.payload);
        let signed = |x: u64| match self.wide {
            true => x as i64,
            false => i64::from(x as u32 as i32),
        };
        let less = match unsigned {
            true => v < p,
            false => signed(v) < signed(p),
        };
        let new = match operation {
            0 if less => v,
            0 => p,
            1 if less => p,
            1 => v,
            2 => v ^ p,
            3 => v & p,
            4 => v | p,
            5 => v.wrapping_add(p),
            // Up to the limit, then to zero; down to zero, then to the limit.
            6 if v >= p => 0,
            6 => v + 1,
            7 if v == 0 || v > p => p,
            7 => v - 1,
            _ => v,
        };
        self.store(memory, mode, new)
    }
}

#[cfg(test)]
mod tests;
