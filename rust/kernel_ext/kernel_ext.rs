// SPDX-License-Identifier: GPL-2.0

//! What the `kernel` crate of Linux 7.3 lacks and both vGPU drivers need.
//!
//! ```text
//!   pci         driver registration with SR-IOV, attribute groups, shutdown, sleep and resets;
//!               capabilities, SR-IOV facts, data of the PF seen from a VF
//!   sysfs       attribute groups built at compile time, typed show and store
//!   io          windows into large BARs, write-combining where wanted
//!   completion  waits with a deadline
//!   work        work that is done when somebody asks for it, or again and again
//!   latency     how long what is asked of firmware takes
//!   debugfs     the directory of a module
//!   coredump    what a device was like when it failed, for user space
//!   firmware    large files, read to where they are used
//! ```
//!
//! The object of this crate is linked into `nova_core_vgpu.ko`. Functions that use `THIS_MODULE` or
//! a C helper of this project are neither generic nor inlined, because such code would be compiled
//! into the other module, where those symbols do not exist.

pub mod completion;
pub mod coredump;
pub mod debugfs;
pub mod firmware;
pub mod io;
pub mod latency;
pub mod pci;
pub mod sysfs;
mod time;
pub mod work;
