// SPDX-License-Identifier: GPL-2.0

//! Copy engine: methods, pieces of work and their numbers.

#[path = "../../../../../drivers/gpu/nova-core-vgpu/ce/chunks.rs"]
pub(crate) mod chunks;
#[path = "../../../../../drivers/gpu/nova-core-vgpu/ce/methods.rs"]
pub(crate) mod methods;
#[path = "../../../../../drivers/gpu/nova-core-vgpu/ce/sequence.rs"]
pub(crate) mod sequence;
