// SPDX-License-Identifier: GPL-2.0

//! Which chip this is, and whether its boot firmware has finished.
//!
//! ```text
//!  NV_PMC_BOOT_42 [29:24] architecture 0x19 = Ada, [23:20] implementation 2, 3, 4, 6, 7
//!  GFW_BOOT progress 0xff, readable once its privilege mask is lowered
//! ```
//!
//! Source: OGKM 570.144 `nv_ref.h`, `kernel_gsp_tu102.c`.

use kernel::{
    device,
    io::{
        poll::read_poll_timeout,
        Io, //
    },
    prelude::*,
    time::Delta, //
};

use crate::{
    driver::Bar0,
    regs::{
        check::{
            check,
            BadRead, //
        },
        pgc6::{
            GFW_BOOT_PROGRESS_COMPLETED,
            NV_PGC6_AON_SECURE_SCRATCH_GROUP_05_0_GFW_BOOT,
            NV_PGC6_AON_SECURE_SCRATCH_GROUP_05_PRIV_LEVEL_MASK, //
        },
        pmc::NV_PMC_BOOT_42,
    },
};

const ARCHITECTURE_ADA: u32 = 0x19;

const GFW_TIMEOUT: Delta = Delta::from_secs(4);
const GFW_POLL: Delta = Delta::from_millis(1);

/// An Ada chip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Chipset {
    /// RTX 6000 Ada, L40.
    Ad102,
    /// RTX 4080 class.
    Ad103,
    /// L4.
    Ad104,
    /// RTX 4060 Ti class.
    Ad106,
    /// RTX 4060 class.
    Ad107,
}

impl Chipset {
    fn new(architecture: u32, implementation: u32) -> Option<Self> {
        if architecture != ARCHITECTURE_ADA {
            return None;
        }
        match implementation {
            2 => Some(Self::Ad102),
            3 => Some(Self::Ad103),
            4 => Some(Self::Ad104),
            6 => Some(Self::Ad106),
            7 => Some(Self::Ad107),
            _ => None,
        }
    }

    /// Name for messages.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Ad102 => "AD102",
            Self::Ad103 => "AD103",
            Self::Ad104 => "AD104",
            Self::Ad106 => "AD106",
            Self::Ad107 => "AD107",
        }
    }
}

/// Chip and revision.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spec {
    /// Chip.
    pub(crate) chipset: Chipset,
    /// Major and minor revision.
    pub(crate) revision: (u8, u8),
}

impl Spec {
    /// Reads the identification.
    ///
    /// # Errors
    ///
    /// `ENODEV` when it cannot be read or is not Ada; reported.
    pub(crate) fn read(dev: &device::Device, bar: Bar0<'_>) -> Result<Self> {
        let boot42 = check(bar.read(NV_PMC_BOOT_42)).map_err(|bad| {
            dev_err!(
                dev,
                "identification reads {:#010x}: {}; reset the GPU\n",
                bad.raw(),
                bad.reason()
            );
            ENODEV
        })?;

        let chipset = Chipset::new(boot42.architecture().into(), boot42.implementation().into())
            .ok_or_else(|| {
                dev_err!(
                    dev,
                    "identification {:#010x} is not an Ada chip, not supported\n",
                    boot42.into_raw()
                );
                ENODEV
            })?;

        Ok(Self {
            chipset,
            revision: (
                boot42.major_revision().cast::<u8>().get(),
                boot42.minor_revision().cast::<u8>().get(),
            ),
        })
    }
}

/// Waits until the boot firmware has set the GPU up.
///
/// # Errors
///
/// `ETIMEDOUT` or `ENODEV`; reported.
pub(crate) fn wait_gfw_boot(dev: &device::Device, bar: Bar0<'_>) -> Result {
    let mut progress = 0;

    read_poll_timeout(
        || {
            // Reads of the progress are refused until the mask is lowered. All ones is a mask that
            // allows everything; whether the device is there shows in the progress.
            let mask = bar.read(NV_PGC6_AON_SECURE_SCRATCH_GROUP_05_PRIV_LEVEL_MASK);
            let blocked = matches!(check(mask), Err(BadRead::Blocked(_)));
            if blocked || !mask.read_protection_level0() {
                return Ok(false);
            }
            let gfw = bar.read(NV_PGC6_AON_SECURE_SCRATCH_GROUP_05_0_GFW_BOOT);
            progress = gfw.into_raw();
            Ok(check(gfw).is_ok_and(|gfw| gfw.progress() == GFW_BOOT_PROGRESS_COMPLETED))
        },
        |done| *done,
        GFW_POLL,
        GFW_TIMEOUT,
    )
    .inspect_err(|_| {
        dev_err!(
            dev,
            "boot firmware of the GPU did not finish (progress {:#x}); reset the GPU or power-cycle the machine\n",
            progress
        );
    })
    .map(|_| ())
}
