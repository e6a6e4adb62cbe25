// SPDX-License-Identifier: GPL-2.0

//! Booter and scrubber: signed images that SEC2 runs.
//!
//! ```text
//!  file -> Hs::parse -> signature for the fuse version -> patched copy -> falcon::dma::Image
//! ```

use kernel::{
    device,
    prelude::*, //
};

use crate::{
    bytes,
    driver::Bar0,
    falcon::{
        brom,
        brom::Brom,
        dma::{
            Image,
            Section, //
        },
    },
};

use super::{
    container::{
        Hs,
        Malformed, //
    },
    File, //
};

/// Loads `file` and makes it ready for SEC2.
///
/// # Errors
///
/// Those of [`File::request`]; `EINVAL` when the contents are wrong or have no signature that the
/// chip accepts; `ENOMEM`. Reported.
pub(crate) fn prepare(
    dev: &device::Device<device::Bound>,
    bar: Bar0<'_>,
    file: File,
) -> Result<Image> {
    let firmware = file.request(dev)?;
    let hs = Hs::parse(firmware.data()).map_err(|e| file.malformed(dev, e))?;
    let fuse_version = brom::fuse_version(dev, bar, hs.engine_id_mask, hs.ucode_id)?;
    let signature = hs
        .signature(fuse_version)
        .map_err(|e| file.malformed(dev, e))?;

    let mut data = KVVec::new();
    data.extend_from_slice(hs.data, GFP_KERNEL)?;
    bytes::put(&mut data, hs.patch_location, signature)
        .ok_or_else(|| file.malformed(dev, Malformed("patch location")))?;

    Image::new(
        dev,
        file.what(),
        &data,
        Section {
            src: hs.code.offset,
            dst: 0,
            len: hs.code.size,
        },
        Section {
            src: hs.dmem.offset,
            dst: 0,
            len: hs.dmem.size,
        },
        Brom {
            pkc_data_offset: u32::try_from(hs.pkc_data_offset())?,
            engine_id_mask: hs.engine_id_mask,
            ucode_id: hs.ucode_id,
        },
        u32::try_from(hs.code.offset)?,
    )
}
