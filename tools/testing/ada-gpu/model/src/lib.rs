// SPDX-License-Identifier: GPL-2.0

//! A software model of an NVIDIA Ada GPU (AD102) as its drivers see it.
//!
//! The model has no dependency on QEMU: everything it may do to the machine it
//! is plugged into goes through [`Host`], and everything the machine does to it
//! goes through the methods of [`Gpu`].
//!
//! ```text
//!   PCI front end (QEMU shim, or a test)
//!        | read/write/reset/timer            ^ dma, msix, config, clock
//!        v                                   |
//!   +-- Gpu (gpu.rs) ------------------------+------ Host (host.rs) --+
//!   |  registers: regs, pri, ptimer, func, prom(vbios), pramin        |
//!   |  falcons:   falcon (GSP, SEC2) -> ucode (fwsec, scrubber,       |
//!   |             booter): the effects of signed microcode            |
//!   |  GSP:       gsp (boot, queues, RPC transport)                   |
//!   |                 | one whole message at a time                   |
//!   |                 v                                               |
//!   |  GSP-RM:    rm (objects, controls, vGPU plugin, VMMU)           |
//!   |  work:      fifo (channels), ce (copy engines)                  |
//!   |  memory:    vram (sparse, poisoned), mmu (page-table walk)      |
//!   |  for tests: trace, stats, fault                                 |
//!   +-----------------------------------------------------------------+
//! ```
//!
//! The firmware images a driver uploads are checked, never executed; what the
//! model reproduces is their observable effect. What real hardware refuses is
//! refused here, with a line in the trace and a count in the statistics.

#![warn(missing_docs)]

pub mod board;
pub mod bytes;
pub mod ce;
pub mod config;
pub mod falcon;
pub mod fault;
pub mod fifo;
pub mod func;
pub mod gpu;
pub mod gsp;
pub mod host;
pub mod mmu;
pub mod regs;
pub mod rm;
pub mod services;
pub mod stats;
pub mod trace;
pub mod ucode;
pub mod vbios;
pub mod vram;
pub mod window;

pub use config::{Config, ConfigError};
pub use gpu::{Gpu, PciIdentity, PropertyError, Reset};
pub use host::{Bar, DmaFault, Function, Host};
