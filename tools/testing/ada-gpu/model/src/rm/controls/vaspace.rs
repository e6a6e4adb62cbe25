// SPDX-License-Identifier: GPL-2.0

//! Controls that give an address space its page directories.
//!
//! ```text
//!   0x00801813 DMA_SET_PAGE_DIRECTORY            on the device
//!   0x00801814 DMA_UNSET_PAGE_DIRECTORY
//!   0x90f10106 VASPACE_COPY_SERVER_RESERVED_PDES on the address space
//! ```
//!
//! Source: OGKM 570.144 `ctrl0080dma.h`, `ctrl90f1.h`.

use super::Control;
use crate::rm::vaspace;

/// The controls of this file.
pub const TABLE: &[Control] = &[
    Control {
        cmd: 0x0080_1813,
        name: "DMA_SET_PAGE_DIRECTORY",
        size: 0x20,
        vgpu: false,
        run: |rm, s, target, p| vaspace::set_directory(rm, s, target, p),
    },
    Control {
        cmd: 0x0080_1814,
        name: "DMA_UNSET_PAGE_DIRECTORY",
        size: 8,
        vgpu: false,
        run: |rm, s, target, p| vaspace::unset_directory(rm, s, target, p),
    },
    Control {
        cmd: 0x90f1_0106,
        name: "VASPACE_COPY_SERVER_RESERVED_PDES",
        size: 0xb8,
        vgpu: false,
        run: |rm, s, target, p| vaspace::copy_reserved(rm, s, target, p),
    },
];
