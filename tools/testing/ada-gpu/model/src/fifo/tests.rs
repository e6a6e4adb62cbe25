// SPDX-License-Identifier: GPL-2.0

//! A machine without memory, for tests that need none.

use crate::host::{DmaFault, Function, Host};

/// No memory, no time.
pub(crate) struct Ram;

impl Host for Ram {
    fn dma_read(&self, _: u64, _: &mut [u8]) -> Result<(), DmaFault> {
        Err(DmaFault)
    }
    fn dma_write(&self, _: u64, _: &[u8]) -> Result<(), DmaFault> {
        Err(DmaFault)
    }
    fn config_read(&self, _: Function, _: u16) -> u32 {
        0
    }
    fn msix(&self, _: Function, _: u16) {}
    fn now_ns(&self) -> u64 {
        0
    }
    fn set_timer(&self, _: Option<u64>) {}
}
