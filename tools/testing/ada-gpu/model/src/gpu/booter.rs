// SPDX-License-Identifier: GPL-2.0

//! Booter load: checks what the driver prepared, protects it, starts GSP-RM.
//!
//! ```text
//! WPR metadata -> layout checks -> bootloader, signature, image readable
//!              -> WPR2 := whole range -> RISC-V core runs
//!              -> GSP bootloader: libos arguments -> queues
//! ```
//!
//! Up to the start of the RISC-V core an error comes back in the mailbox. After
//! it there is nobody to report one: a GSP that cannot boot hangs, and only the
//! log says why.

use super::engines::{BOOT_STAGE_3, ERROR_ARGUMENT, HANDOFF_DONE};
use super::Gpu;
use crate::fault::Fault;
use crate::gsp::boot;
use crate::gsp::State;
use crate::regs;
use crate::ucode::wpr_meta::{self, WprMeta};
use crate::ucode::Refusal;
use crate::vram::Writer;

/// Mailbox values of a failing booter.
const ERROR_METADATA: u32 = 0x12;
const ERROR_FIRMWARE: u32 = 0x13;
const ERROR_SCRUBBER: u32 = 0x14;

impl Gpu {
    /// Runs booter load on the metadata at `meta_addr`; an error carries the
    /// mailbox value.
    pub(super) fn booter_load(&mut self, meta_addr: u64) -> Result<(), (u32, Refusal)> {
        let fail = |code, kind, text: String| Err((code, Refusal { kind, text }));
        let injected = self.board.faults.find(|f| match f {
            Fault::BooterError(code) => Some(*code),
            _ => None,
        });
        if let Some(code) = injected {
            return fail(code, "fault-injected", format!("booter error {code:#x}"));
        }
        if self.gsp.state != State::Off {
            let text = format!("GSP is in state {:?}", self.gsp.state);
            return fail(ERROR_ARGUMENT, "booter-order", text);
        }
        let Some(frts) = self.regs.frts.clone() else {
            let text = "WPR2 is not up: FWSEC-FRTS did not run".to_owned();
            return fail(ERROR_ARGUMENT, "booter-order", text);
        };
        let mut raw = [0; wpr_meta::SIZE];
        if self.board.host.dma_read(meta_addr, &mut raw).is_err() {
            let text = format!("WPR metadata at {meta_addr:#x} is not readable");
            return fail(ERROR_ARGUMENT, "boot-dma", text);
        }
        let fb_size = self.board.config.fb_size();
        let meta = WprMeta::decode(&raw).map_err(|r| (ERROR_METADATA, r))?;
        let layout = meta
            .check(fb_size, &frts)
            .map_err(|r| (ERROR_METADATA, r))?;
        boot::read_firmware(&*self.board.host, &meta).map_err(|r| (ERROR_FIRMWARE, r))?;

        let unscrubbed =
            regs::needs_scrubber(&self.board.config, &meta) && self.regs.handoff < HANDOFF_DONE;
        if unscrubbed && self.board.config.strict_booter {
            let text = format!("{:#x} bytes reserved", fb_size - meta.reserved_start);
            return fail(ERROR_SCRUBBER, "booter-not-scrubbed", text);
        }
        self.regs.wpr2 = Some(layout.wpr.clone());
        raw[wpr_meta::VERIFIED_OFFSET..].copy_from_slice(&wpr_meta::VERIFIED.to_le_bytes());
        if self
            .board
            .vram
            .write(layout.wpr.start, &raw, Writer::Gsp)
            .is_err()
        {
            let text = format!("no memory at {:#x}", layout.wpr.start);
            return fail(ERROR_METADATA, "wpr-layout", text);
        }
        self.board.stats.count("booter-load");
        self.board
            .trace
            .line("boot", format_args!("booter load wpr2 {:x?}", layout.wpr));
        self.regs.bsi14 &= !BOOT_STAGE_3;
        self.gsp_falcon.riscv_active = true;
        self.gsp_falcon.riscv_halted = false;
        let mailbox = self.gsp_falcon.mailbox;
        self.gsp.libos = u64::from(mailbox[0]) | u64::from(mailbox[1]) << 32;
        self.boot.layout = layout;
        self.boot.partitions = meta.partitions;
        self.gsp.meta = meta;
        // From here on nothing reports an error: a GSP that cannot boot hangs.
        self.gsp.state = State::Silent;
        if unscrubbed {
            let reserved = fb_size - self.gsp.meta.reserved_start;
            self.board.refuse(
                "booter-not-scrubbed",
                format_args!(
                    "{reserved:#x} bytes reserved, hand-off {}",
                    self.regs.handoff
                ),
            );
            return Ok(());
        }
        if !self.gsp.meta.heap_suffices() {
            self.board.refuse(
                "wpr-heap",
                format_args!(
                    "heap of {:#x} bytes for {} partitions",
                    self.gsp.meta.heap.1, self.gsp.meta.partitions
                ),
            );
            return Ok(());
        }
        match boot::attach(&*self.board.host, self.gsp.libos) {
            Ok(rings) => {
                self.gsp.start(rings);
                // The driver may have queued its first messages already.
                self.queue_doorbell(0);
            }
            Err(r) => self.board.refused(&r),
        }
        Ok(())
    }
}
