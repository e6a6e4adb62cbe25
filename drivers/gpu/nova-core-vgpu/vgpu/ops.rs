// SPDX-License-Identifier: GPL-2.0

//! The operations of a GPU that a VF driver may ask for.
//!
//! ```text
//!   Gpu (refcounted, may outlive the binding)
//!     info                           facts, never change
//!     fb, channels, ids, bar1        accounting: works as long as anybody holds the Gpu
//!     gate  --enter--> gpu::Gpu      hardware and firmware: EIO while the GPU is lost, asleep or
//!                                    being reset, ENODEV once the PF is unbound
//! ```

use core::ops::Range;

use kernel::{
    device,
    firmware::Firmware,
    io::Io,
    pci,
    prelude::*,
    sync::{
        aref::ARef,
        Arc,
        Mutex, //
    }, //
};
use kernel_ext::pci::DeviceExt;

use super::{
    ChannelRange,
    FbOwner,
    FbRange,
    FbRequest,
    GuestFb,
    GuestFbError,
    Info,
    RmClient,
    RmError,
    Wait, //
};
use crate::{
    ce::CopyEngine,
    fb::{
        guest::{
            self,
            Board,
            Rule, //
        },
        manager::Manager, //
    },
    fifo::{
        self,
        chid::ChannelOwner,
        ChannelPool, //
    },
    gpu::{
        self,
        gate::{
            Gate,
            GateGuard, //
        },
        life::Life, //
    },
    gsp::rm::{
        ClientId,
        ClientIds, //
    },
    mm::{
        bar1::Bar1,
        Mm, //
    },
    regs::vf::NV_VF_PRIV_DOORBELL, //
};

/// Which of the published formulas sizes the frame buffer of a guest.
const FB_RULE: Rule = Rule::Rfc;

/// A GPU, as far as a VF driver is concerned.
#[pin_data]
pub struct Gpu {
    pub(super) pdev: ARef<pci::Device>,
    pub(super) gate: Arc<Gate>,
    pub(super) info: Info,
    pub(super) fb: Arc<Mutex<Manager>>,
    pub(super) mm: Arc<Mm>,
    /// `None` without vGPU support.
    pub(super) channels: Arc<Mutex<Option<ChannelPool>>>,
    pub(super) ids: Arc<Mutex<ClientIds>>,
    pub(super) bar1: Arc<Mutex<Bar1>>,
    pub(super) ce: CopyEngine,
}

impl Gpu {
    /// Facts about the GPU.
    #[inline(never)]
    pub fn info(&self) -> &Info {
        &self.info
    }

    /// The PF, for log lines.
    #[inline(never)]
    pub fn dev(&self) -> &device::Device {
        (*self.pdev).as_ref()
    }

    /// Bytes of frame buffer that are not handed out; not necessarily in one piece.
    #[inline(never)]
    pub fn fb_free(&self) -> u64 {
        self.fb.lock().free()
    }

    /// Channel IDs that are not handed out.
    #[inline(never)]
    pub fn channels_free(&self) -> u32 {
        self.channels.lock().as_ref().map_or(0, |pool| pool.free())
    }

    /// Loads a firmware file on behalf of the PF.
    ///
    /// # Errors
    ///
    /// Those of the firmware loader (`ENOENT` when there is no such file), `ENODEV`.
    #[inline(never)]
    pub fn load_firmware(&self, name: &CStr) -> Result<Firmware> {
        let gpu = self.enter()?;
        Firmware::request(name, gpu.pdev().as_ref())
    }

    /// Allocates a client with a device and a subdevice below it. `gfid` says whom it acts for: VF
    /// index + 1, or 0 for nobody in particular. Sleeps.
    ///
    /// # Errors
    ///
    /// What firmware says, `EBUSY` when there are too many clients, `EINTR` if `wait` allows that,
    /// `ENODEV`.
    #[inline(never)]
    pub fn rm_client(self: &Arc<Self>, gfid: u32, wait: Wait) -> Result<RmClient, RmError> {
        RmClient::new(self, gfid, wait)
    }

    /// Reserves these channel IDs for the vGPU behind `gfid`, on every runlist.
    ///
    /// # Errors
    ///
    /// `EINVAL` if they are not in [`Info::channels`], no power of two or not aligned to it, `ENOSPC`
    /// if they are not free, `EOPNOTSUPP` without vGPU support, `ENODEV`.
    #[inline(never)]
    pub fn alloc_channels(self: &Arc<Self>, ids: &Range<u32>, gfid: u32) -> Result<ChannelRange> {
        let _core = self.enter()?;
        let mut channels = self.channels.lock();
        let pool = (*channels).as_mut().ok_or(EOPNOTSUPP)?;
        let owner = ChannelOwner::Guest(gfid);
        let ids = pool.reserve(ids, owner).map_err(fifo::to_errno)?;
        drop(channels);
        Ok(ChannelRange::new(self.clone(), ids))
    }

    /// Bytes of frame buffer that a guest gets: whole VMMU segments, never zero.
    ///
    /// # Errors
    ///
    /// See [`GuestFbError`]; without vGPU support there is no space.
    #[inline(never)]
    pub fn guest_fb_length(&self, guest: &GuestFb) -> Result<u64, GuestFbError> {
        let board = Board {
            total: self.info.vgpu_fb.end - self.info.vgpu_fb.start,
            segment: self.info.vmmu_segment_size,
            ecc_enabled: self.info.ecc_enabled,
        };
        guest::length(FB_RULE, &board, guest)
    }

    /// Reserves frame buffer. That of a guest must start and end on a VMMU segment.
    ///
    /// What tenants get is zero all over. Unless there is such memory, this sleeps until some has
    /// been scrubbed.
    ///
    /// # Errors
    ///
    /// Of tenants: `EINTR` if the task is being killed, `EIO` or `ETIMEDOUT` if the memory cannot
    /// be scrubbed.
    /// `EINVAL` for a bad size, alignment or address, `EBUSY` if a fixed range is taken, `ENOSPC`
    /// if nothing is large enough, `ENODEV`.
    #[inline(never)]
    pub fn alloc_fb(self: &Arc<Self>, req: &FbRequest) -> Result<FbRange> {
        let range = if req.owner.is_tenant() {
            self.reserve_clean(req)?
        } else {
            let _core = self.enter()?;
            self.fb.lock().reserve(self.dev(), req)?
        };
        let segment = self.info.vmmu_segment_size;
        let fb = FbRange::new(self.clone(), range.clone())?;
        if matches!(req.owner, FbOwner::GuestFb(_)) && !guest::is_placed(&range, segment) {
            return Err(EINVAL);
        }
        Ok(fb)
    }

    /// Whether a range of frame buffer could be had at once: all of it is free and clean.
    #[inline(never)]
    pub fn fb_is_clean(&self, range: &Range<u64>) -> bool {
        self.fb.lock().is_clean(range)
    }

    /// Whether something has been put out of use, because firmware did not let go of it, that `fb` or
    /// `channels` is true of.
    #[inline(never)]
    pub fn any_quarantined(
        &self,
        fb: &dyn Fn(&Range<u64>) -> bool,
        channels: &dyn Fn(&Range<u32>) -> bool,
    ) -> bool {
        let of_fb = self.with_fb(|manager| {
            let mut live = manager.live();
            live.any(|s| s.owner == FbOwner::Quarantine && fb(&s.range()))
        });
        let of_channels = self.with_channels(|pool| {
            let mut leases = pool.into_iter().flat_map(|p| p.leases());
            leases.any(|l| l.owner() == ChannelOwner::Quarantine && channels(&l.ids()))
        });
        of_fb || of_channels
    }

    /// Rings the PRIV doorbell; see [`plugin_vector`](super::plugin_vector). The write has reached
    /// the GPU on return.
    ///
    /// # Errors
    ///
    /// `ENODEV`.
    #[inline(never)]
    pub fn ring_doorbell(&self, vector: u32) -> Result {
        let gpu = self.enter()?;
        let bar = gpu.bar();
        bar.write_reg(NV_VF_PRIV_DOORBELL::zeroed().with_vector(vector));
        // The register only takes writes; reading it pushes the posted write.
        let _ = bar.read(NV_VF_PRIV_DOORBELL);
        Ok(())
    }

    /// Lets `f` use the GPU itself.
    pub(crate) fn with_core<R>(&self, f: impl FnOnce(&gpu::Gpu<'_>) -> Result<R>) -> Result<R> {
        f(&*self.enter()?)
    }

    /// Lets `f` look at the GPU even when it is lost.
    pub(crate) fn look<R>(&self, f: impl FnOnce(&gpu::Gpu<'_>) -> Result<R>) -> Result<R> {
        f(&*self.gate.look()?)
    }

    /// The way to the GPU.
    pub(super) fn gate(&self) -> &Arc<Gate> {
        &self.gate
    }

    /// Phase and history of the GPU.
    pub(crate) fn life(&self) -> &Arc<Life> {
        self.gate.life()
    }

    /// Lets `f` look at the frame buffer manager.
    pub(crate) fn with_fb<R>(&self, f: impl FnOnce(&Manager) -> R) -> R {
        f(&self.fb.lock())
    }

    /// Lets `f` look at the channel pool; there is none without vGPU support.
    pub(crate) fn with_channels<R>(&self, f: impl FnOnce(Option<&ChannelPool>) -> R) -> R {
        f(self.channels.lock().as_ref())
    }

    /// Lets `f` look at BAR1.
    pub(crate) fn with_bar1<R>(&self, f: impl FnOnce(&Bar1) -> R) -> R {
        f(&self.bar1.lock())
    }

    /// What address spaces share, to make one with.
    pub(crate) fn mm(&self) -> &Arc<Mm> {
        &self.mm
    }

    /// Number of RM clients.
    pub(crate) fn clients(&self) -> u32 {
        self.ids.lock().in_use()
    }

    /// Number of VFs that are enabled; none while GSP does not run.
    pub(crate) fn num_vfs(&self) -> u16 {
        self.gate.look().map_or(0, |gpu| gpu.pdev().num_vfs())
    }

    /// Reads a dword of frame buffer without BAR1.
    pub(crate) fn peek(&self, address: u64) -> Result<u32> {
        let gpu = self.enter()?;
        self.mm.window(gpu.bar())?.read32(address)
    }

    /// Writes a dword of frame buffer without BAR1.
    pub(crate) fn poke(&self, address: u64, value: u32) -> Result {
        let gpu = self.enter()?;
        let mut window = self.mm.window(gpu.bar())?;
        window.write32(address, value)?;
        window.flush()
    }

    /// Access to hardware and firmware for as long as the guard lives.
    pub(super) fn enter(&self) -> Result<GateGuard<'_>> {
        self.gate.enter()
    }

    /// The same for what was made in boot number `boot`: `ENODEV` in later ones.
    pub(super) fn enter_boot(&self, boot: u32) -> Result<GateGuard<'_>> {
        self.gate.enter_boot(boot)
    }

    /// Whether the GPU has been booted again since boot number `boot`.
    pub(super) fn is_past(&self, boot: u32) -> bool {
        self.life().boots() != boot
    }

    /// Gives the id of a client back if the client is gone. To be called with the gate entered: a
    /// later boot begins with all ids free.
    pub(super) fn settle_id(&self, id: ClientId, gone: bool) {
        let mut ids = self.ids.lock();
        if gone {
            ids.put(id);
        } else {
            ids.lose(id);
        }
    }

    /// Gives frame buffer back, or keeps it out of use if somebody may still use it in boot number
    /// `quarantine`.
    pub(super) fn release_fb(&self, range: &Range<u64>, quarantine: Option<u32>) {
        let mut fb = self.fb.lock();
        match quarantine {
            Some(boot) if !self.is_past(boot) => fb.quarantine(range),
            _ => fb.release(self.dev(), range),
        }
    }

    /// Gives channel IDs back.
    pub(super) fn release_channels(&self, ids: &Range<u32>) {
        if let Some(pool) = (*self.channels.lock()).as_mut() {
            if let Err(e) = pool.release(ids, None) {
                dev_err!(
                    self.dev(),
                    "channel IDs {}..{} are given back but were not reserved: {:?}\n",
                    ids.start,
                    ids.end,
                    e
                );
            }
        }
    }

    /// Keeps channel IDs out of use until the GPU is reset.
    pub(super) fn quarantine_channels(&self, ids: &Range<u32>) {
        if let Some(pool) = (*self.channels.lock()).as_mut() {
            // Cannot fail: whoever calls this holds them.
            let _ = pool.quarantine(ids, None);
        }
    }
}
