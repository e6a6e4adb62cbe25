// SPDX-License-Identifier: GPL-2.0

//! Types of a GPU and who has which: all that sysfs reads and writes.
//!
//! ```text
//!   sysfs   list, select, deselect, pin, uuid      memory only: firmware is not asked
//!   open    Opened, Claim: the place is fixed
//!   close   Claim dropped, or lost               Opened dropped
//!   restore what was lost is not: the GPU was booted again
//! ```
//!
//! Which types can be had is decided here for the list, for a write and for opening the device alike,
//! see [`types::plan`](crate::types::plan). The lock is innermost and held for some microseconds.

use kernel::{
    new_mutex,
    prelude::*,
    sync::{
        Arc,
        Mutex, //
    }, //
};
use nova_core_vgpu::vgpu::{
    Gpu,
    GuestFb,
    GuestFbError, //
};

use crate::types::{
    metadata::MAX_TYPES,
    placement::{
        self,
        Board,
        Layout,
        Resources,
        Shape,
        Table, //
    },
    plan::{
        Choice,
        Plan,
        Refusal,
        MAX_VFS, //
    },
    VgpuType, //
};

const GIB: u64 = 1 << 30;

/// Identity of a vGPU, see RFC 9562.
pub(crate) type Uuid = [u8; 16];

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Open => EBUSY,
            Refusal::NoType => ENODEV,
            Refusal::Full | Refusal::Taken => ENOSPC,
            Refusal::OtherShape | Refusal::NoSuchPlace => EINVAL,
        }
    }
}

/// A type, and what it takes.
struct Offer {
    vgpu_type: VgpuType,
    /// `None` if the GPU cannot have it as it is, such as with ECC on.
    table: Option<u8>,
}

struct Inner {
    plan: Plan,
    /// What user space has chosen.
    uuids: [Option<Uuid>; MAX_VFS],
    /// How often the GPU was booted again. What was lost before that is not.
    restored: u32,
}

/// See the file's comment.
#[pin_data]
pub(crate) struct Admission {
    offers: KVec<Offer>,
    tables: KVVec<Table>,
    #[pin]
    inner: Mutex<Inner>,
}

impl Admission {
    /// Nobody has one of `types` yet. `mixed`: firmware can have vGPUs of several sizes.
    pub(crate) fn new(
        gpu: &Gpu,
        types: impl Iterator<Item = VgpuType>,
        mixed: bool,
    ) -> Result<Arc<Self>> {
        let mut offers = KVec::with_capacity(MAX_TYPES, GFP_KERNEL)?;
        let mut shapes = KVec::with_capacity(MAX_TYPES, GFP_KERNEL)?;
        for vgpu_type in types {
            let table = match shape(gpu, &vgpu_type) {
                None => None,
                Some(shape) => {
                    let known = shapes.iter().position(|s| *s == shape);
                    if known.is_none() {
                        shapes.push(shape, GFP_KERNEL)?;
                    }
                    u8::try_from(known.unwrap_or(shapes.len() - 1)).ok()
                }
            };
            offers.push(Offer { vgpu_type, table }, GFP_KERNEL)?;
        }
        let mut tables = KVVec::from_elem(Table::default(), shapes.len(), GFP_KERNEL)?;
        let info = gpu.info();
        let board = Board {
            window: info.vgpu_fb.clone(),
            segment: info.vmmu_segment_size,
            channels: info.channels.clone(),
        };
        placement::build(&board, shapes.into_iter(), &mut tables);
        let left_out = leave_out_quarantined(gpu, &mut tables);
        Arc::pin_init(
            pin_init!(Self {
                offers,
                tables,
                inner <- new_mutex!(Inner {
                    plan: Plan::new(mixed, left_out),
                    uuids: [None; MAX_VFS],
                    restored: 0,
                }),
            }),
            GFP_KERNEL,
        )
    }

    /// Number of types.
    pub(crate) fn len(&self) -> usize {
        self.offers.len()
    }

    /// Tells `each` the types that a VF without one could be given now, until it fails.
    pub(crate) fn list(&self, vf: u16, mut each: impl FnMut(&VgpuType) -> Result) -> Result {
        let plan = self.inner.lock().plan;
        if plan.selected(vf.into()).is_some() {
            return Ok(());
        }
        // What is true of a type is true of all of its shape.
        let mut answers = [None; MAX_TYPES];
        for (number, offer) in self.offers.iter().enumerate() {
            let Some(choice) = offer.choice(number) else {
                continue;
            };
            let known = answers.get_mut(usize::from(choice.table)).ok_or(EINVAL)?;
            let can = *known.get_or_insert_with(|| {
                let mut copy = plan;
                copy.select(&self.tables, vf.into(), choice).is_ok()
            });
            if can {
                each(&offer.vgpu_type)?;
            }
        }
        Ok(())
    }

    /// The type of a VF.
    pub(crate) fn selected(&self, vf: u16) -> Option<&VgpuType> {
        let choice = self.inner.lock().plan.selected(vf.into())?;
        let offer = self.offers.get(usize::from(choice.vgpu_type))?;
        Some(&offer.vgpu_type)
    }

    /// Gives a VF the type with this id; 0: none. Returns whether it had another one.
    ///
    /// # Errors
    ///
    /// `EBUSY` while the VF is open, `ENODEV` for a type that the GPU cannot have, `ENOSPC` when no
    /// place is left for it, `EINVAL` when open vGPUs of another size take more places than they
    /// need.
    pub(crate) fn select(&self, vf: u16, id: u32) -> Result<bool> {
        let mut inner = self.inner.lock();
        let before = inner.plan.selected(vf.into());
        if inner.plan.is_open(vf.into()) {
            return Err(EBUSY);
        }
        if id == 0 {
            inner.plan.deselect(&self.tables, vf.into())?;
        } else {
            let mut offers = self.offers.iter().enumerate();
            let (number, offer) = offers.find(|(_, o)| o.vgpu_type.id == id).ok_or(ENODEV)?;
            let choice = offer.choice(number).ok_or(ENODEV)?;
            inner.plan.select(&self.tables, vf.into(), choice)?;
        }
        Ok(inner.plan.selected(vf.into()) != before)
    }

    /// Placement ID that a VF with a type has, or would have when opened now.
    pub(crate) fn placement(&self, vf: u16) -> Option<u16> {
        let plan = &self.inner.lock().plan;
        plan.resources(&self.tables, vf.into()).map(|r| r.id)
    }

    /// Gives a VF with a type the place with this ID; `None`: any.
    ///
    /// # Errors
    ///
    /// `EBUSY` while the VF is open, `ENODEV` without a type, `EINVAL` if its type has no such place,
    /// `ENOSPC` if the place is taken.
    pub(crate) fn pin(&self, vf: u16, id: Option<u16>) -> Result {
        Ok(self.inner.lock().plan.pin(&self.tables, vf.into(), id)?)
    }

    /// Identity that user space has chosen for the vGPU of a VF.
    pub(crate) fn uuid(&self, vf: u16) -> Option<Uuid> {
        *self.inner.lock().uuids.get(usize::from(vf))?
    }

    /// Chooses it.
    ///
    /// # Errors
    ///
    /// `EBUSY` while the VF is open, `EEXIST` if another VF of the GPU has it.
    pub(crate) fn set_uuid(&self, vf: u16, uuid: Uuid) -> Result {
        let mut inner = self.inner.lock();
        if inner.plan.is_open(vf.into()) {
            return Err(EBUSY);
        }
        let mut others = inner.uuids.iter().enumerate();
        if others.any(|(i, u)| i != usize::from(vf) && *u == Some(uuid)) {
            return Err(EEXIST);
        }
        *inner.uuids.get_mut(usize::from(vf)).ok_or(EINVAL)? = Some(uuid);
        Ok(())
    }

    /// Fixes the place of a VF, preferably where `prefer` likes the memory.
    ///
    /// # Errors
    ///
    /// `EBUSY` while the VF is open, `ENODEV` without a type.
    pub(crate) fn open(
        self: &Arc<Self>,
        vf: u16,
        prefer: impl Fn(&Resources) -> bool,
    ) -> Result<(Opened, Claim)> {
        let mut inner = self.inner.lock();
        let resources = inner.plan.open(&self.tables, vf.into(), prefer)?;
        let layout = inner.plan.layout();
        let restored = inner.restored;
        drop(inner);
        let opened = Opened {
            admission: self.clone(),
            vf,
        };
        let claim = Claim {
            admission: self.clone(),
            vf,
            resources,
            layout,
            restored,
            lost: false,
        };
        Ok((opened, claim))
    }

    /// The GPU was booted again: what firmware would not forget, it has.
    pub(crate) fn restore(&self) {
        let mut inner = self.inner.lock();
        inner.restored = inner.restored.wrapping_add(1);
        inner.plan.restore(&self.tables);
    }

    /// The VF goes: nothing of what was chosen for it stays.
    pub(crate) fn remove(&self, vf: u16) {
        let mut inner = self.inner.lock();
        // Cannot fail: a VF that goes is not open.
        let _ = inner.plan.deselect(&self.tables, vf.into());
        if let Some(uuid) = inner.uuids.get_mut(usize::from(vf)) {
            *uuid = None;
        }
    }
}

impl Offer {
    fn choice(&self, number: usize) -> Option<Choice> {
        Some(Choice {
            vgpu_type: u8::try_from(number).ok()?,
            table: self.table?,
        })
    }
}

/// The VF is open: its type, place and identity do not change.
pub(crate) struct Opened {
    admission: Arc<Admission>,
    vf: u16,
}

impl Drop for Opened {
    fn drop(&mut self) {
        let admission = &self.admission;
        let mut inner = admission.inner.lock();
        inner.plan.close(&admission.tables, self.vf.into());
    }
}

/// A place that firmware may know of. Dropped when firmware has forgotten it.
pub(crate) struct Claim {
    admission: Arc<Admission>,
    vf: u16,
    resources: Resources,
    layout: Layout,
    /// [`Inner::restored`] when it was made.
    restored: u32,
    lost: bool,
}

impl Claim {
    /// What the vGPU gets.
    pub(crate) fn resources(&self) -> &Resources {
        &self.resources
    }

    /// How places are arranged as long as there are claims.
    pub(crate) fn layout(&self) -> Layout {
        self.layout
    }

    /// Firmware will not forget it before it is booted again.
    pub(crate) fn lose(mut self) {
        self.lost = true;
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let tables = &self.admission.tables;
        let mut inner = self.admission.inner.lock();
        if self.lost && self.restored == inner.restored {
            inner.plan.lose(tables, self.vf.into());
        } else {
            inner.plan.forget(tables, self.vf.into());
        }
    }
}

/// What the places of a type depend on; `None` if there can be none.
fn shape(gpu: &Gpu, vgpu_type: &VgpuType) -> Option<Shape> {
    let guest = GuestFb {
        fb_length: vgpu_type.fb_length,
        fb_reservation: vgpu_type.fb_reservation,
        gsp_heap_size: vgpu_type.gsp_heap_size,
        max_instance: vgpu_type.max_instance,
        ecc_supported: vgpu_type.ecc_supported,
    };
    let fb = match gpu.guest_fb_length(&guest) {
        Ok(fb) => fb,
        Err(e) => {
            let reason = match e {
                GuestFbError::Ecc => "it needs ECC to be off",
                GuestFbError::NoSpace => "no FB is left for it",
            };
            dev_info!(
                gpu.dev(),
                "type {} is not for this GPU: {}\n",
                vgpu_type.id,
                reason
            );
            return None;
        }
    };
    Some(Shape {
        units: u32::try_from(vgpu_type.profile_size / GIB)
            .ok()
            .filter(|u| *u != 0)?,
        max_instance: vgpu_type.max_instance,
        fb,
        heap: vgpu_type.gsp_heap_size,
    })
}

/// What firmware did not let go of, while other VFs were bound, is nobody's. Returns whether there
/// is any.
fn leave_out_quarantined(gpu: &Gpu, tables: &mut [Table]) -> bool {
    let mut any = false;
    for table in tables {
        any |= table.leave_out(|place| {
            gpu.any_quarantined(&|fb| place.uses(fb), &|ids| place.uses_channels(ids))
        });
    }
    any
}
