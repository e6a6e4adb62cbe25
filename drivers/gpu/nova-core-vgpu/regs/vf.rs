// SPDX-License-Identifier: GPL-2.0

//! The function registers of the PF: what every VF has at offset 0 of its own BAR0, the PF has
//! at 0xb80000 (OGKM 570.144 `turing/tu102/dev_vm.h`, `ampere/ga100/dev_vm.h`).
//!
//! ```text
//!   +0x1000   interrupt tree: leaves, their enables, top enables
//!   +0x2200   PRIV doorbell: rings firmware tasks by vector
//!   +0x30a0   TLB invalidation: page directory, upper half, command
//! ```

use kernel::io::register;

register! {
    /// Latched vectors; writing ones clears them.
    pub(crate) NV_VF_CPU_INTR_LEAF(u32)[8] @ 0x00b81000 {
        31:0    vectors => u32;
    }

    /// Enables vectors; reads as those that are enabled.
    pub(crate) NV_VF_CPU_INTR_LEAF_EN_SET(u32)[8] @ 0x00b81200 {
        31:0    vectors => u32;
    }

    /// Disables vectors.
    pub(crate) NV_VF_CPU_INTR_LEAF_EN_CLEAR(u32)[8] @ 0x00b81400 {
        31:0    vectors => u32;
    }

    /// Lets subtrees send messages.
    pub(crate) NV_VF_CPU_INTR_TOP_EN_SET(u32) @ 0x00b81608 {
        31:0    subtrees => u32;
    }

    /// Keeps subtrees from sending messages.
    pub(crate) NV_VF_CPU_INTR_TOP_EN_CLEAR(u32) @ 0x00b81610 {
        31:0    subtrees => u32;
    }

    /// PRIV doorbell. The task that serves a GFID listens to one vector.
    pub(crate) NV_VF_PRIV_DOORBELL(u32) @ 0x00b82200 {
        31:0    vector;
    }

    /// Page directory whose translations are dropped.
    pub(crate) NV_VF_MMU_INVALIDATE_PDB(u32) @ 0x00b830a0 {
        /// Bits 39:12 of the address of the directory.
        31:4    address;
        /// 0: video memory, 1: system memory.
        1:1     system;
    }

    /// Bits 59:40 of the address of the directory.
    pub(crate) NV_VF_MMU_INVALIDATE_UPPER_PDB(u32) @ 0x00b830a4 {
        19:0    address;
    }

    /// Command. Writing `trigger` starts it; it reads as one until the command is done.
    pub(crate) NV_VF_MMU_INVALIDATE(u32) @ 0x00b830b0 {
        31:31   trigger => bool;
        /// 0: no acknowledgement, 1: from all, 2: within the node.
        8:7     ack;
        /// Flush writes to system memory first.
        6:6     sys_membar => bool;
        /// Only the TLBs of the hub, which BAR1 goes through.
        2:2     hub_only => bool;
        /// All directories.
        1:1     all_pdb => bool;
        /// All addresses.
        0:0     all_va => bool;
    }
}
