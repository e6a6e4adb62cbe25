// SPDX-License-Identifier: GPL-2.0

//! PF core driver for NVIDIA Ada GPUs with vGPU.
//!
//! ```text
//!  driver ─▶ gpu ─▶ gsp ─▶ falcon, firmware, vbios, fb ─▶ regs
//!                    └─▶ gsp::rm ─▶ fb::manager, fifo, mm ─▶ vgpu: what a VF driver may use
//! ```
//!
//! Knows the GPU; knows nothing of VFIO or of guests.

use kernel::{
    prelude::*,
    InPlaceModule,
    ModuleMetadata, //
};

mod bytes;
mod ce;
mod debugfs;
mod driver;
mod falcon;
mod fb;
mod fifo;
mod firmware;
mod gpu;
mod gsp;
mod irq;
mod mm;
mod regs;
mod sriov;
mod trace;
mod vbios;
pub mod vgpu;

/// The module. Fields are dropped in order of declaration.
#[pin_data]
struct NovaCoreVgpuModule {
    #[pin]
    _driver: kernel_ext::pci::Registration<driver::NovaCoreVgpuDriver>,
    /// After `_driver`, whose devices have files below it.
    _debugfs: debugfs::Root,
}

impl InPlaceModule for NovaCoreVgpuModule {
    fn init(module: &'static kernel::ThisModule) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            // SAFETY: The module is initialised once, and this is before any device is probed.
            _debugfs: unsafe { debugfs::Root::new() },
            _driver <- kernel_ext::pci::Registration::new(<Self as ModuleMetadata>::NAME, module),
        })
    }
}

module! {
    type: NovaCoreVgpuModule,
    name: "nova_core_vgpu",
    authors: ["The nova-core-vgpu authors"],
    description: "PF core driver for NVIDIA Ada GPUs with vGPU",
    license: "GPL v2",
    firmware: [],
}

kernel::module_firmware!(firmware::ModInfoBuilder);
