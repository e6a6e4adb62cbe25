// SPDX-License-Identifier: GPL-2.0

//! The BIOS Information Table (BIT) in the PC-AT image.
//!
//! ```text
//!  b8ff "BIT\0" version(2) header size(1) token size(1) token count(1) checksum(1)
//!  token: id(1) data version(1) data size(2) data offset(2, from the start of the image)
//!  token 'p' -> u32: pointer to the falcon ucode table
//! ```
//!
//! Source: OGKM 570.144 `kernel_gsp_vbios_tu102.c`, `kernel_gsp_fwsec.c`.

use super::super::bytes::{slice, u16_at, u32_at, u8_at};
use super::rom::RomError;

const HEADER: [u8; 6] = [0xff, 0xb8, b'B', b'I', b'T', 0];
const HEADER_SIZE_OFFSET: usize = 8;
const TOKEN_SIZE_OFFSET: usize = 9;
const TOKEN_COUNT_OFFSET: usize = 10;
const TOKEN_MIN_SIZE: usize = 6;

const TOKEN_FALCON_DATA: u8 = 0x70;
const TOKEN_FALCON_DATA_VERSION: u8 = 2;
const TOKEN_FALCON_DATA_MIN_SIZE: u16 = 4;

/// The pointer to the falcon ucode table, as stored: an address in a space where the FWSEC image
/// directly follows the PC-AT image.
///
/// # Errors
///
/// [`RomError::Invalid`] names what is missing or wrong.
pub(crate) fn falcon_ucode_table_pointer(pcat: &[u8]) -> Result<u32, RomError> {
    let start = pcat
        .windows(HEADER.len())
        .position(|w| w == HEADER)
        .ok_or(RomError::Invalid("no BIT header"))?;
    let bit = &pcat[start..];

    let bad_header = RomError::Invalid("BIT header");
    let header_size = usize::from(u8_at(bit, HEADER_SIZE_OFFSET).ok_or(bad_header)?);
    let token_size = usize::from(u8_at(bit, TOKEN_SIZE_OFFSET).ok_or(bad_header)?);
    let token_count = usize::from(u8_at(bit, TOKEN_COUNT_OFFSET).ok_or(bad_header)?);
    if header_size <= TOKEN_COUNT_OFFSET || token_size < TOKEN_MIN_SIZE {
        return Err(bad_header);
    }
    let header = slice(bit, 0, header_size).ok_or(bad_header)?;
    if header.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte)) != 0 {
        return Err(RomError::Invalid("BIT header checksum"));
    }

    for i in 0..token_count {
        let token = slice(bit, header_size + i * token_size, TOKEN_MIN_SIZE)
            .ok_or(RomError::Invalid("BIT token outside of the image"))?;
        if token[0] != TOKEN_FALCON_DATA {
            continue;
        }
        let version = token[1];
        let size = u16::from_le_bytes([token[2], token[3]]);
        if version != TOKEN_FALCON_DATA_VERSION || size < TOKEN_FALCON_DATA_MIN_SIZE {
            return Err(RomError::Invalid("BIT falcon data version or size"));
        }
        let offset = usize::from(u16_at(token, 4).ok_or(bad_header)?);
        return u32_at(pcat, offset).ok_or(RomError::Invalid("BIT falcon data offset"));
    }

    Err(RomError::Invalid("no BIT falcon data token"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image() -> Vec<u8> {
        let mut data = vec![0u8; 0x400];
        data[0x100..0x106].copy_from_slice(&HEADER);
        data[0x106..0x10b].copy_from_slice(&[0, 1, 12, 6, 2]);
        data[0x10b] = data[0x100..0x10b]
            .iter()
            .fold(0u8, |s, b| s.wrapping_sub(*b));
        data[0x10c..0x112].copy_from_slice(&[b'i', 2, 5, 0, 0, 2]);
        data[0x112..0x118].copy_from_slice(&[b'p', 2, 4, 0, 0x80, 1]);
        data[0x180..0x184].copy_from_slice(&0x1234_5678u32.to_le_bytes());
        data
    }

    #[test]
    fn finds_the_pointer() {
        assert_eq!(falcon_ucode_table_pointer(&image()), Ok(0x1234_5678));
    }

    #[test]
    fn each_broken_field_is_named() {
        let broken = |at: usize, value: u8| {
            let mut data = image();
            data[at] = value;
            falcon_ucode_table_pointer(&data).unwrap_err()
        };
        assert_eq!(broken(0x100, 0), RomError::Invalid("no BIT header"));
        assert_eq!(
            broken(0x10b, 0xff),
            RomError::Invalid("BIT header checksum")
        );
        assert_eq!(broken(0x109, 1), RomError::Invalid("BIT header"));
        assert_eq!(
            broken(0x112, b'x'),
            RomError::Invalid("no BIT falcon data token")
        );
        assert_eq!(
            broken(0x113, 1),
            RomError::Invalid("BIT falcon data version or size")
        );
        assert_eq!(
            broken(0x117, 0xff),
            RomError::Invalid("BIT falcon data offset")
        );
    }
}
