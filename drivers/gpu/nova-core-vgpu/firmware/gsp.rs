// SPDX-License-Identifier: GPL-2.0

//! GSP-RM and its bootloader in system memory, ready for booter to copy into WPR2.
//!
//! ```text
//!  ELF .fwimage ─▶ level 2 ─▶ level 1 ─▶ level 0 (address goes into WprMeta)
//!  ELF .fwsignature_ad10x ─▶ signature buffer
//!  bootloader data        ─▶ bootloader buffer
//! ```
//!
//! Needed until booter has finished; booter copies everything.
//!
//! The file is read to where GSP reads the image from. What comes before the image is the ELF
//! header alone, so the file is put that much before a page:
//!
//! ```text
//!  page 0              page 1
//!  |...... ELF header| .fwimage                     | other sections, cut off
//! ```

use core::ops::Range;

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
    sizes::*, //
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
        FWVERSION,
        HEADER_SIZE, //
    },
    radix3::{
        Geometry,
        PAGE_SIZE, //
    },
    File,
};

/// Room for the file: that of 570.144 has 63,571,696 bytes. A larger one is copied.
const FILE_MAX: usize = usize::SZ_64M;

/// All that booter copies.
#[pin_data]
pub(crate) struct GspImages {
    #[pin]
    file: SGTable<Owned<VVec<u8>>>,
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
            let Gsp {
                pages,
                image,
                signature,
            } = read_gsp(dev)?;
            let image_size = image.len();
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
                file <- SGTable::new(dev, pages, DataDirection::ToDevice, GFP_KERNEL),
                image_size,
                _level2: level2(dev, &file, image.start / PAGE_SIZE, &geometry)?,
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

/// What is needed of the file of GSP-RM.
struct Gsp {
    /// Whole pages.
    pages: VVec<u8>,
    /// The image there; begins with a page.
    image: Range<usize>,
    signature: Coherent<[u8]>,
}

/// Reads the file so that an image behind the ELF header begins with a page. Returns where the file
/// begins, too.
fn read_file(dev: &device::Device<device::Bound>) -> Result<(VVec<u8>, usize)> {
    let mut pages = VVec::with_capacity(PAGE_SIZE + FILE_MAX, GFP_KERNEL)?;
    let start = PAGE_SIZE - HEADER_SIZE;

    pages.resize(start, 0, GFP_KERNEL)?;
    if kernel_ext::firmware::append(File::Gsp.name(), dev, &mut pages).is_err() {
        // Missing, which this reports; or larger than expected.
        pages.extend_from_slice(File::Gsp.request(dev)?.data(), GFP_KERNEL)?;
    }
    Ok((pages, start))
}

/// Reads the file and finds in it what is needed.
fn read_gsp(dev: &device::Device<device::Bound>) -> Result<Gsp> {
    let (mut pages, start) = read_file(dev)?;
    let malformed = |e| File::Gsp.malformed(dev, e);
    let elf = Elf::parse(pages.get(start..).unwrap_or(&[])).map_err(malformed)?;

    let version = elf.section(FWVERSION).map_err(malformed)?;
    let end = version
        .iter()
        .position(|b| *b == 0)
        .unwrap_or(version.len());
    if version.get(..end) != Some(VERSION.as_bytes()) {
        return Err(malformed(Malformed(FWVERSION)));
    }

    let image = elf.range(FWIMAGE).map_err(malformed)?;
    let signature = elf.section(FWSIGNATURE_AD10X).map_err(malformed)?;
    if image.is_empty() {
        return Err(malformed(Malformed(FWIMAGE)));
    }
    if signature.is_empty() {
        return Err(malformed(Malformed(FWSIGNATURE_AD10X)));
    }
    let signature = Coherent::from_slice(dev, signature, GFP_KERNEL)?;

    let mut image = start + image.start..start + image.end;
    if image.start % PAGE_SIZE != 0 {
        pages.copy_within(image.clone(), 0);
        image = 0..image.len();
    }
    // What was behind the image is no part of its last page.
    pages.truncate(image.end);
    pages.resize(image.end.next_multiple_of(PAGE_SIZE), 0, GFP_KERNEL)?;

    Ok(Gsp {
        pages,
        image,
        signature,
    })
}

/// One entry for each page of the image, which begins with page `first` of the file.
fn level2(
    dev: &device::Device<device::Bound>,
    file: &SGTable<Owned<VVec<u8>>>,
    first: usize,
    geometry: &Geometry,
) -> Result<Coherent<[u8]>> {
    let mut entries = Entries::new(dev, geometry.level2_pages)?;
    let mut skip = first;

    for segment in file.iter() {
        let len = usize::try_from(segment.dma_len())?;
        for page in 0..len.div_ceil(PAGE_SIZE) {
            if skip > 0 {
                skip -= 1;
                continue;
            }
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
