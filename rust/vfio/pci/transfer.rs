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
//! [completes](Transfer::complete) the transfer.

use core::{
    marker::PhantomData,
    ops::Range, //
};
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

/// Which way the bytes of a transfer go.
pub trait Direction {
    /// The core's function for all of an access at `position`.
    ///
    /// # Safety
    ///
    /// The device must be open.
    #[doc(hidden)]
    unsafe fn forward<T: Driver>(
        dev: &Device<T>,
        user: UserPtr,
        len: usize,
        position: &mut bindings::loff_t,
    ) -> isize;
}

/// The direction of a [`Read`].
pub enum ToUser {}

impl Direction for ToUser {
    unsafe fn forward<T: Driver>(
        dev: &Device<T>,
        user: UserPtr,
        len: usize,
        position: &mut bindings::loff_t,
    ) -> isize {
        // SAFETY: The device is open; the buffer is one of user space.
        unsafe { vfio::vfio_pci_core_read(dev.vdev(), user.as_mut_ptr().cast(), len, position) }
    }
}

/// The direction of a [`Write`].
pub enum FromUser {}

impl Direction for FromUser {
    unsafe fn forward<T: Driver>(
        dev: &Device<T>,
        user: UserPtr,
        len: usize,
        position: &mut bindings::loff_t,
    ) -> isize {
        // SAFETY: The device is open; the buffer is one of user space.
        unsafe { vfio::vfio_pci_core_write(dev.vdev(), user.as_const_ptr().cast(), len, position) }
    }
}

/// A `read()` or `write()` in progress.
pub struct Transfer<'a, T: Driver, D: Direction> {
    dev: &'a Device<T>,
    user: UserPtr,
    len: usize,
    position: &'a mut bindings::loff_t,
    /// File offset of the first byte.
    start: u64,
    _direction: PhantomData<D>,
}

/// A `read()` in progress.
pub type Read<'a, T> = Transfer<'a, T, ToUser>;

/// A `write()` in progress.
pub type Write<'a, T> = Transfer<'a, T, FromUser>;

/// Turns the result of a core function into a count.
#[inline]
fn count(ret: isize) -> Result<usize> {
    // CAST: A negative result is an errno.
    usize::try_from(ret).map_err(|_| Error::from_errno(ret as c_int))
}

impl<'a, T: Driver, D: Direction> Transfer<'a, T, D> {
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
            dev,
            user: UserPtr::from_ptr(user),
            len,
            start: u64::try_from(*position).map_err(|_| EINVAL)?,
            position,
            _direction: PhantomData,
        })
    }

    /// The region, see [`uapi::region`].
    pub fn region(&self) -> u32 {
        uapi::split(self.start).0
    }

    /// Offset of the first byte in the region; nobody has checked it against the size of the region.
    pub fn offset(&self) -> u64 {
        uapi::split(self.start).1
    }

    /// Number of bytes wanted, or written.
    #[allow(clippy::len_without_is_empty, reason = "not a container")]
    pub fn len(&self) -> usize {
        self.len
    }

    /// The device is open.
    pub fn enabled(&self) -> Enabled<'_, T> {
        // SAFETY: By the requirements of `new`.
        unsafe { Enabled::new(self.dev) }
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

    /// Has the core read or write bytes `range` of the transfer. Returns how many bytes it did.
    ///
    /// # Errors
    ///
    /// Those of `vfio_pci_core_read()` and `vfio_pci_core_write()`, such as `EINVAL` beyond the
    /// region.
    pub fn forward_part(&mut self, range: Range<usize>) -> Result<usize> {
        let mut position = self.position_of(range.start)?;
        let user = self.user(&range)?;

        // SAFETY: By the requirements of `new`.
        count(unsafe { D::forward(self.dev, user, range.len(), &mut position) })
    }

    /// The first `len` bytes have been answered or taken. Returns what [`Driver::read`] and
    /// [`Driver::write`] return.
    ///
    /// # Errors
    ///
    /// `EINVAL` when the file position would overflow.
    pub fn complete(&mut self, len: usize) -> Result<usize> {
        let len = len.min(self.len);

        *self.position = self.position_of(len)?;
        Ok(len)
    }
}

impl<T: Driver> Read<'_, T> {
    /// Answers with `bytes` from byte `at` of the transfer on.
    ///
    /// # Errors
    ///
    /// `EFAULT` when the buffer of the caller is bad, `EINVAL` when it is too short.
    pub fn put(&mut self, at: usize, bytes: &[u8]) -> Result {
        let end = at.checked_add(bytes.len()).ok_or(EINVAL)?;
        let user = self.user(&(at..end))?;

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
        let user = self.user(&range)?;
        let mut writer = UserSlice::new(user, range.len()).writer();

        while !writer.is_empty() {
            let len = chunk.len().min(writer.len());

            writer.write_slice(&chunk[..len])?;
        }
        Ok(())
    }
}

impl<T: Driver> Write<'_, T> {
    /// Copies what is written from byte `at` of the transfer on to `bytes`.
    ///
    /// Memory of user space may change between two calls: what was copied is what counts.
    ///
    /// # Errors
    ///
    /// `EFAULT` when the buffer of the caller is bad, `EINVAL` when it is too short.
    pub fn get(&self, at: usize, bytes: &mut [u8]) -> Result {
        let end = at.checked_add(bytes.len()).ok_or(EINVAL)?;
        let user = self.user(&(at..end))?;

        UserSlice::new(user, bytes.len()).reader().read_slice(bytes)
    }
}
