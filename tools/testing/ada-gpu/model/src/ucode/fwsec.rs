// SPDX-License-Identifier: GPL-2.0

//! FWSEC: checks the upload and decodes the command a driver put into DMEM.
//!
//! ```text
//! command buffer  +0x00 read-vbios: version 1, size 0x18, offset, size, flags 2
//!                 +0x18 FRTS:       version 1, size 0x14, offset/4K, size/4K, media
//! ```
//!
//! Layout from OGKM 570.144, kernel_gsp_fwsec.c.

use super::{brom, refuse, Refusal};
use crate::bytes::{u32_at, u64_at};
use crate::falcon::Falcon;
use crate::vbios::{Fwsec, FWSEC_ENGINE_MASK, FWSEC_UCODE_ID, SIGNATURE_LEN};
use std::ops::Range;

const INIT_FRTS: u32 = 0x15;
const INIT_SB: u32 = 0x19;
/// FRTS lives in the frame buffer.
const MEDIA_FB: u32 = 2;
/// The only size drivers use, and the only one the layout has room for.
const FRTS_SIZE: u64 = 1 << 20;
const FRTS_ALIGN: u64 = 128 << 10;

/// What FWSEC was asked to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Create WPR2 over this frame-buffer range.
    Frts(Range<u64>),
    /// Secure boot clean-up.
    Sb,
}

/// Whether the board's own FWSEC, properly signed, is what was uploaded.
pub fn verify(f: &Falcon, fwsec: &Fwsec, fuse: u32) -> Result<(), Refusal> {
    if f.riscv_selected() {
        refuse!("falcon-core", "FWSEC started with the RISC-V core selected");
    }
    brom(
        f,
        FWSEC_ENGINE_MASK,
        u32::from(FWSEC_UCODE_ID),
        fwsec.signature_slot as u32,
        0,
    )?;
    if f.secure_imem < fwsec.imem.len() || f.imem[..fwsec.imem.len()] != fwsec.imem[..] {
        refuse!("ucode-signature", "IMEM does not hold this board's FWSEC");
    }
    if f.loaded_dmem < fwsec.dmem.len() || !fwsec.same_data(&f.dmem) {
        refuse!("ucode-signature", "DMEM does not hold this board's FWSEC");
    }
    let slot = &f.dmem[fwsec.signature_slot..fwsec.signature_slot + SIGNATURE_LEN];
    if fwsec.signature_for(fuse) != Some(slot) {
        refuse!(
            "ucode-signature",
            "signature is not the one for fuse value {fuse:#x}"
        );
    }
    Ok(())
}

/// Decodes the command in DMEM.
pub fn command(dmem: &[u8], fwsec: &Fwsec, fb_size: u64) -> Result<Command, Refusal> {
    let buf = dmem.get(fwsec.command.clone()).unwrap_or(&[]);
    let word = |off| u32_at(buf, off).unwrap_or(0);
    let init = u32_at(dmem, fwsec.init_command).unwrap_or(0);
    let vbios = (
        word(0),
        word(4),
        u64_at(buf, 8).unwrap_or(0),
        word(0x10),
        word(0x14),
    );
    if vbios != (1, 0x18, 0, 0, 2) {
        refuse!("fwsec-command", "read-vbios header {vbios:x?}");
    }
    match init {
        INIT_SB => Ok(Command::Sb),
        INIT_FRTS => {
            let frts = (word(0x18), word(0x1c), word(0x28));
            if frts != (1, 0x14, MEDIA_FB) {
                refuse!("fwsec-command", "FRTS version, size, media {frts:x?}");
            }
            let start = u64::from(word(0x20)) << 12;
            let size = u64::from(word(0x24)) << 12;
            if size != FRTS_SIZE || start % FRTS_ALIGN != 0 || start + size > fb_size {
                refuse!(
                    "fwsec-frts-range",
                    "FRTS {start:#x} size {size:#x} in {fb_size:#x} bytes of memory"
                );
            }
            Ok(Command::Frts(start..start + size))
        }
        _ => refuse!("fwsec-command", "init command {init:#x}"),
    }
}
