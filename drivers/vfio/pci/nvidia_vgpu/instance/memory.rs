// SPDX-License-Identifier: GPL-2.0

//! Memory and channels of a vGPU.
//!
//! ```text
//!   Claim   says where everything is, and keeps it for this VF
//!     '-- guest FB  management heap  channels    taken from the GPU, scrubbed
//! ```

use core::ops::Range;

use kernel::{
    device,
    page::PAGE_SIZE,
    prelude::*,
    sync::Arc, //
};
use nova_core_vgpu::vgpu::{
    ChannelRange,
    FbOwner,
    FbRange,
    FbRequest,
    Gpu, //
};

use crate::admission::Claim;

/// Memory and channels of one vGPU. Fields drop in this order: the place last.
pub(super) struct Memory {
    /// Management heap.
    pub(super) heap: FbRange,
    /// Frame buffer of the guest.
    pub(super) fb: FbRange,
    /// Channels of the guest and the plugin.
    pub(super) channels: ChannelRange,
    /// The place.
    pub(super) claim: Claim,
}

impl Memory {
    /// Takes what `claim` says, of which nothing can be taken. Each failure is logged.
    ///
    /// # Errors
    ///
    /// Those of the scrub of the memory, and of the reservations.
    pub(super) fn acquire(
        dev: &device::Device,
        gpu: &Arc<Gpu>,
        claim: Claim,
        gfid: u32,
    ) -> Result<Self> {
        let place = claim.resources();
        let failed = |step: &'static str| {
            move |e: &Error| dev_err!(dev, "cannot create a vGPU: {}: {:?}\n", step, e)
        };
        let alloc = |range: &Range<u64>, align, owner| {
            gpu.alloc_fb(&FbRequest {
                size: range.end - range.start,
                align,
                fixed: Some(range.start),
                top_down: false,
                owner,
            })
        };
        let channels = gpu
            .alloc_channels(&place.channels, gfid)
            .inspect_err(failed("channels"))?;
        let segment = gpu.info().vmmu_segment_size;
        let fb =
            alloc(&place.fb, segment, FbOwner::GuestFb(gfid)).inspect_err(failed("guest FB"))?;
        let heap = alloc(&place.heap, PAGE_SIZE as u64, FbOwner::MgmtHeap(gfid))
            .inspect_err(failed("management heap"))?;
        Ok(Self {
            heap,
            fb,
            channels,
            claim,
        })
    }

    /// The firmware may go on using all of it.
    pub(super) fn quarantine(self) {
        self.heap.quarantine();
        self.fb.quarantine();
        self.channels.quarantine();
        self.claim.lose();
    }
}
