// SPDX-License-Identifier: GPL-2.0

//! Invalidation of the GPU's TLBs after a change of page tables.
//!
//! ```text
//!   wait until idle -> page directory (2 registers) -> command with trigger -> wait until idle
//! ```
//!
//! Uses no scope: all TLBs, a superset of what BAR1 needs. Where memory is reused afterwards, the
//! command also waits for accesses under way (OGKM 570.144 asks for that from the copy engine's
//! side, `uvm_ampere_host.c`).

use kernel::{
    io::{
        poll::read_poll_timeout,
        Io, //
    },
    prelude::*,
    time::Delta, //
};

use super::pramin::to_errno;
use crate::{
    driver::Bar0,
    regs::{
        check::check,
        vf::{
            NV_VF_MMU_INVALIDATE,
            NV_VF_MMU_INVALIDATE_PDB,
            NV_VF_MMU_INVALIDATE_UPPER_PDB, //
        }, //
    },
};

/// Acknowledgement from all clients.
const ACK_GLOBALLY: u32 = 1;

/// What happens to the memory behind the translations that are dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reuse {
    /// Nothing: entries were added.
    No,
    /// Somebody else gets it: accesses that are under way must be finished.
    Yes,
}

/// Values of the three registers, in the order in which they are written.
struct Request(
    NV_VF_MMU_INVALIDATE_PDB,
    NV_VF_MMU_INVALIDATE_UPPER_PDB,
    NV_VF_MMU_INVALIDATE,
);

impl Request {
    fn new(pdb: u64, reuse: Reuse) -> Result<Self> {
        let lower = u32::try_from(pdb >> 12 & 0xfff_ffff)?;
        let upper = u32::try_from(pdb >> 40)?;
        let command = NV_VF_MMU_INVALIDATE::zeroed()
            .with_all_va(true)
            .with_trigger(true);
        Ok(Self(
            NV_VF_MMU_INVALIDATE_PDB::zeroed().try_with_address(lower)?,
            NV_VF_MMU_INVALIDATE_UPPER_PDB::zeroed().try_with_address(upper)?,
            match reuse {
                Reuse::No => command,
                Reuse::Yes => command
                    .with_sys_membar(true)
                    .with_const_ack::<ACK_GLOBALLY>(),
            },
        ))
    }
}

/// Drops all translations below the directory at `pdb` in video memory. The caller has made sure
/// that its page-table writes are in memory, and that nobody else on the CPU invalidates at the
/// same time. GSP-RM may: unless `busy` says that the last request never became complete, it is
/// waited for (OGKM 570.144 does so in `kern_gmmu_tu102.c`).
///
/// # Errors
///
/// `ETIMEDOUT` if the hardware has not finished after 2 s, `ENODEV`, `EIO` if it does not answer.
pub(super) fn invalidate(bar: Bar0<'_>, pdb: u64, reuse: Reuse, busy: bool) -> Result {
    let Request(lower, upper, command) = Request::new(pdb, reuse)?;

    if !busy {
        wait(bar)?;
    }
    bar.write_reg(lower);
    bar.write_reg(upper);
    bar.write_reg(command);
    wait(bar)
}

fn wait(bar: Bar0<'_>) -> Result {
    read_poll_timeout(
        || {
            let command = bar.read(NV_VF_MMU_INVALIDATE);
            check(u32::from(command)).map_err(to_errno)?;
            Ok(command)
        },
        |command| !command.trigger(),
        Delta::from_micros(10),
        Delta::from_secs(2),
    )
    .map(|_| ())
}

#[cfg(CONFIG_NOVA_CORE_VGPU_KUNIT)]
#[kunit_tests(nova_core_vgpu_tlb)]
mod tests {
    use super::*;

    fn words(pdb: u64, reuse: Reuse) -> Result<[u32; 3]> {
        let Request(lower, upper, command) = Request::new(pdb, reuse)?;
        Ok([lower.into(), upper.into(), command.into()])
    }

    #[test]
    fn requests() -> Result {
        let root = 0x1_2345_6000;
        assert_eq!(words(root, Reuse::No)?, [0x0123_4560, 0, 0x8000_0001]);
        assert_eq!(words(root, Reuse::Yes)?, [0x0123_4560, 0, 0x8000_00c1]);
        assert_eq!(words(0x12_f000_0000_1000, Reuse::No)?[1], 0x12f0);
        Ok(())
    }
}
