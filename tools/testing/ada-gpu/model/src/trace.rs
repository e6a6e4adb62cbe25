// SPDX-License-Identifier: GPL-2.0

//! The model's log: one line per register access, message and refusal.
//!
//! ```text
//! <ns> mmio  pf bar0 r4 0x000a00 = 0x192a1000
//! <ns> rpc   > 73 SET_REGISTRY len 123
//! <ns> boot  fwsec-frts wpr2 0xbffe00000..0xbfff00000
//! <ns> REFUSE queue-checksum element 4: computed 0x12 ...
//! ```
//!
//! Without a file the lines cost nothing, except refusals: the last of them are
//! kept in memory and readable as the property `refusals`.

use std::collections::VecDeque;
use std::fmt::Arguments;
use std::fs::File;
use std::io::{BufWriter, Write};

/// How many refusal lines are kept in memory.
const KEPT: usize = 64;

/// Sink of trace lines.
#[derive(Default)]
pub struct Trace {
    out: Option<BufWriter<File>>,
    refusals: VecDeque<String>,
    now_ns: u64,
}

impl Trace {
    /// Starts writing to `path`; an empty path stops tracing.
    pub fn open(&mut self, path: &str) -> std::io::Result<()> {
        self.flush();
        self.out = if path.is_empty() {
            None
        } else {
            Some(BufWriter::new(File::create(path)?))
        };
        Ok(())
    }

    /// Sets the time stamp of the lines that follow.
    pub fn set_now(&mut self, now_ns: u64) {
        self.now_ns = now_ns;
    }

    /// Whether lines are written anywhere: lets callers skip formatting.
    pub fn on(&self) -> bool {
        self.out.is_some()
    }

    /// Writes one line of the given `kind` (a short lower-case word).
    pub fn line(&mut self, kind: &str, text: Arguments<'_>) {
        let failed = match &mut self.out {
            Some(out) => writeln!(out, "{} {kind:<6} {text}", self.now_ns).is_err(),
            None => false,
        };
        if failed {
            self.out = None;
        }
    }

    /// Writes a refusal; `kind` is the stable name tests look for.
    pub fn refusal(&mut self, kind: &str, text: Arguments<'_>) {
        let line = format!("{kind} {text}");
        self.line("REFUSE", format_args!("{line}"));
        self.flush();
        if self.refusals.len() == KEPT {
            self.refusals.pop_front();
        }
        self.refusals.push_back(line);
    }

    /// The most recent refusals, oldest first, one per line.
    pub fn recent_refusals(&self) -> String {
        self.refusals.iter().map(|l| format!("{l}\n")).collect()
    }

    /// Writes buffered lines to the file.
    pub fn flush(&mut self) {
        let failed = match &mut self.out {
            Some(out) => out.flush().is_err(),
            None => false,
        };
        if failed {
            self.out = None;
        }
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        self.flush();
    }
}
