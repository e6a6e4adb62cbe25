// SPDX-License-Identifier: GPL-2.0

//! The VFIO device.
//!
//! ```text
//!   one allocation of VFIO (kvzalloc), counted by the struct device inside
//!   +--------------------------------+-------+----------------+
//!   | struct vfio_pci_core_device    | live  | data: T        |
//!   |   struct vfio_device           |       |                |
//!   +--------------------------------+-------+----------------+
//!   ^ drvdata of the PCI device              dropped in ops.release, if live
//! ```
//!
//! `live` is set once `T` is there: an allocation that is given up before that releases nothing.

use core::{
    alloc::Layout,
    marker::PhantomData,
    mem::{
        offset_of,
        MaybeUninit, //
    },
    ops::Deref,
    ptr, //
};
use kernel::{
    bindings,
    device::{
        self,
        Bound,
        BoundInternal,
        CoreInternal, //
    },
    error::{
        from_err_ptr,
        to_result, //
    },
    io::{
        Mmio,
        MmioRaw,
        Region, //
    },
    pci,
    prelude::*,
    sync::atomic::{
        ordering,
        Atomic, //
    },
    types::{
        Opaque,
        ScopeGuard, //
    },
};
use kernel_ext::{
    pci::as_raw,
    sysfs, //
};

use super::{
    driver::Slot,
    memory::{
        self,
        Exports, //
    },
    vtable::VTable,
    Driver, //
};
use crate::bindings as vfio;

mod helper {
    use crate::bindings as vfio;

    // Structures that are empty in this configuration, somewhere below `vfio_device`, do not matter
    // behind a pointer.
    #[allow(improper_ctypes)]
    extern "C" {
        pub(super) fn nova_vgpu_helper_vfio_put_device(vdev: *mut vfio::vfio_device);
        pub(super) fn nova_vgpu_helper_device_iommu_mapped(
            dev: *mut kernel::bindings::device,
        ) -> bool;
    }
}

/// Drops a reference; the last one frees the device.
///
/// # Safety
///
/// The caller must own a reference.
#[inline(never)]
unsafe fn put(vdev: *mut vfio::vfio_device) {
    // SAFETY: By the requirements of this function.
    unsafe { helper::nova_vgpu_helper_vfio_put_device(vdev) };
}

/// Whether an IOMMU stands between the device and memory. To be asked in
/// [`Driver::probe`](super::Driver::probe): later, VFIO may pretend one, if it was told to do without
/// (`enable_unsafe_noiommu_mode`).
pub fn has_iommu(pdev: &pci::Device<Bound>) -> bool {
    // SAFETY: `pdev` is a valid device.
    unsafe { helper::nova_vgpu_helper_device_iommu_mapped(&raw mut (*as_raw(pdev)).dev) }
}

/// A VFIO device and the driver's data of it, reachable by dereference.
///
/// # Invariants
///
/// - The structure is at the beginning of an allocation of `_vfio_alloc_device()`.
/// - References are given out only while `data` is initialised, and, except to
///   [`Driver::remove`], only while the PCI device is bound to this driver.
#[repr(C)]
pub struct Device<T: Driver> {
    core: Opaque<vfio::vfio_pci_core_device>,
    live: Atomic<bool>,
    data: Slot<T>,
}

// SAFETY: The C part has its own locks, `T` is `Send` and `Sync`.
unsafe impl<T: Driver> Send for Device<T> {}

// SAFETY: The C part has its own locks, `T` is `Send` and `Sync`.
unsafe impl<T: Driver> Sync for Device<T> {}

impl<T: Driver> Device<T> {
    /// Allocates the device, makes the data of the driver and shows both to user space.
    pub(super) fn register(
        pdev: &pci::Device<CoreInternal<'_>>,
        data: impl PinInit<T, Error>,
    ) -> Result {
        const_assert!(offset_of!(Self, core) == 0);
        const_assert!(offset_of!(vfio::vfio_pci_core_device, vdev) == 0);
        // kvzalloc() promises no more for sizes that are no power of two.
        const_assert!(align_of::<Self>() <= align_of::<u64>());

        let dev = pdev.as_ref();
        // SAFETY: `pdev` is valid; the operations are static, and the size is that of `Self`.
        let vdev = from_err_ptr(unsafe {
            vfio::_vfio_alloc_device(
                Layout::new::<Self>().pad_to_align().size(),
                &raw mut (*as_raw(pdev)).dev,
                &VTable::<T>::OPS,
            )
        })?;
        let this = vdev.cast::<Self>();

        // SAFETY: The allocation came with a reference that nobody else drops.
        let vdev = ScopeGuard::new_with_data(vdev, |vdev| unsafe { put(vdev) });

        // SAFETY: `this` points to zeroed memory for a `Self`, of which C knows the first part only.
        // The memory does not move.
        unsafe {
            pin_init::raw_try_init((&raw mut (*this).data).cast::<T>(), data)?;
            (*this).live.store(true, ordering::Release);
        }
        // SAFETY: The allocation begins with the core's device; nobody else knows it yet.
        unsafe { (*this.cast::<vfio::vfio_pci_core_device>()).pci_ops = &Exports::<T>::OPS };

        // INVARIANT: `data` is initialised, and `pdev` bound.
        //
        // SAFETY: As above; the reference of the guard keeps the memory.
        let this = unsafe { &*this };

        // SAFETY: `pdev` is valid, and its driver data are unused.
        unsafe { bindings::dev_set_drvdata(&raw mut (*as_raw(pdev)).dev, this.core.get().cast()) };

        // SAFETY: `core` was initialised by `ops.init`, and is the driver data of its device.
        to_result(unsafe { vfio::vfio_pci_core_register_device(this.core.get()) }).inspect_err(
            |e| {
                dev_err!(dev, "VFIO registration failed: {:?}\n", e);
                T::remove(this, pdev);
                // SAFETY: `pdev` is valid; the reference to the VFIO device goes with the guard.
                unsafe { bindings::dev_set_drvdata(&raw mut (*as_raw(pdev)).dev, ptr::null_mut()) };
            },
        )?;

        // The PCI device owns the reference now.
        vdev.dismiss();
        Ok(())
    }

    /// Counterpart of [`register`](Self::register).
    ///
    /// # Safety
    ///
    /// `pdev` must have been registered by this driver and not been unregistered since.
    pub(super) unsafe fn unregister(pdev: &pci::Device<CoreInternal<'_>>) {
        // SAFETY: By the requirements of this function.
        let this = unsafe { Self::from_drvdata(as_raw(pdev)) };
        let vdev = this.vdev();

        // SAFETY: The device is registered. This waits until nobody has it open.
        unsafe { vfio::vfio_pci_core_unregister_device(this.core.get()) };
        T::remove(this, pdev);

        // SAFETY: The reference was left by `register`; `this` is not used any more.
        unsafe { put(vdev) };
    }

    /// The VFIO device of a PCI device.
    ///
    /// # Safety
    ///
    /// `pdev` must be registered by this driver for `'a`.
    pub(super) unsafe fn from_drvdata<'a>(pdev: *mut bindings::pci_dev) -> &'a Self {
        // SAFETY: `register` made the driver data, which is a pointer to the beginning of `Self`.
        unsafe { &*bindings::dev_get_drvdata(&raw mut (*pdev).dev).cast::<Self>() }
    }

    /// The device of a callback of VFIO.
    ///
    /// # Safety
    ///
    /// `vdev` must be embedded in a `Self` that is registered for `'a`.
    pub(super) unsafe fn from_vdev<'a>(vdev: *mut vfio::vfio_device) -> &'a Self {
        // SAFETY: By the requirements of this function; offsets are checked in `register`.
        unsafe { &*vdev.cast::<Self>() }
    }

    /// Drops the data of the driver, if they were made.
    ///
    /// # Safety
    ///
    /// To be called once, by `ops.release`, which is the last that happens to the device.
    pub(super) unsafe fn release(vdev: *mut vfio::vfio_device) {
        let this = vdev.cast::<Self>();

        // SAFETY: The allocation is still there. It began as zeroes, so that `live` is valid.
        if unsafe { (*this).live.load(ordering::Acquire) } {
            // SAFETY: `live` says that the data are there; nobody uses them any more.
            unsafe {
                (&raw mut (*this).data)
                    .cast::<MaybeUninit<T>>()
                    .cast::<T>()
                    .drop_in_place()
            };
        }
    }

    /// The C structure.
    pub(super) fn core(&self) -> *mut vfio::vfio_pci_core_device {
        self.core.get()
    }

    /// The C structure that is part of [`core`](Self::core).
    pub(super) fn vdev(&self) -> *mut vfio::vfio_device {
        self.core.get().cast()
    }

    /// The data of the driver.
    pub fn data(&self) -> Pin<&T> {
        // SAFETY: By the type invariants, the data are there, and they do not move.
        unsafe { Pin::new_unchecked((*self.data.get()).assume_init_ref()) }
    }

    /// The PCI device.
    pub fn pdev(&self) -> &pci::Device<Bound> {
        // SAFETY: `ops.init` set the pointer; by the type invariants, the device is bound.
        unsafe { &*(*self.core.get()).pdev.cast::<pci::Device<Bound>>() }
    }

    /// Does an ioctl as `vfio-pci-core` does it.
    ///
    /// # Errors
    ///
    /// `ENOTTY` for unknown commands, among others.
    pub fn core_ioctl(&self, cmd: u32, arg: usize) -> Result<isize> {
        // SAFETY: The device is registered.
        let ret = unsafe { vfio::vfio_pci_core_ioctl(self.vdev(), cmd, arg) };

        if ret < 0 {
            // CAST: An errno.
            Err(Error::from_errno(ret as c_int))
        } else {
            Ok(ret)
        }
    }

    /// A reference that can be kept while the device is open, for events that somebody else brings.
    ///
    /// # Errors
    ///
    /// `ENODEV` once the driver is losing the device.
    pub fn hold(&self) -> Result<Held<T>> {
        // SAFETY: The device is valid.
        if unsafe { vfio::vfio_device_try_get_registration(self.vdev()) } {
            // INVARIANT: As just counted.
            Ok(Held(ptr::NonNull::from(self)))
        } else {
            Err(ENODEV)
        }
    }

    /// Asks user space to give the device back, by the REQ event if it is connected. Losing the
    /// device asks as well; this is for a driver that knows of it earlier.
    pub fn signal_request(&self) {
        // SAFETY: The device is registered.
        unsafe { vfio::vfio_pci_core_request(self.vdev(), 0) };
    }

    /// Tells user space that the device has failed, by the ERR event if it is connected.
    pub fn signal_error(&self) {
        // SAFETY: The PCI device is bound to this driver, and its driver data is the core device.
        // The state of the channel is not looked at.
        unsafe {
            vfio::vfio_pci_core_aer_err_detected(
                (*self.core.get()).pdev,
                bindings::pci_channel_io_normal,
            )
        };
    }
}

impl<T: Driver> Deref for Device<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.data().get_ref()
    }
}

impl<T: Driver> AsRef<device::Device<Bound>> for Device<T> {
    fn as_ref(&self) -> &device::Device<Bound> {
        self.pdev().as_ref()
    }
}

/// A counted reference to a device.
///
/// Losing the device, which [`Driver::remove`] is part of, waits until nobody has one, as it waits
/// for those who have the device open. To be dropped in [`Driver::close`] at the latest.
///
/// # Invariants
///
/// The registration of the device is counted, so that the PCI device stays bound.
pub struct Held<T: Driver>(ptr::NonNull<Device<T>>);

// SAFETY: It is a reference to a `Device`, which can be shared.
unsafe impl<T: Driver> Send for Held<T> {}

// SAFETY: As above.
unsafe impl<T: Driver> Sync for Held<T> {}

impl<T: Driver> Clone for Held<T> {
    fn clone(&self) -> Self {
        // A count that is not zero can be increased.
        //
        // SAFETY: By the type invariants, the device is valid.
        let counted = unsafe { vfio::vfio_device_try_get_registration(self.vdev()) };
        debug_assert!(counted);

        // INVARIANT: As just counted.
        Self(self.0)
    }
}

impl<T: Driver> Drop for Held<T> {
    fn drop(&mut self) {
        // SAFETY: By the type invariants, the registration is counted.
        unsafe { vfio::vfio_device_put_registration(self.vdev()) };
    }
}

impl<T: Driver> Deref for Held<T> {
    type Target = Device<T>;

    fn deref(&self) -> &Device<T> {
        // SAFETY: By the type invariants, the device stays registered.
        unsafe { self.0.as_ref() }
    }
}

/// Proof that the core has enabled a device: between open and close.
pub struct Enabled<'a, T: Driver>(&'a Device<T>);

impl<'a, T: Driver> Enabled<'a, T> {
    /// # Safety
    ///
    /// The core must keep the device enabled for `'a`.
    pub(super) unsafe fn new(dev: &'a Device<T>) -> Self {
        Self(dev)
    }

    /// Whether the memory of the device answers at this moment: it is not in D3hot, and memory space
    /// is enabled in the command register that user space sees. Resumes the device if necessary.
    pub fn memory_enabled(&self) -> bool {
        // SAFETY: By the requirements of `new`.
        memory::Awake::new(self.0).is_ok_and(|_awake| unsafe { memory::is_enabled(self.0) })
    }

    /// Whether memory space is enabled in the command register that user space sees. What is then
    /// forwarded to the core fails with `EIO` if the device is in D3hot: the core resumes it, and
    /// looks at that by itself.
    pub fn memory_switched_on(&self) -> bool {
        // SAFETY: By the requirements of `new`.
        unsafe { memory::is_switched_on(self.0) }
    }

    /// Whether the function was reset when the device was opened. If it was not, the core goes on all
    /// the same, and refuses `VFIO_DEVICE_RESET`.
    pub fn was_reset(&self) -> bool {
        // SAFETY: The device is open; the core sets the bit before.
        unsafe { (*self.0.core()).reset_works() }
    }

    /// The registers of a BAR, mapped by the core.
    ///
    /// The device may be in a low-power state, and then reads as all ones, except in
    /// [`Driver::open`] and [`Driver::close`].
    ///
    /// # Errors
    ///
    /// `EINVAL` when there is no such BAR, `ENOMEM` or `EBUSY` when the core could not map it.
    pub fn bar(&self, bar: u32) -> Result<Mmio<'_, Region>> {
        if bar >= bindings::PCI_STD_NUM_BARS {
            return Err(EINVAL);
        }
        let len = self.0.pdev().resource_len(bar)?;
        if len == 0 {
            return Err(EINVAL);
        }

        // CAST: A small index, checked above.
        //
        // SAFETY: The device is enabled: the core has filled the array with pointers or errors.
        let addr = from_err_ptr(unsafe { (*self.0.core()).barmap[bar as usize] })?;
        if addr.is_null() {
            return Err(ENODEV);
        }
        // CAST: `usize` has 64 bits on every architecture with this device.
        let raw = MmioRaw::new_region(addr.addr(), len as usize)?;

        // SAFETY: The core unmaps the BAR when it disables the device, which is later.
        Ok(unsafe { Mmio::from_raw(raw) })
    }
}

/// [`Source`](sysfs::Source) of attributes of a device: the VFIO device.
pub struct DeviceData<T: Driver>(PhantomData<T>);

impl<T: Driver> sysfs::Source for DeviceData<T> {
    type Data<'a> = &'a Device<T>;

    unsafe fn get<'a>(dev: &'a device::Device<BoundInternal>) -> Result<&'a Device<T>> {
        let bound: &'a device::Device<Bound> = dev;
        let pdev: &pci::Device<Bound> = bound.try_into()?;

        // SAFETY: By the requirements of this function, the device is bound to the driver, and its
        // probe, which registers it, succeeded.
        Ok(unsafe { Device::from_drvdata(as_raw(pdev)) })
    }
}
