// SPDX-License-Identifier: GPL-2.0

//! Pure parts of the VF driver, `drivers/vfio/pci/nvidia_vgpu/`, side by side as in their own
//! modules, and the tests of each in `vf/`.

#[path = "../../../../drivers/vfio/pci/nvidia_vgpu/device/capabilities.rs"]
mod capabilities;
#[path = "../../../../drivers/vfio/pci/nvidia_vgpu/plugin/channel.rs"]
mod channel;
#[path = "../../../../drivers/vfio/pci/nvidia_vgpu/types/channels.rs"]
mod channels;
#[path = "../../../../drivers/vfio/pci/nvidia_vgpu/device/config.rs"]
mod config;
#[path = "../../../../drivers/vfio/pci/nvidia_vgpu/control/guests.rs"]
mod guests;
#[path = "../../../../drivers/vfio/pci/nvidia_vgpu/plugin/layout.rs"]
mod layout;
#[path = "../../../../drivers/vfio/pci/nvidia_vgpu/types/listing.rs"]
mod listing;
#[path = "../../../../drivers/vfio/pci/nvidia_vgpu/plugin/messages.rs"]
mod messages;
#[path = "../../../../drivers/vfio/pci/nvidia_vgpu/types/metadata.rs"]
mod metadata;
#[path = "../../../../drivers/vfio/pci/nvidia_vgpu/plugin/pace.rs"]
mod pace;
#[path = "../../../../drivers/vfio/pci/nvidia_vgpu/types/placement.rs"]
mod placement;
#[path = "../../../../drivers/vfio/pci/nvidia_vgpu/types/plan.rs"]
mod plan;
#[path = "../../../../drivers/vfio/pci/nvidia_vgpu/device/region.rs"]
mod region;
#[path = "../../../../drivers/vfio/pci/nvidia_vgpu/plugin/report.rs"]
mod report;
#[path = "../../../../drivers/vfio/pci/nvidia_vgpu/instance/status.rs"]
mod status;
#[path = "../../../../drivers/vfio/pci/nvidia_vgpu/control/wire.rs"]
mod wire;

mod channel_tests;
mod config_tests;
mod device_tests;
mod guests_tests;
mod metadata_tests;
mod plan_tests;
mod report_tests;
mod type_tests;
