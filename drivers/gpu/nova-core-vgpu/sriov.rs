// SPDX-License-Identifier: GPL-2.0

//! Enabling and disabling of VFs: what `sriov_numvfs` does.
//!
//! ```text
//!   write n     PCI core: n > TotalVFs -> ERANGE, n == current -> nothing, other n != 0 -> EBUSY
//!     |
//!   configure   vGPU off -> EOPNOTSUPP     VF open -> EBUSY     client refuses -> its error
//!     |         n > 0 while GSP is lost -> EIO
//!     |
//!   n == 0: disable (waits for the VF driver)      n > 0: enable (VF driver probes)
//! ```
//!
//! Runs with the device lock of the PF held, so neither probe nor unbind runs at the same time.

use kernel::{
    device::Core,
    pci,
    prelude::*, //
};
use kernel_ext::pci::{
    CoreExt,
    DeviceExt, //
};

use crate::{
    gpu::phase::Phase,
    vgpu::{
        Handle,
        Support, //
    },
};

/// Sets the number of VFs to `num_vfs` and returns it.
///
/// # Errors
///
/// `EOPNOTSUPP` if the PF cannot have vGPUs, `ERANGE` if there cannot be that many, `EBUSY` if a VF
/// is open or another number of VFs is enabled, `EIO` for VFs of a GPU whose GSP is lost, and what the PCI core or the VF driver say.
pub(crate) fn configure(
    pdev: &pci::Device<Core<'_>>,
    handle: &Handle,
    num_vfs: u16,
) -> Result<u16> {
    let dev = pdev.as_ref();
    if let Support::NotSupported(reason) = handle.support() {
        dev_err!(dev, "cannot enable VFs: {}\n", reason);
        return Err(EOPNOTSUPP);
    }
    let total = handle.gpu().info().total_vfs;
    if num_vfs > total {
        dev_err!(
            dev,
            "cannot enable {} VFs: firmware serves at most {}\n",
            num_vfs,
            total
        );
        return Err(ERANGE);
    }
    if num_vfs != 0 && pdev.num_vfs() != 0 {
        return Err(EBUSY);
    }
    let phase = handle.gpu().life().phase();
    if num_vfs != 0 && phase != Phase::Running {
        dev_err!(
            dev,
            "cannot enable {} VFs: GSP is {}\n",
            num_vfs,
            phase.name()
        );
        return Err(EIO);
    }
    let _reconfigure = handle.begin_reconfigure(num_vfs).inspect_err(|e| {
        dev_err!(
            dev,
            "cannot change the number of VFs to {}: {:?}, {} VFs are open\n",
            num_vfs,
            e,
            handle.open_vfs().count()
        );
    })?;
    if num_vfs == 0 {
        pdev.disable_sriov();
    } else {
        pdev.enable_sriov(num_vfs)
            .inspect_err(|e| dev_err!(dev, "cannot enable {} VFs: {:?}\n", num_vfs, e))?;
    }
    dev_info!(dev, "{} VFs enabled\n", num_vfs);
    Ok(num_vfs)
}
