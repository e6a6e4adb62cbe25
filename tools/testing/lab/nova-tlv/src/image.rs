// SPDX-License-Identifier: GPL-2.0

//! The header with vendor magic around falcon and RISC-V boot images.
//!
//! ```text
//!   0x00  magic 0x10de, version 1, total size, header offset, data offset, data size
//!   header offset -> heavy-secure header (9 words)    or  bootloader descriptor (21 words)
//!                      |- meta: fuse version, engine mask, ucode id
//!                      |- load header: code, data, app 0
//!                      '- signatures
//!   data offset   -> the image itself
//! ```
//!
//! Layouts: linux-7.3 `drivers/gpu/drm/nouveau/include/nvfw/{fw,hs}.h` and the
//! bootloader's `RM_RISCV_UCODE_DESC` in OGKM 570.144.

use crate::bytes::{le32, slice, FormatError};

const MAGIC: u32 = 0x10de;
const VERSION: u32 = 1;
const HEADER_OFFSET: usize = 0x0c;
const DATA_OFFSET: usize = 0x10;
const DATA_SIZE: usize = 0x14;

const WORD: usize = 4;
// Words of the heavy-secure header.
const HS_SIGNATURES_OFFSET: usize = 0;
const HS_SIGNATURES_SIZE: usize = 1;
const HS_PATCH_LOCATION_POINTER: usize = 2;
const HS_META_OFFSET: usize = 4;
const HS_COUNT_POINTER: usize = 6;
const HS_LOAD_OFFSET: usize = 7;
// Words of the load header; app 0 follows the five fixed ones.
const LOAD_CODE_OFFSET: usize = 0;
const LOAD_CODE_SIZE: usize = 1;
const LOAD_DATA_OFFSET: usize = 2;
const LOAD_DATA_SIZE: usize = 3;
const LOAD_APP_COUNT: usize = 4;
const LOAD_APP0_OFFSET: usize = 5;
const LOAD_APP0_SIZE: usize = 6;
// Words of the bootloader descriptor.
const BL_APP_VERSION: usize = 7;
const BL_MANIFEST_OFFSET: usize = 8;
const BL_DATA_OFFSET: usize = 10;
const BL_CODE_OFFSET: usize = 12;

/// An image and its header.
pub struct Image<'a> {
    file: &'a [u8],
    header: usize,
    data: &'a [u8],
}

/// Offsets inside the RISC-V bootloader image, in bytes.
#[derive(Debug, PartialEq, Eq)]
pub struct Bootloader {
    pub code_offset: u32,
    pub data_offset: u32,
    pub manifest_offset: u32,
    pub app_version: u32,
}

/// What loads and authenticates a heavy-secured falcon image; offsets and sizes
/// are bytes inside the image.
#[derive(Debug, PartialEq, Eq)]
pub struct HeavySecure<'a> {
    pub code_offset: u32,
    pub code_size: u32,
    pub data_offset: u32,
    pub data_size: u32,
    pub app_offset: u32,
    pub app_size: u32,
    pub patch_location: u32,
    pub fuse_version: u32,
    pub engine_mask: u32,
    pub ucode_id: u32,
    pub signature_count: u32,
    pub signatures: &'a [u8],
}

impl<'a> Image<'a> {
    /// Reads the outer header. Its "total size" is rounded up beyond the file
    /// and says nothing.
    ///
    /// # Errors
    ///
    /// Wrong magic or version, or the image leaves the file or is empty.
    pub fn parse(file: &'a [u8]) -> Result<Self, FormatError> {
        if le32(file, 0, "magic")? != MAGIC {
            return Err(FormatError::new("magic", 0));
        }
        if le32(file, WORD, "header version")? != VERSION {
            return Err(FormatError::new("header version", WORD));
        }
        let header = le32(file, HEADER_OFFSET, "header offset")? as usize;
        let offset = le32(file, DATA_OFFSET, "data offset")? as usize;
        let size = le32(file, DATA_SIZE, "data size")? as usize;
        if size == 0 {
            return Err(FormatError::new("data size", DATA_SIZE));
        }
        let data = slice(file, offset, size, "data")?;
        Ok(Self { file, header, data })
    }

    /// The image itself.
    pub fn data(&self) -> &'a [u8] {
        self.data
    }

    fn word(&self, base: usize, index: usize, field: &str) -> Result<u32, FormatError> {
        le32(self.file, base.saturating_add(index * WORD), field)
    }

    /// Refuses a range that leaves the image.
    fn inside(&self, offset: u32, size: u32, field: &str) -> Result<(), FormatError> {
        slice(self.data, offset as usize, size as usize, field).map(|_| ())
    }

    /// The descriptor of a bootloader image.
    ///
    /// # Errors
    ///
    /// It leaves the file, or names a place outside the image.
    pub fn bootloader(&self) -> Result<Bootloader, FormatError> {
        let word = |index, field| {
            let offset = self.word(self.header, index, field)?;
            self.inside(offset, 1, field)?;
            Ok(offset)
        };
        Ok(Bootloader {
            code_offset: word(BL_CODE_OFFSET, "monitor code offset")?,
            data_offset: word(BL_DATA_OFFSET, "monitor data offset")?,
            manifest_offset: word(BL_MANIFEST_OFFSET, "manifest offset")?,
            app_version: self.word(self.header, BL_APP_VERSION, "app version")?,
        })
    }

    /// The headers of a heavy-secured falcon image.
    ///
    /// # Errors
    ///
    /// One of them leaves the file, names a place outside the image, or the
    /// signatures do not divide evenly.
    pub fn heavy_secure(&self) -> Result<HeavySecure<'a>, FormatError> {
        let hs = |index, field| self.word(self.header, index, field);
        let pointed = |index, field| {
            let at = hs(index, field)? as usize;
            le32(self.file, at, field)
        };

        let patch_location = pointed(HS_PATCH_LOCATION_POINTER, "patch location")?;
        let signature_count = pointed(HS_COUNT_POINTER, "signature count")?;
        let at = hs(HS_SIGNATURES_OFFSET, "signatures offset")? as usize;
        let size = hs(HS_SIGNATURES_SIZE, "signatures size")?;
        let signatures = slice(self.file, at, size as usize, "signatures")?;
        let each = size
            .checked_div(signature_count)
            .filter(|each| *each != 0 && each * signature_count == size)
            .ok_or_else(|| FormatError::new("signature count", at))?;
        self.inside(patch_location, each, "patch location")?;

        let meta = hs(HS_META_OFFSET, "meta offset")? as usize;
        let load = hs(HS_LOAD_OFFSET, "load header offset")? as usize;
        if self.word(load, LOAD_APP_COUNT, "app count")? == 0 {
            return Err(FormatError::new("app count", load + LOAD_APP_COUNT * WORD));
        }
        let range = |offset, size, field| {
            let offset = self.word(load, offset, field)?;
            let size = self.word(load, size, field)?;
            self.inside(offset, size, field)?;
            Ok((offset, size))
        };
        let (code_offset, code_size) = range(LOAD_CODE_OFFSET, LOAD_CODE_SIZE, "os code")?;
        let (data_offset, data_size) = range(LOAD_DATA_OFFSET, LOAD_DATA_SIZE, "os data")?;
        let (app_offset, app_size) = range(LOAD_APP0_OFFSET, LOAD_APP0_SIZE, "app 0")?;
        Ok(HeavySecure {
            code_offset,
            code_size,
            data_offset,
            data_size,
            app_offset,
            app_size,
            patch_location,
            fuse_version: self.word(meta, 0, "fuse version")?,
            engine_mask: self.word(meta, 1, "engine mask")?,
            ucode_id: self.word(meta, 2, "ucode id")?,
            signature_count,
            signatures,
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    const HEADER: usize = 0x18;
    const META: usize = 0x50;
    const LOAD: usize = 0x60;
    const POINTED_PATCH: usize = 0x80;
    const POINTED_COUNT: usize = 0x84;
    const SIGNATURES: usize = 0x90;
    const DATA: usize = 0x100;
    const SIZE: usize = 0x400;

    fn put(file: &mut [u8], offset: usize, value: u32) {
        file[offset..offset + 4].copy_from_slice(&value.to_le_bytes());
    }

    fn outer() -> Vec<u8> {
        let mut file = vec![0; DATA + SIZE];
        for (at, value) in [
            (0, MAGIC),
            (4, VERSION),
            (8, 0x10_0000),
            (HEADER_OFFSET, HEADER as u32),
            (DATA_OFFSET, DATA as u32),
            (DATA_SIZE, SIZE as u32),
        ] {
            put(&mut file, at, value);
        }
        file
    }

    /// A heavy-secured image with two 32-byte signatures.
    pub(crate) fn booter() -> Vec<u8> {
        let mut file = outer();
        let hs = |index: usize| HEADER + index * WORD;
        let load = |index: usize| LOAD + index * WORD;
        for (at, value) in [
            (hs(HS_SIGNATURES_OFFSET), SIGNATURES as u32),
            (hs(HS_SIGNATURES_SIZE), 64),
            (hs(HS_PATCH_LOCATION_POINTER), POINTED_PATCH as u32),
            (hs(HS_META_OFFSET), META as u32),
            (hs(HS_COUNT_POINTER), POINTED_COUNT as u32),
            (hs(HS_LOAD_OFFSET), LOAD as u32),
            (META, 11),
            (META + 4, 12),
            (META + 8, 13),
            (load(LOAD_CODE_OFFSET), 0),
            (load(LOAD_CODE_SIZE), 0x100),
            (load(LOAD_DATA_OFFSET), 0x300),
            (load(LOAD_DATA_SIZE), 0x100),
            (load(LOAD_APP_COUNT), 1),
            (load(LOAD_APP0_OFFSET), 0x100),
            (load(LOAD_APP0_SIZE), 0x200),
            (POINTED_PATCH, 0x310),
            (POINTED_COUNT, 2),
        ] {
            put(&mut file, at, value);
        }
        file[SIGNATURES..SIGNATURES + 64].fill(0x5a);
        file
    }

    /// A bootloader image whose parts lie at 0x20, 0x40 and 0x60.
    pub(crate) fn bootloader() -> Vec<u8> {
        let mut file = outer();
        for (word, value) in [
            (BL_APP_VERSION, 9),
            (BL_MANIFEST_OFFSET, 0x20),
            (BL_DATA_OFFSET, 0x40),
            (BL_CODE_OFFSET, 0x60),
        ] {
            put(&mut file, HEADER + word * WORD, value);
        }
        file
    }

    #[test]
    fn a_booter_is_read() {
        let file = booter();
        let booter = Image::parse(&file).unwrap().heavy_secure().unwrap();
        assert_eq!((booter.app_offset, booter.app_size), (0x100, 0x200));
        assert_eq!((booter.data_offset, booter.data_size), (0x300, 0x100));
        assert_eq!((booter.code_offset, booter.code_size), (0, 0x100));
        assert_eq!(booter.patch_location, 0x310);
        assert_eq!(
            (booter.fuse_version, booter.engine_mask, booter.ucode_id),
            (11, 12, 13)
        );
        assert_eq!(booter.signature_count, 2);
        assert_eq!(booter.signatures, [0x5a; 64]);
    }

    #[test]
    fn a_bootloader_is_read() {
        let file = bootloader();
        assert_eq!(
            Image::parse(&file).unwrap().bootloader().unwrap(),
            Bootloader {
                code_offset: 0x60,
                data_offset: 0x40,
                manifest_offset: 0x20,
                app_version: 9
            }
        );
    }

    #[test]
    fn every_bad_field_is_named() {
        let hs = |index: usize| HEADER + index * WORD;
        let load = |index: usize| LOAD + index * WORD;
        for (at, value, field) in [
            (0, 0x10df, "magic"),
            (4, 2, "header version"),
            (HEADER_OFFSET, 0x4f8, "patch location"),
            (DATA_OFFSET, 0x101, "data"),
            (DATA_SIZE, 0, "data size"),
            (DATA_SIZE, 0xffff_ffff, "data"),
            (hs(HS_SIGNATURES_OFFSET), 0x4f0, "signatures"),
            (hs(HS_SIGNATURES_SIZE), 63, "signature count"),
            (hs(HS_PATCH_LOCATION_POINTER), 0xffff_fffe, "patch location"),
            (hs(HS_META_OFFSET), 0x4fc, "engine mask"),
            (hs(HS_COUNT_POINTER), 0x500, "signature count"),
            (hs(HS_LOAD_OFFSET), 0xffff_fff0, "app count"),
            (POINTED_PATCH, 0x3f0, "patch location"),
            (POINTED_COUNT, 0, "signature count"),
            (POINTED_COUNT, 65, "signature count"),
            (load(LOAD_APP_COUNT), 0, "app count"),
            (load(LOAD_APP0_SIZE), 0x301, "app 0"),
            (load(LOAD_DATA_OFFSET), 0xffff_ffff, "os data"),
            (load(LOAD_CODE_SIZE), 0x401, "os code"),
        ] {
            let mut file = booter();
            put(&mut file, at, value);
            let error = Image::parse(&file)
                .and_then(|image| image.heavy_secure().map(|_| ()))
                .unwrap_err();
            assert_eq!(error.field, field, "{at:#x} = {value:#x}");
        }
        let mut file = bootloader();
        put(&mut file, HEADER + BL_CODE_OFFSET * WORD, SIZE as u32);
        let error = Image::parse(&file).unwrap().bootloader().unwrap_err();
        assert_eq!(error.field, "monitor code offset");
    }

    #[test]
    fn no_truncation_panics() {
        let file = booter();
        for length in 0..DATA + SIZE {
            assert!(Image::parse(&file[..length]).is_err(), "{length}");
        }
    }
}
