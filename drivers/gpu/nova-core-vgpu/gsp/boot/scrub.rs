// SPDX-License-Identifier: GPL-2.0

//! The scrubber: makes FB below the top 256 MiB usable for GSP.
//!
//! ```text
//!  hand-off >= 3 ─▶ has run since power-on, nothing to do
//!  else          ─▶ scrubber on SEC2, no arguments ─▶ hand-off >= 3
//! ```
//!
//! Only the hand-off register decides; mailbox 0 is for the log. Source: OGKM 570.144
//! `kernel_gsp_ad102.c`, `kernel_gsp_tu102.c`.

use kernel::{
    io::Io,
    prelude::*, //
};

use crate::{
    falcon::{
        dma::Image,
        Mailboxes, //
    },
    fb::layout::Layout,
    regs::{
        check::{
            check,
            BadRead, //
        },
        pgc6::{
            NV_PGC6_BSI_SECURE_SCRATCH_15,
            SCRUBBER_HANDOFF_DONE, //
        },
    },
};

use super::super::Engines;

/// Progress of the scrubber.
///
/// # Errors
///
/// `ENODEV` when the device is gone, `EIO` when the register cannot be read; reported, since both
/// patterns would read as "done".
pub(super) fn handoff(engines: &Engines<'_>) -> Result<u32> {
    check(engines.bar.read(NV_PGC6_BSI_SECURE_SCRATCH_15))
        .map(|r| r.scrubber_handoff().into())
        .map_err(|bad| {
            dev_err!(
                engines.dev(),
                "boot: scrubber hand-off reads {:#010x}: {}; reset the GPU\n",
                bad.raw(),
                bad.reason()
            );
            match bad {
                BadRead::Gone => ENODEV,
                BadRead::Blocked(_) => EIO,
            }
        })
}

/// Runs the scrubber unless it has run already.
pub(super) fn run(engines: &Engines<'_>, image: &Image, layout: &Layout) -> Result {
    let dev = engines.dev();
    if handoff(engines)? >= SCRUBBER_HANDOFF_DONE {
        dev_dbg!(dev, "boot: FB has been scrubbed before\n");
        return Ok(());
    }

    let Mailboxes(mailbox0, _) = engines.sec2.run(image, None)?;

    let handoff = handoff(engines)?;
    if handoff < SCRUBBER_HANDOFF_DONE {
        dev_err!(
            dev,
            "boot: scrubber stopped at hand-off {} (mailbox 0 {:#x}), {} MiB for GSP cannot be used; reset the GPU\n",
            handoff,
            mailbox0,
            layout.reserved() >> 20
        );
        return Err(EIO);
    }
    if mailbox0 != 0 {
        dev_dbg!(dev, "boot: scrubber left {:#x} in mailbox 0\n", mailbox0);
    }
    Ok(())
}
