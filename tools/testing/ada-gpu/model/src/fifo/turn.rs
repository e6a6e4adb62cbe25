// SPDX-License-Identifier: GPL-2.0

//! Copy engines: whose turn it is, and what a turn does.
//!
//! ```text
//!   pick a channel with a job --> begin a chunk --- time --> finish: its bytes appear
//!        ^                          |                          |
//!        |                          '- hang, fault on request  |-- more: behind the others
//!        '-----------------------------------------------------'-- done: semaphore, interrupt
//! ```

use super::advance::Unit;
use super::copy_engine::{BREATH_NS, PIECES};
use super::memory::Violation;
use super::run::Stop;
use super::{Fifo, Id};
use crate::mmu::Fault;

impl Fifo {
    /// Lets every engine do what is due.
    pub(super) fn turn_engines(&mut self, u: &mut Unit<'_>, now: u64) -> bool {
        let mut went = false;
        let all: Vec<u32> = self.engines.keys().copied().collect();
        for e in all {
            while self.turn(u, e, now) {
                went = true;
            }
        }
        went
    }

    /// Finishes a chunk, or starts one.
    fn turn(&mut self, u: &mut Unit<'_>, engine: u32, now: u64) -> bool {
        let rate = u.board.config.ce_rate;
        let Some(e) = self.engines.get_mut(&engine) else {
            return false;
        };
        if let Some(done) = e.finish(now) {
            self.chunk(u, engine, done.id, done.bytes, done.end_ns, now);
            return true;
        }
        let Some(id) = e.pick() else {
            return false;
        };
        let Some(c) = self.channels.get_mut(&id) else {
            return true;
        };
        let Some(job) = &c.run.job else {
            return true;
        };
        let addr = job.transfer.as_ref().map_or(0, |t| t.next_address());
        if !std::mem::replace(&mut c.run.begun, true) {
            if u.board.faults.ce_hang() {
                u.board.stats.count("ce-hangs");
                u.board
                    .trace
                    .line("fault", format_args!("{} hangs", c.engine.name));
                e.hang(id);
                return true;
            }
            if u.board.faults.ce_fault() {
                let violation = Violation {
                    fault: Fault::Pte,
                    addr,
                    write: true,
                };
                self.stop(u, id, Stop::Memory(violation), false);
                return true;
            }
        }
        let time = e.begin(id, c.run.clock_ns, job.left(), addr, rate);
        if time != 0 {
            let name = c.engine.name.to_ascii_lowercase();
            u.board.stats.add(&format!("busy-ns-{name}"), time);
        }
        true
    }

    /// The time of a chunk is over: its bytes appear.
    fn chunk(&mut self, u: &mut Unit<'_>, engine: u32, id: Id, bytes: u64, end: u64, now: u64) {
        let Some(c) = self.channels.get_mut(&id) else {
            return;
        };
        let Some(mut job) = c.run.job.take() else {
            return;
        };
        c.run.clock_ns = c.run.clock_ns.max(end);
        let (mut memory, ..) = u.context(c.gfid, job.space);
        if let Some(t) = job.transfer.as_mut().filter(|_| bytes != 0) {
            match t.step(&mut memory, bytes, PIECES) {
                Ok(n) => {
                    let what = match t.reads() {
                        true => "ce-bytes-copied",
                        false => "ce-bytes-filled",
                    };
                    u.board.stats.add(what, n);
                }
                Err(violation) => {
                    self.stop(u, id, Stop::Memory(violation), true);
                    return;
                }
            }
        }
        if job.left() != 0 {
            c.run.job = Some(job);
            if let Some(e) = self.engines.get_mut(&engine) {
                if u.board.config.ce_rate == 0 {
                    e.breathe(now);
                    c.run.clock_ns = c.run.clock_ns.max(now + BREATH_NS);
                }
                e.enqueue(id);
            }
            return;
        }
        let ns = c.run.clock_ns.wrapping_add(u.time_offset);
        if let Some(s) = &job.semaphore {
            let (mut memory, ..) = u.context(c.gfid, job.space);
            if let Err(violation) = s.release(&mut memory, job.space, ns) {
                self.stop(u, id, Stop::Memory(violation), true);
                return;
            }
        }
        if job.interrupt {
            u.nonstall(c);
        }
        if job.semaphore.is_some() {
            self.wake_parked();
        }
        self.ready.insert(id);
    }
}
