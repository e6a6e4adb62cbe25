// SPDX-License-Identifier: GPL-2.0

//! Letting channels and engines go on, up to the present.
//!
//! ```text
//!   doorbell --> ready --run--> step, step, ... --> Idle, Blocked   till the next doorbell
//!                  ^              |                 Parked          till RETRY_NS
//!                  |              | launch          WORDS done      till BREATH_NS
//!                  |              v
//!                  '-- done -- engine: turn by turn, chunk by chunk (turn.rs)
//!
//!   an access or a word that is refused --> stop: the channel, its group, RC_TRIGGERED
//! ```

use super::channel::{gp_put, Channel};
use super::copy_engine::{CopyEngine, BREATH_NS};
use super::memory::{Memory, Mode};
use super::run::{Context, Output, Step, Stop, RETRY_NS};
use super::space::Space;
use super::{Fifo, Id, Key};
use crate::board::Board;
use crate::config;
use crate::gsp::events::{Rc, RC_MMU_FAULT};
use crate::mmu::tlb::{self, Seen, Tlb};
use crate::rm::controls::intr::copy_engine_vector;
use std::collections::BTreeMap;
use std::ops::Range;

/// Words of one channel executed in one go.
const WORDS: u32 = 1 << 16;
/// ROBUST_CHANNEL_PBDMA_ERROR, and those of copy engines 0 and 3 (nverror.h).
const RC_PBDMA: u32 = 32;
const RC_CE0: u32 = 39;
const RC_CE3: u32 = 70;

/// What the board has to do for a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Raise a vector of the PF.
    Interrupt(u32),
    /// GSP-RM reports a channel that was stopped.
    Error(Rc),
}

/// The board, lent to the host engine.
pub struct Unit<'a> {
    /// Memories, log, counts, faults, properties.
    pub board: &'a mut Board,
    /// Memory that nobody but firmware may touch.
    pub wpr2: Option<Range<u64>>,
    /// What the board's clock is ahead of the machine's.
    pub time_offset: u64,
    /// The translation cache.
    pub tlb: &'a mut Tlb,
    /// Translations that were walked for.
    pub seen: Vec<Seen>,
    /// What is left to do.
    pub effects: Vec<Effect>,
}

impl Unit<'_> {
    fn now(&self) -> u64 {
        self.board.host.now_ns()
    }

    pub(super) fn context(&mut self, gfid: u32, space: Mode) -> (Memory<'_>, Mode, u64) {
        let memory = Memory {
            vram: &mut self.board.vram,
            host: &*self.board.host,
            wpr2: self.wpr2.clone(),
            gfid: gfid as u8,
            tlb: &mut *self.tlb,
            keep: self.board.config.tlb != config::Tlb::Coherent,
            seen: &mut self.seen,
        };
        (memory, space, self.time_offset)
    }

    /// A non-stall interrupt of the channel's engine.
    pub(super) fn nonstall(&mut self, c: &Channel) {
        self.board.stats.count("nonstall");
        if self.board.faults.lost_nonstall() {
            self.board
                .trace
                .line("fault", format_args!("non-stall of {} lost", c.engine.name));
        } else if let Some(vector) = copy_engine_vector(c.engine.instance) {
            self.effects.push(Effect::Interrupt(vector));
        }
    }
}

/// How the channels of an address space reach memory.
fn mode(spaces: &BTreeMap<Key, Space>, key: Key) -> Mode {
    let space = spaces.get(&key);
    Mode::Virtual {
        root: space.and_then(|s| s.root),
        limit: space.map_or(0, |s| s.limit),
    }
}

impl Fifo {
    /// The doorbell of the PF was rung with a work submit token.
    pub fn doorbell(&mut self, u: &mut Unit<'_>, token: u32) {
        const CHID: u32 = 0xfff;
        const RUNLIST: u32 = 0x7f;
        u.board.stats.count("doorbells");
        let id = (token >> 16 & RUNLIST, token & CHID);
        if token != id.0 << 16 | id.1 {
            u.board
                .refuse("doorbell-token", format_args!("token {token:#x}"));
            return;
        }
        let Some(c) = self.channels.get_mut(&id) else {
            u.board
                .refuse("doorbell-no-channel", format_args!("token {token:#x}"));
            return;
        };
        if c.failed {
            // The driver may not have heard of it yet.
            u.board.stats.count("doorbell-failed-channel");
            return;
        }
        if !c.enabled {
            u.board.refuse(
                "doorbell-off",
                format_args!("channel {id:?} is not scheduled"),
            );
            return;
        }
        let Some(put) = gp_put(&u.board.vram, &*u.board.host, c.userd) else {
            u.board
                .refuse("doorbell-userd", format_args!("channel {id:?}"));
            return;
        };
        if put >= c.entries {
            u.board.refuse(
                "gpfifo-put",
                format_args!("channel {id:?}: PUT {put} of {} entries", c.entries),
            );
        }
        let ahead = |to: u32, from: u32| to.wrapping_sub(from) & (c.entries - 1);
        if ahead(c.run.put, c.run.get) + ahead(put, c.run.put) >= c.entries {
            u.board.refuse(
                "gpfifo-overrun",
                format_args!(
                    "channel {id:?}: GET {}, PUT {} then {put}",
                    c.run.get, c.run.put
                ),
            );
        }
        if !c.run.busy() && put % c.entries == c.run.get {
            u.board.stats.count("doorbell-empty");
        }
        c.run.put = put % c.entries;
        c.run.clock_ns = c.run.clock_ns.max(u.now());
        self.ready.insert(id);
        self.advance(u);
    }

    /// When [`Fifo::advance`] has something to do.
    pub fn due_ns(&self) -> Option<u64> {
        let engines = self.engines.values().filter_map(CopyEngine::due_ns);
        let parked = self.channels.values().filter_map(|c| c.run.retry_ns);
        let ready = (!self.ready.is_empty() && self.breath_ns.is_none()).then_some(0);
        let all = engines.chain(parked).chain(self.breath_ns).chain(ready);
        // An engine that hangs is never due.
        all.min().filter(|t| *t != u64::MAX)
    }

    /// Does everything that can be done by now.
    pub fn advance(&mut self, u: &mut Unit<'_>) {
        let now = u.now();
        if self.breath_ns.is_some_and(|t| t <= now) {
            self.breath_ns = None;
        }
        for c in self.channels.values_mut() {
            if c.run.retry_ns.is_some_and(|t| t <= now) {
                c.run.retry_ns = None;
                self.ready.insert(c.id);
            }
        }
        loop {
            let mut went = self.turn_engines(u, now);
            if self.breath_ns.is_none() {
                while let Some(id) = self.ready.pop_first() {
                    went |= self.run(u, id, now);
                }
            }
            if !went {
                return;
            }
        }
    }

    /// Lets a channel go on until it cannot.
    fn run(&mut self, u: &mut Unit<'_>, id: Id, now: u64) -> bool {
        let mut went = false;
        for _ in 0..WORDS {
            let Some(c) = self.channels.get_mut(&id) else {
                return went;
            };
            let space = mode(&self.spaces, c.space);
            let (mut memory, space, time_offset) = u.context(c.gfid, space);
            let mut context = Context {
                memory: &mut memory,
                space,
                time_offset,
            };
            match c.step(&mut context) {
                Ok(Step::Idle | Step::Blocked) => return went,
                Ok(Step::Parked) => {
                    c.run.retry_ns = Some(now.saturating_add(RETRY_NS));
                    return went;
                }
                Ok(Step::Went(output)) => {
                    went = true;
                    self.output(u, id, output);
                }
                Err(stop) => {
                    self.stop(u, id, stop, true);
                    return true;
                }
            }
        }
        self.ready.insert(id);
        self.breath_ns = Some(now.saturating_add(BREATH_NS));
        went
    }

    fn output(&mut self, u: &mut Unit<'_>, id: Id, output: Output) {
        let Some(c) = self.channels.get_mut(&id) else {
            return;
        };
        match output {
            Output::None => {}
            Output::NonStall => u.nonstall(c),
            Output::Invalidate(Some(root)) => u.tlb.invalidate(tlb::Space { gfid: c.gfid, root }),
            Output::Invalidate(None) => u.tlb.invalidate_all(c.gfid),
            Output::Semaphore => self.wake_parked(),
            Output::Job(job, doubts) => {
                u.board.stats.count("ce-launches");
                for d in doubts {
                    u.board
                        .refuse(d.kind, format_args!("channel {id:?}: {}", d.text));
                }
                u.board
                    .trace
                    .line("ce", format_args!("{id:?} launch {job:x?}"));
                c.run.job = Some(job);
                c.run.begun = false;
                let engine = self.engines.entry(c.engine.nv2080_type).or_default();
                engine.enqueue(id);
            }
        }
    }

    /// A semaphore changed: who waits for one looks again.
    pub(super) fn wake_parked(&mut self) {
        for c in self.channels.values_mut() {
            if c.run.retry_ns.take().is_some() {
                self.ready.insert(c.id);
            }
        }
    }

    /// Stops a channel, and those of its group, because of an error; `own` when
    /// the driver is to blame.
    pub(super) fn stop(&mut self, u: &mut Unit<'_>, id: Id, stop: Stop, own: bool) {
        let Some(c) = self.channels.get(&id) else {
            return;
        };
        let (group, gfid) = (c.group, c.gfid);
        let mut rc = Rc {
            engine: c.engine.nv2080_type,
            chid: id.1,
            gfid,
            ..Rc::default()
        };
        let kind = match stop {
            Stop::Memory(v) => {
                rc.kind = RC_MMU_FAULT;
                rc.fault_addr = v.addr;
                rc.fault_type = v.fault as u32;
                "channel-fault"
            }
            Stop::Stream(_) => {
                rc.kind = RC_PBDMA;
                "channel-stream"
            }
            Stop::Engine(_) => {
                rc.kind = match c.engine.instance {
                    n @ 0..=2 => RC_CE0 + n,
                    n => RC_CE3 + n - 3,
                };
                "channel-engine"
            }
        };
        if own {
            u.board
                .refuse(kind, format_args!("channel {id:?}: {stop:x?}"));
        }
        u.board.stats.count("channel-errors");
        for c in self.channels.values_mut() {
            if c.id == id || (group.is_some() && c.group == group) {
                c.fail();
                self.ready.remove(&c.id);
                self.engines.values_mut().for_each(|e| e.forget(c.id));
            }
        }
        u.effects.push(Effect::Error(rc));
    }
}
