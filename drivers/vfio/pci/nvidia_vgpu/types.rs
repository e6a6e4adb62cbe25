// SPDX-License-Identifier: GPL-2.0

//! vGPU types: where they come from and which may be chosen.

pub(crate) mod channels;
pub(crate) mod listing;
pub(crate) mod metadata;
pub(crate) mod placement;
pub(crate) mod plan;

pub(crate) use metadata::VgpuType;
