// SPDX-License-Identifier: GPL-2.0

//! Register values.

#[path = "../../../../../drivers/gpu/nova-core-vgpu/regs/check.rs"]
pub(crate) mod check;
