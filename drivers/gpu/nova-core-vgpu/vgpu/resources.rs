// SPDX-License-Identifier: GPL-2.0

//! Owners of what the GPU gives: dropping one gives it back.
//!
//! ```text
//!   FbRange       frame buffer           quarantine(): not used before the GPU is reset, because
//!   ChannelRange  channel IDs                          firmware did not confirm that it has let go
//!   RmClient      client in GSP-RM
//! ```
//!
//! All of them may be dropped after the PF is unbound; then only the accounting is left to do.

use core::ops::Range;

use kernel::{
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc, //
    },
};

use super::{
    Gpu,
    MapInfo,
    RmError,
    Wait, //
};
use crate::{
    gpu::phase::Phase,
    gsp::{
        cmdq::Cmdq,
        rm::{
            self,
            ClientId,
            ClientObjects, //
        }, //
    },
    mm::vmm::{
        self,
        MapRequest, //
    }, //
};

mod bar1;
pub use bar1::Bar1Mapping;

/// A range of frame buffer and its place in the accounting.
struct FbReservation {
    gpu: Arc<Gpu>,
    range: Range<u64>,
    /// In which boot somebody may go on using it after it is dropped; 0: nobody does.
    quarantine: Atomic<u32>,
}

impl FbReservation {
    /// Whoever drops it last keeps the range out of use.
    fn quarantine(&self) {
        self.quarantine.store(self.gpu.life().boots(), Relaxed);
    }
}

impl Drop for FbReservation {
    fn drop(&mut self) {
        let boot = self.quarantine.load(Relaxed);
        self.gpu
            .release_fb(&self.range, (boot != 0).then_some(boot));
    }
}

/// A range of frame buffer. It is given back when this and all its mappings are dropped.
pub struct FbRange(Arc<FbReservation>);

impl FbRange {
    pub(super) fn new(gpu: Arc<Gpu>, range: Range<u64>) -> Result<Self> {
        // Dropping the reservation gives the range back if there is no memory for it.
        let reservation = FbReservation {
            gpu,
            range,
            quarantine: Atomic::new(0),
        };
        Ok(Self(Arc::new(reservation, GFP_KERNEL)?))
    }

    /// First byte, as an address of frame buffer.
    #[inline(never)]
    pub fn address(&self) -> u64 {
        self.0.range.start
    }

    /// Bytes.
    #[inline(never)]
    pub fn size(&self) -> u64 {
        self.0.range.end - self.0.range.start
    }

    /// Turns a description of a part of the range into a request to the memory manager.
    fn map_request(&self, info: &MapInfo) -> Result<MapRequest<'static>> {
        let end = info.offset.checked_add(info.size).ok_or(EINVAL)?;
        if end > self.size() {
            return Err(EINVAL);
        }
        Ok(MapRequest {
            target: vmm::Target::Video(self.address()),
            offset: info.offset,
            len: info.size,
            va: None,
            page_size: info.page_size,
            kind: info.kind,
            read_only: false,
            privileged: false,
        })
    }

    /// Gives the range back, but keeps it out of use until the GPU is reset.
    #[inline(never)]
    pub fn quarantine(self) {
        self.0.quarantine();
    }
}

/// A range of channel IDs, reserved on every runlist.
pub struct ChannelRange {
    gpu: Arc<Gpu>,
    ids: Range<u32>,
    quarantined: bool,
}

impl ChannelRange {
    pub(super) fn new(gpu: Arc<Gpu>, ids: Range<u32>) -> Self {
        Self {
            gpu,
            ids,
            quarantined: false,
        }
    }

    /// First ID.
    pub fn base(&self) -> u32 {
        self.ids.start
    }

    /// Number of IDs.
    pub fn count(&self) -> u32 {
        self.ids.end - self.ids.start
    }

    /// Gives the IDs back, but keeps them out of use until the GPU is reset.
    #[inline(never)]
    pub fn quarantine(mut self) {
        self.gpu.quarantine_channels(&self.ids);
        self.quarantined = true;
    }

    #[inline(never)]
    fn release(&self) {
        if !self.quarantined {
            self.gpu.release_channels(&self.ids);
        }
    }
}

impl Drop for ChannelRange {
    fn drop(&mut self) {
        self.release();
    }
}

/// A client of GSP-RM with its device and subdevice.
///
/// It lives in the firmware that was running when it was made. Once the GPU has been booted again,
/// it is gone with everything below it.
pub struct RmClient {
    gpu: Arc<Gpu>,
    boot: u32,
    id: ClientId,
    objects: ClientObjects,
}

impl RmClient {
    pub(super) fn new(gpu: &Arc<Gpu>, gfid: u32, wait: Wait) -> Result<Self, RmError> {
        let core = gpu.enter()?;
        let boot = core.boot();
        Self::retry_lost(gpu, core.cmdq());
        let id = gpu.ids.lock().take().ok_or(EBUSY)?;
        let objects = ClientObjects::alloc(core.cmdq(), id, wait).map_err(|(e, gone)| {
            gpu.settle_id(id, gone);
            e
        })?;
        // CAST: Not negative.
        let process = kernel::current!().tgid() as u32;
        core.cmdq()
            .traffic()
            .owners()
            .set(objects.handle(), gfid, process);
        drop(core);
        Ok(Self {
            gpu: gpu.clone(),
            boot,
            id,
            objects,
        })
    }

    /// Asks once more for one of the clients that firmware did not let go.
    fn retry_lost(gpu: &Gpu, cmdq: &Cmdq<'_>) {
        // A statement of its own: the lock must not be held while firmware is asked.
        let lost = gpu.ids.lock().next_lost();
        if let Some(id) = lost {
            gpu.settle_id(id, ClientObjects::retry_free(cmdq, id));
        }
    }

    /// Whether the firmware that it lives in runs, and can be asked.
    #[inline(never)]
    pub fn is_alive(&self) -> bool {
        self.gpu.enter_boot(self.boot).is_ok()
    }

    /// Whether it is gone for good: the GPU has been booted again, or is not driven any more.
    #[inline(never)]
    pub fn is_gone(&self) -> bool {
        self.gpu.is_past(self.boot) || self.gpu.life().phase() == Phase::Gone
    }

    /// Handle of the client.
    #[inline(never)]
    pub fn handle(&self) -> u32 {
        self.objects.handle()
    }

    /// Sends a control to the subdevice. On success `params` holds the parameters of the reply.
    ///
    /// # Errors
    ///
    /// What firmware says, `ETIMEDOUT`, `EINTR` if `wait` allows that, `ENODEV`. When the error has
    /// no status, firmware may have done what it was told or may still do it.
    #[inline(never)]
    pub fn control(&self, cmd: u32, params: &mut [u8], wait: Wait) -> Result<(), RmError> {
        let core = self.gpu.enter_boot(self.boot)?;
        rm::control(core.cmdq(), self.objects.subdevice(), cmd, params, wait)
    }

    #[inline(never)]
    fn free(&self) {
        // Without firmware there is no client either.
        let Ok(core) = self.gpu.enter_boot(self.boot) else {
            return;
        };
        let result = self.objects.free(core.cmdq());
        core.cmdq().traffic().owners().clear(self.objects.handle());
        self.gpu.settle_id(self.id, result.is_ok());
        if let Err(e) = result {
            dev_err!(
                self.gpu.dev(),
                "cannot free RM client {:#x}, its handle stays out of use: {}\n",
                self.objects.handle(),
                e
            );
        }
    }
}

impl Drop for RmClient {
    fn drop(&mut self) {
        self.free();
    }
}
