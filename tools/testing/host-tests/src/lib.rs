// SPDX-License-Identifier: GPL-2.0

//! Host tests of the pure parts of both kernel modules.
//!
//! Each file here names driver source files by `#[path]`, so what is tested is the very file that
//! Kbuild compiles:
//!
//! ```text
//!   pf.rs  <- drivers/gpu/nova-core-vgpu/**        vf.rs  <- drivers/vfio/pci/nvidia_vgpu/**
//! ```

// What a file offers to its driver is not all called by its tests.
#![allow(dead_code)]

#[cfg(test)]
mod pf;
#[cfg(test)]
mod vf;
