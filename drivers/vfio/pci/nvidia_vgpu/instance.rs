// SPDX-License-Identifier: GPL-2.0

//! One vGPU, from open to close.
//!
//! ```text
//!   before: a place is claimed, which says where everything is    Claim
//!
//!   create                                                     undone by
//!    1 register (one per VF)                                    Registered
//!    2 channels                                                 ChannelRange
//!    3 guest FB      VMMU segments, scrubbed                    FbRange
//!    4 management heap              scrubbed                    FbRange
//!    5 RM client, layout of the GPU                             RmClient
//!    6 map shared area, clear it, write its header              Bar1Mapping
//!    7 BOOTLOAD                                       \
//!    8 wait for the boot marker                        |  SHUTDOWN, CLEANUP
//!    9 VERSION_NEGOTIATION, SETUP_CONFIG_PARAMS_AND_INIT |
//!   10 UPDATE_BME_STATE                               /
//! ```
//!
//! A step that fails drops what the steps before it own, in reverse. When CLEANUP fails, the
//! firmware may still use memory and channels: they go to the manager as [`Remains`] instead.

use kernel::{
    device,
    fmt,
    page::PAGE_SIZE,
    prelude::*,
    sync::{
        aref::ARef,
        Arc, //
    }, //
};
use nova_core_vgpu::vgpu::{
    Gpu,
    MapInfo,
    RmClient,
    Wait, //
};

use vfio::pci::Device;

use crate::{
    admission::{
        Claim,
        Uuid, //
    },
    control::{
        self,
        wire::Bootload, //
    },
    driver::Vf,
    manager::{
        Manager,
        Registered, //
    },
    plugin::{
        layout,
        messages::{
            Config,
            ConfigParams, //
        },
        Plugin,
        PluginError, //
    },
    types::VgpuType, //
};

mod memory;
pub(crate) mod remains;
pub(crate) mod status;

use memory::Memory;
use remains::Remains;

/// Channels that the plugin uses itself.
const NUM_PLUGIN_CHANNELS: u32 = 1;

/// Who the vGPU is and for whom.
#[derive(Clone, Copy)]
pub(crate) struct Identity {
    /// VF number from 0.
    pub(crate) index: u16,
    /// VF number from 1.
    pub(crate) gfid: u32,
    /// Domain 31:16, bus 15:8, device 7:3, function 2:0 of the VF.
    pub(crate) dbdf: u32,
}

/// For whom a vGPU is made, as user space sees it.
pub(crate) struct User {
    /// Process that opens the device.
    pub(crate) vm_pid: u32,
    /// Tells one vGPU from another.
    pub(crate) uuid: Uuid,
}

/// Does the plugin task exist?
#[derive(Clone, Copy, PartialEq, Eq)]
enum Task {
    No,
    /// BOOTLOAD was sent, and no answer came.
    Unknown,
    Yes,
}

/// Why a vGPU did not survive a reset.
pub(crate) enum ResetError {
    /// The plugin did not take part.
    Plugin(PluginError),
    /// FB may hold what the guest has left.
    Scrub(Error),
}

impl From<PluginError> for ResetError {
    fn from(error: PluginError) -> Self {
        Self::Plugin(error)
    }
}

impl fmt::Display for ResetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plugin(e) => e.fmt(f),
            Self::Scrub(e) => write!(f, "FB is not scrubbed: {e:?}"),
        }
    }
}

/// A vGPU. Fields drop in this order, after [`Drop::drop`] has stopped the plugin task.
pub(crate) struct Instance {
    /// `None` only while being dropped; so is `memory`.
    client: Option<RmClient>,
    plugin: Plugin,
    memory: Option<Memory>,
    task: Task,
    /// What the plugin was last told of bus mastering.
    bme: bool,
    identity: Identity,
    dev: ARef<device::Device>,
    registered: Registered,
}

impl Instance {
    /// Takes all steps. Each failure is logged with the step and what the firmware said.
    ///
    /// # Errors
    ///
    /// `EIO` when the plugin task crashes, `EPROTONOSUPPORT` when plugin task and driver have no
    /// version of messages in common, `EINTR` when the caller is killed, and what the steps say.
    pub(crate) fn create(
        vfio: &Device<Vf>,
        manager: &Arc<Manager>,
        vgpu_type: &VgpuType,
        claim: Claim,
        user: &User,
    ) -> Result<Self> {
        vfio.observed.begin();
        Self::take_steps(vfio, manager, vgpu_type, claim, user).inspect_err(|_| vfio.observed.end())
    }

    fn take_steps(
        vfio: &Device<Vf>,
        manager: &Arc<Manager>,
        vgpu_type: &VgpuType,
        claim: Claim,
        user: &User,
    ) -> Result<Self> {
        let dev: &device::Device = vfio.as_ref();
        let gpu = manager.gpu();
        let identity = vfio.identity;
        let registered = manager.register(identity.index, vfio.hold()?)?;
        let layout = claim.layout();
        let memory = Memory::acquire(dev, gpu, claim, identity.gfid)?;
        let plugin = gpu
            .map_bar1(&memory.heap, &MapInfo::new(0, layout::SHARED_SIZE))
            .and_then(|mapping| {
                let observed = vfio.observed.clone();
                Plugin::prepare(gpu.clone(), mapping, identity.gfid, user.vm_pid, observed)
            })
            .inspect_err(|e| {
                dev_err!(dev, "cannot create a vGPU: shared area: {:?}\n", e);
            })?;
        let client = gpu
            .rm_client(identity.gfid, Wait::KILLABLE)
            .inspect_err(|e| {
                dev_err!(dev, "cannot create a vGPU: RM client: {}\n", e);
            })?;
        manager.tell_layout(&client, layout).inspect_err(|e| {
            dev_err!(dev, "cannot create a vGPU: layout of the GPU: {}\n", e);
        })?;
        let mut instance = Self {
            client: Some(client),
            plugin,
            memory: Some(memory),
            task: Task::No,
            bme: false,
            identity,
            dev: dev.into(),
            registered,
        };
        instance.bootload(gpu, vgpu_type, user)?;
        instance.configure(vgpu_type, user).map_err(|e| {
            dev_err!(dev, "cannot create a vGPU: {}\n", e);
            Error::from(e)
        })?;
        Ok(instance)
    }

    fn bootload(&mut self, gpu: &Gpu, vgpu_type: &VgpuType, user: &User) -> Result {
        let (Some(client), Some(memory)) = (&self.client, &self.memory) else {
            return Err(ENODEV);
        };
        let heap = memory.heap.address();
        // Too large for the stack; kmalloc() aligns it for any field.
        let mut buffer = KVec::from_elem(0u8, size_of::<Bootload>(), GFP_KERNEL)?;
        let params = Bootload::mut_from_bytes(&mut buffer).map_err(|_| EINVAL)?;

        params.dbdf = self.identity.dbdf;
        params.gfid = self.identity.gfid;
        params.vgpu_type = vgpu_type.id;
        params.vm_pid = user.vm_pid;
        params.num_channels = memory.channels.count();
        params.num_plugin_channels = NUM_PLUGIN_CHANNELS;
        for engine in gpu.info().engines.iter() {
            if let Some(offset) = params.chid_offset.get_mut(engine) {
                *offset = memory.channels.base();
            }
        }
        params.num_guest_fb_segments = 1;
        params.guest_fb_phys_addr_list[0] = memory.fb.address();
        params.guest_fb_length_list[0] = memory.fb.size();
        params.plugin_heap_memory_phys_addr = heap;
        params.plugin_heap_memory_length = memory.heap.size();
        params.ctrl_buff_offset = layout::CONTROL.into();
        params.init_task_log_buff_offset = heap + layout::INIT_TASK_LOG.offset;
        params.init_task_log_buff_size = layout::INIT_TASK_LOG.size;
        params.vgpu_task_log_buff_offset = heap + layout::VGPU_TASK_LOG.offset;
        params.vgpu_task_log_buff_size = layout::VGPU_TASK_LOG.size;
        params.kernel_log_buff_offset = heap + layout::KERNEL_LOG.offset;
        params.kernel_log_buff_size = layout::KERNEL_LOG.size;

        let sent = control::bootload(client, params);
        self.task = match &sent {
            Ok(()) => Task::Yes,
            Err(e) if e.status().is_some() => Task::No,
            Err(_) => Task::Unknown,
        };
        sent.map_err(|e| {
            dev_err!(self.dev, "cannot create a vGPU: BOOTLOAD: {}\n", e);
            Error::from(e)
        })
    }

    fn configure(&mut self, vgpu_type: &VgpuType, user: &User) -> Result<(), PluginError> {
        let (num_channels, placement_id) = self
            .memory
            .as_ref()
            .map_or((0, 0), |m| (m.channels.count(), m.claim.resources().id));
        let mut params = ConfigParams::new(&Config {
            uuid: user.uuid,
            dbdf: self.identity.dbdf,
            vgpu_type: vgpu_type.id,
            vm_pid: user.vm_pid,
            num_channels,
            num_plugin_channels: NUM_PLUGIN_CHANNELS,
            placement_id,
            host_page_size: PAGE_SIZE as u64,
        });
        self.plugin.wait_boot()?;
        self.plugin.version_negotiation()?;
        self.plugin.setup_config(&mut params)?;
        // As every public driver does; the VF's own bit is off until the guest sets it.
        self.update_bme(true)?;
        Ok(())
    }

    /// What the plugin was last told of bus mastering.
    pub(crate) fn bme(&self) -> bool {
        self.bme
    }

    /// Tells the plugin that bus mastering is on or off. Returns whether it allows that.
    pub(crate) fn update_bme(&mut self, enable: bool) -> Result<bool, PluginError> {
        let allowed = self.plugin.update_bme(enable)?;
        self.bme = enable && allowed;
        Ok(allowed)
    }

    /// Makes the vGPU as it was before the guest used it, after the VF was reset: the plugin
    /// forgets the guest, versions are negotiated again, and FB is zero.
    pub(crate) fn reset(&mut self) -> Result<(), ResetError> {
        self.plugin.reset()?;
        self.bme = false;
        self.plugin.version_negotiation()?;
        let memory = self.memory.as_ref().ok_or(ResetError::Scrub(ENODEV))?;
        self.registered
            .manager()
            .gpu()
            .fill(&memory.fb, 0..memory.fb.size(), 0)
            .map_err(ResetError::Scrub)
    }

    /// The plugin task is there and has answered every message so far.
    pub(crate) fn is_usable(&self) -> bool {
        self.plugin.is_usable()
    }

    /// The firmware that the vGPU lives in runs, and can be asked.
    pub(crate) fn is_alive(&self) -> bool {
        self.client.as_ref().is_some_and(RmClient::is_alive)
    }

    /// The firmware runs, and has not reported that the plugin task has crashed.
    pub(crate) fn has_task(&self) -> bool {
        self.is_alive() && self.plugin.has_task()
    }

    /// Ends the task. Returns whether the firmware has let go of memory and channels.
    fn stop_task(&self, client: &RmClient) -> bool {
        self.plugin.ending();
        let stopped = control::stop(client, self.identity.gfid, Wait::uninterruptible, || {
            self.plugin.ended();
        });
        if let Err(e) = stopped.shutdown {
            if self.task == Task::Yes {
                dev_warn!(self.dev, "SHUTDOWN of the vGPU failed: {}\n", e);
            }
        }
        match stopped.cleanup {
            Ok(()) => true,
            Err(e) => {
                dev_err!(
                    self.dev,
                    "CLEANUP of the vGPU failed: {}; its memory stays out of use until it is \
                     opened again or unbound\n",
                    e
                );
                false
            }
        }
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        // With the firmware, its task is gone.
        if self.task == Task::No || self.client.as_ref().is_none_or(RmClient::is_gone) {
            return;
        }
        let alive = self.is_alive();
        // Whoever closes may be dying already, and what follows has to be done all the same.
        self.plugin.disown();
        if alive && self.bme && self.plugin.is_usable() {
            if let Err(e) = self.plugin.update_bme(false) {
                dev_warn!(self.dev, "while closing: {}\n", e);
            }
        }
        let Some(client) = self.client.take() else {
            return;
        };
        // Nobody can say what a firmware that is lost still does to the memory.
        if alive && self.stop_task(&client) {
            // Field order: the client goes first.
            self.client = Some(client);
        } else if let Some(memory) = self.memory.take() {
            let remains = Remains::new(client, memory, self.identity);
            self.registered.manager().keep_remains(remains);
        }
    }
}
