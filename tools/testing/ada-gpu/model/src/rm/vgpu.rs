// SPDX-License-Identifier: GPL-2.0

//! Life of the vGPUs: bootload, shutdown, cleanup.
//!
//! ```text
//!   BOOTLOAD  gfid free? type? FB, heap, logs, channels -> VMMU map + chids + task
//!   SHUTDOWN  the task stops; everything it held stays
//!   CLEANUP   only after SHUTDOWN: map, channels and gfid are given back, the
//!             memory is left full of the owner's tag
//! ```
//!
//! How many vGPUs of which types there can be says `placement`. A refused BOOTLOAD changes nothing. FB and heap of one vGPU overlap neither
//! those of another nor what firmware reserves. Statuses: OGKM 570.144
//! `kernel_hostvgpudeviceapi.c`, `kernel_vgpu_mgr.c`, `gpu.c`; those of overlaps
//! are not public and chosen here (NV_ERR_IN_USE, NV_ERR_INVALID_ADDRESS).

mod memory;

use crate::fault::PluginFault;
use crate::rm::bootload::{Bootload, MAX_PLUGIN_CHANNELS};
use crate::rm::chid::Chids;
use crate::rm::placement::{self, Board, Existing};
use crate::rm::plugin::messages::PluginConfig;
use crate::rm::plugin::{Context, Task};
use crate::rm::status::{refuse, Refusal};
use crate::rm::types::Types;
use crate::rm::vmmu::{overlap, Vmmu};
use crate::services::Services;
use std::collections::BTreeMap;
use std::ops::Range;

/// Leaf bit of the host's request to a plugin task (nv_sriov_defines.h).
const DOORBELL_CPU_PLUGIN: u32 = 17;

/// One vGPU.
#[derive(Debug, Clone)]
pub struct Vgpu {
    /// How it was booted.
    pub request: Bootload,
    /// Its plugin task.
    pub task: Task,
    /// Encoder share in percent.
    pub encoder_capacity: u32,
}

/// All vGPUs of the board and what is shared out among them.
#[derive(Debug, Clone)]
pub struct Vgpus {
    list: BTreeMap<u32, Vgpu>,
    /// Types added so far.
    pub types: Types,
    /// Second-stage translation.
    pub vmmu: Vmmu,
    /// Channel reservations.
    pub chids: Chids,
    /// The host can have types of several sizes (SET_VGPU_MGR_CONFIG).
    pub mixing: bool,
    /// It has (SET_VGPU_HETEROGENEOUS_MODE).
    mixed: bool,
    board: Board,
    /// FB that may be given to vGPUs.
    usable: Range<u64>,
    max_gfid: u32,
}

impl Vgpus {
    /// No vGPU yet; gfids 1..=`max_gfid` exist.
    /// The board has `total` bytes of FB.
    pub fn new(segment: u64, usable: Range<u64>, total: u64, max_gfid: u32) -> Vgpus {
        Vgpus {
            list: BTreeMap::new(),
            mixing: false,
            mixed: false,
            board: Board {
                segment,
                first: usable.start,
                total,
            },
            types: Types::default(),
            vmmu: Vmmu::new(segment),
            chids: Chids::default(),
            usable,
            max_gfid,
        }
    }

    /// The vGPU of a gfid.
    pub fn get(&self, gfid: u32) -> Option<&Vgpu> {
        self.list.get(&gfid)
    }

    /// All vGPUs by gfid.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &Vgpu)> {
        self.list.iter().map(|(g, v)| (*g, v))
    }

    /// Bytes of FB and heap in use.
    pub fn bytes(&self) -> u64 {
        self.list
            .values()
            .flat_map(|v| v.request.fb.iter().chain([&v.request.heap]))
            .map(|r| r.end - r.start)
            .sum()
    }

    /// The vGPU that has any part of a host FB range, as guest FB or as heap.
    pub fn owner(&self, range: &Range<u64>) -> Option<u32> {
        self.vmmu.owner(range).or_else(|| {
            let mut all = self.list.iter();
            all.find(|(_, v)| overlap(&v.request.heap, range))
                .map(|(gfid, _)| *gfid)
        })
    }

    /// What exists, for the rules of placement.
    fn existing(&self) -> Vec<Existing> {
        self.iter()
            .map(|(gfid, v)| {
                let config = v.task.config();
                Existing {
                    gfid,
                    vgpu_type: config.map_or(v.request.vgpu_type, |c| c.vgpu_type),
                    placement: config.map(|c| c.placement_id),
                }
            })
            .collect()
    }

    /// SET_VGPU_HETEROGENEOUS_MODE: only without vGPUs, and only if the host can.
    pub fn set_mixed(&mut self, on: bool) -> Result<(), Refusal> {
        if on && !self.mixing {
            refuse!(
                ERR_NOT_SUPPORTED,
                "heterogeneous",
                "the host did not say that it supports types of several sizes"
            )
        }
        if !self.list.is_empty() {
            refuse!(
                ERR_IN_USE,
                "heterogeneous",
                "the mode cannot change while vGPUs exist"
            )
        }
        self.mixed = on;
        Ok(())
    }

    /// One line for each vGPU: who it is, and where.
    pub fn describe(&self) -> String {
        self.iter()
            .map(|(gfid, v)| {
                let (what, fb) = (v.task.config(), v.request.fb.first());
                let (vgpu_type, placement) =
                    what.map_or((0, 0), |c| (c.vgpu_type, c.placement_id));
                let uuid = what.map_or(String::new(), PluginConfig::uuid_text);
                let fb = fb.map_or(0..0, Clone::clone);
                format!(
                    "gfid {gfid} type {vgpu_type} placement {placement} uuid {uuid} fb {:#x} {:#x} heap {:#x} {:#x}\n",
                    fb.start, fb.end, v.request.heap.start, v.request.heap.end
                )
            })
            .collect()
    }

    /// BOOTLOAD_GSP_VGPU_PLUGIN_TASK.
    pub fn bootload(&mut self, s: &mut Services<'_>, params: &[u8]) -> Result<(), Refusal> {
        let request = Bootload::decode(params)?;
        let gfid = request.gfid;
        if gfid == 0 || gfid > self.max_gfid {
            refuse!(
                ERR_OUT_OF_RANGE,
                "gfid-range",
                "gfid {gfid} is not in 1..={}",
                self.max_gfid
            )
        }
        if self.list.contains_key(&gfid) {
            refuse!(
                ERR_INSUFFICIENT_RESOURCES,
                "gfid-in-use",
                "gfid {gfid} has a vGPU"
            )
        }
        if request.plugin_channels > MAX_PLUGIN_CHANNELS {
            refuse!(
                ERR_INVALID_PARAMETER,
                "plugin-channels",
                "gfid {gfid}: {} plugin channels, at most {MAX_PLUGIN_CHANNELS}",
                request.plugin_channels
            )
        }
        if request.vgpu_type != 0 && self.types.get(request.vgpu_type).is_none() {
            refuse!(
                ERR_NOT_SUPPORTED,
                "vgpu-type",
                "gfid {gfid}: vGPU type {} was never added",
                request.vgpu_type
            )
        }
        placement::check_type(
            &self.types,
            self.mixed,
            gfid,
            request.vgpu_type,
            &self.existing(),
        )?;
        self.check_memory(&request)?;
        self.vmmu.check(gfid, &request.fb)?;
        self.check_clean(s, &request)?;
        if request.channels != 0 {
            self.chids
                .reserve(gfid, &request.chid_offset, request.channels)?;
        }
        if let Err(r) = self.vmmu.install(gfid, &request.fb) {
            self.chids.release(gfid);
            return Err(r);
        }
        let marker = if s.faults.plugin().any(|f| *f == PluginFault::NoBoot) {
            None
        } else {
            Some(s.now_ns().saturating_add(s.config.plugin_boot_delay_ns))
        };
        if let Some(at) = marker {
            s.wake_at(at);
        }
        s.trace.line(
            "vgpu",
            format_args!(
                "gfid {gfid} bootload fb {:x?} heap {:x?}",
                request.fb, request.heap
            ),
        );
        s.stats.count("bootloads");
        self.list.insert(
            gfid,
            Vgpu {
                request,
                task: Task::boot(marker),
                encoder_capacity: 100,
            },
        );
        Ok(())
    }

    fn find(&mut self, gfid: u32, what: &str) -> Result<&mut Vgpu, Refusal> {
        match self.list.get_mut(&gfid) {
            Some(v) => Ok(v),
            None => refuse!(
                ERR_OBJECT_NOT_FOUND,
                "gfid-unknown",
                "{what}: gfid {gfid} has no vGPU"
            ),
        }
    }

    /// SHUTDOWN_GSP_VGPU_PLUGIN_TASK.
    pub fn shutdown(&mut self, s: &mut Services<'_>, gfid: u32) -> Result<(), Refusal> {
        let v = self.find(gfid, "shutdown")?;
        if v.task.stopped() {
            refuse!(
                ERR_INVALID_STATE,
                "shutdown-twice",
                "gfid {gfid}: its plugin task is stopped already"
            )
        }
        v.task.shutdown(s, &v.request)
    }

    /// VGPU_PLUGIN_CLEANUP.
    pub fn cleanup(&mut self, s: &mut Services<'_>, gfid: u32) -> Result<(), Refusal> {
        let v = self.find(gfid, "cleanup")?;
        if !v.task.stopped() {
            refuse!(
                ERR_INVALID_STATE,
                "cleanup-running",
                "gfid {gfid}: cleanup of a task that was not shut down"
            )
        }
        self.vmmu.remove(gfid);
        self.chids.release(gfid);
        if let Some(v) = self.list.remove(&gfid) {
            if s.config.fb_tag {
                Vgpus::tag_memory(s, &v.request);
            }
        }
        Ok(())
    }

    /// SET_VGPU_ENCODER_CAPACITY.
    pub fn set_encoder_capacity(&mut self, gfid: u32, percent: u32) -> Result<(), Refusal> {
        let v = self.find(gfid, "encoder capacity")?;
        if percent > 100 {
            refuse!(
                ERR_INVALID_ARGUMENT,
                "encoder-capacity",
                "gfid {gfid}: {percent} percent"
            )
        }
        v.encoder_capacity = percent;
        Ok(())
    }

    /// The PF rang its PRIV doorbell.
    pub fn doorbell(&mut self, s: &mut Services<'_>, value: u32) -> Result<(), Refusal> {
        let (gfid, bit) = (value / 32, value % 32);
        if bit != DOORBELL_CPU_PLUGIN {
            refuse!(
                ERR_INVALID_ARGUMENT,
                "doorbell-bit",
                "doorbell value {value:#x}: bit {bit} is not 17"
            )
        }
        let existing = self.existing();
        let Vgpus {
            list,
            types,
            chids,
            mixed,
            board,
            ..
        } = self;
        let Some(v) = list.get_mut(&gfid) else {
            refuse!(
                ERR_OBJECT_NOT_FOUND,
                "doorbell-no-vgpu",
                "doorbell value {value:#x}: gfid {gfid} has no vGPU"
            )
        };
        // A task whose marker is due by now is up, whether or not the timer ran.
        v.task.tick(s, &v.request)?;
        let strict = s.config.strict_plugin;
        v.task.doorbell(
            s,
            Context {
                types,
                chids,
                request: &v.request,
                strict,
                mixed: *mixed,
                board,
                existing: &existing,
            },
        )
    }

    /// A vGPU's guest says what its licence and its operating system are.
    pub fn guest(
        &mut self,
        s: &mut Services<'_>,
        gfid: u32,
        license: u32,
        os: u32,
    ) -> Result<(), Refusal> {
        let v = self.find(gfid, "guest information")?;
        v.task.guest(s, &v.request, license, os)
    }

    /// Does what is due in any task and asks to be called for the rest.
    pub fn timer(&mut self, s: &mut Services<'_>) {
        for v in self.list.values_mut() {
            if let Err(r) = v.task.tick(s, &v.request) {
                s.refuse(r.kind, format_args!("{}", r.text));
            }
            if let Some(at) = v.task.deadline() {
                s.wake_at(at);
            }
        }
    }
}
