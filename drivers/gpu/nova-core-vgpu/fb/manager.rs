// SPDX-License-Identifier: GPL-2.0

//! Frame buffer of the GPU: who has which range.
//!
//! ```text
//!   0                                                            end of the usable regions
//!   | guest FB (lowest place first, VMMU segments) ->   <- page tables, firmware heaps (top down) |
//! ```
//!
//! The regions come from the static info of GSP: what it reports as usable contains neither WPR2
//! nor its other heaps. The manager lives under a mutex of the owner; no call waits for anything.

use core::ops::Range;

use kernel::{
    device,
    prelude::*, //
};

use super::{
    ranges::{
        RangeError,
        Ranges,
        Request,
        Span, //
    },
    scrub::Scrub, //
};

/// Most ranges live at a time: two for each of 32 vGPUs, as many again for ranges that firmware
/// did not let go, and the core's own.
const MAX_RANGES: usize = 192;

/// Whom a range of frame buffer belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FbOwner {
    /// The PF driver itself.
    #[default]
    Pf,
    /// Frame buffer of the guest behind this GFID.
    GuestFb(u32),
    /// Heap of the firmware task that serves this GFID.
    MgmtHeap(u32),
    /// A former owner's, out of use because firmware did not confirm that it has let go.
    Quarantine,
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct FbRequest {
    /// Bytes; a non-zero multiple of 4 KiB.
    pub size: u64,
    /// Alignment in bytes; a power of two.
    pub align: u64,
    /// Exactly this address.
    pub fixed: Option<u64>,
    /// Search from the highest address down.
    pub top_down: bool,
    /// For the accounting.
    pub owner: FbOwner,
}

/// The frame buffer manager.
pub(crate) struct Manager {
    ranges: Ranges<FbOwner, KVVec<Span<FbOwner>>>,
    scrub: Scrub,
}

impl Manager {
    /// A manager of `regions` (start, end excluded).
    ///
    /// # Errors
    ///
    /// `EINVAL` if a region is empty or overlaps another, `ENOMEM`.
    pub(crate) fn new(regions: impl Iterator<Item = Range<u64>>) -> Result<Self> {
        let table = KVVec::from_elem(Span::default(), MAX_RANGES, GFP_KERNEL)?;
        let mut ranges = Ranges::new(table);
        for region in regions {
            ranges
                .add_region(region.start, region.end)
                .map_err(to_errno)?;
        }
        Ok(Self {
            ranges,
            scrub: Scrub::new(),
        })
    }

    /// Reserves a range.
    ///
    /// # Errors
    ///
    /// `EINVAL` for a bad size, alignment or address, `EBUSY` if the fixed range is taken,
    /// `ENOSPC` if nothing is large enough or too many ranges are live.
    pub(crate) fn reserve(&mut self, dev: &device::Device, req: &FbRequest) -> Result<Range<u64>> {
        let range = self
            .ranges
            .reserve(
                &Request {
                    size: req.size,
                    align: req.align,
                    fixed: req.fixed,
                    top_down: req.top_down,
                },
                req.owner,
            )
            .map_err(to_errno)?;
        self.scrub.before_first_use(dev, &range, req.owner);
        Ok(range)
    }

    /// Gives a range back, unless it is in quarantine.
    pub(crate) fn release(&mut self, dev: &device::Device, range: &Range<u64>) {
        if self.ranges.get(range) == Some(&FbOwner::Quarantine) {
            return;
        }
        match self.ranges.release(range) {
            Ok(owner) => self.scrub.after_last_use(range, owner),
            Err(_) => dev_err!(
                dev,
                "FB range {:#x}..{:#x} is given back but was never reserved\n",
                range.start,
                range.end
            ),
        }
    }

    /// Keeps a range out of use for ever.
    pub(crate) fn quarantine(&mut self, range: &Range<u64>) {
        self.ranges.set_owner(range, FbOwner::Quarantine);
    }

    /// Bytes that can be handed out in all.
    pub(crate) fn total(&self) -> u64 {
        self.ranges.total()
    }

    /// Bytes that are not handed out.
    pub(crate) fn free(&self) -> u64 {
        self.ranges.free()
    }

    /// The regions, as (start, end excluded).
    pub(crate) fn regions(&self) -> &[(u64, u64)] {
        self.ranges.regions()
    }

    /// Live ranges, sorted by address.
    pub(crate) fn live(&self) -> impl Iterator<Item = &Span<FbOwner>> {
        self.ranges.live()
    }

    /// State of scrubbing.
    pub(crate) fn scrub(&self) -> &Scrub {
        &self.scrub
    }
}

/// errno of a refusal.
pub(crate) fn to_errno(e: RangeError) -> Error {
    match e {
        RangeError::Invalid => EINVAL,
        RangeError::Busy => EBUSY,
        RangeError::NoSpace | RangeError::Full => ENOSPC,
        RangeError::NotFound => ENOENT,
    }
}
