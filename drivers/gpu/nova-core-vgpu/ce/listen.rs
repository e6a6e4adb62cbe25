// SPDX-License-Identifier: GPL-2.0

//! How the copy engine hears that something has happened.
//!
//! ```text
//!   non-stall interrupt ----> semaphore: what is done is over
//!   10 ms without one ------> semaphore; no progress for 4 s: ETIMEDOUT for all
//!   RC_TRIGGERED from GSP --> EIO for all
//! ```
//!
//! None of it waits: what is left to do about a channel is done by who needs the next one.

use kernel::prelude::*;

use super::{
    state::Overdue,
    Shared, //
};
use crate::{
    gpu::Gpu,
    gsp::{
        events::{
            self,
            Event, //
        },
        fw::r570_144::{
            intr,
            message::Message, //
        },
    },
    irq, //
};

impl Shared {
    /// Finds out about work that is done without an interrupt, and about work that is not done.
    pub(super) fn recheck(&self) {
        let mut state = self.state.lock();
        let sane = state.progress(true);
        let overdue = state.overdue();

        if overdue.is_some() {
            state.fail(ETIMEDOUT);
            state.stats.timeouts += 1;
        }
        drop(state);
        if !sane {
            self.report_semaphore();
        }
        if let Some(Overdue { chid, put, get }) = overdue {
            dev_err!(
                self.dev,
                "copy engine: no progress on channel {} (put {}, get {}), another one is made\n",
                chid,
                put,
                get
            );
        }
    }

    /// Vector of the engine's non-stall interrupt; `None` if there is no engine, or firmware does
    /// not say.
    pub(crate) fn vector(&self, gpu: &Gpu<'_>) -> Option<irq::Vector> {
        let instance = u16::try_from(self.setup?.unit.instance).ok()?;

        gpu.irq_table().nonstall(intr::ENGINE_CE0 + instance)
    }

    fn report_semaphore(&self) {
        dev_err!(
            self.dev,
            "copy engine: its semaphore holds a number that was never given out\n"
        );
    }
}

impl irq::Sink for Shared {
    fn interrupt(&self) {
        let mut state = self.state.lock();

        state.stats.interrupts += 1;
        let sane = state.progress(false);
        drop(state);
        if !sane {
            self.report_semaphore();
        }
    }
}

impl events::Sink for Shared {
    fn event(&self, event: &Event<'_>) -> bool {
        let (Message::Rc(rc), Some(setup)) = (&event.message, self.setup) else {
            return false;
        };
        let mut state = self.state.lock();
        let mine = rc.engine == setup.unit.nv2080 && state.chid() == Some(rc.chid);
        if rc.gfid != 0 || rc.is_fast_path() || !mine {
            return false;
        }
        state.fail(EIO);
        state.stats.errors += 1;
        drop(state);
        dev_err!(
            self.dev,
            "copy engine: firmware has stopped channel {}\n",
            rc.chid
        );
        true
    }
}
