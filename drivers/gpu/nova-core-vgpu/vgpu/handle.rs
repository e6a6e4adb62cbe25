// SPDX-License-Identifier: GPL-2.0

//! The per-PF handle: attach, detach, events, count of open VFs.
//!
//! ```text
//!                 attach (first: create client)        detach (last: drop client)
//!   no client  ------------------------------> client ----------------------------> no client
//!                                                |
//!                      SriovConfigure, Unbind ---+--> Client::event, without a lock
//!            Lost, Restored, Suspend, Resume  ---|
//!                      faults of a VF -----------+--> Client::fault, must not wait
//!
//!   access  Open --configure, sleep--> Changing --over--> Open      open_vf says EBUSY meanwhile
//!           any --unbind--> Closed                 attach and open_vf say ENODEV from then on
//!                               '-- wait_closed    the client is told again and again
//! ```

use core::any::Any;

use kernel::{
    device,
    new_condvar,
    new_mutex,
    pci,
    prelude::*,
    sync::{
        Arc,
        CondVar,
        CondVarTimeoutResult,
        Mutex, //
    },
    time::{
        msecs_to_jiffies,
        Msecs, //
    }, //
};

use super::{
    attachment::OpenVfs,
    Attachment,
    Fault,
    Gpu,
    OpenVf,
    Support, //
};

/// How often users are asked to close their VFs: as often as VFIO does it.
const ASK_AGAIN: Msecs = 10_000;

/// What happens to the PF, told to the VF driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The number of VFs is about to change. An error refuses the change.
    SriovConfigure {
        /// How many there will be; 0 when all go.
        num_vfs: u16,
    },
    /// The PF driver is being unbound, and waits until no VF is open; told again every ten seconds.
    /// Then the VFs are removed. The result is ignored.
    Unbind,
    /// The GPU is of no use any more, or is about to be stopped: all vGPUs are dead, and every
    /// operation fails until [`Event::Restored`], or does so soon. What firmware can
    /// still take back may be given back. The result is ignored.
    Lost,
    /// The GPU has been booted again, after a reset or sleep. Its firmware knows nothing of what it
    /// was told before, such as types and clients. The result is ignored.
    Restored,
    /// The system goes to sleep. No VF is open, and none can be opened until [`Event::Resume`]; what
    /// firmware was told is lost, see [`Event::Restored`]. An error keeps the system awake.
    Suspend,
    /// The system is awake again, or stays awake because something else refused; after
    /// [`Event::Restored`] if the GPU works. The result is ignored.
    Resume,
}

/// What the VF driver keeps per PF, and how it hears of events.
pub trait Client: Send + Sync + 'static {
    /// Called without any lock of the PF driver.
    fn event(&self, event: &Event) -> Result;

    /// Takes a fault of a VF and returns whether it did.
    ///
    /// Called in any task that asks firmware, with the client locked: must neither wait nor ask
    /// firmware itself, nor attach or detach.
    fn fault(&self, _fault: &Fault) -> bool {
        false
    }
}

struct Clients {
    /// The client as what it is, an `Arc<C>`.
    typed: Option<KBox<dyn Any + Send + Sync>>,
    attached: usize,
}

/// Whether VFs can be opened.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Access {
    Open,
    /// Not now: SR-IOV is being reconfigured, or the system sleeps.
    Changing,
    /// Not any more.
    Closed,
}

struct State {
    access: Access,
    /// Bit n: VF n is open.
    open_vfs: u64,
}

/// One per bound PF.
#[pin_data]
pub struct Handle {
    gpu: Arc<Gpu>,
    support: Support,
    #[pin]
    clients: Mutex<Clients>,
    /// The client as what it can do. Innermost lock.
    #[pin]
    listener: Mutex<Option<Arc<dyn Client>>>,
    #[pin]
    state: Mutex<State>,
    /// No VF is open any more.
    #[pin]
    closed: CondVar,
}

impl Handle {
    pub(super) fn new(gpu: Arc<Gpu>, support: Support) -> Result<Arc<Self>> {
        Arc::pin_init(
            pin_init!(Self {
                gpu,
                support,
                clients <- new_mutex!(Clients {
                    typed: None,
                    attached: 0,
                }),
                listener <- new_mutex!(None),
                state <- new_mutex!(State {
                    access: Access::Open,
                    open_vfs: 0,
                }),
                closed <- new_condvar!(),
            }),
            GFP_KERNEL,
        )
    }

    /// The handle of the PF that `vf` belongs to.
    ///
    /// # Errors
    ///
    /// `EINVAL` if the device is no VF, `ENODEV` if its PF is not driven by this driver.
    #[inline(never)]
    pub fn from_vf(vf: &pci::Device<device::Bound>) -> Result<Arc<Handle>> {
        crate::driver::handle_of_vf(vf)
    }

    /// Whether the PF can have vGPUs. To be asked before attaching.
    #[inline(never)]
    pub fn support(&self) -> Support {
        self.support
    }

    /// Attaches to the PF. The first caller's `create` makes the client, later callers share it.
    ///
    /// # Errors
    ///
    /// `EOPNOTSUPP` if the PF cannot have vGPUs, `ENODEV` if it is going away, `EBUSY` if a client
    /// of another type is attached, and what `create` returns.
    pub fn attach<C: Client>(
        self: &Arc<Self>,
        create: impl FnOnce(&Arc<Gpu>) -> Result<Arc<C>>,
    ) -> Result<Attachment<C>> {
        if self.support() != Support::Supported {
            return Err(EOPNOTSUPP);
        }
        let mut clients = self.clients.lock();
        self.check_up()?;
        let client = match &clients.typed {
            Some(typed) => typed.downcast_ref::<Arc<C>>().ok_or(EBUSY)?.clone(),
            None => {
                let client = create(&self.gpu)?;
                clients.typed = Some(KBox::new(client.clone(), GFP_KERNEL)?);
                let listener: Arc<dyn Client> = client.clone();
                *self.listener.lock() = Some(listener);
                client
            }
        };
        clients.attached += 1;
        drop(clients);
        Ok(Attachment {
            client,
            handle: self.clone(),
        })
    }

    /// The operations, for the PF driver's own use.
    pub(crate) fn gpu(&self) -> &Arc<Gpu> {
        &self.gpu
    }

    /// Number of attachments.
    pub(crate) fn attached(&self) -> usize {
        self.clients.lock().attached
    }

    /// The VFs that are open.
    pub(crate) fn open_vfs(&self) -> OpenVfs {
        OpenVfs(self.state.lock().open_vfs)
    }

    /// Notes that a guest is about to use VF number `index`; SR-IOV cannot be reconfigured and the
    /// system cannot go to sleep while the returned guard lives.
    ///
    /// # Errors
    ///
    /// `EINVAL` if there cannot be such a VF, `EBUSY` if it is open already, and while SR-IOV is being
    /// reconfigured or the system goes to sleep, `ENODEV` once the PF is going away.
    #[inline(never)]
    pub(super) fn open_vf(self: &Arc<Self>, index: u16) -> Result<OpenVf> {
        let bit = 1u64.checked_shl(index.into()).ok_or(EINVAL)?;
        let mut state = self.state.lock();
        match state.access {
            Access::Open if state.open_vfs & bit == 0 => state.open_vfs |= bit,
            Access::Open | Access::Changing => return Err(EBUSY),
            Access::Closed => return Err(ENODEV),
        }
        drop(state);
        Ok(OpenVf {
            handle: self.clone(),
            bit,
        })
    }

    /// The guest that used the VF with this bit is gone.
    pub(super) fn close_vf(&self, bit: u64) {
        let mut state = self.state.lock();
        state.open_vfs &= !bit;
        if state.open_vfs == 0 {
            self.closed.notify_all();
        }
    }

    /// Starts a change of SR-IOV: keeps VFs from being opened and asks the client. The change ends
    /// when the returned guard is dropped.
    ///
    /// # Errors
    ///
    /// `EBUSY` if a VF is open or another change is under way, `ENODEV` once the PF is going away,
    /// and what the client says.
    pub(crate) fn begin_reconfigure(&self, num_vfs: u16) -> Result<Reconfigure<'_>> {
        self.begin_change()?;
        let guard = Reconfigure(self);
        self.deliver(&Event::SriovConfigure { num_vfs })?;
        Ok(guard)
    }

    /// Gets ready for sleep: keeps VFs from being opened and asks the client. Ended by
    /// [`Self::end_suspend`], but for an error.
    ///
    /// # Errors
    ///
    /// As for [`Self::begin_reconfigure`].
    pub(crate) fn begin_suspend(&self) -> Result {
        self.begin_change()?;
        self.deliver(&Event::Suspend)
            .inspect_err(|_| self.end_change())
    }

    /// The system is awake again. Tells the client.
    pub(crate) fn end_suspend(&self) {
        self.end_change();
        let _ = self.deliver(&Event::Resume);
    }

    /// The PF is being reset: keeps VFs from being opened, and lets those that are open be. Ended by
    /// [`Self::end_reset`].
    pub(crate) fn begin_reset(&self) {
        let mut state = self.state.lock();
        if state.access == Access::Open {
            state.access = Access::Changing;
        }
    }

    /// The reset is over.
    pub(crate) fn end_reset(&self) {
        self.end_change();
    }

    fn begin_change(&self) -> Result {
        let mut state = self.state.lock();
        match state.access {
            Access::Open if state.open_vfs == 0 => state.access = Access::Changing,
            Access::Open | Access::Changing => return Err(EBUSY),
            Access::Closed => return Err(ENODEV),
        }
        Ok(())
    }

    fn end_change(&self) {
        let mut state = self.state.lock();
        if state.access == Access::Changing {
            state.access = Access::Open;
        }
    }

    /// From now on nobody attaches or opens a VF.
    pub(super) fn begin_unbind(&self) {
        self.state.lock().access = Access::Closed;
    }

    /// Tells the client to have its VFs closed, and waits until they are. A signal ends the wait:
    /// then each VF is waited for when it is removed.
    pub(super) fn wait_closed(&self) {
        loop {
            // Nothing can be refused any more.
            let _ = self.deliver(&Event::Unbind);
            let mut left = msecs_to_jiffies(ASK_AGAIN);
            let mut state = self.state.lock();
            while left != 0 {
                if state.open_vfs == 0 {
                    return;
                }
                left = match self.closed.wait_interruptible_timeout(&mut state, left) {
                    CondVarTimeoutResult::Woken { jiffies } => jiffies,
                    CondVarTimeoutResult::Timeout => 0,
                    CondVarTimeoutResult::Signal { .. } => return,
                };
            }
        }
    }

    fn check_up(&self) -> Result {
        match self.state.lock().access {
            Access::Closed => Err(ENODEV),
            Access::Open | Access::Changing => Ok(()),
        }
    }

    pub(super) fn deliver(&self, event: &Event) -> Result {
        let listener = self.listener.lock().clone();
        listener.map_or(Ok(()), |client| client.event(event))
    }

    /// Hands a fault of a VF to the client; false if nobody takes it.
    pub(super) fn fault(&self, fault: &Fault) -> bool {
        // Under the lock, so that the client is not freed, which asks firmware, in this task.
        self.listener
            .lock()
            .as_ref()
            .is_some_and(|client| client.fault(fault))
    }

    /// Ends one attachment; the last one takes the client along.
    #[inline(never)]
    pub(super) fn detach(&self) {
        let mut clients = self.clients.lock();
        clients.attached -= 1;
        let last = if clients.attached == 0 {
            (clients.typed.take(), self.listener.lock().take())
        } else {
            (None, None)
        };
        drop(clients);
        // Freeing the client may ask firmware: not under a lock.
        drop(last);
    }
}

/// SR-IOV is being reconfigured. Dropping it ends that.
pub(crate) struct Reconfigure<'a>(&'a Handle);

impl Drop for Reconfigure<'_> {
    fn drop(&mut self) {
        self.0.end_change();
    }
}
