// SPDX-License-Identifier: GPL-2.0

//! Faults a test can ask the model to commit.
//!
//! Syntax: `name[=arg[:arg…]]`, several separated by `;`. An empty text clears
//! all faults. The list is in [`Faults::help`].

use crate::config::parse_u64;
use std::fmt::Write as _;

/// One requested fault. `FN` is an RPC function number, `CMD` a control
/// command, `MSG` a plugin message type; `None` means "any".
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// GSP does not answer this RPC function, `count` times.
    GspNoReply {
        /// RPC function.
        function: u32,
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
        /// RPC function.
        function: u32,
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
    /// The plugin task never sets its boot marker.
    PluginNoBoot,
    /// The plugin never answers this message.
    PluginNoAnswer(Option<u32>),
    /// The plugin answers this message with this result code.
    PluginResult {
        /// Message type.
        msg: u32,
        /// Result code.
        code: u32,
    },
    /// The plugin answers this message with a wrong sequence number.
    PluginWrongSequence(Option<u32>),
    /// The plugin answers this message this many nanoseconds late.
    PluginLate {
        /// Message type.
        msg: u32,
        /// Delay.
        delay_ns: u64,
    },
}

/// Which messages from GSP a fault damages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Which {
    /// RPC function; `None` for any.
    function: Option<u32>,
    /// Times left; `None` for ever.
    count: Option<u32>,
}

impl Fault {
    /// Whether this fault damages a message of `function` from GSP; uses up one of
    /// its count.
    pub fn damages(&mut self, function: u32) -> bool {
        match self {
            Self::BadChecksum(which) | Self::CorruptElement(which) | Self::BadLength(which) => {
                which.take(function)
            }
            _ => false,
        }
    }
}

impl Which {
    /// Whether this message is one of them; uses up one of the count.
    fn take(&mut self, function: u32) -> bool {
        self.function.is_none_or(|n| n == function) && take(&mut self.count)
    }
}

/// The faults in force.
#[derive(Debug, Default, Clone)]
pub struct Faults {
    text: String,
    list: Vec<Fault>,
}

const HELP: &[(&str, &str)] = &[
    (
        "gsp-no-reply=FN[:COUNT]",
        "GSP does not answer RPC function FN, COUNT times",
    ),
    (
        "control-status=CMD:STATUS[:COUNT]",
        "control CMD fails with NV_STATUS STATUS, COUNT times",
    ),
    (
        "rpc-result=FN:RESULT[:COUNT[:SKIP]]",
        "RPC FN ends with RESULT, COUNT times, after SKIP that go well",
    ),
    (
        "bad-checksum[=FN[:COUNT]]",
        "messages from GSP carry a wrong checksum",
    ),
    (
        "corrupt-element[=FN[:COUNT]]",
        "messages from GSP are damaged behind their checksum",
    ),
    (
        "bad-length[=FN[:COUNT]]",
        "messages from GSP carry a length that does not fit",
    ),
    (
        "late-reply=FN:MS[:COUNT]",
        "the answer to RPC FN comes MS milliseconds late, COUNT times",
    ),
    ("no-init-done", "GSP stays silent after the init commands"),
    ("scrubber-handoff=N", "scrubber halts with hand-off value N"),
    ("scrubber-hang", "scrubber never halts"),
    (
        "booter-error=CODE",
        "booter-load fails with mailbox value CODE",
    ),
    ("frts-error=CODE", "FWSEC-FRTS reports error CODE"),
    (
        "register=OFFSET:VALUE",
        "BAR0 register OFFSET reads as VALUE",
    ),
    (
        "plugin-no-boot",
        "the plugin task never sets its boot marker",
    ),
    (
        "plugin-no-answer[=MSG]",
        "the plugin never answers message MSG",
    ),
    (
        "plugin-result=MSG:CODE",
        "the plugin answers message MSG with result CODE",
    ),
    (
        "plugin-wrong-sequence[=MSG]",
        "the plugin answers message MSG with a wrong sequence number",
    ),
    (
        "plugin-late=MSG:MS",
        "the plugin answers message MSG MS milliseconds late",
    ),
];

impl Faults {
    /// Replaces all faults by those of `text`. On error nothing changes.
    pub fn set(&mut self, text: &str) -> Result<(), String> {
        let mut list = Vec::new();
        for spec in text.split(';').map(str::trim).filter(|s| !s.is_empty()) {
            list.push(parse(spec)?);
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
        HELP.iter().fold(String::new(), |mut out, (spec, what)| {
            let _ = writeln!(out, "{spec:<36} {what}");
            out
        })
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

    /// First value `pick` finds among the faults in force.
    pub fn find<T>(&self, pick: impl FnMut(&Fault) -> Option<T>) -> Option<T> {
        self.list.iter().find_map(pick)
    }

    /// Whether GSP must not answer `function`; uses up one of its count.
    pub fn no_reply(&mut self, function: u32) -> bool {
        self.list.iter_mut().any(|f| match f {
            Fault::GspNoReply { function: n, count } if *n == function => take(count),
            _ => false,
        })
    }

    /// Extra delay of the answer to `function`; uses up one of its count.
    pub fn late_reply(&mut self, function: u32) -> u64 {
        let delay = self.list.iter_mut().find_map(|f| match f {
            Fault::LateReply {
                function: n,
                delay_ns,
                count,
            } if *n == function => take(count).then_some(*delay_ns),
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

fn parse(spec: &str) -> Result<Fault, String> {
    let (name, rest) = match spec.split_once('=') {
        Some((name, rest)) => (name, rest.split(':').collect()),
        None => (spec, Vec::new()),
    };
    let args: Vec<u64> = rest
        .iter()
        .map(|a| parse_u64(a).map_err(|e| format!("fault {spec}: {a}: {e}")))
        .collect::<Result<_, _>>()?;
    let word = |i: usize| -> Result<u32, String> {
        let v = args
            .get(i)
            .ok_or_else(|| format!("fault {spec}: argument {} is missing", i + 1))?;
        u32::try_from(*v).map_err(|_| format!("fault {spec}: argument {} is too large", i + 1))
    };
    let opt = |i: usize| args.get(i).map(|_| word(i)).transpose();
    let which = || -> Result<Which, String> {
        Ok(Which {
            function: opt(0)?,
            count: opt(1)?,
        })
    };
    let ms = |i: usize| word(i).map(|v| u64::from(v) * 1_000_000);
    let (fault, most) = match name {
        "gsp-no-reply" => (
            Fault::GspNoReply {
                function: word(0)?,
                count: opt(1)?,
            },
            2,
        ),
        "control-status" => (
            Fault::ControlStatus {
                cmd: word(0)?,
                status: word(1)?,
                count: opt(2)?,
            },
            3,
        ),
        "rpc-result" => (
            Fault::RpcResult {
                function: word(0)?,
                result: word(1)?,
                count: opt(2)?,
                skip: opt(3)?.unwrap_or(0),
            },
            4,
        ),
        "bad-checksum" => (Fault::BadChecksum(which()?), 2),
        "corrupt-element" => (Fault::CorruptElement(which()?), 2),
        "bad-length" => (Fault::BadLength(which()?), 2),
        "late-reply" => (
            Fault::LateReply {
                function: word(0)?,
                delay_ns: ms(1)?,
                count: opt(2)?,
            },
            3,
        ),
        "no-init-done" => (Fault::NoInitDone, 0),
        "scrubber-handoff" => match word(0)? {
            n @ 0..=7 => (Fault::ScrubberHandoff(n as u8), 1),
            _ => return Err(format!("fault {spec}: hand-off is 0..7")),
        },
        "scrubber-hang" => (Fault::ScrubberHang, 0),
        "booter-error" => (Fault::BooterError(word(0)?), 1),
        "frts-error" => match u16::try_from(word(0)?) {
            Ok(n) => (Fault::FrtsError(n), 1),
            Err(_) => return Err(format!("fault {spec}: error code has 16 bits")),
        },
        "register" => (
            Fault::Register {
                offset: word(0)?,
                value: word(1)?,
            },
            2,
        ),
        "plugin-no-boot" => (Fault::PluginNoBoot, 0),
        "plugin-no-answer" => (Fault::PluginNoAnswer(opt(0)?), 1),
        "plugin-result" => (
            Fault::PluginResult {
                msg: word(0)?,
                code: word(1)?,
            },
            2,
        ),
        "plugin-wrong-sequence" => (Fault::PluginWrongSequence(opt(0)?), 1),
        "plugin-late" => (
            Fault::PluginLate {
                msg: word(0)?,
                delay_ns: ms(1)?,
            },
            2,
        ),
        _ => return Err(format!("no fault named '{name}'\n{}", Faults::help())),
    };
    if args.len() > most {
        return Err(format!("fault {spec}: too many arguments"));
    }
    Ok(fault)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parse_many_and_use_up() {
        let mut f = Faults::default();
        f.set(
            "gsp-no-reply=76:2; control-status=0x20804001:0x56:1;late-reply=65:20;plugin-no-boot",
        )
        .unwrap();
        assert!(!f.no_reply(10) && f.no_reply(76) && f.no_reply(76) && !f.no_reply(76));
        assert_eq!(f.control_status(0x2080_4001), Some(0x56));
        assert_eq!(f.control_status(0x2080_4001), None);
        assert_eq!(f.late_reply(65), 20_000_000);
        assert!(f.has(&Fault::PluginNoBoot));
        f.set("").unwrap();
        assert_eq!(f.iter().count(), 0);
    }

    #[test]
    fn counts_and_skips() {
        let mut f = Faults::default();
        f.set("rpc-result=103:0x1a:1:2;bad-checksum=76:1").unwrap();
        assert_eq!(f.rpc_result(76), None);
        let results: Vec<_> = (0..4).map(|_| f.rpc_result(103)).collect();
        assert_eq!(results, [None, None, Some(0x1a), None]);
        let mut damaged = |function| f.iter_mut().any(|f| f.damages(function));
        assert!(!damaged(10) && damaged(76) && !damaged(76));
    }

    #[test]
    fn bad_text_changes_nothing() {
        let mut f = Faults::default();
        f.set("plugin-no-boot").unwrap();
        for bad in [
            "nope",
            "gsp-no-reply",
            "gsp-no-reply=1:2:3",
            "plugin-result=1",
            "register=0x100000000:1",
        ] {
            assert!(f.set(bad).is_err(), "{bad}");
        }
        assert!(f.has(&Fault::PluginNoBoot));
    }

    #[test]
    fn help_names_every_fault() {
        for (spec, _) in HELP {
            let name = spec.split(['=', '[']).next().unwrap();
            let err = parse(name).map(|_| String::new()).unwrap_or_else(|e| e);
            assert!(!err.contains("no fault named"), "{name}");
        }
    }
}
