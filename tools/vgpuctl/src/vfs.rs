// SPDX-License-Identifier: GPL-2.0

//! Making VFs, and binding them to the vGPU driver.
//!
//! ```text
//!   enable   sriov_drivers_autoprobe = 0     no other driver takes the VFs
//!            sriov_numvfs = n
//!            sriov_drivers_autoprobe = what it was
//!   bind     <VF>/driver/unbind              if another driver has it, and nobody uses it
//!            <VF>/driver_override            the ids of a VFIO variant driver match nothing else
//!            drivers_probe
//! ```
//!
//! Each step is left out where nothing is to be done, so that repeating a command does no harm.

use rustix::io::Errno;

use crate::address::Address;
use crate::error::{Error, Result};
use crate::gpu::{Gpu, Vf, PF_DRIVER, VF_DRIVER};
use crate::sysfs::Sysfs;

/// Enables `count` VFs of `gpu`, or all that there can be.
///
/// # Errors
///
/// Another number of VFs is enabled: they would have to go first, and somebody may count on them.
pub fn enable(sysfs: &Sysfs, gpu: &Gpu, count: Option<u16>) -> Result {
    let address = gpu.address;
    gpu.require_driver()?;
    let count = count.unwrap_or(gpu.vfs_total);
    if count > gpu.vfs_total {
        return Err(Error::new(format!(
            "{address}: cannot enable {count} VFs: the GPU has at most {}",
            gpu.vfs_total
        )));
    }
    if count == 0 {
        return Err(Error::new(format!("{address}: cannot enable 0 VFs"))
            .advice(format!("vgpuctl disable {address}")));
    }
    if gpu.vfs.len() == usize::from(count) {
        return Ok(());
    }
    if !gpu.vfs.is_empty() {
        return Err(Error::new(format!(
            "{address}: cannot enable {count} VFs: {} are enabled already",
            gpu.vfs.len()
        ))
        .advice(format!(
            "the number can change only from 0: vgpuctl disable {address}"
        )));
    }
    let autoprobe = sysfs.device(address).join("sriov_drivers_autoprobe");
    let before = sysfs.read(&autoprobe)?;
    let set = |value: &str| {
        sysfs
            .write(&autoprobe, value)
            .map_err(|e| Error::new(format!("{}: {e}", autoprobe.display())))
    };
    // A kernel without the attribute has no other driver that would want the VFs of this GPU.
    if before.is_some() {
        set("0")?;
    }
    let written = set_count(sysfs, gpu, count);
    match before {
        Some(before) => written.and(set(&before)),
        None => written,
    }
}

/// Removes all VFs of `gpu`; with `force` also when some have a type.
pub fn disable(sysfs: &Sysfs, gpu: &Gpu, force: bool) -> Result {
    if gpu.vfs.is_empty() {
        return Ok(());
    }
    let with_type: Vec<String> = gpu
        .vfs
        .iter()
        .filter_map(|vf| Some(format!("{} has {}", vf.address, vf.vgpu_type()?)))
        .collect();
    if !force && !with_type.is_empty() {
        return Err(Error::new(format!(
            "{}: VFs have vGPU types: {}",
            gpu.address,
            with_type.join(", ")
        ))
        .advice("'vgpuctl clear' takes types away; --force disables the VFs with them"));
    }
    set_count(sysfs, gpu, 0)
}

fn set_count(sysfs: &Sysfs, gpu: &Gpu, count: u16) -> Result {
    let address = gpu.address;
    let numvfs = sysfs.device(address).join("sriov_numvfs");
    sysfs.write(&numvfs, &count.to_string()).map_err(|e| {
        let error = Error::new(format!("{address}: cannot enable {count} VFs: {e}"));
        let errno = Errno::from_io_error(&e);
        match errno {
            Some(Errno::BUSY) => error.advice(format!("in use: {}", in_use(gpu))),
            Some(Errno::OPNOTSUPP) => error.advice(format!(
                "vGPU is off for this GPU; the log says why: dmesg | grep '{PF_DRIVER} {address}'"
            )),
            Some(Errno::IO) => error.advice(format!(
                "its GSP firmware does not answer; reset the GPU: echo 1 > /sys/bus/pci/devices/{address}/reset"
            )),
            Some(Errno::NOMEM) => error.advice(
                "the bridge above the GPU has no room for the BARs or the bus numbers of the VFs; \
                 enable SR-IOV and 64-bit BARs in the firmware of the machine, or boot with pci=realloc",
            ),
            Some(Errno::ACCESS | Errno::PERM) => error.advice("only root may do that"),
            _ => error.advice(format!("the log may say more: dmesg | grep {address}")),
        }
    })
}

/// VFs that somebody has open, for a message.
fn in_use(gpu: &Gpu) -> String {
    let used: Vec<String> = gpu
        .vfs
        .iter()
        .filter(|vf| !vf.open_by.is_empty())
        .map(|vf| format!("{} by {}", vf.address, vf.held_by()))
        .collect();
    if used.is_empty() {
        return "a VF, by a process that cannot be seen (root sees all)".to_owned();
    }
    used.join("; ")
}

/// Binds `vf` to the vGPU driver.
///
/// # Errors
///
/// The driver is not loaded or refuses; or another driver has the VF, and a process uses it: taking
/// it away would wait for that process.
pub fn bind(sysfs: &Sysfs, vf: &Vf) -> Result {
    let address = vf.address;
    if vf.driver.as_deref() == Some(VF_DRIVER) {
        return Ok(());
    }
    if !sysfs.driver(VF_DRIVER).is_dir() {
        return Err(
            Error::new(format!("{address}: the driver {VF_DRIVER} is not loaded"))
                .advice(format!("modprobe {VF_DRIVER}")),
        );
    }
    release(sysfs, vf)?;
    let dir = sysfs.device(address);
    let driver_override = dir.join("driver_override");
    let set_override = |name: &str| {
        sysfs
            .write(&driver_override, name)
            .map_err(|e| refused(address, &format!("cannot write driver_override: {e}")))
    };
    set_override(VF_DRIVER)?;
    let probed = sysfs.write(&sysfs.drivers_probe(), &address.to_string());
    let driver = sysfs.link(&dir.join("driver"));
    if driver.as_deref() == Some(VF_DRIVER) {
        return Ok(());
    }
    // As it was: the next driver that is loaded may be the one that somebody wants.
    set_override(vf.driver_override.as_deref().unwrap_or("\n"))?;
    Err(match probed {
        Err(e) => refused(address, &format!("{VF_DRIVER} does not take it: {e}")),
        Ok(()) => refused(address, &format!("{VF_DRIVER} does not take it")),
    })
}

/// Takes `vf` from the vGPU driver and forgets that it belonged there.
pub fn unbind(sysfs: &Sysfs, vf: &Vf) -> Result {
    let address = vf.address;
    if let Some(vgpu_type) = vf.vgpu_type() {
        return Err(
            Error::new(format!("{address} has the vGPU type {vgpu_type}"))
                .advice(format!("take it away first: vgpuctl clear {address}")),
        );
    }
    if vf.driver.as_deref() == Some(VF_DRIVER) {
        release(sysfs, vf)?;
    }
    if vf.driver_override.as_deref() == Some(VF_DRIVER) {
        let file = sysfs.device(address).join("driver_override");
        sysfs
            .write(&file, "\n")
            .map_err(|e| refused(address, &format!("cannot write driver_override: {e}")))?;
    }
    Ok(())
}

/// Takes `vf` from its driver, if it has one.
fn release(sysfs: &Sysfs, vf: &Vf) -> Result {
    let address = vf.address;
    let Some(driver) = &vf.driver else {
        return Ok(());
    };
    if !vf.open_by.is_empty() {
        return Err(Error::new(format!(
            "{address} is bound to {driver} and in use by {}",
            vf.held_by()
        ))
        .advice("end that first: taking the VF away would wait for it"));
    }
    sysfs
        .write(&sysfs.driver(driver).join("unbind"), &address.to_string())
        .map_err(|e| refused(address, &format!("{driver} does not let go of it: {e}")))
}

fn refused(address: Address, what: &str) -> Error {
    Error::new(format!("{address}: cannot bind: {what}"))
        .advice(format!("the log may say more: dmesg | grep {address}"))
}
