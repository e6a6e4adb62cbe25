// SPDX-License-Identifier: GPL-2.0

//! One board as QEMU holds it: first its properties, then the running model.
//!
//! ```text
//!   ada_gpu_create         Setup(Config)
//!   ada_gpu_set               |  Config::set
//!   ada_gpu_start          Running(Gpu)
//!   ada_gpu_read …            |  Gpu::read …
//!   ada_gpu_finish         Running(Gpu), files written
//!   ada_gpu_destroy        gone
//! ```

use crate::machine::{HostOps, Machine};
use crate::strings::{borrow, give};
use ada_gpu_model::{Bar, Config, Function, Gpu, PciIdentity, Reset};
use std::ffi::{c_char, c_void};
use std::ptr;
use std::sync::{Mutex, MutexGuard};

enum State {
    Setup(Box<Config>),
    Running(Box<Gpu>),
}

/// `struct ada_gpu`.
pub struct Handle(Mutex<State>);

/// `struct ada_gpu_pci`.
#[repr(C)]
pub struct Pci {
    bar0_size: u64,
    bar1_size: u64,
    bar3_size: u64,
    vf_bar0_size: u64,
    vf_bar1_size: u64,
    vf_bar3_size: u64,
    class_code: u32,
    vendor: u16,
    device: u16,
    subsystem_vendor: u16,
    subsystem: u16,
    vf_device: u16,
    total_vfs: u16,
    vf_offset: u16,
    vf_stride: u16,
    revision: u8,
    msix: bool,
    vf_pm: bool,
}

impl From<PciIdentity> for Pci {
    fn from(id: PciIdentity) -> Pci {
        Pci {
            bar0_size: id.bar0_size,
            bar1_size: id.bar1_size,
            bar3_size: id.bar3_size,
            vf_bar0_size: id.vf_bar0_size,
            vf_bar1_size: id.vf_bar1_size,
            vf_bar3_size: id.vf_bar3_size,
            class_code: id.class,
            vendor: id.vendor_id,
            device: id.device_id,
            subsystem_vendor: id.subsystem_vendor_id,
            subsystem: id.subsystem_id,
            vf_device: id.vf_device_id,
            total_vfs: id.total_vfs,
            vf_offset: id.vf_offset,
            vf_stride: id.vf_stride,
            revision: id.revision,
            msix: id.msix,
            vf_pm: id.vf_pm,
        }
    }
}

impl Handle {
    /// The state, or `None` when the model is what called us.
    fn enter(&self) -> Option<MutexGuard<'_, State>> {
        self.0.try_lock().ok()
    }

    /// Runs `call` on the running model; `None` before start or when re-entered.
    fn with<T>(&self, call: impl FnOnce(&mut Gpu) -> T) -> Option<T> {
        match &mut *self.enter()? {
            State::Running(gpu) => Some(call(gpu)),
            State::Setup(_) => None,
        }
    }

    fn set(&self, name: &str, value: &str) -> Result<(), String> {
        let mut state = self.enter().ok_or("the model is busy")?;
        match &mut *state {
            State::Setup(config) => config.set(name, value).map_err(|e| e.to_string()),
            State::Running(gpu) => gpu.set_property(name, value).map_err(|e| e.to_string()),
        }
    }

    fn get(&self, name: &str) -> Option<String> {
        match &*self.enter()? {
            State::Setup(config) => config.get(name),
            State::Running(gpu) => gpu.property(name),
        }
    }

    fn start(&self, machine: Machine) -> Result<PciIdentity, String> {
        let mut state = self.enter().ok_or("the model is busy")?;
        let State::Setup(config) = &*state else {
            return Err("the model is running already".to_owned());
        };
        let gpu = Gpu::new((**config).clone(), Box::new(machine)).map_err(|e| e.to_string())?;
        let identity = gpu.pci();
        *state = State::Running(Box::new(gpu));
        Ok(identity)
    }
}

/// GFID to function; `None` above 32.
fn function(gfid: u32) -> Option<Function> {
    match gfid {
        0 => Some(Function::Pf),
        1..=32 => u8::try_from(gfid - 1).ok().map(Function::Vf),
        _ => None,
    }
}

fn memory_bar(index: u32) -> Option<Bar> {
    match index {
        0 => Some(Bar::Bar0),
        1 => Some(Bar::Bar1),
        3 => Some(Bar::Bar3),
        _ => None,
    }
}

/// All ones in `size` bytes.
fn ones(size: u32) -> u64 {
    match size {
        1..=7 => (1 << (size * 8)) - 1,
        _ => u64::MAX,
    }
}

/// A board with default properties.
#[no_mangle]
pub extern "C" fn ada_gpu_create() -> *mut Handle {
    Box::into_raw(Box::new(Handle(Mutex::new(State::Setup(Box::default())))))
}

/// Frees the board.
///
/// # Safety
///
/// `gpu` must come from [`ada_gpu_create`] and not be used afterwards.
#[no_mangle]
pub unsafe extern "C" fn ada_gpu_destroy(gpu: *mut Handle) {
    // SAFETY: by contract a pointer from Box::into_raw, given back once.
    drop(unsafe { Box::from_raw(gpu) });
}

/// Sets a property; null on success, else the reason.
///
/// # Safety
///
/// `name` and `value` must be null or NUL-terminated.
#[no_mangle]
pub unsafe extern "C" fn ada_gpu_set(
    gpu: &Handle,
    name: *const c_char,
    value: *const c_char,
) -> *mut c_char {
    // SAFETY: by contract, for the length of this call.
    let (name, value) = unsafe { (borrow(name), borrow(value)) };
    let result = match (name, value) {
        (Some(name), Some(value)) => gpu.set(name, value),
        _ => Err("not a UTF-8 string".to_owned()),
    };
    result.err().map_or(ptr::null_mut(), |why| give(&why))
}

/// Value of a property, null if there is none.
///
/// # Safety
///
/// `name` must be null or NUL-terminated.
#[no_mangle]
pub unsafe extern "C" fn ada_gpu_get(gpu: &Handle, name: *const c_char) -> *mut c_char {
    // SAFETY: by contract, for the length of this call.
    let name = unsafe { borrow(name) };
    name.and_then(|name| gpu.get(name))
        .map_or(ptr::null_mut(), |value| give(&value))
}

/// Builds the model; null on success (then `pci` is filled in), else the reason.
///
/// # Safety
///
/// The callbacks of `ops` must be callable with `opaque` until
/// [`ada_gpu_destroy`]; `pci` must be writable.
#[no_mangle]
pub unsafe extern "C" fn ada_gpu_start(
    gpu: &Handle,
    ops: &HostOps,
    opaque: *mut c_void,
    pci: *mut Pci,
) -> *mut c_char {
    // SAFETY: the contract is passed on.
    let machine = unsafe { Machine::new(*ops, opaque) };
    match gpu.start(machine) {
        Ok(identity) => {
            // SAFETY: writable by contract; no drop of what was there.
            unsafe { pci.write(identity.into()) };
            ptr::null_mut()
        }
        Err(why) => give(&why),
    }
}

/// The machine ends: writes what the properties asked for.
#[no_mangle]
pub extern "C" fn ada_gpu_finish(gpu: &Handle) {
    gpu.with(Gpu::finish);
}

/// CPU read of 1, 2, 4 or 8 bytes.
#[no_mangle]
pub extern "C" fn ada_gpu_read(gpu: &Handle, gfid: u32, bar: u32, offset: u64, size: u32) -> u64 {
    let (Some(f), Some(bar)) = (function(gfid), memory_bar(bar)) else {
        return ones(size);
    };
    gpu.with(|gpu| gpu.read(f, bar, offset, size as u8))
        .unwrap_or_else(|| ones(size))
}

/// CPU write of 1, 2, 4 or 8 bytes.
#[no_mangle]
pub extern "C" fn ada_gpu_write(
    gpu: &Handle,
    gfid: u32,
    bar: u32,
    offset: u64,
    size: u32,
    value: u64,
) {
    if let (Some(f), Some(bar)) = (function(gfid), memory_bar(bar)) {
        gpu.with(|gpu| gpu.write(f, bar, offset, size as u8, value));
    }
}

/// A reset of kind `enum ada_gpu_reset`; `gfid` matters for FLR only.
#[no_mangle]
pub extern "C" fn ada_gpu_reset(gpu: &Handle, kind: u32, gfid: u32) {
    let kind = match (kind, function(gfid)) {
        (0, _) => Reset::PowerOn,
        (1, _) => Reset::SecondaryBus,
        (2, Some(f)) => Reset::Flr(f),
        _ => return,
    };
    gpu.with(|gpu| gpu.reset(kind));
}

/// That many VFs are enabled now.
#[no_mangle]
pub extern "C" fn ada_gpu_set_num_vfs(gpu: &Handle, num_vfs: u16) {
    gpu.with(|gpu| gpu.set_num_vfs(num_vfs));
}

/// Bus Master Enable of a function changed.
#[no_mangle]
pub extern "C" fn ada_gpu_set_bus_master(gpu: &Handle, gfid: u32, on: bool) {
    if let Some(f) = function(gfid) {
        gpu.with(|gpu| gpu.set_bus_master(f, on));
    }
}

/// The timer fired.
#[no_mangle]
pub extern "C" fn ada_gpu_timer(gpu: &Handle) {
    gpu.with(Gpu::timer);
}

#[cfg(test)]
mod tests;
