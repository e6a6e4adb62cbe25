// SPDX-License-Identifier: GPL-2.0

//! Wire formats of GSP-RM 570.144.

#[path = "../../../../../../../drivers/gpu/nova-core-vgpu/gsp/fw/r570_144/channel.rs"]
pub(crate) mod channel;
#[path = "../../../../../../../drivers/gpu/nova-core-vgpu/gsp/fw/r570_144/faults.rs"]
pub(crate) mod faults;
#[path = "../../../../../../../drivers/gpu/nova-core-vgpu/gsp/fw/r570_144/ids.rs"]
pub(crate) mod ids;
#[path = "../../../../../../../drivers/gpu/nova-core-vgpu/gsp/fw/r570_144/intr.rs"]
pub(crate) mod intr;
#[path = "../../../../../../../drivers/gpu/nova-core-vgpu/gsp/fw/r570_144/libos.rs"]
pub(crate) mod libos;
#[path = "../../../../../../../drivers/gpu/nova-core-vgpu/gsp/fw/r570_144/msgq.rs"]
pub(crate) mod msgq;
#[path = "../../../../../../../drivers/gpu/nova-core-vgpu/gsp/fw/r570_144/registry.rs"]
pub(crate) mod registry;
#[path = "../../../../../../../drivers/gpu/nova-core-vgpu/gsp/fw/r570_144/rm_args.rs"]
pub(crate) mod rm_args;
#[path = "../../../../../../../drivers/gpu/nova-core-vgpu/gsp/fw/r570_144/rpc.rs"]
pub(crate) mod rpc;
#[path = "../../../../../../../drivers/gpu/nova-core-vgpu/gsp/fw/r570_144/sequencer.rs"]
pub(crate) mod sequencer;
#[path = "../../../../../../../drivers/gpu/nova-core-vgpu/gsp/fw/r570_144/static_info.rs"]
pub(crate) mod static_info;
#[path = "../../../../../../../drivers/gpu/nova-core-vgpu/gsp/fw/r570_144/system_info.rs"]
pub(crate) mod system_info;
#[path = "../../../../../../../drivers/gpu/nova-core-vgpu/gsp/fw/r570_144/unload.rs"]
pub(crate) mod unload;
#[path = "../../../../../../../drivers/gpu/nova-core-vgpu/gsp/fw/r570_144/wpr_meta.rs"]
pub(crate) mod wpr_meta;
