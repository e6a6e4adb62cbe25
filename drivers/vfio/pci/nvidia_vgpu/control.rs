// SPDX-License-Identifier: GPL-2.0

//! RM controls of the vGPU manager, one function each.
//!
//! ```text
//!   add_types   PGPU_ADD_VGPU_TYPE               once per PF
//!   support_heterogeneous, set_heterogeneous     once per PF, and before its first vGPU
//!               SET_VGPU_MGR_CONFIG, SET_VGPU_HETEROGENEOUS_MODE
//!   bootload    BOOTLOAD_GSP_VGPU_PLUGIN_TASK    open
//!   stop        SHUTDOWN_GSP_VGPU_PLUGIN_TASK, VGPU_PLUGIN_CLEANUP    close
//!   enumerate   ENUMERATE_VGPU_PER_PGPU          debugfs
//! ```

use kernel::{
    prelude::*,
    time::{
        delay::fsleep,
        Delta, //
    }, //
};
use nova_core_vgpu::vgpu::{
    RmClient,
    RmError,
    Wait, //
};

use crate::types::metadata::CMD_PGPU_ADD_VGPU_TYPE;

pub(crate) mod guests;
pub(crate) mod wire;

use wire::{
    Bootload,
    Gfid, //
};

/// Stopping a task may free many clients of its guest (the host resource manager allows as much,
/// OGKM 570.144 `kernel_hostvgpudeviceapi.c`).
const STOP_TIMEOUT: Delta = Delta::from_secs(30);
/// After a stop without an answer.
const RETRY_TIMEOUT: Delta = Delta::from_secs(5);
/// How often a stop is tried for which the host has no memory, and how long somebody else is given
/// to make some.
const MEMORY_ATTEMPTS: u32 = 5;
const MEMORY_PAUSE: Delta = Delta::from_millis(20);

/// Makes the types of a metadata blob known to the GSP.
pub(crate) fn add_types(client: &RmClient, payload: &mut [u8]) -> Result<(), RmError> {
    client.control(CMD_PGPU_ADD_VGPU_TYPE, payload, Wait::UNINTERRUPTIBLE)
}

/// Makes vGPUs of several sizes possible at all, as the host resource manager does it.
pub(crate) fn support_heterogeneous(client: &RmClient) -> Result<(), RmError> {
    client.control(
        wire::CMD_SET_VGPU_MGR_CONFIG,
        &mut [1],
        Wait::UNINTERRUPTIBLE,
    )
}

/// Tells how vGPUs are arranged, while there is none.
pub(crate) fn set_heterogeneous(client: &RmClient, on: bool) -> Result<(), RmError> {
    client.control(
        wire::CMD_SET_VGPU_HETEROGENEOUS_MODE,
        &mut [on.into()],
        Wait::KILLABLE,
    )
}

/// Starts the plugin task that `params` describe. A fatal signal ends the wait, not the start.
pub(crate) fn bootload(client: &RmClient, params: &mut Bootload) -> Result<(), RmError> {
    client.control(
        wire::CMD_BOOTLOAD_GSP_VGPU_PLUGIN_TASK,
        params.as_mut_bytes(),
        Wait::KILLABLE,
    )
}

/// Asks what firmware knows of all vGPUs; `answer` is for [`guests`].
pub(crate) fn enumerate(client: &RmClient, answer: &mut [u8]) -> Result<(), RmError> {
    client.control(wire::CMD_ENUMERATE_VGPU_PER_PGPU, answer, Wait::KILLABLE)
}

/// Answers to the two controls that end a plugin task.
pub(crate) struct Stopped {
    /// SHUTDOWN: the task has ended.
    pub(crate) shutdown: Result<(), RmError>,
    /// CLEANUP: the GSP does not use memory and channels of the vGPU any more. Sent in any case.
    pub(crate) cleanup: Result<(), RmError>,
}

/// Ends the plugin task of `gfid` and makes the GSP forget its vGPU. `wait` makes a [`Wait`] of a
/// time: killable only if somebody tries again. `between` is called when the task has ended and
/// its memory is still its own.
pub(crate) fn stop(
    client: &RmClient,
    gfid: u32,
    wait: fn(Delta) -> Wait,
    between: impl FnOnce(),
) -> Stopped {
    let send_once = |cmd, timeout| client.control(cmd, Gfid { gfid }.as_mut_bytes(), wait(timeout));
    // Closing cannot fail: a moment without memory must not cost the memory of a vGPU.
    let send = |cmd, timeout| {
        for _ in 1..MEMORY_ATTEMPTS {
            match send_once(cmd, timeout) {
                Err(e) if e.status().is_none() && e.error() == ENOMEM => fsleep(MEMORY_PAUSE),
                result => return result,
            }
        }
        send_once(cmd, timeout)
    };

    let shutdown = send(wire::CMD_SHUTDOWN_GSP_VGPU_PLUGIN_TASK, STOP_TIMEOUT);
    between();
    let timeout = match &shutdown {
        // A GSP that was silent all that time gets a short second chance.
        Err(e) if e.status().is_none() => RETRY_TIMEOUT,
        _ => STOP_TIMEOUT,
    };
    let cleanup = match send(wire::CMD_VGPU_PLUGIN_CLEANUP, timeout) {
        // It knows of no such vGPU: the answer to an earlier CLEANUP was lost, or the one to a
        // BOOTLOAD that it refused.
        Err(e) if e.status() == Some(wire::ERR_OBJECT_NOT_FOUND) => Ok(()),
        result => result,
    };
    Stopped { shutdown, cleanup }
}
