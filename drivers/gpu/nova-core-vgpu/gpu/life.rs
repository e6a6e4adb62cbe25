// SPDX-License-Identifier: GPL-2.0

//! The phase of a GPU, as all that have to do with it share it.
//!
//! ```text
//!   driver callbacks ── step() ──┐
//!                                ├──▶ phase, number of boots, why it was lost
//!   cmdq, health, PCI ─ lost() ──┘         │
//!      the first one only                  ├──▶ Gate: who may enter
//!                                          └──▶ Watch: woken up, tells everybody (but of an
//!                                               error of the link, of which the PCI core tells)
//! ```
//!
//! [`Life::lost`] is short and waits for nobody: what there is to do about a loss (keep the logs,
//! tell the VF driver) is done by the task that it wakes up, see [`crate::vgpu`]'s watch.

use kernel::{
    fmt, new_spinlock,
    prelude::*,
    sync::{
        Arc,
        SpinLock, //
    },
};
use kernel_ext::work::Caller;

use super::{
    loss::Loss,
    phase::{
        Phase,
        Step, //
    },
};

struct State {
    phase: Phase,
    boots: u32,
    losses: u32,
    /// Why the GPU was lost last.
    loss: Option<Loss>,
    /// It is, and nobody has been told.
    untold: bool,
    watcher: Option<Caller>,
}

impl State {
    /// Takes a step that leads to [`Phase::Lost`]; false if it is not possible.
    fn fail(&mut self, step: Step, loss: Loss) -> bool {
        let Some(phase) = self.phase.next(step) else {
            return false;
        };
        self.phase = phase;
        self.losses = self.losses.saturating_add(1);
        self.loss = Some(loss);
        true
    }
}

/// The life of one GPU. The lock is innermost and held for a few instructions.
#[pin_data]
pub(crate) struct Life {
    #[pin]
    state: SpinLock<State>,
}

impl Life {
    /// A GPU that is being booted for the first time.
    pub(crate) fn new() -> Result<Arc<Self>> {
        Arc::pin_init(
            pin_init!(Self {
                state <- new_spinlock!(State {
                    phase: Phase::Booting,
                    boots: 0,
                    losses: 0,
                    loss: None,
                    untold: false,
                    watcher: None,
                }),
            }),
            GFP_KERNEL,
        )
    }

    /// Where the GPU is in its life.
    pub(crate) fn phase(&self) -> Phase {
        self.state.lock().phase
    }

    /// How often it has been booted. What was made in one boot means nothing in the next.
    pub(crate) fn boots(&self) -> u32 {
        self.state.lock().boots
    }

    /// How often it has been lost, and why the last time.
    pub(crate) fn losses(&self) -> (u32, Option<Loss>) {
        let state = self.state.lock();

        (state.losses, state.loss)
    }

    /// Takes a step.
    ///
    /// # Errors
    ///
    /// `EINVAL` when it is not possible in this phase, which stays as it is.
    pub(crate) fn step(&self, step: Step) -> Result {
        let mut state = self.state.lock();

        state.phase = state.phase.next(step).ok_or(EINVAL)?;
        match step {
            Step::Booted => state.boots = state.boots.wrapping_add(1),
            // Whoever did this tells the VF driver.
            Step::Reset | Step::Sleep | Step::Remove => state.untold = false,
            _ => (),
        }
        Ok(())
    }

    /// The GPU is of no use any more. Does nothing when it was not [`Phase::Running`]: then it is
    /// known, or being dealt with. Returns whether this is how it becomes known.
    pub(crate) fn lost(&self, loss: Loss) -> bool {
        let mut state = self.state.lock();

        if !state.fail(Step::Fail, loss) {
            return false;
        }
        // The callback that brings an error of the link tells of it, and nobody else is to read
        // registers.
        state.untold = loss != Loss::Link;
        let watcher = state.watcher.clone().filter(|_| state.untold);
        drop(state);

        if let Some(watcher) = watcher {
            watcher.call();
        }
        true
    }

    /// GSP did not boot again. The caller tells everybody.
    pub(crate) fn boot_failed(&self) {
        self.state.lock().fail(Step::BootFailed, Loss::Boot);
    }

    /// The PF could not be reset after an error of the link. The caller tells everybody.
    pub(crate) fn reset_failed(&self) {
        self.state.lock().fail(Step::ResetFailed, Loss::Link);
    }

    /// The loss that nobody has been told of; the caller does it.
    pub(crate) fn take_untold(&self) -> Option<Loss> {
        let mut state = self.state.lock();

        if core::mem::take(&mut state.untold) {
            state.loss
        } else {
            None
        }
    }

    /// Whom to wake up when the GPU is lost.
    pub(crate) fn set_watcher(&self, watcher: Option<Caller>) {
        let old = core::mem::replace(&mut self.state.lock().watcher, watcher);
        // May free memory: not under the lock.
        drop(old);
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())?;
        match (self, self.detail()) {
            (Self::Panic(panic), Some((name, raw))) => write!(
                f,
                " ({} {:#010x}: task {}, reason {:#x}, code {:#x})",
                name,
                raw,
                panic.task(),
                panic.reason(),
                panic.code()
            ),
            (Self::Messages(_), Some((name, _))) => write!(f, " (bad {name})"),
            (_, Some((name, raw))) => write!(f, " ({name} {raw:#010x})"),
            (_, None) => Ok(()),
        }
    }
}
