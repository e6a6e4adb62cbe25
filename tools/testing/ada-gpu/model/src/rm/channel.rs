// SPDX-License-Identifier: GPL-2.0

//! Channels of the PF: allocation, binding, scheduling.
//!
//! ```text
//!   NV_CHANNEL_ALLOC_PARAMS (0x170), see rm/channel/params.rs
//!        | engine -> runlist        flags -> channel ID = page * 8 + index
//!        v
//!   Chids (rm/chid.rs)  free on that runlist, in no vGPU's range
//!        v
//!   memory              instance block, RAMFC, USERD, method buffer, GPFIFO
//!        v
//!   fifo::Channel       BIND (same runlist) -> SCHEDULE -> doorbell
//! ```
//!
//! Checks: OGKM 570.144 `src/nvidia/src/kernel/gpu/fifo/kernel_channel.c`,
//! `arch/maxwell/kernel_channel_gm107.c`, `kernel_channel_group.c`. What GSP-RM
//! does beyond them is not public: that memory must lie in the usable FB and the
//! ring be mapped is what the hardware needs.

pub mod params;

use crate::fifo::channel::{gp_put, Channel, Place};
use crate::fifo::run::Run;
use crate::fifo::{Id, Key};
use crate::mmu::{self, Target as Mapping};
use crate::rm::classes::Kind;
use crate::rm::controls::Target;
use crate::rm::engines::{self, Engine};
use crate::rm::static_info::usable_fb;
use crate::rm::status::{refuse, Refusal};
use crate::rm::Rm;
use crate::services::Services;
use crate::window::BoardTables;
use params::{Memory, Params};
use std::ops::Range;

/// What CE_GET_FAULT_METHOD_BUFFER_SIZE answers; the model's choice.
pub const METHOD_BUFFER_SIZE: u64 = 0x5000;
/// A GPFIFO ring is addressed with 40 bits.
const GPFIFO_LIMIT: u64 = 1 << 40;
const GPFIFO_ENTRY: u64 = 8;
const PAGE: u64 = 4096;

/// The engine of an NV2080_ENGINE_TYPE, if it has a runlist.
pub(super) fn engine_of(nv2080_type: u32) -> Result<(&'static Engine, u32), Refusal> {
    let found = engines::ENGINES
        .iter()
        .find(|e| e.nv2080_type == nv2080_type)
        .and_then(|e| Some((e, e.runlist?)));
    match found {
        Some(f) => Ok(f),
        None => refuse!(
            ERR_INVALID_ARGUMENT,
            "channel-engine",
            "engine type {nv2080_type:#x} has no runlist"
        ),
    }
}

/// An address space of this client.
pub(super) fn check_space(rm: &Rm, key: Key) -> Result<(), Refusal> {
    match rm.objects.find(key.0, key.1) {
        Ok(o) if o.class.kind == Kind::VaSpace => Ok(()),
        _ => refuse!(
            ERR_INVALID_OBJECT_HANDLE,
            "channel-vaspace",
            "{:#x} is not an address space of client {:#x}",
            key.1,
            key.0
        ),
    }
}

/// Allocation of a channel.
pub fn construct(
    rm: &mut Rm,
    s: &mut Services<'_>,
    key: Key,
    parent: u32,
    p: &[u8],
) -> Result<(), Refusal> {
    let p = Params::decode(p)?;
    let (engine, runlist) = engine_of(p.engine)?;
    let group = s.fifo.groups.get(&(key.0, parent));
    let space = match group {
        Some(g) if p.vaspace != 0 => refuse!(
            ERR_INVALID_ARGUMENT,
            "channel-vaspace",
            "a channel of a group must not name an address space, {:#x} has {:#x}",
            parent,
            g.space.1
        ),
        Some(g) if g.engine != p.engine => refuse!(
            ERR_INVALID_ARGUMENT,
            "channel-group-engine",
            "engine type {:#x}, the group has {:#x}",
            p.engine,
            g.engine
        ),
        Some(g) => g.space,
        None => (key.0, p.vaspace),
    };
    let group = group.map(|_| (key.0, parent));
    check_space(rm, space)?;
    check_memory(rm, s, &p)?;
    check_ring(s, space, &p)?;
    // One ID space per runlist, but only where SR-IOV is on.
    let shared = !s.boot.vgpu;
    rm.vgpus.chids.take(runlist, p.chid, shared)?;
    let id = (runlist, p.chid);
    s.trace.line(
        "fifo",
        format_args!("channel {id:?} engine {} object {:#x}", engine.name, key.1),
    );
    s.stats.count("channel-allocs");
    s.fifo.channels.insert(
        id,
        Channel {
            key,
            group,
            id,
            gfid: 0,
            engine,
            space,
            gpfifo: p.gpfifo,
            entries: p.entries,
            instance: p.instance.base,
            userd: p.userd.place(),
            privileged: p.privileged,
            bound: false,
            enabled: false,
            failed: false,
            copy_engine: None,
            run: Run::default(),
        },
    );
    Ok(())
}

/// The memory of a channel is where the hardware can use it and nobody else has it.
fn check_memory(rm: &Rm, s: &Services<'_>, p: &Params) -> Result<(), Refusal> {
    for (what, memory) in [("instance block", &p.instance), ("USERD", &p.userd)] {
        if !memory.in_video() {
            let mut probe = vec![0; memory.size as usize];
            if s.host.dma_read(memory.base, &mut probe).is_err() {
                refuse!(
                    ERR_INVALID_ADDRESS,
                    "channel-memory",
                    "{what} at bus address {:#x} is not reachable",
                    memory.base
                )
            }
            continue;
        }
        let range = memory.range();
        let usable = usable_fb(s);
        if range.start < usable.start || range.end > usable.end {
            refuse!(
                ERR_INVALID_ADDRESS,
                "channel-memory",
                "{what} {range:x?} reaches outside of the usable FB {usable:x?}"
            )
        }
        if let Some(gfid) = rm.vgpus.owner(&range) {
            refuse!(
                ERR_INVALID_ADDRESS,
                "channel-memory",
                "{what} {range:x?} is in the memory of gfid {gfid}"
            )
        }
    }
    if let Some(other) = s.fifo.channels.values().find(|c| shares(c, p)) {
        refuse!(
            ERR_INVALID_ADDRESS,
            "channel-memory-shared",
            "instance block or USERD is that of channel {:?}",
            other.id
        )
    }
    let buffer = &p.method_buffer;
    if buffer.size < METHOD_BUFFER_SIZE {
        refuse!(
            ERR_INVALID_ARGUMENT,
            "channel-method-buffer",
            "method buffer of {:#x} bytes, {METHOD_BUFFER_SIZE:#x} are needed",
            buffer.size
        )
    }
    let mut byte = [0];
    let unreachable = [buffer.base, buffer.base.wrapping_add(buffer.size - 1)]
        .into_iter()
        .any(|at| s.host.dma_read(at, &mut byte).is_err());
    if unreachable {
        refuse!(
            ERR_INVALID_ADDRESS,
            "channel-method-buffer",
            "method buffer at bus address {:#x} is not reachable",
            buffer.base
        )
    }
    Ok(())
}

fn shares(c: &Channel, p: &Params) -> bool {
    let near = |a: u64, b: &Memory| a.abs_diff(b.base) < b.size;
    near(c.instance, &p.instance)
        || (c.userd.aperture == p.userd.place().aperture && near(c.userd.addr, &p.userd))
}

/// The whole ring is mapped, and every virtual address of it has 40 bits.
fn check_ring(s: &Services<'_>, space: Key, p: &Params) -> Result<(), Refusal> {
    let end = p.gpfifo.saturating_add(GPFIFO_ENTRY * u64::from(p.entries));
    let limit = s.fifo.spaces.get(&space).map_or(0, |v| v.limit);
    if p.gpfifo % GPFIFO_ENTRY != 0 || end > GPFIFO_LIMIT.min(limit) {
        refuse!(
            ERR_INVALID_ARGUMENT,
            "channel-gpfifo",
            "GPFIFO {:#x}..{end:#x} is misaligned or beyond the address space",
            p.gpfifo
        )
    }
    let Some(root) = s.fifo.spaces.get(&space).and_then(|v| v.root) else {
        refuse!(
            ERR_INVALID_STATE,
            "channel-unbound",
            "address space {:#x} has no page directory",
            space.1
        )
    };
    let tables = BoardTables {
        vram: &*s.vram,
        host: s.host,
    };
    for va in (p.gpfifo & !(PAGE - 1)..end).step_by(PAGE as usize) {
        match mmu::walk(&tables, root, va) {
            Ok(Mapping::Memory { .. }) => {}
            other => refuse!(
                ERR_INVALID_ADDRESS,
                "channel-gpfifo",
                "GPFIFO at {va:#x} is not mapped: {other:?}"
            ),
        }
    }
    Ok(())
}

/// A channel is freed.
pub fn destroy(rm: &mut Rm, s: &mut Services<'_>, key: Key) {
    let Some(id) = s.fifo.channel(key).map(|c| c.id) else {
        return;
    };
    if let Some(c) = s.fifo.remove(id) {
        rm.vgpus.chids.give(id.0, id.1);
        let put = gp_put(s.vram, s.host, c.userd);
        // What was turned off before may have work left.
        if c.enabled && c.busy(put) {
            s.refuse(
                "channel-free-busy",
                format_args!(
                    "channel {id:?} freed with GET {} and PUT {put:?}",
                    c.run.get
                ),
            );
        }
    }
}

/// The channel a control is addressed to.
pub fn of_channel(s: &Services<'_>, t: Target) -> Vec<Id> {
    let c = s.fifo.channel((t.client, t.object));
    c.map(|c| c.id).into_iter().collect()
}

/// BIND: the engine must be on the runlist of the allocation.
pub fn bind(s: &mut Services<'_>, ids: &[Id], engine: u32) -> Result<(), Refusal> {
    let (engine, runlist) = engine_of(engine)?;
    if let Some(id) = ids.iter().find(|id| id.0 != runlist) {
        refuse!(
            ERR_INVALID_STATE,
            "channel-runlist",
            "channel {id:?} bound to {}, which is on runlist {runlist}",
            engine.name
        )
    }
    for id in ids {
        if let Some(c) = s.fifo.channels.get_mut(id) {
            c.bound = true;
        }
    }
    Ok(())
}

/// GPFIFO_SCHEDULE.
pub fn schedule(s: &mut Services<'_>, ids: &[Id], on: bool) -> Result<(), Refusal> {
    let unbound = ids
        .iter()
        .find(|id| s.fifo.channels.get(id).is_none_or(|c| !c.bound));
    if let Some(id) = unbound {
        refuse!(
            ERR_INVALID_STATE,
            "channel-unbound",
            "channel {id:?} scheduled before BIND"
        )
    }
    let now = s.now_ns();
    for id in ids {
        s.trace.line("fifo", format_args!("channel {id:?} on {on}"));
        s.fifo.schedule(*id, on, now);
    }
    Ok(())
}

impl Memory {
    /// Where it is, for the hardware.
    fn place(&self) -> Place {
        Place {
            aperture: self.aperture,
            addr: self.base,
        }
    }

    fn range(&self) -> Range<u64> {
        self.base..self.base + self.size
    }
}
