// SPDX-License-Identifier: GPL-2.0

//! A synthesised VBIOS image and the FWSEC microcode in it.
//!
//! ```text
//! ROM   +0x000  PC-AT image     BIT table -> 'p' token -> pointer to the ucode table
//!       +0x400  EFI image       not counted by the pointers
//!       +0x600  FWSEC image     ucode table: entry 0x85 -> descriptor
//!       +0xa00  FWSEC image     descriptor V3, signatures, IMEM, DMEM    (last)
//! DMEM  +0x040  interface table (entry 4 -> mapper)
//!       +0x080  DMEM mapper     (command buffer, init command)
//!       +0x100  command buffer
//!       +0x200  signature slot
//! ```
//!
//! The layout follows what open-source parsers require of a board's ROM: PCI
//! firmware specification images with NVIDIA's NPDE extension, the BIT table,
//! the PMU lookup table and descriptor V3 (OGKM 570.144,
//! kernel_gsp_vbios_tu102.c and kernel_gsp_fwsec.c). Code and signatures are
//! arbitrary bytes; the model compares what a driver uploads with them.

use crate::bytes::{put, put_u16, put_u32};
use std::ops::Range;

/// Length of an RSA-3072 signature.
pub const SIGNATURE_LEN: usize = 384;

const PCAT_LEN: usize = 0x400;
const EFI_LEN: usize = 0x200;
const TABLE_LEN: usize = 0x400;
const IMEM_LEN: usize = 0x1000;
const DMEM_LEN: usize = 0x500;
const SIGNATURES: usize = 2;

const CODE_PCAT: u8 = 0x00;
const CODE_EFI: u8 = 0x03;
const CODE_FWSEC: u8 = 0xe0;

/// Where things are in a ROM image.
const PCIR: usize = 0x40;
const NPDE: usize = 0x60;
const BIT: usize = 0x100;
const BIT_TOKENS: usize = 2;
const TOKEN_DATA: usize = 0x180;
const TABLE: usize = 0x100;
const DESCRIPTOR: usize = 0x100;
const DESCRIPTOR_LEN: usize = 44;

/// FWSEC ucode ID: selects one of the GSP fuse registers.
pub const FWSEC_UCODE_ID: u8 = 9;
/// FWSEC runs on the GSP.
pub const FWSEC_ENGINE_MASK: u32 = 0x400;

const INTERFACE: usize = 0x40;
const MAPPER: usize = 0x80;
const COMMAND: usize = 0x100;
const COMMAND_LEN: usize = 0x40;
const SIGNATURE_SLOT: usize = 0x200;
/// Init command, inside the DMEM mapper.
const MAPPER_INIT_COMMAND: usize = 0x2c;

/// The FWSEC microcode of a board, as its ROM holds it.
#[derive(Debug, Clone)]
pub struct Fwsec {
    /// Code, loaded to IMEM 0.
    pub imem: Vec<u8>,
    /// Data, loaded to DMEM 0.
    pub dmem: Vec<u8>,
    /// One signature per fuse version.
    pub signatures: Vec<Vec<u8>>,
    /// DMEM offset of the signature slot.
    pub signature_slot: usize,
    /// DMEM offset of the init command word.
    pub init_command: usize,
    /// DMEM range of the command buffer.
    pub command: Range<usize>,
}

/// A board's ROM.
#[derive(Debug, Clone)]
pub struct Vbios {
    /// The image, as the PROM window shows it.
    pub rom: Vec<u8>,
    /// The microcode in it.
    pub fwsec: Fwsec,
}

/// Arbitrary but repeatable bytes (xorshift).
fn filler(seed: u32, len: usize) -> Vec<u8> {
    let mut x = seed | 1;
    (0..len)
        .map(|_| {
            x ^= x << 13;
            x ^= x >> 17;
            x ^= x << 5;
            (x >> 11) as u8
        })
        .collect()
}

/// ROM header, PCIR and NPDE of one image.
fn image(len: usize, code: u8, last: bool, device_id: u16) -> Vec<u8> {
    let mut b = vec![0u8; len];
    let blocks = (len / 512) as u16;
    let last = if last { 0x80 } else { 0 };
    put_u16(&mut b, 0, 0xaa55);
    b[2] = blocks as u8;
    put_u16(&mut b, 0x18, PCIR as u16);
    put(&mut b, PCIR, b"PCIR");
    put_u16(&mut b, PCIR + 4, 0x10de);
    put_u16(&mut b, PCIR + 6, device_id);
    put_u16(&mut b, PCIR + 0x0a, 0x18);
    b[PCIR + 0x0f] = 0x03;
    put_u16(&mut b, PCIR + 0x10, blocks);
    b[PCIR + 0x14] = code;
    b[PCIR + 0x15] = last;
    put(&mut b, NPDE, b"NPDE");
    put_u16(&mut b, NPDE + 4, 0x100);
    put_u16(&mut b, NPDE + 6, 0x0c);
    put_u16(&mut b, NPDE + 8, blocks);
    b[NPDE + 0x0a] = last;
    b
}

/// PC-AT image: BIT table whose 'p' token points at the ucode table.
fn pcat(device_id: u16) -> Vec<u8> {
    let mut b = image(PCAT_LEN, CODE_PCAT, false, device_id);
    put_u16(&mut b, BIT, 0xb8ff);
    put(&mut b, BIT + 2, b"BIT\0");
    put_u16(&mut b, BIT + 6, 0x0100);
    b[BIT + 8] = 12;
    b[BIT + 9] = 6;
    b[BIT + 10] = BIT_TOKENS as u8;
    let sum = b[BIT..BIT + 12].iter().fold(0u8, |s, x| s.wrapping_add(*x));
    b[BIT + 11] = sum.wrapping_neg();
    let tokens = BIT + 12;
    for (i, (id, version, size, data)) in
        [(b'i', 2u8, 8u16, TOKEN_DATA + 4), (b'p', 2, 4, TOKEN_DATA)]
            .into_iter()
            .enumerate()
    {
        let t = tokens + i * 6;
        b[t] = id;
        b[t + 1] = version;
        put_u16(&mut b, t + 2, size);
        put_u16(&mut b, t + 4, data as u16);
    }
    // Pointers count from the PC-AT image with the FWSEC images right behind it.
    put_u32(&mut b, TOKEN_DATA, (PCAT_LEN + TABLE) as u32);
    // VBIOS version 95.02.xx.yy.zz.
    put(&mut b, TOKEN_DATA + 4, &[0x01, 0x00, 0x02, 0x95, 0x01]);
    let sum = b.iter().fold(0u8, |s, x| s.wrapping_add(*x));
    b[PCAT_LEN - 1] = sum.wrapping_neg();
    b
}

/// First FWSEC image: the ucode table.
fn table(device_id: u16) -> Vec<u8> {
    let mut b = image(TABLE_LEN, CODE_FWSEC, false, device_id);
    put(&mut b, TABLE, &[1, 6, 6, 2, 3, DESCRIPTOR_LEN as u8]);
    // An entry for another application comes first.
    put(&mut b, TABLE + 6, &[0x07, 0x01, 0, 0, 0, 0]);
    put(&mut b, TABLE + 12, &[0x85, 0x07]);
    put_u32(
        &mut b,
        TABLE + 14,
        (PCAT_LEN + TABLE_LEN + DESCRIPTOR) as u32,
    );
    b
}

/// Data segment of FWSEC: interface table, mapper, buffers.
fn dmem() -> Vec<u8> {
    let mut d = filler(0x0d3e, DMEM_LEN);
    put(&mut d, INTERFACE, &[1, 4, 8, 2]);
    put_u32(&mut d, INTERFACE + 4, 1);
    put_u32(&mut d, INTERFACE + 8, 0x4c0);
    put_u32(&mut d, INTERFACE + 12, 4);
    put_u32(&mut d, INTERFACE + 16, MAPPER as u32);
    d[MAPPER..MAPPER + 0x40].fill(0);
    put(&mut d, MAPPER, b"DMAP");
    put_u16(&mut d, MAPPER + 4, 3);
    put_u16(&mut d, MAPPER + 6, 0x40);
    put_u32(&mut d, MAPPER + 8, COMMAND as u32);
    put_u32(&mut d, MAPPER + 0x0c, COMMAND_LEN as u32);
    put_u32(&mut d, MAPPER + 0x10, 0x180);
    put_u32(&mut d, MAPPER + 0x14, 0x40);
    put_u32(&mut d, MAPPER + 0x34, 0x0260_0000);
    d[COMMAND..COMMAND + COMMAND_LEN].fill(0);
    d[SIGNATURE_SLOT..SIGNATURE_SLOT + SIGNATURE_LEN].fill(0);
    d
}

/// Second FWSEC image: descriptor, signatures, code and data.
fn ucode(device_id: u16, fwsec: &Fwsec) -> Vec<u8> {
    let descriptor_size = DESCRIPTOR_LEN + SIGNATURES * SIGNATURE_LEN;
    let used = DESCRIPTOR + descriptor_size + IMEM_LEN + DMEM_LEN;
    let mut b = image(used.next_multiple_of(512), CODE_FWSEC, true, device_id);
    let d = DESCRIPTOR;
    put_u32(&mut b, d, (descriptor_size as u32) << 16 | 3 << 8 | 1);
    put_u32(&mut b, d + 4, (IMEM_LEN + DMEM_LEN) as u32);
    put_u32(&mut b, d + 8, SIGNATURE_SLOT as u32);
    put_u32(&mut b, d + 0x0c, INTERFACE as u32);
    put_u32(&mut b, d + 0x14, IMEM_LEN as u32);
    put_u32(&mut b, d + 0x20, DMEM_LEN as u32);
    put_u16(&mut b, d + 0x24, FWSEC_ENGINE_MASK as u16);
    b[d + 0x26] = FWSEC_UCODE_ID;
    b[d + 0x27] = SIGNATURES as u8;
    put_u16(&mut b, d + 0x28, (1 << SIGNATURES) - 1);
    for (i, s) in fwsec.signatures.iter().enumerate() {
        put(&mut b, d + DESCRIPTOR_LEN + i * SIGNATURE_LEN, s);
    }
    put(&mut b, d + descriptor_size, &fwsec.imem);
    put(&mut b, d + descriptor_size + IMEM_LEN, &fwsec.dmem);
    b
}

impl Vbios {
    /// The ROM of a board with this PCI device id.
    pub fn new(device_id: u16) -> Vbios {
        let fwsec = Fwsec {
            imem: filler(0x1ade, IMEM_LEN),
            dmem: dmem(),
            signatures: (0..SIGNATURES)
                .map(|i| filler(0x5167 + 2 * i as u32, SIGNATURE_LEN))
                .collect(),
            signature_slot: SIGNATURE_SLOT,
            init_command: MAPPER + MAPPER_INIT_COMMAND,
            command: COMMAND..COMMAND + COMMAND_LEN,
        };
        let rom = [
            pcat(device_id),
            image(EFI_LEN, CODE_EFI, false, device_id),
            table(device_id),
            ucode(device_id, &fwsec),
        ]
        .concat();
        Vbios { rom, fwsec }
    }

    /// `size` bytes at `offset` of the PROM window; erased flash behind the image.
    pub fn read(&self, offset: u32, size: u8) -> u64 {
        (0..u32::from(size)).fold(0, |v, i| {
            let byte = self.rom.get((offset + i) as usize).copied().unwrap_or(0xff);
            v | u64::from(byte) << (8 * i)
        })
    }
}

impl Fwsec {
    /// Signature a driver must choose for a fuse register value.
    pub fn signature_for(&self, fuse: u32) -> Option<&[u8]> {
        let version = 32 - (fuse & 0xffff).leading_zeros();
        self.signatures.get(version as usize).map(Vec::as_slice)
    }

    /// Whether uploaded data is this microcode's, apart from what a driver patches.
    pub fn same_data(&self, dmem: &[u8]) -> bool {
        let patched = |i: &usize| {
            self.command.contains(i)
                || (self.init_command..self.init_command + 4).contains(i)
                || (self.signature_slot..self.signature_slot + SIGNATURE_LEN).contains(i)
        };
        dmem.len() >= self.dmem.len()
            && (0..self.dmem.len())
                .filter(|i| !patched(i))
                .all(|i| dmem[i] == self.dmem[i])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bytes::{u16_at, u32_at};

    /// Walks the image chain the way the PCI firmware specification says.
    fn walk(rom: &[u8]) -> Vec<(usize, usize, u8)> {
        let mut out = Vec::new();
        let mut at = 0;
        loop {
            assert_eq!(u16_at(rom, at), Some(0xaa55));
            let pcir = at + usize::from(u16_at(rom, at + 0x18).unwrap());
            assert_eq!(&rom[pcir..pcir + 4], b"PCIR");
            let len = usize::from(u16_at(rom, pcir + 0x10).unwrap()) * 512;
            let npde = (pcir + 0x18).next_multiple_of(16);
            assert_eq!(&rom[npde..npde + 4], b"NPDE");
            assert_eq!(usize::from(u16_at(rom, npde + 8).unwrap()) * 512, len);
            assert_eq!(rom[npde + 0x0a], rom[pcir + 0x15]);
            out.push((at, len, rom[pcir + 0x14]));
            if rom[pcir + 0x15] & 0x80 != 0 {
                return out;
            }
            at += len;
        }
    }

    #[test]
    fn chain_and_checksum() {
        let v = Vbios::new(0x26b1);
        let images = walk(&v.rom);
        let codes: Vec<u8> = images.iter().map(|i| i.2).collect();
        assert_eq!(codes, [0x00, 0x03, 0xe0, 0xe0]);
        let (start, len, _) = *images.last().unwrap();
        assert_eq!(start + len, v.rom.len());
        let sum = v.rom[..images[0].1]
            .iter()
            .fold(0u8, |s, x| s.wrapping_add(*x));
        assert_eq!(sum, 0);
        assert!(!v.rom.windows(5).any(|w| w == b"\xff\x7fNV\0"));
    }

    #[test]
    fn pointers_lead_to_the_microcode() {
        let v = Vbios::new(0x26b5);
        let images = walk(&v.rom);
        let fwsec_base = images.iter().find(|i| i.2 == 0xe0).unwrap().0;
        let relocate = |p: usize| p - images[0].1 + fwsec_base;
        let bit = v
            .rom
            .windows(6)
            .position(|w| w == b"\xff\xb8BIT\0")
            .unwrap();
        let count = usize::from(v.rom[bit + 10]);
        let token = (0..count)
            .map(|i| bit + 12 + 6 * i)
            .find(|t| v.rom[*t] == b'p')
            .unwrap();
        let data = usize::from(u16_at(&v.rom, token + 4).unwrap());
        let table = relocate(u32_at(&v.rom, data).unwrap() as usize);
        assert_eq!(v.rom[table], 1);
        let entry = (0..usize::from(v.rom[table + 3]))
            .map(|i| table + 6 + 6 * i)
            .find(|e| v.rom[*e] == 0x85)
            .unwrap();
        let desc = relocate(u32_at(&v.rom, entry + 2).unwrap() as usize);
        let header = u32_at(&v.rom, desc).unwrap();
        assert_eq!(header & 0xff01, 0x301);
        let code = desc + (header >> 16) as usize;
        let imem = u32_at(&v.rom, desc + 0x14).unwrap() as usize;
        assert_eq!(imem % 256, 0);
        assert_eq!(&v.rom[code..code + imem], &v.fwsec.imem[..]);
        assert!(v.fwsec.same_data(&v.rom[code + imem..]));
        let mut other = v.fwsec.dmem.clone();
        other[0] ^= 1;
        assert!(!v.fwsec.same_data(&other));
    }

    #[test]
    fn window_beyond_the_image_is_erased_flash() {
        let v = Vbios::new(0x26b1);
        assert_eq!(v.read(0, 4) & 0xffff, 0xaa55);
        assert_eq!(v.read(0xf_fffc, 4), 0xffff_ffff);
    }
}
