// SPDX-License-Identifier: GPL-2.0

//! What every unit of the board shares: memory, machine, properties, log.

use crate::config::Config;
use crate::fault::Faults;
use crate::host::Host;
use crate::services::PciState;
use crate::stats::Stats;
use crate::trace::Trace;
use crate::ucode::Refusal;
use crate::vram::Vram;
use std::fmt::Arguments;

/// The parts of the board that are not a unit of their own.
pub struct Board {
    /// Properties.
    pub config: Config,
    /// The machine.
    pub host: Box<dyn Host>,
    /// Video memory.
    pub vram: Vram,
    /// The log.
    pub trace: Trace,
    /// The counts.
    pub stats: Stats,
    /// Faults in force.
    pub faults: Faults,
    /// The PCI functions.
    pub pci: PciState,
}

impl Board {
    /// Logs and counts a refusal; `kind` is a stable name.
    pub fn refuse(&mut self, kind: &str, text: Arguments<'_>) {
        self.stats.refused(kind);
        self.trace.refusal(kind, text);
    }

    /// Logs and counts a refusal.
    pub fn refused(&mut self, r: &Refusal) {
        self.refuse(r.kind, format_args!("{}", r.text));
    }
}
