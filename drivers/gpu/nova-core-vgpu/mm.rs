// SPDX-License-Identifier: GPL-2.0

//! Memory manager: page tables, the windows on frame buffer, TLB.
//!
//! ```text
//!   bar1       CPU mappings of frame buffer through BAR1
//!     walk     tree of tables below a root that GSP-RM owns    (pure)
//!     pagetable  entries                                       (pure)
//!   pramin     1 MiB window of BAR0 on frame buffer, for the tables themselves
//!   tlb        invalidation
//! ```

pub(crate) mod bar1;
pub(crate) mod pagetable;
pub(crate) mod pramin;
pub(crate) mod tlb;
pub(crate) mod vmm;
pub(crate) mod walk;

use kernel::sync::{
    Arc,
    Mutex, //
};

use crate::fb::manager::Manager;

/// What all address spaces of a GPU share.
pub(crate) struct Mm {
    /// Where pages for tables come from.
    #[allow(dead_code)]
    fb: Arc<Mutex<Manager>>,
}

impl Mm {
    /// Tables come from `fb`.
    pub(crate) fn new(fb: Arc<Mutex<Manager>>) -> Self {
        Self { fb }
    }
}
