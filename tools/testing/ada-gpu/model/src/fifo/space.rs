// SPDX-License-Identifier: GPL-2.0

//! One address space, as channels see it.
//!
//! ```text
//!   alloc 0x90f1 --> no root --SET_PAGE_DIRECTORY--> root --UNSET--> no root
//!                            (externally owned)
//!                    no root --COPY_SERVER_RESERVED_PDES--> root
//!                            (owned by RM)
//! ```

/// Bytes of virtual address space that the version 2 page tables reach.
pub const VA_SIZE: u64 = 1 << 49;

/// An address space.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Space {
    /// The driver owns the page tables completely.
    pub external: bool,
    /// First byte beyond its virtual addresses.
    pub limit: u64,
    /// Root directory in video memory, once RM was told.
    pub root: Option<u64>,
}
