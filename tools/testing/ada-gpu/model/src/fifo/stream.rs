// SPDX-License-Identifier: GPL-2.0

//! What a channel fetches: GPFIFO entries, and the headers of a push buffer.
//!
//! ```text
//!   entry, word 0   0 conditional   31:2 address 31:2
//!          word 1   7:0 address 39:32, or an opcode when the length is 0
//!                   9 subroutine   30:10 length in dwords   31 wait
//!
//!   header          31:29 operation   28:16 count or value   15:13 sub-channel
//!                   11:0 method / 4
//!     0 nothing (whole word 0)   1 incrementing    3 non-incrementing
//!     4 immediate value          5 increment once  7 end of segment
//! ```
//!
//! Source: OGKM 570.144 `kernel-open/nvidia-uvm/clc56f.h`.

/// Bytes of an entry.
pub const ENTRY_SIZE: u64 = 8;

/// A GPFIFO entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// A piece of push buffer: virtual address and length in dwords.
    Segment {
        /// Virtual address.
        addr: u64,
        /// Dwords, not 0.
        dwords: u32,
    },
    /// Nothing to do.
    Nop,
    /// An opcode that is an error.
    Illegal(u8),
}

impl Entry {
    /// Decodes an entry.
    pub fn decode(v: u64) -> Entry {
        const OPCODE_NOP: u8 = 0;
        const OPCODE_CRC: [u8; 2] = [2, 3];
        let (low, high) = (v as u32, (v >> 32) as u32);
        let dwords = high >> 10 & 0x1f_ffff;
        if dwords != 0 {
            let addr = u64::from(high & 0xff) << 32 | u64::from(low & !3);
            return Entry::Segment { addr, dwords };
        }
        match high as u8 {
            OPCODE_NOP => Entry::Nop,
            op if OPCODE_CRC.contains(&op) => Entry::Nop,
            op => Entry::Illegal(op),
        }
    }
}

/// What a header says about the words behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Header {
    /// No method.
    Nop,
    /// One method with this value.
    Immediate {
        /// Where it goes.
        method: Method,
        /// The value.
        value: u32,
    },
    /// Methods with the words that follow.
    Methods {
        /// Where the first goes.
        method: Method,
        /// How the address changes.
        step: Step,
        /// Words.
        count: u32,
    },
    /// The segment ends here.
    End,
    /// No such operation.
    Illegal,
}

/// A method of a sub-channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Method {
    /// Sub-channel.
    pub subchannel: u32,
    /// Byte address.
    pub addr: u32,
}

/// How the method address goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// By one method after each word.
    Each,
    /// By one method after the first word.
    Once,
    /// Not at all.
    Never,
}

impl Header {
    /// Decodes a header.
    pub fn decode(w: u32) -> Header {
        let method = Method {
            subchannel: w >> 13 & 7,
            addr: (w & 0xfff) * 4,
        };
        let count = w >> 16 & 0x1fff;
        let methods = |step| Header::Methods {
            method,
            step,
            count,
        };
        match w >> 29 {
            0 if w == 0 => Header::Nop,
            1 => methods(Step::Each),
            3 => methods(Step::Never),
            4 => Header::Immediate {
                method,
                value: count,
            },
            5 => methods(Step::Once),
            7 => Header::End,
            _ => Header::Illegal,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries() {
        assert_eq!(
            Entry::decode(0x0000_9412_3456_7800),
            Entry::Segment {
                addr: 0x12_3456_7800,
                dwords: 37
            }
        );
        assert_eq!(Entry::decode(0), Entry::Nop);
        assert_eq!(Entry::decode(1 << 32), Entry::Illegal(1));
    }

    #[test]
    fn headers() {
        let method = Method {
            subchannel: 4,
            addr: 0x410,
        };
        let with = |step, count| Header::Methods {
            method,
            step,
            count,
        };
        assert_eq!(Header::decode(0x2004_8104), with(Step::Each, 4));
        assert_eq!(Header::decode(0x6004_8104), with(Step::Never, 4));
        assert_eq!(Header::decode(0xa004_8104), with(Step::Once, 4));
        assert_eq!(
            Header::decode(0x8004_8104),
            Header::Immediate { method, value: 4 }
        );
        assert_eq!(Header::decode(0), Header::Nop);
        assert_eq!(Header::decode(0xe000_0000), Header::End);
        for w in [1, 0x4000_0000, 0xc000_0000] {
            assert_eq!(Header::decode(w), Header::Illegal);
        }
    }
}
