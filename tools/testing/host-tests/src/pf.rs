// SPDX-License-Identifier: GPL-2.0

//! Pure parts of the PF driver, `drivers/gpu/nova-core-vgpu/`.

// Boot: parsers, layouts, wire formats. Their modules are nested as in the driver.
#[path = "../../../../drivers/gpu/nova-core-vgpu/bytes.rs"]
mod bytes;
mod ce;
mod event_tests;
mod fb;
mod fb_tests;
mod fifo;
mod firmware;
mod firmware_tests;
mod gsp;
mod gsp_tests;
mod guest_fb_tests;
mod irq;
mod irq_tests;
mod mm;
mod mm_tests;
mod regs;
mod scrub_tests;
mod vbios;
mod vbios_tests;

// Resources: status words, FB ranges, RM wire structures.
#[path = "../../../../drivers/gpu/nova-core-vgpu/gsp/nv_status.rs"]
mod nv_status;
#[path = "../../../../drivers/gpu/nova-core-vgpu/gsp/fw/r570_144/rm.rs"]
mod rm;
#[path = "../../../../drivers/gpu/nova-core-vgpu/gsp/rm/ids.rs"]
mod rm_ids;

// Life of the GPU.
#[path = "../../../../drivers/gpu/nova-core-vgpu/gpu/loss.rs"]
mod loss;
#[path = "../../../../drivers/gpu/nova-core-vgpu/gpu/phase.rs"]
mod phase;
