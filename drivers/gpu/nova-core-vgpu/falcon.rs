// SPDX-License-Identifier: GPL-2.0

//! Falcon engines: reset, load a signed image by DMA, run it.
//!
//! ```text
//!  reset()  ENGINE pulse -> memories cleared -> falcon core selected -> RM = BOOT_0
//!  run()    reset -> dma: IMEM, DMEM -> brom: signature, engines, ucode id -> boot vector
//!           -> mailboxes -> STARTCPU -> halted -> mailboxes
//! ```
//!
//! Sequence of OGKM 570.144 `kernel_falcon_ga102.c`, `kernel_gsp_falcon_ga102.c`.

pub(crate) mod brom;
pub(crate) mod dma;
pub(crate) mod gsp;
pub(crate) mod sec2;

use core::marker::PhantomData;

use kernel::{
    device,
    io::{
        poll::read_poll_timeout,
        register::{
            RegisterBase,
            WithBase, //
        },
        Io, //
    },
    prelude::*,
    time::{
        delay::fsleep,
        Delta, //
    },
};

use crate::{
    driver::Bar0,
    regs::{
        check::{
            check,
            BadRead, //
        },
        falcon::*,
        pmc::NV_PMC_BOOT_0, //
    },
};

use dma::Image;

/// Time for a signed image to do its work: RM's longest default budget.
const HALT_TIMEOUT: Delta = Delta::from_secs(4);

const RESET_READY_TIMEOUT: Delta = Delta::from_micros(150);
const RESET_HOLD: Delta = Delta::from_micros(10);
const SCRUB_TIMEOUT: Delta = Delta::from_millis(20);
const SELECT_TIMEOUT: Delta = Delta::from_millis(10);
const POLL: Delta = Delta::from_micros(10);

/// A falcon engine.
pub(crate) trait Engine:
    RegisterBase<PFalcon> + RegisterBase<PFalcon2> + Send + Sync + 'static
{
    /// Name for messages.
    const NAME: &'static str;
}

/// Both mailboxes of an engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mailboxes(pub(crate) u32, pub(crate) u32);

impl Mailboxes {
    /// The halves of a DMA address.
    pub(crate) const fn from_address(address: u64) -> Self {
        // CAST: The two halves are wanted.
        Self(address as u32, (address >> 32) as u32)
    }
}

/// One engine of one GPU.
pub(crate) struct Falcon<'a, E: Engine> {
    dev: &'a device::Device<device::Bound>,
    bar: Bar0<'a>,
    engine: PhantomData<E>,
}

impl<'a, E: Engine> Falcon<'a, E> {
    /// Nothing is touched yet.
    pub(crate) fn new(dev: &'a device::Device<device::Bound>, bar: Bar0<'a>) -> Self {
        Self {
            dev,
            bar,
            engine: PhantomData,
        }
    }

    /// Reports a register read that failed; `ENODEV` when the device is gone, else `EIO`.
    fn bad_read(&self, what: &str, bad: BadRead) -> Error {
        dev_err!(
            self.dev,
            "{} falcon: {} reads {:#010x}: {}; reset the GPU\n",
            E::NAME,
            what,
            bad.raw(),
            bad.reason()
        );
        match bad {
            BadRead::Gone => ENODEV,
            BadRead::Blocked(_) => EIO,
        }
    }

    /// Reports a wait that took too long.
    fn timed_out(&self, error: &Error, what: core::fmt::Arguments<'_>) {
        if *error == ETIMEDOUT {
            dev_err!(
                self.dev,
                "{} falcon: timed out waiting for {}; reset the GPU\n",
                E::NAME,
                what
            );
        }
    }

    fn hwcfg2(&self) -> Result<NV_PFALCON_FALCON_HWCFG2> {
        check(self.bar.read(NV_PFALCON_FALCON_HWCFG2::of::<E>()))
            .map_err(|bad| self.bad_read("HWCFG2", bad))
    }

    fn wait_scrubbed(&self) -> Result {
        read_poll_timeout(
            || self.hwcfg2(),
            |r| !r.mem_scrubbing(),
            POLL,
            SCRUB_TIMEOUT,
        )
        .inspect_err(|e| self.timed_out(e, format_args!("its memories to be cleared")))
        .map(|_| ())
    }

    /// Makes the falcon core, not the RISC-V core, the one that runs.
    fn select_falcon_core(&self) -> Result {
        let selected = match check(self.bar.read(NV_PRISCV_RISCV_BCR_CTRL::of::<E>())) {
            Ok(bcr) => !bcr.riscv(),
            // A refused read means that the RISC-V core has locked the register.
            Err(BadRead::Blocked(_)) => false,
            Err(bad) => return Err(self.bad_read("BCR_CTRL", bad)),
        };
        if selected {
            return Ok(());
        }

        self.bar
            .write(WithBase::of::<E>(), NV_PRISCV_RISCV_BCR_CTRL::zeroed());
        read_poll_timeout(
            || {
                check(self.bar.read(NV_PRISCV_RISCV_BCR_CTRL::of::<E>()))
                    .map_err(|bad| self.bad_read("BCR_CTRL", bad))
            },
            |r| r.valid(),
            POLL,
            SELECT_TIMEOUT,
        )
        .inspect_err(|e| self.timed_out(e, format_args!("its falcon core to be selected")))
        .map(|_| ())
    }

    /// Resets the engine and selects its falcon core.
    ///
    /// # Errors
    ///
    /// `ETIMEDOUT`, `EIO` or `ENODEV`; reported.
    pub(crate) fn reset(&self) -> Result {
        // Not being ready is no reason not to reset; RM ignores it too.
        let _ = read_poll_timeout(
            || self.hwcfg2(),
            |r| r.reset_ready(),
            POLL,
            RESET_READY_TIMEOUT,
        );

        self.bar
            .update(NV_PFALCON_FALCON_ENGINE::of::<E>(), |r| r.with_reset(true));
        fsleep(RESET_HOLD);
        self.bar
            .update(NV_PFALCON_FALCON_ENGINE::of::<E>(), |r| r.with_reset(false));

        self.wait_scrubbed()?;
        self.select_falcon_core()?;
        self.wait_scrubbed()?;

        let boot0 = self.bar.read(NV_PMC_BOOT_0).into_raw();
        self.bar
            .write(WithBase::of::<E>(), NV_PFALCON_FALCON_RM::from(boot0));
        Ok(())
    }

    /// Resets the engine and leaves its RISC-V core selected, to be started by booter.
    ///
    /// # Errors
    ///
    /// As [`Self::reset`].
    pub(crate) fn reset_into_riscv(&self) -> Result {
        self.reset()?;
        self.bar.write(
            WithBase::of::<E>(),
            NV_PRISCV_RISCV_BCR_CTRL::zeroed()
                .with_valid(true)
                .with_riscv(true)
                .with_br_fetch(true),
        );
        Ok(())
    }

    /// Starts the falcon core.
    pub(crate) fn start(&self) -> Result {
        let cpuctl = self.cpuctl()?;

        if cpuctl.alias_en() {
            self.bar.write(
                WithBase::of::<E>(),
                NV_PFALCON_FALCON_CPUCTL_ALIAS::zeroed().with_startcpu(true),
            );
        } else {
            self.bar.write(
                WithBase::of::<E>(),
                NV_PFALCON_FALCON_CPUCTL::zeroed().with_startcpu(true),
            );
        }
        Ok(())
    }

    fn cpuctl(&self) -> Result<NV_PFALCON_FALCON_CPUCTL> {
        check(self.bar.read(NV_PFALCON_FALCON_CPUCTL::of::<E>()))
            .map_err(|bad| self.bad_read("CPUCTL", bad))
    }

    /// Waits until the falcon core halts. `what` is what it runs, for messages.
    ///
    /// # Errors
    ///
    /// `ETIMEDOUT`, `EIO` or `ENODEV`; reported.
    pub(crate) fn wait_halted(&self, what: &str) -> Result {
        read_poll_timeout(|| self.cpuctl(), |r| r.halted(), POLL, HALT_TIMEOUT)
            .inspect_err(|e| self.timed_out(e, format_args!("{what} to halt")))
            .map(|_| ())
    }

    /// Resets the engine, loads `image`, runs it and returns what it leaves in the mailboxes.
    /// `mailboxes` is its argument; `None` leaves them as they are.
    ///
    /// # Errors
    ///
    /// As [`Self::reset`] and [`Self::wait_halted`].
    pub(crate) fn run(&self, image: &Image, mailboxes: Option<Mailboxes>) -> Result<Mailboxes> {
        self.reset()?;
        self.transfer_image(image)?;
        if let Some(mailboxes) = mailboxes {
            self.write_mailboxes(mailboxes);
        }
        self.start()?;
        self.wait_halted(image.name)?;
        Ok(self.mailboxes())
    }

    /// Writes both mailboxes.
    pub(crate) fn write_mailboxes(&self, mailboxes: Mailboxes) {
        self.bar.write(
            WithBase::of::<E>(),
            NV_PFALCON_FALCON_MAILBOX0::from(mailboxes.0),
        );
        self.bar.write(
            WithBase::of::<E>(),
            NV_PFALCON_FALCON_MAILBOX1::from(mailboxes.1),
        );
    }

    /// Reads both mailboxes.
    pub(crate) fn mailboxes(&self) -> Mailboxes {
        Mailboxes(
            self.bar
                .read(NV_PFALCON_FALCON_MAILBOX0::of::<E>())
                .into_raw(),
            self.bar
                .read(NV_PFALCON_FALCON_MAILBOX1::of::<E>())
                .into_raw(),
        )
    }
}
