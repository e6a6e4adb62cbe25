// SPDX-License-Identifier: GPL-2.0

//! Faults that strike by themselves, and events a test asks for.
//!
//! ```text
//! fault set --arm()--> death, stall, storm with their times
//!     settle(), timer --strike()--> when the time has come and GSP-RM runs:
//!         death, panic   RISC-V core halted, GSP deaf and mute until reset
//!         storm          RC_TRIGGERED, so many times
//!         end of stall   the commands that waited
//! event property --inject_event()--> message to the status queue, or a notifier fires
//! ```

use super::Gpu;
use crate::fault::Fault;
use crate::gsp::events::{self, Rc, Wish, RC_MMU_FAULT};
use crate::gsp::State;

/// How GSP ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Death {
    at_ns: u64,
    after_ns: u64,
    /// Word in the mailbox, if it still can say something.
    mailbox: Option<u32>,
}

/// What is armed.
#[derive(Debug, Default)]
pub(super) struct Armed {
    death: Option<Death>,
    storm: Option<(u32, Rc)>,
    stall_until: Option<u64>,
}

impl Gpu {
    /// Takes up the faults in force that strike by themselves.
    pub(super) fn arm(&mut self) {
        let now = self.board.host.now_ns();
        let mut armed = Armed::default();
        for fault in self.board.faults.iter() {
            match fault {
                Fault::GspDeath { after_ns } => {
                    armed.death = Some(Death {
                        at_ns: now.saturating_add(*after_ns),
                        after_ns: *after_ns,
                        mailbox: None,
                    });
                }
                Fault::GspPanic { mailbox, after_ns } => {
                    armed.death = Some(Death {
                        at_ns: now.saturating_add(*after_ns),
                        after_ns: *after_ns,
                        mailbox: Some(*mailbox),
                    });
                }
                Fault::QueueStall { ns } => armed.stall_until = Some(now.saturating_add(*ns)),
                Fault::RcStorm {
                    count,
                    engine,
                    chid,
                    gfid,
                } => {
                    let rc = Rc {
                        engine: *engine,
                        chid: *chid,
                        gfid: *gfid,
                        kind: RC_MMU_FAULT,
                        ..Rc::default()
                    };
                    armed.storm = Some((*count, rc));
                }
                _ => {}
            }
        }
        // A stall that is called off ends now.
        if armed.stall_until.is_none() && self.armed.stall_until.is_some() {
            armed.stall_until = Some(now);
        }
        self.armed = armed;
        self.strike(now);
    }

    /// GSP-RM starts: what is to end it counts from here.
    pub(super) fn rearm_death(&mut self) {
        let now = self.board.host.now_ns();
        if let Some(d) = &mut self.armed.death {
            d.at_ns = now.saturating_add(d.after_ns);
        }
    }

    /// Whether the command queue is not looked at now.
    pub(super) fn stalled(&self) -> bool {
        self.armed.stall_until.is_some()
    }

    /// Earliest time [`Gpu::strike`] has something to do.
    pub(super) fn strike_ns(&self) -> Option<u64> {
        let running = self.gsp.state == State::Running;
        let death = self.armed.death.filter(|_| running).map(|d| d.at_ns);
        [death, self.armed.stall_until].into_iter().flatten().min()
    }

    /// Commits what is due.
    pub(super) fn strike(&mut self, now: u64) {
        if self.armed.stall_until.is_some_and(|t| t <= now) {
            self.armed.stall_until = None;
            self.drain_commands();
        }
        if self.gsp.state != State::Running {
            return;
        }
        if let Some((count, rc)) = self.armed.storm.take() {
            self.board
                .trace
                .line("fault", format_args!("{count} channel errors"));
            for _ in 0..count {
                let e = events::rc_triggered(&rc);
                self.gsp.event(&self.board, e.function, e.payload);
            }
        }
        if let Some(death) = self.armed.death.filter(|d| d.at_ns <= now) {
            self.armed.death = None;
            self.gsp_dies(death.mailbox);
        }
    }

    /// GSP's core halts. Nothing but a reset brings it back.
    fn gsp_dies(&mut self, mailbox: Option<u32>) {
        self.board
            .trace
            .line("fault", format_args!("GSP halts, mailbox {mailbox:x?}"));
        self.board.stats.count("gsp-death");
        self.gsp.state = State::Dead;
        self.gsp_falcon.riscv_active = false;
        self.gsp_falcon.riscv_halted = true;
        if let Some(word) = mailbox {
            self.regs.mailboxes[crate::falcon::Engine::Gsp as usize][0] = word;
            self.gsp_halt_interrupt();
        }
    }

    /// Has that happen which `spec` names.
    pub(super) fn inject_event(&mut self, spec: &str) -> Result<(), String> {
        let wish = events::parse(spec, self.board.host.now_ns())?;
        if self.gsp.state != State::Running {
            return Err(format!(
                "event {spec}: GSP is in state {:?}",
                self.gsp.state
            ));
        }
        self.board.trace.line("fault", format_args!("event {spec}"));
        match wish {
            Wish::Message(e) => self.gsp.event(&self.board, e.function, e.payload),
            Wish::Notifier(index) => {
                self.with_rm(|rm, s| rm.notify(s, index));
            }
            Wish::Guest { gfid, license, os } => self
                .with_rm(|rm, s| rm.guest(s, gfid, license, os))
                .unwrap_or(Ok(()))
                .map_err(|r| format!("event {spec}: {}", r.text))?,
        }
        self.pump();
        Ok(())
    }
}
