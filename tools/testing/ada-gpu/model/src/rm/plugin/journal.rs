// SPDX-License-Identifier: GPL-2.0

//! What a task writes about itself: logs, errors, the state of its guest.
//!
//! ```text
//!   log      u64 put | u64 words, around and around     put counts the words ever written
//!            entry: time in ns | number of the text | argument
//!   errors   text, around and around in the error buffer; response.error_put = bytes % 4096
//!   guest    response.license, response.guest_os
//! ```
//!
//! A log is a libos log (OGKM 570.144 `kernel_gsp.c`, `kgspInitVgpuPartitionLogging`), whose entries
//! need the strings of the firmware. The entries of the error buffer are not published: text is
//! this model's choice, as is what its index counts.

use super::layout::{self, Control};
use super::outside;
use crate::bytes::put_u64;
use crate::rm::bootload::Bootload;
use crate::rm::status::Refusal;
use crate::vram::{Vram, Writer};

const WORD: u64 = 8;

/// The logs, in the order of the bootload parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Log {
    /// Init task.
    Init = 0,
    /// vGPU task.
    Vgpu = 1,
    /// Kernel.
    Kernel = 2,
}

/// Numbers of the texts.
pub mod text {
    /// The task is up.
    pub const BOOTED: u64 = 1;
    /// A message was taken up; its type.
    pub const MESSAGE: u64 = 2;
    /// A message was refused; its result.
    pub const REFUSED: u64 = 3;
    /// The task has crashed; the message type.
    pub const CRASHED: u64 = 4;
    /// The task ends.
    pub const UNLOADED: u64 = 5;
}

/// How far a task has written.
#[derive(Debug, Clone, Default)]
pub struct Journal {
    /// Words ever written, per log.
    put: [u64; 3],
    /// Next byte of the error buffer.
    error_put: u32,
}

impl Journal {
    /// Adds an entry to a log that the driver wants.
    pub fn log(
        &mut self,
        vram: &mut Vram,
        request: &Bootload,
        log: Log,
        entry: [u64; 3],
    ) -> Result<(), Refusal> {
        let range = &request.logs[log as usize];
        let Some(words) = ((range.end - range.start) / WORD)
            .checked_sub(1)
            .filter(|n| *n != 0)
        else {
            return Ok(());
        };
        let put = &mut self.put[log as usize];
        for word in entry {
            let at = range.start + WORD * (1 + *put % words);
            vram.write64(at, word, Writer::Gsp).map_err(outside)?;
            *put += 1;
        }
        // Last, so that a reader finds what it says.
        vram.write64(range.start, *put, Writer::Gsp)
            .map_err(outside)
    }

    /// Adds a line to the error buffer.
    pub fn error(
        &mut self,
        vram: &mut Vram,
        request: &Bootload,
        control: &Control,
        line: &str,
    ) -> Result<(), Refusal> {
        let ring = request.heap.start + control.error;
        for byte in line.bytes().chain([b'\n']) {
            let at = ring + u64::from(self.error_put);
            vram.write(at, &[byte], Writer::Gsp).map_err(outside)?;
            self.error_put = (self.error_put + 1) % layout::BUFFER_SIZE as u32;
        }
        let response = request.heap.start + control.response;
        vram.write32(
            response + layout::RESP_ERROR_PUT,
            self.error_put,
            Writer::Gsp,
        )
        .map_err(outside)
    }

    /// Says what the licence and the operating system of the guest are.
    pub fn guest(
        vram: &mut Vram,
        request: &Bootload,
        control: &Control,
        license: u32,
        os: u32,
    ) -> Result<(), Refusal> {
        let response = request.heap.start + control.response;
        for (at, value) in [(layout::RESP_LICENSE, license), (layout::RESP_GUEST_OS, os)] {
            vram.write32(response + at, value, Writer::Gsp)
                .map_err(outside)?;
        }
        Ok(())
    }

    /// Writes all ones over everything that a driver might take for a number, a length or a text.
    pub fn garbage(vram: &mut Vram, request: &Bootload, control: &Control) -> Result<(), Refusal> {
        let ones = vec![0xff; layout::BUFFER_SIZE as usize];
        let heap = request.heap.start;
        let tail = &ones[..ones.len() - layout::RESP_GUEST_RPC_VERSION as usize];
        let put = &mut [0; WORD as usize];
        put_u64(put, 0, u64::MAX);
        let buffers = [
            (heap + control.payload, &ones[..]),
            (heap + control.error, &ones[..]),
            // What matters for the answer is written later.
            (
                heap + control.response + layout::RESP_GUEST_RPC_VERSION,
                tail,
            ),
        ];
        let logs = request.logs.iter().filter(|log| !log.is_empty());
        for (at, bytes) in buffers
            .into_iter()
            .chain(logs.map(|log| (log.start, &put[..])))
        {
            vram.write(at, bytes, Writer::Gsp).map_err(outside)?;
        }
        Ok(())
    }
}
