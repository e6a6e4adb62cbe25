// SPDX-License-Identifier: GPL-2.0

//! FB layout.

#[path = "../../../../../drivers/gpu/nova-core-vgpu/fb/layout.rs"]
pub(crate) mod layout;
