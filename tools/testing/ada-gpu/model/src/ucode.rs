// SPDX-License-Identifier: GPL-2.0

//! Signed microcode: which image was started, and what it accepts.
//!
//! ```text
//! GSP   nothing uploaded                      -> halts at once
//! GSP   engine mask bit 10, ucode ID 9        -> FWSEC     (ucode/fwsec.rs)
//! SEC2  ucode ID 0x0d                         -> scrubber
//! SEC2  ucode ID 3, mailboxes 0xff 0xff       -> booter unload
//! SEC2  ucode ID 3, mailboxes = WPR metadata  -> booter load (ucode/wpr_meta.rs)
//! ```
//!
//! Images are recognised by what the boot ROM is told about them and by where
//! they were loaded; ucode IDs, boot vectors and signature offsets are those of
//! the published 570.144 images.

pub mod fwsec;
pub mod wpr_meta;

use crate::falcon::Falcon;
use crate::vbios::SIGNATURE_LEN;

/// Something microcode or firmware does not accept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Stable name of this refusal.
    pub kind: &'static str,
    /// What was wrong.
    pub text: String,
}

/// Builds an `Err(Refusal)`.
macro_rules! refuse {
    ($kind:literal, $($arg:tt)*) => {
        return Err($crate::ucode::Refusal { kind: $kind, text: format!($($arg)*) })
    };
}
pub(crate) use refuse;

/// SEC2's bit in engine masks.
const SEC2_MASK: u32 = 1;
const SCRUBBER_UCODE_ID: u32 = 0x0d;
const BOOTER_UCODE_ID: u32 = 3;
/// Boot vector of the SEC2 images.
const SEC2_BOOT_VECTOR: u32 = 0x100;
/// Signature offset in DMEM.
const SCRUBBER_SIGNATURE: u32 = 0;
const BOOTER_SIGNATURE: u32 = 0x10;
/// Mailbox value that asks booter to unload.
const UNLOAD: u32 = 0xff;
/// Code bytes of the published unload images; load images are larger.
const UNLOAD_IMEM: [usize; 2] = [0x4f00, 0x4800];
const LOAD_IMEM: [usize; 2] = [0x7d00, 0x7600];

/// What SEC2 was asked to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sec2Program {
    /// Makes all of the frame buffer usable.
    Scrubber,
    /// Verifies and starts GSP-RM; the address of the WPR metadata.
    BooterLoad(u64),
    /// Takes WPR2 down.
    BooterUnload,
}

/// What the boot ROM checks before it runs a signed image.
fn brom(f: &Falcon, mask: u32, id: u32, signature: u32, vector: u32) -> Result<(), Refusal> {
    let Some((m, i, s)) = f.brom() else {
        refuse!("brom-parameters", "MOD_SEL does not select RSA-3072");
    };
    if (m, i, s) != (mask, id, signature) {
        refuse!(
            "brom-parameters",
            "engine mask {m:#x} ucode {i:#x} signature at {s:#x}, expected {mask:#x} {id:#x} {signature:#x}"
        );
    }
    if f.boot_vector() != vector {
        refuse!(
            "brom-parameters",
            "boot vector {:#x}, expected {vector:#x}",
            f.boot_vector()
        );
    }
    if f.secure_imem == 0 || f.loaded_dmem == 0 {
        refuse!(
            "ucode-not-loaded",
            "no secure code at IMEM 0 or no data at DMEM 0"
        );
    }
    let slot = f.dmem.get(s as usize..s as usize + SIGNATURE_LEN);
    if !slot.is_some_and(|sig| sig.iter().any(|b| *b != 0)) {
        refuse!("ucode-signature", "no signature at DMEM {s:#x}");
    }
    Ok(())
}

/// Decides what SEC2 runs.
pub fn sec2_program(f: &Falcon) -> Result<Sec2Program, Refusal> {
    if f.riscv_selected() {
        refuse!("falcon-core", "SEC2 started with the RISC-V core selected");
    }
    // The scrubber's callers leave stale mailboxes: the ID decides first.
    if f.brom().is_some_and(|(_, id, _)| id == SCRUBBER_UCODE_ID) {
        brom(
            f,
            SEC2_MASK,
            SCRUBBER_UCODE_ID,
            SCRUBBER_SIGNATURE,
            SEC2_BOOT_VECTOR,
        )?;
        return Ok(Sec2Program::Scrubber);
    }
    brom(
        f,
        SEC2_MASK,
        BOOTER_UCODE_ID,
        BOOTER_SIGNATURE,
        SEC2_BOOT_VECTOR,
    )?;
    let unload = f.mailbox == [UNLOAD; 2];
    if unload && LOAD_IMEM.contains(&f.secure_imem) {
        refuse!(
            "booter-argument",
            "booter load was given the unload argument"
        );
    }
    if !unload && UNLOAD_IMEM.contains(&f.secure_imem) {
        refuse!(
            "booter-argument",
            "booter unload was given {:#x} {:#x}",
            f.mailbox[0],
            f.mailbox[1]
        );
    }
    if unload {
        return Ok(Sec2Program::BooterUnload);
    }
    Ok(Sec2Program::BooterLoad(
        u64::from(f.mailbox[0]) | u64::from(f.mailbox[1]) << 32,
    ))
}
