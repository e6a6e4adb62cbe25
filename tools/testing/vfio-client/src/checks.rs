// SPDX-License-Identifier: GPL-2.0

//! What a VMM does with a device that it has opened, one function each.

use crate::memory::Memory;
use std::error::Error;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use vfio_bindings::bindings::vfio::{
    VFIO_PCI_BAR0_REGION_INDEX, VFIO_PCI_BAR1_REGION_INDEX, VFIO_PCI_BAR5_REGION_INDEX,
    VFIO_PCI_CONFIG_REGION_INDEX, VFIO_PCI_ERR_IRQ_INDEX, VFIO_PCI_INTX_IRQ_INDEX,
    VFIO_PCI_MSIX_IRQ_INDEX, VFIO_PCI_REQ_IRQ_INDEX, VFIO_REGION_INFO_FLAG_MMAP,
    VFIO_REGION_INFO_FLAG_READ, VFIO_REGION_INFO_FLAG_WRITE,
};
use vfio_ioctls::{VfioDevice, VfioOps, VfioRegionInfoCap};
use vmm_sys_util::eventfd::{EventFd, EFD_NONBLOCK};

/// An open device. The device goes first.
pub struct Client {
    pub device: VfioDevice,
    pub ops: Arc<dyn VfioOps>,
}

type Outcome = Result<(), Box<dyn Error>>;
type Check = fn(&Client, &Path) -> Outcome;

/// All checks, in their order.
pub const ALL: &[(&str, Check)] = &[
    ("regions", regions),
    ("interrupts", interrupts),
    ("config space has the ids of the VF", config_ids),
    ("BAR1 is the same mapped and read", mapped_memory),
    ("memory for DMA", dma),
    ("MSI-X reaches its eventfds", msix),
    ("error and request events", events),
    ("reset", reset),
    ("no migration is pretended", migration),
];

const COMMAND: u64 = 0x04;
const COMMAND_MEMORY: u16 = 1 << 1;
const PAGE: usize = 4096;
/// Enables interrupts 0 to 31 of the VF (NVIDIA open-gpu-doc, ampere dev_vm.ref.txt); a reset
/// clears it.
const INTR_LEAF_EN_SET: usize = 0x1200;
/// Where memory for DMA is mapped: above what x86 keeps for messages.
const IOVA: u64 = 4 << 30;

fn ensure(holds: bool, what: impl FnOnce() -> String) -> Outcome {
    if holds {
        Ok(())
    } else {
        Err(what().into())
    }
}

fn config_word(device: &VfioDevice, offset: u64) -> u16 {
    // The crate does not tell of a read that fails: the bytes then stay as they are.
    let mut bytes = [0xff; 2];
    device.region_read(VFIO_PCI_CONFIG_REGION_INDEX, &mut bytes, offset);
    u16::from_le_bytes(bytes)
}

/// Regions 0 to 5 are BARs: with a size, a power of two, or absent; what is mapped in parts says so.
fn regions(client: &Client, _: &Path) -> Outcome {
    let device = &client.device;
    for index in VFIO_PCI_BAR0_REGION_INDEX..=VFIO_PCI_BAR5_REGION_INDEX {
        let size = device.get_region_size(index);
        let flags = device.get_region_flags(index);
        if size == 0 {
            ensure(flags == 0, || {
                format!("BAR {index} is absent with flags {flags:#x}")
            })?;
            continue;
        }
        ensure(size.is_power_of_two(), || {
            format!("BAR {index} has {size:#x} bytes")
        })?;
        let access = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE;
        ensure(flags & access == access, || {
            format!("BAR {index}: flags {flags:#x}")
        })?;
        for cap in device.get_region_caps(index) {
            let VfioRegionInfoCap::SparseMmap(sparse) = cap else {
                continue;
            };
            for area in &sparse.areas {
                let end = area.offset.checked_add(area.size);
                ensure(end.is_some_and(|end| end <= size), || {
                    format!(
                        "BAR {index}: area {:#x} of {:#x} bytes",
                        area.offset, area.size
                    )
                })?;
            }
        }
    }
    for index in [VFIO_PCI_BAR0_REGION_INDEX, VFIO_PCI_BAR1_REGION_INDEX] {
        ensure(
            device.get_region_flags(index) & VFIO_REGION_INFO_FLAG_MMAP != 0,
            || format!("BAR {index} cannot be mapped"),
        )?;
    }
    let config = device.get_region_size(VFIO_PCI_CONFIG_REGION_INDEX);
    ensure(config == 4096, || {
        format!("config space has {config} bytes")
    })
}

fn interrupts(client: &Client, _: &Path) -> Outcome {
    let count = |index| client.device.get_irq_info(index).map_or(0, |irq| irq.count);
    let counts = [
        VFIO_PCI_INTX_IRQ_INDEX,
        VFIO_PCI_ERR_IRQ_INDEX,
        VFIO_PCI_REQ_IRQ_INDEX,
    ]
    .map(count);
    ensure(counts == [0, 1, 1], || {
        format!("INTx, ERR, REQ: {counts:?}")
    })?;
    ensure(count(VFIO_PCI_MSIX_IRQ_INDEX) > 0, || "no MSI-X".to_owned())?;
    ensure(
        client.device.max_interrupts() == count(VFIO_PCI_MSIX_IRQ_INDEX),
        || "MSI-X is not the largest".to_owned(),
    )
}

fn config_ids(client: &Client, sysfs: &Path) -> Outcome {
    for (offset, name) in [(0, "vendor"), (2, "device")] {
        let text = fs::read_to_string(sysfs.join(name))?;
        let value = u16::from_str_radix(text.trim().trim_start_matches("0x"), 16)?;
        let found = config_word(&client.device, offset);
        ensure(found == value, || {
            format!("{name}: {found:#x}, sysfs {value:#x}")
        })?;
    }
    Ok(())
}

fn enable_memory(device: &VfioDevice) -> Outcome {
    let command = config_word(device, COMMAND) | COMMAND_MEMORY;
    device.region_write(
        VFIO_PCI_CONFIG_REGION_INDEX,
        &command.to_le_bytes(),
        COMMAND,
    );
    ensure(config_word(device, COMMAND) == command, || {
        "COMMAND".to_owned()
    })
}

fn map_bar(device: &VfioDevice, index: u32, len: usize) -> Result<Memory, Box<dyn Error>> {
    Ok(Memory::of_device(
        device,
        device.get_region_offset(index),
        len,
    )?)
}

/// A word at both ends of BAR1, each way.
fn mapped_memory(client: &Client, _: &Path) -> Outcome {
    let device = &client.device;
    let index = VFIO_PCI_BAR1_REGION_INDEX;
    let size = usize::try_from(device.get_region_size(index))?;
    enable_memory(device)?;
    let bar1 = map_bar(device, index, size)?;
    for (seed, offset) in (0x1357_0000u32..).zip([0, size / 2, size - 4]) {
        bar1.write(offset, seed);
        let mut bytes = [0; 4];
        device.region_read(index, &mut bytes, offset as u64);
        let read = u32::from_le_bytes(bytes);
        ensure(read == seed, || {
            format!("at {offset:#x}: mapped {seed:#x}, read {read:#x}")
        })?;
        device.region_write(index, &(!seed).to_le_bytes(), offset as u64);
        ensure(bar1.read(offset) == !seed, || {
            format!(
                "at {offset:#x}: written {:#x}, mapped {:#x}",
                !seed,
                bar1.read(offset)
            )
        })?;
    }
    Ok(())
}

/// The IOMMU takes memory for the device, once, and gives it back.
fn dma(client: &Client, _: &Path) -> Outcome {
    let memory = Memory::anonymous(16 * PAGE)?;
    let map = || {
        // SAFETY: `memory` is only accessed by its volatile words, and stays mapped until the
        // device cannot reach it any more.
        unsafe {
            client
                .ops
                .vfio_dma_map(IOVA, memory.len(), memory.as_mut_ptr())
        }
    };
    map()?;
    ensure(map().is_err(), || {
        "the same addresses were mapped twice".to_owned()
    })?;
    client.ops.vfio_dma_unmap(IOVA, memory.len())?;
    Ok(())
}

fn raised(event: &EventFd) -> bool {
    matches!(event.read(), Ok(1))
}

fn msix(client: &Client, _: &Path) -> Outcome {
    let device = &client.device;
    let count = device.max_interrupts();
    let events = (0..count)
        .map(|_| EventFd::new(EFD_NONBLOCK))
        .collect::<Result<Vec<_>, _>>()?;
    device.enable_msix(events.iter().collect())?;
    for (vector, event) in (0..).zip(&events) {
        device.trigger_irq(VFIO_PCI_MSIX_IRQ_INDEX, vector)?;
        ensure(raised(event), || {
            format!("vector {vector} was not raised once")
        })?;
    }
    ensure(!events.iter().any(raised), || {
        "a vector was raised twice".to_owned()
    })?;
    device.disable_msix()?;
    Ok(())
}

fn events(client: &Client, _: &Path) -> Outcome {
    for index in [VFIO_PCI_ERR_IRQ_INDEX, VFIO_PCI_REQ_IRQ_INDEX] {
        let event = EventFd::new(EFD_NONBLOCK)?;
        client.device.enable_irq(index, vec![&event])?;
        client.device.trigger_irq(index, 0)?;
        ensure(raised(&event), || {
            format!("event {index} was not raised once")
        })?;
        client.device.disable_irq(index)?;
    }
    Ok(())
}

/// What the device was told before a reset is gone, and it works.
fn reset(client: &Client, sysfs: &Path) -> Outcome {
    let device = &client.device;
    enable_memory(device)?;
    let bar0 = map_bar(device, VFIO_PCI_BAR0_REGION_INDEX, PAGE * 2)?;
    bar0.write(INTR_LEAF_EN_SET, 1);
    ensure(bar0.read(INTR_LEAF_EN_SET) == 1, || {
        "the VF does not respond".to_owned()
    })?;
    device.reset();
    enable_memory(device)?;
    let left = bar0.read(INTR_LEAF_EN_SET);
    ensure(left == 0, || {
        format!("interrupts {left:#x} are enabled after a reset")
    })?;
    config_ids(client, sysfs)?;
    mapped_memory(client, sysfs)
}

fn migration(client: &Client, _: &Path) -> Outcome {
    let support = client.device.query_migration_support()?;
    ensure(support.is_none(), || format!("migration: {support:?}"))
}
