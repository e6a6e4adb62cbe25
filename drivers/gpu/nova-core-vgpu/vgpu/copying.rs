// SPDX-License-Identifier: GPL-2.0

//! The copy engine, for users of the handle.
//!
//! ```text
//!   Gpu::fill_fb, Gpu::copy --> gate --> CopyEngine
//! ```

use core::ops::Range;

use kernel::prelude::*;

use super::Gpu;
use crate::ce::Location;

#[allow(dead_code)]
impl Gpu {
    /// Fills frame buffer with `value`; see [`crate::ce::CopyEngine::fill`].
    ///
    /// # Errors
    ///
    /// As there.
    pub(crate) fn fill_fb(&self, fb: Range<u64>, value: u32) -> Result {
        self.ce.fill(&*self.enter()?, fb, value)
    }

    /// Copies memory; see [`crate::ce::CopyEngine::copy`].
    ///
    /// # Errors
    ///
    /// As there.
    pub(crate) fn copy(&self, from: Location, to: Location, len: u64) -> Result {
        self.ce.copy(&*self.enter()?, from, to, len)
    }
}
