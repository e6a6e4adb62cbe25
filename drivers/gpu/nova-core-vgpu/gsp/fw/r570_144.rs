// SPDX-License-Identifier: GPL-2.0

//! Wire formats of GSP-RM 570.144: byte layouts only, no kernel types.
//!
//! Every file can be compiled on the build machine, where its tests run.

pub(crate) mod channel;
pub(crate) mod envelope;
pub(crate) mod event_object;
pub(crate) mod faults;
pub(crate) mod ids;
pub(crate) mod intr;
pub(crate) mod libos;
pub(crate) mod message;
pub(crate) mod msgq;
pub(crate) mod notifier;
pub(crate) mod perfmon;
pub(crate) mod registry;
pub(crate) mod rm;
pub(crate) mod rm_args;
pub(crate) mod rpc;
pub(crate) mod sequencer;
pub(crate) mod static_info;
pub(crate) mod system_info;
pub(crate) mod unload;
pub(crate) mod vaspace;
pub(crate) mod vgpu_event;
pub(crate) mod wpr_meta;

pub(crate) use ids::{
    event,
    function, //
};

use kernel::prelude::*;

/// Version string of the firmware files.
pub(crate) const VERSION: &str = "570.144";
/// The same, for C.
pub(crate) const VERSION_CSTR: &CStr = c"570.144";
