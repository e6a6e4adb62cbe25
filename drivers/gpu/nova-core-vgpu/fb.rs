// SPDX-License-Identifier: GPL-2.0

//! Framebuffer memory (FB, the GPU's own memory).
//!
//! ```text
//!  carveout      what the GPU says of FB, and GSP's part of it at the top (layout)
//!  sysmem_flush  the page that a flush of writes to system memory goes to
//!  manager       everything below the carve-out: ranges, handed out and given back
//!    ranges, spans, span_tree   who has which range
//!    scrub             what is clean, and what to fill next: unclean, claims, backoff
//!  guest         how much of it a vGPU gets, and where that may lie
//! ```

mod backoff;
mod carveout;
pub(crate) mod claims;
pub(crate) mod guest;
pub(crate) mod layout;
pub(crate) mod manager;
mod owner;
pub(crate) mod ranges;
pub(crate) mod scrub;
mod span_tree;
mod spans;
mod sysmem_flush;
mod unclean;

pub(crate) use carveout::{
    layout,
    wpr2, //
};
pub(crate) use sysmem_flush::SysmemFlush;
