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
//! There is one window per GPU: whoever makes a [`Pramin`] holds the lock of the only user, the
//! page tables of BAR1.

use kernel::{
    io::Io,
    prelude::*, //
};

use crate::{
    driver::Bar0,
    regs::pramin::{
        NV_PBUS_BAR0_WINDOW,
        WINDOW,
        WINDOW_SIZE, //
    },
};

/// Shift from an address to the unit of the base field.
const BASE_SHIFT: u32 = 16;

/// The window.
pub(crate) struct Pramin<'a> {
    bar: Bar0<'a>,
    base: Option<u64>,
}

impl<'a> Pramin<'a> {
    /// Takes the window; where it is, is not known.
    pub(crate) fn new(bar: Bar0<'a>) -> Self {
        Self { bar, base: None }
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
        self.bar.try_write32(value, at)
    }

    /// Reads the qword at `address`, a multiple of 8, low half first.
    pub(crate) fn read64(&mut self, address: u64) -> Result<u64> {
        let low = self.read32(address)?;
        let high = self.read32(address + 4)?;
        Ok(u64::from(high) << 32 | u64::from(low))
    }

    /// Writes the qword at `address`, a multiple of 8.
    ///
    /// The half with the bits that make a page-table entry valid, the low one, is written last
    /// when the entry appears and first when it goes.
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

    /// Fills `[address, address + len)` with zeroes; both are multiples of 8.
    pub(crate) fn zero(&mut self, address: u64, len: u64) -> Result {
        for offset in (0..len).step_by(4) {
            self.write32(address + offset, 0)?;
        }
        Ok(())
    }

    /// Makes sure that all writes so far have reached frame buffer.
    pub(crate) fn flush(&mut self) -> Result {
        let base = self.base.unwrap_or(0);
        self.read32(base).map(|_| ())
    }
}
