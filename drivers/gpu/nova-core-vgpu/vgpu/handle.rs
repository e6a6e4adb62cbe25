// SPDX-License-Identifier: GPL-2.0

//! The per-PF handle: attach, detach, events, count of open VFs.
//!
//! ```text
//!                 attach (first: create client)        detach (last: drop client)
//!   no client  ------------------------------> client ----------------------------> no client
//!                                                |
//!                      SriovConfigure, Unbind ---+--> Client::event, without a lock
//!                      faults of a VF -----------+--> Client::fault, must not wait
//!
//!   phase  Up --unbind--> Unbinding      attach and open_vf say ENODEV from then on
//! ```

use core::any::Any;

use kernel::{
    device,
    new_mutex,
    pci,
    prelude::*,
    sync::{
        Arc,
        Mutex, //
    }, //
};

use super::{
    Fault,
    Gpu,
    Support, //
};

/// What happens to the PF, told to the VF driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The number of VFs is about to change. An error refuses the change.
    SriovConfigure {
        /// How many there will be; 0 when all go.
        num_vfs: u16,
    },
    /// The PF driver is being unbound. VFs are removed after this; the result is ignored.
    Unbind,
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

/// Where the PF is in its life.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Up,
    Reconfiguring,
    Unbinding,
}

struct State {
    phase: Phase,
    open_vfs: usize,
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
                    phase: Phase::Up,
                    open_vfs: 0,
                }),
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

    /// Number of VFs that are open.
    pub(crate) fn open_vfs(&self) -> usize {
        self.state.lock().open_vfs
    }

    /// Notes that a guest is about to use a VF; SR-IOV cannot be reconfigured while the returned
    /// guard lives.
    ///
    /// # Errors
    ///
    /// `EBUSY` while SR-IOV is being reconfigured, `ENODEV` once the PF is going away.
    #[inline(never)]
    fn open_vf(self: &Arc<Self>) -> Result<OpenVf> {
        let mut state = self.state.lock();
        match state.phase {
            Phase::Up => state.open_vfs += 1,
            Phase::Reconfiguring => return Err(EBUSY),
            Phase::Unbinding => return Err(ENODEV),
        }
        drop(state);
        Ok(OpenVf(self.clone()))
    }

    /// Starts a change of SR-IOV: keeps VFs from being opened and asks the client. The change ends
    /// when the returned guard is dropped.
    ///
    /// # Errors
    ///
    /// `EBUSY` if a VF is open or another change is under way, `ENODEV` once the PF is going away,
    /// and what the client says.
    pub(crate) fn begin_reconfigure(&self, num_vfs: u16) -> Result<Reconfigure<'_>> {
        let mut state = self.state.lock();
        match state.phase {
            Phase::Up if state.open_vfs == 0 => state.phase = Phase::Reconfiguring,
            Phase::Up | Phase::Reconfiguring => return Err(EBUSY),
            Phase::Unbinding => return Err(ENODEV),
        }
        drop(state);
        let guard = Reconfigure(self);
        self.deliver(&Event::SriovConfigure { num_vfs })?;
        Ok(guard)
    }

    /// From now on nobody attaches or opens a VF. Tells the client.
    pub(super) fn begin_unbind(&self) {
        self.state.lock().phase = Phase::Unbinding;
        // Nothing can be refused any more.
        let _ = self.deliver(&Event::Unbind);
    }

    fn check_up(&self) -> Result {
        match self.state.lock().phase {
            Phase::Unbinding => Err(ENODEV),
            Phase::Up | Phase::Reconfiguring => Ok(()),
        }
    }

    fn deliver(&self, event: &Event) -> Result {
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
    fn detach(&self) {
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

/// Proof of being attached to a PF. Dropping it detaches.
pub struct Attachment<C: Client> {
    client: Arc<C>,
    handle: Arc<Handle>,
}

impl<C: Client> Attachment<C> {
    /// The client that all VFs of the PF share.
    pub fn client(&self) -> &Arc<C> {
        &self.client
    }

    /// The operations.
    pub fn gpu(&self) -> &Arc<Gpu> {
        &self.handle.gpu
    }

    /// See [`Handle::open_vf`].
    pub fn open_vf(&self) -> Result<OpenVf> {
        self.handle.open_vf()
    }
}

impl<C: Client> Drop for Attachment<C> {
    fn drop(&mut self) {
        self.handle.detach();
    }
}

/// A guest uses a VF. Dropping it ends that.
pub struct OpenVf(Arc<Handle>);

impl Drop for OpenVf {
    fn drop(&mut self) {
        self.0.state.lock().open_vfs -= 1;
    }
}

/// SR-IOV is being reconfigured. Dropping it ends that.
pub(crate) struct Reconfigure<'a>(&'a Handle);

impl Drop for Reconfigure<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        if state.phase == Phase::Reconfiguring {
            state.phase = Phase::Up;
        }
    }
}
