// SPDX-License-Identifier: GPL-2.0

//! VBIOS parsers.

#[path = "../../../../../drivers/gpu/nova-core-vgpu/vbios/bit.rs"]
pub(crate) mod bit;
#[path = "../../../../../drivers/gpu/nova-core-vgpu/vbios/fwsec.rs"]
pub(crate) mod fwsec;
#[path = "../../../../../drivers/gpu/nova-core-vgpu/vbios/rom.rs"]
pub(crate) mod rom;
