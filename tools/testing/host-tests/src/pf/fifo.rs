// SPDX-License-Identifier: GPL-2.0

//! Channels: IDs, engines, what is written to make one work.

#[path = "../../../../../drivers/gpu/nova-core-vgpu/fifo/chid.rs"]
pub(crate) mod chid;
#[path = "../../../../../drivers/gpu/nova-core-vgpu/fifo/engines.rs"]
pub(crate) mod engines;
#[path = "../../../../../drivers/gpu/nova-core-vgpu/fifo/gpfifo.rs"]
pub(crate) mod gpfifo;
#[path = "../../../../../drivers/gpu/nova-core-vgpu/fifo/pushbuf.rs"]
pub(crate) mod pushbuf;
