// SPDX-License-Identifier: GPL-2.0

//! Virtual functions and vGPU types of this host, as the drivers show them in sysfs.
//!
//! ```text
//!   cli ─> run ─┬─> report   list               gpu ─> sysfs    what is
//!               ├─> select   select, clear      types           what can be
//!               ├─> vfs      enable, bind, …    holders         who uses it
//!               ├─> wait     wait               events          when it changes
//!               └─> restore  save, restore      config          what shall be
//! ```
//!
//! Nothing is kept in memory between two commands, and there is no daemon: the kernel knows it all.
#![forbid(unsafe_code)]

pub mod address;
pub mod cli;
pub mod config;
pub mod error;
pub mod events;
pub mod gpu;
pub mod holders;
pub mod manual;
pub mod report;
pub mod restore;
pub mod run;
pub mod select;
pub mod sysfs;
pub mod types;
pub mod vfs;
pub mod wait;
