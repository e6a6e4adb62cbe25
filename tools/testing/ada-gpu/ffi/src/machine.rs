// SPDX-License-Identifier: GPL-2.0

//! [`Host`] over the callbacks QEMU gives to `ada_gpu_start()`.
//!
//! ```text
//!   Host::dma_read(addr, buf)  ->  ops.dma_read(opaque, addr, ptr, len)
//!   Function::Pf / Vf(i)       ->  0 / i + 1 (the GFID)
//! ```

use ada_gpu_model::{DmaFault, Function, Host};
use std::ffi::c_void;

/// `struct ada_gpu_host_ops`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct HostOps {
    pub(crate) dma_read: unsafe extern "C" fn(*mut c_void, u64, *mut c_void, usize) -> bool,
    pub(crate) dma_write: unsafe extern "C" fn(*mut c_void, u64, *const c_void, usize) -> bool,
    pub(crate) config_read: unsafe extern "C" fn(*mut c_void, u32, u16) -> u32,
    pub(crate) msix: unsafe extern "C" fn(*mut c_void, u32, u16),
    pub(crate) now_ns: unsafe extern "C" fn(*mut c_void) -> u64,
    pub(crate) set_timer: unsafe extern "C" fn(*mut c_void, bool, u64),
}

/// The machine the PF sits in.
pub(crate) struct Machine {
    ops: HostOps,
    opaque: *mut c_void,
}

// SAFETY: the callbacks may be made from any thread that holds QEMU's big lock,
// and the model runs only there.
unsafe impl Send for Machine {}

impl Machine {
    /// # Safety
    ///
    /// The callbacks must be callable with `opaque` for as long as the value lives.
    pub(crate) unsafe fn new(ops: HostOps, opaque: *mut c_void) -> Machine {
        Machine { ops, opaque }
    }
}

impl Host for Machine {
    fn dma_read(&self, addr: u64, buf: &mut [u8]) -> Result<(), DmaFault> {
        let (ptr, len) = (buf.as_mut_ptr().cast(), buf.len());
        // SAFETY: callable by the contract of new(); `ptr` is writable for `len`.
        let done = unsafe { (self.ops.dma_read)(self.opaque, addr, ptr, len) };
        done.then_some(()).ok_or(DmaFault)
    }

    fn dma_write(&self, addr: u64, buf: &[u8]) -> Result<(), DmaFault> {
        let (ptr, len) = (buf.as_ptr().cast(), buf.len());
        // SAFETY: callable by the contract of new(); `ptr` is readable for `len`.
        let done = unsafe { (self.ops.dma_write)(self.opaque, addr, ptr, len) };
        done.then_some(()).ok_or(DmaFault)
    }

    fn config_read(&self, function: Function, offset: u16) -> u32 {
        // SAFETY: callable by the contract of new().
        unsafe { (self.ops.config_read)(self.opaque, function.gfid(), offset) }
    }

    fn msix(&self, function: Function, vector: u16) {
        // SAFETY: callable by the contract of new().
        unsafe { (self.ops.msix)(self.opaque, function.gfid(), vector) }
    }

    fn now_ns(&self) -> u64 {
        // SAFETY: callable by the contract of new().
        unsafe { (self.ops.now_ns)(self.opaque) }
    }

    fn set_timer(&self, deadline_ns: Option<u64>) {
        let deadline = deadline_ns.unwrap_or(0);
        // SAFETY: callable by the contract of new().
        unsafe { (self.ops.set_timer)(self.opaque, deadline_ns.is_some(), deadline) }
    }
}
