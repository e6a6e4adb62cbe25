// SPDX-License-Identifier: GPL-2.0

//! Watches over the GPU, and tells everybody when it is lost.
//!
//! ```text
//!   every two seconds   gpu::health ── lost ──┐
//!   cmdq, PCI errors ── Life::lost ─ wakes ───┤
//!                                             ▼
//!                     logs and registers kept (dump) ─▶ one line ─▶ Event::Lost to the VF driver
//! ```
//!
//! Who waits for GSP has been failed before that, by who found the loss.

use kernel::{
    prelude::*,
    sync::Arc, //
};
use kernel_ext::work::OnDemand;

use super::{
    Event,
    Handle, //
};
use crate::gpu::{
    dump,
    health::{
        self,
        Health, //
    },
    loss::Loss, //
};

/// Watches as long as it lives.
pub(super) struct Watch {
    handle: Arc<Handle>,
    _work: OnDemand,
}

impl Watch {
    /// Begins to watch over the GPU of `handle`.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(super) fn new(handle: &Arc<Handle>) -> Result<Self> {
        let watched = handle.clone();
        let health = Health::new();
        let work = OnDemand::new(move || {
            look(&watched, &health);
            Some(health::PERIOD)
        })?;
        let caller = work.caller();
        caller.call_later(health::PERIOD);
        handle.gpu().life().set_watcher(Some(caller));
        Ok(Self {
            handle: handle.clone(),
            _work: work,
        })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.handle.gpu().life().set_watcher(None);
    }
}

fn look(handle: &Handle, health: &Health) {
    let gpu = handle.gpu();
    if let Ok(core) = gpu.enter() {
        if let Some(loss) = health.check(&core) {
            core.lost(loss);
        }
    }
    if let Some(loss) = gpu.life().take_untold() {
        report(handle, loss);
    }
}

fn report(handle: &Handle, loss: Loss) {
    let gpu = handle.gpu();
    gpu.ce().lost(EIO);
    let kept = gpu.look(|core| dump::submit(core, loss)).is_ok();
    let open = handle.open_vfs();
    let (vgpus, are_lost) = match open.count() {
        0 => ("", ""),
        _ => ("vGPUs of ", " are lost; "),
    };
    let logs = if kept {
        "its logs are in /sys/class/devcoredump; "
    } else {
        ""
    };

    if loss.is_curable() {
        dev_err!(
            gpu.dev(),
            "GSP is lost: {}; {}{}{}{}reset the PF (echo 1 > /sys/bus/pci/devices/{}/reset) or unbind and bind the driver\n",
            loss,
            vgpus,
            open,
            are_lost,
            logs,
            gpu.dev().name()
        );
    } else {
        dev_err!(gpu.dev(), "GSP is lost: {}\n", loss);
    }
    // It is lost whatever the client thinks of it.
    let _ = handle.deliver(&Event::Lost);
}
