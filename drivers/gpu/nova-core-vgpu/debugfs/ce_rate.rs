// SPDX-License-Identifier: GPL-2.0

//! How fast the copy engine fills, with all that the driver does around it.
//!
//! ```text
//!   reserve 24 GiB, or the half of it, or ... --> time of one fill --> give it back
//! ```

use kernel::{
    prelude::*,
    sizes::*,
    sync::Arc,
    time::{
        Delta,
        Instant,
        Monotonic, //
    }, //
};

use crate::{
    mm::pagetable::PAGE_SIZE,
    vgpu::{
        FbOwner,
        FbRange,
        FbRequest,
        Gpu, //
    },
};

/// Bytes of a fill: those of a vGPU that has half of a large board.
const MOST: u64 = 24 * u64::SZ_1G;
const LEAST: u64 = u64::SZ_1G;

/// Bytes that were filled, and the time it took.
pub(super) fn measure(gpu: &Arc<Gpu>) -> Result<(u64, Delta)> {
    let fb = reserve(gpu)?;
    let start = Instant::<Monotonic>::now();

    gpu.fill(&fb, 0..fb.size(), 0)?;
    Ok((fb.size(), start.elapsed()))
}

/// As much frame buffer as there is in one piece, more or less.
fn reserve(gpu: &Arc<Gpu>) -> Result<FbRange> {
    let mut size = MOST;

    loop {
        let request = FbRequest {
            size,
            align: PAGE_SIZE,
            fixed: None,
            top_down: true,
            owner: FbOwner::Pf,
        };
        match gpu.alloc_fb(&request) {
            Err(ENOSPC) if size > LEAST => size /= 2,
            result => return result,
        }
    }
}
