// SPDX-License-Identifier: GPL-2.0

//! Firmware files that are too large to be copied.
//!
//! ```text
//!   Firmware::request()   file ─▶ buffer of the loader ─▶ copy ─▶ pages for the device
//!   append()              file ───────────────────────────────▶ pages for the device
//! ```
//!
//! [`kernel::firmware::request_into_buf`] needs memory that has been written before, which for a
//! large file takes about as long as the copy that it saves.
//!
//! C header: [`include/linux/firmware.h`](srctree/include/linux/firmware.h)

use kernel::{
    bindings,
    device::Device,
    error::to_result,
    prelude::*, //
};

/// Reads the firmware file `name` into the spare capacity of `buffer`, behind what it holds.
///
/// # Errors
///
/// `EINVAL` when there is no spare capacity; those of the firmware loader, which reports them:
/// `ENOENT` when there is no such file, `EFBIG` and others when it is larger than the capacity. Then
/// `buffer` holds what it held before.
pub fn append(name: &CStr, dev: &Device, buffer: &mut VVec<u8>) -> Result {
    let spare = buffer.spare_capacity_mut();
    let mut fw: *const bindings::firmware = core::ptr::null();

    // The loader would allocate, and later free, a buffer of no size by itself.
    if spare.is_empty() {
        return Err(EINVAL);
    }

    // CAST: `Device` is a transparent wrapper of `Opaque<device>`.
    let dev = core::ptr::from_ref(dev).cast_mut().cast();

    // SAFETY: `fw` can be written to; `name` is a C string and `dev` a device; `spare` is memory
    // that may be written to, of that length. It is not read before it is written.
    to_result(unsafe {
        bindings::request_firmware_into_buf(
            &raw mut fw,
            name.as_char_ptr(),
            dev,
            spare.as_mut_ptr().cast(),
            spare.len(),
        )
    })?;

    // SAFETY: The request has succeeded, so `fw` is a valid firmware.
    let size = unsafe { (*fw).size }.min(spare.len());
    // SAFETY: `fw` is what the request returned. What was read is in `buffer`, which stays.
    unsafe { bindings::release_firmware(fw) };
    // SAFETY: The loader has written `size` bytes, which is not more than there was room for.
    unsafe { buffer.inc_len(size) };
    Ok(())
}
