// SPDX-License-Identifier: GPL-2.0

//! Loads an image into IMEM and DMEM with the falcon's own DMA engine.
//!
//! ```text
//!  system memory            FBIF context 0: coherent, physical
//!  +--------+--------+
//!  | IMEM   | DMEM   |  --- 256-byte blocks --->  IMEM (secure, tagged with the source offset)
//!  +--------+--------+                            DMEM
//! ```
//!
//! For code the source offset is also the tag, so the base address stays at the start of the
//! image; for data the base address points at the data (OGKM 570.144
//! `kernel_gsp_falcon_ga102.c`).

use kernel::{
    device,
    dma::{
        Coherent,
        DmaAddress, //
    },
    io::{
        poll::read_poll_timeout,
        register::WithBase,
        Io, //
    },
    prelude::*,
    time::Delta,
};

use crate::regs::{
    check::check,
    falcon::*, //
};

use super::{
    brom::Brom,
    Engine,
    Falcon, //
};

/// Unit of a transfer in bytes.
pub(crate) const BLOCK: usize = 256;

const TIMEOUT: Delta = Delta::from_secs(2);
const POLL: Delta = Delta::from_micros(1);

/// A part of an image and where it goes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Section {
    /// Offset in the image in bytes, a multiple of [`BLOCK`].
    pub(crate) src: usize,
    /// Offset in IMEM or DMEM in bytes.
    pub(crate) dst: u32,
    /// Length in bytes.
    pub(crate) len: usize,
}

impl Section {
    fn blocks(&self) -> usize {
        self.len.div_ceil(BLOCK)
    }

    /// First byte after the last block.
    fn end(&self) -> Option<usize> {
        self.src.checked_add(self.blocks().checked_mul(BLOCK)?)
    }
}

/// A signed image, patched and ready to be loaded at any time.
pub(crate) struct Image {
    /// What it is, for messages.
    pub(super) name: &'static str,
    memory: Coherent<[u8]>,
    imem: Section,
    dmem: Section,
    brom: Brom,
    boot_vector: u32,
}

impl Image {
    /// Copies `data` into memory that the falcon can read. `name` is for messages.
    ///
    /// # Errors
    ///
    /// `EINVAL` when a section is not aligned or not inside `data`, `ENOMEM`.
    pub(crate) fn new(
        dev: &device::Device<device::Bound>,
        name: &'static str,
        data: &[u8],
        imem: Section,
        dmem: Section,
        brom: Brom,
        boot_vector: u32,
    ) -> Result<Self> {
        let len = data.len().next_multiple_of(BLOCK);
        for section in [&imem, &dmem] {
            let inside = section.end().is_some_and(|end| end <= len);
            if section.src % BLOCK != 0 || !inside {
                return Err(EINVAL);
            }
        }

        let mut padded = KVVec::with_capacity(len, GFP_KERNEL)?;
        padded.extend_from_slice(data, GFP_KERNEL)?;
        padded.resize(len, 0, GFP_KERNEL)?;

        Ok(Self {
            name,
            memory: Coherent::from_slice(dev, &padded, GFP_KERNEL)?,
            imem,
            dmem,
            brom,
            boot_vector,
        })
    }
}

impl<E: Engine> Falcon<'_, E> {
    /// Lets the DMA engine use physical addresses without a context.
    pub(crate) fn allow_physical_dma(&self) {
        self.bar.update(NV_PFALCON_FBIF_CTL::of::<E>(), |r| {
            r.with_allow_phys_no_ctx(true)
        });
        self.bar
            .write(WithBase::of::<E>(), NV_PFALCON_FALCON_DMACTL::zeroed());
    }

    /// Loads `image` into an engine that has just been reset.
    pub(super) fn transfer_image(&self, image: &Image) -> Result {
        self.allow_physical_dma();
        self.bar
            .update(NV_PFALCON_FBIF_TRANSCFG::of::<E>().at(0), |r| {
                r.with_const_target::<FBIF_TRANSCFG_TARGET_COHERENT_SYSMEM>()
                    .with_physical(true)
            });

        let base = image.memory.dma_address();
        self.transfer(base, image.imem.src, &image.imem, true)?;
        // CAST: `usize` is 64 bits wide here.
        let data = base + image.dmem.src as DmaAddress;
        self.transfer(data, 0, &image.dmem, false)?;

        self.program_brom(&image.brom);
        self.bar.write(
            WithBase::of::<E>(),
            NV_PFALCON_FALCON_BOOTVEC::from(image.boot_vector),
        );
        Ok(())
    }

    /// Moves `section` from `base + offset`, block by block.
    fn transfer(&self, base: DmaAddress, offset: usize, section: &Section, imem: bool) -> Result {
        // CAST: The low 32 bits are wanted; the rest goes into the other register.
        let low = (base >> 8) as u32;
        let high = u32::try_from(base >> 40)?;
        self.bar
            .write(WithBase::of::<E>(), NV_PFALCON_FALCON_DMATRFBASE::from(low));
        self.bar.write(
            WithBase::of::<E>(),
            NV_PFALCON_FALCON_DMATRFBASE1::zeroed().try_with_base(high)?,
        );

        let command = NV_PFALCON_FALCON_DMATRFCMD::zeroed()
            .with_const_size::<DMATRFCMD_SIZE_256B>()
            .with_imem(imem);
        let command = if imem {
            command.with_const_sec::<1>()
        } else {
            command
        };
        let offset = u32::try_from(offset)?;

        for block in 0..section.blocks() {
            let at = u32::try_from(block * BLOCK)?;
            let dst = section.dst.checked_add(at).ok_or(EINVAL)?;
            self.bar.write(
                WithBase::of::<E>(),
                NV_PFALCON_FALCON_DMATRFMOFFS::zeroed().try_with_offs(dst)?,
            );
            self.bar.write(
                WithBase::of::<E>(),
                NV_PFALCON_FALCON_DMATRFFBOFFS::from(offset.checked_add(at).ok_or(EINVAL)?),
            );
            self.bar.write(WithBase::of::<E>(), command);
            self.wait_idle()?;
        }
        Ok(())
    }

    fn wait_idle(&self) -> Result {
        read_poll_timeout(
            || {
                check(self.bar.read(NV_PFALCON_FALCON_DMATRFCMD::of::<E>()))
                    .map_err(|bad| self.bad_read("DMATRFCMD", bad))
            },
            |r| r.idle(),
            POLL,
            TIMEOUT,
        )
        .inspect_err(|e| self.timed_out(e, format_args!("DMA (see the IOMMU's messages)")))
        .map(|_| ())
    }
}
