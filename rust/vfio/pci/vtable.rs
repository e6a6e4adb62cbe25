// SPDX-License-Identifier: GPL-2.0

//! The C callbacks of a driver.
//!
//! ```text
//!   struct vfio_device_ops
//!     init, release                        Device
//!     open_device, close_device            the core's enable and disable around the driver's hooks
//!     read, write, ioctl, mmap,            the driver's hook, if it has one,
//!     get_region_info_caps                 else the core's function
//!     request                              the core's function, then the hook
//!     *_iommufd, *_ioas, match*,           always those of VFIO
//!     device_feature
//!   struct pci_error_handlers
//!     error_detected                       the core's function
//!     reset_prepare, reset_done            the driver's hooks
//! ```

use core::marker::PhantomData;
use kernel::{
    bindings,
    error::from_result,
    prelude::*,
    str::as_char_ptr_in_const_context, //
};

use super::{
    Device,
    Driver,
    Enabled,
    Mapping,
    Read,
    RegionInfo,
    Write, //
};
use crate::bindings as vfio;

/// The tables of C functions of a driver.
pub(super) struct VTable<T: Driver>(PhantomData<T>);

impl<T: Driver> VTable<T> {
    pub(super) const OPS: vfio::vfio_device_ops = vfio::vfio_device_ops {
        name: as_char_ptr_in_const_context(T::NAME).cast_mut(),
        init: Some(vfio::vfio_pci_core_init_dev),
        release: Some(Self::release),
        #[cfg(CONFIG_IOMMUFD)]
        bind_iommufd: Some(vfio::vfio_iommufd_physical_bind),
        #[cfg(CONFIG_IOMMUFD)]
        unbind_iommufd: Some(vfio::vfio_iommufd_physical_unbind),
        #[cfg(CONFIG_IOMMUFD)]
        attach_ioas: Some(vfio::vfio_iommufd_physical_attach_ioas),
        #[cfg(CONFIG_IOMMUFD)]
        detach_ioas: Some(vfio::vfio_iommufd_physical_detach_ioas),
        open_device: Some(Self::open_device),
        close_device: Some(Self::close_device),
        read: Some(if T::HAS_READ {
            Self::read
        } else {
            vfio::vfio_pci_core_read
        }),
        write: Some(if T::HAS_WRITE {
            Self::write
        } else {
            vfio::vfio_pci_core_write
        }),
        ioctl: Some(if T::HAS_IOCTL {
            Self::ioctl
        } else {
            vfio::vfio_pci_core_ioctl
        }),
        get_region_info_caps: Some(if T::HAS_REGION_INFO {
            Self::region_info
        } else {
            vfio::vfio_pci_ioctl_get_region_info
        }),
        mmap: Some(if T::HAS_MMAP {
            Self::mmap
        } else {
            vfio::vfio_pci_core_mmap
        }),
        request: Some(if T::HAS_REQUEST {
            Self::request
        } else {
            vfio::vfio_pci_core_request
        }),
        match_: Some(vfio::vfio_pci_core_match),
        match_token_uuid: Some(vfio::vfio_pci_core_match_token_uuid),
        device_feature: Some(vfio::vfio_pci_core_ioctl_feature),
        ..pin_init::zeroed()
    };

    pub(super) const ERROR_HANDLERS: bindings::pci_error_handlers = bindings::pci_error_handlers {
        error_detected: Some(vfio::vfio_pci_core_aer_err_detected),
        reset_prepare: if T::HAS_RESET_PREPARE {
            Some(Self::reset_prepare)
        } else {
            None
        },
        reset_done: if T::HAS_RESET_DONE {
            Some(Self::reset_done)
        } else {
            None
        },
        ..pin_init::zeroed()
    };

    /// # Safety
    ///
    /// To be called by VFIO when the last reference to a device of this driver is gone.
    unsafe extern "C" fn release(vdev: *mut vfio::vfio_device) {
        // SAFETY: This is `ops.release`.
        unsafe { Device::<T>::release(vdev) };

        // SAFETY: `ops.init` is its counterpart.
        unsafe { vfio::vfio_pci_core_release_dev(vdev) };
    }

    /// # Safety
    ///
    /// To be called by VFIO, for a registered device of this driver.
    unsafe extern "C" fn open_device(vdev: *mut vfio::vfio_device) -> c_int {
        // SAFETY: VFIO calls this for registered devices.
        let dev = unsafe { Device::<T>::from_vdev(vdev) };

        // SAFETY: VFIO serialises opening and closing.
        let ret = unsafe { vfio::vfio_pci_core_enable(dev.core()) };
        if ret != 0 {
            return ret;
        }

        // SAFETY: The device is enabled, and nobody disables it meanwhile.
        if let Err(e) = T::open(dev, &unsafe { Enabled::new(dev) }) {
            // SAFETY: The device has been enabled above.
            unsafe { vfio::vfio_pci_core_disable(dev.core()) };
            return e.to_errno();
        }

        // SAFETY: The device has been enabled above.
        unsafe { vfio::vfio_pci_core_finish_enable(dev.core()) };
        0
    }

    /// # Safety
    ///
    /// To be called by VFIO, for a registered device of this driver that was opened.
    unsafe extern "C" fn close_device(vdev: *mut vfio::vfio_device) {
        // SAFETY: VFIO calls this for registered devices.
        let dev = unsafe { Device::<T>::from_vdev(vdev) };

        // SAFETY: The device is enabled since it was opened.
        T::close(dev, &unsafe { Enabled::new(dev) });

        // SAFETY: VFIO serialises opening and closing.
        unsafe { vfio::vfio_pci_core_close_device(vdev) };
        T::closed(dev);
    }

    /// # Safety
    ///
    /// To be called by VFIO, for an open device of this driver, with a buffer of user space.
    unsafe extern "C" fn read(
        vdev: *mut vfio::vfio_device,
        buf: *mut c_char,
        count: usize,
        ppos: *mut bindings::loff_t,
    ) -> isize {
        from_result(|| {
            // SAFETY: VFIO calls this for open devices, with a file position of its own.
            let (dev, position) = unsafe { (Device::<T>::from_vdev(vdev), &mut *ppos) };

            // SAFETY: The device stays open during the call.
            let mut transfer = unsafe { Read::new(dev, buf.cast(), count, position) }?;

            Ok(isize::try_from(T::read(dev, &mut transfer)?)?)
        })
    }

    /// # Safety
    ///
    /// To be called by VFIO, for an open device of this driver, with a buffer of user space.
    unsafe extern "C" fn write(
        vdev: *mut vfio::vfio_device,
        buf: *const c_char,
        count: usize,
        ppos: *mut bindings::loff_t,
    ) -> isize {
        from_result(|| {
            // SAFETY: VFIO calls this for open devices, with a file position of its own.
            let (dev, position) = unsafe { (Device::<T>::from_vdev(vdev), &mut *ppos) };

            // SAFETY: The device stays open during the call.
            let mut transfer = unsafe { Write::new(dev, buf.cast_mut().cast(), count, position) }?;

            Ok(isize::try_from(T::write(dev, &mut transfer)?)?)
        })
    }

    /// # Safety
    ///
    /// To be called by VFIO, for an open device of this driver.
    unsafe extern "C" fn ioctl(vdev: *mut vfio::vfio_device, cmd: c_uint, arg: c_ulong) -> c_long {
        // SAFETY: VFIO calls this for open devices.
        let dev = unsafe { Device::<T>::from_vdev(vdev) };

        from_result(|| T::ioctl(dev, cmd, arg))
    }

    /// # Safety
    ///
    /// To be called by VFIO, for an open device of this driver, with structures of its own.
    unsafe extern "C" fn region_info(
        vdev: *mut vfio::vfio_device,
        info: *mut vfio::vfio_region_info,
        caps: *mut vfio::vfio_info_cap,
    ) -> c_int {
        from_result(|| {
            // SAFETY: VFIO calls this for open devices, with structures of its own.
            let (dev, info, caps) =
                unsafe { (Device::<T>::from_vdev(vdev), &mut *info, &mut *caps) };

            // SAFETY: As above.
            T::region_info(dev, &mut unsafe { RegionInfo::new(dev, info, caps) })?;
            Ok(0)
        })
    }

    /// # Safety
    ///
    /// To be called by VFIO, for an open device of this driver, with a mapping that is being made.
    unsafe extern "C" fn mmap(
        vdev: *mut vfio::vfio_device,
        vma: *mut bindings::vm_area_struct,
    ) -> c_int {
        from_result(|| {
            // SAFETY: VFIO calls this for open devices.
            let dev = unsafe { Device::<T>::from_vdev(vdev) };

            // SAFETY: As above; the mapping is locked.
            T::mmap(dev, &unsafe { Mapping::new(dev, vma) })?;
            Ok(0)
        })
    }

    /// # Safety
    ///
    /// To be called by VFIO, for a registered device of this driver.
    unsafe extern "C" fn request(vdev: *mut vfio::vfio_device, count: c_uint) {
        // SAFETY: Forwarded.
        unsafe { vfio::vfio_pci_core_request(vdev, count) };

        // SAFETY: VFIO calls this for registered devices.
        T::request(unsafe { Device::<T>::from_vdev(vdev) }, count);
    }

    /// Calls a reset hook, unless the device is just being bound or unbound.
    fn reset(pdev: *mut bindings::pci_dev, hook: fn(&Device<T>)) {
        // SAFETY: The PCI core passes a valid device that is bound to this driver, and locked.
        if !unsafe { bindings::dev_get_drvdata(&raw mut (*pdev).dev) }.is_null() {
            // SAFETY: The driver data of devices of this driver are VFIO devices.
            hook(unsafe { Device::<T>::from_drvdata(pdev) });
        }
    }

    extern "C" fn reset_prepare(pdev: *mut bindings::pci_dev) {
        Self::reset(pdev, T::reset_prepare);
    }

    extern "C" fn reset_done(pdev: *mut bindings::pci_dev) {
        Self::reset(pdev, T::reset_done);
    }
}
