// SPDX-License-Identifier: GPL-2.0

//! Framebuffer memory (FB, the GPU's own memory).
//!
//! ```text
//!  carveout      what the GPU says of FB, and GSP's part of it at the top (layout)
//!  sysmem_flush  the page that a flush of writes to system memory goes to
//!  manager       everything below the carve-out: ranges, handed out and given back
//!  guest         how much of it a vGPU gets, and where that may lie
//! ```

mod carveout;
pub(crate) mod guest;
pub(crate) mod layout;
pub(crate) mod manager;
#[allow(dead_code, reason = "not all of it has users yet")]
pub(crate) mod ranges;
pub(crate) mod scrub;
#[allow(dead_code, reason = "not all of it has users yet")]
mod spans;
mod sysmem_flush;

pub(crate) use carveout::{
    layout,
    wpr2, //
};
pub(crate) use sysmem_flush::SysmemFlush;
