// SPDX-License-Identifier: GPL-2.0

//! Properties: what a test sets and reads while the board runs.
//!
//! ```text
//! set_property   fault, event, trace, times, memory checks    the rest only before it runs
//! property       the same, the configuration, and live values
//! ```

use super::Gpu;
use crate::fault::Faults;
use crate::gsp::events;
use crate::rm::Rm;
use std::fmt;

/// Why a property could not be set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PropertyError {
    /// No property has this name.
    Unknown(String),
    /// The value cannot be used; the text says why.
    Invalid(String),
    /// The property cannot be changed any more.
    ReadOnly(String),
}

impl fmt::Display for PropertyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PropertyError::Unknown(name) => write!(f, "no property named '{name}'"),
            PropertyError::Invalid(why) => f.write_str(why),
            PropertyError::ReadOnly(name) => {
                write!(f, "property '{name}' cannot be changed while running")
            }
        }
    }
}

impl std::error::Error for PropertyError {}

impl Gpu {
    /// Sets a property. While running, only `fault`, `trace`, the time GSP-RM and
    /// copy engines take, and what is made of memory can be changed; `event` sends
    /// a message from GSP, `service-times` starts over with any value, and `pramin-tags`
    /// writes tags.
    pub fn set_property(&mut self, name: &str, value: &str) -> Result<(), PropertyError> {
        match name {
            "fault" => {
                self.board
                    .faults
                    .set(value)
                    .map_err(PropertyError::Invalid)?;
                self.board.trace.set_now(self.board.host.now_ns());
                self.board.trace.line("fault", format_args!("'{value}'"));
                self.arm();
                self.pump();
                Ok(())
            }
            "firmware-time-us" | "firmware-threads" | "ce-rate" | "fb-check" | "fb-tag"
            | "fb-range" => self
                .board
                .config
                .set(name, value)
                .map_err(|e| PropertyError::Invalid(e.to_string())),
            "service-times" => {
                self.service.clear();
                Ok(())
            }
            "pramin-tags" => self.set_tags(value).map_err(PropertyError::Invalid),
            "event" => self.inject_event(value).map_err(PropertyError::Invalid),
            "trace" => {
                self.board.config.trace = value.to_owned();
                self.board
                    .trace
                    .open(value)
                    .map_err(|e| PropertyError::Invalid(format!("trace={value}: {e}")))
            }
            _ if self.board.config.get(name).is_some() => {
                Err(PropertyError::ReadOnly(name.to_owned()))
            }
            _ => Err(PropertyError::Unknown(name.to_owned())),
        }
    }

    /// A property, or one of the live values: `stats` (JSON), `refusals` (the
    /// last refusals, one per line), `interrupts` (counts per vector and message),
    /// `service-times` (what the model itself takes, in nanoseconds), `pramin-tags`
    /// (how many tags are as they were set), `fb-contents` (the bytes of `fb-range`
    /// by what they hold, JSON), `vgpus` (what GSP-RM has, one per line),
    /// `fault`, `fault-help`, `event-help`.
    pub fn property(&self, name: &str) -> Option<String> {
        match name {
            "stats" => Some(self.stats_json()),
            "refusals" => Some(self.board.trace.recent_refusals()),
            "fault" => Some(self.board.faults.text().to_owned()),
            "fault-help" => Some(Faults::help()),
            "event-help" => Some(events::help()),
            // What was sent last is in the trace.
            "event" => Some(String::new()),
            "pramin-tags" => Some(self.tags_text()),
            "service-times" => Some(self.service.text()),
            "interrupts" => Some(self.interrupts.text()),
            "fb-contents" => Some(self.fb_contents()),
            "vgpus" => Some(self.rm.as_ref().map_or_else(String::new, Rm::vgpus_text)),
            _ => self.board.config.get(name),
        }
    }

    /// What the bytes of `fb-range` hold.
    fn fb_contents(&self) -> String {
        let size = self.board.vram.size();
        let range = match &self.board.config.fb_range {
            r if r.is_empty() => 0..size,
            r => r.start.min(size)..r.end.min(size),
        };
        let tally = self.board.vram.tally(range);
        tally.map_or_else(|_| String::new(), |t| t.json())
    }
}
