// SPDX-License-Identifier: GPL-2.0

//! vGPU type metadata files: from a readable table to the bytes the VF driver loads, and back.
//!
//! ```text
//!   types.toml --table--> Board{VgpuType...} --build--> container + control payload --> vgpu-570.144.bin
//!                                                                                           |
//!                              text / JSON  <--report-- Metadata <--decode------------------+
//! ```

pub mod build;
pub mod container;
pub mod decode;
pub mod report;
pub mod table;
pub mod vgpu_info;
