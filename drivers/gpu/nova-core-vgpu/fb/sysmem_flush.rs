// SPDX-License-Identifier: GPL-2.0

//! The page that a sysmembar writes to.
//!
//! A falcon flushes its writes to system memory when it is reset, and does so with a write to this
//! page; so the page must be there before the first reset and until after the last one
//! (OGKM 570.144 `kern_mem_sys_gm107.c`).

use kernel::{
    device,
    dma::CoherentHandle,
    io::Io,
    page::PAGE_SIZE,
    prelude::*, //
};

use crate::{
    driver::Bar0,
    regs::pfb::{
        NV_PFB_NISO_FLUSH_SYSMEM_ADDR,
        NV_PFB_NISO_FLUSH_SYSMEM_ADDR_HI, //
    },
};

/// The page, known to the GPU as long as this lives.
pub(crate) struct SysmemFlush<'gpu> {
    dev: &'gpu device::Device<device::Bound>,
    bar: Bar0<'gpu>,
    page: CoherentHandle,
}

impl<'gpu> SysmemFlush<'gpu> {
    /// Allocates the page and tells the GPU.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, or `EINVAL` when the address does not fit.
    pub(crate) fn new(dev: &'gpu device::Device<device::Bound>, bar: Bar0<'gpu>) -> Result<Self> {
        let page = CoherentHandle::alloc(dev, PAGE_SIZE, GFP_KERNEL)?;

        write(bar, page.dma_address())?;
        Ok(Self { dev, bar, page })
    }
}

fn write(bar: Bar0<'_>, address: u64) -> Result {
    let hi = NV_PFB_NISO_FLUSH_SYSMEM_ADDR_HI::zeroed()
        .try_with_address_63_40(u32::try_from(address >> 40)?)?;

    bar.write_reg(hi);
    // CAST: The low 32 bits are wanted.
    bar.write_reg(NV_PFB_NISO_FLUSH_SYSMEM_ADDR::from((address >> 8) as u32));
    Ok(())
}

fn read(bar: Bar0<'_>) -> u64 {
    let hi: u32 = bar
        .read(NV_PFB_NISO_FLUSH_SYSMEM_ADDR_HI)
        .address_63_40()
        .into();
    let lo = bar.read(NV_PFB_NISO_FLUSH_SYSMEM_ADDR).into_raw();

    u64::from(hi) << 40 | u64::from(lo) << 8
}

impl Drop for SysmemFlush<'_> {
    fn drop(&mut self) {
        if read(self.bar) == self.page.dma_address() {
            // Cannot fail: zero fits.
            let _ = write(self.bar, 0);
        } else {
            dev_warn!(
                self.dev,
                "FB: somebody else has changed the sysmem flush page, leaving it alone\n"
            );
        }
    }
}
