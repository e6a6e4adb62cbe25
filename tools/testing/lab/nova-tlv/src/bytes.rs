// SPDX-License-Identifier: GPL-2.0

//! Bounds-checked little-endian reads; every failure names the field it was
//! reading and where.

use std::fmt;

/// A field of a firmware image that is missing or has an impossible value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormatError {
    /// The field, in words.
    pub field: String,
    /// Byte offset in the file.
    pub offset: usize,
}

impl FormatError {
    /// An error about `field` at byte `offset`.
    pub fn new(field: &str, offset: usize) -> Self {
        Self {
            field: field.to_owned(),
            offset,
        }
    }
}

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} at offset {:#x}: missing or invalid",
            self.field, self.offset
        )
    }
}

impl std::error::Error for FormatError {}

/// `size` bytes at `offset`.
///
/// # Errors
///
/// The range is not inside `bytes`.
pub fn slice<'a>(
    bytes: &'a [u8],
    offset: usize,
    size: usize,
    field: &str,
) -> Result<&'a [u8], FormatError> {
    offset
        .checked_add(size)
        .and_then(|end| bytes.get(offset..end))
        .ok_or_else(|| FormatError::new(field, offset))
}

fn array<const N: usize>(bytes: &[u8], offset: usize, field: &str) -> Result<[u8; N], FormatError> {
    let mut out = [0; N];
    out.copy_from_slice(slice(bytes, offset, N, field)?);
    Ok(out)
}

/// Little-endian 16 bits at `offset`.
///
/// # Errors
///
/// The field is not inside `bytes`.
pub fn le16(bytes: &[u8], offset: usize, field: &str) -> Result<u16, FormatError> {
    array(bytes, offset, field).map(u16::from_le_bytes)
}

/// Little-endian 32 bits at `offset`.
///
/// # Errors
///
/// The field is not inside `bytes`.
pub fn le32(bytes: &[u8], offset: usize, field: &str) -> Result<u32, FormatError> {
    array(bytes, offset, field).map(u32::from_le_bytes)
}

/// Little-endian 64 bits at `offset`, as an index.
///
/// # Errors
///
/// The field is not inside `bytes`, or does not fit an index.
pub fn le64(bytes: &[u8], offset: usize, field: &str) -> Result<usize, FormatError> {
    let value = array(bytes, offset, field).map(u64::from_le_bytes)?;
    usize::try_from(value).map_err(|_| FormatError::new(field, offset))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_are_little_endian() {
        let bytes = [1, 2, 3, 4, 5, 6, 7, 8];
        assert_eq!(le16(&bytes, 1, "x"), Ok(0x0302));
        assert_eq!(le32(&bytes, 4, "x"), Ok(0x0807_0605));
        assert_eq!(le64(&bytes, 0, "x"), Ok(0x0807_0605_0403_0201));
    }

    #[test]
    fn reads_stay_inside() {
        let error = le32(&[0; 7], 4, "tail").unwrap_err();
        assert_eq!(error, FormatError::new("tail", 4));
        assert!(slice(&[0; 7], usize::MAX, 2, "wrap").is_err());
        assert_eq!(error.to_string(), "tail at offset 0x4: missing or invalid");
    }
}
