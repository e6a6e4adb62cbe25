// SPDX-License-Identifier: GPL-2.0

//! Channels at work: from the doorbell to the interrupt.
//!
//! ```text
//! doorbell 0xbb0090 --> fifo --> Effect  Interrupt   vector of the engine
//! settle(), timer ----^                  Error       RC_TRIGGERED by GSP-RM
//! ```

use super::Gpu;
use crate::fifo::{Effect, Fifo, Unit};
use crate::gsp::{events, State};
use crate::host::Function;

impl Gpu {
    /// The work doorbell of the PF.
    pub(super) fn work_doorbell(&mut self, token: u32) {
        self.work(|fifo, unit| fifo.doorbell(unit, token));
    }

    /// Lets the channels do what is due by `now`.
    pub(super) fn advance_work(&mut self, now: u64) {
        if self.fifo.due_ns().is_some_and(|t| t <= now) {
            self.work(Fifo::advance);
        }
    }

    fn work(&mut self, call: impl FnOnce(&mut Fifo, &mut Unit<'_>)) {
        let mut unit = Unit {
            board: &mut self.board,
            wpr2: self.regs.wpr2.clone(),
            time_offset: self.regs.time_offset,
            tlb: &mut self.tlb,
            seen: Vec::new(),
            effects: Vec::new(),
        };
        call(&mut self.fifo, &mut unit);
        let (seen, effects) = (unit.seen, unit.effects);
        self.judge_seen(seen);
        for effect in effects {
            match effect {
                Effect::Interrupt(vector) => self.interrupt(Function::Pf, vector),
                // A GSP that is dead reports nothing.
                Effect::Error(_) if self.gsp.state != State::Running => {}
                Effect::Error(rc) => {
                    let e = events::rc_triggered(&rc);
                    self.gsp.event(&self.board, e.function, e.payload);
                }
            }
        }
    }
}
