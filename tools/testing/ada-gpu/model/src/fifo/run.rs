// SPDX-License-Identifier: GPL-2.0

//! What a channel is in the middle of, and its next step.
//!
//! ```text
//!   GET != PUT --entry--> segment --words--> host method   done at once
//!        ^                                   LAUNCH_DMA    a job for the engine
//!        '-- GPGET written back -------------'
//!
//!   a job is in flight:  host methods go on, unless they wait for the engine;
//!                        methods of the engine wait
//!   an acquire fails:    the channel is parked and tries again
//! ```
//!
//! GPGET follows when the methods of an entry are done; their launch may still be
//! in flight, so that GET = PUT says nothing about the work.

use super::channel::{Channel, USERD_GP_GET, USERD_GP_PUT, USERD_REFERENCE};
use super::host::{self, Action, Semaphore, Test};
use super::memory::{Memory, Mode, Violation};
use super::stream::{Entry, Header, Method, Step as Advance, ENTRY_SIZE};
use crate::ce::{self, job::Job, Doubt, Effect, Rights};
use crate::rm::classes::COPY_ENGINE;

/// How often a parked channel looks at its semaphore.
pub const RETRY_NS: u64 = 100_000;
/// The software engine in SET_OBJECT: nothing is bound.
const ENGINE_SOFTWARE: u32 = 0x1f;
/// The sub-channel of a copy engine that shares the runlist of graphics.
const GRCE_SUBCHANNEL: u32 = 4;
/// The runlist of graphics.
const GRAPHICS_RUNLIST: u32 = 0;

/// Why a channel was stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// Memory management refused an access.
    Memory(Violation),
    /// The stream is damaged, or has a method nobody knows.
    Stream(&'static str),
    /// The engine refused a method.
    Engine(&'static str),
}

impl From<Violation> for Stop {
    fn from(v: Violation) -> Stop {
        Stop::Memory(v)
    }
}

/// How a step ended.
#[derive(Debug)]
pub enum Step {
    /// There may be more.
    Went(Output),
    /// Nothing to do.
    Idle,
    /// The engine must be done first.
    Blocked,
    /// A semaphore has not the right value.
    Parked,
}

/// What a step asks of the board.
#[derive(Debug)]
pub enum Output {
    /// Nothing.
    None,
    /// The engine's non-stall vector.
    NonStall,
    /// Translations of a root, or all, are to be dropped.
    Invalidate(Option<u64>),
    /// A semaphore was written: others may wait for it.
    Semaphore,
    /// A job for the engine, with what is doubtful about it.
    Job(Box<Job>, Vec<Doubt>),
}

/// A run of words that a header announced.
#[derive(Debug, Clone, Copy)]
struct Pending {
    method: Method,
    step: Advance,
    count: u32,
}

/// The segment that is executed.
#[derive(Debug, Clone, Default)]
struct Segment {
    words: Vec<u32>,
    at: usize,
    pending: Option<Pending>,
}

/// The state of a channel that is not RM's.
#[derive(Debug, Clone, Default)]
pub struct Run {
    /// Next GPFIFO entry.
    pub get: u32,
    /// PUT as of the last doorbell.
    pub put: u32,
    segment: Option<Segment>,
    host: host::Methods,
    ce: ce::Methods,
    waiting: Option<(Semaphore, Test)>,
    /// When a parked channel tries again.
    pub retry_ns: Option<u64>,
    /// The launch the engine has.
    pub job: Option<Box<Job>>,
    /// The engine has begun with it.
    pub begun: bool,
    /// Time the channel has come to.
    pub clock_ns: u64,
}

impl Run {
    /// Nothing in hand, with `get` as the next entry.
    pub fn at(get: u32) -> Run {
        Run {
            get,
            ..Run::default()
        }
    }

    /// Whether work that was submitted is not done.
    pub fn busy(&self) -> bool {
        self.segment.is_some() || self.waiting.is_some() || self.job.is_some()
    }
}

/// Where a channel's words go to.
pub struct Context<'a, 'm> {
    /// The memories.
    pub memory: &'a mut Memory<'m>,
    /// The channel's address space.
    pub space: Mode,
    /// Time stamp of semaphores is the channel's time plus this.
    pub time_offset: u64,
}

impl Channel {
    /// Does one thing: fetches an entry, or executes one word.
    pub fn step(&mut self, cx: &mut Context<'_, '_>) -> Result<Step, Stop> {
        if !self.enabled {
            return Ok(Step::Idle);
        }
        if let Some((semaphore, test)) = self.run.waiting {
            if !semaphore.passes(cx.memory, cx.space, test)? {
                return Ok(Step::Parked);
            }
            self.run.waiting = None;
            self.run.retry_ns = None;
        }
        match self.run.segment.take() {
            None => self.fetch(cx),
            Some(mut segment) => {
                let step = self.word(cx, &mut segment);
                let over = segment.at >= segment.words.len();
                if !over || matches!(step, Ok(Step::Blocked)) {
                    self.run.segment = Some(segment);
                } else if step.is_ok() {
                    if segment.pending.is_some() {
                        return Err(Stop::Stream("a method's data is missing"));
                    }
                    self.advance_get(cx)?;
                }
                step
            }
        }
    }

    /// Fetches the next entry.
    fn fetch(&mut self, cx: &mut Context<'_, '_>) -> Result<Step, Stop> {
        let put = self.userd_read(cx, USERD_GP_PUT)? % self.entries;
        if put == self.run.get {
            return Ok(Step::Idle);
        }
        let at = self.gpfifo + ENTRY_SIZE * u64::from(self.run.get);
        match Entry::decode(cx.memory.read64(cx.space, at)?) {
            Entry::Nop => self.advance_get(cx)?,
            Entry::Illegal(_) => return Err(Stop::Stream("illegal GPFIFO entry")),
            Entry::Segment { addr, dwords } => {
                let mut bytes = vec![0; 4 * dwords as usize];
                cx.memory.read(cx.space, addr, &mut bytes)?;
                let words = bytes
                    .chunks_exact(4)
                    .map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]))
                    .collect();
                self.run.segment = Some(Segment {
                    words,
                    ..Segment::default()
                });
            }
        }
        Ok(Step::Went(Output::None))
    }

    fn advance_get(&mut self, cx: &mut Context<'_, '_>) -> Result<(), Stop> {
        self.run.get = (self.run.get + 1) % self.entries;
        let get = self.run.get;
        self.userd_write(cx, USERD_GP_GET, get)
    }

    fn userd_read(&self, cx: &mut Context<'_, '_>, off: u64) -> Result<u32, Stop> {
        let mode = Mode::Physical(self.userd.aperture);
        Ok(cx.memory.read32(mode, self.userd.addr + off)?)
    }

    fn userd_write(&self, cx: &mut Context<'_, '_>, off: u64, v: u32) -> Result<(), Stop> {
        let mode = Mode::Physical(self.userd.aperture);
        let at = self.userd.addr + off;
        Ok(cx.memory.write(mode, at, &v.to_le_bytes())?)
    }

    /// Executes one word of the segment.
    fn word(&mut self, cx: &mut Context<'_, '_>, s: &mut Segment) -> Result<Step, Stop> {
        let Some(w) = s.words.get(s.at).copied() else {
            return Ok(Step::Went(Output::None));
        };
        if let Some(p) = &mut s.pending {
            if self.must_wait(p.method, w) {
                return Ok(Step::Blocked);
            }
            let method = p.method;
            p.count -= 1;
            match p.step {
                Advance::Each => p.method.addr += 4,
                Advance::Once => {
                    p.method.addr += 4;
                    p.step = Advance::Never;
                }
                Advance::Never => {}
            }
            if p.count == 0 {
                s.pending = None;
            }
            s.at += 1;
            return self.method(cx, method, w);
        }
        match Header::decode(w) {
            Header::Nop => {}
            Header::Illegal => return Err(Stop::Stream("illegal method header")),
            Header::End => {
                s.at = s.words.len();
                return Ok(Step::Went(Output::None));
            }
            Header::Immediate { method, value } => {
                if self.must_wait(method, value) {
                    return Ok(Step::Blocked);
                }
                s.at += 1;
                return self.method(cx, method, value);
            }
            Header::Methods { count: 0, .. } => {}
            Header::Methods {
                method,
                step,
                count,
            } => {
                s.pending = Some(Pending {
                    method,
                    step,
                    count,
                });
            }
        }
        s.at += 1;
        Ok(Step::Went(Output::None))
    }

    /// Whether a method must not be done while a job is in flight.
    fn must_wait(&self, method: Method, v: u32) -> bool {
        self.run.job.is_some()
            && (method.addr >= host::END || host::waits_for_engine(method.addr, v))
    }

    fn method(&mut self, cx: &mut Context<'_, '_>, method: Method, v: u32) -> Result<Step, Stop> {
        let output = if method.addr < host::END {
            self.host_method(cx, method, v)?
        } else {
            self.engine_method(cx, method, v)?
        };
        Ok(output)
    }

    fn host_method(
        &mut self,
        cx: &mut Context<'_, '_>,
        method: Method,
        v: u32,
    ) -> Result<Step, Stop> {
        let output = match self.run.host.write(method.addr, v) {
            Action::None => Output::None,
            Action::NonStall => Output::NonStall,
            Action::Invalidate(root) => Output::Invalidate(root),
            Action::Illegal(why) => return Err(Stop::Stream(why)),
            Action::Object(object) => {
                self.bind_object(method.subchannel, object)?;
                Output::None
            }
            Action::Reference(v) => {
                self.userd_write(cx, USERD_REFERENCE, v)?;
                Output::None
            }
            Action::Release {
                semaphore,
                timestamp,
            } => {
                let ns = timestamp.then(|| self.run.clock_ns.wrapping_add(cx.time_offset));
                semaphore.release(cx.memory, cx.space, ns)?;
                Output::Semaphore
            }
            Action::Reduce(semaphore, operation, unsigned) => {
                semaphore.reduce(cx.memory, cx.space, operation, unsigned)?;
                Output::Semaphore
            }
            Action::Acquire(semaphore, test) => {
                if !semaphore.passes(cx.memory, cx.space, test)? {
                    self.run.waiting = Some((semaphore, test));
                }
                Output::None
            }
        };
        Ok(Step::Went(output))
    }

    /// SET_OBJECT: the class must be that of the object made on this channel.
    fn bind_object(&self, subchannel: u32, object: u32) -> Result<(), Stop> {
        if object >> 16 & 0x1f == ENGINE_SOFTWARE {
            return Ok(());
        }
        if self.copy_engine.is_none() || object & 0xffff != COPY_ENGINE {
            return Err(Stop::Stream(
                "SET_OBJECT of a class the channel has no object of",
            ));
        }
        if self.id.0 == GRAPHICS_RUNLIST && subchannel != GRCE_SUBCHANNEL {
            return Err(Stop::Stream(
                "SET_OBJECT of a copy engine on a graphics sub-channel",
            ));
        }
        Ok(())
    }

    fn engine_method(
        &mut self,
        cx: &mut Context<'_, '_>,
        method: Method,
        v: u32,
    ) -> Result<Step, Stop> {
        if self.copy_engine.is_none() {
            return Err(Stop::Stream("method without an engine object"));
        }
        if self.id.0 == GRAPHICS_RUNLIST && method.subchannel != GRCE_SUBCHANNEL {
            return Err(Stop::Stream("copy engine method on a graphics sub-channel"));
        }
        let rights = Rights {
            space: cx.space,
            privileged: self.privileged,
        };
        match self.run.ce.write(method.addr, v, rights) {
            Ok(Effect::None) => Ok(Step::Went(Output::None)),
            Ok(Effect::Launch(job, doubts)) => Ok(Step::Went(Output::Job(job, doubts))),
            Err(illegal) => Err(Stop::Engine(illegal.0)),
        }
    }
}
