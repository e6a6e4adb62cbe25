// SPDX-License-Identifier: GPL-2.0

//! Work that is done when somebody asks for it.
//!
//! ```text
//!   OnDemand::new(run)          Caller::call()              call() while it runs
//!                                    |                           |
//!                                    v                           v
//!                                  run() -> None               run() -> Some(delay)   run()
//!                                                                   |    delay        ^  |
//!                                                                   '-----------------'  v
//!   drop: not called any more, a call that runs is waited for; then the function is dropped
//! ```
//!
//! Whatever is asked for while the function runs makes it run once more. A function that always
//! wants to be called again, called once, repeats until it is dropped.
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

/// What is called. Returns when it wants to be called without being asked, if at all.
type Run = KBox<dyn Fn() -> Option<Delta> + Send>;

/// The part that C knows.
#[repr(C)]
#[pin_data]
struct Item {
    #[pin]
    work: Opaque<bindings::delayed_work>,
    /// `None` once the owner is gone. Locked during a call, which nobody waits for but the owner's
    /// drop, and that only after the last call.
    #[pin]
    run: Mutex<Option<Run>>,
}

// SAFETY: A work item may be handled by any thread, and `run` is `Send` and behind a lock.
unsafe impl Send for Item {}

// SAFETY: Operations on a work item are atomic, and `run` is `Send` and behind a lock.
unsafe impl Sync for Item {}

impl Item {
    /// # Safety
    ///
    /// To be called by the workqueue, for the `work` of an [`Item`] that stays until it is disabled.
    unsafe extern "C" fn callback(work: *mut bindings::work_struct) {
        const_assert!(offset_of!(Item, work) == 0);
        const_assert!(offset_of!(bindings::delayed_work, work) == 0);

        // SAFETY: By the requirements of this function, and the offsets above.
        let this = unsafe { &*work.cast::<Self>() };

        let again = this.run.lock().as_ref().and_then(|run| run());
        if let Some(delay) = again {
            this.queue_later(delay);
        }
    }

    /// Calls after `delay`, unless somebody has asked for a call already.
    #[inline(never)]
    fn queue_later(&self, delay: Delta) {
        // Not again and again without a pause.
        let delay = jiffies(delay).max(1);

        // SAFETY: The work was initialised in `OnDemand::start`, and does nothing once it is
        // disabled.
        unsafe { helper::nova_vgpu_helper_queue_delayed_work(self.work.get(), delay) };
    }

    /// Calls at once, or once more after the call that is going on.
    #[inline(never)]
    fn queue_now(&self) {
        // SAFETY: As above.
        unsafe { helper::nova_vgpu_helper_mod_delayed_work(self.work.get(), 0) };
    }
}

/// A function that is called in a task of the kernel when somebody asks for it, until this is
/// dropped.
///
/// Two calls never run at the same time. Dropping sleeps until the last call is over; it must not be
/// done by the function itself, nor with a lock held that the function takes.
pub struct OnDemand(Arc<Item>);

/// Asks for calls. May be kept for longer than the [`OnDemand`], and does nothing then.
#[derive(Clone)]
pub struct Caller(Arc<Item>);

impl Caller {
    /// Has the function called soon. Any context, also the function itself, which then runs once
    /// more.
    pub fn call(&self) {
        self.0.queue_now();
    }

    /// Has the function called after `delay` (rounded up to milliseconds), unless it will be called
    /// sooner.
    pub fn call_later(&self, delay: Delta) {
        self.0.queue_later(delay);
    }
}

impl OnDemand {
    /// Makes it; `run` is not called before somebody asks for it.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn new(run: impl Fn() -> Option<Delta> + Send + 'static) -> Result<Self> {
        Self::start(KBox::new(run, GFP_KERNEL)?)
    }

    #[inline(never)]
    fn start(run: Run) -> Result<Self> {
        let item = Arc::pin_init(
            pin_init!(Item {
                work <- Opaque::ffi_init(|slot: *mut bindings::delayed_work| {
                    // SAFETY: `slot` is memory for a work item that does not move.
                    unsafe {
                        helper::nova_vgpu_helper_init_delayed_work(slot, Some(Item::callback))
                    };
                }),
                run <- new_mutex!(Some(run)),
            }),
            GFP_KERNEL,
        )?;

        Ok(Self(item))
    }

    /// A way to ask for calls.
    pub fn caller(&self) -> Caller {
        Caller(self.0.clone())
    }
}

impl Drop for OnDemand {
    fn drop(&mut self) {
        // SAFETY: The work was initialised in `start`. Being disabled, it cannot be queued again.
        unsafe { bindings::disable_delayed_work_sync(self.0.work.get()) };

        // Callers keep the item, but not what the function has captured.
        let run = self.0.run.lock().take();
        drop(run);
    }
}

#[cfg(CONFIG_NOVA_CORE_VGPU_KUNIT)]
#[kunit_tests(nova_vgpu_work)]
mod tests {
    use super::*;
    use crate::completion::Completion;
    use kernel::sync::atomic::{
        ordering,
        Atomic, //
    };

    const LONG: Delta = Delta::from_secs(10);

    #[test]
    fn runs_when_called_and_outlived_by_callers() -> Result {
        let ran = Arc::pin_init(Completion::new(), GFP_KERNEL)?;
        let work = {
            let ran = ran.clone();

            OnDemand::new(move || {
                ran.complete();
                None
            })?
        };
        let caller = work.caller();

        assert_eq!(ran.wait_timeout(Delta::from_millis(20)), Err(ETIMEDOUT));
        caller.call();
        assert_eq!(ran.wait_timeout(LONG), Ok(()));
        caller.call();
        assert_eq!(ran.wait_timeout(LONG), Ok(()));
        drop(work);

        // The function is gone with its reference, and cannot be called any more.
        caller.call();
        assert!(Arc::into_unique_or_drop(ran).is_some());
        Ok(())
    }

    #[test]
    fn runs_again_by_itself_and_sooner_when_called() -> Result {
        let ran = Arc::pin_init(Completion::new(), GFP_KERNEL)?;
        let runs = Arc::new(Atomic::new(0_i32), GFP_KERNEL)?;
        let work = {
            let (ran, runs) = (ran.clone(), runs.clone());

            OnDemand::new(move || {
                let run = runs.fetch_add(1, ordering::Relaxed);
                ran.complete();
                Some(if run == 0 {
                    Delta::from_millis(1)
                } else {
                    Delta::from_secs(3600)
                })
            })?
        };

        work.caller().call();
        assert_eq!(ran.wait_timeout(LONG), Ok(()));
        assert_eq!(ran.wait_timeout(LONG), Ok(()));
        assert_eq!(ran.wait_timeout(Delta::from_millis(20)), Err(ETIMEDOUT));
        work.caller().call();
        assert_eq!(ran.wait_timeout(LONG), Ok(()));
        drop(work);
        assert_eq!(runs.load(ordering::Relaxed), 3);
        Ok(())
    }

    #[test]
    fn can_be_dropped_before_it_ran() -> Result {
        let runs = Arc::new(Atomic::new(0_i32), GFP_KERNEL)?;
        let counted = runs.clone();
        let work = OnDemand::new(move || {
            counted.fetch_add(1, ordering::Relaxed);
            None
        })?;

        work.caller().call_later(Delta::from_secs(3600));
        drop(work);
        assert_eq!(runs.load(ordering::Relaxed), 0);
        assert!(Arc::into_unique_or_drop(runs).is_some());
        Ok(())
    }
}
