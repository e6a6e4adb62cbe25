// SPDX-License-Identifier: GPL-2.0

//! Firmware file parsers.

#[path = "../../../../../drivers/gpu/nova-core-vgpu/firmware/container.rs"]
pub(crate) mod container;
#[path = "../../../../../drivers/gpu/nova-core-vgpu/firmware/elf.rs"]
pub(crate) mod elf;
#[path = "../../../../../drivers/gpu/nova-core-vgpu/firmware/radix3.rs"]
pub(crate) mod radix3;
