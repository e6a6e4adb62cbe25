// SPDX-License-Identifier: GPL-2.0

//! Files of a VF: which types it could have, which one it has, and what went wrong.
//!
//! ```text
//!   nvidia/creatable_vgpu_types   0444   list, see types::listing
//!   nvidia/current_vgpu_type      0644   id, or 0
//!   nvidia/channel_errors         0444   channels of the vGPU that firmware has stopped
//!   nvidia/task_crashes           0444   crashes of its plugin task
//!
//!   write   not a number EINVAL, more than 32 bits ERANGE
//!           device is open EBUSY
//!           0 gives the type back, the same id changes nothing
//!           unknown id ENODEV, another VF has a different type EINVAL, type used up ENOSPC
//! ```
//!
//! A write happens as a whole or not at all.

use kernel::{
    fmt::Write as _,
    prelude::*,
    str::Formatter, //
};
use kernel_ext::sysfs::Attribute;
use vfio::pci::{
    Device,
    DeviceData, //
};

use crate::{
    driver::Vf,
    faults::Counters,
    manager::candidate,
    types::listing, //
};

kernel_ext::attribute_groups! {
    pub(crate) const GROUPS = {
        c"nvidia": [CreatableVgpuTypes, CurrentVgpuType, ChannelErrors, TaskCrashes],
    };
}

struct CreatableVgpuTypes;

#[vtable]
impl Attribute for CreatableVgpuTypes {
    type Source = DeviceData<Vf>;
    const NAME: &'static CStr = c"creatable_vgpu_types";
    const MODE: u16 = 0o444;

    fn show<'a>(dev: &'a Device<Vf>, out: &mut Formatter<'_>) -> Result {
        let state = dev.state.lock();
        let attachment = state.attachment.as_ref().ok_or(ENODEV)?;
        if state.selected.is_some() {
            return Ok(());
        }
        let manager = attachment.client();
        let selections = manager.selections();
        if selections.count() == 0 {
            out.write_str(listing::HEADER)?;
        }
        for vgpu_type in manager.types() {
            if selections.can_add(candidate(vgpu_type)).is_ok() {
                listing::line(out, vgpu_type.id, vgpu_type.name())?;
            }
        }
        Ok(())
    }
}

struct CurrentVgpuType;

#[vtable]
impl Attribute for CurrentVgpuType {
    type Source = DeviceData<Vf>;
    const NAME: &'static CStr = c"current_vgpu_type";
    const MODE: u16 = 0o644;

    fn show<'a>(dev: &'a Device<Vf>, out: &mut Formatter<'_>) -> Result {
        let id = dev.state.lock().selected_id();
        Ok(writeln!(out, "{id}")?)
    }

    fn store<'a>(dev: &'a Device<Vf>, buf: &[u8]) -> Result {
        let id = listing::parse_id(buf).map_err(|e| match e {
            listing::BadNumber::NotANumber => EINVAL,
            listing::BadNumber::OutOfRange => ERANGE,
        })?;
        let mut state = dev.state.lock();
        let attachment = state.attachment.as_ref().ok_or(ENODEV)?;
        if state.is_open() {
            return Err(EBUSY);
        }
        let manager = attachment.client();
        let new = match id {
            0 => None,
            id => Some(*manager.find_type(id).ok_or(ENODEV)?),
        };
        manager.select(state.selected_id(), new.as_ref())?;
        state.selected = new;
        Ok(())
    }
}

/// What was reported about the vGPU, or about the last one that the VF had.
fn faults(dev: &Device<Vf>) -> Result<Counters> {
    let state = dev.state.lock();
    let attachment = state.attachment.as_ref().ok_or(ENODEV)?;

    Ok(attachment.client().faults(dev.identity.index))
}

struct ChannelErrors;

#[vtable]
impl Attribute for ChannelErrors {
    type Source = DeviceData<Vf>;
    const NAME: &'static CStr = c"channel_errors";
    const MODE: u16 = 0o444;

    fn show<'a>(dev: &'a Device<Vf>, out: &mut Formatter<'_>) -> Result {
        let count = faults(dev)?.channel_errors;
        Ok(writeln!(out, "{count}")?)
    }
}

struct TaskCrashes;

#[vtable]
impl Attribute for TaskCrashes {
    type Source = DeviceData<Vf>;
    const NAME: &'static CStr = c"task_crashes";
    const MODE: u16 = 0o444;

    fn show<'a>(dev: &'a Device<Vf>, out: &mut Formatter<'_>) -> Result {
        let count = faults(dev)?.task_crashes;
        Ok(writeln!(out, "{count}")?)
    }
}
