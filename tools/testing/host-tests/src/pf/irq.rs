// SPDX-License-Identifier: GPL-2.0

//! Interrupts.

#[path = "../../../../../drivers/gpu/nova-core-vgpu/irq/tree.rs"]
pub(crate) mod tree;
