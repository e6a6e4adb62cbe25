// SPDX-License-Identifier: GPL-2.0

//! Memory manager: page tables, the windows on frame buffer, TLB.
//!
//! ```text
//!   bar1    CPU mappings of frame buffer          vmm    address spaces of channels
//!      \______________________  ___________________/
//!                             \/
//!   space       who has which addresses; invalidates; gives table memory back
//!     plan      how a mapping can be laid out
//!     walk      tree of tables: install, erase          (pure)
//!     half      the two tables below an entry of PD0    (pure)
//!     shape     which leaves a mapping is made of       (pure)
//!     pool      frame buffer for tables                 (pure), table_fb where it comes from
//!     pagetable entries                                 (pure)
//!   window      the one user of:
//!     pramin    1 MiB window of BAR0 on frame buffer, for the tables themselves
//!     tlb       invalidation
//! ```
//!
//! Locks, outermost first: the lock of an address space, which its owner has; the window; the
//! frame buffer manager. All are held for MMIO at most, none while firmware is asked.

mod erase;
mod half;
mod install;
mod plan;
mod pool;
mod shape;
mod space;
mod table_fb;
mod walk;

pub(crate) mod bar1;
pub(crate) mod pagetable;
pub(crate) mod pramin;
pub(crate) mod tlb;
pub(crate) mod vmm;
pub(crate) mod window;

use kernel::{
    device,
    new_mutex,
    pci,
    prelude::*,
    sync::{
        aref::ARef,
        Arc,
        Mutex, //
    }, //
};

use crate::{
    driver::Bar0,
    fb::manager::Manager, //
};

use window::{
    Counters,
    Shared,
    Window, //
};

/// What all address spaces of a GPU share.
#[pin_data]
pub(crate) struct Mm {
    pdev: ARef<pci::Device>,
    /// Where pages for tables come from.
    fb: Arc<Mutex<Manager>>,
    /// Held by the user of PRAMIN and of the TLB registers.
    #[pin]
    window: Mutex<Shared>,
}

impl Mm {
    /// Tables come from `fb`.
    pub(crate) fn new(
        pdev: ARef<pci::Device>,
        fb: Arc<Mutex<Manager>>,
    ) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            pdev,
            fb,
            window <- new_mutex!(Shared::default()),
        })
    }

    /// Takes the window on frame buffer, until the returned object is dropped. Sleeps. Meant for
    /// tables and for single words: a megabyte takes a quarter of a million register accesses.
    ///
    /// # Errors
    ///
    /// `ENODEV`, `EIO` if the GPU does not answer.
    pub(crate) fn window<'a>(&'a self, bar: Bar0<'a>) -> Result<Window<'a>> {
        Window::new(bar, self.window.lock())
    }

    /// Runs `f` while nobody else uses the window. For self-tests.
    pub(crate) fn exclusive<R>(&self, f: impl FnOnce() -> R) -> R {
        let _window = self.window.lock();
        f()
    }

    /// What has been written and invalidated so far.
    pub(crate) fn counters(&self) -> Counters {
        self.window.lock().counters
    }

    fn dev(&self) -> &device::Device {
        (*self.pdev).as_ref()
    }
}
