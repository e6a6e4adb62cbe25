// SPDX-License-Identifier: GPL-2.0

//! Messages to and from GSP.

pub(crate) mod cmdq;
pub(crate) mod events;
pub(crate) mod fw;
#[path = "../../../../../rust/kernel_ext/latency/histogram.rs"]
pub(crate) mod histogram;
