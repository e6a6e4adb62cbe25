// SPDX-License-Identifier: GPL-2.0

//! Bindings of the VFIO headers, made at build time.
//!
//! ```text
//!   <linux/vfio_pci_core.h> -- bindgen --> types and functions of VFIO only
//!                                            | everything else they mention
//!                                            v
//!                                          kernel::bindings
//! ```

#![allow(
    clippy::all,
    clippy::as_underscore,
    clippy::cast_lossless,
    clippy::ptr_as_ptr,
    clippy::ref_as_ptr,
    clippy::undocumented_unsafe_blocks,
    dead_code,
    improper_ctypes,
    missing_docs,
    non_camel_case_types,
    non_snake_case,
    non_upper_case_globals,
    unnecessary_transmutes,
    unreachable_pub,
    unsafe_op_in_unsafe_fn
)]

use kernel::bindings::*;
use pin_init::{
    MaybeZeroable,
    Zeroable, //
};

// SAFETY: A newtype around `Storage`; bindgen does not derive this.
unsafe impl<Storage> Zeroable for __BindgenBitfieldUnit<Storage> where Storage: Zeroable {}

include!(concat!(
    env!("NOVA_VGPU_BINDINGS"),
    "/bindings_generated.rs"
));
