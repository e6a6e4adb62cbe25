// SPDX-License-Identifier: GPL-2.0

//! The guest's view of its device: configuration space and regions of the VFIO device file.
//!
//! ```text
//!   CONFIG  read    the core's bytes and our own, piece by piece: see `config`
//!           write   BAR1 kept here, COMMAND.BME told to the plugin, the rest to the core, which
//!                   has to do a function level reset when it is asked for one
//!   BAR0    info    what can be mapped; read and write reach all of it
//!   BAR1    all     ends at the size of the type: see `region`
//!   BAR3            the core
//!   others          not there
//! ```
//!
//! Memory of a BAR answers while COMMAND.MEM is set and the VF is not in D3hot. Otherwise accesses
//! give EIO and touched pages SIGBUS, as they do on every device of VFIO that has the bit.

use core::ops::Range;
use kernel::{
    pci,
    prelude::*,
    sync::atomic::Relaxed,
    time::{
        delay::fsleep,
        Delta, //
    }, //
};
use kernel_ext::pci::DeviceExt;
use vfio::{
    pci::{
        Area,
        Device,
        Direction,
        Mapping,
        Read,
        RegionInfo,
        Transfer,
        Write, //
    },
    uapi::region as index, //
};

use crate::{
    driver::Vf,
    types::VgpuType, //
};

pub(crate) mod capabilities;
pub(crate) mod config;
pub(crate) mod irq;
pub(crate) mod region;
pub(crate) mod reset;

use capabilities::Chain;
use config::{
    ConfigSpace,
    Source, //
};
use region::{
    Bar0,
    Bar1, //
};

/// How often a function level reset of the guest is tried, and the time in between. All together is
/// enough for a reset through sysfs, which keeps others from it, and bearable for a virtual CPU.
const RESET_ATTEMPTS: u32 = 250;
const RESET_PAUSE: Delta = Delta::from_millis(20);

/// What a guest sees instead of the hardware.
pub(crate) struct View {
    config: ConfigSpace,
    bar0: Bar0,
    bar1: Bar1,
}

impl View {
    /// The view of a vGPU of `vgpu_type` on `pdev`.
    ///
    /// # Errors
    ///
    /// `ENODEV` when the VF lacks something that every vGPU has.
    pub(crate) fn new(
        pdev: &pci::Device<kernel::device::Bound>,
        vgpu_type: &VgpuType,
    ) -> Result<Self> {
        // All ones are what hardware reads where nothing is.
        let chain = Chain::new(|at| pdev.config_read32(at).unwrap_or(!0)).map_err(|missing| {
            dev_err!(pdev, "the VF has no {}\n", missing.0);
            ENODEV
        })?;
        let bar1 = Bar1::new(vgpu_type.bar1_size, pdev.resource_len(index::BAR1)?)
            .ok_or(ENODEV)
            .inspect_err(|_| dev_err!(pdev, "BAR1 is not assigned\n"))?;
        let msix = chain.msix();
        let bar0 = Some(msix)
            .filter(|msix| msix.bar == index::BAR0)
            .and_then(|msix| {
                let table = msix.offset..msix.offset.checked_add(msix.size)?;
                let size = pdev.resource_len(index::BAR0).ok()?;
                Bar0::new(size, table, vgpu_type.max_instance > 1)
            })
            .ok_or(ENODEV)
            .inspect_err(|_| {
                dev_err!(
                    pdev,
                    "the MSI-X table is in BAR {} at {:#x}, not where GPUs have it\n",
                    msix.bar,
                    msix.offset
                );
            })?;

        Ok(Self {
            config: ConfigSpace::new(
                vgpu_type.vdev_device,
                vgpu_type.vdev_subsystem,
                bar1.size,
                &chain,
            ),
            bar0,
            bar1,
        })
    }
}

/// Looks at the view, which there is while the device is open.
fn with_view<R>(dev: &Device<Vf>, look: impl FnOnce(&mut View) -> R) -> Result<R> {
    (*dev.view.lock()).as_mut().map(look).ok_or(ENODEV)
}

/// Has the hardware take its part of an access to a BAR. Returns how many bytes it has taken, and how
/// many the BAR takes.
fn access_bar<D: Direction>(
    dev: &Device<Vf>,
    transfer: &mut Transfer<'_, Vf, D>,
) -> Result<(usize, usize)> {
    let (offset, len) = (transfer.offset(), transfer.len());

    if !transfer.enabled().memory_switched_on() {
        return Err(EIO);
    }
    if transfer.region() != index::BAR1 {
        let count = transfer.forward_part(0..len)?;
        return Ok((count, count));
    }
    let split = with_view(dev, |view| view.bar1.split(offset, len))?;
    let (backed, taken) = split.ok_or(EINVAL)?;
    if backed > 0 {
        transfer.forward_part(0..backed)?;
    } else if !transfer.enabled().memory_enabled() {
        return Err(EIO);
    }
    Ok((backed, taken))
}

/// Takes an access to configuration space piece by piece: `take` gets the bytes of the transfer that
/// a piece has, and who answers for them. As the core does it, an access that leaves the space fails
/// as a whole.
fn access_config<'a, D: Direction>(
    dev: &Device<Vf>,
    transfer: &mut Transfer<'a, Vf, D>,
    take: impl Fn(&mut Transfer<'a, Vf, D>, Range<usize>, Source) -> Result,
) -> Result<usize> {
    let (offset, len) = (transfer.offset(), transfer.len());
    let mut done = 0;

    if !region::contains(offset, len as u64, config::SIZE) {
        return Err(EFAULT);
    }
    while done < len {
        let piece = with_view(dev, |view| {
            view.config.piece(offset + done as u64, len - done)
        })?;
        let Some(piece) = piece else {
            break;
        };
        take(transfer, done..done + piece.len, piece.source)?;
        done += piece.len;
    }
    transfer.complete(done)
}

/// `read()` of the device file.
#[inline]
pub(crate) fn read(dev: &Device<Vf>, transfer: &mut Read<'_, Vf>) -> Result<usize> {
    match transfer.region() {
        index::CONFIG => access_config(dev, transfer, read_config),
        index::BAR0..=index::BAR5 => {
            let (done, taken) = access_bar(dev, transfer)?;
            transfer.fill(done..taken, 0xff)?;
            transfer.complete(taken)
        }
        _ => Err(EINVAL),
    }
}

fn read_config(transfer: &mut Read<'_, Vf>, part: Range<usize>, source: Source) -> Result {
    match source {
        Source::Core => transfer.forward_part(part).map(|_| ()),
        Source::Own(bytes) | Source::Bar1(bytes) => {
            transfer.put(part.start, bytes.get(..part.len()).ok_or(EINVAL)?)
        }
        Source::Nobody => transfer.fill(part, 0),
    }
}

/// `write()` of the device file.
#[inline]
pub(crate) fn write(dev: &Device<Vf>, transfer: &mut Write<'_, Vf>) -> Result<usize> {
    match transfer.region() {
        index::CONFIG => access_config(dev, transfer, |transfer, part, source| {
            write_config(dev, transfer, part, source)
        }),
        index::BAR0..=index::BAR5 => {
            let (_, taken) = access_bar(dev, transfer)?;
            transfer.complete(taken)
        }
        _ => Err(EINVAL),
    }
}

fn write_config(
    dev: &Device<Vf>,
    transfer: &mut Write<'_, Vf>,
    part: Range<usize>,
    source: Source,
) -> Result {
    let at = transfer.offset() + part.start as u64;

    match source {
        Source::Core if at == config::COMMAND => write_command(dev, transfer, part),
        Source::Core if asks_for_reset(dev, transfer, &part)? => write_reset(dev, transfer, part),
        Source::Core => transfer.forward_part(part).map(|_| ()),
        Source::Bar1(mut bytes) => {
            let bytes = bytes.get_mut(..part.len()).ok_or(EINVAL)?;
            transfer.get(part.start, bytes)?;
            with_view(dev, |view| view.config.write_bar1(at, bytes))
        }
        Source::Own(_) | Source::Nobody => Ok(()),
    }
}

/// Whether the guest starts a function level reset with bytes `part` of the transfer.
fn asks_for_reset(
    dev: &Device<Vf>,
    transfer: &mut Write<'_, Vf>,
    part: &Range<usize>,
) -> Result<bool> {
    let at = transfer.offset() + part.start as u64;
    let Some(byte) = with_view(dev, |view| view.config.reset_byte(at, part.len()))? else {
        return Ok(false);
    };
    let mut control = [0];
    transfer.get(part.start + byte, &mut control)?;
    Ok(control[0] & capabilities::RESET != 0)
}

/// Writes bytes `part` of the transfer, with which the guest starts a function level reset.
///
/// The core resets the function before it returns, but does not say if it could: not when somebody
/// else has the device locked, nor when the administrator has taken away every method of a reset.
/// For the guest, what it had would be gone.
fn write_reset(dev: &Device<Vf>, transfer: &mut Write<'_, Vf>, part: Range<usize>) -> Result {
    let before = dev.resets.load(Relaxed);
    for attempt in 0..RESET_ATTEMPTS {
        if attempt != 0 {
            // Nobody tells that the lock is free again.
            fsleep(RESET_PAUSE);
        }
        transfer.forward_part(part.clone())?;
        if dev.resets.load(Relaxed) != before {
            return Ok(());
        }
    }
    reset::missed(dev);
    Ok(())
}

/// Writes bytes `part` of the transfer, which begin with the command register.
fn write_command(dev: &Device<Vf>, transfer: &mut Write<'_, Vf>, part: Range<usize>) -> Result {
    let mut command = [0];
    transfer.get(part.start, &mut command)?;
    let master = command[0] & config::COMMAND_MASTER != 0;
    if master {
        // Before the VF can do DMA, the plugin has to agree.
        tell_bus_master(dev, || Ok(true))?;
    }
    transfer.forward_part(part)?;
    if master && dev.state.lock().allows_bus_master() {
        // On or off, the plugin agrees: nobody else has switched it off in between. The register,
        // which takes longer to read than all of this, need not be read.
        return Ok(());
    }
    // What counts is what the core made of it: user memory may have changed in between.
    tell_bus_master(dev, || dev.pdev().has_master()).inspect_err(|_| {
        if dev.pdev().clear_master().is_err() {
            dev_err!(dev, "bus mastering cannot be switched off\n");
        }
    })
}

/// Tells the plugin if bus mastering is not as it was last told. `state` is asked while nobody else
/// can tell it anything, so that the last one who changes the register is right.
///
/// # Errors
///
/// `EPERM` when the plugin does not allow it, `EIO` when there is no plugin any more; what the
/// message says.
fn tell_bus_master(dev: &Device<Vf>, state: impl FnOnce() -> Result<bool>) -> Result {
    let mut vgpu = dev.state.lock();
    let enable = state()?;
    let Some(instance) = vgpu.running().filter(|i| i.bme() != enable) else {
        // A guest whose vGPU is dead must not begin to do DMA.
        return if enable && vgpu.is_dead() {
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
            reset::fail_if_unusable(dev, &mut vgpu);
            Err(e.into())
        }
    }
}

/// `VFIO_DEVICE_GET_REGION_INFO`.
pub(crate) fn region_info(dev: &Device<Vf>, info: &mut RegionInfo<'_, Vf>) -> Result {
    match info.index() {
        index::BAR0 => {
            let flags = index::FLAG_READ | index::FLAG_WRITE;
            if !info.core_maps(index::BAR0) {
                info.set_own(dev.pdev().resource_len(index::BAR0)?, flags);
                return Ok(());
            }
            let (areas, count) = with_view(dev, |view| {
                let areas = view
                    .bar0
                    .areas()
                    .map(|(offset, size)| Area { offset, size });
                (areas, view.bar0.count())
            })?;
            info.set_own(
                dev.pdev().resource_len(index::BAR0)?,
                flags | index::FLAG_MMAP,
            );
            info.add_sparse(areas, count)
        }
        index::BAR1 => {
            let bar1 = with_view(dev, |view| view.bar1)?;
            info.forward()?;
            info.set_size(bar1.size);
            if bar1.backed == bar1.size || info.flags() & index::FLAG_MMAP == 0 {
                return Ok(());
            }
            let backed = Area {
                offset: 0,
                size: bar1.backed,
            };
            info.add_sparse([backed], 1)
        }
        index::BAR2..=index::BAR5 | index::CONFIG => info.forward(),
        index::ROM => {
            info.set_own(0, 0);
            Ok(())
        }
        _ => Err(EINVAL),
    }
}

/// `mmap()` of the device file.
pub(crate) fn mmap(dev: &Device<Vf>, mapping: &Mapping<'_, Vf>) -> Result {
    if mapping.region() == index::BAR1 {
        let size = with_view(dev, |view| view.bar1.size)?;
        if !region::contains(mapping.offset(), mapping.len(), size) {
            return Err(EINVAL);
        }
    }
    mapping.forward()
}

/// May these bytes of a BAR be mapped or exported? Called with the core's memory lock held, in which
/// the lock of the view nests.
pub(crate) fn mappable(dev: &Device<Vf>, region: u32, range: &Range<u64>) -> bool {
    let allowed = with_view(dev, |view| match region {
        index::BAR0 => view.bar0.is_mappable(range),
        index::BAR1 => view.bar1.is_mappable(range),
        _ => true,
    });

    allowed.unwrap_or(false)
}
