// SPDX-License-Identifier: GPL-2.0

//! Where frame buffer is cleared between two tenants.
//!
//! ```text
//!   reserve --> before_first_use --> owner --> after_last_use --> release
//!                    |                              |
//!                    +---- a copy engine would -----+
//!                          fill the range here
//! ```
//!
//! There is no copy-engine channel yet, so nothing is cleared: a guest can read what the one
//! before it left. That is said once in the log, and counted for debugfs.

use core::ops::Range;

use kernel::{
    device,
    prelude::*, //
};

use super::manager::FbOwner;

/// What is known about clearing.
pub(crate) struct Scrub {
    reported: bool,
    unscrubbed: u64,
}

impl Scrub {
    pub(super) const fn new() -> Self {
        Self {
            reported: false,
            unscrubbed: 0,
        }
    }

    /// Called with every range that is about to get an owner.
    pub(super) fn before_first_use(
        &mut self,
        dev: &device::Device,
        _range: &Range<u64>,
        owner: FbOwner,
    ) {
        if !matters(owner) {
            return;
        }
        self.unscrubbed += 1;
        if !self.reported {
            self.reported = true;
            dev_warn!(
                dev,
                "FB scrubbing is missing: a vGPU can read what the one before it left\n"
            );
        }
    }

    /// Called with every range that has lost its owner.
    pub(super) fn after_last_use(&mut self, _range: &Range<u64>, _owner: FbOwner) {}

    /// Word for debugfs.
    pub(crate) const fn state(&self) -> &'static str {
        "missing"
    }

    /// Ranges handed to tenants without having been cleared.
    pub(crate) const fn unscrubbed(&self) -> u64 {
        self.unscrubbed
    }
}

/// Whether the range is seen by a tenant or by firmware acting for one.
fn matters(owner: FbOwner) -> bool {
    matches!(owner, FbOwner::GuestFb(_) | FbOwner::MgmtHeap(_))
}
