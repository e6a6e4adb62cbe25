// SPDX-License-Identifier: GPL-2.0

//! Parameters of the boot ROM (BROM), which checks the signature of an image, and the fuses that
//! say which signatures are still accepted.
//!
//! Source: OGKM 570.144 `kernel_gsp_falcon_ga102.c`, `kernel_gsp_fwsec.c`.

use kernel::{
    device,
    io::{
        register::{
            Array,
            WithBase, //
        },
        Io, //
    },
    prelude::*, //
};

use crate::{
    driver::Bar0,
    regs::{
        check::check,
        falcon::*,
        fuse::*, //
    },
};

use super::{
    Engine,
    Falcon, //
};

/// Bits of an engine mask.
const ENGINE_SEC2: u16 = 0x0001;
const ENGINE_NVDEC: u16 = 0x0004;
const ENGINE_GSP: u16 = 0x0400;

/// What the BROM must know.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Brom {
    /// DMEM offset of the signature in bytes.
    pub(crate) pkc_data_offset: u32,
    /// Engines that the image is signed for.
    pub(crate) engine_id_mask: u16,
    /// Id of the ucode.
    pub(crate) ucode_id: u8,
}

impl<E: Engine> Falcon<'_, E> {
    /// Writes the parameters; the last write selects the signature algorithm.
    pub(super) fn program_brom(&self, brom: &Brom) {
        self.bar.write(
            WithBase::of::<E>().at(0),
            NV_PFALCON2_FALCON_BROM_PARAADDR::from(brom.pkc_data_offset),
        );
        self.bar.write(
            WithBase::of::<E>(),
            NV_PFALCON2_FALCON_BROM_ENGIDMASK::from(u32::from(brom.engine_id_mask)),
        );
        self.bar.write(
            WithBase::of::<E>(),
            NV_PFALCON2_FALCON_BROM_CURR_UCODE_ID::zeroed().with_ucode_id(brom.ucode_id),
        );
        self.bar.write(
            WithBase::of::<E>(),
            NV_PFALCON2_FALCON_MOD_SEL::zeroed().with_const_algo::<MOD_SEL_ALGO_RSA3K>(),
        );
    }
}

/// The lowest signature version that the chip accepts for a ucode; 0 when no fuse is blown.
///
/// # Errors
///
/// `EINVAL` for an engine mask or a ucode id that no fuse word belongs to, `EIO` or `ENODEV` when
/// the fuse word cannot be read; reported.
pub(crate) fn fuse_version(
    dev: &device::Device,
    bar: Bar0<'_>,
    engine_id_mask: u16,
    ucode_id: u8,
) -> Result<u32> {
    let bad_id = || {
        dev_err!(
            dev,
            "firmware: ucode id {:#x} for engines {:#x} is not known; use the firmware of linux-firmware\n",
            ucode_id,
            engine_id_mask
        );
        EINVAL
    };
    let index = usize::from(ucode_id)
        .checked_sub(1)
        .filter(|index| *index < UCODE_COUNT)
        .ok_or_else(bad_id)?;

    let raw = if engine_id_mask & ENGINE_SEC2 != 0 {
        bar.read(NV_FUSE_OPT_FPF_SEC2_UCODE_VERSION::try_at(index).ok_or(EINVAL)?)
            .into_raw()
    } else if engine_id_mask & ENGINE_NVDEC != 0 {
        bar.read(NV_FUSE_OPT_FPF_NVDEC_UCODE_VERSION::try_at(index).ok_or(EINVAL)?)
            .into_raw()
    } else if engine_id_mask & ENGINE_GSP != 0 {
        bar.read(NV_FUSE_OPT_FPF_GSP_UCODE_VERSION::try_at(index).ok_or(EINVAL)?)
            .into_raw()
    } else {
        return Err(bad_id());
    };
    let raw = check(raw).map_err(|bad| {
        dev_err!(
            dev,
            "fuse word of ucode {:#x} reads {:#010x}: {}; reset the GPU\n",
            ucode_id,
            bad.raw(),
            bad.reason()
        );
        EIO
    })?;

    Ok(u32::BITS - (raw & 0xffff).leading_zeros())
}
