// SPDX-License-Identifier: GPL-2.0

//! Registration of PCI drivers that create virtual functions.
//!
//! [`kernel::pci::Driver`] has probe and unbind only. This is the same contract with the callbacks
//! that a driver of a physical function needs besides:
//!
//! ```text
//!   PF                                               VF
//!   probe() -> Data<'bound> stored
//!   dev_groups files appear
//!   sriov_configure(n)  --- pci_enable_sriov() --->  probe()
//!                                                      with_pf_data() -> &Data   (any time here)
//!   sriov_configure(0)  --- pci_disable_sriov() -->  remove(); waited for
//!   suspend(), resume()                              stay bound
//!   reset_prepare(), reset_done()                    stay bound
//!   dev_groups files vanish
//!   unbind()            --- remove_vfs() --------->  remove(); waited for
//!   Data dropped
//! ```
//!
//! Whatever `unbind()` does, VFs that are left are removed before `Data` is dropped. That is what
//! makes [`with_pf_data`] sound.

use core::{
    marker::PhantomData,
    mem::offset_of,
    ptr::NonNull, //
};
use kernel::{
    bindings,
    device::{
        Bound,
        BoundInternal,
        Core,
        CoreInternal, //
    },
    device_id::RawDeviceIdIndex,
    driver,
    error::{
        from_result,
        to_result, //
    },
    pci,
    prelude::*,
    sync::atomic::{
        ordering,
        Atomic, //
    },
    types::Opaque,
    ThisModule, //
};

use super::{
    device::{
        as_raw,
        physfn, //
    },
    errors::{
        Channel,
        Recovery, //
    },
    sriov::remove_vfs,
    DeviceExt, //
};
use crate::sysfs;

/// Remembers which C driver belongs to a [`Driver`], for [`with_pf_data`].
///
/// One static per driver, handed out by [`Driver::slot`].
pub struct DriverSlot(Atomic<*mut bindings::pci_driver>);

impl DriverSlot {
    /// The slot of a driver that is not registered.
    #[allow(clippy::new_without_default, reason = "made in statics only")]
    pub const fn new() -> Self {
        Self(Atomic::new(core::ptr::null_mut()))
    }

    fn set(&self, driver: *mut bindings::pci_driver) {
        self.0.store(driver, ordering::Release);
    }

    fn get(&self) -> Option<NonNull<bindings::pci_driver>> {
        NonNull::new(self.0.load(ordering::Acquire))
    }
}

/// A PCI driver; see [`kernel::pci::Driver`] for the callbacks that are not described here.
#[vtable]
pub trait Driver: Sized + 'static {
    /// What the id table says about a device.
    type IdInfo: 'static;

    /// The driver's data of one device. Callbacks and VF drivers use it concurrently.
    type Data<'bound>: Send + Sync + 'bound;

    /// The device ids the driver binds to.
    const ID_TABLE: pci::IdTable<Self::IdInfo>;

    /// Files of the device that exist while the driver is bound.
    const DEV_GROUPS: Option<sysfs::Groups> = None;

    /// The identity of this driver: a reference to a static that no other driver uses.
    fn slot() -> &'static DriverSlot;

    /// Sets up a device. `info` is `None` when the driver was bound by `driver_override`.
    ///
    /// VFs must not be enabled here: the data that their driver wants is not stored yet.
    fn probe<'bound>(
        dev: &'bound pci::Device<Core<'_>>,
        info: Option<&'bound Self::IdInfo>,
    ) -> impl PinInit<Self::Data<'bound>, Error> + 'bound;

    /// The driver is about to lose the device. Its VFs are still there: a driver that must do
    /// something without them calls [`remove_vfs`](super::CoreExt::remove_vfs) first.
    fn unbind<'bound>(dev: &'bound pci::Device<Core<'_>>, data: Pin<&Self::Data<'bound>>) {
        let _ = (dev, data);
    }

    /// The system goes down; the device must become quiet.
    fn shutdown<'bound>(dev: &'bound pci::Device<Core<'_>>, data: Pin<&Self::Data<'bound>>) {
        let _ = (dev, data);
    }

    /// Somebody wrote `num_vfs` to `sriov_numvfs`; 0 means none. Returns how many VFs there are now.
    ///
    /// Called with the device lock of the PF and the PCI rescan lock held. VFs are never changed
    /// from one non-zero number to another.
    fn sriov_configure<'bound>(
        dev: &'bound pci::Device<Core<'_>>,
        data: Pin<&Self::Data<'bound>>,
        num_vfs: u16,
    ) -> Result<u16> {
        let _ = (dev, data, num_vfs);
        build_error!(kernel::error::VTABLE_DEFAULT_ERROR)
    }

    /// The system is about to sleep, or to save its memory: the device must become quiet. An error
    /// keeps the system awake. The PCI core saves configuration space afterwards.
    fn suspend<'bound>(
        dev: &'bound pci::Device<Core<'_>>,
        data: Pin<&Self::Data<'bound>>,
    ) -> Result {
        let _ = (dev, data);
        build_error!(kernel::error::VTABLE_DEFAULT_ERROR)
    }

    /// The system is awake again; counterpart of [`suspend`](Self::suspend). Configuration space has
    /// been restored, the device may have lost everything else.
    fn resume<'bound>(
        dev: &'bound pci::Device<Core<'_>>,
        data: Pin<&Self::Data<'bound>>,
    ) -> Result {
        let _ = (dev, data);
        build_error!(kernel::error::VTABLE_DEFAULT_ERROR)
    }

    /// The function is about to be reset, because somebody wrote to its `reset` file for example.
    /// Configuration space is saved and restored around the reset; VFs are gone in between and back
    /// afterwards, without their drivers being told.
    fn reset_prepare<'bound>(dev: &'bound pci::Device<Core<'_>>, data: Pin<&Self::Data<'bound>>) {
        let _ = (dev, data);
    }

    /// The function has been reset, or could not be; counterpart of
    /// [`reset_prepare`](Self::reset_prepare).
    fn reset_done<'bound>(dev: &'bound pci::Device<Core<'_>>, data: Pin<&Self::Data<'bound>>) {
        let _ = (dev, data);
    }

    /// The PCI core has been told of an error (AER, DPC). Says what the driver needs to go on.
    fn error_detected<'bound>(
        dev: &'bound pci::Device<Core<'_>>,
        data: Pin<&Self::Data<'bound>>,
        channel: Channel,
    ) -> Recovery {
        let _ = (dev, data, channel);
        build_error!(kernel::error::VTABLE_DEFAULT_ERROR)
    }

    /// The device can be accessed after an error that nobody needs a reset for so far. Says whether
    /// it works.
    fn mmio_enabled<'bound>(
        dev: &'bound pci::Device<Core<'_>>,
        data: Pin<&Self::Data<'bound>>,
    ) -> Recovery {
        let _ = (dev, data);
        build_error!(kernel::error::VTABLE_DEFAULT_ERROR)
    }

    /// The recovery from an error has succeeded for all devices that take part in it.
    fn error_resume<'bound>(dev: &'bound pci::Device<Core<'_>>, data: Pin<&Self::Data<'bound>>) {
        let _ = (dev, data);
    }

    /// The slot has been reset because some driver asked for it, see
    /// [`error_detected`](Self::error_detected). Configuration space has been restored.
    fn slot_reset<'bound>(
        dev: &'bound pci::Device<Core<'_>>,
        data: Pin<&Self::Data<'bound>>,
    ) -> Recovery {
        let _ = (dev, data);
        build_error!(kernel::error::VTABLE_DEFAULT_ERROR)
    }
}

/// Registers a [`Driver`] with the PCI core; field of a module, unregistered on drop.
///
/// ```ignore
/// #[pin_data]
/// struct MyModule {
///     #[pin]
///     _driver: pci::Registration<MyDriver>,
/// }
///
/// impl InPlaceModule for MyModule {
///     fn init(module: &'static ThisModule) -> impl PinInit<Self, Error> {
///         try_pin_init!(Self {
///             _driver <- pci::Registration::new(<Self as ModuleMetadata>::NAME, module),
///         })
///     }
/// }
/// ```
pub type Registration<T> = driver::Registration<Adapter<T>>;

/// Connects a [`Driver`] to the callbacks of `struct pci_driver`.
pub struct Adapter<T: Driver>(PhantomData<T>);

// SAFETY: `pci_driver` is a C type with an embedded `device_driver` at the given offset, and
// `T::Data` is what `probe_callback` stores.
unsafe impl<T: Driver> driver::DriverLayout for Adapter<T> {
    type DriverType = bindings::pci_driver;
    type DriverData<'bound> = T::Data<'bound>;
    const DEVICE_DRIVER_OFFSET: usize = offset_of!(bindings::pci_driver, driver);
}

// SAFETY: `unregister` undoes exactly what `register` did.
unsafe impl<T: Driver> driver::RegistrationOps for Adapter<T> {
    unsafe fn register(
        pdrv: &Opaque<bindings::pci_driver>,
        name: &'static CStr,
        module: &'static ThisModule,
    ) -> Result {
        let pdrv = pdrv.get();

        // SAFETY: Nobody else knows the structure before it is registered.
        unsafe {
            (*pdrv).name = name.as_char_ptr();
            (*pdrv).id_table = T::ID_TABLE.as_ptr();
            (*pdrv).probe = Some(Self::probe_callback);
            (*pdrv).remove = Some(Self::remove_callback);
            if T::HAS_SHUTDOWN {
                (*pdrv).shutdown = Some(Self::shutdown_callback);
            }
            if T::HAS_SRIOV_CONFIGURE {
                (*pdrv).sriov_configure = Some(Self::sriov_configure_callback);
            }
            if let Some(groups) = T::DEV_GROUPS {
                (*pdrv).dev_groups = groups.as_ptr();
            }
            if T::HAS_SUSPEND && T::HAS_RESUME {
                (*pdrv).driver.pm = &Self::SLEEP_OPS;
            }
            (*pdrv).err_handler = &Self::ERROR_HANDLERS;
        }

        // Before registration, because devices are probed inside of it.
        T::slot().set(pdrv);

        // SAFETY: `pdrv` is complete, and the caller keeps it until `unregister`.
        to_result(unsafe {
            bindings::__pci_register_driver(pdrv, module.as_ptr(), name.as_char_ptr())
        })
        .inspect_err(|_| T::slot().set(core::ptr::null_mut()))
    }

    unsafe fn unregister(pdrv: &Opaque<bindings::pci_driver>) {
        // SAFETY: By the requirements of this function, `pdrv` is registered.
        unsafe { bindings::pci_unregister_driver(pdrv.get()) };
        T::slot().set(core::ptr::null_mut());
    }
}

impl<T: Driver> Adapter<T> {
    extern "C" fn probe_callback(
        pdev: *mut bindings::pci_dev,
        id: *const bindings::pci_device_id,
    ) -> c_int {
        // SAFETY: The PCI core passes a device that stays valid and locked during the call.
        let pdev = unsafe { &*pdev.cast::<pci::Device<CoreInternal<'_>>>() };

        // SAFETY: `DeviceId` is a transparent wrapper; `id` points to an entry of `T::ID_TABLE`, to
        // a dynamic id with the `driver_data` of one, or to the any-id, whose `driver_data` is 0.
        let info = unsafe { (*id.cast::<pci::DeviceId>()).info_unchecked_opt::<T::IdInfo>() };

        from_result(|| {
            pdev.as_ref().set_drvdata(T::probe(pdev, info))?;
            if T::HAS_SLOT_RESET {
                // What a reset of the slot is to be followed by.
                //
                // SAFETY: `pdev` is a valid device.
                let _ = unsafe { bindings::pci_save_state(as_raw(pdev)) };
            }
            Ok(0)
        })
    }

    /// Gets the device and the driver's data in a callback.
    ///
    /// # Safety
    ///
    /// `pdev` must have been probed successfully by this driver, stay bound and locked for `'a`.
    pub(super) unsafe fn parts<'a>(
        pdev: *mut bindings::pci_dev,
    ) -> (&'a pci::Device<CoreInternal<'a>>, Pin<&'a T::Data<'a>>) {
        // SAFETY: By the requirements of this function.
        let pdev = unsafe { &*pdev.cast::<pci::Device<CoreInternal<'a>>>() };

        // SAFETY: `probe_callback` stored a `T::Data`.
        (pdev, unsafe {
            pdev.as_ref().drvdata_borrow::<T::Data<'a>>()
        })
    }

    extern "C" fn remove_callback(raw: *mut bindings::pci_dev) {
        // SAFETY: The PCI core calls this for devices whose probe succeeded, with the lock held.
        let (pdev, data) = unsafe { Self::parts(raw) };

        T::unbind(pdev, data);

        // VF drivers may use the data of this one until their remove is over, which this waits for.
        remove_vfs(pdev);
    }

    extern "C" fn shutdown_callback(raw: *mut bindings::pci_dev) {
        // SAFETY: The driver core calls this with the lock held. Unlike for the other callbacks, the
        // device may be in the state between binding and a successful probe only if the probe is
        // running, which the lock excludes.
        if unsafe { bindings::dev_get_drvdata(&raw mut (*raw).dev) }.is_null() {
            return;
        }

        // SAFETY: As above, and the data are there.
        let (pdev, data) = unsafe { Self::parts(raw) };

        T::shutdown(pdev, data);
    }

    extern "C" fn sriov_configure_callback(raw: *mut bindings::pci_dev, num_vfs: c_int) -> c_int {
        // SAFETY: The PCI core calls this for devices bound to this driver, with the lock held.
        let (pdev, data) = unsafe { Self::parts(raw) };

        from_result(|| {
            let num_vfs = u16::try_from(num_vfs).map_err(|_| EINVAL)?;

            Ok(c_int::from(T::sriov_configure(pdev, data, num_vfs)?))
        })
    }
}

/// Calls `f` with the data that the driver `T` keeps of the PF of `vf`.
///
/// The data cannot leave the closure; something that lives longer has to be cloned from it, and has
/// to cope with the PF being gone.
///
/// # Errors
///
/// `EINVAL` when `vf` is not a virtual function, `ENODEV` when its PF is not bound to `T`.
pub fn with_pf_data<T: Driver, R>(
    vf: &pci::Device<Bound>,
    f: impl for<'a> FnOnce(Pin<&'a T::Data<'a>>) -> R,
) -> Result<R> {
    if !vf.is_virtfn() {
        return Err(EINVAL);
    }

    // A VF that is bound has a PF that is bound: the PF's driver enabled the VFs after its probe,
    // and `remove_callback` keeps the PF's data until the VF is unbound again.
    //
    // SAFETY: As described; the driver of the PF is compared before its data are used.
    unsafe { with_data_raw::<T, R>(physfn(vf), f) }
}

/// Calls `f` with the data that the driver `T` keeps of `dev`, to which it must be bound.
///
/// # Errors
///
/// `ENODEV` when `dev` is bound to another driver.
pub fn with_data<T: Driver, R>(
    dev: &pci::Device<Bound>,
    f: impl for<'a> FnOnce(Pin<&'a T::Data<'a>>) -> R,
) -> Result<R> {
    // SAFETY: `dev` stays bound during the call.
    unsafe { with_data_raw::<T, R>(as_raw(dev), f) }
}

/// # Safety
///
/// `dev` must be a valid device and must stay bound to its driver, if that is `T`, during the call.
unsafe fn with_data_raw<T: Driver, R>(
    dev: *mut bindings::pci_dev,
    f: impl for<'a> FnOnce(Pin<&'a T::Data<'a>>) -> R,
) -> Result<R> {
    let driver = T::slot().get().ok_or(ENODEV)?;

    // SAFETY: `dev` is valid by the requirements of this function.
    if unsafe { (*dev).driver } != driver.as_ptr() {
        return Err(ENODEV);
    }

    // SAFETY: As above. The data are stored at the end of the probe.
    if unsafe { bindings::dev_get_drvdata(&raw mut (*dev).dev) }.is_null() {
        return Err(ENODEV);
    }

    // SAFETY: `dev` is valid and bound to `T`.
    let dev = unsafe { &*dev.cast::<pci::Device<BoundInternal>>() };

    // SAFETY: `T` stored a `T::Data`, which stays as long as the device is bound. The closure cannot
    // choose the lifetime, so that it does not matter whether the data are covariant over it.
    Ok(f(unsafe { dev.as_ref().drvdata_borrow::<T::Data<'_>>() }))
}
