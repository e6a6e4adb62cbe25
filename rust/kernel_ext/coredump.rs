// SPDX-License-Identifier: GPL-2.0

//! What a device was like when it failed, for user space to fetch.
//!
//! ```text
//!   Coredump::new ─▶ text and bytes are added ─▶ submit(dev)
//!                                                   │ the core owns the memory from here on
//!                      /sys/class/devcoredump/devcdN/data     read; written to: freed at once
//!                                                   └ freed after five minutes in any case
//! ```
//!
//! As long as one of a device has not been taken away, later ones of the same device are dropped:
//! the first failure is the one that tells something. In a kernel without `CONFIG_DEV_COREDUMP` all
//! of them are.
//!
//! C header: [`include/linux/devcoredump.h`](srctree/include/linux/devcoredump.h)

use kernel::{
    device,
    fmt,
    prelude::*, //
};

mod helper {
    use kernel::{
        bindings,
        prelude::*, //
    };

    // Structures that are empty in this configuration, somewhere below `device`, do not matter
    // behind a pointer.
    #[allow(improper_ctypes)]
    extern "C" {
        pub(super) fn nova_vgpu_helper_dev_coredumpv(
            dev: *mut bindings::device,
            data: *mut c_void,
            len: usize,
        );
    }
}

/// A dump that is being put together.
pub struct Coredump(VVec<u8>);

impl Coredump {
    /// An empty dump with room for `capacity` bytes.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn with_capacity(capacity: usize) -> Result<Self> {
        Ok(Self(VVec::with_capacity(capacity, GFP_KERNEL)?))
    }

    /// Bytes so far.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing has been added.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds `len` zero bytes and returns them for filling.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn extend(&mut self, len: usize) -> Result<&mut [u8]> {
        let start = self.0.len();
        self.0.extend_with(len, 0, GFP_KERNEL)?;
        self.0.get_mut(start..).ok_or(EINVAL)
    }

    /// Hands the dump to the core, as one of `dev`.
    pub fn submit(self, dev: &device::Device) {
        if !self.0.is_empty() {
            give(dev, self.0);
        }
    }
}

impl fmt::Write for Coredump {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0
            .extend_from_slice(text.as_bytes(), GFP_KERNEL)
            .map_err(|_| fmt::Error)
    }
}

#[inline(never)]
fn give(dev: &device::Device, data: VVec<u8>) {
    let (data, len, _) = data.into_raw_parts();
    // CAST: `device::Device` is a transparent wrapper of `Opaque<device>`.
    let dev = core::ptr::from_ref(dev).cast_mut().cast();

    // SAFETY: `dev` is a valid device. `data` comes from vmalloc() and is not used any more here; the
    // core frees it with vfree().
    unsafe { helper::nova_vgpu_helper_dev_coredumpv(dev, data.cast(), len) };
}

#[cfg(CONFIG_NOVA_CORE_VGPU_KUNIT)]
#[kunit_tests(nova_vgpu_coredump)]
mod tests {
    use super::*;
    use kernel::{
        faux,
        fmt::Write as _, //
    };

    #[test]
    fn text_and_bytes_in_the_order_they_are_added() -> Result {
        let mut dump = Coredump::with_capacity(4)?;

        assert!(dump.is_empty());
        assert!(writeln!(dump, "reason {}", 7).is_ok());
        dump.extend(3)?.copy_from_slice(&[1, 2, 3]);
        assert_eq!(dump.len(), 12);
        assert!(dump.0.as_slice() == b"reason 7\n\x01\x02\x03");
        Ok(())
    }

    /// What happens to the memory is for the leak checkers to say.
    #[test]
    fn the_core_takes_the_memory() -> Result {
        let device = faux::Registration::new(c"nova_vgpu_coredump", None)?;
        let device: &device::Device<device::Bound> = device.as_ref().as_ref();

        for _ in 0..2 {
            let mut dump = Coredump::with_capacity(1)?;
            dump.extend(5000)?.fill(0xa5);
            dump.submit(device);
        }
        Coredump::with_capacity(1)?.submit(device);
        Ok(())
    }
}
