// SPDX-License-Identifier: GPL-2.0

//! Interrupts of the PF.
//!
//! ```text
//!  message of subtree n  ─▶ hard handler: subtree may not send          (MSI: all, and end of interrupt)
//!                        ─▶ thread: take what is pending ─▶ Sink::interrupt of each vector
//!                                   subtree may send again: an edge if something is pending
//!
//!  MSI-X  one entry and one thread for each subtree         MSI  one of both for the whole tree
//! ```
//!
//! Ada advertises 6 MSI-X entries and has 4 subtrees (L20 board; OGKM 570.144 `intr_tu102.c`). A
//! subtree is only enabled when its entry has a handler: the message of an entry that nobody
//! requested would be lost without a trace.

mod subtree;
mod table;
mod tree;

use kernel::{
    device,
    io::Io,
    irq::{
        Flags,
        IrqRequest,
        IrqReturn,
        ThreadedHandler,
        ThreadedIrqReturn,
        ThreadedRegistration, //
    },
    pci,
    prelude::*,
    sync::Arc,
    time::{
        Instant,
        Monotonic, //
    },
};

use crate::{
    driver::Bar0,
    regs::xve::NV_XVE_CYA_2, //
};

use subtree::{
    PfTree,
    Subtree, //
};
use tree::{
    Registers,
    ALL_SUBTREES,
    SUBTREES, //
};

pub(crate) use subtree::Counts;
pub(crate) use table::Table;
pub(crate) use tree::Vector;

/// Somebody who wants a vector.
pub(crate) trait Sink: Send + Sync {
    /// The vector came: once or more often since the last call.
    ///
    /// Runs in a thread and may sleep, but must not wait for GSP or a copy engine, nor subscribe or
    /// unsubscribe: nothing else of the subtree is served meanwhile.
    fn interrupt(&self);
}

/// Names of the lines in `/proc/interrupts`; with MSI there is only one, of all subtrees.
const NAMES: [&CStr; SUBTREES] = [
    c"nova-core-nonstall",
    c"nova-core-uvm",
    c"nova-core-gsp",
    c"nova-core-stall",
];
const NAME_MSI: &CStr = c"nova-core";

/// How messages of some subtrees are sent, and what makes the GPU send the next one.
#[derive(Clone, Copy)]
pub(crate) struct Line<'gpu> {
    tree: PfTree<'gpu>,
    /// Subtrees whose messages come over the line, as `TOP` bits.
    top: u32,
    msi: bool,
}

impl Line<'_> {
    /// No messages for now.
    fn hold(&self) {
        self.tree.disable_top(self.top);
        if self.msi {
            // The value does not matter.
            self.tree.0.write_reg(NV_XVE_CYA_2::zeroed());
        }
    }

    /// Messages again, one at once if something is pending.
    fn release(&self) {
        self.tree.enable_top(self.top);
    }

    /// For a subscriber that has reason to think that a message was lost: as long as the vector is
    /// pending the GPU does not send another one by itself.
    pub(crate) fn resend(&self) {
        self.hold();
        self.release();
    }
}

/// What serves a line.
struct Handler<'gpu> {
    line: Line<'gpu>,
    subtrees: KVec<Arc<Subtree<'gpu>>>,
}

impl ThreadedHandler for Handler<'_> {
    fn handle(&self) -> ThreadedIrqReturn {
        for subtree in &self.subtrees {
            subtree.note_message();
        }
        self.line.hold();
        ThreadedIrqReturn::WakeThread
    }

    fn handle_threaded(&self) -> IrqReturn {
        let mut found = false;

        for subtree in &self.subtrees {
            found |= subtree.service();
        }
        self.line.release();
        if found {
            return IrqReturn::Handled;
        }
        if let Some(first) = self.subtrees.first() {
            first.note_spurious();
        }
        IrqReturn::None
    }
}

type Registration<'gpu> = Pin<KBox<ThreadedRegistration<'gpu, Handler<'gpu>>>>;

/// The interrupts of one PF. Fields are dropped in order of declaration.
#[pin_data(PinnedDrop)]
pub(crate) struct Irq<'gpu> {
    registrations: KVec<Registration<'gpu>>,
    /// After `registrations`, which use them.
    #[pin]
    vectors: pci::IrqVectorRegistration<'gpu>,
    subtrees: KVec<Arc<Subtree<'gpu>>>,
    tree: PfTree<'gpu>,
}

impl<'gpu> Irq<'gpu> {
    /// Allocates and requests the interrupts. No vector is enabled yet, and what is pending is
    /// forgotten: whoever subscribes looks once for what came before.
    ///
    /// # Errors
    ///
    /// `ENOSPC` when the machine has neither MSI-X nor MSI left, `ENOMEM`; reported.
    pub(crate) fn new(
        pdev: &'gpu pci::Device<device::Bound>,
        bar: Bar0<'gpu>,
    ) -> impl PinInit<Self, Error> + use<'gpu> {
        pin_init::pin_init_scope(move || {
            let tree = PfTree(bar);
            let vectors = alloc_vectors(pdev)?;
            let subtrees = subtrees(pdev.as_ref(), tree)?;

            tree::quiesce(&tree);
            Ok(try_pin_init!(Self {
                subtrees,
                vectors,
                registrations: {
                    // SAFETY: `vectors` is pinned with the whole and dropped after `registrations`.
                    let vectors = unsafe { &*core::ptr::from_ref(&*vectors) };

                    request(vectors, subtrees, PfTree(bar)).inspect_err(|e| {
                        dev_err!(pdev, "interrupt: cannot be requested: {:?}\n", e)
                    })?
                },
                tree,
            }))
        })
    }

    /// Calls `sink` whenever `vector` comes, until what this returns is dropped.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn subscribe(
        &self,
        vector: Vector,
        sink: Arc<dyn Sink + 'gpu>,
    ) -> Result<Subscription<'gpu>> {
        let subtree = self.subtrees.get(vector.subtree()).ok_or(EINVAL)?;

        let msi = !self.is_msix();
        let top = if msi { ALL_SUBTREES } else { subtree.top() };

        Ok(Subscription {
            id: subtree.add(vector, sink)?,
            subtree: subtree.clone(),
            line: Line {
                tree: self.tree,
                top,
                msi,
            },
        })
    }

    /// Whether the messages are MSI-X, not MSI.
    pub(crate) fn is_msix(&self) -> bool {
        matches!(self.vectors.irq_type(), pci::IrqType::MsiX)
    }

    /// From now on waits for a message of the subtree of `vector`; with MSI, for any. Whatever came
    /// before has been served. For whoever measures how long it takes.
    pub(crate) fn expect_message(&self, vector: Vector) {
        for registration in &self.registrations {
            registration.synchronize();
        }
        if let Some(subtree) = self.subtrees.get(vector.subtree()) {
            subtree.expect_message();
        }
    }

    /// When the message that is expected came, once it has.
    pub(crate) fn expected_message(&self, vector: Vector) -> Option<Instant<Monotonic>> {
        self.subtrees.get(vector.subtree())?.expected_message()
    }

    /// Counters of each subtree.
    pub(crate) fn counts(&self) -> impl Iterator<Item = Counts> + use<'_, 'gpu> {
        self.subtrees.iter().map(|subtree| subtree.counts())
    }
}

#[pinned_drop]
impl PinnedDrop for Irq<'_> {
    fn drop(self: Pin<&mut Self>) {
        // Nothing can become pending any more. `TOP` comes last: a thread that still runs enables
        // its subtree at the end.
        tree::quiesce(&self.tree);
        let this = self.project();
        this.registrations.clear();
        this.tree.disable_top(ALL_SUBTREES);
    }
}

/// A vector that is wanted. Dropping it waits for a sink that runs; afterwards it is not called.
pub(crate) struct Subscription<'gpu> {
    subtree: Arc<Subtree<'gpu>>,
    id: u64,
    line: Line<'gpu>,
}

impl<'gpu> Subscription<'gpu> {
    /// The line that the vector comes over.
    pub(crate) fn line(&self) -> Line<'gpu> {
        self.line
    }
}

impl Drop for Subscription<'_> {
    fn drop(&mut self) {
        self.subtree.remove(self.id);
    }
}

/// MSI-X with an entry for each subtree, else one MSI.
fn alloc_vectors<'gpu>(
    pdev: &'gpu pci::Device<device::Bound>,
) -> Result<pci::IrqVectorRegistration<'gpu>> {
    // CAST: 4.
    let entries = SUBTREES as u32;
    let only = |kind| pci::IrqTypes::default().with(kind);

    pdev.alloc_irq_vectors(entries, entries, only(pci::IrqType::MsiX))
        .or_else(|_| pdev.alloc_irq_vectors(1, 1, only(pci::IrqType::Msi)))
        .inspect_err(|e| {
            dev_err!(
                pdev,
                "interrupt: neither MSI-X nor MSI can be had: {:?}\n",
                e
            )
        })
}

fn subtrees<'gpu>(
    dev: &'gpu device::Device<device::Bound>,
    tree: PfTree<'gpu>,
) -> Result<KVec<Arc<Subtree<'gpu>>>> {
    let mut all = KVec::with_capacity(SUBTREES, GFP_KERNEL)?;

    for number in 0..SUBTREES {
        all.push(Subtree::new(dev, tree, number)?, GFP_KERNEL)?;
    }
    Ok(all)
}

/// Requests the lines and lets their subtrees send.
fn request<'gpu>(
    vectors: &'gpu pci::IrqVectorRegistration<'gpu>,
    subtrees: &[Arc<Subtree<'gpu>>],
    tree: PfTree<'gpu>,
) -> Result<KVec<Registration<'gpu>>> {
    let msi = !matches!(vectors.irq_type(), pci::IrqType::MsiX);
    let group = if msi { SUBTREES } else { 1 };
    let mut registrations = KVec::new();

    for (index, (group, name)) in subtrees.chunks(group).zip(NAMES).enumerate() {
        let mut served = KVec::with_capacity(group.len(), GFP_KERNEL)?;
        served.extend_from_slice(group, GFP_KERNEL)?;
        let line = Line {
            tree,
            top: group.iter().fold(0, |top, subtree| top | subtree.top()),
            msi,
        };
        let handler = Handler {
            line,
            subtrees: served,
        };
        let request = IrqRequest::from(vectors.index(index)?);
        // SAFETY: The registration is kept in `Irq`, which is never forgotten, or dropped here.
        let registration = unsafe {
            ThreadedRegistration::new(
                request,
                Flags::TRIGGER_NONE,
                if msi { NAME_MSI } else { name },
                Ok::<_, Error>(handler),
            )
        };

        registrations.push(KBox::pin_init(registration, GFP_KERNEL)?, GFP_KERNEL)?;
        // With MSI a message from before is still to be acknowledged.
        line.hold();
        line.release();
    }
    Ok(registrations)
}
