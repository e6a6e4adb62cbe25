// SPDX-License-Identifier: GPL-2.0

//! The place of a [`Gpu`] in the driver's data: empty while the PF is reset and while the system
//! sleeps, filled again afterwards.
//!
//! ```text
//!   probe, reset_done, resume     boot():  Gpu::new ─▶ gate opened ─▶ Running
//!   reset_prepare, suspend        stop():  gate closed, users waited for ─▶ drop of the Gpu
//!   unbind, shutdown                         (stops GSP)
//!   error of the link             cut_off(): the same, but GSP is left to the reset
//! ```
//!
//! All of that happens in callbacks with the device lock held; the mutex is for the compiler, never
//! contended.

use kernel::{
    device::Bound,
    new_mutex, pci,
    prelude::*,
    sync::{
        Arc,
        Mutex, //
    },
};

use super::{
    gate::Gate,
    health,
    life::Life,
    loss::Loss,
    phase::Step,
    Gpu, //
};
use crate::driver::Bar0;

/// The place. Dropping it stops the GPU.
#[pin_data(PinnedDrop)]
pub(crate) struct Slot<'bound> {
    pdev: &'bound pci::Device<Bound>,
    bar: Bar0<'bound>,
    gate: Arc<Gate>,
    #[pin]
    gpu: Mutex<Option<Pin<KBox<Gpu<'bound>>>>>,
}

impl<'bound> Slot<'bound> {
    /// An empty place.
    pub(crate) fn new(
        pdev: &'bound pci::Device<Bound>,
        bar: Bar0<'bound>,
    ) -> impl PinInit<Self, Error> + use<'bound> {
        pin_init::pin_init_scope(move || {
            let gate = Arc::pin_init(Gate::new(Life::new()?), GFP_KERNEL)?;
            Ok(try_pin_init!(Self {
                pdev,
                bar,
                gate,
                gpu <- new_mutex!(None),
            }? Error))
        })
    }

    /// The way to the GPU.
    pub(crate) fn gate(&self) -> &Arc<Gate> {
        &self.gate
    }

    /// Phase and history.
    pub(crate) fn life(&self) -> &Arc<Life> {
        self.gate.life()
    }

    /// Boots the GPU, lets `prepare` make everything that depends on it, and lets others in.
    ///
    /// # Errors
    ///
    /// Those of [`Gpu::new`], reported, and those of `prepare`. The place is empty then.
    pub(crate) fn boot<R>(&self, prepare: impl FnOnce(&Gpu<'bound>) -> Result<R>) -> Result<R> {
        let gpu = KBox::pin_init(
            Gpu::new(self.pdev, self.bar, self.life().clone()),
            GFP_KERNEL,
        )?;
        let prepared = prepare(&gpu)?;

        // Before the gate is opened, so that who gets in sees the number of this boot. The first boot
        // and what leads here otherwise is `Booting`.
        self.life().step(Step::Booted)?;
        // SAFETY: `gpu` is pinned. It is dropped when `take` has closed the gate.
        unsafe { self.gate.open(&gpu) };
        *self.gpu.lock() = Some(gpu);
        Ok(prepared)
    }

    /// See [`Gpu::lost`].
    pub(crate) fn lost(&self, loss: Loss) {
        if let Ok(gpu) = self.gate.look() {
            gpu.lost(loss);
        }
    }

    /// Whether the GPU has lost GSP as far as its registers say.
    ///
    /// # Errors
    ///
    /// Those of [`Gate::look`].
    pub(crate) fn registers(&self) -> Result<Option<Loss>> {
        Ok(health::registers(&*self.gate.look()?))
    }

    /// Like [`Self::stop`] when registers are not to be relied upon: the GPU is about to be reset,
    /// or is out of reach. It must not do DMA any more.
    pub(crate) fn cut_off(&self) {
        if let Some(gpu) = self.take() {
            gpu.gsp().leave();
        }
    }

    /// Waits for everybody who uses the GPU and stops it. Nobody gets in from then on. Does nothing
    /// when the place is empty.
    pub(crate) fn stop(&self) {
        drop(self.take());
    }

    /// Waits for everybody who uses the GPU, and takes it out. Nobody gets in from then on.
    fn take(&self) -> Option<Pin<KBox<Gpu<'bound>>>> {
        self.gate.close();
        self.gpu.lock().take()
    }
}

#[pinned_drop]
impl PinnedDrop for Slot<'_> {
    fn drop(self: Pin<&mut Self>) {
        let _ = self.life().step(Step::Remove);
        self.stop();
    }
}
