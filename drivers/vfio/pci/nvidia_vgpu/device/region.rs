// SPDX-License-Identifier: GPL-2.0

//! Sizes and bounds of the regions that a guest can reach.
//!
//! ```text
//!   physical BAR1 of the VF   |===================================|
//!   exposed to the guest      |=============|  power of two, at most the type's bar1_length
//!                                           '-- info, read, write, mmap and ioeventfd end here
//! ```
//!
//! The other BARs are exposed as they are.
//!
//! Pure: also compiled on the host by `tools/testing/host-tests`.

/// Smallest region that can be mapped.
const PAGE_SIZE: u64 = 4096;

/// Bytes of BAR1 that a guest sees: the type's size (0: no limit) or the physical one, whichever
/// is smaller, as a power of two. `None` when that is less than a page.
pub(crate) fn exposed_bar1(type_size: u64, physical: u64) -> Option<u64> {
    let size = match type_size {
        0 => physical,
        size => size.min(physical),
    };
    let exponent = size.checked_ilog2()?;
    Some(1 << exponent).filter(|size| *size >= PAGE_SIZE)
}

/// How much of an access to `offset..offset + len` lies inside a region of `size` bytes; `None`
/// when it starts outside.
pub(crate) fn clamp(offset: u64, len: usize, size: u64) -> Option<usize> {
    let left = size.checked_sub(offset).filter(|left| *left > 0)?;
    Some(usize::try_from(left).map_or(len, |left| left.min(len)))
}

/// Does `offset..offset + len` lie inside a region of `size` bytes as a whole?
pub(crate) fn contains(offset: u64, len: u64, size: u64) -> bool {
    offset.checked_add(len).is_some_and(|end| end <= size)
}
