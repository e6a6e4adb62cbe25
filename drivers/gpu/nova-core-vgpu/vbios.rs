// SPDX-License-Identifier: GPL-2.0

//! Reads the VBIOS through PROM and hands out the FWSEC ucode.
//!
//! ```text
//!   PROM words -> KVVec<u8>, grown as rom::chain() asks -> bit -> fwsec
//! ```
//!
//! A 32-bit read of the window is slow, so nothing is read that the parser does not ask for: not
//! the bodies of images for others, and nothing behind the last image.

pub(crate) mod bit;
pub(crate) mod fwsec;
pub(crate) mod rom;

use kernel::{
    device,
    io::{
        register::Array,
        Io, //
    },
    prelude::*, //
};

use crate::{
    driver::Bar0,
    regs::prom::{
        NV_PROM_DATA,
        PROM_SIZE, //
    },
};

use fwsec::Fwsec;
use rom::{
    Chain,
    RomError, //
};

/// The VBIOS: the images that matter, zeroes in place of the others.
pub(crate) struct Vbios {
    rom: KVVec<u8>,
    chain: Chain,
    table_pointer: u32,
}

impl Vbios {
    /// Reads and checks the VBIOS.
    ///
    /// # Errors
    ///
    /// `EINVAL` when the ROM is not what it must be (reported), `ENOMEM`.
    pub(crate) fn read(dev: &device::Device, bar: Bar0<'_>) -> Result<Self> {
        let mut rom = KVVec::new();

        let chain = loop {
            match rom::chain(&rom) {
                Ok(chain) => break chain,
                Err(RomError::Short { from, need }) if rom.len() < need && need <= PROM_SIZE => {
                    grow(bar, &mut rom, from, need)?;
                }
                Err(e) => return Err(report(dev, e)),
            }
        };

        let pcat = rom.get(chain.pcat.start..chain.pcat.end()).ok_or(EINVAL)?;
        let table_pointer = bit::falcon_ucode_table_pointer(pcat).map_err(|e| report(dev, e))?;

        Ok(Self {
            rom,
            chain,
            table_pointer,
        })
    }

    /// The FWSEC ucode.
    ///
    /// # Errors
    ///
    /// `EINVAL` when it is missing or malformed (reported).
    pub(crate) fn fwsec(&self, dev: &device::Device) -> Result<Fwsec<'_>> {
        Fwsec::find(&self.rom, &self.chain, self.table_pointer).map_err(|e| report(dev, e))
    }
}

/// Makes `rom` at least `len` bytes long. Of the new bytes, those before `from` are not read and
/// zero.
fn grow(bar: Bar0<'_>, rom: &mut KVVec<u8>, from: usize, len: usize) -> Result {
    const WORD: usize = size_of::<u32>();
    let len = len.next_multiple_of(WORD);
    let from = from - from % WORD;

    rom.resize(rom.len().max(from), 0, GFP_KERNEL)?;
    rom.reserve(len.saturating_sub(rom.len()), GFP_KERNEL)?;
    while rom.len() < len {
        let loc = NV_PROM_DATA::try_at(rom.len() / WORD).ok_or(EINVAL)?;
        let word = bar.read(loc).value();
        rom.extend_from_slice(&word.to_le_bytes(), GFP_KERNEL)?;
    }
    Ok(())
}

/// One line per broken VBIOS, and the errno for it.
pub(crate) fn report(dev: &device::Device, error: RomError) -> Error {
    match error {
        RomError::Short { need, .. } => {
            dev_err!(
                dev,
                "VBIOS: needs {:#x} bytes of ROM, more than the PROM window has; reflash the board\n",
                need
            );
        }
        RomError::Invalid(field) => {
            dev_err!(dev, "VBIOS: bad {}; reflash the board\n", field);
        }
    }
    EINVAL
}
