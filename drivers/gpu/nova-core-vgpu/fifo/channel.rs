// SPDX-License-Identifier: GPL-2.0

//! A channel of the driver with a copy engine on it.
//!
//! ```text
//!   open    client -> address space -> page directory -> mappings -> group -> channel -> bind, run
//!           -> copy engine
//!   close   stop -> copy engine -> channel -> group -> mappings -> page directory -> address space
//!           -> client
//! ```
//!
//! What a channel has is given back only after firmware has confirmed that the channel, or the
//! client above it, is gone. If it does not confirm, [`Channel::close`] returns the channel: its
//! IDs and memory stay out of use, because hardware may still act on them, until closing it
//! succeeds at some other time.

mod memory;

use kernel::{
    prelude::*,
    sync::{
        Arc,
        Mutex, //
    },
};

use super::{
    engines::CopyUnit,
    gpfifo,
    to_errno,
    ChannelPool, //
};
use crate::{
    ce::sequence::Issued,
    fb::manager::Manager,
    gpu::Gpu,
    gsp::{
        fw::r570_144::channel::NewChannel,
        rm::{
            channel::ChannelObjects,
            ClientId,
            ClientIds,
            ClientObjects,
            RmError,
            Wait, //
        }, //
    },
    mm::{
        bar1::Bar1,
        Mm, //
    },
};

use memory::Memory;
pub(crate) use memory::{
    ENTRIES,
    SLOT_WORDS, //
};

/// Where channels take what they are made of.
pub(crate) struct Parts {
    /// Frame buffer.
    pub(crate) fb: Arc<Mutex<Manager>>,
    /// Page tables.
    pub(crate) mm: Arc<Mm>,
    /// Channel IDs.
    pub(crate) channels: Arc<Mutex<Option<ChannelPool>>>,
    /// RM clients.
    pub(crate) ids: Arc<Mutex<ClientIds>>,
    /// The CPU's view of frame buffer.
    pub(crate) bar1: Arc<Mutex<Bar1>>,
}

impl Parts {
    fn with_channels<R>(&self, f: impl FnOnce(&mut ChannelPool) -> Result<R>) -> Result<R> {
        f((*self.channels.lock()).as_mut().ok_or(EOPNOTSUPP)?)
    }
}

/// The numbers of a channel.
#[derive(Clone, Copy)]
struct Names {
    unit: CopyUnit,
    chid: u32,
    /// For the doorbell.
    token: u32,
    id: ClientId,
}

impl Names {
    fn take(parts: &Parts, unit: CopyUnit) -> Result<Self> {
        let chid = parts.with_channels(|pool| pool.reserve_host(unit.runlist).map_err(to_errno))?;
        let rest = || {
            let token = gpfifo::token(unit.runlist, chid).ok_or(EINVAL)?;
            Ok((token, parts.ids.lock().take().ok_or(EBUSY)?))
        };
        match rest() {
            Ok((token, id)) => Ok(Self {
                unit,
                chid,
                token,
                id,
            }),
            Err(e) => {
                put_chid(parts, unit.runlist, chid);
                Err(e)
            }
        }
    }

    /// Gives the numbers back. If the client may still exist, its number is lost instead.
    fn put(&self, parts: &Parts, client_gone: bool) {
        let mut ids = parts.ids.lock();

        if client_gone {
            ids.put(self.id);
        } else {
            ids.lose(self.id);
        }
        drop(ids);
        put_chid(parts, self.unit.runlist, self.chid);
    }

    /// Shows the channel ID as out of use. The number of the client just stays in use: the channel
    /// itself asks for that client again.
    fn quarantine(&self, parts: &Parts) {
        let (ids, runlist) = (self.chid..self.chid + 1, Some(self.unit.runlist));
        // Cannot fail: the ID is held.
        let _ = parts.with_channels(|pool| pool.quarantine(&ids, runlist).map_err(to_errno));
    }
}

fn put_chid(parts: &Parts, runlist: u32, chid: u32) {
    let ids = chid..chid + 1;
    // Cannot fail: the ID is held.
    let _ = parts.with_channels(|pool| pool.release(&ids, Some(runlist)).map_err(to_errno));
}

/// A step that failed, for the log, and why.
type Step = (&'static str, RmError);

/// How far firmware has come with a channel, in order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Client,
    AddressSpace,
    Directory,
    Group,
    Channel,
    Running,
    Engine,
}

/// A channel.
pub(crate) struct Channel {
    names: Names,
    client: ClientObjects,
    stage: Stage,
    memory: Memory,
}

/// What became of a new channel.
pub(crate) enum Outcome {
    /// It runs.
    Running(KBox<Channel>),
    /// It does not, which has been reported; and what firmware did not let go.
    Failed(Error, Option<KBox<Channel>>),
}

impl Channel {
    /// Makes a channel on copy engine `unit` that runs. `method_buffer` are the bytes that firmware
    /// wants for its own use. Sleeps; not to be called with a lock held.
    pub(crate) fn open(
        gpu: &Gpu<'_>,
        parts: &Parts,
        unit: CopyUnit,
        method_buffer: usize,
    ) -> Outcome {
        let mut channel = match Self::acquire(gpu, parts, unit, method_buffer) {
            Ok(channel) => channel,
            Err((step, e)) => {
                dev_err!(gpu.pdev(), "channel: {}: {}\n", step, e);
                return Outcome::Failed(e.into(), None);
            }
        };
        match channel.start(gpu) {
            Ok(()) => Outcome::Running(channel),
            Err((step, e)) => {
                dev_err!(gpu.pdev(), "channel {}: {}: {}\n", channel.chid(), step, e);
                Outcome::Failed(e.into(), Self::close(channel, gpu, parts))
            }
        }
    }

    /// Gets the numbers, the memory and the client.
    fn acquire(
        gpu: &Gpu<'_>,
        parts: &Parts,
        unit: CopyUnit,
        method_buffer: usize,
    ) -> Result<KBox<Self>, Step> {
        let place =
            KBox::new_uninit(GFP_KERNEL).map_err(|e| ("no memory", Error::from(e).into()))?;
        let names = Names::take(parts, unit).map_err(|e| ("no numbers", e.into()))?;
        let memory = Memory::new(gpu, parts, method_buffer).map_err(|e| {
            names.put(parts, true);
            ("no memory", e.into())
        })?;
        match ClientObjects::alloc(gpu.cmdq(), names.id, Wait::UNINTERRUPTIBLE) {
            Ok(client) => Ok(KBox::write(
                place,
                Self {
                    names,
                    client,
                    stage: Stage::Client,
                    memory,
                },
            )),
            Err((e, gone)) => {
                // Firmware has not heard of the memory.
                memory.release(gpu, parts);
                names.put(parts, gone);
                Err(("no RM client", e))
            }
        }
    }

    fn objects<'a, 'gpu>(&self, gpu: &'a Gpu<'gpu>) -> ChannelObjects<'a, 'gpu> {
        ChannelObjects::new(gpu.cmdq(), self.client, self.names.chid)
    }

    /// Takes the channel from [`Stage::Client`] to [`Stage::Engine`]; on failure says which step
    /// it was.
    fn start(&mut self, gpu: &Gpu<'_>) -> Result<(), Step> {
        let rm = self.objects(gpu);
        let engine = self.names.unit.nv2080;
        let new = NewChannel {
            chid: self.names.chid,
            engine,
            ring: self.memory.ring(),
            ring_entries: ENTRIES,
            instance: self.memory.instance(),
            userd: self.memory.userd(),
            method_buffer: self.memory.method_buffer(),
        };

        rm.alloc_vaspace().map_err(|e| ("address space", e))?;
        self.stage = Stage::AddressSpace;
        rm.set_page_directory(self.memory.root())
            .map_err(|e| ("page directory", e))?;
        self.stage = Stage::Directory;
        self.memory.map(gpu).map_err(|e| ("mappings", e.into()))?;
        rm.alloc_group(engine).map_err(|e| ("group", e))?;
        self.stage = Stage::Group;
        rm.alloc_channel(&new).map_err(|e| ("allocation", e))?;
        self.stage = Stage::Channel;
        rm.bind(engine).map_err(|e| ("bind", e))?;
        rm.schedule(true).map_err(|e| ("start", e))?;
        self.stage = Stage::Running;
        rm.alloc_copy_engine(engine)
            .map_err(|e| ("copy engine", e))?;
        self.stage = Stage::Engine;
        Ok(())
    }

    /// Frees the group and what is below it.
    fn stop(&self, rm: &ChannelObjects<'_, '_>) -> Result<(), RmError> {
        if self.stage >= Stage::Running {
            // Freeing the channel stops it too, only less gently.
            let _ = rm.schedule(false);
        }
        if self.stage >= Stage::Engine {
            rm.free_copy_engine()?;
        }
        if self.stage >= Stage::Channel {
            rm.free_channel()?;
        }
        if self.stage >= Stage::Group {
            rm.free_group()?;
        }
        Ok(())
    }

    /// Frees the address space, whose channel is gone.
    fn free_space(&self, rm: &ChannelObjects<'_, '_>) -> Result<(), RmError> {
        if self.stage >= Stage::Directory {
            rm.unset_page_directory()?;
        }
        if self.stage >= Stage::AddressSpace {
            rm.free_vaspace()?;
        }
        Ok(())
    }

    /// Stops the channel and gives everything back. Sleeps; not to be called with a lock held.
    ///
    /// If firmware does not confirm that the channel is gone, which is reported, the channel comes
    /// back and can be closed again later.
    pub(crate) fn close(
        mut channel: KBox<Self>,
        gpu: &Gpu<'_>,
        parts: &Parts,
    ) -> Option<KBox<Self>> {
        let rm = channel.objects(gpu);
        let chid = channel.chid();
        let warn = |step: &str, e: RmError| {
            dev_warn!(gpu.pdev(), "channel {}: {}: {}\n", chid, step, e);
        };

        // Whatever of this fails is freed with the client, which counts in the end.
        match channel.stop(&rm) {
            Ok(()) => {
                if let Err(e) = channel.memory.unmap(gpu) {
                    warn("cannot be unmapped", e.into());
                }
                if let Err(e) = channel.free_space(&rm) {
                    warn("address space cannot be freed", e);
                }
            }
            Err(e) => warn("cannot be stopped", e),
        }
        channel.stage = Stage::Client;
        match channel.client.free(gpu.cmdq()) {
            Ok(()) => {
                KBox::into_inner(channel).forget(gpu, parts);
                None
            }
            Err(e) => {
                warn("client cannot be freed, all it has stays out of use", e);
                channel.names.quarantine(parts);
                Some(channel)
            }
        }
    }

    /// Count of entries that the engine has fetched from the ring, for the log.
    pub(crate) fn get(&self) -> u32 {
        self.memory.get()
    }

    /// Takes everything back without asking firmware, which has let go of it, or has been reset
    /// together with the GPU.
    pub(crate) fn forget(self, gpu: &Gpu<'_>, parts: &Parts) {
        self.memory.release(gpu, parts);
        self.names.put(parts, true);
    }

    /// Keeps what it has out of use, at least until the GPU is reset: nobody knows who uses it.
    pub(crate) fn abandon(self, parts: &Parts) {
        self.names.quarantine(parts);
        self.memory.abandon(parts);
    }

    /// Its ID on the runlist of the engine.
    pub(crate) fn chid(&self) -> u32 {
        self.names.chid
    }

    /// Address of the semaphore for the methods of this channel. It is 0 at first.
    pub(crate) fn semaphore_address(&self) -> u64 {
        self.memory.semaphore_address()
    }

    /// What the semaphore says. All that the value stands for is visible to the CPU.
    pub(crate) fn semaphore(&self) -> Result<u32> {
        self.memory.semaphore()
    }

    /// Has `words` executed, at most [`SLOT_WORDS`] of them. The caller has the slot for itself,
    /// and submits in the order in which work was issued.
    pub(crate) fn submit(&self, gpu: &Gpu<'_>, work: Issued, words: &[u32]) -> Result {
        self.memory.submit(gpu, self.names.token, work, words)
    }
}
