// SPDX-License-Identifier: GPL-2.0

//! The C surface driven as QEMU drives it: properties, start, accesses, and a
//! callback that comes back into the model.

use super::*;
use crate::strings::ada_gpu_string_free;
use std::ffi::CString;

extern "C" fn dma_read(_: *mut c_void, _: u64, _: *mut c_void, _: usize) -> bool {
    false
}
extern "C" fn dma_write(_: *mut c_void, _: u64, _: *const c_void, _: usize) -> bool {
    false
}
extern "C" fn config_read(_: *mut c_void, _: u32, _: u16) -> u32 {
    0
}
extern "C" fn msix(_: *mut c_void, _: u32, _: u16) {}
extern "C" fn now_ns(_: *mut c_void) -> u64 {
    0
}
extern "C" fn set_timer(_: *mut c_void, _: bool, _: u64) {}

const OPS: HostOps = HostOps {
    dma_read,
    dma_write,
    config_read,
    msix,
    now_ns,
    set_timer,
};

fn take(s: *mut c_char) -> Option<String> {
    // SAFETY: null or a string of this crate, freed once right here.
    unsafe {
        let text = borrow(s).map(str::to_owned);
        ada_gpu_string_free(s);
        text
    }
}

fn set(gpu: &Handle, name: &str, value: &str) -> Option<String> {
    let (n, v) = (CString::new(name).unwrap(), CString::new(value).unwrap());
    // SAFETY: both are NUL-terminated.
    take(unsafe { ada_gpu_set(gpu, n.as_ptr(), v.as_ptr()) })
}

fn start(gpu: &Handle) -> Result<Pci, String> {
    let mut pci = std::mem::MaybeUninit::<Pci>::zeroed();
    // SAFETY: the callbacks ignore `opaque`; `pci` is writable.
    match take(unsafe { ada_gpu_start(gpu, &OPS, ptr::null_mut(), pci.as_mut_ptr()) }) {
        // SAFETY: plain integers, zeroed or filled in.
        None => Ok(unsafe { pci.assume_init() }),
        Some(why) => Err(why),
    }
}

fn board() -> Handle {
    Handle(Mutex::new(State::Setup(Box::default())))
}

#[test]
fn properties_reach_the_identity() {
    let gpu = board();
    assert_eq!(set(&gpu, "device-id", "0x26b5"), None);
    assert_eq!(set(&gpu, "vf-bar1", "64M"), None);
    assert!(set(&gpu, "vram", "much").is_some_and(|e| e.contains("vram")));
    assert!(set(&gpu, "nonsense", "1").is_some());
    let pci = start(&gpu).unwrap();
    assert_eq!(
        (pci.vendor, pci.device, pci.vf_device),
        (0x10de, 0x26b5, 0x26b5)
    );
    assert_eq!(pci.vf_bar1_size, 64 << 20);
    assert_eq!((pci.total_vfs, pci.vf_offset, pci.vf_stride), (32, 4, 1));
    assert!(set(&gpu, "vram", "2G").is_some(), "fixed once running");
    assert_eq!(set(&gpu, "fault", ""), None, "changeable while running");
    assert!(start(&gpu).is_err(), "starts once");
}

#[test]
fn reentry_is_turned_away() {
    let gpu = board();
    assert!(start(&gpu).is_ok());
    let inside = gpu.with(|_| ada_gpu_read(&gpu, 0, 0, 0, 4));
    assert_eq!(inside, Some(0xffff_ffff));
    assert_ne!(ada_gpu_read(&gpu, 0, 0, 0, 4), 0xffff_ffff, "PMC_BOOT_0");
}

#[test]
fn bad_function_bar_and_early_access_read_ones() {
    let gpu = board();
    assert_eq!(ada_gpu_read(&gpu, 0, 0, 0, 2), 0xffff, "not started");
    assert!(start(&gpu).is_ok());
    assert_eq!(ada_gpu_read(&gpu, 33, 0, 0, 4), 0xffff_ffff);
    assert_eq!(ada_gpu_read(&gpu, 0, 2, 0, 8), u64::MAX);
    assert_eq!(function(32), Some(Function::Vf(31)));
}
