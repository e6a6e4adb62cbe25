// SPDX-License-Identifier: GPL-2.0

//! Queue elements.

#[path = "../../../../../../drivers/gpu/nova-core-vgpu/gsp/cmdq/element.rs"]
pub(crate) mod element;
#[path = "../../../../../../drivers/gpu/nova-core-vgpu/gsp/cmdq/split.rs"]
pub(crate) mod split;
