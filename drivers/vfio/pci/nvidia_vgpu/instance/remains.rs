// SPDX-License-Identifier: GPL-2.0

//! What a vGPU leaves behind when the firmware does not confirm CLEANUP.
//!
//! ```text
//!   close: CLEANUP fails --> Remains, kept by the manager
//!          GPU is lost             next open of the VF:  CLEANUP again --> freed, or the open fails
//!                              GPU booted again:     freed, there is no task any more
//!                              VF driver unbound:    CLEANUP again --> freed, or quarantined by the PF
//! ```
//!
//! The memory may still be written by a plugin task, so it must not become another vGPU's.

use kernel::{
    device,
    prelude::*,
    sync::Arc,
    time::Delta, //
};
use nova_core_vgpu::vgpu::{
    RmClient,
    RmError,
    Wait, //
};

use super::{
    memory::Memory,
    Identity, //
};
use crate::{
    control,
    manager::Manager, //
};

/// Memory and channels that are not free and not in use.
pub(crate) struct Remains {
    /// `None` once the firmware has let go.
    held: Option<(RmClient, Memory)>,
    identity: Identity,
}

impl Remains {
    pub(super) fn new(client: RmClient, memory: Memory, identity: Identity) -> Self {
        Self {
            held: Some((client, memory)),
            identity,
        }
    }

    /// Number of the VF from 0.
    pub(crate) fn index(&self) -> u16 {
        self.identity.index
    }

    /// Repeats SHUTDOWN, which may be what is missing, and CLEANUP; frees everything if the firmware agrees.
    fn retry(&mut self, wait: fn(Delta) -> Wait) -> Result<(), RmError> {
        if let Some((client, _)) = self.held.as_ref().filter(|(c, _)| !c.is_gone()) {
            control::stop(client, self.identity.gfid, wait, || ()).cleanup?;
        }
        self.held = None;
        Ok(())
    }
}

impl Drop for Remains {
    fn drop(&mut self) {
        if self.retry(Wait::uninterruptible).is_err() {
            if let Some((_, memory)) = self.held.take() {
                memory.quarantine();
            }
        }
    }
}

/// Sees to it that a former vGPU of VF `index` is forgotten by the firmware.
///
/// # Errors
///
/// `EIO` if it is not.
pub(crate) fn clear(dev: &device::Device, manager: &Arc<Manager>, index: u16) -> Result {
    let Some(mut remains) = manager.take_remains(index) else {
        return Ok(());
    };
    if let Err(e) = remains.retry(Wait::killable) {
        dev_err!(
            dev,
            "cannot create a vGPU: CLEANUP of the last one: {}\n",
            e
        );
        manager.keep_remains(remains);
        return Err(EIO);
    }
    Ok(())
}
