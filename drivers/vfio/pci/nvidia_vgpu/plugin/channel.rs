// SPDX-License-Identifier: GPL-2.0

//! One message at a time to a plugin task, through the shared area.
//!
//! ```text
//!   prepare:  clear 12 KiB, write header         (before BOOTLOAD)
//!   start:    wait for the boot marker, write the header again
//!   call:     payload -> MESSAGE
//!             type, then seq -> CONTROL
//!             flush, doorbell
//!             wait until RESPONSE.seq_processed == seq     (nothing announces it, see `pace`)
//!             result, payload <- RESPONSE, MESSAGE
//! ```
//!
//! The plugin may read the header early or late, so it is written both times; the marker must not
//! be overwritten in between. Everything read from the area is the firmware's and is compared,
//! never used as an index. Each word is read once: the firmware can change it at any time. A channel
//! whose wait has ended without an answer, or that could not be reached, is broken for good: an
//! answer may still come and would be taken for a later one's.
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

/// For how long to wait, and whether a fatal signal ends that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Patience {
    /// Milliseconds.
    pub(crate) timeout_ms: u32,
    /// Whoever waits may be killed.
    pub(crate) killable: bool,
}

/// How a wait has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waited {
    /// The word is there. Whatever was written before it is seen by reads from now on.
    Seen,
    /// Time is up.
    TimeUp,
    /// Whoever waited is being killed.
    Killed,
    /// The plugin task has crashed.
    Crashed,
    /// The GPU is lost.
    Lost,
}

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
    /// Reads the word at `offset` until it is `value`.
    fn wait(&self, offset: u32, value: u32, patience: Patience) -> Result<Waited, Self::Error>;
}

/// Why a call failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ChannelError<E> {
    /// The area or the doorbell cannot be reached.
    Area(E),
    /// The payload is longer than the message buffer.
    TooLong,
    /// No boot marker, or no answer, in time. `taken`: the plugin has taken the message up.
    Timeout {
        /// Whether the plugin has said that it has the message.
        taken: bool,
    },
    /// Whoever waited is being killed.
    Killed,
    /// The plugin task has crashed.
    Crashed,
    /// The GPU is lost.
    Lost,
    /// An earlier call ended without an answer.
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
    /// [`ChannelError::Timeout`] without the marker in time, and how else a wait can end.
    pub(crate) fn start(&mut self, patience: Patience) -> Result<(), ChannelError<A::Error>> {
        let marker = layout::CONTROL + control::MESSAGE_SEQ;
        self.broken = true;
        self.wait(marker, control::BOOT_MARKER, patience)?;
        write_header(&self.area)?;
        self.broken = false;
        Ok(())
    }

    /// Every call so far was answered.
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
        patience: Patience,
    ) -> Result<(), ChannelError<A::Error>> {
        if payload.len() > layout::MESSAGE_SIZE {
            return Err(ChannelError::TooLong);
        }
        if self.broken {
            return Err(ChannelError::Broken);
        }
        // Until there is an answer.
        self.broken = true;
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
        self.wait(word(response::SEQ_PROCESSED), seq, patience)?;
        let result = self.area.read32(word(response::RESULT_CODE))?;
        self.broken = false;
        match result {
            0 => (),
            code => return Err(ChannelError::Result(code)),
        }
        if !payload.is_empty() {
            self.area.read(layout::MESSAGE, payload)?;
        }
        Ok(())
    }

    /// The way to the shared area.
    pub(crate) fn area(&self) -> &A {
        &self.area
    }

    fn wait(
        &self,
        offset: u32,
        value: u32,
        patience: Patience,
    ) -> Result<(), ChannelError<A::Error>> {
        match self.area.wait(offset, value, patience)? {
            Waited::Seen => Ok(()),
            Waited::TimeUp => {
                let received = layout::RESPONSE + response::SEQ_RECEIVED;
                let taken = self.seq != 0 && self.area.read32(received)? == self.seq;
                Err(ChannelError::Timeout { taken })
            }
            Waited::Killed => Err(ChannelError::Killed),
            Waited::Crashed => Err(ChannelError::Crashed),
            Waited::Lost => Err(ChannelError::Lost),
        }
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
