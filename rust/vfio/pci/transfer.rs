// SPDX-License-Identifier: GPL-2.0

//! `read()` and `write()` of the device file.
//!
//! ```text
//!   file offset    |<------------------ len ------------------>|
//!   region bytes   offset                                      offset + len
//!   in pieces      |- forward_part() -|- put() -|-- fill() ----|            a read
//!                  |- forward_part() -|- get() -|   dropped    |            a write
//! ```
//!
//! A driver answers piece by piece: what it leaves to the core is forwarded, the rest is its own.
//! What the core would answer for its bytes never reaches user space. Then it
//! [completes](Read::complete) the transfer.

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
    /// File offset of the first byte.
    start: u64,
}

impl<T: Driver> Transfer<'_, T> {
    fn offset(&self) -> u64 {
        uapi::split(self.start).1
    }

    /// Bytes `range` of the transfer in user memory.
    ///
    /// # Errors
    ///
    /// `EINVAL` when the transfer does not have them.
    fn user(&self, range: &Range<usize>) -> Result<UserPtr> {
        if range.start > range.end || range.end > self.len {
            return Err(EINVAL);
        }
        Ok(self.user.wrapping_byte_add(range.start))
    }

    /// File offset of byte `at` of the transfer.
    fn position_of(&self, at: usize) -> Result<bindings::loff_t> {
        let position = self.start.checked_add(u64::try_from(at)?).ok_or(EINVAL)?;

        Ok(position.try_into()?)
    }

    /// The transfer is over after `len` bytes.
    fn complete(&mut self, len: usize) -> Result<usize> {
        let len = len.min(self.len);

        *self.position = self.position_of(len)?;
        Ok(len)
    }
}

/// Turns the result of a core function into a count.
#[inline]
fn count(ret: isize) -> Result<usize> {
    // CAST: A negative result is an errno.
    usize::try_from(ret).map_err(|_| Error::from_errno(ret as c_int))
}

/// A `read()` in progress.
pub struct Read<'a, T: Driver>(Transfer<'a, T>);

/// A `write()` in progress.
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

    /// Number of bytes wanted.
    #[allow(clippy::len_without_is_empty, reason = "not a container")]
    pub fn len(&self) -> usize {
        self.0.len
    }

    /// The device is open.
    pub fn enabled(&self) -> Enabled<'_, T> {
        // SAFETY: By the requirements of `new`.
        unsafe { Enabled::new(self.0.dev) }
    }

    /// Has the core answer bytes `range` of the transfer. Returns how many bytes it answered.
    ///
    /// # Errors
    ///
    /// Those of `vfio_pci_core_read()`, such as `EINVAL` beyond the region.
    pub fn forward_part(&mut self, range: Range<usize>) -> Result<usize> {
        let mut position = self.0.position_of(range.start)?;
        let user = self.0.user(&range)?;

        // SAFETY: The device is open; the buffer is one of user space.
        count(unsafe {
            vfio::vfio_pci_core_read(
                self.0.dev.vdev(),
                user.as_mut_ptr().cast(),
                range.len(),
                &mut position,
            )
        })
    }

    /// Answers with `bytes` from byte `at` of the transfer on.
    ///
    /// # Errors
    ///
    /// `EFAULT` when the buffer of the caller is bad, `EINVAL` when it is too short.
    pub fn put(&mut self, at: usize, bytes: &[u8]) -> Result {
        let end = at.checked_add(bytes.len()).ok_or(EINVAL)?;
        let user = self.0.user(&(at..end))?;

        UserSlice::new(user, bytes.len())
            .writer()
            .write_slice(bytes)
    }

    /// Answers bytes `range` of the transfer with `value`.
    ///
    /// # Errors
    ///
    /// As [`put`](Self::put).
    pub fn fill(&mut self, range: Range<usize>, value: u8) -> Result {
        let chunk = [value; 64];
        let user = self.0.user(&range)?;
        let mut writer = UserSlice::new(user, range.len()).writer();

        while !writer.is_empty() {
            let len = chunk.len().min(writer.len());

            writer.write_slice(&chunk[..len])?;
        }
        Ok(())
    }

    /// The first `len` bytes have been answered. Returns what [`Driver::read`] returns.
    ///
    /// # Errors
    ///
    /// `EINVAL` when the file position would overflow.
    pub fn complete(&mut self, len: usize) -> Result<usize> {
        self.0.complete(len)
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

    /// Copies what is written from byte `at` of the transfer on to `bytes`.
    ///
    /// Memory of user space may change between two calls: what was copied is what counts.
    ///
    /// # Errors
    ///
    /// `EFAULT` when the buffer of the caller is bad, `EINVAL` when it is too short.
    pub fn get(&self, at: usize, bytes: &mut [u8]) -> Result {
        let end = at.checked_add(bytes.len()).ok_or(EINVAL)?;
        let user = self.0.user(&(at..end))?;

        UserSlice::new(user, bytes.len()).reader().read_slice(bytes)
    }

    /// Has the core write bytes `range` of the transfer. Returns how many bytes it wrote.
    ///
    /// # Errors
    ///
    /// Those of `vfio_pci_core_write()`, such as `EINVAL` beyond the region.
    pub fn forward_part(&mut self, range: Range<usize>) -> Result<usize> {
        let mut position = self.0.position_of(range.start)?;
        let user = self.0.user(&range)?;

        // SAFETY: The device is open; the buffer is one of user space.
        count(unsafe {
            vfio::vfio_pci_core_write(
                self.0.dev.vdev(),
                user.as_const_ptr().cast(),
                range.len(),
                &mut position,
            )
        })
    }

    /// The first `len` bytes have been taken. Returns what [`Driver::write`] returns.
    ///
    /// # Errors
    ///
    /// `EINVAL` when the file position would overflow.
    pub fn complete(&mut self, len: usize) -> Result<usize> {
        self.0.complete(len)
    }
}
