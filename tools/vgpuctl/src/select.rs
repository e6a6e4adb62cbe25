// SPDX-License-Identifier: GPL-2.0

//! Choosing the vGPU type of a VF, and taking it away.
//!
//! The kernel decides; this asks it in one write, and explains its answer. What it would do to
//! somebody else's choice (a VF that has another type) is refused here unless asked for.

use std::io;

use rustix::io::Errno;

use crate::error::{Error, Result};
use crate::gpu::{self, Gpu, Vf};
use crate::sysfs::Sysfs;
use crate::types::{self, VgpuType, Wanted};

/// What became of a request.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The VF has the type now.
    Selected(VgpuType),
    /// It had it before.
    Unchanged(VgpuType),
}

/// Options of [`select`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Request<'a> {
    /// Takes the place of another type.
    pub replace: bool,
    /// UUID for the vGPU, which its plugin and its licence know it by.
    pub uuid: Option<&'a str>,
    /// Where on the GPU the vGPU shall be.
    pub placement: Option<u16>,
}

/// Gives `vf` of `gpu` the type `wanted`.
pub fn select(
    sysfs: &Sysfs,
    gpu: &Gpu,
    vf: &Vf,
    wanted: &Wanted,
    request: Request<'_>,
) -> Result<Outcome> {
    let address = vf.address;
    let vgpu = vf.require_vgpu()?;
    let named = resolve(gpu, wanted);
    if let Some(current) = &vgpu.vgpu_type {
        if named.as_ref().is_some_and(|named| named.id == current.id) || wanted.is(current) {
            set_uuid(sysfs, vf, request.uuid)?;
            set_placement(sysfs, vf, vgpu.placement_id, request.placement)?;
            return Ok(Outcome::Unchanged(current.clone()));
        }
        if !request.replace {
            return Err(Error::new(format!(
                "{address} has the vGPU type {current}, not {wanted}"
            ))
            .advice(format!(
                "--replace changes it; 'vgpuctl clear {address}' takes it away"
            )));
        }
    }
    let Some(vgpu_type) = named else {
        return Err(unknown(gpu, vf, wanted));
    };
    set_uuid(sysfs, vf, request.uuid)?;
    let file = sysfs.device(address).join("nvidia/current_vgpu_type");
    sysfs
        .write(&file, &vgpu_type.id.to_string())
        .map_err(|e| refused(sysfs, gpu, vf, &vgpu_type, &e))?;
    if let Err(e) = set_placement(sysfs, vf, None, request.placement) {
        // All or nothing; a type that nobody uses is always given back.
        let before = vgpu.vgpu_type.as_ref().map_or(0, |t| t.id);
        let _ = sysfs.write(&file, &before.to_string());
        return Err(e);
    }
    Ok(Outcome::Selected(vgpu_type))
}

/// The type that `wanted` means on `gpu`. An id may be tried also when no VF lists it.
fn resolve(gpu: &Gpu, wanted: &Wanted) -> Option<VgpuType> {
    let known = gpu.known_types().find(|t| wanted.is(t)).cloned();
    match wanted {
        Wanted::Id(id) => Some(known.unwrap_or(VgpuType {
            id: *id,
            name: None,
        })),
        Wanted::Name(_) => known,
    }
}

fn unknown(gpu: &Gpu, vf: &Vf, wanted: &Wanted) -> Error {
    Error::new(format!(
        "{}: no vGPU type '{wanted}' can be created",
        vf.address
    ))
    .advice(can_be_created(gpu))
}

fn can_be_created(gpu: &Gpu) -> String {
    format!(
        "types that can be created on {} now: {}",
        gpu.address,
        types::in_one_line(gpu.creatable())
    )
}

fn refused(sysfs: &Sysfs, gpu: &Gpu, vf: &Vf, vgpu_type: &VgpuType, e: &io::Error) -> Error {
    let error = Error::new(format!(
        "{}: cannot select vGPU type {vgpu_type}: {e}",
        vf.address
    ));
    // The lists have changed if somebody was faster.
    let now = gpu::at(sysfs, gpu.address);
    let gpu = now.as_ref().unwrap_or(gpu);
    match Errno::from_io_error(e) {
        Some(Errno::NODEV) => error.advice(format!(
            "the GPU has no type of that id, or not as it is set up (ECC); {}",
            can_be_created(gpu)
        )),
        Some(Errno::NOSPC) => {
            error.advice(format!("no place is left for it; {}", can_be_created(gpu)))
        }
        Some(Errno::INVAL) => error.advice(format!(
            "it does not go with what other VFs have ({}); {}",
            selected(gpu),
            can_be_created(gpu)
        )),
        _ => explain(error, vf, e),
    }
}

/// Advice for errors that are not about types.
fn explain(error: Error, vf: &Vf, e: &io::Error) -> Error {
    let address = vf.address;
    match Errno::from_io_error(e) {
        Some(Errno::BUSY) => error.advice(format!("the device is open: {}", vf.held_by())),
        Some(Errno::ACCESS | Errno::PERM) => error.advice("only root may do that"),
        Some(Errno::NOENT) => error.advice(format!(
            "the driver has no such attribute, or has just lost the VF: vgpuctl list {address}"
        )),
        _ => error.advice(format!("the log may say more: dmesg | grep {address}")),
    }
}

/// Types that VFs have, for a message.
fn selected(gpu: &Gpu) -> String {
    let with: Vec<String> = gpu
        .vfs
        .iter()
        .filter_map(|vf| Some(format!("{}: {}", vf.address, vf.vgpu_type()?)))
        .collect();
    if with.is_empty() {
        return "none has a type".to_owned();
    }
    with.join(", ")
}

fn set_uuid(sysfs: &Sysfs, vf: &Vf, uuid: Option<&str>) -> Result {
    let Some(uuid) = uuid else {
        return Ok(());
    };
    let current = vf.vgpu.as_ref().and_then(|vgpu| vgpu.uuid.as_deref());
    if current.is_some_and(|current| current.eq_ignore_ascii_case(uuid)) {
        return Ok(());
    }
    let file = sysfs.device(vf.address).join("nvidia/uuid");
    sysfs.write(&file, uuid).map_err(|e| {
        let error = Error::new(format!("{}: cannot set UUID {uuid}: {e}", vf.address));
        match Errno::from_io_error(&e) {
            Some(Errno::EXIST) => error.advice("another VF of the GPU has it"),
            _ => explain(error, vf, &e),
        }
    })
}

fn set_placement(sysfs: &Sysfs, vf: &Vf, current: Option<u16>, placement: Option<u16>) -> Result {
    let Some(placement) = placement.filter(|wanted| current != Some(*wanted)) else {
        return Ok(());
    };
    let file = sysfs.device(vf.address).join("nvidia/placement_id");
    sysfs.write(&file, &placement.to_string()).map_err(|e| {
        let error = Error::new(format!(
            "{}: cannot place the vGPU at {placement}: {e}",
            vf.address
        ));
        match Errno::from_io_error(&e) {
            Some(Errno::INVAL) => {
                error.advice("the type cannot be there; sizes have places of their own")
            }
            Some(Errno::NOSPC) => error.advice("another vGPU is there"),
            _ => explain(error, vf, &e),
        }
    })
}

/// The first VF of `gpu` that is bound, has no type, and is not open.
pub fn first_free(gpu: &Gpu) -> Result<&Vf> {
    let free = |vf: &&Vf| {
        let vgpu = vf.vgpu.as_ref();
        vgpu.is_some_and(|vgpu| vgpu.vgpu_type.is_none()) && vf.open_by.is_empty()
    };
    gpu.vfs.iter().find(free).ok_or_else(|| {
        let address = gpu.address;
        let (all, unbound) = (
            gpu.vfs.len(),
            gpu.vfs.iter().filter(|vf| vf.vgpu.is_none()).count(),
        );
        let error = Error::new(format!("{address}: no VF is free"));
        error.advice(match (all, unbound) {
            (0, _) => format!("no VF is enabled: vgpuctl enable {address}"),
            (_, 0) => format!("all {all} VFs have a type: {}", selected(gpu)),
            _ => format!(
                "{unbound} of {all} VFs are not bound to the vGPU driver: vgpuctl bind {address}"
            ),
        })
    })
}

/// Takes the type of `vf` away; with `only`, if it is that one: a tool that comes late must not take
/// away what somebody else has chosen since. Returns the type that it had.
pub fn clear(sysfs: &Sysfs, vf: &Vf, only: Option<&Wanted>) -> Result<Option<VgpuType>> {
    let address = vf.address;
    let Some(current) = &vf.require_vgpu()?.vgpu_type else {
        return Ok(None);
    };
    if let Some(only) = only.filter(|only| !only.is(current)) {
        return Err(
            Error::new(format!("{address} has the vGPU type {current}, not {only}"))
                .advice("nothing was changed: somebody else may have chosen it"),
        );
    }
    let file = sysfs.device(address).join("nvidia/current_vgpu_type");
    sysfs.write(&file, "0").map_err(|e| {
        let error = Error::new(format!(
            "{address}: cannot take vGPU type {current} away: {e}"
        ));
        explain(error, vf, &e)
    })?;
    Ok(Some(current.clone()))
}
