// SPDX-License-Identifier: GPL-2.0

//! The requests that boot and unload GSP.
//!
//! ```text
//!  before GSP starts   GSP_SET_SYSTEM_INFO, SET_REGISTRY        not answered
//!  after INIT_DONE     GET_GSP_STATIC_INFO  -> StaticInfo
//!  at the end          UNLOADING_GUEST_DRIVER
//! ```

use kernel::{
    device,
    pci,
    prelude::*, //
};

use kernel_ext::pci::DeviceExt;

use super::{
    cmdq::{
        Command,
        Malformed, //
    },
    fw::r570_144::{
        function,
        registry,
        static_info,
        static_info::StaticInfo,
        system_info::{
            Pci,
            SystemInfo,
            VfInfo,
            VF_BAR_REGISTERS, //
        },
        unload::UnloadingGuestDriver, //
    },
};

/// The SR-IOV capability and its fields (PCIe specification, section 9.3.3).
const CAP_SRIOV: u16 = 0x10;
const SRIOV_TOTAL_VFS: u16 = 0x0e;
const SRIOV_FIRST_VF_OFFSET: u16 = 0x14;
const SRIOV_VF_BAR0: u16 = 0x24;

/// What the SR-IOV capability says, or `None` when there is none.
///
/// The registers count, not what Linux makes of them: GSP compares with its own view.
fn vf_info(pdev: &pci::Device<device::Bound>) -> Result<Option<VfInfo>> {
    let Some(cap) = pdev.find_ext_capability(CAP_SRIOV) else {
        return Ok(None);
    };

    let mut registers = [0; VF_BAR_REGISTERS];
    for (register, offset) in registers.iter_mut().zip((cap + SRIOV_VF_BAR0..).step_by(4)) {
        *register = pdev.config_read32(offset)?;
    }
    Ok(Some(VfInfo::new(
        pdev.config_read16(cap + SRIOV_TOTAL_VFS)?,
        pdev.config_read16(cap + SRIOV_FIRST_VF_OFFSET)?,
        registers,
    )))
}

/// GSP_SET_SYSTEM_INFO.
pub(super) struct SetSystemInfo(SystemInfo);

impl SetSystemInfo {
    /// Collects the facts.
    ///
    /// # Errors
    ///
    /// `EINVAL` when a BAR is missing, `EIO` when the configuration space cannot be read.
    pub(super) fn new(pdev: &pci::Device<device::Bound>) -> Result<Self> {
        let pci = Pci {
            bars: [
                pdev.resource_start(0)?,
                pdev.resource_start(1)?,
                pdev.resource_start(3)?,
            ],
            // RM puts the device number, not devfn, into the low byte; the PF is function 0.
            dbdf: u64::from(pdev.domain_nr()) << 32
                | u64::from(pdev.dev_id() & 0xff00)
                | u64::from((pdev.dev_id() & 0xff) >> 3),
            id: [pdev.device_id(), pdev.vendor_id().as_raw()],
            subsystem: [pdev.subsystem_device_id(), pdev.subsystem_vendor_id()],
            revision: pdev.revision_id(),
        };

        Ok(Self(SystemInfo::new(&pci, vf_info(pdev)?)))
    }
}

impl Command for SetSystemInfo {
    const FUNCTION: u32 = function::GSP_SET_SYSTEM_INFO;
    type Reply = ();

    fn encode(&self, out: &mut KVVec<u8>) -> Result {
        Ok(out.extend_from_slice(self.0.as_bytes(), GFP_KERNEL)?)
    }

    fn decode(&self, _reply: &[u8]) -> Result<(), Malformed> {
        Ok(())
    }
}

/// SET_REGISTRY.
pub(super) struct SetRegistry {
    /// Make GSP-RM use SR-IOV.
    pub(super) vgpu: bool,
}

impl Command for SetRegistry {
    const FUNCTION: u32 = function::SET_REGISTRY;
    type Reply = ();

    fn encode(&self, out: &mut KVVec<u8>) -> Result {
        let mut table = [0; registry::MAX_SIZE];
        let len = registry::write(&mut table, registry::keys(self.vgpu)).ok_or(ENOSPC)?;

        Ok(out.extend_from_slice(table.get(..len).ok_or(ENOSPC)?, GFP_KERNEL)?)
    }

    fn decode(&self, _reply: &[u8]) -> Result<(), Malformed> {
        Ok(())
    }
}

/// GET_GSP_STATIC_INFO.
pub(super) struct GetStaticInfo {
    /// Usable FB in bytes, which the reply must not exceed.
    pub(super) fb_size: u64,
}

impl Command for GetStaticInfo {
    const FUNCTION: u32 = function::GET_GSP_STATIC_INFO;
    type Reply = StaticInfo;

    fn encode(&self, out: &mut KVVec<u8>) -> Result {
        Ok(out.extend_with(static_info::SIZE, 0, GFP_KERNEL)?)
    }

    fn decode(&self, reply: &[u8]) -> Result<StaticInfo, Malformed> {
        StaticInfo::decode(reply, self.fb_size).map_err(|e| Malformed(e.0))
    }
}

/// UNLOADING_GUEST_DRIVER.
pub(super) struct Unload;

impl Command for Unload {
    const FUNCTION: u32 = function::UNLOADING_GUEST_DRIVER;
    type Reply = ();

    fn encode(&self, out: &mut KVVec<u8>) -> Result {
        Ok(out.extend_from_slice(UnloadingGuestDriver::UNLOAD.as_bytes(), GFP_KERNEL)?)
    }

    fn decode(&self, _reply: &[u8]) -> Result<(), Malformed> {
        Ok(())
    }
}
