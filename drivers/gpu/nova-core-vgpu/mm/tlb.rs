// SPDX-License-Identifier: GPL-2.0

//! Invalidation of the GPU's TLBs after a change of page tables.
//!
//! ```text
//!   page directory (2 registers) -> command with trigger -> poll until trigger reads 0
//! ```
//!
//! Uses no scope: all TLBs, a superset of what BAR1 needs.

use kernel::{
    io::{
        poll::read_poll_timeout,
        Io, //
    },
    prelude::*,
    time::Delta, //
};

use crate::{
    driver::Bar0,
    regs::vf::{
        NV_VF_MMU_INVALIDATE,
        NV_VF_MMU_INVALIDATE_PDB,
        NV_VF_MMU_INVALIDATE_UPPER_PDB, //
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

/// Drops all translations below the directory at `pdb` in video memory. The caller has made sure
/// that its page-table writes are in memory, and that nobody else invalidates at the same time.
///
/// # Errors
///
/// `ETIMEDOUT` if the hardware has not finished after 2 s.
pub(crate) fn invalidate(bar: Bar0<'_>, pdb: u64, reuse: Reuse) -> Result {
    let lower = u32::try_from(pdb >> 12 & 0xfff_ffff)?;
    let upper = u32::try_from(pdb >> 40)?;
    bar.write_reg(NV_VF_MMU_INVALIDATE_PDB::zeroed().try_with_address(lower)?);
    bar.write_reg(NV_VF_MMU_INVALIDATE_UPPER_PDB::zeroed().try_with_address(upper)?);

    let command = NV_VF_MMU_INVALIDATE::zeroed()
        .with_all_va(true)
        .with_trigger(true);
    bar.write_reg(match reuse {
        Reuse::No => command,
        Reuse::Yes => command
            .with_sys_membar(true)
            .with_const_ack::<ACK_GLOBALLY>(),
    });
    read_poll_timeout(
        || Ok(bar.read(NV_VF_MMU_INVALIDATE)),
        |command| !command.trigger(),
        Delta::from_micros(10),
        Delta::from_secs(2),
    )
    .map(|_| ())
}
