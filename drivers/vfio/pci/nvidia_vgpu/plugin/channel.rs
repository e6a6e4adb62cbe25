// SPDX-License-Identifier: GPL-2.0

//! One message at a time to a plugin task, through the shared area.
//!
//! ```text
//!   prepare:  clear 12 KiB, write header         (before BOOTLOAD)
//!   start:    wait for the boot marker, write the header again
//!   call:     payload -> MESSAGE
//!             type, then seq -> CONTROL
//!             flush, doorbell
//!             wait until RESPONSE.seq_processed == seq
//!             result, payload <- RESPONSE, MESSAGE
//! ```
//!
//! The plugin may read the header early or late, so it is written both times; the marker must not
//! be overwritten in between. Everything read from the area is the firmware's and is compared,
//! never used as an index. A channel that has missed a deadline is broken for good: an answer may
//! still come and would be taken for a later one's.
//!
//! Source: `rpc.c` of the NVIDIA vGPU VFIO RFC v2.
//!
//! Pure: also compiled on the host by `tools/testing/host-tests`.

use super::layout::{
    self,
    control,
    response, //
};
use super::messages::MessageType;

/// How the channel reaches the shared area and the GPU.
///
/// Offsets are from the start of the management heap.
pub(crate) trait Area {
    /// Why an access failed.
    type Error;

    /// Reads one word.
    fn read32(&self, offset: u32) -> Result<u32, Self::Error>;
    /// Writes one word.
    fn write32(&self, offset: u32, value: u32) -> Result<(), Self::Error>;
    /// Reads bytes.
    fn read(&self, offset: u32, data: &mut [u8]) -> Result<(), Self::Error>;
    /// Writes bytes.
    fn write(&self, offset: u32, data: &[u8]) -> Result<(), Self::Error>;
    /// Makes everything written so far visible to the plugin, then rings its doorbell.
    fn ring(&self) -> Result<(), Self::Error>;
    /// Reads the word at `offset` until it is `value`; `Ok(false)` when time is up.
    fn wait(&self, offset: u32, value: u32, timeout_ms: u32) -> Result<bool, Self::Error>;
}

/// Why a call failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ChannelError<E> {
    /// The area or the doorbell cannot be reached.
    Area(E),
    /// The payload is longer than the message buffer.
    TooLong,
    /// No boot marker, or no answer, in time.
    Timeout,
    /// An earlier call missed its deadline.
    Broken,
    /// The plugin answered with this result code.
    Result(u32),
}

impl<E> From<E> for ChannelError<E> {
    fn from(error: E) -> Self {
        Self::Area(error)
    }
}

/// The driver's end.
#[derive(Debug)]
pub(crate) struct Channel<A> {
    area: A,
    seq: u32,
    broken: bool,
}

impl<A: Area> Channel<A> {
    /// Clears the three buffers and writes the header; to be done before BOOTLOAD.
    pub(crate) fn prepare(area: A) -> Result<Self, A::Error> {
        const ZERO: [u8; 512] = [0; 512];
        let mut offset = 0;
        while offset < layout::CLEARED_SIZE {
            area.write(offset as u32, &ZERO)?;
            offset += ZERO.len();
        }
        write_header(&area)?;
        Ok(Self {
            area,
            seq: 0,
            broken: false,
        })
    }

    /// Waits until the plugin task is up.
    ///
    /// # Errors
    /// [`ChannelError::Timeout`] without the marker after `timeout_ms`.
    pub(crate) fn start(&mut self, timeout_ms: u32) -> Result<(), ChannelError<A::Error>> {
        let marker = layout::CONTROL + control::MESSAGE_SEQ;
        if !self.area.wait(marker, control::BOOT_MARKER, timeout_ms)? {
            self.broken = true;
            return Err(ChannelError::Timeout);
        }
        write_header(&self.area)?;
        Ok(())
    }

    /// The last call was answered, or there was none.
    pub(crate) fn is_usable(&self) -> bool {
        !self.broken
    }

    /// Sends a message with `payload` and waits for the answer, whose payload replaces it.
    ///
    /// # Errors
    /// See [`ChannelError`]; `payload` is unchanged then.
    pub(crate) fn call(
        &mut self,
        message: MessageType,
        payload: &mut [u8],
        timeout_ms: u32,
    ) -> Result<(), ChannelError<A::Error>> {
        if payload.len() > layout::MESSAGE_SIZE {
            return Err(ChannelError::TooLong);
        }
        if self.broken {
            return Err(ChannelError::Broken);
        }
        if !payload.is_empty() {
            self.area.write(layout::MESSAGE, payload)?;
        }
        let seq = next_seq(self.seq);
        self.seq = seq;
        let word = |offset| layout::CONTROL + offset;
        self.area
            .write32(word(control::MESSAGE_TYPE), message as u32)?;
        self.area.write32(word(control::MESSAGE_SEQ), seq)?;
        self.area.ring()?;

        let word = |offset| layout::RESPONSE + offset;
        if !self
            .area
            .wait(word(response::SEQ_PROCESSED), seq, timeout_ms)?
        {
            self.broken = true;
            return Err(ChannelError::Timeout);
        }
        match self.area.read32(word(response::RESULT_CODE))? {
            0 => (),
            code => return Err(ChannelError::Result(code)),
        }
        if !payload.is_empty() {
            self.area.read(layout::MESSAGE, payload)?;
        }
        Ok(())
    }
}

/// Skips 0, which the cleared response buffer holds, and the boot marker.
fn next_seq(seq: u32) -> u32 {
    match seq.wrapping_add(1) {
        0 => 1,
        control::BOOT_MARKER => control::BOOT_MARKER + 1,
        next => next,
    }
}

fn write_header<A: Area>(area: &A) -> Result<(), A::Error> {
    let word = |offset| layout::CONTROL + offset;
    area.write32(word(control::VERSION), control::VERSION_1)?;
    for (offset, value) in [
        (control::RESPONSE_OFFSET, layout::RESPONSE),
        (control::MESSAGE_OFFSET, layout::MESSAGE),
        (control::MIGRATION_OFFSET, layout::MIGRATION),
        (control::ERROR_OFFSET, layout::ERROR),
    ] {
        // The offsets are 64 bits wide and small.
        area.write32(word(offset), value)?;
        area.write32(word(offset + 4), 0)?;
    }
    Ok(())
}
