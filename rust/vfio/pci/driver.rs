// SPDX-License-Identifier: GPL-2.0

//! What a VFIO PCI driver implements, and its registration.
//!
//! ```text
//!   bind      probe() -> Self          everything that can fail; then visible to user space
//!   1st open  [reset] open()           the core enabled the device, nothing can use it yet
//!             read() write() ...       concurrently, until
//!   last      close() [reset] closed()
//!   unbind    [waits for users] remove()
//!   later     drop                     when nobody holds the VFIO device any more
//! ```

use core::{
    mem::MaybeUninit,
    ptr, //
};
use kernel::{
    bindings,
    device::{
        Core,
        CoreInternal, //
    },
    device_id::RawDeviceIdIndex,
    error::{
        from_result,
        to_result, //
    },
    pci,
    prelude::*,
    types::Opaque,
    ThisModule, //
};
use kernel_ext::sysfs;

use super::{
    vtable::VTable,
    Device,
    DeviceId,
    Enabled,
    IdTable,
    Mapping,
    Read,
    RegionInfo,
    Write, //
};

/// A VFIO PCI driver; `Self` is its data of one device.
///
/// Callbacks that are not implemented do what `vfio-pci-core` does. All but
/// [`open`](Self::open)/[`close`](Self::close)/[`closed`](Self::closed), which exclude each other,
/// may run concurrently.
#[vtable]
pub trait Driver: Sized + Send + Sync + 'static {
    /// What the id table says about a device.
    type IdInfo: 'static;

    /// Name of the driver, to be written to `driver_override`.
    const NAME: &'static CStr;

    /// Ids of the devices that the driver can be asked to bind to.
    const ID_TABLE: IdTable<Self::IdInfo>;

    /// Files of the device that exist while the driver is bound.
    const DEV_GROUPS: Option<sysfs::Groups> = None;

    /// Makes the data of a device, before the device becomes visible to user space.
    ///
    /// `info` is `None` when `driver_override` chose the driver for a device that it does not know.
    fn probe<'a>(
        pdev: &'a pci::Device<Core<'_>>,
        info: Option<&'a Self::IdInfo>,
    ) -> impl PinInit<Self, Error> + 'a;

    /// The driver is losing the device: nobody has it open, and nobody can open it any more.
    ///
    /// What belongs to the device or, for a virtual function, to the PF must be let go here; `Self`
    /// may live longer. Called also when registration failed after a successful probe.
    fn remove(dev: &Device<Self>, pdev: &pci::Device<Core<'_>>) {
        let _ = (dev, pdev);
    }

    /// First open. The function has been reset, unless [`Enabled::was_reset`] says no; bus mastering
    /// is off. On error, the open fails.
    fn open(dev: &Device<Self>, core: &Enabled<'_, Self>) -> Result;

    /// Last close. The device still works; it is disabled and reset after this.
    fn close(dev: &Device<Self>, core: &Enabled<'_, Self>);

    /// Last close, after the device was disabled. The reset is skipped when the device lock is
    /// taken, as it is while the driver is being unbound.
    fn closed(dev: &Device<Self>) {
        let _ = dev;
    }

    /// `read()`; see [`Read`].
    fn read(dev: &Device<Self>, transfer: &mut Read<'_, Self>) -> Result<usize> {
        let _ = (dev, transfer);
        build_error!(kernel::error::VTABLE_DEFAULT_ERROR)
    }

    /// `write()`; see [`Write`].
    fn write(dev: &Device<Self>, transfer: &mut Write<'_, Self>) -> Result<usize> {
        let _ = (dev, transfer);
        build_error!(kernel::error::VTABLE_DEFAULT_ERROR)
    }

    /// `VFIO_DEVICE_GET_REGION_INFO`; see [`RegionInfo`].
    fn region_info(dev: &Device<Self>, info: &mut RegionInfo<'_, Self>) -> Result {
        let _ = (dev, info);
        build_error!(kernel::error::VTABLE_DEFAULT_ERROR)
    }

    /// `mmap()`; see [`Mapping`].
    fn mmap(dev: &Device<Self>, mapping: &Mapping<'_, Self>) -> Result {
        let _ = (dev, mapping);
        build_error!(kernel::error::VTABLE_DEFAULT_ERROR)
    }

    /// May the bytes `range` of `region` be mapped, or exported as a DMA buffer? Asked when a page
    /// is touched, for one page or for several at once, and for each range of an export.
    ///
    /// Called with the memory lock of the core held for reading: what the driver takes here must not
    /// be held around a call of the core.
    fn mappable(dev: &Device<Self>, region: u32, range: core::ops::Range<u64>) -> bool {
        let _ = (dev, region, range);
        true
    }

    /// Any other ioctl, see [`uapi`](crate::uapi); to be passed on with
    /// [`core_ioctl`](Device::core_ioctl).
    fn ioctl(dev: &Device<Self>, cmd: u32, arg: usize) -> Result<isize> {
        let _ = (dev, cmd, arg);
        build_error!(kernel::error::VTABLE_DEFAULT_ERROR)
    }

    /// The function is about to be reset: by an ioctl, by the guest (FLR), through sysfs, at the
    /// first open, but not at the last close. The device lock is held.
    fn reset_prepare(dev: &Device<Self>) {
        let _ = dev;
    }

    /// The function has been reset; counterpart of [`reset_prepare`](Self::reset_prepare).
    fn reset_done(dev: &Device<Self>) {
        let _ = dev;
    }

    /// Somebody wants the device back, for the `count`th time, every ten seconds. User space has
    /// been told already.
    fn request(dev: &Device<Self>, count: u32) {
        let _ = (dev, count);
    }
}

/// Registers a [`Driver`] with the PCI core; field of a module, unregistered on drop.
///
/// This is not [`kernel::driver::Registration`], which takes the driver data of a device for a Rust
/// box that it owns. VFIO wants its own device there.
#[pin_data(PinnedDrop)]
pub struct Registration<T: Driver> {
    #[pin]
    driver: Opaque<bindings::pci_driver>,
    #[pin]
    _driver_type: core::marker::PhantomData<T>,
}

// SAFETY: There is nothing to do with a shared reference.
unsafe impl<T: Driver> Sync for Registration<T> {}

// SAFETY: A driver can be unregistered from any thread.
unsafe impl<T: Driver> Send for Registration<T> {}

impl<T: Driver> Registration<T> {
    /// Registers the driver.
    ///
    /// # Errors
    ///
    /// Those of `__pci_register_driver()`, such as `EBUSY` when the name is taken.
    pub fn new(module: &'static ThisModule) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            driver <- Opaque::try_ffi_init(|driver: *mut bindings::pci_driver| {
                let value = bindings::pci_driver {
                    name: T::NAME.as_char_ptr(),
                    id_table: T::ID_TABLE.as_ptr(),
                    probe: Some(Self::probe),
                    remove: Some(Self::remove),
                    err_handler: &VTable::<T>::ERROR_HANDLERS,
                    dev_groups: T::DEV_GROUPS.map_or(ptr::null_mut(), sysfs::Groups::as_ptr),
                    // User space decides about DMA, not the kernel's default domain.
                    driver_managed_dma: true,
                    ..pin_init::zeroed()
                };

                // SAFETY: `driver` is valid for writes.
                unsafe { driver.write(value) };

                // SAFETY: `driver` is complete and stays in place until it is unregistered on drop.
                // It is in writable memory, as VFIO needs it.
                to_result(unsafe {
                    bindings::__pci_register_driver(
                        driver,
                        module.as_ptr(),
                        T::NAME.as_char_ptr(),
                    )
                })
            }),
            _driver_type: core::marker::PhantomData,
        }? Error)
    }

    extern "C" fn probe(raw: *mut bindings::pci_dev, id: *const bindings::pci_device_id) -> c_int {
        // SAFETY: The PCI core passes a device that stays valid and locked during the call.
        let pdev = unsafe { &*raw.cast::<pci::Device<CoreInternal<'_>>>() };

        // SAFETY: `DeviceId` is a transparent wrapper; `id` points to an entry of `T::ID_TABLE`, to
        // a dynamic id with the `driver_data` of one, or to the any-id, whose `driver_data` is 0.
        let info = unsafe { (*id.cast::<DeviceId>()).info_unchecked_opt::<T::IdInfo>() };

        from_result(|| {
            Device::<T>::register(pdev, T::probe(pdev, info))?;
            Ok(0)
        })
    }

    extern "C" fn remove(raw: *mut bindings::pci_dev) {
        // SAFETY: The PCI core passes a device that stays valid and locked during the call.
        let pdev = unsafe { &*raw.cast::<pci::Device<CoreInternal<'_>>>() };

        // SAFETY: The probe of this driver succeeded, and this is called once.
        unsafe { Device::<T>::unregister(pdev) };
    }
}

#[pinned_drop]
impl<T: Driver> PinnedDrop for Registration<T> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: An instance exists only if registration succeeded.
        unsafe { bindings::pci_unregister_driver(self.driver.get()) };
    }
}

/// Memory for the data of a driver inside a [`Device`].
pub(super) type Slot<T> = core::cell::UnsafeCell<MaybeUninit<T>>;
