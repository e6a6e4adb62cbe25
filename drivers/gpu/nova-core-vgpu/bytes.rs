// SPDX-License-Identifier: GPL-2.0

//! Bounds-checked little-endian access to untrusted bytes.
//!
//! Every firmware file, the VBIOS and every message from GSP is parsed with these: `None` means
//! "outside of the buffer", never a panic.

/// The `len` bytes at `offset`, or `None` when they are not all inside `data`.
pub(crate) fn slice(data: &[u8], offset: usize, len: usize) -> Option<&[u8]> {
    data.get(offset..offset.checked_add(len)?)
}

/// Same as [`slice`], for writing.
pub(crate) fn slice_mut(data: &mut [u8], offset: usize, len: usize) -> Option<&mut [u8]> {
    data.get_mut(offset..offset.checked_add(len)?)
}

fn array<const N: usize>(data: &[u8], offset: usize) -> Option<[u8; N]> {
    slice(data, offset, N)?.try_into().ok()
}

/// The byte at `offset`.
pub(crate) fn u8_at(data: &[u8], offset: usize) -> Option<u8> {
    data.get(offset).copied()
}

/// The 16-bit word at `offset`.
pub(crate) fn u16_at(data: &[u8], offset: usize) -> Option<u16> {
    array(data, offset).map(u16::from_le_bytes)
}

/// The 32-bit word at `offset`.
pub(crate) fn u32_at(data: &[u8], offset: usize) -> Option<u32> {
    array(data, offset).map(u32::from_le_bytes)
}

/// The 64-bit word at `offset`.
pub(crate) fn u64_at(data: &[u8], offset: usize) -> Option<u64> {
    array(data, offset).map(u64::from_le_bytes)
}

/// A 32-bit word at `offset`, widened to an offset or a length.
pub(crate) fn usize_at(data: &[u8], offset: usize) -> Option<usize> {
    usize::try_from(u32_at(data, offset)?).ok()
}

/// Writes `bytes` at `offset`; `None` and no change when they do not fit.
pub(crate) fn put(data: &mut [u8], offset: usize, bytes: &[u8]) -> Option<()> {
    slice_mut(data, offset, bytes.len())?.copy_from_slice(bytes);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_little_endian() {
        let data = [1, 2, 3, 4, 5, 6, 7, 8, 9];
        assert_eq!(u16_at(&data, 1), Some(0x0302));
        assert_eq!(u32_at(&data, 5), Some(0x0908_0706));
        assert_eq!(u64_at(&data, 0), Some(0x0807_0605_0403_0201));
    }

    #[test]
    fn outside_is_none() {
        let data = [0u8; 4];
        assert_eq!(u32_at(&data, 1), None);
        assert_eq!(u64_at(&data, 0), None);
        assert_eq!(slice(&data, usize::MAX, 2), None);
        assert_eq!(slice(&data, 4, 0), Some(&[][..]));
    }

    #[test]
    fn put_does_not_write_a_part() {
        let mut data = [0u8; 4];
        assert_eq!(put(&mut data, 3, &[1, 2]), None);
        assert_eq!(data, [0; 4]);
        assert_eq!(put(&mut data, 2, &[1, 2]), Some(()));
        assert_eq!(data, [0, 0, 1, 2]);
    }
}
