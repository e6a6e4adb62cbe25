// SPDX-License-Identifier: GPL-2.0

//! Payload of GSP_SET_SYSTEM_INFO: `GspSystemInfo` with `GSP_VF_INFO` inside
//! (OGKM 570.144 `gsp_static_config.h`; offsets asserted in `gsp_abi_check.c`).

use zerocopy::FromZeros;
use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Config space mirror in BAR0.
const PCI_CONFIG_MIRROR_BASE: u32 = 0x8_8000;
const PCI_CONFIG_MIRROR_SIZE: u32 = 0x1000;
/// Highest user virtual address that GSP-RM may be asked for: 47 bits less a guard page.
const MAX_USER_VA: u64 = (1 << 47) - 4096;

/// `GSP_VF_INFO`: the SR-IOV capability of the PF.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub(crate) struct VfInfo {
    /// TotalVFs.
    pub(crate) total_vfs: u32,
    /// First VF Offset.
    pub(crate) first_vf_offset: u32,
    /// Addresses of the first VF's BAR0, BAR1 and BAR2, attribute bits cleared.
    pub(crate) first_vf_bar: [u64; 3],
    /// The BAR is 64 bits wide; never set for BAR0.
    pub(crate) bar_is_64bit: [u8; 3],
    pad: [u8; 5],
}

/// VF BAR registers of the SR-IOV capability that [`VfInfo`] is made of.
pub(crate) const VF_BAR_REGISTERS: usize = 5;

/// Attribute bits of a memory BAR, and the type of a 64-bit one among them.
const BAR_ATTRIBUTES: u32 = 0xf;
const BAR_TYPE: u32 = 0x6;
const BAR_TYPE_64BIT: u32 = 0x4;

impl VfInfo {
    /// VF information as RM makes it of the SR-IOV capability (OGKM 570.144
    /// `kernel_bif_tu102.c`): BAR0 counts as 32 bits wide, BAR1 and BAR2 have two registers each.
    pub(crate) fn new(
        total_vfs: u16,
        first_vf_offset: u16,
        registers: [u32; VF_BAR_REGISTERS],
    ) -> Self {
        let [bar0, bar1, bar1_hi, bar2, bar2_hi] = registers;
        let is_64bit = |low: u32| low & BAR_TYPE == BAR_TYPE_64BIT;
        let address = |low: u32, high: u32| {
            let high = if is_64bit(low) { high } else { 0 };
            u64::from(high) << 32 | u64::from(low & !BAR_ATTRIBUTES)
        };

        Self {
            total_vfs: u32::from(total_vfs),
            first_vf_offset: u32::from(first_vf_offset),
            first_vf_bar: [
                u64::from(bar0 & !BAR_ATTRIBUTES),
                address(bar1, bar1_hi),
                address(bar2, bar2_hi),
            ],
            bar_is_64bit: [0, u8::from(is_64bit(bar1)), u8::from(is_64bit(bar2))],
            pad: [0; 5],
        }
    }
}

/// What GSP needs to know of the PF's place in the system.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pci {
    /// Physical addresses of BAR0, BAR1 and BAR3.
    pub(crate) bars: [u64; 3],
    /// Domain, bus, device and function.
    pub(crate) dbdf: u64,
    /// Device id, vendor id.
    pub(crate) id: [u16; 2],
    /// Subsystem device id, subsystem vendor id.
    pub(crate) subsystem: [u16; 2],
    /// Revision.
    pub(crate) revision: u8,
}

/// `GspSystemInfo`, with what stays zero folded into padding.
#[repr(C)]
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub(crate) struct SystemInfo {
    gpu_phys_addr: u64,
    gpu_phys_fb_addr: u64,
    gpu_phys_inst_addr: u64,
    gpu_phys_io_addr: u64,
    domain_bus_device_func: u64,
    unused0: [u8; 0x20],
    max_user_va: u64,
    pci_config_mirror_base: u32,
    pci_config_mirror_size: u32,
    pci_device_id: u32,
    pci_subdevice_id: u32,
    pci_revision_id: u32,
    unused1: [u8; 0x2f4],
    vf_info: VfInfo,
    unused2: [u8; 0x20],
}

impl SystemInfo {
    /// System information; `vf_info` is `None` when the PF has no SR-IOV capability.
    pub(crate) fn new(pci: &Pci, vf_info: Option<VfInfo>) -> Self {
        let pair = |id: [u16; 2]| u32::from(id[0]) << 16 | u32::from(id[1]);

        Self {
            gpu_phys_addr: pci.bars[0],
            gpu_phys_fb_addr: pci.bars[1],
            gpu_phys_inst_addr: pci.bars[2],
            domain_bus_device_func: pci.dbdf,
            max_user_va: MAX_USER_VA,
            pci_config_mirror_base: PCI_CONFIG_MIRROR_BASE,
            pci_config_mirror_size: PCI_CONFIG_MIRROR_SIZE,
            pci_device_id: pair(pci.id),
            pci_subdevice_id: pair(pci.subsystem),
            pci_revision_id: u32::from(pci.revision),
            vf_info: vf_info.unwrap_or(VfInfo::new_zeroed()),
            ..Self::new_zeroed()
        }
    }
}

const _: () = assert!(size_of::<VfInfo>() == 0x28);
const _: () = assert!(core::mem::offset_of!(VfInfo, first_vf_bar) == 8);
const _: () = assert!(core::mem::offset_of!(VfInfo, bar_is_64bit) == 0x20);
const _: () = assert!(size_of::<SystemInfo>() == 0x3a0);
const _: () = assert!(core::mem::offset_of!(SystemInfo, domain_bus_device_func) == 0x20);
const _: () = assert!(core::mem::offset_of!(SystemInfo, max_user_va) == 0x48);
const _: () = assert!(core::mem::offset_of!(SystemInfo, pci_config_mirror_base) == 0x50);
const _: () = assert!(core::mem::offset_of!(SystemInfo, pci_device_id) == 0x58);
const _: () = assert!(core::mem::offset_of!(SystemInfo, vf_info) == 0x358);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vf_bars_lose_their_attributes() {
        let info = VfInfo::new(32, 4, [0xfa00_0000, 0x8000_000c, 0x38, 0x1000_000c, 0x3a]);
        assert_eq!((info.total_vfs, info.first_vf_offset), (32, 4));
        assert_eq!(
            info.first_vf_bar,
            [0xfa00_0000, 0x38_8000_0000, 0x3a_1000_0000]
        );
        assert_eq!(info.bar_is_64bit, [0, 1, 1]);
    }

    #[test]
    fn bars_without_address_keep_their_type() {
        let info = VfInfo::new(2, 4, [0, 0xc, 0, 0xc, 0]);
        assert_eq!(info.first_vf_bar, [0; 3]);
        assert_eq!(info.bar_is_64bit, [0, 1, 1]);
        assert_eq!(
            VfInfo::new(2, 4, [0, 0x1000, 7, 0, 0]).first_vf_bar[1],
            0x1000
        );
    }
}
