// SPDX-License-Identifier: GPL-2.0

//! Files of a VF: which types it could have, which one it has and where, and how it is.
//!
//! ```text
//!   nvidia/creatable_vgpu_types   0444   list, see types::listing
//!   nvidia/current_vgpu_type      0644   id, or 0
//!   nvidia/vgpu_type_name         0444   name, or nothing
//!   nvidia/placement_id           0644   number, or nothing
//!   nvidia/uuid                   0644
//!   nvidia/state                  0444   a word, see instance::status
//!   nvidia/stats                  0444   numbers, one "name value" a line
//!
//!   write   text that is wrong EINVAL, too large a number ERANGE, device is open EBUSY
//!           type: unknown id ENODEV, no place left ENOSPC, others are open and fill the GPU with
//!                 places of another size EINVAL
//!   uevent  change, with NVIDIA_VGPU_TYPE, NVIDIA_VGPU_STATE      poll   state, current_vgpu_type
//! ```
//!
//! A write happens as a whole or not at all, and writing what is there already changes nothing.
//! Nothing here waits for firmware.

use kernel::{
    fmt::Write as _,
    prelude::*,
    str::{
        CString,
        Formatter, //
    }, //
};
use kernel_ext::sysfs::{
    self,
    Attribute, //
};
use vfio::pci::{
    Device,
    DeviceData, //
};

use crate::{
    driver::Vf,
    instance::status::Status,
    types::listing::{
        self,
        BadNumber, //
    }, //
};

const DIRECTORY: &CStr = c"nvidia";

kernel_ext::attribute_groups! {
    pub(crate) const GROUPS = {
        c"nvidia": [
            CreatableVgpuTypes,
            CurrentVgpuType,
            VgpuTypeName,
            PlacementId,
            IdentityUuid,
            State,
            Stats,
        ],
    };
}

impl From<BadNumber> for Error {
    fn from(e: BadNumber) -> Self {
        match e {
            BadNumber::NotANumber => EINVAL,
            BadNumber::OutOfRange => ERANGE,
        }
    }
}

/// Id of the type that the VF has; 0: none.
fn type_id(dev: &Device<Vf>) -> u32 {
    let selected = dev.admission.selected(dev.identity.index);
    selected.map_or(0, |t| t.id)
}

/// Tells those who watch the VF. Without memory nobody is told, as with uevents of the kernel itself.
fn changed(dev: &Device<Vf>, attribute: &CStr, state: Status) {
    sysfs::notify(dev.pdev(), DIRECTORY, attribute);
    let id = type_id(dev);
    let (Ok(id), Ok(state)) = (
        CString::try_from_fmt(fmt!("NVIDIA_VGPU_TYPE={}", id)),
        CString::try_from_fmt(fmt!("NVIDIA_VGPU_STATE={}", state.name())),
    ) else {
        return;
    };
    sysfs::uevent_change(dev.pdev(), [&id, &state]);
}

/// The state is another one from now on.
pub(crate) fn state_changed(dev: &Device<Vf>, state: Status) {
    changed(dev, State::NAME, state);
}

struct CreatableVgpuTypes;

#[vtable]
impl Attribute for CreatableVgpuTypes {
    type Source = DeviceData<Vf>;
    const NAME: &'static CStr = c"creatable_vgpu_types";
    const MODE: u16 = 0o444;

    fn show<'a>(dev: &'a Device<Vf>, out: &mut Formatter<'_>) -> Result {
        let mut header = Some(listing::HEADER);
        dev.admission.list(dev.identity.index, |vgpu_type| {
            out.write_str(header.take().unwrap_or_default())?;
            Ok(listing::line(out, vgpu_type.id, vgpu_type.name())?)
        })
    }
}

struct CurrentVgpuType;

#[vtable]
impl Attribute for CurrentVgpuType {
    type Source = DeviceData<Vf>;
    const NAME: &'static CStr = c"current_vgpu_type";
    const MODE: u16 = 0o644;

    fn show<'a>(dev: &'a Device<Vf>, out: &mut Formatter<'_>) -> Result {
        Ok(writeln!(out, "{}", type_id(dev))?)
    }

    fn store<'a>(dev: &'a Device<Vf>, buf: &[u8]) -> Result {
        let id = listing::parse_id(buf)?;
        if dev.admission.select(dev.identity.index, id)? {
            let state = *dev.shown.lock();
            changed(dev, Self::NAME, state);
        }
        Ok(())
    }
}

struct VgpuTypeName;

#[vtable]
impl Attribute for VgpuTypeName {
    type Source = DeviceData<Vf>;
    const NAME: &'static CStr = c"vgpu_type_name";
    const MODE: u16 = 0o444;

    fn show<'a>(dev: &'a Device<Vf>, out: &mut Formatter<'_>) -> Result {
        let selected = dev.admission.selected(dev.identity.index);
        Ok(writeln!(out, "{}", selected.map_or("", |t| t.name()))?)
    }
}

struct PlacementId;

#[vtable]
impl Attribute for PlacementId {
    type Source = DeviceData<Vf>;
    const NAME: &'static CStr = c"placement_id";
    const MODE: u16 = 0o644;

    fn show<'a>(dev: &'a Device<Vf>, out: &mut Formatter<'_>) -> Result {
        if let Some(id) = dev.admission.placement(dev.identity.index) {
            write!(out, "{id}")?;
        }
        Ok(out.write_str("\n")?)
    }

    fn store<'a>(dev: &'a Device<Vf>, buf: &[u8]) -> Result {
        let id = listing::parse_placement(buf)?;
        dev.admission.pin(dev.identity.index, id)
    }
}

struct IdentityUuid;

#[vtable]
impl Attribute for IdentityUuid {
    type Source = DeviceData<Vf>;
    const NAME: &'static CStr = c"uuid";
    const MODE: u16 = 0o644;

    fn show<'a>(dev: &'a Device<Vf>, out: &mut Formatter<'_>) -> Result {
        listing::write_uuid(out, &dev.uuid())?;
        Ok(out.write_str("\n")?)
    }

    fn store<'a>(dev: &'a Device<Vf>, buf: &[u8]) -> Result {
        let uuid = listing::parse_uuid(buf).ok_or(EINVAL)?;
        dev.admission.set_uuid(dev.identity.index, uuid)
    }
}

struct State;

#[vtable]
impl Attribute for State {
    type Source = DeviceData<Vf>;
    const NAME: &'static CStr = c"state";
    const MODE: u16 = 0o444;

    fn show<'a>(dev: &'a Device<Vf>, out: &mut Formatter<'_>) -> Result {
        let state = *dev.shown.lock();
        Ok(writeln!(out, "{}", state.name())?)
    }
}

struct Stats;

#[vtable]
impl Attribute for Stats {
    type Source = DeviceData<Vf>;
    const NAME: &'static CStr = c"stats";
    const MODE: u16 = 0o444;

    fn show<'a>(dev: &'a Device<Vf>, out: &mut Formatter<'_>) -> Result {
        for (name, count) in dev.faults.counts() {
            writeln!(out, "{name} {count}")?;
        }
        writeln!(
            out,
            "error_reports {}",
            dev.observed.counts().errors_of_task()
        )?;
        // There is nothing to read before the first vGPU, nor of a GPU that is lost.
        let Ok((report, _)) = dev.observed.records().report() else {
            return Ok(());
        };
        for (name, value) in [
            ("license_state", report.license_state),
            ("guest_os", report.guest_os),
            ("guest_rpc_version", report.guest_rpc_version),
        ] {
            writeln!(out, "{name} {value}")?;
        }
        Ok(())
    }
}
