// SPDX-License-Identifier: GPL-2.0

//! Routing of events.

#[path = "../../../../../../drivers/gpu/nova-core-vgpu/gsp/events/filter.rs"]
pub(crate) mod filter;
#[path = "../../../../../../drivers/gpu/nova-core-vgpu/gsp/events/rate.rs"]
pub(crate) mod rate;
#[path = "../../../../../../drivers/gpu/nova-core-vgpu/gsp/events/utilisation.rs"]
pub(crate) mod utilisation;
