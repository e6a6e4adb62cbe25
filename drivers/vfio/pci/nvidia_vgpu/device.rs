// SPDX-License-Identifier: GPL-2.0

//! The guest's view of its device: configuration space and regions of the VFIO device file.
//!
//! ```text
//!   CONFIG  read    the core's bytes, then those of the type over them
//!           write   BAR1 kept here, COMMAND.BME told to the plugin, all of it to the core
//!   BAR1    info, read, write, mmap   end at the size of the type
//!   others  the core
//! ```

use kernel::{
    pci,
    prelude::*, //
};
use kernel_ext::pci::DeviceExt;
use vfio::{
    pci::{
        Device,
        Mapping,
        Read,
        RegionInfo,
        Write, //
    },
    uapi::region as index, //
};

use crate::{
    driver::Vf,
    types::VgpuType, //
};

pub(crate) mod config;
pub(crate) mod irq;
pub(crate) mod region;
pub(crate) mod reset;

use config::ConfigSpace;

/// Linux resource index of BAR1.
const BAR1: u32 = 1;

/// What a guest sees instead of the hardware.
#[derive(Clone, Copy)]
pub(crate) struct View {
    config: ConfigSpace,
    bar1_size: u64,
}

impl View {
    /// The view of a vGPU of `vgpu_type` on `pdev`.
    ///
    /// # Errors
    ///
    /// `ENODEV` when the VF has no BAR1.
    pub(crate) fn new(
        pdev: &pci::Device<kernel::device::Bound>,
        vgpu_type: &VgpuType,
    ) -> Result<Self> {
        let bar1_size = region::exposed_bar1(vgpu_type.bar1_size, pdev.resource_len(BAR1)?)
            .ok_or(ENODEV)
            .inspect_err(|_| dev_err!(pdev, "BAR1 is not assigned\n"))?;
        Ok(Self {
            config: ConfigSpace::new(vgpu_type.vdev_device, vgpu_type.vdev_subsystem, bar1_size),
            bar1_size,
        })
    }
}

/// The view, while the device is open.
fn view(dev: &Device<Vf>) -> Result<View> {
    (*dev.view.lock()).ok_or(ENODEV)
}

/// `read()` of the device file.
pub(crate) fn read(dev: &Device<Vf>, transfer: &mut Read<'_, Vf>) -> Result<usize> {
    match transfer.region() {
        index::CONFIG => {
            let count = transfer.forward()?;
            for overlay in view(dev)?.config.overlays() {
                let bytes = overlay.bytes();
                transfer.patch(overlay.offset..overlay.offset + bytes.len() as u64, bytes)?;
            }
            Ok(count)
        }
        index::BAR1 => {
            let size = view(dev)?.bar1_size;
            let len = region::clamp(transfer.offset(), transfer.len(), size).ok_or(EINVAL)?;
            transfer.forward_max(len)
        }
        _ => transfer.forward(),
    }
}

/// `write()` of the device file.
pub(crate) fn write(dev: &Device<Vf>, transfer: &mut Write<'_, Vf>) -> Result<usize> {
    match transfer.region() {
        index::CONFIG => write_config(dev, transfer),
        index::BAR1 => {
            let size = view(dev)?.bar1_size;
            let len = region::clamp(transfer.offset(), transfer.len(), size).ok_or(EINVAL)?;
            transfer.forward_max(len)
        }
        _ => transfer.forward(),
    }
}

fn write_config(dev: &Device<Vf>, transfer: &mut Write<'_, Vf>) -> Result<usize> {
    let mut bar1 = [0; 8];
    if let Some(part) = transfer.fetch(config::BAR1, &mut bar1)? {
        if let Some(view) = &mut *dev.view.lock() {
            let offset = config::BAR1.start + part.start as u64;
            view.config.write(offset, bar1.get(part).ok_or(EINVAL)?);
        }
    }
    let mut command = [0; 2];
    let Some(part) = transfer.fetch(config::COMMAND, &mut command)? else {
        return transfer.forward();
    };
    let offset = config::COMMAND.start + part.start as u64;
    let wanted = config::written_command(0, offset, command.get(part).ok_or(EINVAL)?);
    if wanted.is_some_and(|c| c & config::COMMAND_MASTER != 0) {
        // Before the VF can do DMA, the plugin has to agree.
        set_bus_master(dev, true)?;
    }
    let count = transfer.forward()?;
    // What counts is what the core made of it: user memory may have changed in between.
    set_bus_master(dev, dev.pdev().has_master()?)?;
    Ok(count)
}

/// Tells the plugin if bus mastering is not as it was last told.
///
/// # Errors
///
/// `EPERM` when the plugin does not allow it; what the message says.
fn set_bus_master(dev: &Device<Vf>, enable: bool) -> Result {
    let mut state = dev.state.lock();
    let Some(instance) = state.running().filter(|i| i.bme() != enable) else {
        // A guest whose vGPU is dead must not begin to do DMA.
        return if enable && state.is_dead() {
            Err(EIO)
        } else {
            Ok(())
        };
    };
    match instance.update_bme(enable) {
        Ok(allowed) if allowed || !enable => Ok(()),
        Ok(_) => {
            dev_err!(dev, "plugin: bus mastering is not allowed\n");
            Err(EPERM)
        }
        Err(e) => {
            dev_err!(dev, "bus mastering: {}\n", e);
            reset::fail_if_unusable(dev, &mut state);
            Err(e.into())
        }
    }
}

/// `VFIO_DEVICE_GET_REGION_INFO`.
pub(crate) fn region_info(dev: &Device<Vf>, info: &mut RegionInfo<'_, Vf>) -> Result {
    info.forward()?;
    if info.index() == index::BAR1 && info.size() != 0 {
        info.set_size(view(dev)?.bar1_size);
    }
    Ok(())
}

/// `mmap()` of the device file.
pub(crate) fn mmap(dev: &Device<Vf>, mapping: &Mapping<'_, Vf>) -> Result {
    if mapping.region() == index::BAR1
        && !region::contains(mapping.offset(), mapping.len(), view(dev)?.bar1_size)
    {
        return Err(EINVAL);
    }
    mapping.forward()
}
