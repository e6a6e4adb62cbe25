// SPDX-License-Identifier: GPL-2.0

//! What the VFs of one PF share: types, running vGPUs, and what firmware kept.
//!
//! ```text
//!   first VF attaches     load nvidia/vgpu-<gsp version>.bin -> types -> PGPU_ADD_VGPU_TYPE
//!                         SET_VGPU_HETEROGENEOUS_MODE: refused? then vGPUs of one size only
//!   sysfs                 admission
//!   open, close           register(): one vGPU per VF; tell_layout() before the first one
//!   CLEANUP failed        keep(): memory and channels stay out of use until it is repeated
//!   GPU lost or stopped   vGPUs ended if possible, users of all of them told
//!   GPU booted again      types -> PGPU_ADD_VGPU_TYPE; what was kept is free; selections stay
//!   last VF detaches      all of it goes
//! ```
//!
//! Locks, all held for a few instructions and never while firmware is asked: `slots`, `client`,
//! `mode`. They nest inside a VF's state lock, not inside one another.

use kernel::{
    firmware::Firmware,
    new_condvar,
    new_mutex,
    prelude::*,
    str::CString,
    sync::{
        Arc,
        CondVar,
        Mutex, //
    }, //
};
use nova_core_vgpu::vgpu::{
    Client,
    Event,
    Fault,
    Gpu,
    RmClient,
    RmError,
    Wait, //
};

use vfio::pci::Held;

use crate::{
    admission::Admission,
    control,
    driver::Vf,
    faults,
    instance::remains::Remains,
    plugin::layout,
    types::{
        metadata::{
            Host,
            Metadata, //
        },
        placement::Layout,
        plan::MAX_VFS, //
    }, //
};

/// Per-VF entries.
struct Slots {
    /// The devices of the VFs that have a vGPU.
    devices: [Option<Held<Vf>>; MAX_VFS],
    /// What vGPUs left behind because the firmware did not let go, at most one per VF. Has room
    /// for all of them from the beginning: closing a device must not need memory.
    remains: KVec<Remains>,
}

/// What firmware was told of how vGPUs are arranged. That cannot change while it has some.
struct Mode {
    /// `None`: not known, because firmware did not answer.
    known: Option<Layout>,
    /// Somebody is telling it.
    changing: bool,
}

/// One per PF that has VFs attached.
#[pin_data]
pub(crate) struct Manager {
    gpu: Arc<Gpu>,
    /// The metadata file, for a GSP that is booted again.
    firmware: Firmware,
    admission: Arc<Admission>,
    #[pin]
    slots: Mutex<Slots>,
    #[pin]
    mode: Mutex<Mode>,
    #[pin]
    mode_changed: CondVar,
    /// Whom the GSP knows the types from; `None` while it does not.
    #[pin]
    client: Mutex<Option<RmClient>>,
}

impl Manager {
    /// Loads the types and gives them to the GSP.
    pub(crate) fn new(gpu: &Arc<Gpu>) -> Result<Arc<Self>> {
        let firmware = load_metadata(gpu)?;
        let metadata = parse_metadata(gpu, &firmware)?;
        let (client, layout) = prepare_firmware(gpu, &metadata)?;
        let mixed = layout == Layout::Heterogeneous;
        let admission = Admission::new(gpu, metadata.types(), mixed)?;
        dev_info!(
            gpu.dev(),
            "{} vGPU types of release {}.{} from {}, {}\n",
            admission.len(),
            metadata.release.0,
            metadata.release.1,
            &*metadata_name(gpu)?,
            if mixed {
                "of any sizes at a time"
            } else {
                "of one size at a time"
            }
        );
        let remains = KVec::with_capacity(MAX_VFS, GFP_KERNEL)?;
        let gpu = gpu.clone();
        Arc::pin_init(
            pin_init!(Self {
                gpu,
                firmware,
                admission,
                slots <- new_mutex!(Slots {
                    devices: [const { None }; MAX_VFS],
                    remains,
                }),
                mode <- new_mutex!(Mode {
                    known: Some(layout),
                    changing: false,
                }),
                mode_changed <- new_condvar!(),
                client <- new_mutex!(Some(client)),
            }),
            GFP_KERNEL,
        )
    }

    /// The PF's operations.
    pub(crate) fn gpu(&self) -> &Arc<Gpu> {
        &self.gpu
    }

    /// Types, and who has which.
    pub(crate) fn admission(&self) -> &Arc<Admission> {
        &self.admission
    }

    /// Sees to it that firmware knows how vGPUs are arranged, before the first one is booted. To be
    /// called with a claim: its layout is everybody's as long as there are claims.
    ///
    /// # Errors
    ///
    /// What firmware says, `EINTR` if the task is being killed.
    pub(crate) fn tell_layout(&self, client: &RmClient, layout: Layout) -> Result<(), RmError> {
        let mut mode = self.mode.lock();
        while mode.changing {
            if self.mode_changed.wait_interruptible(&mut mode) {
                return Err(EINTR.into());
            }
        }
        if mode.known == Some(layout) {
            return Ok(());
        }
        mode.changing = true;
        drop(mode);
        let told = control::set_heterogeneous(client, layout == Layout::Heterogeneous);
        let mut mode = self.mode.lock();
        mode.known = told.is_ok().then_some(layout);
        mode.changing = false;
        drop(mode);
        self.mode_changed.notify_all();
        told
    }

    /// Notes that VF `index` has a vGPU from now on; `device` is whose users are told when the vGPU
    /// dies.
    ///
    /// # Errors
    ///
    /// `EBUSY` when it has one already, `EINVAL` when there cannot be such a VF.
    pub(crate) fn register(self: &Arc<Self>, index: u16, device: Held<Vf>) -> Result<Registered> {
        let mut slots = self.slots.lock();
        let slot = slots.devices.get_mut(usize::from(index)).ok_or(EINVAL)?;
        if slot.is_some() {
            return Err(EBUSY);
        }
        device.faults.reset();
        *slot = Some(device);
        drop(slots);
        Ok(Registered {
            manager: self.clone(),
            index,
        })
    }

    /// Keeps what the firmware would not let go of for [`take_remains`](Self::take_remains).
    pub(crate) fn keep_remains(&self, remains: Remains) {
        let kept = self.slots.lock().remains.push_within_capacity(remains);
        // Not reached with one entry per VF. Dropping asks firmware: not under the lock.
        drop(kept);
    }

    /// What VF `index` left behind, if anything.
    pub(crate) fn take_remains(&self, index: u16) -> Option<Remains> {
        let mut slots = self.slots.lock();
        let at = slots.remains.iter().position(|r| r.index() == index)?;
        slots.remains.remove(at).ok()
    }
}

impl Manager {
    /// The devices of the vGPUs that run. What they refer to is not to be let go under the lock.
    fn devices(&self) -> [Option<Held<Vf>>; MAX_VFS] {
        self.slots.lock().devices.clone()
    }

    /// Whether a VF has a vGPU.
    fn has_vgpus(&self) -> bool {
        self.slots.lock().devices.iter().any(Option::is_some)
    }

    /// The vGPUs are dead, or have to be: whoever uses one learns it by the error event of VFIO.
    fn lose_all(&self) {
        let devices = self.devices();

        // First of all, so that nobody waits for a plugin task with a VF's state locked.
        for device in devices.iter().flatten() {
            device.observed.lost();
        }
        for device in devices.into_iter().flatten() {
            Vf::lose(&device);
        }
    }

    /// The VFs are about to be removed, one after the other, and each removal waits for its user:
    /// asks all of them at once.
    fn request_all(&self) {
        for device in self.devices().into_iter().flatten() {
            device.signal_request();
        }
    }

    /// The GSP was booted again and knows no types; of what the old one would not let go there is
    /// nothing left.
    fn restore(&self) -> Result {
        let empty = KVec::with_capacity(MAX_VFS, GFP_KERNEL)?;
        let remains = core::mem::replace(&mut self.slots.lock().remains, empty);
        drop(remains);
        self.admission.restore();

        let prepared = parse_metadata(&self.gpu, &self.firmware)
            .and_then(|metadata| prepare_firmware(&self.gpu, &metadata));
        let (client, layout, result) = match prepared {
            Ok((client, layout)) => (Some(client), Some(layout), Ok(())),
            Err(e) => (None, None, Err(e)),
        };
        self.mode.lock().known = layout;
        let old = core::mem::replace(&mut *self.client.lock(), client);
        drop(old);
        result
    }
}

impl Client for Manager {
    fn event(&self, event: &Event) -> Result {
        match event {
            // The PF driver counts open VFs; this is the same question asked of the other side.
            Event::SriovConfigure { .. } if self.has_vgpus() => Err(EBUSY),
            Event::SriovConfigure { .. } => Ok(()),
            Event::Unbind => {
                self.request_all();
                Ok(())
            }
            Event::Lost => {
                self.lose_all();
                // If the GSP is only about to be stopped, it hears of this.
                let client = self.client.lock().take();
                drop(client);
                Ok(())
            }
            Event::Restored => self.restore(),
            // The PF driver sees to it that no VF is open.
            Event::Suspend | Event::Resume => Ok(()),
        }
    }

    fn fault(&self, fault: &Fault) -> bool {
        let (Fault::Channel { gfid, .. } | Fault::Task { gfid, .. }) = *fault;
        let Some(index) = gfid.checked_sub(1) else {
            return false;
        };
        let slots = self.slots.lock();
        let Some(device) = slots.devices.get(index as usize).and_then(Option::as_ref) else {
            return false;
        };
        let died = match fault {
            Fault::Task { what, .. } => device.observed.event(*what),
            Fault::Channel { .. } => false,
        };
        let number = device.faults.add(fault, died);
        // A reference: the user must not be able to let the device go meanwhile.
        let dead = died.then(|| device.clone());
        drop(slots);

        if let Some(number) = number {
            faults::log(self.gpu.dev(), index, fault, died, number);
        }
        // By now the vGPU is known to be dead.
        if let Some(device) = dead {
            Vf::crashed(&device);
        }
        true
    }
}

/// A VF's entry in the list of running vGPUs.
pub(crate) struct Registered {
    manager: Arc<Manager>,
    index: u16,
}

impl Registered {
    /// The manager that keeps the list.
    pub(crate) fn manager(&self) -> &Arc<Manager> {
        &self.manager
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        let mut slots = self.manager.slots.lock();
        let slot = slots.devices.get_mut(usize::from(self.index));
        // A statement of its own: what the device refers to is not to be let go under the lock.
        let device = slot.and_then(Option::take);
        if let Some(device) = &device {
            device.faults.end();
        }
        drop(slots);
        drop(device);
    }
}

/// Loads the metadata file of the running firmware.
fn load_metadata(gpu: &Gpu) -> Result<Firmware> {
    let name = metadata_name(gpu)?;
    gpu.load_firmware(&name).inspect_err(|e| {
        dev_err!(gpu.dev(), "vGPU types: cannot load {}: {:?}\n", &*name, e);
    })
}

fn metadata_name(gpu: &Gpu) -> Result<CString> {
    let version = gpu.info().firmware_version.to_str()?;
    CString::try_from_fmt(fmt!("nvidia/vgpu-{}.bin", version))
}

/// Checks all of a metadata file.
fn parse_metadata<'a>(gpu: &Gpu, firmware: &'a Firmware) -> Result<Metadata<'a>> {
    let dev = gpu.dev();
    let name = metadata_name(gpu)?;
    let host = Host {
        device_id: gpu.info().device_id,
        gsp_build_version: gpu.info().firmware_version.to_bytes(),
        min_heap: layout::SHARED_SIZE,
    };
    Metadata::parse(firmware.data(), &host).map_err(|e| {
        match e.blob {
            None => dev_err!(dev, "vGPU types in {}: {}: {}\n", &*name, e.field, e.reason),
            Some(blob) => dev_err!(
                dev,
                "vGPU types in {}: blob {}: {}: {}\n",
                &*name,
                blob,
                e.field,
                e.reason
            ),
        }
        EINVAL
    })
}

/// Tells the GSP, on behalf of a client of its own, of the types, and that vGPUs may be of any sizes.
/// Returns how they can be arranged. There must be no vGPU.
fn prepare_firmware(gpu: &Arc<Gpu>, metadata: &Metadata<'_>) -> Result<(RmClient, Layout)> {
    let dev = gpu.dev();
    let client = gpu.rm_client(0, Wait::UNINTERRUPTIBLE).inspect_err(|e| {
        dev_err!(dev, "cannot load vGPU types: RM client: {}\n", e);
    })?;
    for payload in metadata.payloads() {
        let mut params = KVVec::new();
        params.extend_from_slice(payload, GFP_KERNEL)?;
        control::add_types(&client, &mut params).map_err(|e| {
            dev_err!(
                dev,
                "vGPU types: GSP refuses those of the metadata file: {}\n",
                e
            );
            Error::from(e)
        })?;
    }
    let mixed = control::support_heterogeneous(&client)
        .and_then(|()| control::set_heterogeneous(&client, true));
    match mixed {
        Ok(()) => Ok((client, Layout::Heterogeneous)),
        Err(e) if e.status().is_some() => {
            dev_info!(dev, "GSP refuses vGPUs of several sizes: {}\n", e);
            Ok((client, Layout::Homogeneous))
        }
        Err(e) => {
            dev_err!(
                dev,
                "vGPU types: GSP does not say if sizes can be mixed: {}\n",
                e
            );
            Err(e.into())
        }
    }
}
