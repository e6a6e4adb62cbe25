// SPDX-License-Identifier: GPL-2.0

//! Mapped memory: a BAR, or what a device may reach by DMA.
//!
//! Somebody else may change it at any time, so it is only accessed as 32-bit words, volatile.

use memmap2::{MmapMut, MmapOptions, MmapRaw};
use std::io;
use std::os::fd::AsRawFd;

/// A mapping, which ends when it is dropped.
pub struct Memory(MmapRaw);

impl Memory {
    /// Maps `len` bytes at `offset` of the file of a device.
    pub fn of_device(device: &impl AsRawFd, offset: u64, len: usize) -> io::Result<Self> {
        MmapOptions::new()
            .offset(offset)
            .len(len)
            .map_raw(device.as_raw_fd())
            .map(Self)
    }

    /// Anonymous memory of `len` bytes.
    pub fn anonymous(len: usize) -> io::Result<Self> {
        MmapMut::map_anon(len).map(|map| Self(map.into()))
    }

    /// Where it begins.
    pub fn as_mut_ptr(&self) -> *mut u8 {
        self.0.as_mut_ptr()
    }

    /// Its size in bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    fn word(&self, offset: usize) -> *mut u32 {
        assert!(offset.is_multiple_of(4) && offset < self.0.len() && self.0.len() - offset >= 4);
        self.0.as_mut_ptr().wrapping_add(offset).cast()
    }

    /// The word at `offset`, which must be aligned and inside.
    pub fn read(&self, offset: usize) -> u32 {
        // SAFETY: `word` has checked that the word is aligned and inside of a mapping that lives
        // as long as `self`.
        unsafe { self.word(offset).read_volatile() }
    }

    /// Writes the word at `offset`, which must be aligned and inside.
    pub fn write(&self, offset: usize, value: u32) {
        // SAFETY: as in `read`; no reference to the memory exists.
        unsafe { self.word(offset).write_volatile(value) }
    }
}
