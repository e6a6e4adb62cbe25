// SPDX-License-Identifier: GPL-2.0

//! What the VFs of one PF share: types, selections, running vGPUs, and what firmware kept.
//!
//! ```text
//!   first VF attaches     load nvidia/vgpu-<gsp version>.bin -> types -> PGPU_ADD_VGPU_TYPE
//!   sysfs                 select(): admission, counts selections; no hardware
//!   open, close           register(): one vGPU per VF
//!   CLEANUP failed        keep(): memory and channels stay out of use until it is repeated
//!   last VF detaches      all of it goes
//! ```
//!
//! Locks, both held for a few instructions and never while firmware is asked: `admission`,
//! `slots`. They nest inside a VF's state lock, not inside one another.

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

use crate::{
    control,
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
    types: KVec<VgpuType>,
    #[pin]
    admission: Mutex<Homogeneous>,
    #[pin]
    slots: Mutex<Slots>,
    // Whom the GSP knows the types from.
    _client: RmClient,
}

impl Manager {
    /// Loads the types and gives them to the GSP.
    pub(crate) fn new(gpu: &Arc<Gpu>) -> Result<Arc<Self>> {
        let client = gpu.rm_client(0, Wait::UNINTERRUPTIBLE).inspect_err(|e| {
            dev_err!(gpu.dev(), "cannot load vGPU types: RM client: {}\n", e);
        })?;
        let types = load_types(gpu, &client)?;
        let remains = KVec::with_capacity(MAX_VFS, GFP_KERNEL)?;
        let gpu = gpu.clone();
        Arc::pin_init(
            pin_init!(Self {
                gpu,
                types,
                admission <- new_mutex!(Homogeneous::new()),
                slots <- new_mutex!(Slots {
                    running: 0,
                    faults: [faults::Counters::default(); MAX_VFS],
                    remains,
                }),
                _client: client,
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

    /// Notes that VF `index` has a vGPU from now on.
    ///
    /// # Errors
    ///
    /// `EBUSY` when it has one already, `EINVAL` when there cannot be such a VF.
    pub(crate) fn register(self: &Arc<Self>, index: u16) -> Result<Registered> {
        let bit = 1u32.checked_shl(index.into()).ok_or(EINVAL)?;
        let mut slots = self.slots.lock();
        if slots.running & bit != 0 {
            return Err(EBUSY);
        }
        slots.running |= bit;
        // BOUNDS: `running` has as many bits as there are entries.
        slots.faults[usize::from(index)] = faults::Counters::default();
        drop(slots);
        Ok(Registered {
            manager: self.clone(),
            bit,
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

impl Client for Manager {
    fn event(&self, event: &Event) -> Result {
        match event {
            // The PF driver counts open VFs; this is the same question asked of the other side.
            Event::SriovConfigure { .. } if self.slots.lock().running != 0 => Err(EBUSY),
            Event::SriovConfigure { .. } | Event::Unbind => Ok(()),
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
    bit: u32,
}

impl Registered {
    /// The manager that keeps the list.
    pub(crate) fn manager(&self) -> &Arc<Manager> {
        &self.manager
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.manager.slots.lock().running &= !self.bit;
    }
}

/// What the selection rule needs to know of a type.
pub(crate) fn candidate(vgpu_type: &VgpuType) -> Candidate {
    Candidate {
        id: vgpu_type.id,
        max_instance: vgpu_type.max_instance,
    }
}

/// Loads the metadata file of the running firmware, checks all of it, and only then uploads.
fn load_types(gpu: &Arc<Gpu>, client: &RmClient) -> Result<KVec<VgpuType>> {
    let dev = gpu.dev();
    let version = gpu.info().firmware_version;
    let name = CString::try_from_fmt(fmt!("nvidia/vgpu-{}.bin", version.to_str()?))?;
    let shown = name.to_str()?;
    let firmware: Firmware = gpu.load_firmware(&name).inspect_err(|e| {
        dev_err!(dev, "vGPU types: cannot load {}: {:?}\n", shown, e);
    })?;
    let host = Host {
        device_id: gpu.info().device_id,
        gsp_build_version: version.to_bytes(),
        min_heap: layout::SHARED_SIZE,
    };
    let metadata = Metadata::parse(firmware.data(), &host).map_err(|e| {
        match e.blob {
            None => dev_err!(dev, "vGPU types in {}: {}: {}\n", shown, e.field, e.reason),
            Some(blob) => dev_err!(
                dev,
                "vGPU types in {}: blob {}: {}: {}\n",
                shown,
                blob,
                e.field,
                e.reason
            ),
        }
        EINVAL
    })?;

    let mut types = KVec::new();
    for vgpu_type in metadata.types() {
        types.push(vgpu_type, GFP_KERNEL)?;
    }
    for payload in metadata.payloads() {
        let mut params = KVVec::new();
        params.extend_from_slice(payload, GFP_KERNEL)?;
        control::add_types(client, &mut params).map_err(|e| {
            dev_err!(dev, "vGPU types: GSP refuses those of {}: {}\n", shown, e);
            Error::from(e)
        })?;
    }
    dev_info!(
        dev,
        "{} vGPU types of release {}.{} from {}\n",
        types.len(),
        metadata.release.0,
        metadata.release.1,
        shown
    );
    Ok(types)
}
