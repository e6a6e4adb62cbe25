// SPDX-License-Identifier: GPL-2.0

//! The falcons in the board: DMA, start, and what the microcode does.
//!
//! ```text
//! GSP  FWSEC-FRTS    WPR2 := FRTS range          scratch 0x0e
//!      FWSEC-SB      clean-up                    scratch 0x15
//! SEC2 scrubber      hand-off := 3
//!      booter load   checks metadata and images, WPR2 := whole range,
//!                    GSP RISC-V core := running
//!      booter unload WPR2 := none, GSP RISC-V core := stopped
//! ```
//!
//! Microcode runs to its end at once, except the scrubber, which may be given a
//! duration.

use super::Gpu;
use crate::falcon::{Action, BadTransfer, Engine, Falcon, IRQ_SWGEN0};
use crate::fault::Fault;
use crate::gsp::script::SCRATCH_RESULT;
use crate::gsp::State;
use crate::regs;
use crate::ucode::fwsec::{self, Command};
use crate::ucode::{sec2_program, Sec2Program};
use crate::vbios::FWSEC_UCODE_ID;

/// Hand-off value the scrubber leaves.
pub(super) const HANDOFF_DONE: u8 = 3;
/// Boot stage 3 hand-off bit of BSI secure scratch 14.
pub(super) const BOOT_STAGE_3: u32 = 1 << 26;
/// FRTS and SB error code for a command that is not understood or not possible.
const FWSEC_ERROR: u16 = 1;
/// Mailbox values of failing microcode.
const ERROR_BROM: u32 = 0xbad0_0001;
pub(super) const ERROR_ARGUMENT: u32 = 0x11;

impl Gpu {
    pub(super) fn falcon(&mut self, e: Engine) -> &mut Falcon {
        match e {
            Engine::Gsp => &mut self.gsp_falcon,
            Engine::Sec2 => &mut self.sec2_falcon,
        }
    }

    /// Reads a register of an engine's two blocks.
    pub(super) fn engine_read(&mut self, e: Engine, off: u32) -> Option<u32> {
        if let Some(i) = word_index(off, regs::ENGINE_MAILBOX, regs::ENGINE_MAILBOXES) {
            return Some(self.regs.mailboxes[e as usize][i]);
        }
        match e {
            Engine::Gsp if queue_head(off).is_some() => Some(0),
            Engine::Sec2 if off == regs::SEC2_IRQ_VECTOR => Some(self.regs.sec2_vector),
            _ => self.falcon(e).read(off),
        }
    }

    /// Writes a register of an engine's two blocks; false when there is none.
    pub(super) fn engine_write(&mut self, e: Engine, off: u32, v: u32) -> bool {
        if let Some(i) = word_index(off, regs::ENGINE_MAILBOX, regs::ENGINE_MAILBOXES) {
            self.regs.mailboxes[e as usize][i] = v;
            return true;
        }
        match e {
            Engine::Gsp => {
                if let Some(queue) = queue_head(off) {
                    self.queue_doorbell(queue);
                    return true;
                }
            }
            Engine::Sec2 if off == regs::SEC2_IRQ_VECTOR => {
                self.regs.sec2_vector = v;
                return true;
            }
            Engine::Sec2 => {}
        }
        let debuginfo = self.falcon(e).debuginfo;
        match self.falcon(e).write(off, v) {
            Action::None => {}
            Action::Dma => self.dma(e),
            Action::Start => self.start(e),
            Action::Reset => self.engine_reset(e, debuginfo),
            Action::Retrigger if e == Engine::Gsp => self.gsp_retrigger(),
            Action::Retrigger => {}
            Action::Unknown => return false,
        }
        true
    }

    /// Copies one block into a falcon memory.
    fn dma(&mut self, e: Engine) {
        let t = match self.falcon(e).transfer() {
            Ok(t) => t,
            Err(why) => {
                let kind = match why {
                    BadTransfer::Scrubbing => "falcon-dma-while-scrubbing",
                    _ => "falcon-dma",
                };
                self.board.refuse(kind, format_args!("{e:?}: {why:?}"));
                self.falcon(e).stall();
                return;
            }
        };
        let mut block = [0; crate::falcon::BLOCK];
        let read = if t.sysmem {
            self.board.host.dma_read(t.source, &mut block).is_ok()
        } else {
            self.board.vram.read(t.source, &mut block).is_ok()
        };
        if !read {
            self.board.refuse(
                "falcon-dma",
                format_args!("{e:?}: source {:#x} is not readable", t.source),
            );
        }
        self.board.stats.count("falcon-dma");
        self.falcon(e).complete(&t, read.then_some(&block));
    }

    /// An engine went through its reset.
    fn engine_reset(&mut self, e: Engine, debuginfo: u32) {
        self.board.trace.line("falcon", format_args!("{e:?} reset"));
        if e == Engine::Sec2 {
            self.sec2_program = None;
            return;
        }
        match self.gsp.state {
            State::Off => {}
            // The first reset of the script comes after its register commands.
            State::Sequencing { checked: false } => {
                if debuginfo != SCRATCH_RESULT {
                    self.board.refuse(
                        "sequencer-order",
                        format_args!("GSP reset before the register commands ran"),
                    );
                }
                self.gsp.state = State::Sequencing { checked: true };
            }
            State::Sequencing { checked: true } => {}
            // Also how a driver recovers from a boot that did not finish.
            State::Suspended | State::Silent | State::Init | State::Dead => self.gsp_off(),
            State::Running => {
                self.board.refuse(
                    "gsp-reset-while-running",
                    format_args!("GSP reset without UNLOADING_GUEST_DRIVER"),
                );
                self.gsp_off();
            }
        }
    }

    /// STARTCPU.
    fn start(&mut self, e: Engine) {
        if self.falcon(e).running_until.is_some() {
            self.board
                .refuse("falcon-start", format_args!("{e:?} is already running"));
            return;
        }
        match e {
            Engine::Gsp => self.start_gsp(),
            Engine::Sec2 => self.start_sec2(),
        }
    }

    fn start_gsp(&mut self) {
        if !self.gsp_falcon.loaded() {
            // Drivers start the empty core after writing the mailboxes.
            self.board
                .trace
                .line("falcon", format_args!("Gsp start with nothing loaded"));
            return;
        }
        self.gsp_falcon.has_run = true;
        let fuse = self.fwsec_fuse(u32::from(FWSEC_UCODE_ID));
        if let Err(r) = fwsec::verify(&self.gsp_falcon, &self.vbios.fwsec, fuse) {
            self.board.refused(&r);
            self.gsp_falcon.mailbox[0] = ERROR_BROM;
            return;
        }
        let fb_size = self.board.config.fb_size();
        let command = fwsec::command(&self.gsp_falcon.dmem, &self.vbios.fwsec, fb_size);
        self.gsp_falcon.mailbox[0] = 0;
        match command {
            Ok(Command::Sb) => {
                self.regs.scratch[regs::SCRATCH_SB] &= !0xffff;
                self.board.stats.count("fwsec-sb");
                self.board.trace.line("boot", format_args!("fwsec-sb"));
            }
            Ok(Command::Frts(range)) => {
                let error = self.board.faults.find(|f| match f {
                    Fault::FrtsError(code) => Some(*code),
                    _ => None,
                });
                if let Some(code) = error {
                    self.regs.set_frts_error(code);
                } else if self.regs.wpr2.is_some() {
                    self.board.refuse(
                        "fwsec-wpr2",
                        format_args!("WPR2 is already up, {:x?} wanted", range),
                    );
                    self.regs.set_frts_error(FWSEC_ERROR);
                } else {
                    self.regs.set_frts_error(0);
                    self.board.stats.count("fwsec-frts");
                    self.board
                        .trace
                        .line("boot", format_args!("fwsec-frts wpr2 {range:x?}"));
                    self.regs.frts = Some(range.clone());
                    self.regs.wpr2 = Some(range);
                }
            }
            Err(r) => {
                self.board.refused(&r);
                self.regs.set_frts_error(FWSEC_ERROR);
                self.regs.scratch[regs::SCRATCH_SB] |= u32::from(FWSEC_ERROR);
            }
        }
    }

    fn start_sec2(&mut self) {
        if self.sec2_falcon.has_run {
            self.restart_sec2();
            return;
        }
        let program = match sec2_program(&self.sec2_falcon) {
            Ok(p) => p,
            Err(r) => {
                let code = match r.kind {
                    "booter-argument" => ERROR_ARGUMENT,
                    _ => ERROR_BROM,
                };
                self.board.refused(&r);
                self.sec2_falcon.mailbox[0] = code;
                return;
            }
        };
        self.sec2_falcon.has_run = true;
        let duration = match program {
            Sec2Program::Scrubber if self.board.faults.has(&Fault::ScrubberHang) => u64::MAX,
            Sec2Program::Scrubber => self.board.config.scrubber_delay_ns,
            _ => 0,
        };
        if duration == 0 {
            self.run_sec2(program);
        } else {
            let end = self.board.host.now_ns().saturating_add(duration);
            self.sec2_falcon.running_until = Some(end);
            self.sec2_program = Some(program);
        }
    }

    /// SEC2 started again without a reset: the last step of the sequencer
    /// script, in which the loaded booter brings GSP-RM back.
    fn restart_sec2(&mut self) {
        let mailbox = self.gsp_falcon.mailbox;
        let libos = u64::from(mailbox[0]) | u64::from(mailbox[1]) << 32;
        if self.gsp.state != (State::Sequencing { checked: true }) || libos != self.gsp.libos {
            self.board.refuse(
                "falcon-start",
                format_args!(
                    "Sec2 started again in state {:?}, libos {libos:#x}",
                    self.gsp.state
                ),
            );
            self.sec2_falcon.mailbox[0] = ERROR_ARGUMENT;
            return;
        }
        self.sec2_falcon.mailbox[0] = 0;
        self.gsp_falcon.riscv_active = true;
        self.regs.bsi14 |= BOOT_STAGE_3;
        self.board.trace.line("boot", format_args!("gsp resumed"));
        self.rm_ready();
    }

    /// Finishes microcode whose time is over, and commits faults that are due.
    pub(super) fn settle(&mut self) {
        let now = self.board.host.now_ns();
        self.board.trace.set_now(now);
        self.strike(now);
        self.advance_work(now);
        self.tell_overdue(now);
        if self.sec2_falcon.running_until.is_some_and(|t| t <= now) {
            self.sec2_falcon.running_until = None;
            if let Some(program) = self.sec2_program.take() {
                self.run_sec2(program);
            }
        }
    }

    fn run_sec2(&mut self, program: Sec2Program) {
        match program {
            Sec2Program::Scrubber => {
                let wanted = self.board.faults.find(|f| match f {
                    Fault::ScrubberHandoff(n) => Some(*n),
                    _ => None,
                });
                self.regs.handoff = wanted.unwrap_or(HANDOFF_DONE);
                self.sec2_falcon.mailbox[0] = 0;
                self.board.stats.count("scrubber");
                self.board.trace.line(
                    "boot",
                    format_args!("scrubber hand-off {}", self.regs.handoff),
                );
            }
            Sec2Program::BooterUnload => {
                self.board.stats.count("booter-unload");
                self.board.trace.line("boot", format_args!("booter unload"));
                self.gsp_off();
                self.regs.wpr2 = None;
                self.regs.frts = None;
                self.sec2_falcon.mailbox[0] = 0;
            }
            Sec2Program::BooterLoad(meta) => {
                let code = match self.booter_load(meta) {
                    Ok(()) => 0,
                    Err((code, r)) => {
                        self.board.refused(&r);
                        code
                    }
                };
                self.sec2_falcon.mailbox[0] = code;
            }
        }
    }

    /// GSP-RM is gone: its core stopped, its windows unbound, its objects lost.
    pub(super) fn gsp_off(&mut self) {
        self.rm_gone();
        self.gsp = Default::default();
        self.boot = Default::default();
        self.gsp_falcon.riscv_active = false;
    }

    /// Tells the CPU that the status queue has something new.
    pub(super) fn notify(&mut self) {
        self.gsp_interrupt(IRQ_SWGEN0);
    }
}

fn word_index(off: u32, base: u32, count: u32) -> Option<usize> {
    let i = off.checked_sub(base)? / 4;
    (off % 4 == 0 && i < count).then_some(i as usize)
}

/// Number of the message queue whose head register is at `off`.
fn queue_head(off: u32) -> Option<u32> {
    let i = off.checked_sub(regs::GSP_QUEUE_HEAD)?;
    (i % 8 == 0 && i / 8 < regs::GSP_QUEUES).then_some(i / 8)
}
