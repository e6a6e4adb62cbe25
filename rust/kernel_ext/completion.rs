// SPDX-License-Identifier: GPL-2.0

//! Completions with a deadline.
//!
//! [`kernel::sync::Completion`] can only wait for ever. A driver that waits for firmware needs a
//! deadline, and a way out for the person whose system call is waiting:
//!
//! ```text
//!   waiter                                     whoever makes the event
//!   reinit()
//!   start the operation  ------------------->  ...
//!   wait_timeout(d)      <-------------------  complete()
//!     Ok: event, ETIMEDOUT: none within d, EINTR (killable only): the task is being killed
//! ```
//!
//! C header: [`include/linux/completion.h`](srctree/include/linux/completion.h)

use kernel::{
    bindings,
    prelude::*,
    time::Delta,
    types::Opaque, //
};

use crate::time::jiffies;

/// An event that tasks can wait for with a deadline.
///
/// Wraps the C `struct completion`. [`complete`](Self::complete) lets one waiter through,
/// [`complete_all`](Self::complete_all) all present and future ones until [`reinit`](Self::reinit).
#[pin_data]
pub struct Completion {
    #[pin]
    inner: Opaque<bindings::completion>,
}

// SAFETY: A `struct completion` may be released from any task.
unsafe impl Send for Completion {}

// SAFETY: All operations on a `struct completion` are serialised by its own lock.
unsafe impl Sync for Completion {}

impl Completion {
    /// Returns an initializer for a completion whose event has not happened.
    pub fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            inner <- Opaque::ffi_init(|slot: *mut bindings::completion| {
                // SAFETY: `slot` points to memory for a `struct completion`.
                unsafe { bindings::init_completion(slot) };
            }),
        })
    }

    /// Lets one waiter through, now or the next time somebody waits.
    pub fn complete(&self) {
        // SAFETY: `self.inner` is an initialised `struct completion`.
        unsafe { bindings::complete(self.inner.get()) };
    }

    /// Lets every present and future waiter through.
    pub fn complete_all(&self) {
        // SAFETY: `self.inner` is an initialised `struct completion`.
        unsafe { bindings::complete_all(self.inner.get()) };
    }

    /// Forgets events that happened so far.
    ///
    /// To be called before the operation is started whose end is waited for; a task that waits at
    /// the same time may miss the forgotten event.
    pub fn reinit(&self) {
        // SAFETY: `self.inner` is an initialised `struct completion`; C's `reinit_completion()` does
        // the same plain store.
        unsafe { (&raw mut (*self.inner.get()).done).write_volatile(0) };
    }

    /// Waits until the event happens, but not longer than `timeout` (rounded up to milliseconds).
    ///
    /// # Errors
    ///
    /// `ETIMEDOUT` when the time is over.
    pub fn wait_timeout(&self, timeout: Delta) -> Result {
        // SAFETY: `self.inner` is an initialised `struct completion`.
        let left =
            unsafe { bindings::wait_for_completion_timeout(self.inner.get(), jiffies(timeout)) };

        if left == 0 {
            Err(ETIMEDOUT)
        } else {
            Ok(())
        }
    }

    /// Like [`wait_timeout`](Self::wait_timeout), but gives up when the task is being killed.
    ///
    /// # Errors
    ///
    /// `ETIMEDOUT` when the time is over, `EINTR` when the calling task got a fatal signal.
    pub fn wait_killable_timeout(&self, timeout: Delta) -> Result {
        // SAFETY: `self.inner` is an initialised `struct completion`.
        let left = unsafe {
            bindings::wait_for_completion_killable_timeout(self.inner.get(), jiffies(timeout))
        };

        match left {
            0 => Err(ETIMEDOUT),
            left if left < 0 => Err(EINTR),
            _ => Ok(()),
        }
    }
}

#[cfg(CONFIG_NOVA_CORE_VGPU_KUNIT)]
#[kunit_tests(nova_vgpu_completion)]
mod tests {
    use super::*;
    use kernel::sync::Arc;

    fn completion() -> Result<Arc<Completion>> {
        Arc::pin_init(Completion::new(), GFP_KERNEL)
    }

    #[test]
    fn no_event_times_out() -> Result {
        assert_eq!(
            completion()?.wait_timeout(Delta::from_millis(1)),
            Err(ETIMEDOUT)
        );
        assert_eq!(
            completion()?.wait_killable_timeout(Delta::from_millis(-1)),
            Err(ETIMEDOUT)
        );
        Ok(())
    }

    #[test]
    fn one_event_lets_one_waiter_through() -> Result {
        let completion = completion()?;

        completion.complete();
        assert_eq!(completion.wait_timeout(Delta::from_millis(1)), Ok(()));
        assert_eq!(
            completion.wait_timeout(Delta::from_millis(1)),
            Err(ETIMEDOUT)
        );
        Ok(())
    }

    #[test]
    fn reinit_forgets() -> Result {
        let completion = completion()?;

        completion.complete_all();
        assert_eq!(
            completion.wait_killable_timeout(Delta::from_millis(1)),
            Ok(())
        );
        assert_eq!(
            completion.wait_killable_timeout(Delta::from_millis(1)),
            Ok(())
        );
        completion.reinit();
        assert_eq!(
            completion.wait_timeout(Delta::from_millis(1)),
            Err(ETIMEDOUT)
        );
        Ok(())
    }
}
