// SPDX-License-Identifier: GPL-2.0

//! The handle's place in the data of a bound PF.
//!
//! ```text
//!   probe    ... gpu, then Registration: gate open, debugfs there
//!   unbind   no attach, no open -> event -> VFs removed, their driver waited for
//!            scrubbing ends before that: nobody waits for memory any more
//!   drop     debugfs gone -> events end -> scrubber waited for -> copy engine stopped
//!            -> gate closed, operations in flight waited for
//!            -> then gpu
//! ```

use kernel::{
    debugfs::Scope,
    device::Core,
    pci,
    prelude::*,
    sync::Arc, //
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
    Handle,
    Support,
    BAR1, //
};
use crate::{
    debugfs::{
        self,
        Files, //
    },
    gpu,
    gsp::events::Subscription, //
};

/// An open gate; dropping it closes it.
struct Open(Arc<Handle>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.gpu().gate.close();
    }
}

/// Field of the PF's driver data. To be declared before the field with the GPU, so that it is
/// dropped first, and initialised after it.
pub(crate) struct Registration<'bound> {
    _files: Pin<KBox<Scope<Files>>>,
    _events: [Subscription; Forward::EVENTS.len()],
    /// `None` without vGPU support: there is no tenant to scrub for.
    scrubbing: Option<Scrubbing>,
    _copying: copying::Listening<'bound>,
    open: Open,
    _bar1: BarReservation<'bound>,
}

impl<'bound> Registration<'bound> {
    /// Makes the handle of a GPU that has booted.
    ///
    /// # Safety
    ///
    /// The returned object must be dropped before `core` is.
    pub(crate) unsafe fn new(core: &gpu::Gpu<'bound>) -> Result<Self> {
        let bar1 = BarReservation::new(core.pdev(), BAR1, c"nova_core_vgpu/bar1")?;
        let (gpu, support) = bringup::operations(core)?;
        let support = match support {
            Support::Supported => bringup::try_to_fill(core, &gpu),
            Support::NotSupported(_) => support,
        };
        let handle = Handle::new(gpu.clone(), support)?;
        // SAFETY: `Open` closes the gate when it is dropped; by the contract of this function, or
        // because the rest of it fails, that is before `core` is dropped.
        unsafe { handle.gpu().gate.open(core) };
        let open = Open(handle.clone());
        let copying = copying::Listening::new(core, &handle)?;
        let scrubbing = match support {
            Support::Supported => Some(Scrubbing::new(&gpu)?),
            Support::NotSupported(_) => None,
        };
        let events = Forward::subscribe(core.events(), &handle)?;
        Ok(Self {
            _files: debugfs::files(core.pdev(), handle)?,
            _events: events,
            scrubbing,
            _copying: copying,
            open,
            _bar1: bar1,
        })
    }

    /// The handle.
    pub(crate) fn handle(&self) -> &Arc<Handle> {
        &self.open.0
    }

    /// Removes all VFs; on return no VF driver uses the handle any more. First thing to be done in
    /// unbind.
    pub(crate) fn unbind(&self, pdev: &pci::Device<Core<'_>>) {
        self.open.0.begin_unbind();
        // VFs that are being opened must not wait for memory, nor this for them.
        if let Some(scrubbing) = &self.scrubbing {
            scrubbing.stop();
        }
        pdev.remove_vfs();
    }
}
