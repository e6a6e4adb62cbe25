// SPDX-License-Identifier: GPL-2.0

//! What a plugin task can be made to do wrong.
//!
//! ```text
//! plugin-NAME[=MSG…]      MSG is a message type; without it every message is meant
//! ```

const NS_PER_MS: u64 = 1_000_000;

/// One requested fault of plugin tasks. `None` means "any message".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PluginFault {
    /// The task never sets its boot marker.
    NoBoot,
    /// The task never answers this message.
    NoAnswer(Option<u32>),
    /// The task answers this message with this result code.
    Result {
        /// Message type.
        msg: u32,
        /// Result code.
        code: u32,
    },
    /// The task answers this message with a wrong sequence number.
    WrongSequence(Option<u32>),
    /// The task answers this message this many nanoseconds late.
    Late {
        /// Message type.
        msg: u32,
        /// Delay.
        delay_ns: u64,
    },
    /// The task crashes when it takes this message up; 0: when it boots.
    Crash(Option<u32>),
    /// The task wants this version of the message interface.
    Version(u32),
    /// The task fills everything that it writes with nonsense before it answers this message.
    Garbage(Option<u32>),
}

pub(super) const HELP: &[(&str, &str)] = &[
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
    (
        "plugin-crash[=MSG]",
        "the plugin task crashes at message MSG, or when it boots (MSG 0)",
    ),
    (
        "plugin-version=N",
        "the plugin wants version N of the message interface",
    ),
    (
        "plugin-garbage[=MSG]",
        "the plugin fills payload, indices, logs with nonsense at message MSG",
    ),
];

impl PluginFault {
    /// The fault with this name, and the most arguments it has; `None`: there is none of that name.
    pub(super) fn parse(
        name: &str,
        word: impl Fn(usize) -> Result<u32, String>,
        opt: impl Fn(usize) -> Result<Option<u32>, String>,
    ) -> Option<Result<(Self, usize), String>> {
        let parsed = match name {
            "plugin-no-boot" => Ok((Self::NoBoot, 0)),
            "plugin-no-answer" => opt(0).map(|m| (Self::NoAnswer(m), 1)),
            "plugin-result" => word(0).and_then(|msg| {
                let code = word(1)?;
                Ok((Self::Result { msg, code }, 2))
            }),
            "plugin-wrong-sequence" => opt(0).map(|m| (Self::WrongSequence(m), 1)),
            "plugin-late" => word(0).and_then(|msg| {
                let delay_ns = u64::from(word(1)?) * NS_PER_MS;
                Ok((Self::Late { msg, delay_ns }, 2))
            }),
            "plugin-crash" => opt(0).map(|m| (Self::Crash(m), 1)),
            "plugin-version" => word(0).map(|v| (Self::Version(v), 1)),
            "plugin-garbage" => opt(0).map(|m| (Self::Garbage(m), 1)),
            _ => return None,
        };
        Some(parsed)
    }

    /// The result that message `msg` is to have.
    pub fn result(&self, msg: u32) -> Option<u32> {
        match self {
            Self::Result { msg: m, code } if *m == msg => Some(*code),
            _ => None,
        }
    }

    /// How late message `msg` is to be answered, in nanoseconds.
    pub fn delay_ns(&self, msg: u32) -> Option<u64> {
        match self {
            Self::Late { msg: m, delay_ns } if *m == msg => Some(*delay_ns),
            _ => None,
        }
    }

    /// Whether message `msg` is not to be answered.
    pub fn is_silent(&self, msg: u32) -> bool {
        matches!(self, Self::NoAnswer(m) if is_meant(*m, msg))
    }

    /// Whether message `msg` is to be answered with a wrong sequence number.
    pub fn is_out_of_sequence(&self, msg: u32) -> bool {
        matches!(self, Self::WrongSequence(m) if is_meant(*m, msg))
    }

    /// Whether the task is to crash at message `msg`.
    pub fn is_crash(&self, msg: u32) -> bool {
        matches!(self, Self::Crash(m) if is_meant(*m, msg))
    }

    /// Whether the task is to crash instead of booting.
    pub fn is_crash_at_boot(&self) -> bool {
        *self == Self::Crash(Some(0))
    }

    /// Whether nonsense is to come with message `msg`.
    pub fn is_garbage(&self, msg: u32) -> bool {
        matches!(self, Self::Garbage(m) if is_meant(*m, msg))
    }

    /// The version that the task wants.
    pub fn version(&self) -> Option<u32> {
        match self {
            Self::Version(v) => Some(*v),
            _ => None,
        }
    }
}

fn is_meant(wanted: Option<u32>, msg: u32) -> bool {
    wanted.is_none_or(|m| m == msg)
}
