// SPDX-License-Identifier: GPL-2.0

//! Making a GPU what the configuration says.
//!
//! ```text
//!   what is ──┐
//!             ├─> plan ─> enable VFs ─> bind ─> select types      each step only if needed
//!   what shall┘   └────> conflicts                                reported, never solved by force
//! ```
//!
//! What the configuration does not name stays as it is, so a second run does nothing, and a run
//! beside guests that have started since harms none of them.

use std::fmt;

use crate::address::Address;
use crate::config;
use crate::error::{Error, Result};
use crate::gpu::{self, Gpu, Vf, VF_DRIVER};
use crate::select::{self, Request};
use crate::sysfs::Sysfs;
use crate::types::Wanted;
use crate::vfs;

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    pub gpu: Address,
    pub change: Change,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    Enable(u16),
    Bind {
        index: u16,
    },
    Select {
        index: u16,
        wanted: Wanted,
        uuid: Option<String>,
        placement: Option<u16>,
    },
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.gpu)?;
        match &self.change {
            Change::Enable(count) => write!(f, ": enable {count} VFs"),
            Change::Bind { index } => write!(f, " VF {index}: bind to {VF_DRIVER}"),
            Change::Select {
                index,
                wanted,
                uuid,
                placement,
            } => {
                write!(f, " VF {index}: select type {wanted}")?;
                if let Some(placement) = placement {
                    write!(f, " at {placement}")?;
                }
                match uuid {
                    Some(uuid) => write!(f, " with UUID {uuid}"),
                    None => Ok(()),
                }
            }
        }
    }
}

/// What is to be done, and what cannot be done without taking something away from somebody.
#[derive(Debug, Default)]
pub struct Plan {
    pub steps: Vec<Step>,
    pub conflicts: Vec<Error>,
}

/// Compares. With `replace`, another type of a VF is no conflict.
pub fn plan(gpu: &Gpu, wanted: &config::Gpu, replace: bool) -> Plan {
    let mut plan = Plan::default();
    let address = gpu.address;
    let step = |change| Step {
        gpu: address,
        change,
    };
    if let Some(id) = wanted.id.as_ref().filter(|id| **id != gpu.id) {
        plan.conflicts.push(
            Error::new(format!(
                "{address} is {}, the configuration is for {id}",
                gpu.id
            ))
            .advice("if the board was exchanged, correct the file"),
        );
        return plan;
    }
    let count = wanted.vfs;
    if gpu.vfs.is_empty() && count > 0 {
        plan.steps.push(step(Change::Enable(count)));
    } else if gpu.vfs.len() != usize::from(count) {
        plan.conflicts.push(
            Error::new(format!(
                "{address} has {} VFs, the configuration wants {count}",
                gpu.vfs.len()
            ))
            .advice(format!(
                "the number can change only from 0: vgpuctl disable {address}"
            )),
        );
        return plan;
    }
    for index in 0..count {
        let (vf, wanted) = (gpu.vfs.get(usize::from(index)), wanted.vf(index));
        if wanted.is_some_and(|wanted| !wanted.bind) {
            continue;
        }
        if vf.and_then(|vf| vf.driver.as_deref()) != Some(VF_DRIVER) {
            plan.steps.push(step(Change::Bind { index }));
        }
        let Some((wanted, config)) = wanted.and_then(|w| Some((w.wanted.as_ref()?, w))) else {
            continue;
        };
        match vf.and_then(|vf| Some((vf, vf.vgpu_type()?))) {
            Some((vf, current)) if !means(gpu, wanted, current.id) && !replace => {
                plan.conflicts.push(
                    Error::new(format!(
                        "{} has the vGPU type {current}, the configuration wants {wanted}",
                        vf.address
                    ))
                    .advice("--replace changes it"),
                );
            }
            Some((vf, current)) if means(gpu, wanted, current.id) && has_all(vf, config) => {}
            _ => plan.steps.push(step(Change::Select {
                index,
                wanted: wanted.clone(),
                uuid: config.uuid.clone(),
                placement: config.placement,
            })),
        }
    }
    plan
}

/// A name may be known from another VF only.
fn means(gpu: &Gpu, wanted: &Wanted, id: u32) -> bool {
    match wanted {
        Wanted::Id(wanted) => *wanted == id,
        Wanted::Name(_) => gpu.known_types().any(|t| t.id == id && wanted.is(t)),
    }
}

/// UUID and placement, where the configuration says some.
fn has_all(vf: &Vf, wanted: &config::Vf) -> bool {
    let vgpu = vf.vgpu.as_ref();
    let uuid = vgpu.and_then(|vgpu| vgpu.uuid.as_deref());
    let placement = vgpu.and_then(|vgpu| vgpu.placement_id);
    let wanted_uuid = wanted.uuid.as_deref();
    wanted_uuid.is_none_or(|wanted| uuid.is_some_and(|uuid| uuid.eq_ignore_ascii_case(wanted)))
        && wanted
            .placement
            .is_none_or(|wanted| placement == Some(wanted))
}

/// Takes one step, from what is now: an earlier one may have made the VF.
pub fn apply(sysfs: &Sysfs, step: &Step, replace: bool) -> Result {
    let _lock = sysfs.lock(step.gpu)?;
    let gpu = gpu::at(sysfs, step.gpu)?;
    let vf = |index: u16| {
        gpu.vfs
            .get(usize::from(index))
            .ok_or_else(|| Error::new(format!("{}: there is no VF {index}", step.gpu)))
    };
    match &step.change {
        Change::Enable(count) => vfs::enable(sysfs, &gpu, Some(*count)),
        Change::Bind { index } => vfs::bind(sysfs, vf(*index)?),
        Change::Select {
            index,
            wanted,
            uuid,
            placement,
        } => {
            let request = Request {
                replace,
                uuid: uuid.as_deref(),
                placement: *placement,
            };
            select::select(sysfs, &gpu, vf(*index)?, wanted, request).map(drop)
        }
    }
}
