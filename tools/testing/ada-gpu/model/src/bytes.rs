// SPDX-License-Identifier: GPL-2.0

//! Little-endian fields in byte slices, with every access bounds checked.
//!
//! Everything the model exchanges with a driver is little-endian; reads out of
//! range give `None` so that a short message can never be taken for zeros.

/// Reads a `u8` at byte `off`.
pub fn u8_at(b: &[u8], off: usize) -> Option<u8> {
    b.get(off).copied()
}

/// Reads a little-endian `u16` at byte `off`.
pub fn u16_at(b: &[u8], off: usize) -> Option<u16> {
    let s = b.get(off..off.checked_add(2)?)?;
    Some(u16::from_le_bytes(s.try_into().ok()?))
}

/// Reads a little-endian `u32` at byte `off`.
pub fn u32_at(b: &[u8], off: usize) -> Option<u32> {
    let s = b.get(off..off.checked_add(4)?)?;
    Some(u32::from_le_bytes(s.try_into().ok()?))
}

/// Reads a little-endian `u64` at byte `off`.
pub fn u64_at(b: &[u8], off: usize) -> Option<u64> {
    let s = b.get(off..off.checked_add(8)?)?;
    Some(u64::from_le_bytes(s.try_into().ok()?))
}

/// Stores bytes at `off`; returns false and stores nothing when they do not fit.
pub fn put(b: &mut [u8], off: usize, v: &[u8]) -> bool {
    let Some(end) = off.checked_add(v.len()) else {
        return false;
    };
    match b.get_mut(off..end) {
        Some(s) => {
            s.copy_from_slice(v);
            true
        }
        None => false,
    }
}

/// Stores a little-endian `u16`.
pub fn put_u16(b: &mut [u8], off: usize, v: u16) -> bool {
    put(b, off, &v.to_le_bytes())
}

/// Stores a little-endian `u32`.
pub fn put_u32(b: &mut [u8], off: usize, v: u32) -> bool {
    put(b, off, &v.to_le_bytes())
}

/// Stores a little-endian `u64`.
pub fn put_u64(b: &mut [u8], off: usize, v: u64) -> bool {
    put(b, off, &v.to_le_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_slices_give_none() {
        assert_eq!(u32_at(&[1, 2, 3], 0), None);
        assert_eq!(u32_at(&[1, 2, 3, 4], usize::MAX), None);
        assert_eq!(u32_at(&[1, 2, 3, 4], 0), Some(0x0403_0201));
        let mut b = [0u8; 4];
        assert!(!put_u64(&mut b, 0, 1));
        assert!(put_u32(&mut b, 0, 7));
        assert_eq!(b, [7, 0, 0, 0]);
    }
}
