// SPDX-License-Identifier: GPL-2.0

//! Lets objects that outlive a PF's binding reach its [`Gpu`], as long as it is there.
//!
//! ```text
//!  probe    open(gpu) ──┐
//!                       ├── enter() ─▶ guard ─▶ &Gpu      sleeping is allowed
//!  unbind   close() ────┘   waits for all guards; enter() fails with ENODEV from then on
//! ```

use core::{
    marker::PhantomData,
    ptr, //
};

use kernel::{
    new_srcu,
    prelude::*,
    sync::{
        atomic::{
            Acquire,
            Atomic,
            Release, //
        },
        srcu,
        Srcu, //
    },
};

use super::Gpu;

/// The gate.
///
/// # Invariants
///
/// While `gpu` is not null it points to a pinned [`Gpu`] that stays valid until a grace period of
/// `srcu` has passed after `gpu` became null.
#[pin_data]
pub(crate) struct Gate {
    #[pin]
    srcu: Srcu,
    gpu: Atomic<*mut Gpu<'static>>,
}

// SAFETY: The pointer is only turned into a shared reference, and `Gpu` can be shared.
unsafe impl Send for Gate {}
// SAFETY: As above.
unsafe impl Sync for Gate {}

/// Proof that the [`Gpu`] is there.
pub(crate) struct GateGuard<'a> {
    gpu: &'a Gpu<'a>,
    _srcu: srcu::Guard<'a>,
    _not_static: PhantomData<&'a Gate>,
}

impl Gate {
    /// A closed gate.
    pub(crate) fn new() -> impl PinInit<Self, Error> {
        // INVARIANT: The pointer is null.
        try_pin_init!(Self {
            srcu <- new_srcu!(),
            gpu: Atomic::new(ptr::null_mut()),
        })
    }

    /// Lets [`Self::enter`] succeed.
    ///
    /// # Safety
    ///
    /// `gpu` must be pinned and the caller must call [`Self::close`] before it is dropped.
    pub(crate) unsafe fn open(&self, gpu: &Gpu<'_>) {
        // INVARIANT: By the safety requirement `close` comes before the end of `gpu`, and waits.
        self.gpu
            .store(ptr::from_ref(gpu).cast_mut().cast(), Release);
    }

    /// Makes [`Self::enter`] fail and waits for everybody inside.
    pub(crate) fn close(&self) {
        self.gpu.store(ptr::null_mut(), Release);
        self.srcu.synchronize();
    }

    /// Enters.
    ///
    /// # Errors
    ///
    /// `ENODEV` when the gate is closed.
    pub(crate) fn enter(&self) -> Result<GateGuard<'_>> {
        let srcu = self.srcu.read_lock();
        let gpu = self.gpu.load(Acquire).cast::<Gpu<'_>>();
        if gpu.is_null() {
            return Err(ENODEV);
        }

        Ok(GateGuard {
            // SAFETY: By the type invariants the pointer is valid while `srcu` is held. The
            // lifetime of what the `Gpu` borrows is longer than its own.
            gpu: unsafe { &*gpu },
            _srcu: srcu,
            _not_static: PhantomData,
        })
    }
}

impl<'a> core::ops::Deref for GateGuard<'a> {
    type Target = Gpu<'a>;

    fn deref(&self) -> &Gpu<'a> {
        self.gpu
    }
}
