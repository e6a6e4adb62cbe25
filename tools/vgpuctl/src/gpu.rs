// SPDX-License-Identifier: GPL-2.0

//! The GPUs of this host, their VFs and what these have, as they are now.
//!
//! ```text
//!   bus/pci/devices/<PF>/  vendor device driver sriov_totalvfs sriov_numvfs virtfn<n> -> <VF>
//!   bus/pci/devices/<VF>/  physfn driver driver_override iommu_group vfio-dev/vfio<n>
//!                          nvidia/  current_vgpu_type creatable_vgpu_types     always
//!                                   vgpu_type_name placement_id uuid state     if the driver
//!                                   stats                                      has them
//! ```
//!
//! The structures are also the JSON output, whose form the man page documents: fields are added, and
//! never change their meaning.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use crate::address::Address;
use crate::error::{Error, Result};
use crate::holders::{self, Holder, Holders};
use crate::sysfs::Sysfs;
use crate::types::{self, VgpuType};

/// Driver of the PF.
pub const PF_DRIVER: &str = "nova_core_vgpu";
/// Driver of the VFs.
pub const VF_DRIVER: &str = "nvidia_vgpu_vfio";

const NVIDIA: i64 = 0x10de;
/// Base class of display controllers.
const DISPLAY: i64 = 0x03;

/// A GPU that can have VFs.
#[derive(Debug, Serialize)]
pub struct Gpu {
    pub address: Address,
    /// `vendor:device`, as `lspci -n` has it.
    pub id: String,
    /// Bound driver.
    pub driver: Option<String>,
    /// NUMA node, or `null` where there is only one.
    pub numa_node: Option<i64>,
    /// How many VFs can be enabled.
    pub vfs_total: u16,
    /// The enabled VFs, in the order of their numbers.
    pub vfs: Vec<Vf>,
}

/// A VF.
#[derive(Debug, Serialize)]
pub struct Vf {
    pub address: Address,
    /// Number of the VF, from 0.
    pub index: u16,
    pub driver: Option<String>,
    pub driver_override: Option<String>,
    pub iommu_group: Option<u32>,
    /// Path of the VFIO character device.
    pub vfio_device: Option<String>,
    /// Processes that have the VFIO device open, as far as the caller may see them.
    pub open_by: Vec<Holder>,
    /// `null` unless the VF is bound to the vGPU driver.
    pub vgpu: Option<Vgpu>,
}

/// What the vGPU driver tells of a VF.
#[derive(Debug, Serialize)]
pub struct Vgpu {
    /// The selected type.
    #[serde(rename = "type")]
    pub vgpu_type: Option<VgpuType>,
    /// Types that can be selected now.
    pub creatable: Vec<VgpuType>,
    // Not every version of the driver has these.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub placement_id: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uuid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stats: Option<BTreeMap<String, u64>>,
}

/// All GPUs that can have VFs, in the order of their addresses.
pub fn all(sysfs: &Sysfs) -> Result<Vec<Gpu>> {
    let holders = Holders::scan(sysfs.proc());
    let mut found = Vec::new();
    for address in sysfs.functions()? {
        if let Some(gpu) = read(sysfs, &holders, address)? {
            found.push(gpu);
        }
    }
    Ok(found)
}

/// The GPU at `address`.
pub fn at(sysfs: &Sysfs, address: Address) -> Result<Gpu> {
    if !sysfs.exists(address) {
        return Err(
            Error::new(format!("{address}: there is no such PCI function"))
                .advice("'vgpuctl list' shows the GPUs of this host"),
        );
    }
    if let Some(pf) = physfn(sysfs, address) {
        return Err(
            Error::new(format!("{address} is a VF, not a GPU")).advice(format!("its GPU is {pf}"))
        );
    }
    let holders = Holders::scan(sysfs.proc());
    read(sysfs, &holders, address)?.ok_or_else(|| {
        Error::new(format!("{address} is no NVIDIA GPU with SR-IOV"))
            .advice("'vgpuctl list' shows the GPUs of this host")
    })
}

/// The GPU that is meant when at most one is named.
pub fn chosen(sysfs: &Sysfs, address: Option<Address>) -> Result<Gpu> {
    if let Some(address) = address {
        return at(sysfs, address);
    }
    let mut all = all(sysfs)?;
    match all.len() {
        1 => Ok(all.remove(0)),
        0 => Err(no_gpu()),
        _ => {
            let all: Vec<String> = all.iter().map(|gpu| gpu.address.to_string()).collect();
            Err(Error::new("there is more than one GPU")
                .advice(format!("name one of {}", all.join(", "))))
        }
    }
}

/// Nothing on this host is for this program.
pub fn no_gpu() -> Error {
    Error::new("there is no NVIDIA GPU with SR-IOV").advice(
        "'lspci -d 10de:' shows NVIDIA devices; SR-IOV can be off in the firmware of the machine",
    )
}

/// The PF of a VF.
pub fn physfn(sysfs: &Sysfs, vf: Address) -> Option<Address> {
    sysfs.link(&sysfs.device(vf).join("physfn"))?.parse().ok()
}

/// The VF at `address`: its GPU, and its place in [`Gpu::vfs`]. `None` when it is not there, or not
/// completely: the kernel links a new VF with its GPU a moment after the VF has appeared.
pub fn find_vf(sysfs: &Sysfs, address: Address) -> Result<Option<(Gpu, usize)>> {
    let Some(pf) = physfn(sysfs, address) else {
        return Ok(None);
    };
    let holders = Holders::scan(sysfs.proc());
    let Some(gpu) = read(sysfs, &holders, pf)? else {
        return Ok(None);
    };
    let position = gpu.vfs.iter().position(|vf| vf.address == address);
    Ok(position.map(|position| (gpu, position)))
}

/// Like [`find_vf`], for a VF that has to be there.
pub fn vf_at(sysfs: &Sysfs, address: Address) -> Result<(Gpu, usize)> {
    find_vf(sysfs, address)?.ok_or_else(|| {
        let error = Error::new(format!("{address}: there is no such VF of an NVIDIA GPU"));
        error.advice("'vgpuctl list' shows the VFs, 'vgpuctl enable' makes them")
    })
}

/// `None` for a function that is no GPU with SR-IOV, or is gone.
fn read(sysfs: &Sysfs, holders: &Holders, address: Address) -> Result<Option<Gpu>> {
    let dir = sysfs.device(address);
    let number = |name: &str| sysfs.read_number(&dir.join(name));
    let (Some(NVIDIA), Some(class), Some(device), Some(total)) = (
        number("vendor")?,
        number("class")?,
        number("device")?,
        number("sriov_totalvfs")?,
    ) else {
        return Ok(None);
    };
    if class >> 16 != DISPLAY {
        return Ok(None);
    }
    let mut vfs = Vec::new();
    while let Some(vf) = sysfs.link(&dir.join(format!("virtfn{}", vfs.len()))) {
        let Ok(vf) = vf.parse() else { break };
        vfs.push(read_vf(sysfs, holders, vf, vfs.len())?);
    }
    Ok(Some(Gpu {
        address,
        id: format!("{NVIDIA:04x}:{device:04x}"),
        driver: sysfs.link(&dir.join("driver")),
        numa_node: number("numa_node")?.filter(|node| *node >= 0),
        vfs_total: u16::try_from(total)
            .map_err(|_| Error::new(format!("{address}: sriov_totalvfs is {total}")))?,
        vfs,
    }))
}

fn read_vf(sysfs: &Sysfs, holders: &Holders, address: Address, index: usize) -> Result<Vf> {
    let dir = sysfs.device(address);
    let iommu_group: Option<u32> = sysfs
        .link(&dir.join("iommu_group"))
        .and_then(|group| group.parse().ok());
    let vfio_device = sysfs
        .names(&dir.join("vfio-dev"))
        .into_iter()
        .find(|name| name.starts_with("vfio"))
        .map(|name| format!("/dev/vfio/devices/{name}"));
    // Two spellings of nothing, by the version of the kernel.
    let driver_override = sysfs
        .read(&dir.join("driver_override"))?
        .filter(|name| !name.is_empty() && name != "(null)");
    let open_by = holders.of(iommu_group, vfio_device.as_deref());

    Ok(Vf {
        address,
        index: u16::try_from(index)
            .map_err(|_| Error::new(format!("{address}: more VFs than PCI has")))?,
        driver: sysfs.link(&dir.join("driver")),
        driver_override,
        iommu_group,
        vfio_device,
        open_by,
        vgpu: read_vgpu(sysfs, &dir.join("nvidia"))?,
    })
}

fn read_vgpu(sysfs: &Sysfs, dir: &Path) -> Result<Option<Vgpu>> {
    let filled = |name: &str| {
        let text = sysfs.read(&dir.join(name))?;
        Ok::<_, Error>(text.filter(|text| !text.is_empty()))
    };
    let bad = |name: &str, text: &str| {
        Error::new(format!(
            "{}: '{text}' is not understood",
            dir.join(name).display()
        ))
    };
    let Some(id) = filled("current_vgpu_type")? else {
        return Ok(None);
    };
    let vgpu_type = match id.parse().map_err(|_| bad("current_vgpu_type", &id))? {
        0 => None,
        id => Some(VgpuType {
            id,
            name: filled("vgpu_type_name")?,
        }),
    };
    let placement_id = match filled("placement_id")? {
        Some(text) => Some(text.parse().map_err(|_| bad("placement_id", &text))?),
        None => None,
    };
    let stats = match filled("stats")? {
        Some(text) => Some(parse_stats(&text).ok_or_else(|| bad("stats", &text))?),
        None => None,
    };
    Ok(Some(Vgpu {
        vgpu_type,
        creatable: types::parse_list(&filled("creatable_vgpu_types")?.unwrap_or_default())?,
        state: filled("state")?,
        placement_id,
        uuid: filled("uuid")?,
        stats,
    }))
}

/// Lines `<name> <count>`.
fn parse_stats(text: &str) -> Option<BTreeMap<String, u64>> {
    let line = |line: &str| {
        let (name, count) = line.trim().rsplit_once(' ')?;
        Some((name.trim().to_owned(), count.parse().ok()?))
    };
    text.lines().map(line).collect()
}

impl Gpu {
    /// Is driven by the PF driver.
    ///
    /// # Errors
    ///
    /// It is not; the message says what to do about the driver that has it.
    pub fn require_driver(&self) -> Result {
        let address = self.address;
        let advice = match self.driver.as_deref() {
            Some(PF_DRIVER) => return Ok(()),
            Some(other) => format!(
                "unbind it (echo {address} > /sys/bus/pci/drivers/{other}/unbind), then bind \
                 {PF_DRIVER} (echo {address} > /sys/bus/pci/drivers/{PF_DRIVER}/bind)"
            ),
            None => format!(
                "load the driver (modprobe {PF_DRIVER}); if it is, the log says why it refused"
            ),
        };
        let driver = self.driver.as_deref().unwrap_or("no driver");
        Err(Error::new(format!(
            "{address} is bound to {driver}, not to {PF_DRIVER}"
        ))
        .advice(advice))
    }

    /// Names of types, from whichever VF tells them.
    pub fn known_types(&self) -> impl Iterator<Item = &VgpuType> {
        let vgpus = self.vfs.iter().filter_map(|vf| vf.vgpu.as_ref());
        vgpus.flat_map(|vgpu| vgpu.creatable.iter().chain(&vgpu.vgpu_type))
    }

    /// What can be selected now on a VF that has no type.
    pub fn creatable(&self) -> &[VgpuType] {
        let vgpus = self.vfs.iter().filter_map(|vf| vf.vgpu.as_ref());
        vgpus
            .map(|vgpu| vgpu.creatable.as_slice())
            .find(|types| !types.is_empty())
            .unwrap_or_default()
    }
}

impl Vf {
    /// The selected type.
    pub fn vgpu_type(&self) -> Option<&VgpuType> {
        self.vgpu.as_ref()?.vgpu_type.as_ref()
    }

    /// What the vGPU driver tells.
    ///
    /// # Errors
    ///
    /// The VF is not bound to it; the message says how to bind it.
    pub fn require_vgpu(&self) -> Result<&Vgpu> {
        let (address, driver) = (self.address, self.driver.as_deref());
        self.vgpu.as_ref().ok_or_else(|| match driver {
            Some(VF_DRIVER) => Error::new(format!("{address}: {VF_DRIVER} is losing this VF")),
            _ => Error::new(format!(
                "{address} is bound to {}, not to {VF_DRIVER}",
                driver.unwrap_or("no driver")
            ))
            .advice(format!("bind it: vgpuctl bind {address}")),
        })
    }

    /// Who has the device open, for a message.
    pub fn held_by(&self) -> String {
        holders::in_one_line(&self.open_by)
    }
}
