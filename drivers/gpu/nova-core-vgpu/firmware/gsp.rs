// SPDX-License-Identifier: GPL-2.0

//! GSP-RM and its bootloader in system memory, ready for booter to copy into WPR2.
//!
//! ```text
//!  ELF .fwimage ─▶ pages ─▶ level 2 ─▶ level 1 ─▶ level 0 (address goes into WprMeta)
//!  ELF .fwsignature_ad10x ─▶ signature buffer
//!  bootloader data        ─▶ bootloader buffer
//! ```
//!
//! Needed until booter has finished; booter copies everything.

use kernel::{
    device,
    dma::{
        Coherent,
        DataDirection, //
    },
    io::{
        io_project,
        Io, //
    },
    prelude::*,
    scatterlist::{
        Owned,
        SGTable, //
    },
};

use crate::gsp::fw::r570_144::{
    wpr_meta::Images,
    VERSION, //
};

use super::{
    container::{
        Bootloader,
        Malformed, //
    },
    elf::{
        Elf,
        FWIMAGE,
        FWSIGNATURE_AD10X,
        FWVERSION, //
    },
    radix3::{
        Geometry,
        PAGE_SIZE, //
    },
    File,
};

/// All that booter copies.
#[pin_data]
pub(crate) struct GspImages {
    #[pin]
    image: SGTable<Owned<VVec<u8>>>,
    image_size: usize,
    level0: Coherent<[u8]>,
    _level1: Coherent<[u8]>,
    _level2: Coherent<[u8]>,
    signature: Coherent<[u8]>,
    bootloader: Coherent<[u8]>,
    manifest_offset: u32,
    data_offset: u32,
    code_offset: u32,
    /// Goes to the `OS` register of the GSP falcon.
    pub(crate) app_version: u32,
}

/// Writes page addresses as entries of a page table.
struct Entries {
    table: Coherent<[u8]>,
    count: usize,
}

impl Entries {
    fn new(dev: &device::Device<device::Bound>, pages: usize) -> Result<Self> {
        Ok(Self {
            table: Coherent::zeroed_slice(dev, pages * PAGE_SIZE, GFP_KERNEL)?,
            count: 0,
        })
    }

    fn push(&mut self, address: u64) -> Result {
        let at = self.count * size_of::<u64>();
        let table = &self.table;

        io_project!(table, [try: at..at + size_of::<u64>()])
            .copy_from_slice(&address.to_le_bytes());
        self.count += 1;
        Ok(())
    }

    /// Entries for all pages of a contiguous buffer.
    fn push_buffer(&mut self, buffer: &Coherent<[u8]>) -> Result {
        for page in 0..buffer.size() / PAGE_SIZE {
            // CAST: `usize` is 64 bits wide here.
            self.push(buffer.dma_address() + (page * PAGE_SIZE) as u64)?;
        }
        Ok(())
    }
}

impl GspImages {
    /// Reads both files.
    ///
    /// # Errors
    ///
    /// Those of [`File::request`]; `EINVAL` when the contents are wrong; `ENOMEM`. Reported.
    pub(crate) fn new(dev: &device::Device<device::Bound>) -> impl PinInit<Self, Error> + use<'_> {
        pin_init::pin_init_scope(move || {
            let (pages, image_size, signature) = read_gsp(dev)?;
            let geometry = Geometry::new(image_size)
                .ok_or_else(|| File::Gsp.malformed(dev, Malformed(FWIMAGE)))?;

            let file = File::Bootloader.request(dev)?;
            let loader =
                Bootloader::parse(file.data()).map_err(|e| File::Bootloader.malformed(dev, e))?;
            let bootloader = Coherent::from_slice(dev, loader.data, GFP_KERNEL)?;
            let (manifest_offset, data_offset, code_offset, app_version) = (
                loader.manifest_offset,
                loader.data_offset,
                loader.code_offset,
                loader.app_version,
            );

            Ok(try_pin_init!(Self {
                image <- SGTable::new(dev, pages, DataDirection::ToDevice, GFP_KERNEL),
                image_size,
                _level2: level2(dev, &image, &geometry)?,
                _level1: {
                    let mut entries = Entries::new(dev, 1)?;
                    entries.push_buffer(_level2)?;
                    entries.table
                },
                level0: {
                    let mut entries = Entries::new(dev, 1)?;
                    entries.push(_level1.dma_address())?;
                    entries.table
                },
                signature,
                bootloader,
                manifest_offset,
                data_offset,
                code_offset,
                app_version,
            }))
        })
    }

    /// Size of GSP-RM in bytes.
    pub(crate) fn image_size(&self) -> usize {
        self.image_size
    }

    /// Size of the bootloader in bytes.
    pub(crate) fn bootloader_size(&self) -> usize {
        self.bootloader.size()
    }

    /// Where booter finds everything.
    pub(crate) fn images(&self) -> Images {
        // CAST: `usize` is 64 bits wide here.
        Images {
            radix3: self.level0.dma_address(),
            radix3_size: self.image_size as u64,
            bootloader: self.bootloader.dma_address(),
            bootloader_size: self.bootloader.size() as u64,
            code_offset: u64::from(self.code_offset),
            data_offset: u64::from(self.data_offset),
            manifest_offset: u64::from(self.manifest_offset),
            signature: self.signature.dma_address(),
            signature_size: self.signature.size() as u64,
        }
    }
}

/// Copies image and signature out of the ELF file, which is then released.
fn read_gsp(dev: &device::Device<device::Bound>) -> Result<(VVec<u8>, usize, Coherent<[u8]>)> {
    let file = File::Gsp.request(dev)?;
    let malformed = |e| File::Gsp.malformed(dev, e);
    let elf = Elf::parse(file.data()).map_err(malformed)?;

    let version = elf.section(FWVERSION).map_err(malformed)?;
    let end = version
        .iter()
        .position(|b| *b == 0)
        .unwrap_or(version.len());
    if version.get(..end) != Some(VERSION.as_bytes()) {
        return Err(malformed(Malformed(FWVERSION)));
    }

    let image = elf.section(FWIMAGE).map_err(malformed)?;
    let signature = elf.section(FWSIGNATURE_AD10X).map_err(malformed)?;
    if image.is_empty() {
        return Err(malformed(Malformed(FWIMAGE)));
    }
    if signature.is_empty() {
        return Err(malformed(Malformed(FWSIGNATURE_AD10X)));
    }

    let mut pages = VVec::new();
    pages.extend_from_slice(image, GFP_KERNEL)?;

    Ok((
        pages,
        image.len(),
        Coherent::from_slice(dev, signature, GFP_KERNEL)?,
    ))
}

/// One entry for each page of the image.
fn level2(
    dev: &device::Device<device::Bound>,
    image: &SGTable<Owned<VVec<u8>>>,
    geometry: &Geometry,
) -> Result<Coherent<[u8]>> {
    let mut entries = Entries::new(dev, geometry.level2_pages)?;

    for segment in image.iter() {
        let len = usize::try_from(segment.dma_len())?;
        for page in 0..len.div_ceil(PAGE_SIZE) {
            if entries.count == geometry.image_pages {
                break;
            }
            // CAST: `usize` is 64 bits wide here.
            entries.push(segment.dma_address() + (page * PAGE_SIZE) as u64)?;
        }
    }
    if entries.count != geometry.image_pages {
        return Err(EIO);
    }
    Ok(entries.table)
}
