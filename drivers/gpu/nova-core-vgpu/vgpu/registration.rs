// SPDX-License-Identifier: GPL-2.0

//! The handle's place in the data of a bound PF.
//!
//! ```text
//!   probe    ... gpu, then Registration: handle, debugfs there, watch begins
//!   lost     watch: logs kept -> VF driver told (Event::Lost)
//!   reset    Event::Lost -> [gpu stopped, reset, booted] -> again() -> begin() -> Event::Restored
//!   sleep    refused while a VF is open -> Event::Suspend -> ... again() -> Event::Restored
//!   unbind   no attach, no open -> event -> VFs removed, their driver waited for
//!            scrubbing ends before that: nobody waits for memory any more
//!   drop     watch ends -> debugfs gone
//!
//!   begin    once the gate is open: scrubbing
//!   quiesce  before a GPU is stopped, whatever for: events end -> scrubber waited for
//!            -> copy engine stopped
//! ```

use kernel::{
    debugfs::Scope,
    device::Core,
    new_mutex, pci,
    prelude::*,
    sync::{
        Arc,
        Mutex, //
    },
};
use kernel_ext::{
    io::BarReservation,
    pci::CoreExt, //
};

use super::{
    bringup,
    copying,
    faults::Forward,
    scrubbing::Scrubbing,
    watch::Watch,
    Event,
    Handle,
    Support,
    BAR1, //
};
use crate::{
    debugfs::{
        self,
        Files, //
    },
    gpu::{
        self,
        gate::Gate,
        health::RcWatch, //
    },
    gsp::events::{
        Filter,
        Subscription, //
    },
};

/// What belongs to one boot of the GPU: who listens to its interrupts and events, and scrubs.
struct Boot<'bound> {
    _storms: Subscription,
    _events: [Subscription; Forward::EVENTS.len()],
    /// `None` without vGPU support: there is no tenant to scrub for.
    scrubbing: Option<Scrubbing>,
    _copying: copying::Listening<'bound>,
}

impl<'bound> Boot<'bound> {
    fn new(core: &gpu::Gpu<'bound>, handle: &Arc<Handle>) -> Result<Self> {
        let storms = RcWatch::new(handle.gpu().gate().clone())?;
        let copying = copying::Listening::new(core, handle)?;
        let scrubbing = match handle.support() {
            Support::Supported => Some(Scrubbing::new(handle.gpu())?),
            Support::NotSupported(_) => None,
        };
        Ok(Self {
            scrubbing,
            _storms: core.events().subscribe(Filter::RcStorm, storms)?,
            _events: Forward::subscribe(core.events(), handle)?,
            _copying: copying,
        })
    }
}

/// Field of the PF's driver data. To be declared before the field with the GPU, so that it is
/// dropped first, and initialised after it.
#[pin_data]
pub(crate) struct Registration<'bound> {
    _watch: Watch,
    _files: Pin<KBox<Scope<Files>>>,
    /// What belongs to one boot.
    #[pin]
    boot: Mutex<Option<Boot<'bound>>>,
    handle: Arc<Handle>,
    _bar1: BarReservation<'bound>,
}

impl<'bound> Registration<'bound> {
    /// Makes the handle of a GPU that has booted and that `gate` leads to.
    pub(crate) fn new<'a>(
        core: &'a gpu::Gpu<'bound>,
        gate: Arc<Gate>,
    ) -> impl PinInit<Self, Error> + use<'a, 'bound> {
        pin_init::pin_init_scope(move || {
            let bar1 = BarReservation::new(core.pdev(), BAR1, c"nova_core_vgpu/bar1")?;
            let (gpu, support) = bringup::operations(core, gate)?;
            let support = match support {
                Support::Supported => bringup::try_to_fill(core, &gpu),
                Support::NotSupported(_) => support,
            };
            let handle = Handle::new(gpu, support)?;
            let boot = Boot::new(core, &handle)?;
            Ok(try_pin_init!(Self {
                boot <- new_mutex!(Some(boot)),
                _bar1: bar1,
                _files: debugfs::files(core.pdev(), handle.clone())?,
                _watch: Watch::new(&handle)?,
                handle,
            }? Error))
        })
    }

    /// The handle.
    pub(crate) fn handle(&self) -> &Arc<Handle> {
        &self.handle
    }

    /// Fits the handle to a GPU that has been booted again. Nobody can use it yet.
    pub(crate) fn again(&self, core: &gpu::Gpu<'bound>) -> Result {
        bringup::again(core, self.handle.gpu(), self.handle.support())?;
        let boot = Boot::new(core, &self.handle)?;
        if self.handle.support() == Support::Supported {
            // Now, while nobody can have the memory that it needs. The first use tries again.
            let _ = self.handle.gpu().ce().prepare(core);
        }
        *self.boot.lock() = Some(boot);
        Ok(())
    }

    /// The gate is open: begins what the driver itself does with the GPU.
    pub(crate) fn begin(&self) {
        if let Some(scrubbing) = self.boot.lock().as_ref().and_then(|b| b.scrubbing.as_ref()) {
            scrubbing.start();
        }
    }

    /// Ends what the driver itself does with the GPU, which is about to be stopped.
    pub(crate) fn quiesce(&self) {
        let boot = self.boot.lock().take();
        drop(boot);
    }

    /// Tells the client what has happened to the GPU. Such events cannot be refused.
    pub(crate) fn tell(&self, event: &Event) {
        let _ = self.handle.deliver(event);
    }

    /// Removes all VFs; on return no VF driver uses the handle any more. First thing to be done in
    /// unbind.
    pub(crate) fn unbind(&self, pdev: &pci::Device<Core<'_>>) {
        self.handle.begin_unbind();
        // VFs that are being opened must not wait for memory, nor this for them.
        if let Some(scrubbing) = self.boot.lock().as_ref().and_then(|b| b.scrubbing.as_ref()) {
            scrubbing.stop();
        }
        // Closing a VF makes the PCI core look at all functions of the bus, without a lock
        // (pci_slot_resettable()): none of them must be removed meanwhile.
        self.handle.wait_closed();
        pdev.remove_vfs();
    }
}
