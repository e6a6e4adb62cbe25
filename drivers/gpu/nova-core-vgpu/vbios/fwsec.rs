// SPDX-License-Identifier: GPL-2.0

//! The FWSEC ucode in the VBIOS: finding it and giving it a command.
//!
//! ```text
//!  falcon ucode table: version, header size, entry size, count; entry: application, target, pointer
//!        |
//!        v   application 0x85 (production FWSEC)
//!  descriptor V3 (44 bytes) | signatures (n * 384) | ucode: IMEM part | DMEM part
//!                                                                        |
//!    DMEM + interface offset: table of { id, offset };  id 4 -> DMEM mapper
//!    DMEM mapper: command word (0x15 FRTS, 0x19 SB), command buffer offset
//! ```
//!
//! Source: OGKM 570.144 `kernel_gsp_fwsec.c`.

use super::super::bytes::{put, slice, u16_at, u32_at, u8_at, usize_at};
use super::rom::{Chain, RomError};

const TABLE_VERSION: u8 = 1;
const TABLE_MIN_SIZE: u8 = 6;
const APPLICATION_FWSEC_PROD: u8 = 0x85;

const DESC_SIZE: usize = 44;
const DESC_VERSION: u32 = 3;
/// Bytes of one RSA-3072 signature.
pub(crate) const SIGNATURE_SIZE: usize = 384;
/// The falcon DMA engine moves blocks of this size.
const DMA_BLOCK: usize = 256;
/// Generous limit: falcon memories are smaller than this.
const MAX_UCODE: usize = 0x10_0000;

const INTERFACE_VERSION: u8 = 1;
const INTERFACE_MIN_ENTRY: u8 = 8;
const INTERFACE_DMEM_MAPPER: u32 = 4;
const MAPPER_SIZE: usize = 64;
const MAPPER_CMD_IN_OFFSET: usize = 0x08;
const MAPPER_CMD_IN_SIZE: usize = 0x0c;
const MAPPER_INIT_CMD: usize = 0x2c;

const INIT_CMD_FRTS: u32 = 0x15;
const INIT_CMD_SB: u32 = 0x19;

/// What FWSEC shall do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Command {
    /// Create WPR2 and put the firmware runtime services there.
    Frts {
        /// FB address, a multiple of 4 KiB.
        addr: u64,
        /// Size in bytes, a multiple of 4 KiB.
        size: u64,
    },
    /// Put GSP back into the state that it had before FRTS.
    Sb,
}

/// Descriptor, version 3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Desc {
    /// Signature location from the start of DMEM in bytes.
    pub(crate) pkc_data_offset: usize,
    /// Interface table location from the start of DMEM in bytes.
    interface_offset: usize,
    /// Destination in IMEM in bytes.
    pub(crate) imem_phys_base: u32,
    /// Bytes of code, at the start of the ucode.
    pub(crate) imem_load_size: usize,
    /// Destination in DMEM in bytes.
    pub(crate) dmem_phys_base: u32,
    /// Bytes of data, directly after the code.
    pub(crate) dmem_load_size: usize,
    /// Engines that the ucode is signed for.
    pub(crate) engine_id_mask: u16,
    /// Selects the fuse word with the revocation level.
    pub(crate) ucode_id: u8,
    signature_count: u8,
    signature_versions: u16,
}

/// The FWSEC ucode of one VBIOS.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fwsec<'a> {
    /// How to load it.
    pub(crate) desc: Desc,
    signatures: &'a [u8],
    /// Code and data, `imem_load_size + dmem_load_size` bytes.
    pub(crate) ucode: &'a [u8],
}

const fn bad(field: &'static str) -> RomError {
    RomError::Invalid(field)
}

impl<'a> Fwsec<'a> {
    /// Finds FWSEC in `rom`, whose images are `chain`; `table_pointer` is the BIT's pointer to
    /// the falcon ucode table.
    ///
    /// # Errors
    ///
    /// [`RomError::Invalid`] names what is missing or wrong.
    pub(crate) fn find(rom: &'a [u8], chain: &Chain, table_pointer: u32) -> Result<Self, RomError> {
        let images = rom
            .get(chain.fwsec.start..chain.end)
            .ok_or(bad("FWSEC image"))?;
        let to_offset = |pointer: u32, what: &'static str| {
            usize::try_from(pointer)
                .ok()
                .and_then(|p| p.checked_sub(chain.pcat.len))
                .filter(|offset| *offset < images.len())
                .ok_or(bad(what))
        };

        let table = &images[to_offset(table_pointer, "falcon ucode table pointer")?..];
        let header = slice(table, 0, 6).ok_or(bad("falcon ucode table"))?;
        let (version, header_size, entry_size, count) =
            (header[0], header[1], header[2], header[3]);
        if version != TABLE_VERSION || header_size < TABLE_MIN_SIZE || entry_size < TABLE_MIN_SIZE {
            return Err(bad("falcon ucode table header"));
        }

        for i in 0..usize::from(count) {
            let at = usize::from(header_size) + i * usize::from(entry_size);
            let entry = slice(table, at, usize::from(TABLE_MIN_SIZE))
                .ok_or(bad("falcon ucode table entry"))?;
            if entry[0] == APPLICATION_FWSEC_PROD {
                let pointer = u32_at(entry, 2).ok_or(bad("falcon ucode table entry"))?;
                return Self::parse(&images[to_offset(pointer, "FWSEC descriptor pointer")?..]);
            }
        }

        Err(bad("no FWSEC entry in the falcon ucode table"))
    }

    /// Parses the descriptor at the start of `data` and what follows it.
    fn parse(data: &'a [u8]) -> Result<Self, RomError> {
        let raw = slice(data, 0, DESC_SIZE).ok_or(bad("FWSEC descriptor"))?;
        let word = |at| usize_at(raw, at).ok_or(bad("FWSEC descriptor"));

        let header = u32_at(raw, 0).ok_or(bad("FWSEC descriptor"))?;
        if header & 1 == 0 || header >> 8 & 0xff != DESC_VERSION {
            return Err(bad("FWSEC descriptor version"));
        }
        let total_size = (header >> 16) as usize;

        let desc = Desc {
            pkc_data_offset: word(0x08)?,
            interface_offset: word(0x0c)?,
            imem_phys_base: u32_at(raw, 0x10).ok_or(bad("FWSEC descriptor"))?,
            imem_load_size: word(0x14)?,
            dmem_phys_base: u32_at(raw, 0x1c).ok_or(bad("FWSEC descriptor"))?,
            dmem_load_size: word(0x20)?,
            engine_id_mask: u16_at(raw, 0x24).ok_or(bad("FWSEC descriptor"))?,
            ucode_id: raw[0x26],
            signature_count: raw[0x27],
            signature_versions: u16_at(raw, 0x28).ok_or(bad("FWSEC descriptor"))?,
        };

        let signatures_size = usize::from(desc.signature_count) * SIGNATURE_SIZE;
        if total_size < DESC_SIZE + signatures_size {
            return Err(bad("FWSEC descriptor size"));
        }
        if desc.imem_load_size == 0
            || desc.imem_load_size % DMA_BLOCK != 0
            || desc.imem_load_size > MAX_UCODE
            || desc.dmem_load_size > MAX_UCODE
        {
            return Err(bad("FWSEC IMEM or DMEM size"));
        }

        Ok(Self {
            desc,
            signatures: slice(data, DESC_SIZE, signatures_size).ok_or(bad("FWSEC signatures"))?,
            ucode: slice(data, total_size, desc.imem_load_size + desc.dmem_load_size)
                .ok_or(bad("FWSEC ucode"))?,
        })
    }

    /// The signature for a chip whose fuses ask for `fuse_version` (0 when none is blown).
    ///
    /// # Errors
    ///
    /// [`RomError::Invalid`] when the VBIOS has no signature of that version.
    pub(crate) fn signature(&self, fuse_version: u32) -> Result<&'a [u8], RomError> {
        let versions = u32::from(self.desc.signature_versions);
        let bit = 1u32
            .checked_shl(fuse_version)
            .filter(|bit| versions & bit != 0)
            .ok_or(bad("no FWSEC signature for the fuse version of this chip"))?;
        let index = (versions & (bit - 1)).count_ones() as usize;

        slice(self.signatures, index * SIGNATURE_SIZE, SIGNATURE_SIZE)
            .ok_or(bad("FWSEC signature count"))
    }

    /// Writes `command` and `signature` into `ucode`, a copy of [`Self::ucode`].
    ///
    /// # Errors
    ///
    /// [`RomError::Invalid`] when the interface table or the DMEM mapper is wrong.
    pub(crate) fn patch(
        &self,
        ucode: &mut [u8],
        command: Command,
        signature: &[u8],
    ) -> Result<(), RomError> {
        let dmem = ucode
            .get_mut(self.desc.imem_load_size..)
            .ok_or(bad("FWSEC ucode"))?;

        patch_command(dmem, self.desc.interface_offset, command)?;
        put(dmem, self.desc.pkc_data_offset, signature).ok_or(bad("FWSEC signature location"))
    }
}

/// Offset of the DMEM mapper in `dmem`.
fn dmem_mapper(dmem: &[u8], interface: usize) -> Result<usize, RomError> {
    let field = |at: usize| {
        interface
            .checked_add(at)
            .and_then(|at| u8_at(dmem, at))
            .ok_or(bad("FWSEC interface table"))
    };
    let header_size = field(1)?;
    let entry_size = field(2)?;
    let count = field(3)?;
    if field(0)? != INTERFACE_VERSION || entry_size < INTERFACE_MIN_ENTRY {
        return Err(bad("FWSEC interface table header"));
    }

    for i in 0..usize::from(count) {
        let at = interface + usize::from(header_size) + i * usize::from(entry_size);
        let id = u32_at(dmem, at).ok_or(bad("FWSEC interface table entry"))?;
        if id == INTERFACE_DMEM_MAPPER {
            let mapper = usize_at(dmem, at + 4).ok_or(bad("FWSEC interface table entry"))?;
            slice(dmem, mapper, MAPPER_SIZE).ok_or(bad("FWSEC DMEM mapper"))?;
            return Ok(mapper);
        }
    }

    Err(bad("no DMEM mapper in the FWSEC interface table"))
}

/// Command buffer contents: a "read VBIOS" block, then the FRTS region for that command.
fn command_words(command: Command) -> Result<([u32; 11], usize), RomError> {
    const READ_VBIOS: [u32; 6] = [1, 0x18, 0, 0, 0, 2];
    const FRTS_VERSION: u32 = 1;
    const FRTS_SIZE: u32 = 0x14;
    const FRTS_MEDIA_FB: u32 = 2;

    let mut words = [0; 11];
    words[..6].copy_from_slice(&READ_VBIOS);
    match command {
        Command::Sb => Ok((words, 6)),
        Command::Frts { addr, size } => {
            let page = |bytes: u64| u32::try_from(bytes >> 12).map_err(|_| bad("FRTS region"));
            words[6..].copy_from_slice(&[
                FRTS_VERSION,
                FRTS_SIZE,
                page(addr)?,
                page(size)?,
                FRTS_MEDIA_FB,
            ]);
            Ok((words, 11))
        }
    }
}

fn patch_command(dmem: &mut [u8], interface: usize, command: Command) -> Result<(), RomError> {
    let mapper = dmem_mapper(dmem, interface)?;
    let init_cmd = match command {
        Command::Frts { .. } => INIT_CMD_FRTS,
        Command::Sb => INIT_CMD_SB,
    };
    let buffer =
        usize_at(dmem, mapper + MAPPER_CMD_IN_OFFSET).ok_or(bad("FWSEC command buffer"))?;
    let buffer_size =
        usize_at(dmem, mapper + MAPPER_CMD_IN_SIZE).ok_or(bad("FWSEC command buffer"))?;
    let (words, count) = command_words(command)?;
    if buffer_size < count * 4 {
        return Err(bad("FWSEC command buffer size"));
    }

    put(dmem, mapper + MAPPER_INIT_CMD, &init_cmd.to_le_bytes()).ok_or(bad("FWSEC DMEM mapper"))?;
    for (i, word) in words[..count].iter().enumerate() {
        let at = buffer
            .checked_add(i * 4)
            .ok_or(bad("FWSEC command buffer"))?;
        put(dmem, at, &word.to_le_bytes()).ok_or(bad("FWSEC command buffer"))?;
    }
    Ok(())
}
