// SPDX-License-Identifier: GPL-2.0

//! Converts the GSP firmware images of linux-firmware into the files that
//! upstream's nova-core asks for.
//!
//! ```text
//!   gsp-V.bin           ELF64      ->  gsp.tlv + gsp.bin
//!   bootloader-V.bin    0x10de     ->  gsp_bootloader.tlv
//!   booter_load-V.bin   0x10de     ->  booter_load.tlv
//!   booter_unload-V.bin 0x10de     ->  booter_unload.tlv
//! ```
//!
//! Tags and their meaning: linux-7.3 `Documentation/gpu/nova/core/tlv.rst` and
//! `drivers/gpu/nova-core/firmware/`. Image headers: linux-7.3
//! `drivers/gpu/drm/nouveau/include/nvfw/` and OGKM 570.144.

pub mod bytes;
pub mod elf;
pub mod image;
pub mod tlv;

use bytes::FormatError;
use tlv::Tlv;

/// Name of the raw GSP image, as `gsp.tlv` gives it to the driver.
pub const GSP_IMAGE_NAME: &str = "gsp.bin";

/// `gsp.tlv` and the raw image beside it, from the GSP ELF for Ada.
///
/// # Errors
///
/// The ELF is malformed or lacks the image or Ada's signature.
pub fn convert_gsp<'a>(version: &str, elf: &'a [u8]) -> Result<(Tlv, &'a [u8]), FormatError> {
    let sections = elf::Sections::parse(elf)?;
    let image = sections.find(".fwimage")?;
    let size = u32::try_from(image.len()).map_err(|_| FormatError::new("fwimage size", 0))?;
    let mut tlv = Tlv::new(version);
    tlv.integer(b"SIZE", size);
    tlv.bytes(b"FILE", GSP_IMAGE_NAME.as_bytes());
    tlv.bytes(b"SIGN", sections.find(".fwsignature_ad10x")?);
    Ok((tlv, image))
}

/// `gsp_bootloader.tlv`, from the RISC-V bootloader image.
///
/// # Errors
///
/// The header or the descriptor is malformed.
pub fn convert_bootloader(version: &str, file: &[u8]) -> Result<Tlv, FormatError> {
    let image = image::Image::parse(file)?;
    let descriptor = image.bootloader()?;
    let mut tlv = Tlv::new(version);
    tlv.integer(b"CDOF", descriptor.code_offset);
    tlv.integer(b"DAOF", descriptor.data_offset);
    tlv.integer(b"MFOF", descriptor.manifest_offset);
    tlv.integer(b"APPV", descriptor.app_version);
    tlv.bytes(b"BLOB", image.data());
    Ok(tlv)
}

/// `booter_load.tlv` or `booter_unload.tlv`, from a heavy-secured falcon image.
///
/// # Errors
///
/// The header, a descriptor or the signatures are malformed.
pub fn convert_booter(version: &str, file: &[u8]) -> Result<Tlv, FormatError> {
    let image = image::Image::parse(file)?;
    let booter = image.heavy_secure()?;
    let mut tlv = Tlv::new(version);
    tlv.integer(b"DAOF", booter.data_offset);
    tlv.integer(b"DASZ", booter.data_size);
    tlv.integer(b"CDOF", booter.code_offset);
    tlv.integer(b"CDSZ", booter.code_size);
    tlv.integer(b"PLOC", booter.patch_location);
    tlv.integer(b"FUSE", booter.fuse_version);
    tlv.integer(b"ENID", booter.engine_mask);
    tlv.integer(b"UCID", booter.ucode_id);
    tlv.integer(b"A0CO", booter.app_offset);
    tlv.integer(b"A0CS", booter.app_size);
    tlv.integer(b"NSIG", booter.signature_count);
    tlv.bytes(b"SIGN", booter.signatures);
    tlv.bytes(b"BLOB", image.data());
    Ok(tlv)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tags and values of a TLV file.
    fn blocks(file: &[u8]) -> Vec<(String, Vec<u8>)> {
        assert_eq!(&file[..4], b"NVFW");
        let mut at = 4;
        let mut blocks = Vec::new();
        while at < file.len() {
            let tag = String::from_utf8(file[at..at + 4].to_vec()).unwrap();
            let length = bytes::le32(file, at + 4, "length").unwrap() as usize;
            blocks.push((tag, file[at + 8..at + 8 + length].to_vec()));
            at += 8 + length.next_multiple_of(4);
        }
        assert_eq!(at, file.len());
        blocks
    }

    fn value(blocks: &[(String, Vec<u8>)], tag: &str) -> Vec<u8> {
        blocks.iter().find(|(t, _)| t == tag).unwrap().1.clone()
    }

    #[test]
    fn the_gsp_image_is_split() {
        let elf = elf::tests::build(&[
            (".fwimage", &[7; 0x40]),
            (".fwsignature_ga10x", b"other"),
            (".fwsignature_ad10x", b"ada!!"),
        ]);
        let (tlv, image) = convert_gsp("570.144", &elf).unwrap();
        let blocks = blocks(&tlv.into_bytes());
        assert_eq!(image, [7; 0x40]);
        assert_eq!(value(&blocks, "VERS"), b"570.144");
        assert_eq!(value(&blocks, "SIZE"), 0x40_u32.to_le_bytes());
        assert_eq!(value(&blocks, "FILE"), b"gsp.bin");
        assert_eq!(value(&blocks, "SIGN"), b"ada!!");
    }

    #[test]
    fn a_gsp_image_without_the_signature_is_refused() {
        let elf = elf::tests::build(&[(".fwimage", &[7; 0x40])]);
        let error = convert_gsp("570.144", &elf).unwrap_err();
        assert_eq!(error.field, ".fwsignature_ad10x");
    }

    #[test]
    fn a_booter_has_every_tag() {
        let file = image::tests::booter();
        let blocks = blocks(&convert_booter("570.144", &file).unwrap().into_bytes());
        let tags: Vec<_> = blocks.iter().map(|(tag, _)| tag.as_str()).collect();
        assert_eq!(
            tags,
            [
                "VERS", "DAOF", "DASZ", "CDOF", "CDSZ", "PLOC", "FUSE", "ENID", "UCID", "A0CO",
                "A0CS", "NSIG", "SIGN", "BLOB"
            ]
        );
        assert_eq!(value(&blocks, "PLOC"), 0x310_u32.to_le_bytes());
        assert_eq!(value(&blocks, "BLOB").len(), 0x400);
        assert_eq!(value(&blocks, "SIGN"), [0x5a; 64]);
    }

    #[test]
    fn a_bootloader_has_every_tag() {
        let file = image::tests::bootloader();
        let blocks = blocks(&convert_bootloader("570.144", &file).unwrap().into_bytes());
        assert_eq!(value(&blocks, "CDOF"), 0x60_u32.to_le_bytes());
        assert_eq!(value(&blocks, "DAOF"), 0x40_u32.to_le_bytes());
        assert_eq!(value(&blocks, "MFOF"), 0x20_u32.to_le_bytes());
        assert_eq!(value(&blocks, "APPV"), 9_u32.to_le_bytes());
    }
}
