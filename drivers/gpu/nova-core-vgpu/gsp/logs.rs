// SPDX-License-Identifier: GPL-2.0

//! Buffers that GSP writes its logs to.
//!
//! ```text
//!  u64[0]      put index in u64 units, 0 while nothing has been written
//!  u64[1..17]  DMA addresses of the buffer's 16 pages; overwritten by the log
//! ```
//!
//! The contents are encoded and need a decoder that has GSP's string tables (OGKM 570.144
//! `kernel_gsp.c`, `_kgspInitLibosLoggingStructures`).

use kernel::{
    device,
    dma::Coherent,
    io::{
        io_project,
        Io, //
    },
    prelude::*, //
};

use super::fw::r570_144::rpc::SLOT_SIZE as PAGE_SIZE;

const PAGES: usize = 16;

/// The three logs.
pub(crate) struct Logs([Coherent<[u8]>; 3]);

fn buffer(dev: &device::Device<device::Bound>) -> Result<Coherent<[u8]>> {
    let log = Coherent::<u8>::zeroed_slice(dev, PAGES * PAGE_SIZE, GFP_KERNEL)?;

    for page in 0..PAGES {
        let at = (1 + page) * size_of::<u64>();
        // CAST: `usize` is 64 bits wide here.
        let address = log.dma_address() + (page * PAGE_SIZE) as u64;
        io_project!(log, [try: at..at + size_of::<u64>()]).copy_from_slice(&address.to_le_bytes());
    }
    Ok(log)
}

impl Logs {
    /// Names for debugfs, in the order of [`Self::buffers`].
    pub(crate) const NAMES: [&'static CStr; 3] = [c"loginit", c"logintr", c"logrm"];

    /// Allocates the buffers.
    pub(super) fn new(dev: &device::Device<device::Bound>) -> Result<Self> {
        Ok(Self([buffer(dev)?, buffer(dev)?, buffer(dev)?]))
    }

    /// LOGINIT, LOGINTR and LOGRM.
    pub(crate) fn buffers(&self) -> [&Coherent<[u8]>; 3] {
        self.0.each_ref()
    }
}
