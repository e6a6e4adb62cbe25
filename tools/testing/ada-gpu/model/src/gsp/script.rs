// SPDX-License-Identifier: GPL-2.0

//! The CPU sequencer script GSP-RM sends before INIT_DONE.
//!
//! ```text
//! REG_WRITE, REG_MODIFY, REG_POLL, DELAY_US, REG_STORE   on a scratch register
//! CORE_RESET  CORE_START  CORE_WAIT_FOR_HALT             the GSP's falcon core
//! CORE_RESUME                                            SEC2 restarts GSP-RM
//! ```
//!
//! The payload is 0x28 bytes (buffer size in dwords, number of command dwords,
//! register save area) followed by the commands. It ends with the last command,
//! because a reader that counts commands would run trailing zeros as writes to
//! register 0.

/// Event number of RUN_CPU_SEQUENCER.
pub const RUN_CPU_SEQUENCER: u32 = 0x1002;
/// Register the script works on: the GSP falcon's DEBUGINFO.
const SCRATCH: u32 = 0x11_0094;
/// What the script leaves in it.
pub const SCRATCH_RESULT: u32 = 0x542;

const REG_WRITE: u32 = 0;
const REG_MODIFY: u32 = 1;
const REG_POLL: u32 = 2;
const DELAY_US: u32 = 3;
const REG_STORE: u32 = 4;
const CORE_RESET: u32 = 5;
const CORE_START: u32 = 6;
const CORE_WAIT_FOR_HALT: u32 = 7;
const CORE_RESUME: u32 = 8;

/// Event payload: a script that uses every opcode, or an empty one.
pub fn payload(full: bool) -> Vec<u8> {
    let commands: Vec<u32> = if full {
        [
            &[REG_WRITE, SCRATCH, 0x5e9][..],
            &[REG_MODIFY, SCRATCH, 0xff, 0x42],
            &[REG_POLL, SCRATCH, 0xffff, SCRATCH_RESULT, 100_000, 1],
            &[DELAY_US, 10],
            &[REG_STORE, SCRATCH, 0],
            &[CORE_RESET],
            &[CORE_START],
            &[CORE_WAIT_FOR_HALT],
            &[CORE_RESUME],
        ]
        .concat()
    } else {
        Vec::new()
    };
    let mut words = vec![commands.len() as u32 + 1, commands.len() as u32];
    words.extend([0; 8]);
    words.extend(commands);
    words.iter().flat_map(|w| w.to_le_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        assert_eq!(payload(false).len(), 0x28);
        let p = payload(true);
        let n = u32::from_le_bytes(p[4..8].try_into().unwrap()) as usize;
        assert_eq!(p.len(), 0x28 + 4 * n);
    }
}
