// SPDX-License-Identifier: GPL-2.0

//! The chain of PCI ROM images in the VBIOS.
//!
//! ```text
//!  PROM  +--------------------+
//!        | IFR header "NVGI"  |  optional, tells where the chain starts
//!        +--------------------+ <- base
//!        | PC-AT image  (00)  |  holds the BIT table
//!        | EFI image    (03)  |  optional
//!        | FWSEC image  (e0)  |  ucodes, first of its kind
//!        | more images  (e0)  |  last one is marked
//!        +--------------------+
//!
//!  image: 0xaa55 … [0x18] -> PCIR { length/512, code type, last } -> NPDE { length/512, last }
//! ```
//!
//! The ROM is read through a slow window, so the parser works on the part read so far and asks
//! for more with [`RomError::Short`]. Of images that are neither PC-AT nor FWSEC only the headers
//! are wanted: the EFI driver is the largest of all. Sources: PCI Firmware Specification 3.0 section 5.1 and
//! OGKM 570.144 `pci_exp_table.h`, `kernel_gsp_vbios_tu102.c`.

use super::super::bytes::{slice, u16_at, u32_at, u8_at};

/// Images are measured in these units.
const IMAGE_UNIT: usize = 512;

const IFR_SIGNATURE: u32 = u32::from_le_bytes(*b"NVGI");
const ROM_DIRECTORY_SIGNATURE: u32 = u32::from_le_bytes(*b"RFRD");
const ROM_DIRECTORY_OFFSET: usize = 4096;

const ROM_SIGNATURE: u16 = 0xaa55;
const ROM_SIGNATURE_NV: u16 = 0x4e56;

const PCIR_SIGNATURES: [u32; 2] = [u32::from_le_bytes(*b"PCIR"), u32::from_le_bytes(*b"NPDS")];
const NPDE_SIGNATURE: u32 = u32::from_le_bytes(*b"NPDE");

/// Code type of the image that holds the BIT table.
pub(crate) const CODE_TYPE_PCAT: u8 = 0x00;
/// Code type of images that hold ucodes.
pub(crate) const CODE_TYPE_FWSEC: u8 = 0xe0;
/// Code type of the NBSI image, which ends the chain whatever its flags say.
const CODE_TYPE_NBSI: u8 = 0x70;

const LAST_IMAGE: u8 = 0x80;

/// Why the ROM cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RomError {
    /// More bytes are needed to go on. What lies between those read so far and `from` is not: it
    /// counts as zero.
    Short {
        /// First byte, as an offset from the start of the ROM.
        from: usize,
        /// One past the last byte.
        need: usize,
    },
    /// The ROM is wrong; the text names the field.
    Invalid(&'static str),
}

/// One image of the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Image {
    /// Offset from the start of the ROM in bytes.
    pub(crate) start: usize,
    /// Length in bytes, a multiple of 512.
    pub(crate) len: usize,
    /// What it holds.
    pub(crate) code_type: u8,
    last: bool,
}

impl Image {
    /// Offset of the first byte after the image.
    pub(crate) fn end(&self) -> usize {
        self.start + self.len
    }
}

/// The images that matter for booting GSP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Chain {
    /// The PC-AT image.
    pub(crate) pcat: Image,
    /// The first FWSEC image.
    pub(crate) fwsec: Image,
    /// End of the last image, offset from the start of the ROM.
    pub(crate) end: usize,
}

fn short<T>(value: Option<T>, from: usize, need: usize) -> Result<T, RomError> {
    value.ok_or(RomError::Short { from, need })
}

/// Offset of the first image, after an IFR header if there is one.
///
/// # Errors
///
/// [`RomError::Short`] asks for more bytes, [`RomError::Invalid`] names what is wrong.
pub(crate) fn base(rom: &[u8]) -> Result<usize, RomError> {
    if short(u32_at(rom, 0), 0, 12)? != IFR_SIGNATURE {
        return Ok(0);
    }

    let word1 = short(u32_at(rom, 4), 0, 12)?;
    let word2 = short(u32_at(rom, 8), 0, 12)?;
    let fixed_size = (word1 >> 16 & 0x7fff) as usize;
    let version = word1 >> 8 & 0xff;

    let offset = match version {
        1 | 2 => {
            let at = fixed_size + 4;
            short(u32_at(rom, at), 0, at + 4)?
        }
        3 => {
            let at = (word2 & 0xf_ffff) as usize;
            let status = short(u32_at(rom, at), 0, at + 4)? as usize;
            let directory = status
                .checked_add(ROM_DIRECTORY_OFFSET)
                .ok_or(RomError::Invalid("IFR flash status offset"))?;
            if short(u32_at(rom, directory), 0, directory + 12)? != ROM_DIRECTORY_SIGNATURE {
                return Err(RomError::Invalid("ROM directory signature"));
            }
            short(u32_at(rom, directory + 8), 0, directory + 12)?
        }
        _ => return Err(RomError::Invalid("IFR version")),
    };

    usize::try_from(offset).map_err(|_| RomError::Invalid("IFR image offset"))
}

/// The headers of the image at `start`, read as far as they are asked for.
struct Headers<'a> {
    rom: &'a [u8],
    start: usize,
}

impl Headers<'_> {
    /// Headers are within the first KiB of an image.
    const LEN: usize = 1024;

    fn field<T>(
        &self,
        read: fn(&[u8], usize) -> Option<T>,
        at: usize,
        field: &'static str,
    ) -> Result<T, RomError> {
        let end = at + size_of::<T>();
        if end > Self::LEN {
            return Err(RomError::Invalid(field));
        }
        let from = self.start;
        let image = self.rom.get(from..);
        let need = from.checked_add(end).ok_or(RomError::Invalid(field))?;
        short(image.and_then(|image| read(image, at)), from, need)
    }
}

/// The image whose header is at `start`.
fn image_at(rom: &[u8], start: usize) -> Result<Image, RomError> {
    let headers = Headers { rom, start };

    let signature = headers.field(u16_at, 0, "ROM image signature")?;
    if signature != ROM_SIGNATURE && signature != ROM_SIGNATURE_NV {
        return Err(RomError::Invalid("ROM image signature"));
    }

    let pcir = usize::from(headers.field(u16_at, 0x18, "PCIR offset")?);
    if !PCIR_SIGNATURES.contains(&headers.field(u32_at, pcir, "PCIR offset")?) {
        return Err(RomError::Invalid("PCIR signature"));
    }
    let pcir_len = usize::from(headers.field(u16_at, pcir + 0x0a, "PCIR offset")?);
    let mut units = usize::from(headers.field(u16_at, pcir + 0x10, "PCIR offset")?);
    let code_type = headers.field(u8_at, pcir + 0x14, "PCIR offset")?;
    let mut last = headers.field(u8_at, pcir + 0x15, "PCIR offset")? & LAST_IMAGE != 0;
    if units == 0 {
        return Err(RomError::Invalid("PCIR image length"));
    }

    // The NVIDIA extension, where there is one, replaces length and last flag.
    let npde = (pcir + pcir_len).next_multiple_of(16);
    if npde + 0x0b <= Headers::LEN && headers.field(u32_at, npde, "NPDE")? == NPDE_SIGNATURE {
        let npde_units = usize::from(headers.field(u16_at, npde + 0x08, "NPDE")?);
        if npde_units != 0 {
            units = npde_units;
            last = headers.field(u8_at, npde + 0x0a, "NPDE")? & LAST_IMAGE != 0;
        }
    }

    Ok(Image {
        start,
        len: units * IMAGE_UNIT,
        code_type,
        last: last || code_type == CODE_TYPE_NBSI,
    })
}

/// Walks the chain.
///
/// # Errors
///
/// [`RomError::Short`] asks for more bytes; `rom` then must grow up to the size of the window.
/// [`RomError::Invalid`] names what is wrong.
pub(crate) fn chain(rom: &[u8]) -> Result<Chain, RomError> {
    let mut pcat = None;
    let mut fwsec = None;
    let mut start = base(rom)?;

    loop {
        let image = image_at(rom, start)?;
        let wanted = match image.code_type {
            CODE_TYPE_PCAT if pcat.is_none() => {
                pcat = Some(image);
                true
            }
            CODE_TYPE_FWSEC => {
                fwsec = fwsec.or(Some(image));
                true
            }
            _ => false,
        };
        start = image.end();
        if wanted {
            short(slice(rom, image.start, image.len), image.start, start)?;
        }
        if image.last {
            break;
        }
    }

    Ok(Chain {
        pcat: pcat.ok_or(RomError::Invalid("no PC-AT image"))?,
        fwsec: fwsec.ok_or(RomError::Invalid("no FWSEC image"))?,
        end: start,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(code_type: u8, units: u16, last: bool, npde: Option<(u16, bool)>) -> Vec<u8> {
        let len = usize::from(npde.map_or(units, |n| n.0)) * IMAGE_UNIT;
        let mut data = vec![0u8; len.max(1024)];
        data[..2].copy_from_slice(&ROM_SIGNATURE.to_le_bytes());
        data[0x18] = 0x40;
        data[0x40..0x44].copy_from_slice(b"PCIR");
        data[0x4a] = 0x18;
        data[0x50..0x52].copy_from_slice(&units.to_le_bytes());
        data[0x54] = code_type;
        data[0x55] = if last { LAST_IMAGE } else { 0 };
        if let Some((units, last)) = npde {
            data[0x60..0x64].copy_from_slice(b"NPDE");
            data[0x68..0x6a].copy_from_slice(&units.to_le_bytes());
            data[0x6a] = if last { LAST_IMAGE } else { 0 };
        }
        data
    }

    fn rom() -> Vec<u8> {
        let mut rom = image(CODE_TYPE_PCAT, 2, false, None);
        rom.extend(image(3, 4, false, None));
        rom.extend(image(CODE_TYPE_FWSEC, 1, true, Some((3, false))));
        rom.extend(image(CODE_TYPE_FWSEC, 2, true, None));
        rom
    }

    #[test]
    fn walks_to_the_last_image() {
        let chain = chain(&rom()).unwrap();
        assert_eq!((chain.pcat.start, chain.pcat.len), (0, 1024));
        assert_eq!((chain.fwsec.start, chain.fwsec.len), (1024 + 2048, 1536));
        assert_eq!(chain.end, 1024 + 2048 + 1536 + 1024);
    }

    #[test]
    fn asks_for_more_until_it_is_enough() {
        let rom = rom();
        let (mut have, mut read) = (0, 0);
        loop {
            match chain(&rom[..have]) {
                Ok(_) => break,
                Err(RomError::Short { from, need }) => {
                    assert!(need > have && from <= need);
                    read += need - from.max(have);
                    have = need;
                }
                Err(e) => panic!("{e:?}"),
            }
        }
        assert_eq!(have, rom.len());
        // The image of 2 KiB that nobody wants is left out, but for its headers.
        assert!(read < rom.len() - 2048 + 0x80);
    }

    #[test]
    fn ifr_version_1_moves_the_base() {
        let mut data = vec![0u8; 0x400];
        data[..4].copy_from_slice(b"NVGI");
        data[4..8].copy_from_slice(&(0x20u32 << 16 | 1 << 8).to_le_bytes());
        data[0x24..0x28].copy_from_slice(&0x400u32.to_le_bytes());
        data.extend(rom());
        assert_eq!(base(&data), Ok(0x400));
        assert_eq!(chain(&data).unwrap().pcat.start, 0x400);
    }

    #[test]
    fn ifr_version_3_goes_through_the_directory() {
        let mut data = vec![0u8; 0x2000];
        data[..4].copy_from_slice(b"NVGI");
        data[4..8].copy_from_slice(&(3u32 << 8).to_le_bytes());
        data[8..12].copy_from_slice(&0x10u32.to_le_bytes());
        data[0x10..0x14].copy_from_slice(&0x100u32.to_le_bytes());
        data[0x1100..0x1104].copy_from_slice(b"RFRD");
        data[0x1108..0x110c].copy_from_slice(&0x2000u32.to_le_bytes());
        data.extend(rom());
        assert_eq!(base(&data), Ok(0x2000));
        data[0x1100] = 0;
        assert_eq!(
            base(&data),
            Err(RomError::Invalid("ROM directory signature"))
        );
    }

    #[test]
    fn each_broken_field_is_named() {
        let good = rom();
        let broken = |at: usize, value: u8| {
            let mut rom = good.clone();
            rom[at] = value;
            chain(&rom).unwrap_err()
        };
        assert_eq!(broken(0, 0), RomError::Invalid("ROM image signature"));
        assert_eq!(broken(0x40, b'X'), RomError::Invalid("PCIR signature"));
        assert_eq!(broken(0x19, 0xff), RomError::Invalid("PCIR offset"));
        assert_eq!(broken(0x50, 0), RomError::Invalid("PCIR image length"));
        assert_eq!(broken(0x54, 3), RomError::Invalid("no PC-AT image"));
    }
}
