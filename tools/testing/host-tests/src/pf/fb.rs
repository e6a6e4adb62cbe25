// SPDX-License-Identifier: GPL-2.0

//! FB: layout, guest sizes, ranges, scrubbing.

#[path = "../../../../../drivers/gpu/nova-core-vgpu/fb/backoff.rs"]
pub(crate) mod backoff;
#[path = "../../../../../drivers/gpu/nova-core-vgpu/fb/claims.rs"]
pub(crate) mod claims;
#[path = "../../../../../drivers/gpu/nova-core-vgpu/fb/guest.rs"]
pub(crate) mod guest;
#[path = "../../../../../drivers/gpu/nova-core-vgpu/fb/layout.rs"]
pub(crate) mod layout;
#[path = "../../../../../drivers/gpu/nova-core-vgpu/fb/owner.rs"]
pub(crate) mod owner;
#[path = "../../../../../drivers/gpu/nova-core-vgpu/fb/ranges.rs"]
pub(crate) mod ranges;
#[path = "../../../../../drivers/gpu/nova-core-vgpu/fb/scrub.rs"]
pub(crate) mod scrub;
#[path = "../../../../../drivers/gpu/nova-core-vgpu/fb/span_tree.rs"]
pub(crate) mod span_tree;
#[path = "../../../../../drivers/gpu/nova-core-vgpu/fb/spans.rs"]
pub(crate) mod spans;
#[path = "../../../../../drivers/gpu/nova-core-vgpu/fb/unclean.rs"]
pub(crate) mod unclean;
