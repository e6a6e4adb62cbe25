// SPDX-License-Identifier: GPL-2.0

//! `read()` and `write()` of the device file.
//!
//! ```text
//!   file offset    |<---------- len ---------->|
//!   region bytes   offset                      offset + len
//!                        |== register ==|              patch() / fetch(): only the overlap
//! ```
//!
//! A driver that changes a few registers forwards the whole transfer and corrects what the core
//! answered, register by register; that works for transfers of any size and alignment.

use core::ops::Range;
use kernel::{
    bindings,
    prelude::*,
    uaccess::{
        UserPtr,
        UserSlice, //
    },
};

use super::{
    Device,
    Driver,
    Enabled, //
};
use crate::{
    bindings as vfio,
    uapi, //
};

/// What both directions have in common.
struct Transfer<'a, T: Driver> {
    dev: &'a Device<T>,
    user: UserPtr,
    len: usize,
    position: &'a mut bindings::loff_t,
    /// File offset of the first byte, whatever becomes of `position`.
    start: u64,
}

impl<T: Driver> Transfer<'_, T> {
    fn offset(&self) -> u64 {
        uapi::split(self.start).1
    }

    /// The part of `register` that the transfer touches: first byte in the transfer, and bytes of
    /// the register.
    fn overlap(&self, register: &Range<u64>, len: usize) -> Option<(usize, Range<usize>)> {
        overlap(self.offset(), len, register)
    }

    /// User memory of `len` bytes of the transfer from byte `at` on.
    fn user(&self, at: usize, len: usize) -> UserSlice {
        UserSlice::new(self.user.wrapping_byte_add(at), len)
    }

    /// The transfer is over after `len` bytes.
    fn complete(&mut self, len: usize) -> Result<usize> {
        let len = len.min(self.len);
        let len_offset = bindings::loff_t::try_from(len)?;

        *self.position = self.position.checked_add(len_offset).ok_or(EINVAL)?;
        Ok(len)
    }
}

/// See [`Transfer::overlap`].
fn overlap(offset: u64, len: usize, register: &Range<u64>) -> Option<(usize, Range<usize>)> {
    let end = offset.checked_add(u64::try_from(len).ok()?)?;
    let first = register.start.max(offset);
    let last = register.end.min(end);

    if first >= last {
        return None;
    }
    Some((
        usize::try_from(first - offset).ok()?,
        usize::try_from(first - register.start).ok()?
            ..usize::try_from(last - register.start).ok()?,
    ))
}

/// Turns the result of a core function into a count.
fn count(ret: isize) -> Result<usize> {
    // CAST: A negative result is an errno.
    usize::try_from(ret).map_err(|_| Error::from_errno(ret as c_int))
}

/// A `read()` in progress.
///
/// Either [`forward`](Self::forward) is called and its result returned, after corrections by
/// [`patch`](Self::patch), or the driver answers alone, with `patch` and
/// [`fill`](Self::fill), and returns [`complete`](Self::complete).
pub struct Read<'a, T: Driver> {
    transfer: Transfer<'a, T>,
    /// How many bytes have been answered and may be patched.
    answered: usize,
}

/// A `write()` in progress.
///
/// [`fetch`](Self::fetch) shows what is written to a register; then the transfer is either
/// [forwarded](Self::forward) or [completed](Self::complete).
pub struct Write<'a, T: Driver>(Transfer<'a, T>);

impl<'a, T: Driver> Read<'a, T> {
    /// # Safety
    ///
    /// The device must be open for `'a`.
    pub(super) unsafe fn new(
        dev: &'a Device<T>,
        user: *mut c_void,
        len: usize,
        position: &'a mut bindings::loff_t,
    ) -> Result<Self> {
        Ok(Self {
            transfer: Transfer {
                dev,
                user: UserPtr::from_ptr(user),
                len,
                start: u64::try_from(*position).map_err(|_| EINVAL)?,
                position,
            },
            answered: 0,
        })
    }

    /// The region, see [`uapi::region`].
    pub fn region(&self) -> u32 {
        uapi::split(self.transfer.start).0
    }

    /// Offset of the first byte in the region; nobody has checked it against the size of the region.
    pub fn offset(&self) -> u64 {
        self.transfer.offset()
    }

    /// Number of bytes wanted.
    #[allow(clippy::len_without_is_empty, reason = "not a container")]
    pub fn len(&self) -> usize {
        self.transfer.len
    }

    /// The device is open.
    pub fn enabled(&self) -> Enabled<'_, T> {
        // SAFETY: By the requirements of `new`.
        unsafe { Enabled::new(self.transfer.dev) }
    }

    /// Has the core answer all of it. Returns how many bytes it answered.
    ///
    /// # Errors
    ///
    /// Those of `vfio_pci_core_read()`, such as `EINVAL` beyond the region.
    pub fn forward(&mut self) -> Result<usize> {
        self.forward_max(usize::MAX)
    }

    /// Has the core answer at most `max` bytes.
    ///
    /// # Errors
    ///
    /// As [`forward`](Self::forward).
    pub fn forward_max(&mut self, max: usize) -> Result<usize> {
        let t = &mut self.transfer;

        // SAFETY: The device is open; the buffer is one of user space.
        self.answered = count(unsafe {
            vfio::vfio_pci_core_read(
                t.dev.vdev(),
                t.user.as_mut_ptr().cast(),
                t.len.min(max),
                &mut *t.position,
            )
        })?;
        Ok(self.answered)
    }

    /// Replaces what was answered for the bytes `register` of the region by `bytes`, as far as the
    /// transfer covers them. Both have the same length.
    ///
    /// # Errors
    ///
    /// `EFAULT` when the buffer of the caller is bad, `EINVAL` when the lengths differ.
    pub fn patch(&mut self, register: Range<u64>, bytes: &[u8]) -> Result {
        if register.end.checked_sub(register.start) != u64::try_from(bytes.len()).ok() {
            return Err(EINVAL);
        }
        if let Some((at, part)) = self.transfer.overlap(&register, self.answered) {
            let bytes = bytes.get(part).ok_or(EINVAL)?;

            self.transfer
                .user(at, bytes.len())
                .writer()
                .write_slice(bytes)?;
        }
        Ok(())
    }

    /// Answers all bytes from the `from`th on with `value`. Instead of the core, or after it answered
    /// less.
    ///
    /// # Errors
    ///
    /// `EFAULT` when the buffer of the caller is bad.
    pub fn fill(&mut self, from: usize, value: u8) -> Result {
        let chunk = [value; 64];
        let len = self.transfer.len.saturating_sub(from);
        let mut writer = self.transfer.user(from, len).writer();

        while !writer.is_empty() {
            let len = chunk.len().min(writer.len());

            writer.write_slice(&chunk[..len])?;
        }
        self.answered = self.transfer.len;
        Ok(())
    }

    /// The driver answered `len` bytes itself. Returns what [`Driver::read`] returns.
    ///
    /// # Errors
    ///
    /// `EINVAL` when the file position would overflow.
    pub fn complete(&mut self, len: usize) -> Result<usize> {
        self.transfer.complete(len)
    }
}

impl<'a, T: Driver> Write<'a, T> {
    /// # Safety
    ///
    /// The device must be open for `'a`.
    pub(super) unsafe fn new(
        dev: &'a Device<T>,
        user: *mut c_void,
        len: usize,
        position: &'a mut bindings::loff_t,
    ) -> Result<Self> {
        Ok(Self(Transfer {
            dev,
            user: UserPtr::from_ptr(user),
            len,
            start: u64::try_from(*position).map_err(|_| EINVAL)?,
            position,
        }))
    }

    /// The region, see [`uapi::region`].
    pub fn region(&self) -> u32 {
        uapi::split(self.0.start).0
    }

    /// Offset of the first byte in the region; nobody has checked it against the size of the region.
    pub fn offset(&self) -> u64 {
        self.0.offset()
    }

    /// Number of bytes written.
    #[allow(clippy::len_without_is_empty, reason = "not a container")]
    pub fn len(&self) -> usize {
        self.0.len
    }

    /// The device is open.
    pub fn enabled(&self) -> Enabled<'_, T> {
        // SAFETY: By the requirements of `new`.
        unsafe { Enabled::new(self.0.dev) }
    }

    /// Copies what is written to the bytes `register` of the region to their place in `bytes`, which
    /// has the same length. Returns which bytes of the register that are; `None` when the transfer
    /// does not touch the register.
    ///
    /// Memory of user space may change between two calls: what was fetched is what counts.
    ///
    /// # Errors
    ///
    /// `EFAULT` when the buffer of the caller is bad, `EINVAL` when the lengths differ.
    pub fn fetch(&self, register: Range<u64>, bytes: &mut [u8]) -> Result<Option<Range<usize>>> {
        if register.end.checked_sub(register.start) != u64::try_from(bytes.len()).ok() {
            return Err(EINVAL);
        }
        let Some((at, part)) = self.0.overlap(&register, self.0.len) else {
            return Ok(None);
        };
        let bytes = bytes.get_mut(part.clone()).ok_or(EINVAL)?;

        self.0.user(at, bytes.len()).reader().read_slice(bytes)?;
        Ok(Some(part))
    }

    /// Has the core write all of it. Returns how many bytes it wrote.
    ///
    /// # Errors
    ///
    /// Those of `vfio_pci_core_write()`, such as `EINVAL` beyond the region.
    pub fn forward(&mut self) -> Result<usize> {
        self.forward_max(usize::MAX)
    }

    /// Has the core write at most `max` bytes.
    ///
    /// # Errors
    ///
    /// As [`forward`](Self::forward).
    pub fn forward_max(&mut self, max: usize) -> Result<usize> {
        let t = &mut self.0;

        // SAFETY: The device is open; the buffer is one of user space.
        count(unsafe {
            vfio::vfio_pci_core_write(
                t.dev.vdev(),
                t.user.as_const_ptr().cast(),
                t.len.min(max),
                &mut *t.position,
            )
        })
    }

    /// The driver took `len` bytes itself. Returns what [`Driver::write`] returns.
    ///
    /// # Errors
    ///
    /// `EINVAL` when the file position would overflow.
    pub fn complete(&mut self, len: usize) -> Result<usize> {
        self.0.complete(len)
    }
}

#[cfg(CONFIG_NOVA_CORE_VGPU_KUNIT)]
#[kernel::macros::kunit_tests(nova_vgpu_vfio_transfer)]
mod tests {
    use super::*;

    #[test]
    fn overlaps() {
        // A register of four bytes at 0x10, and transfers around it.
        let register = 0x10..0x14;

        assert_eq!(overlap(0x0, 0x100, &register), Some((0x10, 0..4)));
        assert_eq!(overlap(0x12, 1, &register), Some((0, 2..3)));
        assert_eq!(overlap(0x12, 8, &register), Some((0, 2..4)));
        assert_eq!(overlap(0xe, 4, &register), Some((2, 0..2)));
        assert_eq!(overlap(0xc, 4, &register), None);
        assert_eq!(overlap(0x14, 4, &register), None);
        assert_eq!(overlap(0x10, 0, &register), None);
        assert_eq!(overlap(u64::MAX, 4, &register), None);
    }
}
