// SPDX-License-Identifier: GPL-2.0

//! Whether this GPU runs with vGPU, and why not.
//!
//! ```text
//!  SR-IOV capability ─▶ 2..=32 VFs ─▶ VF BARs ─▶ listed device ─▶ scrubber firmware ─▶ On
//!  after boot: GSP-RM says that SR-IOV is on, else Off
//! ```
//!
//! When it is off the GPU is booted bare metal and stays usable for everything else.

use kernel::{device, pci};

use kernel_ext::pci::SriovInfo;

use crate::{
    driver,
    fb::layout::VGPU_PARTITIONS,
    firmware::File,
    gsp::fw::r570_144::static_info::StaticInfo, //
};

/// A heap for vGPU makes sense from this number of VFs on.
const MIN_VFS: u16 = 2;
/// The BARs of a VF; BAR1 and BAR3 take two registers each. GSP is told their addresses.
const VF_BARS: [usize; 3] = [0, 1, 3];

/// vGPU or not.
#[derive(Clone, Copy)]
pub(crate) enum VgpuMode {
    /// vGPUs can be made.
    On(SriovInfo),
    /// They cannot; the text says why.
    Off(&'static str),
}

impl VgpuMode {
    /// Decides how to boot. `sriov` is `None` when the PF has no SR-IOV capability.
    pub(crate) fn before_boot(
        pdev: &pci::Device<device::Bound>,
        sriov: Option<&SriovInfo>,
    ) -> Self {
        let Some(sriov) = sriov else {
            return Self::Off("no SR-IOV capability; enable SR-IOV in the firmware setup");
        };
        if sriov.total_vfs < MIN_VFS || sriov.total_vfs > u16::from(VGPU_PARTITIONS) {
            return Self::Off("TotalVFs is not within 2..=32");
        }
        if VF_BARS.iter().any(|&bar| sriov.bars[bar].start == 0) {
            return Self::Off("VF BARs have no addresses; enable large BARs in the firmware setup");
        }
        if !driver::supports_vgpu(pdev.device_id()) {
            return Self::Off("device is not on the list of vGPU capable boards");
        }
        if !File::Scrubber.available(pdev.as_ref()) {
            return Self::Off("scrubber firmware is missing; install linux-firmware for NVIDIA");
        }
        Self::On(*sriov)
    }

    /// Takes back the decision when GSP-RM did not follow.
    pub(crate) fn after_boot(self, info: &StaticInfo) -> Self {
        match self {
            Self::On(_) if !info.sriov.enabled => {
                Self::Off("GSP-RM did not turn SR-IOV on; check that the firmware is 570.144")
            }
            Self::On(sriov) if info.sriov.total_vfs != u32::from(sriov.total_vfs) => {
                Self::Off("GSP-RM sees another number of VFs than the SR-IOV capability")
            }
            mode => mode,
        }
    }

    /// vGPUs can be made.
    pub(crate) fn is_on(&self) -> bool {
        matches!(self, Self::On(_))
    }
}
