// SPDX-License-Identifier: GPL-2.0

//! Stops GSP and takes WPR2 down.
//!
//! ```text
//!  shut_down   UNLOADING_GUEST_DRIVER ─▶ mailbox 0 bit 31 ─▶ Teardown
//!  Teardown    FWSEC-SB on GSP ─▶ WPR2 up? booter-unload on SEC2 ─▶ WPR2 down
//! ```
//!
//! Every step is tried, whatever became of the one before: the point is that GSP no longer writes
//! to memory that is about to be freed, and that the next boot finds WPR2 down. Sequence of OGKM
//! 570.144 `kernel_gsp_tu102.c`, `kernel_gsp_booter_tu102.c`.

use kernel::{
    device,
    io::Io,
    prelude::*, //
};

use crate::{
    driver::Bar0,
    falcon::{
        dma::Image,
        Mailboxes, //
    },
    fb::wpr2,
    firmware,
    firmware::{
        Errno,
        File, //
    },
    regs::{
        check::{
            check,
            BadRead, //
        },
        pbus::NV_PBUS_SW_SCRATCH_SB,
        pmc::NV_PMC_BOOT_0, //
    },
    vbios::{
        fwsec::Command,
        Vbios, //
    },
};

use super::{
    cmdq::{
        CallError,
        Cmdq, //
    },
    commands,
    nv_status::NvStatus,
    Engines, //
};

/// Both mailboxes of SEC2 for an unload without suspend.
const BOOTER_UNLOAD_MAILBOX: u32 = 0xff;

/// Nothing answers at BAR0 any more, as after hot unplug.
fn is_gone(engines: &Engines<'_>) -> bool {
    check(engines.bar.read(NV_PMC_BOOT_0).into_raw()) == Err(BadRead::Gone)
}

/// The images that take WPR2 down, in memory from before the moment it goes up.
pub(super) struct Teardown {
    fwsec_sb: Image,
    booter_unload: Image,
}

impl Teardown {
    pub(super) fn prepare(
        dev: &device::Device<device::Bound>,
        bar: Bar0<'_>,
        vbios: &Vbios,
    ) -> Result<Self> {
        Ok(Self {
            fwsec_sb: firmware::fwsec::prepare(dev, bar, vbios, Command::Sb)?,
            booter_unload: firmware::booter::prepare(dev, bar, File::BooterUnload)?,
        })
    }

    /// Runs both images.
    ///
    /// # Errors
    ///
    /// `EIO`, `ETIMEDOUT` or `ENODEV`; reported.
    pub(super) fn run(&self, engines: &Engines<'_>) -> Result {
        let dev = engines.dev();

        if is_gone(engines) {
            dev_err!(dev, "unload: the device is gone, GSP cannot be stopped\n");
            return Err(ENODEV);
        }
        let fwsec_sb = self.fwsec_sb(engines);
        let booter_unload = self.booter_unload(engines);
        fwsec_sb.and(booter_unload)
    }

    fn fwsec_sb(&self, engines: &Engines<'_>) -> Result {
        let Mailboxes(status, _) = engines.gsp.run(&self.fwsec_sb, Some(Mailboxes(0, 0)))?;
        let error: u32 = engines.bar.read(NV_PBUS_SW_SCRATCH_SB).error().into();
        if status != 0 || error != 0 {
            dev_err!(
                engines.dev(),
                "unload: FWSEC-SB failed (mailbox 0 {:#x}, error {:#x}); reset the GPU before the next load\n",
                status,
                error
            );
            return Err(EIO);
        }
        Ok(())
    }

    fn booter_unload(&self, engines: &Engines<'_>) -> Result {
        let dev = engines.dev();
        if wpr2(dev, engines.bar)?.is_none() {
            return Ok(());
        }

        let arg = Mailboxes(BOOTER_UNLOAD_MAILBOX, BOOTER_UNLOAD_MAILBOX);
        let Mailboxes(status, _) = engines.sec2.run(&self.booter_unload, Some(arg))?;
        if status != 0 {
            dev_err!(
                dev,
                "unload: booter-unload failed with {:#x}; reset the GPU before the next load\n",
                status
            );
            return Err(EIO);
        }
        if wpr2(dev, engines.bar)?.is_some() {
            dev_err!(
                dev,
                "unload: WPR2 is still up after booter-unload; reset the GPU before the next load\n"
            );
            return Err(EBUSY);
        }
        Ok(())
    }
}

/// Asks GSP-RM to stop, then makes sure that it has.
pub(super) fn shut_down(engines: &Engines<'_>, cmdq: &Cmdq<'_>, teardown: &Teardown) {
    let dev = engines.dev();

    if is_gone(engines) {
        cmdq.close();
        dev_err!(dev, "unload: the device is gone, GSP cannot be stopped\n");
        return;
    }

    match cmdq.call(&commands::Unload, Cmdq::DEFAULT_TIMEOUT) {
        Ok(()) => {
            if let Err(e) = engines.gsp.wait_suspended() {
                dev_err!(
                    dev,
                    "unload: GSP does not report that it has stopped: {}; stopping it anyway\n",
                    Errno(e)
                );
            }
        }
        Err(CallError::Status(raw)) => dev_err!(
            dev,
            "unload: GSP refuses to stop: {}; stopping it anyway\n",
            NvStatus(raw)
        ),
        Err(e) => dev_err!(
            dev,
            "unload: GSP cannot be asked to stop: {}; stopping it anyway\n",
            Errno(e.into())
        ),
    }

    cmdq.close();
    if teardown.run(engines).is_ok() {
        dev_info!(dev, "GSP stopped\n");
    }
}
