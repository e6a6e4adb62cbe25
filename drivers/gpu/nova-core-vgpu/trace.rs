// SPDX-License-Identifier: GPL-2.0

//! Tracepoints, group `nova_core_vgpu` of tracefs.
//!
//! ```text
//!   gsp::stats ─▶ request(), reply(), event() ─▶ static key off: nothing, inline
//!                                                          on:  rust_do_trace_*() in tracepoints.c
//! ```
//!
//! The tracepoints are defined by `tracepoints.{h,c}`. `kernel::tracepoint::declare_trace!` knows
//! only those that are in the bindings of the kernel, so their declarations are repeated here.

use kernel::prelude::*;

/// Whose message it is.
#[derive(Clone, Copy)]
pub(crate) struct Message<'a> {
    /// Name of the PF.
    pub(crate) dev: &'a CStr,
    /// Number of the function or event.
    pub(crate) function: u32,
    /// VF index + 1, 0 for the PF.
    pub(crate) gfid: u32,
    /// Number of the request, 0 for a message that is not answered, and for events.
    pub(crate) sequence: u32,
    /// Bytes of payload.
    pub(crate) bytes: u32,
}

#[cfg(CONFIG_TRACEPOINTS)]
mod ffi {
    use kernel::{
        bindings,
        prelude::*, //
    };

    // The layout of a tracepoint that is not built in does not matter behind an address.
    #[allow(improper_ctypes)]
    extern "C" {
        pub(super) static __tracepoint_nova_gsp_request: bindings::tracepoint;
        pub(super) static __tracepoint_nova_gsp_reply: bindings::tracepoint;
        pub(super) static __tracepoint_nova_gsp_event: bindings::tracepoint;

        pub(super) fn rust_do_trace_nova_gsp_request(
            dev: *const c_char,
            function: u32,
            gfid: u32,
            sequence: u32,
            bytes: u32,
        );
        pub(super) fn rust_do_trace_nova_gsp_reply(
            dev: *const c_char,
            function: u32,
            gfid: u32,
            sequence: u32,
            bytes: u32,
            latency_ns: u64,
            status: u32,
        );
        pub(super) fn rust_do_trace_nova_gsp_event(
            dev: *const c_char,
            function: u32,
            gfid: u32,
            bytes: u32,
        );
    }
}

/// Whether a tracepoint is enabled; a jump that is patched in or out, where the kernel has that.
#[cfg(CONFIG_TRACEPOINTS)]
macro_rules! enabled {
    ($tracepoint:ident) => {
        // SAFETY: `tracepoints.c` defines the tracepoint, and with it its static key.
        unsafe {
            kernel::jump_label::static_branch_unlikely!(
                ffi::$tracepoint,
                kernel::bindings::tracepoint,
                key
            )
        }
    };
}

#[cfg(not(CONFIG_TRACEPOINTS))]
macro_rules! enabled {
    ($tracepoint:ident) => {
        false
    };
}

/// A message is about to be sent. `message` is asked only when somebody looks.
#[inline(always)]
pub(crate) fn request<'a>(message: impl FnOnce() -> Message<'a>) {
    if enabled!(__tracepoint_nova_gsp_request) {
        do_request(message());
    }
}

/// The reply to a request is complete. `status` is a raw `NV_STATUS`.
#[inline(always)]
pub(crate) fn reply<'a>(message: impl FnOnce() -> Message<'a>, latency_ns: u64, status: u32) {
    if enabled!(__tracepoint_nova_gsp_reply) {
        do_reply(message(), latency_ns, status);
    }
}

/// GSP said something by itself.
#[inline(always)]
pub(crate) fn event<'a>(message: impl FnOnce() -> Message<'a>) {
    if enabled!(__tracepoint_nova_gsp_event) {
        do_event(message());
    }
}

#[cold]
fn do_request(m: Message<'_>) {
    #[cfg(CONFIG_TRACEPOINTS)]
    // SAFETY: The name is a string that the tracepoint copies before it returns.
    unsafe {
        ffi::rust_do_trace_nova_gsp_request(
            m.dev.as_char_ptr(),
            m.function,
            m.gfid,
            m.sequence,
            m.bytes,
        )
    };
    #[cfg(not(CONFIG_TRACEPOINTS))]
    let _ = m;
}

#[cold]
fn do_reply(m: Message<'_>, latency_ns: u64, status: u32) {
    #[cfg(CONFIG_TRACEPOINTS)]
    // SAFETY: The name is a string that the tracepoint copies before it returns.
    unsafe {
        ffi::rust_do_trace_nova_gsp_reply(
            m.dev.as_char_ptr(),
            m.function,
            m.gfid,
            m.sequence,
            m.bytes,
            latency_ns,
            status,
        )
    };
    #[cfg(not(CONFIG_TRACEPOINTS))]
    let _ = (m, latency_ns, status);
}

#[cold]
fn do_event(m: Message<'_>) {
    #[cfg(CONFIG_TRACEPOINTS)]
    // SAFETY: The name is a string that the tracepoint copies before it returns.
    unsafe {
        ffi::rust_do_trace_nova_gsp_event(m.dev.as_char_ptr(), m.function, m.gfid, m.bytes)
    };
    #[cfg(not(CONFIG_TRACEPOINTS))]
    let _ = m;
}
