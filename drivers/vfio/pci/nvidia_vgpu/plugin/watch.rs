// SPDX-License-Identifier: GPL-2.0

//! What becomes of a plugin task, for whoever waits for it.
//!
//! ```text
//!            begin              event: booted            stop
//!    Absent ------> Starting -----------------> Up -----------------> Stopping
//!      ^               |     event: crashed, or  |    event: crashed     |
//!      |               |     unloaded once it is up                      |
//!      |               +----------> Crashed <----+-----------------------+
//!      |               |     GPU lost            |                       |
//!      |               '----------> Lost    <----+-----------------------'
//!      '-- end ----------------------------------------------------------'
//! ```
//!
//! A task that says that it is unloaded, although nobody has asked for that, is as dead as one that
//! has crashed.
//!
//! Events come from whoever has drained the message queue of GSP, so nothing here waits. `Crashed`
//! and `Lost` last until the next task: nobody waits for a task that is in one of them.

use kernel::{
    prelude::*,
    sync::atomic::{
        Acquire,
        Atomic,
        Relaxed,
        Release, //
    },
    time::{
        delay::fsleep,
        Delta, //
    },
};
use kernel_ext::completion::Completion;
use nova_core_vgpu::vgpu::TaskEvent;

use super::pace;

/// Why there will be no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Death {
    /// The task has crashed.
    Crashed,
    /// The GPU is lost, or is about to be stopped.
    Lost,
}

const ABSENT: u32 = 0;
const STARTING: u32 = 1;
const UP: u32 = 2;
const CRASHED: u32 = 3;
const LOST: u32 = 4;
const STOPPING: u32 = 5;

/// State of the plugin task of one VF.
#[pin_data]
pub(crate) struct Watch {
    state: Atomic<u32>,
    /// Completed when it is worth looking again.
    #[pin]
    wake: Completion,
}

impl Watch {
    /// No task.
    pub(super) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            state: Atomic::new(ABSENT),
            wake <- Completion::new(),
        })
    }

    /// A task is about to be started. To be called before anything is reported about it.
    pub(super) fn begin(&self) {
        self.wake.reinit();
        self.state.store(STARTING, Release);
    }

    /// The task is about to be ended.
    pub(super) fn stop(&self) {
        for state in [STARTING, UP] {
            // Any other state stays.
            let _ = self.state.cmpxchg(state, STOPPING, Relaxed);
        }
    }

    /// There is no task any more.
    pub(super) fn end(&self) {
        self.state.store(ABSENT, Release);
    }

    /// Firmware has reported something about the task. Returns whether that is its death.
    pub(super) fn event(&self, what: TaskEvent) -> bool {
        match what {
            // The marker in memory says so too, and is what counts.
            TaskEvent::Booted => {
                if self.state.cmpxchg(STARTING, UP, Relaxed).is_ok() {
                    self.wake.complete();
                }
                false
            }
            TaskEvent::Crashed => {
                self.die(CRASHED);
                true
            }
            // Before the task is up, that may be what the one before it has to say.
            TaskEvent::Unloaded => {
                let died = self.state.cmpxchg(UP, CRASHED, Release).is_ok();
                if died {
                    self.wake.complete_all();
                }
                died
            }
            _ => false,
        }
    }

    /// The GPU is lost, or about to be stopped.
    pub(super) fn lost(&self) {
        self.die(LOST);
    }

    fn die(&self, state: u32) {
        if self.state.load(Acquire) != ABSENT {
            self.state.store(state, Release);
            self.wake.complete_all();
        }
    }

    /// Why there will be no answer; `None` while there may be one.
    pub(crate) fn death(&self) -> Option<Death> {
        match self.state.load(Acquire) {
            CRASHED => Some(Death::Crashed),
            LOST => Some(Death::Lost),
            _ => None,
        }
    }

    /// For debugfs.
    pub(crate) fn name(&self) -> &'static str {
        match self.state.load(Acquire) {
            STARTING => "starting",
            UP | STOPPING => "running",
            CRASHED => "crashed",
            LOST => "lost",
            _ => "none",
        }
    }

    /// Sleeps until it is worth looking again, for somebody who has waited for `waited_us` and has
    /// `left_us` left.
    ///
    /// # Errors
    ///
    /// `EINTR` when the calling task got a fatal signal, if `killable`.
    pub(super) fn pause(&self, waited_us: u64, left_us: u64, killable: bool) -> Result {
        let pause_us = pace::pause_us(waited_us, left_us);
        // CAST: 10 ms at most.
        let pause = Delta::from_micros(pause_us as i64);
        if !pace::is_long(pause_us) {
            fsleep(pause);
            return Ok(());
        }
        let woken = if killable {
            self.wake.wait_killable_timeout(pause)
        } else {
            self.wake.wait_timeout(pause)
        };
        match woken {
            Err(e) if e != ETIMEDOUT => Err(e),
            _ => Ok(()),
        }
    }
}

#[cfg(CONFIG_NOVA_CORE_VGPU_KUNIT)]
#[kunit_tests(nova_vgpu_plugin_watch)]
mod tests {
    use super::*;
    use kernel::{
        sync::Arc,
        time::{
            Instant,
            Monotonic, //
        },
    };

    fn begun() -> Result<Arc<Watch>> {
        let watch = Arc::pin_init(Watch::new(), GFP_KERNEL)?;
        watch.begin();
        Ok(watch)
    }

    #[test]
    fn a_crash_lasts_and_ends_every_pause() -> Result {
        let watch = begun()?;
        let start = Instant::<Monotonic>::now();

        assert_eq!((watch.death(), watch.name()), (None, "starting"));
        watch.event(TaskEvent::Crashed);
        for _ in 0..100 {
            watch.pause(10_000_000, 10_000_000, true)?;
        }
        assert!(start.elapsed() < Delta::from_millis(500));
        watch.event(TaskEvent::Booted);
        assert_eq!(watch.death(), Some(Death::Crashed));
        watch.begin();
        assert_eq!(watch.death(), None);
        Ok(())
    }

    #[test]
    fn a_task_that_is_not_there_cannot_die() -> Result {
        let watch = begun()?;

        watch.end();
        watch.lost();
        watch.event(TaskEvent::Crashed);
        assert_eq!((watch.death(), watch.name()), (None, "none"));
        Ok(())
    }

    #[test]
    fn an_end_that_nobody_wants_is_a_death() -> Result {
        let watch = begun()?;

        assert!(!watch.event(TaskEvent::Unloaded));
        assert!(!watch.event(TaskEvent::Booted) && watch.event(TaskEvent::Unloaded));
        assert_eq!(watch.death(), Some(Death::Crashed));
        assert!(!watch.event(TaskEvent::Unloaded));

        watch.begin();
        watch.stop();
        assert!(!watch.event(TaskEvent::Unloaded));
        assert_eq!((watch.death(), watch.name()), (None, "running"));
        assert!(watch.event(TaskEvent::Crashed));
        watch.stop();
        assert_eq!(watch.death(), Some(Death::Crashed));
        Ok(())
    }

    #[test]
    fn boot_ends_one_pause() -> Result {
        let watch = begun()?;

        watch.event(TaskEvent::Booted);
        assert_eq!(watch.name(), "running");
        watch.pause(10_000_000, 10_000_000, false)?;
        let start = Instant::<Monotonic>::now();
        watch.pause(10_000_000, 10_000_000, false)?;
        assert!(start.elapsed() >= Delta::from_millis(9));
        Ok(())
    }
}
