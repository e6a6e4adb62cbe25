// SPDX-License-Identifier: GPL-2.0

//! Payload of RUN_CPU_SEQUENCER: register operations that the CPU does for GSP.
//!
//! ```text
//!  0x00 buffer size in dwords | 0x04 command index (end, in dwords) | 0x08 save area, 8 dwords
//!  0x28 commands: opcode, then its operands
//! ```
//!
//! Source: OGKM 570.144 `rmgspseq.h`, `kernel_gsp.c` (`kgspExecuteSequencerBuffer`).

use super::super::super::super::bytes::{slice, u32_at, usize_at};

const BUFFER_SIZE: usize = 0x00;
const CMD_INDEX: usize = 0x04;
const COMMANDS: usize = 0x28;
/// Words of the save area.
pub(crate) const SAVE_AREA: usize = 8;

/// One operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Op {
    /// Writes a register.
    RegWrite {
        /// BAR0 offset.
        addr: u32,
        /// Value.
        value: u32,
    },
    /// Replaces the bits of `mask`.
    RegModify {
        /// BAR0 offset.
        addr: u32,
        /// Bits to change.
        mask: u32,
        /// Their new value.
        value: u32,
    },
    /// Waits until the bits of `mask` have a value.
    RegPoll {
        /// BAR0 offset.
        addr: u32,
        /// Bits to compare.
        mask: u32,
        /// Value waited for.
        value: u32,
        /// Microseconds; 0 is the default of 4 s.
        timeout_us: u32,
        /// Code to report when it does not come.
        error: u32,
    },
    /// Waits.
    DelayUs(u32),
    /// Saves a register in the save area.
    RegStore {
        /// BAR0 offset.
        addr: u32,
        /// Word of the save area.
        slot: u32,
    },
    /// Resets the GSP falcon and selects its falcon core.
    CoreReset,
    /// Starts the GSP falcon core.
    CoreStart,
    /// Waits until the GSP falcon core halts.
    CoreWaitForHalt,
    /// Hands GSP back to its RISC-V core through SEC2.
    CoreResume,
}

/// The payload is malformed; the text says how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Invalid(pub(crate) &'static str);

/// Operations of one payload.
#[derive(Debug, Clone)]
pub(crate) struct Ops<'a> {
    commands: &'a [u8],
    at: usize,
    failed: bool,
}

impl<'a> Ops<'a> {
    /// Checks the fixed part of `payload`.
    ///
    /// # Errors
    ///
    /// [`Invalid`] when the commands do not fit into the buffer or the payload.
    pub(crate) fn new(payload: &'a [u8]) -> Result<Self, Invalid> {
        let size = usize_at(payload, BUFFER_SIZE).ok_or(Invalid("too short"))?;
        let dwords = usize_at(payload, CMD_INDEX).ok_or(Invalid("too short"))?;
        if size == 0 || dwords >= size {
            return Err(Invalid("command index outside of the buffer"));
        }
        let commands = dwords
            .checked_mul(4)
            .and_then(|len| slice(payload, COMMANDS, len))
            .ok_or(Invalid("command index outside of the message"))?;

        Ok(Self {
            commands,
            at: 0,
            failed: false,
        })
    }

    fn parse(&mut self) -> Result<Op, Invalid> {
        let mut word = || {
            let word = u32_at(self.commands, self.at).ok_or(Invalid("operand missing"))?;
            self.at += 4;
            Ok(word)
        };

        Ok(match word()? {
            0 => Op::RegWrite {
                addr: word()?,
                value: word()?,
            },
            1 => Op::RegModify {
                addr: word()?,
                mask: word()?,
                value: word()?,
            },
            2 => Op::RegPoll {
                addr: word()?,
                mask: word()?,
                value: word()?,
                timeout_us: word()?,
                error: word()?,
            },
            3 => Op::DelayUs(word()?),
            4 => Op::RegStore {
                addr: word()?,
                slot: word()?,
            },
            5 => Op::CoreReset,
            6 => Op::CoreStart,
            7 => Op::CoreWaitForHalt,
            8 => Op::CoreResume,
            _ => return Err(Invalid("unknown opcode")),
        })
    }
}

impl Iterator for Ops<'_> {
    type Item = Result<Op, Invalid>;

    /// The next operation; nothing follows an error.
    fn next(&mut self) -> Option<Self::Item> {
        if self.failed || self.at >= self.commands.len() {
            return None;
        }
        let op = self.parse();
        self.failed = op.is_err();
        Some(op)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(words: &[u32]) -> Vec<u8> {
        let mut data = vec![0u8; COMMANDS];
        data[..4].copy_from_slice(&(words.len() as u32 + 1).to_le_bytes());
        data[4..8].copy_from_slice(&(words.len() as u32).to_le_bytes());
        data.extend(words.iter().flat_map(|w| w.to_le_bytes()));
        data
    }

    #[test]
    fn every_opcode() {
        let data = payload(&[
            0, 0x10, 1, 1, 0x20, 2, 3, 2, 0x30, 4, 5, 6, 7, 3, 100, 4, 0x40, 7, 5, 6, 7, 8,
        ]);
        let ops: Vec<_> = Ops::new(&data).unwrap().map(Result::unwrap).collect();
        assert_eq!(
            ops,
            [
                Op::RegWrite {
                    addr: 0x10,
                    value: 1
                },
                Op::RegModify {
                    addr: 0x20,
                    mask: 2,
                    value: 3
                },
                Op::RegPoll {
                    addr: 0x30,
                    mask: 4,
                    value: 5,
                    timeout_us: 6,
                    error: 7
                },
                Op::DelayUs(100),
                Op::RegStore {
                    addr: 0x40,
                    slot: 7
                },
                Op::CoreReset,
                Op::CoreStart,
                Op::CoreWaitForHalt,
                Op::CoreResume,
            ]
        );
    }

    #[test]
    fn empty_is_fine() {
        assert_eq!(Ops::new(&payload(&[])).unwrap().count(), 0);
    }

    #[test]
    fn malformed() {
        let mut cut = payload(&[0, 1, 2]);
        cut.truncate(COMMANDS + 8);
        assert!(Ops::new(&cut).is_err());
        assert!(Ops::new(&[0; COMMANDS]).is_err());

        let unknown: Vec<_> = Ops::new(&payload(&[9, 5])).unwrap().collect();
        assert_eq!(unknown, [Err(Invalid("unknown opcode"))]);
        let missing: Vec<_> = Ops::new(&payload(&[5, 0, 1])).unwrap().collect();
        assert_eq!(
            missing,
            [Ok(Op::CoreReset), Err(Invalid("operand missing"))]
        );
    }
}
