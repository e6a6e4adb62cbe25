// SPDX-License-Identifier: GPL-2.0

//! `GSP_ARGUMENTS_CACHED`: where GSP-RM finds its queues (OGKM 570.144 `gsp_init_args.h`).

use zerocopy::FromZeros;
use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::msgq;

/// Arguments of GSP-RM.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub(crate) struct RmArgs {
    shared_mem: u64,
    page_table_entries: u32,
    pad0: u32,
    cmdq_offset: u64,
    statq_offset: u64,
    old_level: u32,
    flags: u32,
    in_pm_transition: u8,
    pad1: [u8; 3],
    gpu_instance: u32,
    dmem_stack: u8,
    pad2: [u8; 7],
    profiler: u64,
    profiler_size: u64,
}

impl RmArgs {
    /// For a first boot with the queues in the region at DMA address `shared_mem`.
    pub(crate) fn new(shared_mem: u64) -> Self {
        // CAST: The constants fit.
        Self {
            shared_mem,
            page_table_entries: msgq::REGION_PAGES as u32,
            cmdq_offset: msgq::CMDQ as u64,
            statq_offset: msgq::STATQ as u64,
            dmem_stack: 1,
            ..Self::new_zeroed()
        }
    }
}

const _: () = assert!(size_of::<RmArgs>() == 0x48);
const _: () = assert!(core::mem::offset_of!(RmArgs, cmdq_offset) == 0x10);
const _: () = assert!(core::mem::offset_of!(RmArgs, old_level) == 0x20);
const _: () = assert!(core::mem::offset_of!(RmArgs, dmem_stack) == 0x30);
const _: () = assert!(core::mem::offset_of!(RmArgs, profiler) == 0x38);
