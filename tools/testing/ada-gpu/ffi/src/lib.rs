// SPDX-License-Identifier: GPL-2.0

//! The C interface of the Ada GPU model, as declared in `shim/ada-gpu-ffi.h`.
//!
//! ```text
//!   QEMU (C)                        this crate                  model
//!   ada_gpu_create ───────────────► Handle { Config }
//!   ada_gpu_set …                   Config::set
//!   ada_gpu_start(ops) ───────────► Handle { Gpu } ───────────► Gpu::new
//!   ada_gpu_read/write/reset … ───► try_lock ─────────────────► Gpu::…
//!   struct ada_gpu_host_ops ◄────── machine::Machine ◄───────── Host::…
//! ```
//!
//! QEMU calls under its big lock, so the lock is only ever found taken when the
//! model's own bus-master access came back to one of its BARs. Such a call is
//! turned away as a real board would not answer itself: all ones for reads,
//! nothing for the rest.

mod handle;
mod machine;
mod properties;
mod strings;

pub use handle::*;
pub use properties::*;
pub use strings::*;
