// SPDX-License-Identifier: GPL-2.0

//! FWSEC: the signed ucode of the VBIOS, patched with a command and made ready for GSP.

use kernel::{
    device,
    prelude::*, //
};

use crate::{
    driver::Bar0,
    falcon::{
        brom,
        brom::Brom,
        dma::{
            Image,
            Section, //
        },
    },
    vbios::{
        fwsec::Command,
        report,
        Vbios, //
    },
};

/// Makes FWSEC ready to run `command`.
///
/// # Errors
///
/// `EINVAL` when the VBIOS has no usable FWSEC, `ENOMEM`; reported.
pub(crate) fn prepare(
    dev: &device::Device<device::Bound>,
    bar: Bar0<'_>,
    vbios: &Vbios,
    command: Command,
) -> Result<Image> {
    let fwsec = vbios.fwsec(dev)?;
    let desc = &fwsec.desc;
    let fuse_version = brom::fuse_version(dev, bar, desc.engine_id_mask, desc.ucode_id)?;
    let signature = fwsec.signature(fuse_version).map_err(|e| report(dev, e))?;

    let mut ucode = KVVec::new();
    ucode.extend_from_slice(fwsec.ucode, GFP_KERNEL)?;
    fwsec
        .patch(&mut ucode, command, signature)
        .map_err(|e| report(dev, e))?;

    let name = match command {
        Command::Frts { .. } => "FWSEC-FRTS",
        Command::Sb => "FWSEC-SB",
    };

    Image::new(
        dev,
        name,
        &ucode,
        Section {
            src: 0,
            dst: desc.imem_phys_base,
            len: desc.imem_load_size,
        },
        Section {
            src: desc.imem_load_size,
            dst: desc.dmem_phys_base,
            len: desc.dmem_load_size,
        },
        Brom {
            pkc_data_offset: u32::try_from(desc.pkc_data_offset)?,
            engine_id_mask: desc.engine_id_mask,
            ucode_id: desc.ucode_id,
        },
        0,
    )
}
