// SPDX-License-Identifier: GPL-2.0

//! GSP-RM: answers RPCs, runs plugin tasks.
//!
//! ```text
//!   rpc 103 RM_ALLOC  10 FREE ---> objects (clients, devices, subdevices, ...)
//!   rpc  76 RM_CONTROL ----------> controls --> vgpus --> types, vmmu, chid, plugin
//!   rpc  65 GET_GSP_STATIC_INFO -> static_info              ^
//!   PF doorbell gfid*32+17 ---------------------------------+
//!   VF BAR1 offset ------------------------------> vmmu ----> FB address
//! ```
//!
//! The transport (queues, the init commands, unload) is not here. Nothing a
//! driver sends is trusted; what is refused gets the status real RM 570.144
//! gives, one line in the log and one count.

pub mod bootload;
pub mod channel;
pub mod chid;
pub mod classes;
pub mod controls;
pub mod copy_engine;
pub mod engines;
pub mod event;
pub mod group;
pub mod message;
pub mod objects;
pub mod placement;
pub mod plugin;
pub mod static_info;
pub mod status;
#[cfg(test)]
mod tests;
pub mod types;
pub mod vaspace;
pub mod vf;
pub mod vgpu;
pub mod vmmu;

use crate::services::{RpcOutcome, Services};
use classes::Kind;
use event::Events;
use objects::{Freed, Objects};
use status::{NvStatus, Refusal};
use std::ops::Range;
use vgpu::Vgpus;

/// The resource manager running on the GSP: from boot to unload or reset.
pub struct Rm {
    objects: Objects,
    events: Events,
    vgpus: Vgpus,
    gpuacct_sent: bool,
}

impl Rm {
    /// Starts with what `s.boot` says.
    pub fn new(s: &mut Services<'_>) -> Rm {
        s.trace.line(
            "rm",
            format_args!(
                "start vgpu {} usable fb {:x?}",
                s.boot.vgpu,
                static_info::usable_fb(s)
            ),
        );
        Rm {
            objects: Objects::with_internal(
                static_info::INTERNAL_CLIENT,
                static_info::INTERNAL_DEVICE,
                static_info::INTERNAL_SUBDEVICE,
            ),
            events: Events::default(),
            vgpus: Vgpus::new(
                s.config.vmmu_segment,
                static_info::usable_fb(s),
                s.config.fb_size(),
                static_info::max_gfid(s),
            ),
            gpuacct_sent: false,
        }
    }

    /// The vGPUs, one per line.
    pub fn vgpus_text(&self) -> String {
        self.vgpus.describe()
    }

    /// Handles one whole message: `function` and the payload after the RPC header.
    pub fn rpc(&mut self, s: &mut Services<'_>, function: u32, payload: &[u8]) -> RpcOutcome {
        let answer = match function {
            message::GET_GSP_STATIC_INFO => Some(static_info::encode(s)),
            message::RM_CONTROL => self.control(s, payload),
            message::RM_ALLOC => self.alloc(s, payload),
            message::FREE => self.free(s, payload),
            _ => {
                s.refuse("rpc-unknown-function", format_args!("function {function}"));
                return reply(NvStatus::RPC_UNKNOWN_FUNCTION, payload.to_vec());
            }
        };
        self.publish(s);
        match answer {
            Some(payload) => reply(NvStatus::OK, payload),
            None => {
                s.refuse(
                    "rpc-format",
                    format_args!("function {function} with {} bytes", payload.len()),
                );
                reply(NvStatus::RPC_INVALID_MESSAGE_FORMAT, payload.to_vec())
            }
        }
    }

    fn control(&mut self, s: &mut Services<'_>, payload: &[u8]) -> Option<Vec<u8>> {
        let m = message::Control::decode(payload)?;
        let (status, params) = match controls::run(self, s, &m) {
            Ok(params) => (NvStatus::OK, Some(params)),
            Err(r) => (refused(s, r), None),
        };
        s.trace.line(
            "rm",
            format_args!(
                "control {:#x} {} client {:#x} object {:#x} -> {status}",
                m.cmd,
                controls::find(m.cmd).map_or("?", |c| c.name),
                m.client,
                m.object
            ),
        );
        Some(message::Control::answer(payload, status, params.as_deref()))
    }

    fn alloc(&mut self, s: &mut Services<'_>, payload: &[u8]) -> Option<Vec<u8>> {
        let m = message::Alloc::decode(payload)?;
        let made = self
            .objects
            .alloc(m.client, m.parent, m.object, m.class, m.params)
            .and_then(|()| self.construct(s, &m));
        let status = match made {
            Ok(()) => NvStatus::OK,
            Err(r) => refused(s, r),
        };
        s.trace.line(
            "rm",
            format_args!(
                "alloc class {:#x} client {:#x} parent {:#x} object {:#x} -> {status}",
                m.class, m.client, m.parent, m.object
            ),
        );
        Some(message::Alloc::answer(payload, status))
    }

    /// What allocating an object of this class does beside the object itself.
    fn construct(&mut self, s: &mut Services<'_>, m: &message::Alloc<'_>) -> Result<(), Refusal> {
        let key = (m.client, m.object);
        let made = match m.class {
            classes::VASPACE => vaspace::construct(s, key, m.params),
            classes::GROUP => group::construct(self, s, key, m.params),
            classes::CHANNEL => channel::construct(self, s, key, m.parent, m.params),
            classes::COPY_ENGINE => copy_engine::construct(s, key, m.parent, m.params),
            _ => self.construct_event(m),
        };
        if made.is_err() {
            self.objects.forget(m.client, m.object);
        }
        made
    }

    fn construct_event(&mut self, m: &message::Alloc<'_>) -> Result<(), Refusal> {
        if classes::class(m.class).is_none_or(|c| c.kind != Kind::Event) {
            return Ok(());
        }
        let above = self.objects.find(m.client, m.parent)?.class.kind;
        let key = (m.client, m.object);
        self.events
            .construct(key, m.parent, above, m.class, m.params)
    }

    /// Notifier `index` of the GPU fires; who has registered for it is told.
    pub fn notify(&mut self, s: &mut Services<'_>, index: u32) {
        self.events.notify(s, index);
    }

    /// Undoes [`Rm::construct`] for what was freed: channels, then groups, before
    /// anything they use, as their free priorities in RM's resource list say.
    fn destroy(&mut self, s: &mut Services<'_>, client: u32, mut freed: Vec<Freed>) {
        freed.sort_by_key(|f| match f.kind {
            Kind::Channel | Kind::CopyEngine => 0,
            Kind::Group => 1,
            _ => 2,
        });
        for f in freed {
            let key = (client, f.handle);
            self.events.destroy(key);
            match f.kind {
                Kind::VaSpace => vaspace::destroy(s, key),
                Kind::Group => group::destroy(s, key),
                Kind::Channel => channel::destroy(self, s, key),
                Kind::CopyEngine => copy_engine::destroy(s, key),
                Kind::Client | Kind::Device | Kind::Subdevice | Kind::Event => {}
            }
        }
    }

    fn free(&mut self, s: &mut Services<'_>, payload: &[u8]) -> Option<Vec<u8>> {
        let m = message::Free::decode(payload)?;
        let status = match self.objects.free(m.client, m.object) {
            // RM reports success here; a driver that does it has lost track.
            Ok(freed) if freed.is_empty() => {
                s.refuse(
                    "free-unknown",
                    format_args!("client {:#x} has no object {:#x}", m.client, m.object),
                );
                NvStatus::OK
            }
            Ok(freed) => {
                self.destroy(s, m.client, freed);
                NvStatus::OK
            }
            Err(r) => refused(s, r),
        };
        s.trace.line(
            "rm",
            format_args!(
                "free client {:#x} object {:#x} -> {status}",
                m.client, m.object
            ),
        );
        Some(message::Free::answer(payload, status))
    }

    /// PRIV doorbell of the PF: `value` = gfid * 32 + bit.
    pub fn doorbell(&mut self, s: &mut Services<'_>, value: u32) {
        if let Err(r) = self.vgpus.doorbell(s, value) {
            refused(s, r);
        }
        self.publish(s);
    }

    /// The guest of a VF says what its licence and its operating system are.
    pub fn guest(
        &mut self,
        s: &mut Services<'_>,
        gfid: u32,
        license: u32,
        os: u32,
    ) -> Result<(), Refusal> {
        self.vgpus.guest(s, gfid, license, os)
    }

    /// PRIV doorbell of a VF, with the token its guest wrote: the guest's own RPC,
    /// which only a guest driver would use.
    pub fn vf_doorbell(&mut self, s: &mut Services<'_>, vf: u8, token: u32) {
        if self.has_vgpu(vf) {
            s.stats.count("guest-doorbells");
            s.trace
                .line("vf", format_args!("vf {vf} doorbell token {token}"));
        } else {
            s.refuse("vf-doorbell-no-vgpu", format_args!("vf {vf} token {token}"));
        }
    }

    /// The function whose vGPU owns any part of a frame-buffer range.
    pub fn fb_owner(&self, range: Range<u64>) -> Option<u32> {
        self.vgpus.vmmu.owner(&range)
    }

    /// Work doorbell of a VF: the guest's channel ID counts from the start of its
    /// range on the runlist that the token names. What guests submit is not
    /// executed.
    pub fn vf_work(&mut self, s: &mut Services<'_>, vf: u8, token: u32) {
        let (runlist, chid) = (token >> 16 & 0x7f, token & 0xfff);
        let gfid = u32::from(vf) + 1;
        match self.vgpus.chids.host_id(gfid, runlist, chid) {
            Some(id) if token == runlist << 16 | chid => {
                s.stats.count("guest-work");
                s.trace.line(
                    "vf",
                    format_args!("vf {vf} channel {chid} of runlist {runlist} is {id}"),
                );
            }
            _ => s.refuse(
                "vf-doorbell-channel",
                format_args!("vf {vf} token {token:#x} is none of its channels"),
            ),
        }
    }

    /// Whether the VF is backed by a vGPU.
    pub fn has_vgpu(&self, vf: u8) -> bool {
        self.vgpus.get(u32::from(vf) + 1).is_some()
    }

    /// Frame-buffer address behind `offset` of a VF's BAR1, through the VMMU.
    pub fn vf_bar1(&self, vf: u8, offset: u64) -> Option<u64> {
        self.vgpus.vmmu.translate(u32::from(vf) + 1, offset)
    }

    /// The VF went through a function level reset: the host decides about its vGPU.
    pub fn vf_reset(&mut self, s: &mut Services<'_>, vf: u8) {
        s.trace.line(
            "vf",
            format_args!("vf {vf} reset, vGPU {}", self.has_vgpu(vf)),
        );
    }

    /// The number of enabled VFs changed; the new one is in `s.pci`.
    pub fn set_num_vfs(&mut self, s: &mut Services<'_>) {
        let lost = self
            .vgpus
            .iter()
            .filter(|(g, _)| *g > u32::from(s.pci.num_vfs))
            .count();
        if lost != 0 {
            s.refuse(
                "vf-gone-with-vgpu",
                format_args!(
                    "{lost} vGPUs are left without a VF: {} VFs enabled",
                    s.pci.num_vfs
                ),
            );
        }
    }

    /// The driver unloads GSP-RM, which forgets everything: what is still there was
    /// left behind.
    pub fn unload(&mut self, s: &mut Services<'_>) {
        let (clients, vgpus) = (self.objects.clients(), self.vgpus.iter().count());
        if clients + vgpus != 0 {
            s.refuse(
                "unload-leftovers",
                format_args!("{clients} clients and {vgpus} vGPUs were not given back"),
            );
        }
    }

    /// The time asked for with [`Services::wake_at`] has come.
    pub fn timer(&mut self, s: &mut Services<'_>) {
        self.vgpus.timer(s);
        self.publish(s);
    }

    /// Brings the live counts up to date.
    fn publish(&self, s: &mut Services<'_>) {
        let running = || self.vgpus.iter().filter(|(_, v)| v.task.running());
        let bus_masters = running().filter(|(_, v)| v.task.bus_master()).count();
        for (name, now) in [
            ("clients", self.objects.clients() as i64),
            ("objects", self.objects.objects() as i64),
            ("vgpus", self.vgpus.iter().count() as i64),
            ("fb-segments", self.vgpus.vmmu.segments() as i64),
            ("fb_bytes", self.vgpus.bytes() as i64),
            ("channels", i64::from(self.vgpus.chids.reserved())),
            ("channel-groups", s.fifo.groups.len() as i64),
            ("host-channels", s.fifo.channels.len() as i64),
            ("events", self.events.count() as i64),
            ("vaspaces", s.fifo.spaces.len() as i64),
            ("types", self.vgpus.types.len() as i64),
            ("plugins", running().count() as i64),
            ("bus-masters", bus_masters as i64),
        ] {
            let before = s.stats.live(name);
            s.stats.adjust(name, now - before);
        }
    }
}

fn reply(result: NvStatus, payload: Vec<u8>) -> RpcOutcome {
    RpcOutcome::Reply {
        result: result.0,
        payload,
    }
}

/// Logs and counts a refusal; gives its status.
fn refused(s: &mut Services<'_>, r: Refusal) -> NvStatus {
    s.refuse(r.kind, format_args!("{} -> {}", r.text, r.status));
    r.status
}
