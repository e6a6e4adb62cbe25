// SPDX-License-Identifier: GPL-2.0

//! The GSP's message transport and its life from booter to unload.
//!
//! ```text
//! Off --booter load--> Init --SET_SYSTEM_INFO + SET_REGISTRY--> Sequencing
//!  ^        |                                                      |
//!  |        '-> Silent (something boot needs is wrong)             | CORE_RESUME
//!  |                                                               v
//!  '--reset, booter unload-- Suspended <--UNLOADING-- Running <----'
//! ```
//!
//! A received message goes through: element checks, sequence number,
//! reassembly of continuation records; a sent one is split the same way, given
//! its sequence number, and put into the status queue when its time has come
//! and there is room. What an element fails is refused; the element is dropped,
//! as nothing in the protocol reports it.

pub mod boot;
mod call;
pub mod element;
pub mod events;
pub mod init;
pub mod outgoing;
pub mod queue;
pub mod script;

use crate::board::Board;
use crate::bytes::u32_at;
use crate::fault::Fault;
use crate::services::{RegistryValue, SystemInfo};
use crate::ucode::wpr_meta::WprMeta;
pub use call::Call;
use element::{Element, MAX_PAYLOAD};
use outgoing::{Header, Outgoing, Threads};
use queue::Rings;
use std::collections::BTreeMap;

/// RPC functions the transport knows.
pub mod function {
    /// The driver is leaving.
    pub const UNLOADING_GUEST_DRIVER: u32 = 47;
    /// Root directory entry of BAR1 or BAR2.
    pub const UPDATE_BAR_PDE: u32 = 70;
    /// Next part of a message too large for one element.
    pub const CONTINUATION_RECORD: u32 = 71;
    /// What the driver knows of the machine.
    pub const GSP_SET_SYSTEM_INFO: u32 = 72;
    /// Registry keys.
    pub const SET_REGISTRY: u32 = 73;
    /// Control call on an object.
    pub const GSP_RM_CONTROL: u32 = 76;
    /// Allocation of an object.
    pub const GSP_RM_ALLOC: u32 = 103;
    /// Event: GSP-RM is up.
    pub const GSP_INIT_DONE: u32 = 0x1001;
    /// Event: lockdown engaged or released.
    pub const GSP_LOCKDOWN_NOTICE: u32 = 0x101c;
    /// Event: diagnostic record.
    pub const GSP_POST_NOCAT_RECORD: u32 = 0x1020;
}

/// `rpc_result` of a message that is not an answer to a failed request.
pub const RPC_OK: u32 = 0;
/// How long to wait before looking again for room in the status queue.
const RETRY_NS: u64 = 1_000_000;

/// Where GSP is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum State {
    /// RISC-V core not started.
    #[default]
    Off,
    /// Started, but hung.
    Silent,
    /// Waiting for the two init messages.
    Init,
    /// Waiting for the CPU to run the sequencer script.
    Sequencing {
        /// The register commands are known to have run.
        checked: bool,
    },
    /// INIT_DONE was sent.
    Running,
    /// Unloaded; waiting for reset.
    Suspended,
    /// Halted by an error; waiting for reset.
    Dead,
}

/// A whole message from the driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// RPC function.
    pub function: u32,
    /// RPC sequence word, to be echoed.
    pub rpc_sequence: u32,
    /// Spare word, to be echoed.
    pub spare: u32,
    /// Payload, continuation records joined.
    pub payload: Vec<u8>,
}

impl Message {
    /// What it asks for.
    pub fn call(&self) -> Call {
        Call::of(self.function, &self.payload)
    }
}

/// A message under reassembly.
#[derive(Debug)]
struct Partial {
    message: Message,
    total: usize,
}

/// The GSP, apart from its falcon.
#[derive(Default)]
pub struct Gsp {
    /// Where it is in its life.
    pub state: State,
    /// DMA address of the libos arguments it was booted with.
    pub libos: u64,
    /// WPR metadata it was booted with.
    pub meta: WprMeta,
    /// SET_SYSTEM_INFO, once received.
    pub system: Option<SystemInfo>,
    /// SET_REGISTRY, once received.
    pub registry: Option<BTreeMap<String, RegistryValue>>,
    rings: Rings,
    /// Next element sequence number expected / to be sent.
    rx_sequence: u32,
    tx_sequence: u32,
    partial: Option<Partial>,
    outgoing: Outgoing,
    threads: Threads,
    /// The command queue cannot be followed any more.
    wedged: bool,
}

/// Payload bytes a message of this function says it has in all, from its first
/// part.
fn announced(function: u32, first: &[u8]) -> Option<usize> {
    let (header, size) = match function {
        function::GSP_RM_CONTROL => (0x18, u32_at(first, 0x10)?),
        function::GSP_RM_ALLOC => (0x20, u32_at(first, 0x14)?),
        function::SET_REGISTRY => (0, u32_at(first, 0)?),
        _ => return None,
    };
    Some(header + size as usize)
}

impl Gsp {
    /// Whether messages are read and sent at all.
    fn listening(&self) -> bool {
        matches!(
            self.state,
            State::Init | State::Sequencing { .. } | State::Running
        )
    }

    /// Attaches to freshly set-up queues.
    pub fn start(&mut self, rings: Rings) {
        self.rings = rings;
        self.state = State::Init;
    }

    /// Takes the next whole message from the command queue.
    pub fn receive(&mut self, board: &mut Board) -> Option<Message> {
        while self.listening() && !self.wedged {
            let element = self.next_element(board)?;
            match element {
                Ok(e) => {
                    if let Some(m) = self.reassemble(board, e) {
                        return Some(m);
                    }
                }
                Err(()) => continue,
            }
        }
        None
    }

    /// Reads one element; `None` when there is none, `Err` when it was dropped.
    fn next_element(&mut self, board: &mut Board) -> Option<Result<Element, ()>> {
        let pending = match self.rings.pending(&*board.host) {
            Ok(0) => return None,
            Ok(n) => n,
            Err(r) => return self.wedge(board, &r),
        };
        let host = &*board.host;
        let fault = || crate::ucode::Refusal {
            kind: "queue-dma",
            text: "command queue is not accessible".to_owned(),
        };
        let read = self
            .rings
            .peek(host, 1)
            .map_err(|_| fault())
            .and_then(|first| Element::claimed_slots(&first, pending))
            .and_then(|n| {
                self.rings
                    .peek(host, n)
                    .map(|b| (n, b))
                    .map_err(|_| fault())
            });
        let (slots, bytes) = match read {
            Ok(r) => r,
            Err(r) => return self.wedge(board, &r),
        };
        let decoded = Element::decode(&bytes, self.rx_sequence);
        self.rx_sequence = self.rx_sequence.wrapping_add(1);
        if self.rings.consume(host, slots).is_err() {
            return self.wedge(board, &fault());
        }
        Some(decoded.map_err(|r| board.refused(&r)))
    }

    /// Gives up on the command queue.
    fn wedge(
        &mut self,
        board: &mut Board,
        r: &crate::ucode::Refusal,
    ) -> Option<Result<Element, ()>> {
        board.refused(r);
        board
            .trace
            .line("gsp", format_args!("command queue abandoned"));
        self.wedged = true;
        None
    }

    /// Joins continuation records.
    fn reassemble(&mut self, board: &mut Board, e: Element) -> Option<Message> {
        if e.function == function::CONTINUATION_RECORD {
            let Some(mut p) = self.partial.take() else {
                board.refuse("rpc-continuation", format_args!("without a first part"));
                return None;
            };
            p.message.payload.extend_from_slice(&e.payload);
            let have = p.message.payload.len();
            if have > p.total || (have < p.total && e.payload.len() != MAX_PAYLOAD) {
                board.refuse(
                    "rpc-continuation",
                    format_args!(
                        "function {}: {have:#x} bytes of {:#x}",
                        p.message.function, p.total
                    ),
                );
                return None;
            }
            if have < p.total {
                self.partial = Some(p);
                return None;
            }
            return Some(p.message);
        }
        if let Some(p) = self.partial.take() {
            board.refuse(
                "rpc-continuation",
                format_args!(
                    "function {} interrupted by function {}",
                    p.message.function, e.function
                ),
            );
        }
        let message = Message {
            function: e.function,
            rpc_sequence: e.rpc_sequence,
            spare: e.spare,
            payload: e.payload,
        };
        let have = message.payload.len();
        match announced(message.function, &message.payload) {
            // Only a full element can have a continuation.
            Some(total) if total > have && have == MAX_PAYLOAD => {
                self.partial = Some(Partial { message, total });
                None
            }
            _ => Some(message),
        }
    }

    /// Answers `message`, once the firmware had its time for it.
    pub fn reply(&mut self, board: &mut Board, message: &Message, result: u32, payload: Vec<u8>) {
        let now = board.host.now_ns();
        let call = message.call();
        let work = match call.control() {
            Some(cmd) => board.config.firmware_time.of(cmd),
            None => 0,
        };
        let end = self.threads.work(now, work, board.config.firmware_threads);
        let delay = board.config.reply_delay_ns + board.faults.late_reply(call);
        let header = Header {
            function: message.function,
            result,
            rpc_sequence: message.rpc_sequence,
            spare: message.spare,
        };
        self.outgoing.push(end + delay, header, payload);
    }

    /// Sends an event.
    pub fn event(&mut self, board: &Board, function: u32, payload: Vec<u8>) {
        let header = Header {
            function,
            result: RPC_OK,
            rpc_sequence: 0,
            spare: 0,
        };
        self.outgoing.push(board.host.now_ns(), header, payload);
    }

    /// Moves what is due into the status queue. Returns whether the driver has
    /// something new to read, and when to come back.
    pub fn transmit(&mut self, board: &mut Board) -> (bool, Option<u64>) {
        let now = board.host.now_ns();
        let mut sent = false;
        // An unloading GSP still delivers its last answer.
        while self.listening() || self.state == State::Suspended {
            let Some(due) = self.outgoing.due(now) else {
                return (sent, self.outgoing.next_ns());
            };
            let slots = element::slots(due.payload.len());
            match self.rings.room(&*board.host) {
                Ok(room) if room >= slots => {}
                Ok(_) => return (sent, Some(now + RETRY_NS)),
                Err(r) => {
                    board.refused(&r);
                    break;
                }
            }
            let Some(e) = self.outgoing.take() else {
                break;
            };
            let mut bytes = e.encode(self.tx_sequence);
            self.tx_sequence = self.tx_sequence.wrapping_add(1);
            spoil(board, Call::of(e.function, &e.payload), &mut bytes);
            board.trace.line(
                "rpc",
                format_args!(
                    "< {} result {:#x} len {:#x}",
                    e.function,
                    e.result[0],
                    e.payload.len()
                ),
            );
            if self.rings.push(&*board.host, &bytes).is_err() {
                board.refuse("queue-dma", format_args!("status queue is not writable"));
                break;
            }
            board.stats.messages_sent += 1;
            sent = true;
        }
        self.outgoing.clear();
        (sent, None)
    }
}

/// Commits the faults that damage a message on its way out.
fn spoil(board: &mut Board, call: Call, bytes: &mut [u8]) {
    for fault in board.faults.iter_mut() {
        if !fault.damages(call) {
            continue;
        }
        match fault {
            Fault::BadChecksum(_) => bytes[0x20] ^= 0x5a,
            Fault::CorruptElement(_) => {
                if let Some(last) = bytes.last_mut() {
                    *last ^= 0x5a;
                }
            }
            _ => bytes[0x38..0x3c].copy_from_slice(&0x00ff_ff00_u32.to_le_bytes()),
        }
    }
}
