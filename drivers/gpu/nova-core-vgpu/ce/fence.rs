// SPDX-License-Identifier: GPL-2.0

//! The end of a piece of work, to be waited for.
//!
//! ```text
//!   waiter   wait ------------------------------+--> Ok, or the error
//!   others   signal(Ok) or signal(error), once -+
//! ```

use kernel::{
    prelude::*,
    sync::{
        atomic::{
            Acquire,
            Atomic,
            Release, //
        },
        Arc, //
    },
    time::Delta, //
};
use kernel_ext::completion::Completion;

/// Something that ends once, well or badly.
#[pin_data]
pub(super) struct Fence {
    #[pin]
    over: Completion,
    /// 0 or an errno, valid when it is over.
    errno: Atomic<i32>,
}

/// How a wait ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Waited {
    /// It is over.
    Over(Result),
    /// The time is.
    NotYet,
    /// The task is being killed.
    Killed,
}

impl Fence {
    /// One that is not over.
    pub(super) fn new() -> Result<Arc<Self>> {
        Arc::pin_init(
            pin_init!(Self {
                over <- Completion::new(),
                errno: Atomic::new(0),
            }),
            GFP_KERNEL,
        )
    }

    /// It is over. To be called once.
    pub(super) fn signal(&self, result: Result) {
        let errno = result.err().map_or(0, Error::to_errno);

        self.errno.store(errno, Release);
        self.over.complete_all();
    }

    /// Waits until it is over, but not longer than `time`; if `killable`, also not longer than the
    /// task lives.
    pub(super) fn wait(&self, time: Delta, killable: bool) -> Waited {
        let waited = if killable {
            self.over.wait_killable_timeout(time)
        } else {
            self.over.wait_timeout(time)
        };

        match waited {
            Ok(()) => Waited::Over(match self.errno.load(Acquire) {
                0 => Ok(()),
                errno => Err(Error::from_errno(errno)),
            }),
            Err(EINTR) => Waited::Killed,
            Err(_) => Waited::NotYet,
        }
    }
}

#[cfg(CONFIG_NOVA_CORE_VGPU_KUNIT)]
#[kunit_tests(nova_core_vgpu_ce_fence)]
mod tests {
    use super::*;

    const SOON: Delta = Delta::from_millis(1);

    #[test]
    fn over_for_everybody_and_for_good() -> Result {
        let fence = Fence::new()?;
        assert!(fence.wait(SOON, false) == Waited::NotYet);
        assert!(fence.wait(SOON, true) == Waited::NotYet);
        fence.signal(Ok(()));
        assert!(fence.wait(SOON, false) == Waited::Over(Ok(())));
        assert!(fence.wait(SOON, true) == Waited::Over(Ok(())));
        Ok(())
    }

    #[test]
    fn errors_get_through() -> Result {
        let fence = Fence::new()?;
        fence.signal(Err(ETIMEDOUT));
        assert!(fence.wait(SOON, false) == Waited::Over(Err(ETIMEDOUT)));
        Ok(())
    }
}
