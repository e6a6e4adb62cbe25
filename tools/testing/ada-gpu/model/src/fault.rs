// SPDX-License-Identifier: GPL-2.0

//! Faults a test can ask the model to commit.
//!
//! ```text
//! -device ada-gpu,fault=SPEC   ada-gpu-ctl fault SPEC
//!     SPEC = name[=arg[:arg…]] [; …]        syntax.rs: the list, the parser
//!     -> Faults: asked by each unit at the place where it would go wrong
//!     -> gpu/inject.rs: those that strike at a time, by themselves
//! ```
//!
//! An empty text clears all faults. The list is in [`Faults::help`].

mod plugin;
mod syntax;

use crate::gsp::Call;

pub use plugin::PluginFault;

/// One requested fault. `FN` is an RPC function number, `CMD` a control
/// command, `MSG` a plugin message type; `None` means "any".
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// GSP does not answer this RPC function, `count` times.
    GspNoReply {
        /// RPC function or control command.
        call: u32,
        /// Times left; `None` for ever.
        count: Option<u32>,
    },
    /// A control command is answered with this NV_STATUS, `count` times.
    ControlStatus {
        /// Control command.
        cmd: u32,
        /// NV_STATUS to answer.
        status: u32,
        /// Times left; `None` for ever.
        count: Option<u32>,
    },
    /// The RPC itself is answered with this result, `count` times.
    RpcResult {
        /// RPC function.
        function: u32,
        /// `rpc_result` to answer.
        result: u32,
        /// Times left; `None` for ever.
        count: Option<u32>,
        /// Requests before that which go well.
        skip: u32,
    },
    /// Messages from GSP carry a wrong checksum.
    BadChecksum(Which),
    /// Messages from GSP are damaged after their checksum was made.
    CorruptElement(Which),
    /// Messages from GSP carry a length that does not fit.
    BadLength(Which),
    /// The answer to this function comes this many nanoseconds late, `count` times.
    LateReply {
        /// RPC function or control command.
        call: u32,
        /// Delay.
        delay_ns: u64,
        /// Times left; `None` for ever.
        count: Option<u32>,
    },
    /// GSP stops after booter: no INIT_DONE.
    NoInitDone,
    /// The scrubber halts without hand-off, leaving this value.
    ScrubberHandoff(u8),
    /// The scrubber never halts.
    ScrubberHang,
    /// Booter-load fails with this mailbox value.
    BooterError(u32),
    /// FWSEC-FRTS reports this error in the scratch register.
    FrtsError(u16),
    /// A register reads as this value.
    Register {
        /// BAR0 offset.
        offset: u32,
        /// Value to read.
        value: u32,
    },
    /// A plugin task misbehaves.
    Plugin(PluginFault),
    /// A vector of the PF is not latched in its leaf, `count` times.
    LostInterrupt {
        /// Vector of the interrupt tree.
        vector: u32,
        /// Times left; `None` for ever.
        count: Option<u32>,
    },
    /// The tree of the PF is right, but its MSI or MSI-X message is not sent.
    LostMessage {
        /// Subtree, which is the MSI-X entry.
        subtree: u32,
        /// Times left; `None` for ever.
        count: Option<u32>,
    },
    /// GSP halts without a word, this many nanoseconds after the fault was set.
    GspDeath {
        /// Delay.
        after_ns: u64,
    },
    /// GSP halts, leaves this word in its mailbox and raises its vector.
    GspPanic {
        /// Word in engine mailbox 0.
        mailbox: u32,
        /// Delay.
        after_ns: u64,
    },
    /// GSP takes no command from its queue for this many nanoseconds.
    QueueStall {
        /// Duration.
        ns: u64,
    },
    /// GSP reports this many channel errors at once.
    RcStorm {
        /// Number of messages.
        count: u32,
        /// NV2080 engine type.
        engine: u32,
        /// Channel, in the host's numbering.
        chid: u32,
        /// Function the channel belongs to.
        gfid: u32,
    },
    /// A TLB invalidate stays busy, `count` times.
    TlbTimeout {
        /// Times left; `None` for ever.
        count: Option<u32>,
    },
    /// A function level reset changes nothing inside the board, `count` times.
    FlrFails {
        /// Times left; `None` for ever.
        count: Option<u32>,
    },
    /// A copy engine stops in a launch, `count` times.
    CeHang {
        /// Times left; `None` for ever.
        count: Option<u32>,
    },
    /// A launch of a copy engine ends in an MMU fault, `count` times.
    CeFault {
        /// Times left; `None` for ever.
        count: Option<u32>,
    },
    /// A non-stall interrupt is not raised, `count` times.
    LostNonstall {
        /// Times left; `None` for ever.
        count: Option<u32>,
    },
    /// The board answers nothing any more: all ones, and writes are lost.
    OffBus,
}

/// Which messages from GSP a fault damages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Which {
    /// RPC function or control command; `None` for any.
    call: Option<u32>,
    /// Times left; `None` for ever.
    count: Option<u32>,
}

impl Fault {
    /// Whether this fault damages the message of GSP that answers `call`; uses up one
    /// of its count.
    pub fn damages(&mut self, call: Call) -> bool {
        match self {
            Self::BadChecksum(which) | Self::CorruptElement(which) | Self::BadLength(which) => {
                which.take(call)
            }
            _ => false,
        }
    }
}

impl Which {
    /// Whether this message is one of them; uses up one of the count.
    fn take(&mut self, call: Call) -> bool {
        self.call.is_none_or(|n| call.is(n)) && take(&mut self.count)
    }
}

/// The faults in force.
#[derive(Debug, Default, Clone)]
pub struct Faults {
    text: String,
    list: Vec<Fault>,
}

impl Faults {
    /// Replaces all faults by those of `text`. On error nothing changes.
    pub fn set(&mut self, text: &str) -> Result<(), String> {
        let mut list = Vec::new();
        for spec in text.split(';').map(str::trim).filter(|s| !s.is_empty()) {
            list.push(syntax::parse(spec)?);
        }
        self.list = list;
        self.text = text.to_owned();
        Ok(())
    }

    /// The text last given to [`Faults::set`].
    pub fn text(&self) -> &str {
        &self.text
    }

    /// One line per fault that can be asked for.
    pub fn help() -> String {
        syntax::help()
    }

    /// The faults in force, for those that are used up.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Fault> {
        self.list.iter_mut()
    }

    /// The faults in force.
    pub fn iter(&self) -> impl Iterator<Item = &Fault> {
        self.list.iter()
    }

    /// Whether this fault is in force.
    pub fn has(&self, fault: &Fault) -> bool {
        self.list.contains(fault)
    }

    /// What plugin tasks are to do wrong.
    pub fn plugin(&self) -> impl Iterator<Item = &PluginFault> {
        self.list.iter().filter_map(|f| match f {
            Fault::Plugin(fault) => Some(fault),
            _ => None,
        })
    }

    /// First value `pick` finds among the faults in force.
    pub fn find<T>(&self, pick: impl FnMut(&Fault) -> Option<T>) -> Option<T> {
        self.list.iter().find_map(pick)
    }

    /// Whether GSP must not answer `call`; uses up one of its count.
    pub fn no_reply(&mut self, call: Call) -> bool {
        self.list.iter_mut().any(|f| match f {
            Fault::GspNoReply { call: n, count } if call.is(*n) => take(count),
            _ => false,
        })
    }

    /// Extra delay of the answer to `call`; uses up one of its count.
    pub fn late_reply(&mut self, call: Call) -> u64 {
        let delay = self.list.iter_mut().find_map(|f| match f {
            Fault::LateReply {
                call: n,
                delay_ns,
                count,
            } if call.is(*n) => take(count).then_some(*delay_ns),
            _ => None,
        });
        delay.unwrap_or(0)
    }

    /// The status control `cmd` must fail with; uses up one of its count.
    pub fn control_status(&mut self, cmd: u32) -> Option<u32> {
        self.list.iter_mut().find_map(|f| match f {
            Fault::ControlStatus {
                cmd: c,
                status,
                count,
            } if *c == cmd => take(count).then_some(*status),
            _ => None,
        })
    }

    /// The result RPC `function` must be answered with; uses up one of its count.
    pub fn rpc_result(&mut self, function: u32) -> Option<u32> {
        self.list.iter_mut().find_map(|f| match f {
            Fault::RpcResult {
                function: n,
                result,
                count,
                skip,
            } if *n == function => {
                if let Some(left) = skip.checked_sub(1) {
                    *skip = left;
                    return None;
                }
                take(count).then_some(*result)
            }
            _ => None,
        })
    }

    /// Whether vector `vector` of the PF gets lost; uses up one of its count.
    pub fn lost_interrupt(&mut self, vector: u32) -> bool {
        self.list.iter_mut().any(|f| match f {
            Fault::LostInterrupt { vector: v, count } if *v == vector => take(count),
            _ => false,
        })
    }

    /// Whether the message of `subtree` gets lost; uses up one of its count.
    pub fn lost_message(&mut self, subtree: u32) -> bool {
        self.list.iter_mut().any(|f| match f {
            Fault::LostMessage { subtree: s, count } if *s == subtree => take(count),
            _ => false,
        })
    }

    /// Whether a TLB invalidate hangs; uses up one of its count.
    pub fn tlb_timeout(&mut self) -> bool {
        self.list.iter_mut().any(|f| match f {
            Fault::TlbTimeout { count } => take(count),
            _ => false,
        })
    }

    /// Whether a copy engine hangs in this launch; uses up one of its count.
    pub fn ce_hang(&mut self) -> bool {
        self.list.iter_mut().any(|f| match f {
            Fault::CeHang { count } => take(count),
            _ => false,
        })
    }

    /// Whether this launch faults; uses up one of its count.
    pub fn ce_fault(&mut self) -> bool {
        self.list.iter_mut().any(|f| match f {
            Fault::CeFault { count } => take(count),
            _ => false,
        })
    }

    /// Whether this non-stall interrupt is lost; uses up one of its count.
    pub fn lost_nonstall(&mut self) -> bool {
        self.list.iter_mut().any(|f| match f {
            Fault::LostNonstall { count } => take(count),
            _ => false,
        })
    }

    /// Whether a function level reset does nothing; uses up one of its count.
    pub fn flr_fails(&mut self) -> bool {
        self.list.iter_mut().any(|f| match f {
            Fault::FlrFails { count } => take(count),
            _ => false,
        })
    }

    /// The value register `offset` must read as.
    pub fn register(&self, offset: u32) -> Option<u32> {
        self.find(|f| match f {
            Fault::Register { offset: o, value } if *o == offset => Some(*value),
            _ => None,
        })
    }
}

/// Uses up one of a limited count; an absent count never runs out.
fn take(count: &mut Option<u32>) -> bool {
    match count {
        None => true,
        Some(0) => false,
        Some(n) => {
            *n -= 1;
            true
        }
    }
}
