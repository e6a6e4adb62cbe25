// SPDX-License-Identifier: GPL-2.0

//! The notifiers that GSP-RM is to tell of.
//!
//! ```text
//!   register   client, device, subdevice ─▶ for each notifier: event object, SET_NOTIFICATION
//!   drop       client freed, all of it goes with it
//!
//!   sent without being asked for           RC_TRIGGERED, OS_ERROR_LOG, MMU_FAULT_QUEUED,
//!                                          FECS_ERROR, RECOVERY_ACTION, VGPU_CONFIG,
//!                                          VGPU_GSP_PLUGIN_TRIGGERED, samples of use
//!   interrupts                             non-stall notifiers of engines
//!   POST_EVENT, only when registered       ECC and poison: this file
//!   not GSP-RM's but of RM on a CPU        RC_ERROR, GPU_UNAVAILABLE
//! ```
//!
//! A driver that does not register them learns of lost data only by what fails next, on a real GPU.
//!
//! Source: OGKM 570.144 `src/nvidia/src/kernel/rmapi/event.c`,
//! `src/nvidia/src/kernel/gpu/{gpu_rmapi.c,gsp/kernel_gsp.c,subdevice/subdevice_ctrl_event_kernel.c}`.

use kernel::{
    prelude::*,
    sync::Arc, //
};
use zerocopy::IntoBytes;

use super::{
    client::HANDLE_ROOT,
    control,
    object::{
        self,
        NewObject, //
    },
    ClientId,
    ClientObjects,
    RmError,
    Wait, //
};
use crate::gsp::{
    cmdq::Cmdq,
    fw::r570_144::{
        event_object::{
            EventParams,
            SetNotificationParams,
            CLASS_EVENT,
            CTRL_EVENT_SET_NOTIFICATION, //
        },
        notifier::{
            PostEvent,
            ECC_DBE,
            ECC_SBE,
            ECC_SBE_STORM,
            POISON_ERROR_FATAL,
            POISON_ERROR_NON_FATAL, //
        }, //
    },
};

/// What is registered.
const NOTIFIERS: [u16; 5] = [
    ECC_SBE,
    ECC_SBE_STORM,
    ECC_DBE,
    POISON_ERROR_NON_FATAL,
    POISON_ERROR_FATAL,
];

/// Base of the handles of event objects; the notifier is added.
const HANDLE_EVENT: u32 = 0x007e_0000;

/// The registered notifiers of one boot of GSP. Dropping it takes them back.
pub(crate) struct Notifiers<'gpu> {
    cmdq: Arc<Cmdq<'gpu>>,
    client: ClientObjects,
}

impl<'gpu> Notifiers<'gpu> {
    /// Registers all of them. If one is refused, none is registered. Sleeps.
    ///
    /// # Errors
    ///
    /// What firmware says.
    pub(crate) fn register(cmdq: &Arc<Cmdq<'gpu>>) -> Result<Self, RmError> {
        let client = ClientObjects::alloc(cmdq, ClientId::CORE, Wait::UNINTERRUPTIBLE)
            .map_err(|(e, _)| e)?;
        // From here on a failure frees the client.
        let this = Self {
            cmdq: cmdq.clone(),
            client,
        };

        for notifier in NOTIFIERS {
            this.add(notifier)?;
        }
        Ok(this)
    }

    fn add(&self, notifier: u16) -> Result<(), RmError> {
        let subdevice = self.client.subdevice();

        object::alloc(
            &self.cmdq,
            NewObject {
                client: subdevice.client,
                parent: subdevice.object,
                handle: HANDLE_EVENT | u32::from(notifier),
                class: CLASS_EVENT,
                params: EventParams::new(subdevice.client, notifier).as_bytes(),
            },
            Wait::UNINTERRUPTIBLE,
        )?;
        control(
            &self.cmdq,
            subdevice,
            CTRL_EVENT_SET_NOTIFICATION,
            SetNotificationParams::repeat(notifier).as_mut_bytes(),
            Wait::UNINTERRUPTIBLE,
        )
    }
}

impl Drop for Notifiers<'_> {
    fn drop(&mut self) {
        // A GSP that is lost is reset before it is asked anything again; one that does not let go of
        // the client is stopped next, and forgets it with everything else.
        if self.cmdq.is_alive() {
            let _ = self.client.free(&self.cmdq);
        }
    }
}

/// Whether `post` comes from an object that [`Notifiers`] makes.
pub(crate) fn is_registered(post: &PostEvent<'_>) -> bool {
    post.client == HANDLE_ROOT | ClientId::CORE.number()
        && NOTIFIERS
            .iter()
            .any(|n| u32::from(*n) == post.notifier && HANDLE_EVENT | u32::from(*n) == post.event)
}
