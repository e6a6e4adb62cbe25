// SPDX-License-Identifier: GPL-2.0

//! Lets objects that outlive a boot of the GPU, or the binding of the PF, reach its [`Gpu`] as long
//! as it is there.
//!
//! ```text
//!  boot     open(gpu) ──┐
//!                       ├── enter() ─▶ guard ─▶ &Gpu      sleeping is allowed
//!  stop     close() ────┘   waits for all guards; enter() fails from then on
//!
//!  lost                 enter() fails although the gate is open; look() does not
//! ```
//!
//! What belongs to one boot, like an object of the firmware, remembers [`GateGuard::boot`] and uses
//! [`Gate::enter_boot`], so that it never reaches the firmware of a later one.

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
        Arc,
        Srcu, //
    },
};

use super::{
    life::Life,
    phase::Phase,
    Gpu, //
};

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
    life: Arc<Life>,
}

// SAFETY: The pointer is only turned into a shared reference, and `Gpu` can be shared.
unsafe impl Send for Gate {}
// SAFETY: As above.
unsafe impl Sync for Gate {}

/// Proof that the [`Gpu`] is there.
pub(crate) struct GateGuard<'a> {
    gpu: &'a Gpu<'a>,
    boot: u32,
    _srcu: srcu::Guard<'a>,
    _not_static: PhantomData<&'a Gate>,
}

impl Gate {
    /// A closed gate.
    pub(crate) fn new(life: Arc<Life>) -> impl PinInit<Self, Error> {
        // INVARIANT: The pointer is null.
        try_pin_init!(Self {
            srcu <- new_srcu!(),
            gpu: Atomic::new(ptr::null_mut()),
            life,
        })
    }

    /// Lets [`Self::enter`] succeed while the GPU is [`Phase::Running`].
    ///
    /// # Safety
    ///
    /// `gpu` must be pinned and the caller must call [`Self::close`] before it is dropped.
    pub(super) unsafe fn open(&self, gpu: &Gpu<'_>) {
        // INVARIANT: By the safety requirement `close` comes before the end of `gpu`, and waits.
        self.gpu
            .store(ptr::from_ref(gpu).cast_mut().cast(), Release);
    }

    /// Makes [`Self::enter`] fail and waits for everybody inside.
    pub(super) fn close(&self) {
        self.gpu.store(ptr::null_mut(), Release);
        self.srcu.synchronize();
    }

    /// Enters.
    ///
    /// # Errors
    ///
    /// `ENODEV` when the GPU is gone, `EIO` when it is lost, asleep or being reset.
    pub(crate) fn enter(&self) -> Result<GateGuard<'_>> {
        let guard = self.look()?;

        match self.life.phase() {
            Phase::Running => Ok(guard),
            phase => Err(Self::errno(phase)),
        }
    }

    /// Enters, provided that the GPU has not been booted again since boot number `boot`.
    ///
    /// # Errors
    ///
    /// Those of [`Self::enter`], and `ENODEV` when it has.
    pub(crate) fn enter_boot(&self, boot: u32) -> Result<GateGuard<'_>> {
        let guard = self.enter()?;

        if guard.boot == boot {
            Ok(guard)
        } else {
            Err(ENODEV)
        }
    }

    /// Enters even when the GPU is lost: its memory in the system is still there, what it says is
    /// not to be relied upon.
    ///
    /// # Errors
    ///
    /// `ENODEV` when the GPU is gone, `EIO` when it is asleep or being reset.
    pub(crate) fn look(&self) -> Result<GateGuard<'_>> {
        let srcu = self.srcu.read_lock();
        let gpu = self.gpu.load(Acquire).cast::<Gpu<'_>>();
        if gpu.is_null() {
            return Err(Self::errno(self.life.phase()));
        }

        Ok(GateGuard {
            // SAFETY: By the type invariants the pointer is valid while `srcu` is held. The
            // lifetime of what the `Gpu` borrows is longer than its own.
            gpu: unsafe { &*gpu },
            // The number changes only while the gate is closed.
            boot: self.life.boots(),
            _srcu: srcu,
            _not_static: PhantomData,
        })
    }

    /// The life of the GPU behind the gate.
    pub(crate) fn life(&self) -> &Arc<Life> {
        &self.life
    }

    fn errno(phase: Phase) -> Error {
        match phase {
            Phase::Gone => ENODEV,
            _ => EIO,
        }
    }
}

impl GateGuard<'_> {
    /// Number of the boot that this is.
    pub(crate) fn boot(&self) -> u32 {
        self.boot
    }
}

impl<'a> core::ops::Deref for GateGuard<'a> {
    type Target = Gpu<'a>;

    fn deref(&self) -> &Gpu<'a> {
        self.gpu
    }
}
