// SPDX-License-Identifier: GPL-2.0

//! The DMA engine of a falcon: blocks from memory into IMEM and DMEM.
//!
//! ```text
//! DMATRFBASE << 8 + DMATRFFBOFFS --256 bytes--> IMEM or DMEM at DMATRFMOFFS
//!      video or system memory, as FBIF_TRANSCFG of the context in DMATRFCMD says
//! ```

use super::{Falcon, MEMORY};

/// Bytes of one DMA transfer and of one IMEM block.
pub const BLOCK: usize = 256;

/// One DMA transfer as programmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transfer {
    /// Source address.
    pub source: u64,
    /// Source is system memory (else video memory).
    pub sysmem: bool,
    /// Destination is IMEM (else DMEM).
    pub imem: bool,
    /// Destination offset.
    pub dest: usize,
    /// IMEM blocks are marked secure.
    pub secure: bool,
}

/// Why a transfer is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadTransfer {
    /// Only 256-byte transfers into the falcon are modelled.
    Command,
    /// FBIF does not allow physical accesses without a context.
    NoPhysical,
    /// DMACTL requires a context.
    NeedsContext,
    /// Destination does not fit or is not a multiple of 256.
    Destination,
    /// Source is not a multiple of 256.
    Source,
    /// Memories are still being scrubbed after reset.
    Scrubbing,
}

impl Falcon {
    /// The transfer the last DMATRFCMD write asked for.
    pub fn transfer(&self) -> Result<Transfer, BadTransfer> {
        const COMMAND_IMEM: u32 = 1 << 4;
        const COMMAND_WRITE: u32 = 1 << 5;
        let cmd = self.trf_cmd;
        if cmd & COMMAND_WRITE != 0 || cmd >> 8 & 7 != 6 {
            return Err(BadTransfer::Command);
        }
        if self.scrub_polls > 0 {
            return Err(BadTransfer::Scrubbing);
        }
        let cfg = self.transcfg[(cmd >> 12 & 7) as usize];
        if self.fbif_ctl & 1 << 7 == 0 || cfg & 1 << 2 == 0 {
            return Err(BadTransfer::NoPhysical);
        }
        if self.dmactl & 1 != 0 {
            return Err(BadTransfer::NeedsContext);
        }
        let dest = self.trf_moffs as usize;
        if dest % BLOCK != 0 || dest + BLOCK > MEMORY {
            return Err(BadTransfer::Destination);
        }
        if self.trf_fboffs as usize % BLOCK != 0 {
            return Err(BadTransfer::Source);
        }
        Ok(Transfer {
            source: (self.trf_base << 8) + u64::from(self.trf_fboffs),
            sysmem: cfg & 3 != 0,
            imem: cmd & COMMAND_IMEM != 0,
            dest,
            secure: cmd >> 2 & 3 != 0,
        })
    }

    /// Completes a transfer with the bytes read, or leaves the engine busy for
    /// good when there are none.
    pub fn complete(&mut self, t: &Transfer, data: Option<&[u8; BLOCK]>) {
        let Some(data) = data else {
            self.stall();
            return;
        };
        let memory = if t.imem {
            &mut self.imem
        } else {
            &mut self.dmem
        };
        memory[t.dest..t.dest + BLOCK].copy_from_slice(data);
        if t.imem && t.secure && t.dest == self.secure_imem {
            self.secure_imem += BLOCK;
        }
        if !t.imem && t.dest == self.loaded_dmem {
            self.loaded_dmem += BLOCK;
        }
    }

    /// The DMA engine hangs until the next reset.
    pub fn stall(&mut self) {
        self.dma_stuck = true;
    }
}
