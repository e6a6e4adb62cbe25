// SPDX-License-Identifier: GPL-2.0

//! The `.bin` container of booter, scrubber and bootloader images.
//!
//! ```text
//!  0x00 magic 0x10de | version 1 | total size | header offset | data offset | data size
//!       header (booter, scrubber): HS header v2, 9 words
//!           signatures {offset, size}, &patch location, &patch signature, meta {offset, size},
//!           &signature count, load header {offset, size}
//!       header (bootloader): RISC-V ucode descriptor, 21 words
//!       data
//!  "&x" is a file offset of a word that holds x.
//! ```
//!
//! Source: OGKM 570.144 `kernel_gsp_booter.c`, `RM_RISCV_UCODE_DESC`, and the files of
//! linux-firmware `nvidia/ad102/gsp`. "total size" is rounded up and not checked.

use super::super::bytes::{slice, u32_at, usize_at};

const MAGIC: u32 = 0x10de;
const VERSION: u32 = 1;

const META_SIZE: usize = 12;
const LOAD_HEADER_WORDS: usize = 5;
const MAX_SIGNATURES: usize = 16;
/// Signatures are RSA-3072.
pub(crate) const SIGNATURE_SIZE: usize = 384;
/// The falcon DMA engine moves blocks of this size.
const DMA_BLOCK: usize = 256;
const BOOTLOADER_WORDS: usize = 21;

/// What is wrong with a file; the text names the field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed(pub(crate) &'static str);

/// A file cut into header and data.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Container<'a> {
    file: &'a [u8],
    header: usize,
    data: &'a [u8],
}

impl<'a> Container<'a> {
    /// Checks the common header.
    ///
    /// # Errors
    ///
    /// [`Malformed`] names the field.
    pub(crate) fn parse(file: &'a [u8]) -> Result<Self, Malformed> {
        let word = |i: usize| u32_at(file, i * 4).ok_or(Malformed("file header"));
        let size = |i: usize| usize_at(file, i * 4).ok_or(Malformed("file header"));

        if word(0)? != MAGIC {
            return Err(Malformed("file magic"));
        }
        if word(1)? != VERSION {
            return Err(Malformed("file version"));
        }
        Ok(Self {
            file,
            header: size(3)?,
            data: slice(file, size(4)?, size(5)?).ok_or(Malformed("data offset or size"))?,
        })
    }

    /// Word `i` of the second header.
    fn header_word(&self, i: usize) -> Result<usize, Malformed> {
        self.header
            .checked_add(i * 4)
            .and_then(|at| usize_at(self.file, at))
            .ok_or(Malformed("header offset"))
    }
}

/// A part of the data and where it goes in IMEM or DMEM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Part {
    /// Offset in the data in bytes.
    pub(crate) offset: usize,
    /// Length in bytes.
    pub(crate) size: usize,
}

/// A signed ("heavy secure") falcon image: booter or scrubber.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hs<'a> {
    /// The image.
    pub(crate) data: &'a [u8],
    /// Secure code, loaded to IMEM 0; its offset is also tag and boot vector.
    pub(crate) code: Part,
    /// Data, loaded to DMEM 0.
    pub(crate) dmem: Part,
    /// Where the chosen signature goes, offset in the data in bytes.
    pub(crate) patch_location: usize,
    /// Highest fuse version that there is a signature for.
    fuse_version: u32,
    /// Engines that the image is signed for.
    pub(crate) engine_id_mask: u16,
    /// Selects the fuse word with the revocation level.
    pub(crate) ucode_id: u8,
    signatures: &'a [u8],
}

impl<'a> Hs<'a> {
    /// Parses the HS header v2 of a file.
    ///
    /// # Errors
    ///
    /// [`Malformed`] names the field.
    pub(crate) fn parse(file: &'a [u8]) -> Result<Self, Malformed> {
        let container = Container::parse(file)?;
        let field = |i| container.header_word(i);
        let pointed = |i, what| usize_at(file, field(i)?).ok_or(Malformed(what));

        let signatures = slice(file, field(0)?, field(1)?).ok_or(Malformed("signature block"))?;
        let patch_location = pointed(2, "patch location")?;
        let patch_signature = pointed(3, "patch signature")?;
        let meta = slice(file, field(4)?, field(5)?).ok_or(Malformed("meta block"))?;
        let count = pointed(6, "signature count")?;
        let load = slice(file, field(7)?, field(8)?).ok_or(Malformed("load header"))?;

        if count == 0 || count > MAX_SIGNATURES || signatures.len() != count * SIGNATURE_SIZE {
            return Err(Malformed("signature count"));
        }
        let signatures = signatures
            .get(patch_signature..)
            .ok_or(Malformed("patch signature"))?;
        if meta.len() < META_SIZE {
            return Err(Malformed("meta block size"));
        }
        let meta = |i: usize| u32_at(meta, i * 4).ok_or(Malformed("meta block"));
        let word = |i: usize| usize_at(load, i * 4).ok_or(Malformed("load header"));
        if word(4)? == 0 {
            return Err(Malformed("application count"));
        }

        let hs = Self {
            data: container.data,
            code: Part {
                offset: word(LOAD_HEADER_WORDS)?,
                size: word(LOAD_HEADER_WORDS + 1)?,
            },
            dmem: Part {
                offset: word(2)?,
                size: word(3)?,
            },
            patch_location,
            fuse_version: meta(0)?,
            engine_id_mask: u16::try_from(meta(1)?).map_err(|_| Malformed("engine id mask"))?,
            ucode_id: u8::try_from(meta(2)?).map_err(|_| Malformed("ucode id"))?,
            signatures,
        };
        hs.check()?;
        Ok(hs)
    }

    fn check(&self) -> Result<(), Malformed> {
        for (part, what) in [
            (self.code, "code offset or size"),
            (self.dmem, "data offset or size"),
        ] {
            let aligned = part.offset % DMA_BLOCK == 0 && part.size % DMA_BLOCK == 0;
            if part.size == 0 || !aligned || slice(self.data, part.offset, part.size).is_none() {
                return Err(Malformed(what));
            }
        }
        let inside = self.patch_location >= self.dmem.offset
            && self
                .patch_location
                .checked_add(SIGNATURE_SIZE)
                .is_some_and(|end| end <= self.dmem.offset + self.dmem.size);
        if !inside {
            return Err(Malformed("patch location"));
        }
        Ok(())
    }

    /// DMEM offset of the signature, for the BROM.
    pub(crate) fn pkc_data_offset(&self) -> usize {
        self.patch_location - self.dmem.offset
    }

    /// The signature for a chip whose fuses ask for `fuse_version` (0 when none is blown).
    ///
    /// # Errors
    ///
    /// [`Malformed`] when the file has no signature of that version.
    pub(crate) fn signature(&self, fuse_version: u32) -> Result<&'a [u8], Malformed> {
        let missing = Malformed("signature for the fuse version of this chip");
        let count = self.signatures.len() / SIGNATURE_SIZE;
        let index = if fuse_version == 0 {
            count.checked_sub(1)
        } else {
            self.fuse_version
                .checked_sub(fuse_version)
                .and_then(|index| usize::try_from(index).ok())
        };

        index
            .and_then(|index| {
                slice(
                    self.signatures,
                    index.checked_mul(SIGNATURE_SIZE)?,
                    SIGNATURE_SIZE,
                )
            })
            .ok_or(missing)
    }
}

/// The GSP bootloader image.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bootloader<'a> {
    /// The image.
    pub(crate) data: &'a [u8],
    /// Offset of the manifest in the image in bytes.
    pub(crate) manifest_offset: u32,
    /// Offset of the monitor's data in the image in bytes.
    pub(crate) data_offset: u32,
    /// Offset of the monitor's code in the image in bytes.
    pub(crate) code_offset: u32,
    /// Goes to the `OS` register of the GSP falcon.
    pub(crate) app_version: u32,
}

impl<'a> Bootloader<'a> {
    const APP_VERSION: usize = 7;
    const MANIFEST: usize = 8;
    const MONITOR_DATA: usize = 10;
    const MONITOR_CODE: usize = 12;

    /// Parses the descriptor of a file.
    ///
    /// # Errors
    ///
    /// [`Malformed`] names the field.
    pub(crate) fn parse(file: &'a [u8]) -> Result<Self, Malformed> {
        let container = Container::parse(file)?;
        container.header_word(BOOTLOADER_WORDS - 1)?;
        let field = |i: usize| {
            u32::try_from(container.header_word(i)?).map_err(|_| Malformed("descriptor"))
        };
        let part = |i: usize, what| {
            slice(
                container.data,
                container.header_word(i)?,
                container.header_word(i + 1)?,
            )
            .map(|_| ())
            .ok_or(Malformed(what))
        };

        if container.data.is_empty() {
            return Err(Malformed("data size"));
        }
        part(Self::MANIFEST, "manifest offset or size")?;
        part(Self::MONITOR_DATA, "monitor data offset or size")?;
        part(Self::MONITOR_CODE, "monitor code offset or size")?;

        Ok(Self {
            data: container.data,
            manifest_offset: field(Self::MANIFEST)?,
            data_offset: field(Self::MONITOR_DATA)?,
            code_offset: field(Self::MONITOR_CODE)?,
            app_version: field(Self::APP_VERSION)?,
        })
    }
}
