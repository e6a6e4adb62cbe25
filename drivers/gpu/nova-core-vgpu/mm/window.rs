// SPDX-License-Identifier: GPL-2.0

//! The one user of PRAMIN and of the TLB registers.
//!
//! ```text
//!   Mm::window() --lock--> Window   read, write: PRAMIN      counted
//!                                   invalidate:  flush, TLB  counted
//!   drop: PRAMIN shows what it showed before
//! ```
//!
//! Why tables are written through PRAMIN and not through BAR1, whose writes can be combined: BAR1
//! needs tables itself, so a mapping of the tables could not be changed while it is used, and the
//! first tables have no other way anyhow. What is written is little: 16 bytes for each 2 MiB of
//! frame buffer and at most 4 KiB for each 512 MiB, in posted writes without a read in between.
//! PRAMIN is never used for contents.

use kernel::{
    prelude::*,
    sync::MutexGuard, //
};

use super::{
    pramin::Pramin,
    tlb::{
        self,
        Reuse, //
    },
    walk::TableMemory, //
};
use crate::driver::Bar0;

/// What happened so far; only grows.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counters {
    /// Bytes of table entries written.
    pub(crate) table_bytes_written: u64,
    /// Bytes of table entries read.
    pub(crate) table_bytes_read: u64,
    /// Invalidations that were complete.
    pub(crate) invalidates: u64,
    /// Invalidations that were not.
    pub(crate) invalidates_failed: u64,
}

/// What the lock of the window protects, beside the registers.
#[derive(Default)]
pub(super) struct Shared {
    pub(super) counters: Counters,
    /// The last invalidation has not become complete in time.
    given_up: bool,
}

/// The window.
pub(crate) struct Window<'a> {
    bar: Bar0<'a>,
    pramin: Pramin<'a>,
    shared: MutexGuard<'a, Shared>,
}

impl<'a> Window<'a> {
    pub(super) fn new(bar: Bar0<'a>, shared: MutexGuard<'a, Shared>) -> Result<Self> {
        Ok(Self {
            bar,
            pramin: Pramin::new(bar)?,
            shared,
        })
    }

    /// Reads the dword at `address`, a multiple of 4.
    ///
    /// # Errors
    ///
    /// `EINVAL`, `EOVERFLOW` for a bad address.
    pub(crate) fn read32(&mut self, address: u64) -> Result<u32> {
        self.pramin.read32(address)
    }

    /// Writes the dword at `address`, a multiple of 4.
    ///
    /// # Errors
    ///
    /// As for [`Window::read32`].
    pub(crate) fn write32(&mut self, address: u64, value: u32) -> Result {
        self.pramin.write32(address, value)
    }

    /// Fills `[address, address + len)` with zeroes; both are multiples of 8.
    ///
    /// # Errors
    ///
    /// As for [`Window::read32`].
    pub(crate) fn zero(&mut self, address: u64, len: u64) -> Result {
        for at in (0..len).step_by(8) {
            self.pramin.init64(address + at, 0)?;
        }
        Ok(())
    }

    /// Makes sure that all writes so far have reached frame buffer.
    ///
    /// # Errors
    ///
    /// As for [`Window::read32`].
    pub(crate) fn flush(&mut self) -> Result {
        self.pramin.flush()
    }

    /// Makes the GPU see what was written, and drops the translations below the directory `pdb`.
    ///
    /// # Errors
    ///
    /// `ETIMEDOUT` if the GPU has not finished after 2 s, `ENODEV`, `EIO` if it does not answer.
    pub(super) fn invalidate(&mut self, pdb: u64, reuse: Reuse) -> Result {
        // The trigger of one that was given up is still set. Whether it is waited for or not, it
        // did not do what it should, so another one is tried.
        let busy = self.shared.given_up;
        let result = self
            .pramin
            .flush()
            .and_then(|()| tlb::invalidate(self.bar, pdb, reuse, busy));
        self.shared.given_up = result.is_err();
        match result {
            Ok(()) => self.shared.counters.invalidates += 1,
            Err(_) => self.shared.counters.invalidates_failed += 1,
        }
        result
    }
}

impl TableMemory for Window<'_> {
    type Error = Error;

    fn read64(&mut self, address: u64) -> Result<u64> {
        self.shared.counters.table_bytes_read += 8;
        self.pramin.read64(address)
    }

    fn write64(&mut self, address: u64, entry: u64) -> Result {
        self.shared.counters.table_bytes_written += 8;
        self.pramin.write64(address, entry)
    }

    fn init64(&mut self, address: u64, entry: u64) -> Result {
        self.shared.counters.table_bytes_written += 8;
        self.pramin.init64(address, entry)
    }
}
