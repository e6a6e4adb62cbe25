// SPDX-License-Identifier: GPL-2.0

//! What the VFs of one PF share: types, selections, running vGPUs, and what firmware kept.
//!
//! ```text
//!   first VF attaches     load nvidia/vgpu-<gsp version>.bin -> types -> PGPU_ADD_VGPU_TYPE
//!   sysfs                 select(): admission, counts selections; no hardware
//!   open, close           register(): one vGPU per VF
//!   CLEANUP failed        keep(): memory and channels stay out of use until it is repeated
//!   GPU lost or stopped   vGPUs ended if possible, users of all of them told
//!   GPU booted again      types -> PGPU_ADD_VGPU_TYPE; what was kept is free; selections stay
//!   last VF detaches      all of it goes
//! ```
//!
//! Locks, all held for a few instructions and never while firmware is asked: `admission`, `slots`,
//! `client`. They nest inside a VF's state lock, not inside one another.

use kernel::{
    firmware::Firmware,
    new_mutex,
    prelude::*,
    str::CString,
    sync::{
        Arc,
        Mutex, //
    }, //
};
use nova_core_vgpu::vgpu::{
    Client,
    Event,
    Fault,
    Gpu,
    RmClient,
    Wait, //
};

use vfio::pci::Held;

use crate::{
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
        placement::{
            Candidate,
            Homogeneous,
            Refusal, //
        },
        VgpuType, //
    }, //
};

/// VFs that a PF can have (`MAX_PARTITIONS_WITH_GFID`, OGKM 570.144 `nv_sriov_defines.h`).
pub(crate) const MAX_VFS: usize = 32;

/// Per-VF entries.
struct Slots {
    /// Bit n: VF n has a vGPU.
    running: u32,
    /// The devices of these.
    devices: [Option<Held<Vf>>; MAX_VFS],
    /// Reports about each vGPU since it was made.
    faults: [faults::Counters; MAX_VFS],
    /// What vGPUs left behind because the firmware did not let go, at most one per VF. Has room
    /// for all of them from the beginning: closing a device must not need memory.
    remains: KVec<Remains>,
}

/// One per PF that has VFs attached.
#[pin_data]
pub(crate) struct Manager {
    gpu: Arc<Gpu>,
    /// The metadata file, for a GSP that is booted again.
    firmware: Firmware,
    types: KVec<VgpuType>,
    #[pin]
    admission: Mutex<Homogeneous>,
    #[pin]
    slots: Mutex<Slots>,
    /// Whom the GSP knows the types from; `None` while it does not.
    #[pin]
    client: Mutex<Option<RmClient>>,
}

impl Manager {
    /// Loads the types and gives them to the GSP.
    pub(crate) fn new(gpu: &Arc<Gpu>) -> Result<Arc<Self>> {
        let firmware = load_metadata(gpu)?;
        let metadata = parse_metadata(gpu, &firmware)?;
        let client = upload_types(gpu, &metadata)?;
        let mut types = KVec::new();
        for vgpu_type in metadata.types() {
            types.push(vgpu_type, GFP_KERNEL)?;
        }
        dev_info!(
            gpu.dev(),
            "{} vGPU types of release {}.{} from {}\n",
            types.len(),
            metadata.release.0,
            metadata.release.1,
            &*metadata_name(gpu)?
        );
        let remains = KVec::with_capacity(MAX_VFS, GFP_KERNEL)?;
        let gpu = gpu.clone();
        Arc::pin_init(
            pin_init!(Self {
                gpu,
                firmware,
                types,
                admission <- new_mutex!(Homogeneous::new()),
                slots <- new_mutex!(Slots {
                    running: 0,
                    devices: [const { None }; MAX_VFS],
                    faults: [faults::Counters::default(); MAX_VFS],
                    remains,
                }),
                client <- new_mutex!(Some(client)),
            }),
            GFP_KERNEL,
        )
    }

    /// The PF's operations.
    pub(crate) fn gpu(&self) -> &Arc<Gpu> {
        &self.gpu
    }

    /// All types, in the order of the file.
    pub(crate) fn types(&self) -> &[VgpuType] {
        &self.types
    }

    /// The type with this id.
    pub(crate) fn find_type(&self, id: u32) -> Option<&VgpuType> {
        self.types.iter().find(|t| t.id == id)
    }

    /// The selections at this moment.
    pub(crate) fn selections(&self) -> Homogeneous {
        *self.admission.lock()
    }

    /// Moves a VF from its type `old` (0: none) to `new` in one step.
    ///
    /// # Errors
    ///
    /// `EINVAL` when another VF has a different type, `ENOSPC` when the type is used up.
    pub(crate) fn select(&self, old: u32, new: Option<&VgpuType>) -> Result {
        let changed = self.admission.lock().change(old, new.map(candidate));
        changed.map_err(|refusal| match refusal {
            Refusal::OtherType => EINVAL,
            Refusal::Full => ENOSPC,
        })
    }

    /// Notes that VF `index` has a vGPU from now on; `device` is whose users are told when the vGPU
    /// dies.
    ///
    /// # Errors
    ///
    /// `EBUSY` when it has one already, `EINVAL` when there cannot be such a VF.
    pub(crate) fn register(self: &Arc<Self>, index: u16, device: Held<Vf>) -> Result<Registered> {
        let bit = 1u32.checked_shl(index.into()).ok_or(EINVAL)?;
        let mut slots = self.slots.lock();
        if slots.running & bit != 0 {
            return Err(EBUSY);
        }
        slots.running |= bit;
        // BOUNDS: `running` has as many bits as there are entries.
        slots.faults[usize::from(index)] = faults::Counters::default();
        slots.devices[usize::from(index)] = Some(device);
        drop(slots);
        Ok(Registered {
            manager: self.clone(),
            index,
        })
    }

    /// What was reported about the vGPU of VF `index`, or about the last one that it had.
    pub(crate) fn faults(&self, index: u16) -> faults::Counters {
        let slots = self.slots.lock();
        slots
            .faults
            .get(usize::from(index))
            .copied()
            .unwrap_or_default()
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
    /// The vGPUs are dead, or have to be: whoever uses one learns it by the error event of VFIO.
    fn lose_all(&self) {
        // A statement of its own: the lock must not be held while firmware is asked.
        let devices = {
            let slots = self.slots.lock();
            // First of all, so that nobody waits for a plugin task with a VF's state locked.
            for device in slots.devices.iter().flatten() {
                device.observed.lost();
            }
            slots.devices.clone()
        };
        for device in devices.into_iter().flatten() {
            Vf::lose(&device);
        }
    }

    /// The GSP was booted again and knows no types; of what the old one would not let go there is
    /// nothing left.
    fn restore(&self) -> Result {
        let empty = KVec::with_capacity(MAX_VFS, GFP_KERNEL)?;
        let remains = core::mem::replace(&mut self.slots.lock().remains, empty);
        drop(remains);

        let client = parse_metadata(&self.gpu, &self.firmware)
            .and_then(|metadata| upload_types(&self.gpu, &metadata));
        let (client, result) = match client {
            Ok(client) => (Some(client), Ok(())),
            Err(e) => (None, Err(e)),
        };
        let old = core::mem::replace(&mut *self.client.lock(), client);
        drop(old);
        result
    }
}

impl Client for Manager {
    fn event(&self, event: &Event) -> Result {
        match event {
            // The PF driver counts open VFs; this is the same question asked of the other side.
            Event::SriovConfigure { .. } if self.slots.lock().running != 0 => Err(EBUSY),
            Event::SriovConfigure { .. } | Event::Unbind => Ok(()),
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
        let mut slots = self.slots.lock();
        if 1u32.checked_shl(index).unwrap_or(0) & slots.running == 0 {
            return false;
        }
        // BOUNDS: `running` has as many bits as there are entries.
        let number = slots.faults[index as usize].add(fault);
        if let (Fault::Task { what, .. }, Some(device)) = (fault, &slots.devices[index as usize]) {
            device.observed.event(*what);
        }
        drop(slots);

        if let Some(number) = number {
            faults::log(self.gpu.dev(), index, fault, number);
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
        let index = usize::from(self.index);
        let mut slots = self.manager.slots.lock();
        slots.running &= !(1 << index);
        // BOUNDS: As in `register`.
        let device = slots.devices[index].take();
        drop(slots);
        drop(device);
    }
}

/// What the selection rule needs to know of a type.
pub(crate) fn candidate(vgpu_type: &VgpuType) -> Candidate {
    Candidate {
        id: vgpu_type.id,
        max_instance: vgpu_type.max_instance,
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

/// Gives the types to the GSP, on behalf of a client of their own.
fn upload_types(gpu: &Arc<Gpu>, metadata: &Metadata<'_>) -> Result<RmClient> {
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
    Ok(client)
}
