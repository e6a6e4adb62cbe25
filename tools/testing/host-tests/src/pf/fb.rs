// SPDX-License-Identifier: GPL-2.0

//! FB: layout, guest sizes, ranges.

#[path = "../../../../../drivers/gpu/nova-core-vgpu/fb/guest.rs"]
pub(crate) mod guest;
#[path = "../../../../../drivers/gpu/nova-core-vgpu/fb/layout.rs"]
pub(crate) mod layout;
#[path = "../../../../../drivers/gpu/nova-core-vgpu/fb/ranges.rs"]
pub(crate) mod ranges;
#[path = "../../../../../drivers/gpu/nova-core-vgpu/fb/spans.rs"]
pub(crate) mod spans;
