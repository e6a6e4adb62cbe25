// SPDX-License-Identifier: GPL-2.0

//! Executes RUN_CPU_SEQUENCER: what GSP cannot do itself while it brings itself up.
//!
//! ```text
//!  payload ─▶ fw::sequencer::Ops ─▶ register operations
//!                                 ─▶ core reset, start, wait for halt, resume
//! ```
//!
//! GSP is not trusted with all of BAR0 by design, but it runs on the same GPU and has access to
//! these registers anyway; the driver only checks that an offset is inside BAR0.
//! Source: OGKM 570.144 `kernel_gsp.c`, `kernel_gsp_tu102.c`.

use kernel::{
    device,
    dma::DmaAddress,
    io::{
        poll::read_poll_timeout,
        Io, //
    },
    prelude::*,
    time::{
        delay::fsleep,
        Delta, //
    },
};

use crate::falcon::Mailboxes;

use super::{
    fw::r570_144::sequencer::{
        Invalid,
        Op,
        Ops,
        SAVE_AREA, //
    },
    Engines,
};

const DEFAULT_POLL_TIMEOUT_US: u32 = 4_000_000;
const MAX_DELAY_US: u32 = 4_000_000;
const POLL: Delta = Delta::from_micros(10);

/// Executes sequences of one boot.
pub(super) struct Sequencer<'a, 'gpu> {
    engines: &'a Engines<'gpu>,
    libos: DmaAddress,
    app_version: u32,
    saved: [u32; SAVE_AREA],
}

impl<'a, 'gpu> Sequencer<'a, 'gpu> {
    pub(super) fn new(engines: &'a Engines<'gpu>, libos: DmaAddress, app_version: u32) -> Self {
        Self {
            engines,
            libos,
            app_version,
            saved: [0; SAVE_AREA],
        }
    }

    fn dev(&self) -> &'gpu device::Device<device::Bound> {
        self.engines.dev()
    }

    /// Executes the sequence in `payload`.
    ///
    /// # Errors
    ///
    /// `EINVAL` for a malformed sequence, else what the operation that failed returned; reported.
    pub(super) fn run(&mut self, payload: &[u8]) -> Result {
        let invalid = |e: Invalid| {
            dev_err!(
                self.dev(),
                "boot: bad sequence from GSP: {}; check that the firmware is 570.144\n",
                e.0
            );
            EINVAL
        };
        let ops = Ops::new(payload).map_err(invalid)?;

        for op in ops.clone() {
            op.map_err(invalid)?;
        }
        // Nothing is executed of a sequence that is broken further down.
        for op in ops.flatten() {
            self.execute(op)
                .inspect_err(|_| dev_err!(self.dev(), "boot: sequence failed at {:x?}\n", op))?;
        }
        Ok(())
    }

    fn read(&self, addr: u32) -> Result<u32> {
        self.engines.bar.try_read32(usize::try_from(addr)?)
    }

    fn write(&self, addr: u32, value: u32) -> Result {
        self.engines.bar.try_write32(value, usize::try_from(addr)?)
    }

    fn execute(&mut self, op: Op) -> Result {
        match op {
            Op::RegWrite { addr, value } => self.write(addr, value),
            Op::RegModify { addr, mask, value } => {
                let old = self.read(addr)?;
                self.write(addr, old & !mask | value)
            }
            Op::RegPoll {
                addr,
                mask,
                value,
                timeout_us,
                error,
            } => self.poll(addr, mask, value, timeout_us, error),
            Op::DelayUs(us) => {
                fsleep(Delta::from_micros(i64::from(us.min(MAX_DELAY_US))));
                Ok(())
            }
            Op::RegStore { addr, slot } => {
                let value = self.read(addr)?;
                let index = usize::try_from(slot)?;
                *self.saved.get_mut(index).ok_or(EINVAL)? = value;
                Ok(())
            }
            Op::CoreReset => {
                self.engines.gsp.reset()?;
                self.engines.gsp.allow_physical_dma();
                Ok(())
            }
            Op::CoreStart => self.engines.gsp.start(),
            Op::CoreWaitForHalt => self.engines.gsp.wait_halted("the core of a sequence"),
            Op::CoreResume => self.resume(),
        }
    }

    fn poll(&self, addr: u32, mask: u32, value: u32, timeout_us: u32, error: u32) -> Result {
        let timeout_us = if timeout_us == 0 {
            DEFAULT_POLL_TIMEOUT_US
        } else {
            timeout_us.min(DEFAULT_POLL_TIMEOUT_US)
        };

        read_poll_timeout(
            || self.read(addr),
            |raw| raw & mask == value,
            POLL,
            Delta::from_micros(i64::from(timeout_us)),
        )
        .inspect_err(|_| {
            dev_err!(
                self.dev(),
                "boot: register {:#x} does not become {:#x}, code {:#x}\n",
                addr,
                value,
                error
            );
        })
        .map(|_| ())
    }

    /// Lets SEC2 hand GSP back to its RISC-V core.
    fn resume(&self) -> Result {
        let gsp = &self.engines.gsp;

        gsp.reset_into_riscv()?;
        gsp.write_mailboxes(Mailboxes::from_address(self.libos));
        self.engines.sec2.start()?;
        gsp.wait_resume_handoff()?;

        let Mailboxes(status, _) = self.engines.sec2.mailboxes();
        if status != 0 {
            dev_err!(
                self.dev(),
                "boot: SEC2 cannot resume GSP, status {:#x}\n",
                status
            );
            return Err(EIO);
        }
        gsp.write_os_version(self.app_version);
        if !gsp.riscv()?.active_stat() {
            return Err(EIO);
        }
        Ok(())
    }
}
