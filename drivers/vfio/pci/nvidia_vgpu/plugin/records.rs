// SPDX-License-Identifier: GPL-2.0

//! What can be read of the shared area, while a vGPU is there and afterwards.
//!
//! ```text
//!            open                           close, between SHUTDOWN and CLEANUP
//!   Nothing ------> Live: through BAR1 --------------------------------------> Kept: a copy
//!                     ^                                                          |
//!                     '-------------------------- open --------------------------'
//!
//!   control  response  error  init task log  vGPU task log  kernel log      (message and migration
//!                                                                           buffers are the guest's)
//! ```
//!
//! The lock is innermost. It is held for the access to BAR1 alone, of a page at most, or for the
//! copy at the end, so that the frame buffer behind the window is not kept from its next owner by
//! somebody who reads slowly. Memory for the copy is there before it is needed.

use kernel::{
    new_mutex,
    prelude::*,
    sync::{
        Arc,
        Mutex, //
    },
};
use nova_core_vgpu::vgpu::Bar1Mapping;

use super::{
    layout::{
        self,
        control,
        response, //
    },
    report::{
        self,
        Report, //
    },
};

/// A part of the shared area.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Control buffer.
    Control,
    /// Response buffer.
    Response,
    /// Error buffer.
    Errors,
    /// Log of the init task.
    InitTaskLog,
    /// Log of the vGPU task.
    VgpuTaskLog,
    /// Log of the plugin's kernel.
    KernelLog,
}

impl Part {
    const ALL: [Self; 6] = [
        Self::Control,
        Self::Response,
        Self::Errors,
        Self::InitTaskLog,
        Self::VgpuTaskLog,
        Self::KernelLog,
    ];

    /// Offset in the shared area, and bytes.
    fn place(self) -> (usize, usize) {
        // CAST: `usize` has 64 bits on every architecture with this device.
        let log = |log: layout::Log| (log.offset as usize, log.size as usize);
        match self {
            Self::Control => (layout::CONTROL as usize, control::USED),
            Self::Response => (layout::RESPONSE as usize, response::USED),
            Self::Errors => (layout::ERROR as usize, layout::ERROR_SIZE),
            Self::InitTaskLog => log(layout::INIT_TASK_LOG),
            Self::VgpuTaskLog => log(layout::VGPU_TASK_LOG),
            Self::KernelLog => log(layout::KERNEL_LOG),
        }
    }

    /// Bytes worth keeping. What was never written in a log need not be read through BAR1.
    fn used(self, mapping: &Bar1Mapping) -> Result<usize> {
        let (offset, size) = self.place();
        match self {
            Self::Control | Self::Response | Self::Errors => Ok(size),
            Self::InitTaskLog | Self::VgpuTaskLog | Self::KernelLog => {
                let mut put = [0; size_of::<u64>()];
                mapping.read(offset, &mut put)?;
                Ok(report::log_used(u64::from_le_bytes(put), size))
            }
        }
    }
}

enum Source {
    Nothing,
    Live(Arc<Bar1Mapping>),
    Kept,
}

struct State {
    source: Source,
    /// One per part.
    kept: [KVVec<u8>; Part::ALL.len()],
}

/// The shared area of the vGPU that a VF has, or of the last one that it had.
#[pin_data]
pub(crate) struct Records {
    #[pin]
    state: Mutex<State>,
}

impl Records {
    /// Nothing to read.
    pub(super) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            state <- new_mutex!(State {
                source: Source::Nothing,
                kept: [const { KVVec::new() }; Part::ALL.len()],
            }),
        })
    }

    /// A task is about to use the area that `mapping` shows.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(super) fn begin(&self, mapping: Arc<Bar1Mapping>) -> Result {
        let mut state = self.state.lock();
        for (part, kept) in Part::ALL.iter().zip(&mut state.kept) {
            kept.clear();
            kept.reserve(part.place().1, GFP_KERNEL)?;
        }
        state.source = Source::Live(mapping);
        Ok(())
    }

    /// The task has ended, and firmware is about to take the area back: keeps a copy, or nothing if it
    /// cannot be read any more.
    pub(super) fn keep(&self) {
        let mut state = self.state.lock();
        let State { source, kept } = &mut *state;
        let Source::Live(mapping) = source else {
            return;
        };
        let copied = Part::ALL
            .iter()
            .zip(kept.iter_mut())
            .try_for_each(|(part, kept)| {
                let used = part.used(mapping)?;
                // Within the capacity.
                kept.resize(used, 0, GFP_KERNEL)?;
                mapping.read(part.place().0, kept)
            });
        *source = match copied {
            Ok(()) => Source::Kept,
            Err(_) => Source::Nothing,
        };
    }

    /// Reads a part from offset `at` on; 0 at its end, and when there is nothing to read.
    ///
    /// # Errors
    ///
    /// `EIO` when the GPU is lost.
    pub(crate) fn read(&self, part: Part, at: usize, out: &mut [u8]) -> Result<usize> {
        let state = self.state.lock();
        let kept = match &state.source {
            Source::Nothing => return Ok(0),
            Source::Live(mapping) => {
                let (offset, size) = part.place();
                let len = size.saturating_sub(at).min(out.len());
                if let Some(out) = out.get_mut(..len).filter(|out| !out.is_empty()) {
                    mapping.read(offset + at, out)?;
                }
                return Ok(len);
            }
            Source::Kept => Part::ALL.iter().zip(&state.kept).find(|(p, _)| **p == part),
        };
        let rest = kept.and_then(|(_, kept)| kept.get(at..)).unwrap_or(&[]);
        let len = rest.len().min(out.len());
        if let (Some(out), Some(rest)) = (out.get_mut(..len), rest.get(..len)) {
            out.copy_from_slice(rest);
        }
        Ok(len)
    }

    /// The words that the task has written, and whether it is still there.
    ///
    /// # Errors
    ///
    /// `ENODATA` when there is nothing to read, `EIO` when the GPU is lost.
    pub(crate) fn report(&self) -> Result<(Report, &'static str)> {
        let mut control = [0; control::USED];
        let mut response = [0; response::USED];
        if self.read(Part::Control, 0, &mut control)? != control.len()
            || self.read(Part::Response, 0, &mut response)? != response.len()
        {
            return Err(ENODATA);
        }
        let place = match self.state.lock().source {
            Source::Nothing => return Err(ENODATA),
            Source::Live(_) => "live",
            Source::Kept => "kept",
        };
        Ok((Report::decode(&control, &response), place))
    }
}
