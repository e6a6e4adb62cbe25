// SPDX-License-Identifier: GPL-2.0

//! Page tables, beside each other as in the driver.

#[path = "../../../../../drivers/gpu/nova-core-vgpu/mm/erase.rs"]
pub(crate) mod erase;
#[path = "../../../../../drivers/gpu/nova-core-vgpu/mm/half.rs"]
pub(crate) mod half;
#[path = "../../../../../drivers/gpu/nova-core-vgpu/mm/install.rs"]
pub(crate) mod install;
#[path = "../../../../../drivers/gpu/nova-core-vgpu/mm/pagetable.rs"]
pub(crate) mod pagetable;
#[path = "../../../../../drivers/gpu/nova-core-vgpu/mm/pool.rs"]
pub(crate) mod pool;
#[path = "../../../../../drivers/gpu/nova-core-vgpu/mm/shape.rs"]
pub(crate) mod shape;
#[path = "../../../../../drivers/gpu/nova-core-vgpu/mm/walk.rs"]
pub(crate) mod walk;
