// SPDX-License-Identifier: GPL-2.0

//! Access to frame buffer through the PRAMIN window, a word at a time.
//!
//! ```text
//!   BAR0 0x1700     base in 64 KiB units ---+
//!   BAR0 0x700000   +------- 1 MiB ------+  |
//!                   | frame buffer       |<-+  at base, placed on multiples of 1 MiB
//!                   +--------------------+
//! ```
//!
//! There is one window per GPU, and [`super::window`] has the lock of it. It is put back where it
//! was when the user is done: a dump tool or a console may have placed it before.

use kernel::{
    io::Io,
    prelude::*, //
};

use crate::{
    driver::Bar0,
    regs::{
        check::{
            check,
            BadRead, //
        },
        pramin::{
            NV_PBUS_BAR0_WINDOW,
            WINDOW,
            WINDOW_SIZE, //
        }, //
    },
};

/// Shift from an address to the unit of the base field.
const BASE_SHIFT: u32 = 16;

/// The window.
pub(crate) struct Pramin<'a> {
    bar: Bar0<'a>,
    /// Where it was.
    before: NV_PBUS_BAR0_WINDOW,
    base: Option<u64>,
    unflushed: bool,
}

impl<'a> Pramin<'a> {
    /// Takes the window.
    ///
    /// # Errors
    ///
    /// `ENODEV`, `EIO` if the GPU does not answer.
    pub(crate) fn new(bar: Bar0<'a>) -> Result<Self> {
        let before = bar.read(NV_PBUS_BAR0_WINDOW);
        check(u32::from(before)).map_err(to_errno)?;
        Ok(Self {
            bar,
            before,
            base: None,
            unflushed: false,
        })
    }

    /// Moves the window over `address` and returns the offset in BAR0 that shows it.
    fn place(&mut self, address: u64) -> Result<usize> {
        let base = address & !(WINDOW_SIZE - 1);
        if self.base != Some(base) {
            let units = u32::try_from(base >> BASE_SHIFT)?;
            self.bar
                .write_reg(NV_PBUS_BAR0_WINDOW::zeroed().try_with_base(units)?);
            // Posted write: nothing may be read through the window before it has moved.
            let _ = self.bar.read(NV_PBUS_BAR0_WINDOW);
            self.base = Some(base);
        }
        Ok(WINDOW + usize::try_from(address - base)?)
    }

    /// Reads the dword at `address`, a multiple of 4.
    pub(crate) fn read32(&mut self, address: u64) -> Result<u32> {
        let at = self.place(address)?;
        self.bar.try_read32(at)
    }

    /// Writes the dword at `address`, a multiple of 4.
    pub(crate) fn write32(&mut self, address: u64, value: u32) -> Result {
        let at = self.place(address)?;
        self.unflushed = true;
        self.bar.try_write32(value, at)
    }

    /// Reads the table entry at `address`, a multiple of 8, low half first.
    ///
    /// # Errors
    ///
    /// `ENODEV`, `EIO` if what was read is the pattern of a failed read, which no entry has in its
    /// high half.
    pub(crate) fn read64(&mut self, address: u64) -> Result<u64> {
        let low = self.read32(address)?;
        let high = self.read32(address + 4)?;
        check(high).map_err(to_errno)?;
        Ok(u64::from(high) << 32 | u64::from(low))
    }

    /// Writes the table entry at `address`, a multiple of 8, while the GPU may look at it.
    ///
    /// The bus may split a qword. So the half with the bits that make an entry valid, the low one,
    /// is written last when the entry appears and first when it goes.
    pub(crate) fn write64(&mut self, address: u64, value: u64) -> Result {
        // CAST: the two halves.
        let (low, high) = (value as u32, (value >> 32) as u32);
        if value == 0 {
            self.write32(address, low)?;
            self.write32(address + 4, high)
        } else {
            self.write32(address + 4, high)?;
            self.write32(address, low)
        }
    }

    /// Writes the qword at `address`, a multiple of 8, which nobody looks at yet.
    pub(crate) fn init64(&mut self, address: u64, value: u64) -> Result {
        let at = self.place(address)?;
        self.unflushed = true;
        self.bar.try_write64(value, at)
    }

    /// Makes sure that all writes so far have reached frame buffer.
    pub(crate) fn flush(&mut self) -> Result {
        if self.unflushed {
            self.read32(self.base.unwrap_or(0))?;
            self.unflushed = false;
        }
        Ok(())
    }
}

impl Drop for Pramin<'_> {
    fn drop(&mut self) {
        if self.base.is_some() {
            self.bar.write_reg(self.before);
        }
    }
}

/// errno of a read that failed.
pub(super) fn to_errno(e: BadRead) -> Error {
    match e {
        BadRead::Gone => ENODEV,
        BadRead::Blocked(_) => EIO,
    }
}
