// SPDX-License-Identifier: GPL-2.0

//! The GSP falcon, whose RISC-V core runs GSP-RM.

use kernel::{
    io::{
        poll::read_poll_timeout,
        register::{
            Array,
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
    gsp::NV_PGSP_MAILBOX,
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

/// What GSP interrupts the CPU for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Causes {
    /// A message was queued. Cleared.
    pub(crate) message: bool,
    /// Bits of `IRQSTAT` of other causes that do not go away: the core has stopped, or its memory
    /// is damaged. Nothing more will be heard of GSP.
    pub(crate) fatal: u32,
}

impl Falcon<'_, Gsp> {
    /// Takes the causes of an interrupt.
    ///
    /// Causes are latched, and the engine only sends its interrupt when the first of them is. So
    /// all of them are cleared, and the engine is asked to send it again for what is latched
    /// meanwhile. Sequence of OGKM 570.144 `kernel_gsp_tu102.c` (`kgspService_TU102`).
    pub(crate) fn take_causes(&self) -> Causes {
        let Ok(status) = check(self.bar.read(NV_PFALCON_FALCON_IRQSTAT::of::<Gsp>())) else {
            return Causes::default();
        };
        let message = status.swgen0();
        if message {
            self.clear_swgen0();
        }

        // Most of the others are for the core itself.
        let others = status.with_swgen0(false).causes();
        let fatal = if others != 0 {
            self.clear_others(others)
        } else {
            0
        };
        if fatal == 0 {
            self.retrigger();
        }
        Causes { message, fatal }
    }

    /// Makes the engine send its interrupt again if a cause is latched.
    pub(crate) fn retrigger(&self) {
        self.bar.write(
            WithBase::of::<Gsp>().at(0),
            NV_PFALCON_FALCON_INTR_RETRIGGER::zeroed().with_trigger(true),
        );
    }

    /// Clears those of `causes` that are for the CPU and returns what is still there.
    fn clear_others(&self, causes: u32) -> u32 {
        let mask = self.bar.read(NV_PRISCV_RISCV_IRQMASK::of::<Gsp>());
        let dest = self.bar.read(NV_PRISCV_RISCV_IRQDEST::of::<Gsp>());
        let (Ok(mask), Ok(dest)) = (check(mask), check(dest)) else {
            return 0;
        };
        let ours = causes & mask.causes() & dest.causes();
        if ours == 0 {
            return 0;
        }

        self.bar.write(
            WithBase::of::<Gsp>(),
            NV_PFALCON_FALCON_IRQSCLR::zeroed().with_causes(ours),
        );
        check(self.bar.read(NV_PFALCON_FALCON_IRQSTAT::of::<Gsp>()))
            .map_or(0, |status| status.causes() & ours)
    }

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

    /// The same without judging it: may be the pattern of a read that failed.
    pub(crate) fn riscv_raw(&self) -> NV_PRISCV_RISCV_CPUCTL {
        self.bar.read(NV_PRISCV_RISCV_CPUCTL::of::<Gsp>())
    }

    /// Interrupts that the falcon has raised, as read.
    pub(crate) fn irqstat_raw(&self) -> u32 {
        self.bar
            .read(NV_PFALCON_FALCON_IRQSTAT::of::<Gsp>())
            .into_raw()
    }

    /// Forgets the death of an earlier GSP-RM, which a reset of the engine alone does not.
    pub(crate) fn clear_panic_mailbox(&self) {
        self.bar
            .write(NV_PGSP_MAILBOX::at(0), NV_PGSP_MAILBOX::zeroed());
    }

    /// The mailbox in which GSP-RM reports its own death.
    pub(crate) fn panic_mailbox(&self) -> u32 {
        self.bar.read(NV_PGSP_MAILBOX::at(0)).data()
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
