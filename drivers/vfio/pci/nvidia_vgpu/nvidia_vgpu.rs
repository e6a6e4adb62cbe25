// SPDX-License-Identifier: GPL-2.0

//! VFIO variant driver for NVIDIA vGPU: a VF of a GPU that `nova_core_vgpu` drives becomes a
//! vGPU of the type chosen in sysfs, for as long as somebody has its VFIO device open.
//!
//! ```text
//!   interface        driver (bind, VFIO hooks)   sysfs (type selection)   debugfs
//!   state machine    instance::status            types::plan  admission
//!   resource         instance (FB, channels, heap, client, plugin task)   manager (per PF)
//!   command          control (RM controls)       plugin (messages)
//!   wire             control::wire  plugin::{layout, messages}  types::metadata
//! ```
//!
//! The GPU is reached through the PF driver's handle only.

use kernel::prelude::*;

mod admission;
mod control;
mod debugfs;
mod device;
mod driver;
mod faults;
mod instance;
mod manager;
mod plugin;
mod sysfs;
mod types;

#[pin_data]
struct NvidiaVgpu {
    #[pin]
    _driver: vfio::pci::Registration<driver::Vf>,
    /// After `_driver`, whose devices have files below it.
    _debugfs: debugfs::Root,
}

impl kernel::InPlaceModule for NvidiaVgpu {
    fn init(module: &'static ThisModule) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            // SAFETY: The module is initialised once, and this is before any device is probed.
            _debugfs: unsafe { debugfs::Root::new() },
            _driver <- vfio::pci::Registration::new(module),
        })
    }
}

module! {
    type: NvidiaVgpu,
    name: "nvidia_vgpu_vfio",
    authors: ["nova-core-vgpu developers"],
    description: "VFIO PCI driver for NVIDIA vGPU",
    license: "GPL v2",
    params: {
        message_timeout_ms: u32 {
            default: 30000,
            description: "How long a plugin task may take to answer a message, in milliseconds",
        },
    },
}
