// SPDX-License-Identifier: GPL-2.0

//! Work that repeats.
//!
//! The work items of the `kernel` crate own themselves while they are queued, and nobody can wait
//! for them. Work of a driver that must be over when its device goes needs an owner:
//!
//! ```text
//!   Periodic::new(period, run)                  Trigger::run_now()
//!      | period       | period       | period       |   | period
//!      v              v              v              v   v
//!    run()          run()          run()          run() ...  |  drop: the next one is cancelled, a
//!                                                               running one is waited for; then
//!                                                               nothing of it runs any more
//! ```
//!
//! C header: [`include/linux/workqueue.h`](srctree/include/linux/workqueue.h)

use core::mem::offset_of;
use kernel::{
    bindings,
    new_mutex,
    prelude::*,
    sync::{
        Arc,
        Mutex, //
    },
    time::Delta,
    types::Opaque, //
};

use crate::time::jiffies;

mod helper {
    use kernel::{
        bindings,
        prelude::*, //
    };

    // Structures that are empty in this configuration, somewhere below `delayed_work`, do not matter
    // behind a pointer.
    #[allow(improper_ctypes)]
    extern "C" {
        pub(super) fn nova_vgpu_helper_init_delayed_work(
            work: *mut bindings::delayed_work,
            func: bindings::work_func_t,
        );
        pub(super) fn nova_vgpu_helper_queue_delayed_work(
            work: *mut bindings::delayed_work,
            delay: c_ulong,
        ) -> bool;
        pub(super) fn nova_vgpu_helper_mod_delayed_work(
            work: *mut bindings::delayed_work,
            delay: c_ulong,
        ) -> bool;
    }
}

/// What is called.
type Run = KBox<dyn Fn() + Send + Sync>;

/// The part of [`Periodic`] that C knows.
#[repr(C)]
#[pin_data]
struct Item {
    #[pin]
    work: Opaque<bindings::delayed_work>,
    /// Jiffies from the end of one run to the beginning of the next.
    period: c_ulong,
    /// `None` once the owner is gone. Locked during a run, which nobody waits for but the owner's
    /// drop, and that only after the last run.
    #[pin]
    run: Mutex<Option<Run>>,
}

// SAFETY: A work item may be handled by any thread, and `run` is `Send` and `Sync`.
unsafe impl Send for Item {}

// SAFETY: Operations on a work item are atomic, and `run` is `Send` and `Sync`.
unsafe impl Sync for Item {}

impl Item {
    /// # Safety
    ///
    /// To be called by the workqueue, for the `work` of an [`Item`] that stays until it is cancelled.
    unsafe extern "C" fn callback(work: *mut bindings::work_struct) {
        const_assert!(offset_of!(Item, work) == 0);
        const_assert!(offset_of!(bindings::delayed_work, work) == 0);

        // SAFETY: By the requirements of this function, and the offsets above.
        let this = unsafe { &*work.cast::<Self>() };

        if let Some(run) = &*this.run.lock() {
            run();
        }
        this.queue();
    }

    /// Runs next after the period. Does nothing while the work is being cancelled.
    #[inline(never)]
    fn queue(&self) {
        // SAFETY: The work was initialised in `Periodic::start`, and is cancelled before it goes.
        unsafe { helper::nova_vgpu_helper_queue_delayed_work(self.work.get(), self.period) };
    }

    /// Runs next at once, after the run that is going on if there is one. Does nothing once the work
    /// is disabled.
    #[inline(never)]
    fn queue_now(&self) {
        // SAFETY: As above; a work item that is disabled cannot be queued.
        unsafe { helper::nova_vgpu_helper_mod_delayed_work(self.work.get(), 0) };
    }
}

/// A function that is called again and again, in a task of the kernel, until this is dropped.
///
/// Two calls never run at the same time. Dropping sleeps until the last call is over; it must not be
/// done by the function itself, nor with a lock held that the function takes.
pub struct Periodic(Arc<Item>);

/// Makes the function of a [`Periodic`] run out of turn. May be kept for longer than the
/// [`Periodic`], and does nothing then.
#[derive(Clone)]
pub struct Trigger(Arc<Item>);

impl Trigger {
    /// Has the function called at once, in its own task. Can be called from any context, also by the
    /// function itself, which then runs once more.
    pub fn run_now(&self) {
        self.0.queue_now();
    }
}

impl Periodic {
    /// Calls `run` for the first time after `period` (rounded up to milliseconds), and then that long
    /// after the end of each call.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn new(period: Delta, run: impl Fn() + Send + Sync + 'static) -> Result<Self> {
        Self::start(period, KBox::new(run, GFP_KERNEL)?)
    }

    #[inline(never)]
    fn start(period: Delta, run: Run) -> Result<Self> {
        let item = Arc::pin_init(
            pin_init!(Item {
                work <- Opaque::ffi_init(|slot: *mut bindings::delayed_work| {
                    // SAFETY: `slot` is memory for a work item that does not move.
                    unsafe {
                        helper::nova_vgpu_helper_init_delayed_work(slot, Some(Item::callback))
                    };
                }),
                // Not again and again without a pause.
                period: jiffies(period).max(1),
                run <- new_mutex!(Some(run)),
            }),
            GFP_KERNEL,
        )?;

        item.queue();
        Ok(Self(item))
    }

    /// A way to have the function called out of turn.
    pub fn trigger(&self) -> Trigger {
        Trigger(self.0.clone())
    }
}

impl Drop for Periodic {
    fn drop(&mut self) {
        // SAFETY: The work was initialised in `start`. Being disabled, it cannot be queued again, by
        // itself or by a trigger.
        unsafe { bindings::disable_delayed_work_sync(self.0.work.get()) };

        // Triggers keep the item, but not what the function has captured.
        let run = self.0.run.lock().take();
        drop(run);
    }
}

#[cfg(CONFIG_NOVA_CORE_VGPU_KUNIT)]
#[kunit_tests(nova_vgpu_work)]
mod tests {
    use super::*;
    use crate::completion::Completion;
    use kernel::sync::{
        atomic::{
            ordering,
            Atomic, //
        },
        Arc,
    };

    #[test]
    fn runs_again_and_again_until_dropped() -> Result {
        let runs = Arc::new(Atomic::new(0_i32), GFP_KERNEL)?;
        let third = Arc::pin_init(Completion::new(), GFP_KERNEL)?;
        let periodic = {
            let (runs, third) = (runs.clone(), third.clone());

            Periodic::new(Delta::from_millis(1), move || {
                if runs.fetch_add(1, ordering::Relaxed) == 2 {
                    third.complete();
                }
            })?
        };

        assert_eq!(third.wait_timeout(Delta::from_secs(10)), Ok(()));
        drop(periodic);

        // The closure is gone, and with it its references.
        let last = runs.load(ordering::Relaxed);
        assert!(last >= 3);
        assert!(Arc::into_unique_or_drop(third).is_some());
        assert_eq!(runs.load(ordering::Relaxed), last);
        Ok(())
    }

    #[test]
    fn trigger_runs_it_at_once_and_outlives_it() -> Result {
        let ran = Arc::pin_init(Completion::new(), GFP_KERNEL)?;
        let periodic = {
            let ran = ran.clone();

            Periodic::new(Delta::from_secs(3600), move || ran.complete())?
        };
        let trigger = periodic.trigger();

        trigger.run_now();
        assert_eq!(ran.wait_timeout(Delta::from_secs(10)), Ok(()));
        drop(periodic);

        // The closure is gone, and cannot be called any more.
        let mut ran = Arc::into_unique_or_drop(ran);
        assert!(ran.is_some());
        trigger.run_now();
        drop(ran.take());
        Ok(())
    }

    #[test]
    fn can_be_dropped_before_it_ran() -> Result {
        let runs = Arc::new(Atomic::new(0_i32), GFP_KERNEL)?;
        let counted = runs.clone();

        drop(Periodic::new(Delta::from_secs(3600), move || {
            counted.fetch_add(1, ordering::Relaxed);
        })?);
        assert_eq!(runs.load(ordering::Relaxed), 0);
        Ok(())
    }
}
