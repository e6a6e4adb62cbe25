// SPDX-License-Identifier: GPL-2.0

//! The parsers of firmware files, on files built here and on broken copies of them.

use proptest::prelude::*;

use super::firmware::{
    container::{Bootloader, Hs, SIGNATURE_SIZE},
    elf::{Elf, FWIMAGE, FWSIGNATURE_AD10X, FWVERSION},
};

fn put(data: &mut [u8], at: usize, words: &[u32]) {
    for (i, word) in words.iter().enumerate() {
        data[at + 4 * i..at + 4 * i + 4].copy_from_slice(&word.to_le_bytes());
    }
}

/// A file like the published scrubber: two signatures, code at 0x100, data at 0x300.
fn scrubber() -> Vec<u8> {
    let mut file = vec![0; 0x378 + 0x600];
    put(&mut file, 0, &[0x10de, 1, 0xa00, 0x18, 0x378, 0x600]);
    put(
        &mut file,
        0x18,
        &[0x3c, 0x300, 0x33c, 0x340, 0x344, 12, 0x350, 0x354, 0x24],
    );
    file[0x3c..0x1bc].fill(0xb0);
    file[0x1bc..0x33c].fill(0xb1);
    put(&mut file, 0x33c, &[0x300, 0, 1, 1, 0xd, 2]);
    put(
        &mut file,
        0x354,
        &[0, 0x100, 0x300, 0x300, 1, 0x100, 0x200, 0, 0],
    );
    file
}

fn bootloader() -> Vec<u8> {
    let mut file = vec![0; 0x6c + 0x900];
    put(&mut file, 0, &[0x10de, 1, 0xa00, 0x18, 0x6c, 0x900]);
    put(
        &mut file,
        0x18,
        &[
            5, 0x800, 0x80, 0x880, 0x10, 0, 0, 7, 0, 0x100, 0x100, 0x200, 0x300, 0x500, 1,
        ],
    );
    file
}

fn elf() -> Vec<u8> {
    let names = b"\0.fwimage\0.fwversion\0.fwsignature_ad10x\0.shstrtab\0";
    let sections: [(usize, &[u8]); 5] = [
        (0, b""),
        (1, &[0x11; 64]),
        (10, b"570.144\0"),
        (21, &[0x22; 32]),
        (40, names),
    ];
    let mut file = vec![0; 64];
    let mut headers = Vec::new();
    for (name, data) in sections {
        let mut header = [0u8; 64];
        header[..4].copy_from_slice(&(name as u32).to_le_bytes());
        header[0x18..0x20].copy_from_slice(&(file.len() as u64).to_le_bytes());
        header[0x20..0x28].copy_from_slice(&(data.len() as u64).to_le_bytes());
        headers.extend(header);
        file.extend(data);
    }
    let offset = file.len() as u64;
    file.extend(headers);
    file[..6].copy_from_slice(b"\x7fELF\x02\x01");
    file[0x28..0x30].copy_from_slice(&offset.to_le_bytes());
    file[0x3a] = 64;
    file[0x3c] = 5;
    file[0x3e] = 4;
    file
}

#[test]
fn scrubber_is_loaded_as_published() {
    let file = scrubber();
    let hs = Hs::parse(&file).unwrap();
    assert_eq!((hs.code.offset, hs.code.size), (0x100, 0x200));
    assert_eq!((hs.dmem.offset, hs.dmem.size), (0x300, 0x300));
    assert_eq!(hs.pkc_data_offset(), 0);
    assert_eq!((hs.engine_id_mask, hs.ucode_id), (1, 0xd));
    assert_eq!(hs.data.len(), 0x600);
}

#[test]
fn signature_follows_the_fuse_version() {
    let file = scrubber();
    let hs = Hs::parse(&file).unwrap();
    assert_eq!(hs.signature(0).unwrap(), [0xb1; SIGNATURE_SIZE]);
    assert_eq!(hs.signature(1).unwrap(), [0xb0; SIGNATURE_SIZE]);
    assert!(hs.signature(2).is_err());
}

#[test]
fn each_broken_field_of_an_image_is_named() {
    let broken = |at: usize, value: u32| {
        let mut file = scrubber();
        put(&mut file, at, &[value]);
        Hs::parse(&file).unwrap_err().0
    };
    assert_eq!(broken(0x00, 0x10df), "file magic");
    assert_eq!(broken(0x04, 2), "file version");
    assert_eq!(broken(0x10, 0x379), "data offset or size");
    assert_eq!(broken(0x14, u32::MAX), "data offset or size");
    assert_eq!(broken(0x0c, u32::MAX), "header offset");
    assert_eq!(broken(0x18, u32::MAX), "signature block");
    assert_eq!(broken(0x350, 3), "signature count");
    assert_eq!(broken(0x350, 0), "signature count");
    assert_eq!(broken(0x340, 0x301), "patch signature");
    assert_eq!(broken(0x33c, 0x2ff), "patch location");
    assert_eq!(broken(0x33c, 0x481), "patch location");
    assert_eq!(broken(0x348, 0x1_0000), "engine id mask");
    assert_eq!(broken(0x34c, 0x100), "ucode id");
    assert_eq!(broken(0x364, 0), "application count");
    assert_eq!(broken(0x368, 0x101), "code offset or size");
    assert_eq!(broken(0x36c, 0x600), "code offset or size");
    assert_eq!(broken(0x35c, 0x400), "data offset or size");
    assert_eq!(broken(0x38, 8), "load header");
}

#[test]
fn bootloader_parts_are_inside() {
    let file = bootloader();
    let loader = Bootloader::parse(&file).unwrap();
    assert_eq!(loader.app_version, 7);
    assert_eq!(
        (
            loader.manifest_offset,
            loader.data_offset,
            loader.code_offset
        ),
        (0, 0x100, 0x300)
    );

    let mut file = bootloader();
    put(&mut file, 0x18 + 12 * 4, &[0x901]);
    assert_eq!(
        Bootloader::parse(&file).unwrap_err().0,
        "monitor code offset or size"
    );
}

#[test]
fn sections_are_found_by_their_whole_name() {
    let file = elf();
    let elf = Elf::parse(&file).unwrap();
    assert_eq!(elf.section(FWIMAGE).unwrap(), [0x11; 64]);
    assert_eq!(elf.section(FWVERSION).unwrap(), b"570.144\0");
    assert_eq!(file[elf.range(FWIMAGE).unwrap()], [0x11; 64]);
    assert_eq!(elf.section(FWSIGNATURE_AD10X).unwrap(), [0x22; 32]);
    assert_eq!(elf.section(".fwimag").unwrap_err().0, ".fwimag");
}

proptest! {
    #[test]
    fn broken_images_do_not_panic(
        edits in prop::collection::vec((0usize..0x378, any::<u8>()), 1..8),
        fuse in 0u32..40,
    ) {
        let mut file = scrubber();
        for (at, value) in edits {
            file[at] = value;
        }
        if let Ok(hs) = Hs::parse(&file) {
            prop_assert!(hs.patch_location + SIGNATURE_SIZE <= hs.data.len());
            let _ = hs.signature(fuse);
        }
        let _ = Bootloader::parse(&file);
    }

    #[test]
    fn broken_elf_files_do_not_panic(
        edits in prop::collection::vec((0usize..600, any::<u8>()), 1..8),
        len in 0usize..600,
    ) {
        let mut file = elf();
        for (at, value) in edits {
            if let Some(byte) = file.get_mut(at) {
                *byte = value;
            }
        }
        file.truncate(len);
        if let Ok(elf) = Elf::parse(&file) {
            for name in [FWIMAGE, FWVERSION, FWSIGNATURE_AD10X] {
                let _ = elf.section(name);
            }
        }
    }
}
