// SPDX-License-Identifier: GPL-2.0

//! What the copy engine is asked to do, checked, and as methods.
//!
//! ```text
//!   Work  --chunks-->  Chunk  --commands-->  stream of methods
//! ```

use core::ops::Range;

use kernel::{
    dma::Coherent,
    prelude::*,
    sync::Arc, //
};

use super::{
    chunks::Chunk,
    methods::{
        self,
        Aperture,
        Commands,
        Physical,
        Semaphore,
        ELEMENT, //
    },
    Location, //
};
use crate::gpu::Gpu;

/// A whole fill or copy.
pub(super) enum Work {
    /// Frame buffer becomes a constant.
    Fill { fb: Range<u64>, value: u32 },
    /// Memory becomes what other memory is.
    Copy {
        from: Location,
        to: Location,
        len: u64,
    },
}

/// Whether the range is inside one of the regions that GSP-RM reports as usable: the engine uses
/// physical addresses, nothing else stops it.
fn check_video(gpu: &Gpu<'_>, range: &Range<u64>) -> Result {
    let inside = gpu
        .static_info()
        .fb_regions()
        .iter()
        .any(|region| region.start <= range.start && range.end <= region.end);

    if range.is_empty() || !inside {
        return Err(EINVAL);
    }
    Ok(())
}

fn range(start: u64, len: u64) -> Result<Range<u64>> {
    Ok(start..start.checked_add(len).ok_or(EINVAL)?)
}

impl Location {
    fn check(&self, gpu: &Gpu<'_>, len: u64) -> Result {
        match self {
            Self::Video(start) => check_video(gpu, &range(*start, len)?),
            Self::System(buffer, offset) => {
                let range = range(u64::try_from(*offset)?, len)?;
                if range.is_empty() || range.end > u64::try_from(buffer.size())? {
                    return Err(EINVAL);
                }
                Ok(())
            }
        }
    }

    /// The address `skip` bytes further on, which has been checked.
    fn physical(&self, skip: u64) -> Physical {
        match self {
            Self::Video(start) => Physical {
                aperture: Aperture::Video,
                address: start + skip,
            },
            Self::System(buffer, offset) => Physical {
                aperture: Aperture::System,
                // CAST: widening.
                address: buffer.dma_address() + *offset as u64 + skip,
            },
        }
    }

    fn buffer(&self) -> Option<Arc<Coherent<[u8]>>> {
        match self {
            Self::Video(_) => None,
            Self::System(buffer, _) => Some(buffer.clone()),
        }
    }
}

impl Work {
    /// A fill.
    ///
    /// # Errors
    ///
    /// `EINVAL` if the range is not made of whole dwords of usable frame buffer.
    pub(super) fn fill(gpu: &Gpu<'_>, fb: Range<u64>, value: u32) -> Result<Self> {
        check_video(gpu, &fb)?;
        if (fb.start | fb.end) % ELEMENT != 0 {
            return Err(EINVAL);
        }
        Ok(Self::Fill { fb, value })
    }

    /// A copy.
    ///
    /// # Errors
    ///
    /// `EINVAL` if one end is not usable frame buffer or not inside its buffer, or the two overlap.
    pub(super) fn copy(gpu: &Gpu<'_>, from: Location, to: Location, len: u64) -> Result<Self> {
        from.check(gpu, len)?;
        to.check(gpu, len)?;
        let (a, b) = (from.physical(0), to.physical(0));
        if a.aperture == b.aperture && a.address.abs_diff(b.address) < len {
            return Err(EINVAL);
        }
        Ok(Self::Copy { from, to, len })
    }

    /// Bytes.
    pub(super) fn len(&self) -> u64 {
        match self {
            Self::Fill { fb, .. } => fb.end - fb.start,
            Self::Copy { len, .. } => *len,
        }
    }

    /// The methods for a piece.
    pub(super) fn commands(&self, chunk: Chunk, done: Semaphore) -> Result<Commands> {
        let Chunk { offset, len } = chunk;
        let commands = match self {
            Self::Fill { fb, value } => {
                let dst = Physical {
                    aperture: Aperture::Video,
                    address: fb.start + offset,
                };
                methods::fill(dst, len, *value, done)
            }
            Self::Copy { from, to, .. } => {
                methods::copy(from.physical(offset), to.physical(offset), len, done)
            }
        };
        commands.map_err(|_| EINVAL)
    }

    /// System memory that hardware uses for this.
    pub(super) fn buffers(&self) -> [Option<Arc<Coherent<[u8]>>>; 2] {
        match self {
            Self::Fill { .. } => [None, None],
            Self::Copy { from, to, .. } => [from.buffer(), to.buffer()],
        }
    }
}
