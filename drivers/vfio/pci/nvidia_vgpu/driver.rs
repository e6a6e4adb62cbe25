// SPDX-License-Identifier: GPL-2.0

//! Binding to a VF, and the VFIO hooks of its device.
//!
//! ```text
//!   probe    VF of a PF of nova_core_vgpu? -> attach (first VF: manager, types)
//!   sysfs    choose a type
//!   open     vGPU made   -> config space, BAR1 of its type
//!   close    vGPU undone
//!   remove   type given back, detach
//! ```
//!
//! Locks of a VF: `state` is held while firmware works on this VF and nests outside the manager's;
//! `view` and `shown` are innermost and held for a few instructions. Neither is held while user
//! memory is touched or the VFIO core is called, because a reset from there comes back here. What
//! debugfs shows of the plugin task is in `observed`, which needs neither.

use kernel::{
    device::{
        Bound,
        Core, //
    },
    new_mutex,
    pci,
    prelude::*,
    sync::{
        atomic::Atomic,
        Arc,
        Mutex, //
    }, //
};
use kernel_ext::{
    pci::DeviceExt,
    sysfs, //
};
use nova_core_vgpu::vgpu::{
    Attachment,
    Handle,
    OpenVf,
    Support, //
};
use vfio::pci::{
    Device,
    DeviceId,
    Enabled,
    IdTable,
    Mapping,
    Read,
    RegionInfo,
    Write, //
};

use crate::{
    admission::{
        Admission,
        Opened,
        Uuid, //
    },
    debugfs::{
        self,
        Files, //
    },
    device::{
        self,
        View, //
    },
    faults::Counters,
    instance::{
        remains,
        status::{
            Status,
            Step, //
        },
        Identity,
        Instance,
        User, //
    },
    manager::Manager,
    plugin::{
        messages,
        Observed, //
    }, //
};

/// `PCI_VENDOR_ID_NVIDIA`.
const NVIDIA: u16 = 0x10de;

// Ada boards with vGPU (OGKM 570.144 `g_nv_name_released.h`); their VFs have the PF's device id.
vfio::vfio_pci_device_table!(
    TABLE,
    (),
    [
        (DeviceId::vfio_override(NVIDIA, 0x26b1), ()), // RTX 6000 Ada
        (DeviceId::vfio_override(NVIDIA, 0x26b2), ()), // RTX 5000 Ada
        (DeviceId::vfio_override(NVIDIA, 0x26b3), ()), // RTX 5880 Ada
        (DeviceId::vfio_override(NVIDIA, 0x26b5), ()), // L40
        (DeviceId::vfio_override(NVIDIA, 0x26b8), ()), // L40G
        (DeviceId::vfio_override(NVIDIA, 0x26b9), ()), // L40S
        (DeviceId::vfio_override(NVIDIA, 0x26ba), ()), // L20
        (DeviceId::vfio_override(NVIDIA, 0x27b6), ()), // L2
        (DeviceId::vfio_override(NVIDIA, 0x27b8), ()), // L4
    ]
);

/// What changes while a VF is bound.
pub(crate) struct State {
    /// `None` once the driver is losing the VF.
    attachment: Option<Attachment<Manager>>,
    status: Status,
    instance: Option<Instance>,
    // Given up after the instance.
    opened: Option<Opened>,
    /// Given up when VFIO's core is done with the device: VFs must not be removed before.
    open_vf: Option<OpenVf>,
}

impl State {
    /// Somebody has the device open.
    pub(crate) fn is_open(&self) -> bool {
        self.status != Status::Absent
    }

    /// The vGPU, if its plugin can be talked to.
    pub(crate) fn running(&mut self) -> Option<&mut Instance> {
        match self.status {
            Status::Running => self.instance.as_mut().filter(|i| i.has_task()),
            _ => None,
        }
    }

    /// The plugin was last told that bus mastering is on, and has agreed.
    pub(crate) fn allows_bus_master(&self) -> bool {
        self.status == Status::Running && self.instance.as_ref().is_some_and(Instance::bme)
    }

    /// The device is open, and its vGPU is dead.
    pub(crate) fn is_dead(&mut self) -> bool {
        self.is_open() && self.running().is_none()
    }

    /// Takes a step of the status machine, and tells who watches.
    ///
    /// # Errors
    ///
    /// `EINVAL` if the step is not possible.
    pub(crate) fn step(&mut self, dev: &Device<Vf>, step: Step) -> Result {
        self.status = self.status.next(step).ok_or(EINVAL)?;
        Vf::show(dev, self.status);
        Ok(())
    }
}

/// One VF.
#[pin_data]
pub(crate) struct Vf {
    pub(crate) identity: Identity,
    /// The manager's: what sysfs needs of it.
    pub(crate) admission: Arc<Admission>,
    /// Reports about the vGPU, or about the last one.
    pub(crate) faults: Counters,
    #[pin]
    pub(crate) state: Mutex<State>,
    /// Status of `state`, for those who must not wait for firmware.
    #[pin]
    pub(crate) shown: Mutex<Status>,
    /// What the guest sees instead of the hardware; `None` while the device is closed.
    #[pin]
    pub(crate) view: Mutex<Option<View>>,
    /// The plugin task of the vGPU that there is, or of the last one.
    pub(crate) observed: Arc<Observed>,
    /// Resets of the VF so far, by whomever.
    pub(crate) resets: Atomic<u32>,
    /// `None` once the driver is losing the VF.
    #[pin]
    files: Mutex<Option<Files>>,
}

impl Vf {
    /// Finds the PF's handle and attaches to it.
    fn attach(pdev: &pci::Device<Bound>) -> Result<(Identity, Attachment<Manager>)> {
        // Without one, a guest could have its vGPU write to any memory of the host.
        if !vfio::pci::has_iommu(pdev) {
            dev_err!(pdev, "is not behind an IOMMU, which a vGPU needs\n");
            return Err(EPERM);
        }
        let handle = Handle::from_vf(pdev).inspect_err(|e| {
            dev_err!(
                pdev,
                "is not a VF of a GPU that nova_core_vgpu drives: {:?}\n",
                e
            );
        })?;
        if let Support::NotSupported(reason) = handle.support() {
            dev_err!(pdev, "the GPU does not support vGPU: {}\n", reason);
            return Err(EOPNOTSUPP);
        }
        let index = pdev.vf_id()?;
        // CAST: The domain half is 16 bits wide; Linux has larger numbers only for buses that
        // firmware tables do not know, where no GPU is.
        let dbdf = pdev.domain_nr() << 16 | u32::from(pdev.dev_id());
        let attachment = handle.attach(Manager::new).inspect_err(|e| {
            dev_err!(pdev, "cannot attach to the GPU: {:?}\n", e);
        })?;
        let identity = Identity {
            index,
            gfid: u32::from(index) + 1,
            dbdf,
        };
        Ok((identity, attachment))
    }

    /// Gives the type back and detaches.
    fn detach(&self) {
        // Waits for those who read a file.
        let files = self.files.lock().take();
        drop(files);
        // A statement of its own: firmware is asked below.
        let attachment = self.state.lock().attachment.take();
        self.admission.remove(self.identity.index);
        if let Some(attachment) = attachment {
            drop(attachment.client().take_remains(self.identity.index));
        }
    }

    /// Identity of the vGPU.
    pub(crate) fn uuid(&self) -> Uuid {
        let Identity { index, gfid, dbdf } = self.identity;
        let chosen = self.admission.uuid(index);
        chosen.unwrap_or_else(|| messages::uuid(dbdf, gfid))
    }

    /// Makes the vGPU of the chosen type.
    fn create(&self, dev: &Device<Self>) -> Result {
        let mut state = self.state.lock();
        let (manager, open_vf) = {
            let attachment = state.attachment.as_ref().ok_or(ENODEV)?;
            (
                attachment.client().clone(),
                attachment.open_vf(self.identity.index)?,
            )
        };
        state.step(dev, Step::Create)?;
        match self.try_create(dev, &manager) {
            Ok((instance, opened, view)) => {
                state.instance = Some(instance);
                state.opened = Some(opened);
                state.open_vf = Some(open_vf);
                *self.view.lock() = Some(view);
                state.step(dev, Step::Created)
            }
            Err(e) => {
                state.step(dev, Step::CreateFailed)?;
                Err(e)
            }
        }
    }

    fn try_create(
        &self,
        dev: &Device<Self>,
        manager: &Arc<Manager>,
    ) -> Result<(Instance, Opened, View)> {
        remains::clear(dev.as_ref(), manager, self.identity.index)?;
        let gpu = manager.gpu();
        let (opened, claim) = self.admission.open(self.identity.index, |place| {
            gpu.fb_is_clean(&place.fb) && gpu.fb_is_clean(&place.heap)
        })?;
        let vgpu_type = self.admission.selected(self.identity.index).ok_or(ENODEV)?;
        let view = View::new(dev.pdev(), vgpu_type)?;
        let user = User {
            // CAST: Process ids are not negative.
            vm_pid: kernel::current!().tgid() as u32,
            uuid: self.uuid(),
        };
        let instance = Instance::create(dev, manager, vgpu_type, claim, &user)?;
        Ok((instance, opened, view))
    }

    /// Lets those who watch the VF know its state.
    fn show(dev: &Device<Self>, status: Status) {
        // A statement of its own: nobody is told with the lock held.
        let before = core::mem::replace(&mut *dev.shown.lock(), status);
        if before != status {
            crate::sysfs::state_changed(dev, status);
        }
    }

    /// The plugin task has crashed, as firmware has just reported. Tells the user of the device.
    ///
    /// Does not take `state`, which may be locked by who waits for the task: that the task is not
    /// there is known already, and the rest is left to whoever wants something of it.
    pub(crate) fn crashed(dev: &Device<Self>) {
        let mut shown = dev.shown.lock();
        let was_running = *shown == Status::Running;
        if was_running {
            *shown = Status::Failed;
        }
        drop(shown);

        if was_running {
            crate::sysfs::state_changed(dev, Status::Failed);
        }
        dev.signal_error();
    }

    /// The GPU is lost, or about to be stopped: the vGPU is dead from now on, and ended as far as the
    /// firmware listens. Tells the user of the device.
    pub(crate) fn lose(dev: &Device<Self>) {
        let mut state = dev.state.lock();
        // Also one that has failed: firmware still has it.
        if state.instance.as_ref().is_some_and(Instance::is_alive) {
            state.instance = None;
        }
        // Not possible for a device that is being opened or closed, which fails or ends by itself.
        let _ = state.step(dev, Step::Fail);
        drop(state);
        dev.signal_error();
    }

    /// Undoes [`create`](Self::create).
    fn destroy(&self, dev: &Device<Self>) -> Result {
        let mut state = self.state.lock();
        state.step(dev, Step::Destroy)?;
        *self.view.lock() = None;
        state.instance = None;
        state.opened = None;
        state.step(dev, Step::Destroyed)
    }
}

#[vtable]
impl vfio::pci::Driver for Vf {
    type IdInfo = ();
    const NAME: &'static CStr = c"nvidia_vgpu_vfio";
    const ID_TABLE: IdTable<Self::IdInfo> = &TABLE;
    const DEV_GROUPS: Option<sysfs::Groups> = Some(crate::sysfs::GROUPS);

    fn probe<'a>(
        pdev: &'a pci::Device<Core<'_>>,
        _info: Option<&'a Self::IdInfo>,
    ) -> impl PinInit<Self, Error> + 'a {
        pin_init::pin_init_scope(move || {
            let (identity, attachment) = Self::attach(pdev)?;
            let observed = Observed::new()?;
            let files = debugfs::files(pdev, &observed, attachment.client(), identity.gfid)?;
            let admission = attachment.client().admission().clone();
            Ok(try_pin_init!(Self {
                identity,
                admission,
                faults: Counters::new(),
                state <- new_mutex!(State {
                    attachment: Some(attachment),
                    status: Status::Absent,
                    instance: None,
                    opened: None,
                    open_vf: None,
                }),
                shown <- new_mutex!(Status::Absent),
                view <- new_mutex!(None),
                observed,
                resets: Atomic::new(0),
                files <- new_mutex!(Some(files)),
            }? Error))
        })
    }

    fn remove(dev: &Device<Self>, _pdev: &pci::Device<Core<'_>>) {
        dev.detach();
    }

    fn open(dev: &Device<Self>, core: &Enabled<'_, Self>) -> Result {
        // What the last user has left in the registers would be the next one's.
        if !core.was_reset() {
            dev_err!(
                dev,
                "cannot create a vGPU: the VF cannot be reset; see its reset_method\n"
            );
            return Err(EIO);
        }
        dev.create(dev)
    }

    fn close(dev: &Device<Self>, _core: &Enabled<'_, Self>) {
        if let Err(e) = dev.destroy(dev) {
            dev_warn!(dev, "closed without a vGPU: {:?}\n", e);
        }
    }

    fn closed(dev: &Device<Self>) {
        let open_vf = dev.state.lock().open_vf.take();
        drop(open_vf);
    }

    #[inline]
    fn read(dev: &Device<Self>, transfer: &mut Read<'_, Self>) -> Result<usize> {
        device::read(dev, transfer)
    }

    #[inline]
    fn write(dev: &Device<Self>, transfer: &mut Write<'_, Self>) -> Result<usize> {
        device::write(dev, transfer)
    }

    fn region_info(dev: &Device<Self>, info: &mut RegionInfo<'_, Self>) -> Result {
        device::region_info(dev, info)
    }

    fn mmap(dev: &Device<Self>, mapping: &Mapping<'_, Self>) -> Result {
        device::mmap(dev, mapping)
    }

    fn mappable(dev: &Device<Self>, region: u32, range: core::ops::Range<u64>) -> bool {
        device::mappable(dev, region, &range)
    }

    fn ioctl(dev: &Device<Self>, cmd: u32, arg: usize) -> Result<isize> {
        device::irq::ioctl(dev, cmd, arg)
    }

    fn reset_done(dev: &Device<Self>) {
        device::reset::done(dev);
    }
}
