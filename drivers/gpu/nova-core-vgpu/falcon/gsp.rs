// SPDX-License-Identifier: GPL-2.0

//! The GSP falcon, whose RISC-V core runs GSP-RM.

use kernel::{
    io::{
        poll::read_poll_timeout,
        register::{
            RegisterBase,
            WithBase, //
        },
        Io, //
    },
    prelude::*,
    time::Delta,
};

use crate::regs::{
    check::check,
    falcon::*,
    pgc6::NV_PGC6_BSI_SECURE_SCRATCH_14, //
};

use super::{
    Engine,
    Falcon,
    Mailboxes, //
};

/// Names the GSP engine.
pub(crate) struct Gsp(());

impl RegisterBase<PFalcon> for Gsp {
    const BASE: usize = 0x11_0000;
}

impl RegisterBase<PFalcon2> for Gsp {
    const BASE: usize = 0x11_1000;
}

impl Engine for Gsp {
    const NAME: &'static str = "GSP";
}

const POLL: Delta = Delta::from_millis(1);
const RISCV_TIMEOUT: Delta = Delta::from_secs(5);
const SUSPEND_TIMEOUT: Delta = Delta::from_secs(5);
const RESUME_TIMEOUT: Delta = Delta::from_secs(2);

/// GSP-RM sets this in mailbox 0 when its last task has stopped.
const MAILBOX0_SUSPENDED: u32 = 1 << 31;

impl Falcon<'_, Gsp> {
    /// Clears the "message queued" interrupt.
    pub(crate) fn clear_swgen0(&self) {
        self.bar.write(
            WithBase::of::<Gsp>(),
            NV_PFALCON_FALCON_IRQSCLR::zeroed().with_swgen0(true),
        );
    }

    /// Tells the core which application version runs.
    pub(crate) fn write_os_version(&self, version: u32) {
        self.bar
            .write(WithBase::of::<Gsp>(), NV_PFALCON_FALCON_OS::from(version));
    }

    /// State of the RISC-V core.
    ///
    /// # Errors
    ///
    /// `EIO` or `ENODEV` when it cannot be read; reported.
    pub(crate) fn riscv(&self) -> Result<NV_PRISCV_RISCV_CPUCTL> {
        check(self.bar.read(NV_PRISCV_RISCV_CPUCTL::of::<Gsp>()))
            .map_err(|bad| self.bad_read("RISCV_CPUCTL", bad))
    }

    /// Waits until the RISC-V core runs.
    ///
    /// # Errors
    ///
    /// `ETIMEDOUT`, `EIO` or `ENODEV`.
    pub(crate) fn wait_riscv_active(&self) -> Result {
        read_poll_timeout(|| self.riscv(), |r| r.active_stat(), POLL, RISCV_TIMEOUT).map(|_| ())
    }

    /// Waits until GSP-RM says in mailbox 0 that it has stopped.
    ///
    /// # Errors
    ///
    /// `ETIMEDOUT`, or `ENODEV` when the device is gone.
    pub(crate) fn wait_suspended(&self) -> Result {
        read_poll_timeout(
            || match self.mailboxes() {
                Mailboxes(u32::MAX, _) => Err(ENODEV),
                Mailboxes(mailbox0, _) => Ok(mailbox0),
            },
            |mailbox0| mailbox0 & MAILBOX0_SUSPENDED != 0,
            POLL,
            SUSPEND_TIMEOUT,
        )
        .map(|_| ())
    }

    /// Waits for the hand-off that ends a resume of the RISC-V core.
    ///
    /// # Errors
    ///
    /// `ETIMEDOUT`, `EIO` or `ENODEV`.
    pub(crate) fn wait_resume_handoff(&self) -> Result {
        read_poll_timeout(
            || {
                check(self.bar.read(NV_PGC6_BSI_SECURE_SCRATCH_14))
                    .map_err(|bad| self.bad_read("BSI_SECURE_SCRATCH_14", bad))
            },
            |r| r.boot_stage_3_handoff(),
            POLL,
            RESUME_TIMEOUT,
        )
        .map(|_| ())
    }
}
