// SPDX-License-Identifier: GPL-2.0

//! Finds FWSEC in the ROM, by the ROM's own pointers.
//!
//! ```text
//! images: PC-AT .. EFI .. 0xE0, 0xE0
//! PC-AT: BIT -> token 0x70 -> table -> entry 0x85 -> descriptor V3
//! ```

use super::{le16, le32, Driver, Step};

/// FWSEC as parsed from the ROM.
pub struct Fwsec {
    pub imem: Vec<u8>,
    pub dmem: Vec<u8>,
    pub interface: usize,
    pub pkc: usize,
    pub engine: u32,
    pub id: u32,
    pub signatures: Vec<Vec<u8>>,
    pub versions: u16,
}

impl Driver {
    /// Finds FWSEC through the ROM's own pointers.
    pub fn parse_rom(&mut self) -> Step<Fwsec> {
        let mut rom = Vec::new();
        for off in (0..0x10_0000u64).step_by(4) {
            rom.extend(self.r(0x30_0000 + off).to_le_bytes());
            if off > 0x8000 {
                break;
            }
        }
        let (mut at, mut pcat, mut tail) = (0, None, None);
        loop {
            if le16(&rom, at) != 0xaa55 {
                return Err("rom-signature".into());
            }
            let pcir = at + le16(&rom, at + 0x18);
            let npde = (pcir + le16(&rom, pcir + 10)).next_multiple_of(16);
            if &rom[npde..npde + 4] != b"NPDE" {
                return Err("rom-npde".into());
            }
            let len = le16(&rom, npde + 8) * 512;
            match rom[pcir + 0x14] {
                0 => pcat = Some((at, len)),
                0xe0 if tail.is_none() => tail = Some(at),
                _ => {}
            }
            if rom[npde + 10] & 0x80 != 0 {
                break;
            }
            at += len;
        }
        let (pcat, tail) = (pcat.ok_or("rom-pcat")?, tail.ok_or("rom-fwsec")?);
        let bit = rom[pcat.0..pcat.0 + pcat.1]
            .windows(6)
            .position(|w| w == b"\xff\xb8BIT\0")
            .ok_or("rom-bit")?;
        let token = (0..usize::from(rom[bit + 10]))
            .map(|i| bit + usize::from(rom[bit + 8]) + i * usize::from(rom[bit + 9]))
            .find(|t| rom[*t] == 0x70)
            .ok_or("rom-token")?;
        let table = tail + le32(&rom, le16(&rom, token + 4)) as usize - pcat.1;
        let entry = (0..usize::from(rom[table + 3]))
            .map(|i| table + usize::from(rom[table + 1]) + i * usize::from(rom[table + 2]))
            .find(|e| rom[*e] == 0x85)
            .ok_or("rom-entry")?;
        let d = tail + le32(&rom, entry + 2) as usize - pcat.1;
        let header = le32(&rom, d);
        let body = d + (header >> 16) as usize;
        let (imem, dmem) = (le32(&rom, d + 0x14) as usize, le32(&rom, d + 0x20) as usize);
        Ok(Fwsec {
            imem: rom[body..body + imem].to_vec(),
            dmem: rom[body + imem..body + imem + dmem].to_vec(),
            interface: le32(&rom, d + 0x0c) as usize,
            pkc: le32(&rom, d + 8) as usize,
            engine: le16(&rom, d + 0x24) as u32,
            id: u32::from(rom[d + 0x26]),
            signatures: rom[d + 44..body].chunks(384).map(<[u8]>::to_vec).collect(),
            versions: le16(&rom, d + 0x28) as u16,
        })
    }
}
