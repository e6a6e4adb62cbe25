// SPDX-License-Identifier: GPL-2.0

//! Methods of the copy engine class 0xc7b5, and the two streams this driver makes of them.
//!
//! ```text
//!   0x240  semaphore    address, payload          0x410  lines   pitches, length, count
//!   0x260  phys mode    source, destination       0x700  remap   constants, components
//!   0x300  launch       starts it all
//!   0x400  offsets      source, destination
//!
//!   fill   SET_OBJECT, dst mode, dst, lines (elements), remap, semaphore, launch
//!   copy   SET_OBJECT, modes, src, dst, lines (bytes), semaphore, launch
//! ```
//!
//! Both use physical addresses, which a privileged channel may, so that nothing but the channel's
//! own buffers is ever mapped for it. The launch is not pipelined: it begins when the one before
//! has ended, and the flush is done before the semaphore is released, so a semaphore value says
//! that everything up to it is in memory.
//!
//! Pure: also compiled on the host by `tools/testing/host-tests`.
//!
//! Source: OGKM 570.144 `kernel-open/nvidia-uvm/clc7b5.h`; the fill is RM's own memset
//! (`src/nvidia/src/kernel/gpu/mem_mgr/channel_utils.c`) with components of 4 bytes.

use super::super::fifo::pushbuf::{Full, Run, SetObject, Stream, Subchannel};

/// Class of the engine.
const CLASS: u32 = 0xc7b5;

/// First address that does not fit the 49 bits of the registers.
pub(crate) const ADDRESS_LIMIT: u64 = 1 << 49;

/// Bytes of one element of a fill.
pub(crate) const ELEMENT: u64 = 4;

/// Most dwords that one of the streams takes.
pub(crate) const STREAM_WORDS: usize = 32;

/// Upper and lower register of an address.
const fn halves(address: u64) -> [u32; 2] {
    // CAST: the two halves.
    [(address >> 32) as u32, address as u32]
}

/// Where a physical address is (`SET_SRC_PHYS_MODE_TARGET`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Aperture {
    /// Frame buffer of this GPU.
    Video = 0,
    /// System memory, coherent.
    System = 1,
}

/// A physical address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Physical {
    /// Which memory.
    pub(crate) aperture: Aperture,
    /// Byte in it.
    pub(crate) address: u64,
}

/// Where the end of the work is to be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Semaphore {
    /// Address in the address space of the channel, a multiple of 4.
    pub(crate) address: u64,
    /// What is written there.
    pub(crate) payload: u32,
}

impl Run for Semaphore {
    const METHOD: u32 = 0x240;
    type Values = [u32; 3];

    fn values(&self) -> [u32; 3] {
        let [upper, lower] = halves(self.address);
        [upper, lower, self.payload]
    }
}

/// Apertures of both ends.
struct PhysMode {
    src: Aperture,
    dst: Aperture,
}

impl Run for PhysMode {
    const METHOD: u32 = 0x260;
    type Values = [u32; 2];

    fn values(&self) -> [u32; 2] {
        // CAST: the value of the field.
        [self.src as u32, self.dst as u32]
    }
}

/// Address of the source.
struct OffsetIn(u64);

impl Run for OffsetIn {
    const METHOD: u32 = 0x400;
    type Values = [u32; 2];

    fn values(&self) -> [u32; 2] {
        halves(self.0)
    }
}

/// Address of the destination.
struct OffsetOut(u64);

impl Run for OffsetOut {
    const METHOD: u32 = 0x408;
    type Values = [u32; 2];

    fn values(&self) -> [u32; 2] {
        halves(self.0)
    }
}

/// Shape of the work: one line.
struct Line {
    /// Distance to the next line in bytes; there is none, but the register is not left undefined.
    pitch: u32,
    /// Elements when remapping, else bytes.
    length: u32,
}

impl Run for Line {
    const METHOD: u32 = 0x410;
    type Values = [u32; 4];

    fn values(&self) -> [u32; 4] {
        [self.pitch, self.pitch, self.length, 1]
    }
}

/// Every element becomes this constant.
struct RemapConstant(u32);

impl RemapConstant {
    /// Component X is constant A, and is 4 bytes; there is no other component.
    const COMPONENTS: u32 = 4 | 3 << 16;
}

impl Run for RemapConstant {
    const METHOD: u32 = 0x700;
    type Values = [u32; 3];

    fn values(&self) -> [u32; 3] {
        [self.0, 0, Self::COMPONENTS]
    }
}

/// Starts the work.
struct Launch(u32);

impl Launch {
    const NON_PIPELINED: u32 = 2;
    const FLUSH: u32 = 1 << 2;
    const RELEASE_ONE_WORD: u32 = 1 << 3;
    const INTERRUPT_NON_BLOCKING: u32 = 2 << 5;
    const SRC_PITCH: u32 = 1 << 7;
    const DST_PITCH: u32 = 1 << 8;
    const REMAP: u32 = 1 << 10;
    const SRC_PHYSICAL: u32 = 1 << 12;
    const DST_PHYSICAL: u32 = 1 << 13;
    const DISABLE_PLC: u32 = 1 << 26;

    /// What both streams have.
    const COMMON: u32 = Self::NON_PIPELINED
        | Self::FLUSH
        | Self::RELEASE_ONE_WORD
        | Self::INTERRUPT_NON_BLOCKING
        | Self::SRC_PITCH
        | Self::DST_PITCH
        | Self::DST_PHYSICAL
        | Self::DISABLE_PLC;
}

impl Run for Launch {
    const METHOD: u32 = 0x300;
    type Values = [u32; 1];

    fn values(&self) -> [u32; 1] {
        [self.0]
    }
}

/// Why there is no stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadStream {
    /// An address or a length does not fit the registers.
    Range,
    /// It is too long.
    Full,
}

impl From<Full> for BadStream {
    fn from(_: Full) -> Self {
        Self::Full
    }
}

/// A stream of this file.
pub(crate) type Commands = Stream<STREAM_WORDS>;

fn check(address: u64, len: u64) -> Result<u32, BadStream> {
    match address.checked_add(len) {
        Some(end) if len != 0 && end <= ADDRESS_LIMIT => {
            u32::try_from(len).map_err(|_| BadStream::Range)
        }
        _ => Err(BadStream::Range),
    }
}

/// Fills `len` bytes at `dst` with `value`; both are multiples of [`ELEMENT`].
pub(crate) fn fill(
    dst: Physical,
    len: u64,
    value: u32,
    done: Semaphore,
) -> Result<Commands, BadStream> {
    let bytes = check(dst.address, len)?;
    if (dst.address | len) % ELEMENT != 0 {
        return Err(BadStream::Range);
    }
    let mut stream = Stream::new(Subchannel::COPY);

    stream.push(&SetObject(CLASS))?;
    stream.push(&PhysMode {
        src: dst.aperture,
        dst: dst.aperture,
    })?;
    stream.push(&OffsetOut(dst.address))?;
    stream.push(&Line {
        pitch: bytes,
        // CAST: 4.
        length: bytes / ELEMENT as u32,
    })?;
    stream.push(&RemapConstant(value))?;
    stream.push(&done)?;
    stream.push(&Launch(Launch::COMMON | Launch::REMAP))?;
    Ok(stream)
}

/// Copies `len` bytes from `src` to `dst`.
pub(crate) fn copy(
    src: Physical,
    dst: Physical,
    len: u64,
    done: Semaphore,
) -> Result<Commands, BadStream> {
    let bytes = check(src.address, len)?;
    check(dst.address, len)?;
    let mut stream = Stream::new(Subchannel::COPY);

    stream.push(&SetObject(CLASS))?;
    stream.push(&PhysMode {
        src: src.aperture,
        dst: dst.aperture,
    })?;
    stream.push(&OffsetIn(src.address))?;
    stream.push(&OffsetOut(dst.address))?;
    stream.push(&Line {
        pitch: bytes,
        length: bytes,
    })?;
    stream.push(&done)?;
    stream.push(&Launch(Launch::COMMON | Launch::SRC_PHYSICAL))?;
    Ok(stream)
}

#[cfg(test)]
#[path = "methods/tests.rs"]
mod tests;
