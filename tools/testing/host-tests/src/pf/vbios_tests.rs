// SPDX-License-Identifier: GPL-2.0

//! The VBIOS parsers together, on a ROM built here and on broken copies of it.
//!
//! ```text
//!  0x000 PC-AT image: BIT at 0x100, token 'p' -> 0x200: table pointer
//!  0x400 FWSEC image: table at +0x100, descriptor at +0x140, signatures, ucode
//! ```

use proptest::prelude::*;

use super::vbios::{
    bit,
    fwsec::{Command, Fwsec, SIGNATURE_SIZE},
    rom::{self, RomError},
};

const PCAT: usize = 0x400;
const TABLE: usize = 0x100;
const DESC: usize = 0x140;
const SIGNATURES: usize = 2;
const IMEM: usize = 0x100;
const DMEM: usize = 0x800;
const INTERFACE: usize = 0x40;
const MAPPER: usize = 0x80;
const COMMAND: usize = 0x100;
const PKC: usize = 0x400;

fn put(data: &mut [u8], at: usize, bytes: &[u8]) {
    data[at..at + bytes.len()].copy_from_slice(bytes);
}

fn word(data: &mut [u8], at: usize, value: usize) {
    put(data, at, &(value as u32).to_le_bytes());
}

fn image(len: usize, code_type: u8, last: bool) -> Vec<u8> {
    let mut data = vec![0; len];
    put(&mut data, 0, &[0x55, 0xaa]);
    data[0x18] = 0x40;
    put(&mut data, 0x40, b"PCIR");
    data[0x4a] = 0x18;
    put(&mut data, 0x50, &((len / 512) as u16).to_le_bytes());
    data[0x54] = code_type;
    data[0x55] = if last { 0x80 } else { 0 };
    data
}

fn vbios() -> Vec<u8> {
    let mut pcat = image(PCAT, 0, false);
    put(&mut pcat, 0x100, b"\xff\xb8BIT\0\0\x01\x0c\x06\x01");
    pcat[0x10b] = pcat[0x100..0x10b]
        .iter()
        .fold(0u8, |s, b| s.wrapping_sub(*b));
    put(&mut pcat, 0x10c, &[b'p', 2, 4, 0, 0, 2]);
    word(&mut pcat, 0x200, PCAT + TABLE);

    let total = 44 + SIGNATURES * SIGNATURE_SIZE;
    let mut fwsec = image(0x1000, 0xe0, true);
    put(&mut fwsec, TABLE, &[1, 6, 6, 2, 3, 0]);
    put(&mut fwsec, TABLE + 6, &[0x45, 0, 0, 0, 0, 0]);
    put(&mut fwsec, TABLE + 12, &[0x85, 0]);
    word(&mut fwsec, TABLE + 14, PCAT + DESC);
    word(&mut fwsec, DESC, total << 16 | 3 << 8 | 1);
    word(&mut fwsec, DESC + 0x04, IMEM + DMEM);
    word(&mut fwsec, DESC + 0x08, PKC);
    word(&mut fwsec, DESC + 0x0c, INTERFACE);
    word(&mut fwsec, DESC + 0x14, IMEM);
    word(&mut fwsec, DESC + 0x20, DMEM);
    put(
        &mut fwsec,
        DESC + 0x24,
        &[0x00, 0x04, 9, SIGNATURES as u8, 0x05, 0],
    );
    for i in 0..SIGNATURES {
        let at = DESC + 44 + i * SIGNATURE_SIZE;
        fwsec[at..at + SIGNATURE_SIZE].fill(0xa0 + i as u8);
    }
    let dmem = DESC + total + IMEM;
    put(&mut fwsec, dmem + INTERFACE, &[1, 4, 8, 2]);
    word(&mut fwsec, dmem + INTERFACE + 4, 1);
    word(&mut fwsec, dmem + INTERFACE + 12, 4);
    word(&mut fwsec, dmem + INTERFACE + 16, MAPPER);
    put(&mut fwsec, dmem + MAPPER, b"DMAP");
    word(&mut fwsec, dmem + MAPPER + 0x08, COMMAND);
    word(&mut fwsec, dmem + MAPPER + 0x0c, 0x40);

    pcat.extend(fwsec);
    pcat
}

fn find(rom: &[u8]) -> Result<Fwsec<'_>, RomError> {
    let chain = rom::chain(rom)?;
    let pcat = rom
        .get(chain.pcat.start..chain.pcat.end())
        .ok_or(RomError::Invalid("PC-AT image"))?;

    Fwsec::find(rom, &chain, bit::falcon_ucode_table_pointer(pcat)?)
}

#[test]
fn frts_command_is_where_fwsec_reads_it() {
    let rom = vbios();
    let fwsec = find(&rom).unwrap();
    let mut ucode = fwsec.ucode.to_vec();
    let command = Command::Frts {
        addr: 0xb_ffe0_0000,
        size: 0x10_0000,
    };
    let signature = fwsec.signature(0).unwrap();
    fwsec.patch(&mut ucode, command, signature).unwrap();

    let dmem = &ucode[IMEM..];
    let words = |at: usize, n: usize| -> Vec<u32> {
        dmem[at..at + 4 * n]
            .chunks(4)
            .map(|w| u32::from_le_bytes(w.try_into().unwrap()))
            .collect()
    };
    assert_eq!(words(MAPPER + 0x2c, 1), [0x15]);
    assert_eq!(
        words(COMMAND, 11),
        [1, 0x18, 0, 0, 0, 2, 1, 0x14, 0xb_ffe00, 0x100, 2]
    );
    assert!(dmem[PKC..PKC + SIGNATURE_SIZE].iter().all(|b| *b == 0xa0));
}

#[test]
fn sb_command_has_no_frts_part() {
    let rom = vbios();
    let fwsec = find(&rom).unwrap();
    let mut ucode = fwsec.ucode.to_vec();
    let signature = fwsec.signature(0).unwrap();
    fwsec.patch(&mut ucode, Command::Sb, signature).unwrap();

    let dmem = &ucode[IMEM..];
    assert_eq!(dmem[MAPPER + 0x2c], 0x19);
    assert!(dmem[COMMAND + 0x18..COMMAND + 0x2c].iter().all(|b| *b == 0));
}

#[test]
fn signature_follows_the_fuse_version() {
    // Versions 0 and 2 are there.
    let rom = vbios();
    let fwsec = find(&rom).unwrap();
    assert_eq!(fwsec.signature(0).unwrap()[0], 0xa0);
    assert!(fwsec.signature(1).is_err());
    assert_eq!(fwsec.signature(2).unwrap()[0], 0xa1);
    assert!(fwsec.signature(3).is_err());
    assert!(fwsec.signature(32).is_err());
}

#[test]
fn each_broken_field_is_named() {
    let broken = |at: usize, value: u8| {
        let mut rom = vbios();
        rom[at] = value;
        match find(&rom) {
            Ok(_) => panic!("accepted"),
            Err(RomError::Invalid(field)) => field,
            Err(RomError::Short { .. }) => "short",
        }
    };
    let fwsec = PCAT;
    assert_eq!(broken(0x203, 0xff), "falcon ucode table pointer");
    assert_eq!(broken(fwsec + TABLE, 2), "falcon ucode table header");
    assert_eq!(
        broken(fwsec + TABLE + 12, 0x84),
        "no FWSEC entry in the falcon ucode table"
    );
    assert_eq!(broken(fwsec + TABLE + 17, 1), "FWSEC descriptor pointer");
    assert_eq!(broken(fwsec + DESC + 1, 2), "FWSEC descriptor version");
    assert_eq!(broken(fwsec + DESC + 3, 0), "FWSEC descriptor size");
    assert_eq!(broken(fwsec + DESC + 0x14, 1), "FWSEC IMEM or DMEM size");
    assert_eq!(broken(fwsec + DESC + 0x21, 0xff), "FWSEC ucode");
}

proptest! {
    /// Whatever is broken, the answer is an error or a result, never a panic.
    #[test]
    fn broken_roms_do_not_panic(edits in prop::collection::vec((0usize..0x1400, any::<u8>()), 1..8)) {
        let mut rom = vbios();
        for (at, value) in edits {
            rom[at] = value;
        }
        if let Ok(fwsec) = find(&rom) {
            let mut ucode = fwsec.ucode.to_vec();
            if let Ok(signature) = fwsec.signature(0) {
                let _ = fwsec.patch(&mut ucode, Command::Sb, signature);
            }
        }
    }

    #[test]
    fn noise_does_not_panic(rom in prop::collection::vec(any::<u8>(), 0..4096)) {
        let _ = find(&rom);
    }

    /// Every request for more bytes is a request for more than there are.
    #[test]
    fn short_asks_for_more(len in 0usize..0x1400) {
        let rom = vbios();
        if let Err(RomError::Short { from, need }) = rom::chain(&rom[..len]) {
            prop_assert!(need > len && from < need);
        }
    }
}
