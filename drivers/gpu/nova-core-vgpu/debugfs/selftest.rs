// SPDX-License-Identifier: GPL-2.0

//! Self-test of the path CPU -> BAR1 -> page tables -> frame buffer.
//!
//! ```text
//!   reserve FB -> map -> write pattern through BAR1 -> compare through PRAMIN
//!                        write through PRAMIN -> compare through BAR1
//!                 map a second range -> must not show the first one's pattern
//!   everything is given back at the end, whatever happened
//! ```

use kernel::{
    prelude::*,
    sizes::*,
    sync::Arc, //
};

use crate::{
    mm::pagetable::PAGE_SIZE,
    vgpu::{
        FbOwner,
        FbRequest,
        Gpu, //
    }, //
};

/// Distance of the dwords that are checked: not a multiple of a page, so that different offsets
/// in a page are met.
const STRIDE: usize = 4096 + 68;

/// What went wrong.
pub(super) struct Failure {
    pub(super) step: &'static str,
    pub(super) error: Error,
}

trait Step<T> {
    fn step(self, step: &'static str) -> Result<T, Failure>;
}

impl<T> Step<T> for Result<T> {
    fn step(self, step: &'static str) -> Result<T, Failure> {
        self.map_err(|error| Failure { step, error })
    }
}

fn expect(step: &'static str, ok: bool) -> Result<(), Failure> {
    if ok {
        Ok(())
    } else {
        Err(Failure { step, error: EIO })
    }
}

fn pattern(address: u64) -> u32 {
    // CAST: the low half is enough to tell addresses apart.
    (address as u32).rotate_left(7) ^ 0xa5c3_0f1e
}

/// Runs the test.
pub(super) fn bar1(gpu: &Arc<Gpu>) -> Result<(), Failure> {
    // 2 MiB leaves with a tail of small pages, then small pages only.
    one(gpu, u64::SZ_4M + 3 * PAGE_SIZE, u64::SZ_2M, 0)?;
    one(gpu, 5 * PAGE_SIZE, PAGE_SIZE, 2 * PAGE_SIZE)
}

fn one(gpu: &Arc<Gpu>, size: u64, align: u64, offset: u64) -> Result<(), Failure> {
    let request = FbRequest {
        size,
        align,
        fixed: None,
        top_down: true,
        owner: FbOwner::Pf,
    };
    let fb = gpu.alloc_fb(&request).step("reserve FB")?;
    let other = gpu.alloc_fb(&request).step("reserve more FB")?;
    let map = gpu
        .map_bar1(&fb, offset, size - offset)
        .step("map through BAR1")?;
    let other_map = gpu
        .map_bar1(&other, offset, size - offset)
        .step("map more through BAR1")?;
    let start = fb.address() + offset;

    other_map.zero().step("clear through BAR1")?;
    for at in (0..map.len()).step_by(STRIDE) {
        // CAST: `usize` has 64 bits on every architecture with this device.
        map.write32(at, pattern(start + at as u64))
            .step("write through BAR1")?;
    }
    map.flush().step("flush")?;
    for at in (0..map.len()).step_by(STRIDE) {
        let address = start + at as u64;
        let seen = gpu.peek(address).step("read through PRAMIN")?;
        expect("compare through PRAMIN", seen == pattern(address))?;
        let seen = other_map
            .read32(at)
            .step("read through the other mapping")?;
        expect("keep mappings apart", seen == 0)?;
    }
    for at in (0..map.len()).step_by(STRIDE) {
        let address = start + at as u64;
        gpu.poke(address, !pattern(address))
            .step("write through PRAMIN")?;
        let seen = map.read32(at).step("read through BAR1")?;
        expect("compare through BAR1", seen == !pattern(address))?;
    }
    let end = map.len();
    expect("refuse the end", map.read32(end) == Err(ERANGE))
}
