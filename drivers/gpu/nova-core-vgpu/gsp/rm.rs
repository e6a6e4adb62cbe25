// SPDX-License-Identifier: GPL-2.0

//! The resource manager inside GSP: clients, objects, controls.
//!
//! ```text
//!   queries   what is the VMMU segment size?          typed question and answer
//!      |
//!   client    root -> device -> subdevice             three objects with one owner
//!   channel   address space, group, channel, engine   below a client
//!   notifiers event objects                           a client of their own
//!      |
//!   object    RM_ALLOC, FREE      control  RM_CONTROL one function per command
//!      |                             |
//!      +----------- cmdq ------------+                transport
//! ```
//!
//! Every reply is checked twice: the result of the RPC itself and the status of the command inside
//! it. Both are `NV_STATUS` words; [`RmError`] keeps the raw value.

pub(crate) mod channel;
mod client;
mod control;
mod error;
mod ids;
mod notifiers;
mod object;
pub(crate) mod queries;

pub use super::cmdq::Wait;
pub(crate) use client::ClientObjects;
pub(crate) use control::{
    control,
    control_request,
    Target, //
};
pub use error::RmError;
pub(crate) use ids::{
    ClientId,
    ClientIds, //
};
pub(crate) use notifiers::{
    is_registered,
    Notifiers, //
};
