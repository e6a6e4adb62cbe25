// SPDX-License-Identifier: GPL-2.0

//! FWSEC-FRTS: creates WPR2.
//!
//! ```text
//!  WPR2_HI == 0 ─▶ FWSEC (FRTS) on GSP ─▶ mailbox 0 == 0, scratch 0x0e == 0
//!               ─▶ WPR2_HI != 0 and WPR2_LO == address asked for
//! ```
//!
//! Checks of OGKM 570.144 `kernel_gsp_frts_tu102.c`.

use kernel::{
    io::Io,
    prelude::*, //
};

use crate::{
    falcon::{
        dma::Image,
        Mailboxes, //
    },
    fb::{
        layout::Layout,
        wpr2, //
    },
    regs::{
        check::check,
        pbus::NV_PBUS_SW_SCRATCH_FRTS, //
    },
};

use super::super::{
    unload::Teardown,
    Engines, //
};

/// Refuses a GPU with a WPR2 that cannot be taken down.
pub(super) fn make_sure_wpr2_is_down(engines: &Engines<'_>, teardown: &Teardown) -> Result {
    let dev = engines.dev();
    let Some(range) = wpr2(dev, engines.bar)? else {
        return Ok(());
    };

    dev_warn!(
        dev,
        "boot: WPR2 is up at {:#x}, somebody left GSP running; stopping it\n",
        range.start
    );
    if teardown.run(engines).is_err() || wpr2(dev, engines.bar)?.is_some() {
        dev_err!(
            dev,
            "boot: WPR2 is still up and GSP cannot be booted; reset the GPU\n"
        );
        return Err(EBUSY);
    }
    Ok(())
}

/// Runs FWSEC-FRTS and checks what it did.
pub(super) fn run(engines: &Engines<'_>, image: &Image, layout: &Layout) -> Result {
    let dev = engines.dev();

    let Mailboxes(status, _) = engines.gsp.run(image, Some(Mailboxes(0, 0)))?;
    if status != 0 {
        dev_err!(
            dev,
            "boot: FWSEC-FRTS failed with {:#x} in mailbox 0; reset the GPU\n",
            status
        );
        return Err(EIO);
    }

    let scratch = engines.bar.read(NV_PBUS_SW_SCRATCH_FRTS).into_raw();
    let error = check(scratch).map_or(scratch, |raw| raw >> 16);
    if error != 0 {
        dev_err!(
            dev,
            "boot: FWSEC-FRTS failed with error {:#x}; reset the GPU\n",
            error
        );
        return Err(EIO);
    }

    match wpr2(dev, engines.bar)? {
        Some(range) if range.start == layout.frts.start => Ok(()),
        range => {
            dev_err!(
                dev,
                "boot: FWSEC-FRTS put WPR2 at {:x?}, not at {:#x}; reset the GPU\n",
                range,
                layout.frts.start
            );
            Err(EIO)
        }
    }
}
