// SPDX-License-Identifier: GPL-2.0

//! From an interrupt source to the message the machine gets.
//!
//! ```text
//! GSP falcon IRQSTAT --edge, or INTR_RETRIGGER--> vector 155
//! engines, LEAF_TRIGGER ------------------------> vector
//!     -> leaf (func.rs) -> subtree pending & enabled, 0 -> 1
//!         -> MSI-X entry = subtree
//!         -> MSI: the one vector; the next only after the rearm write (0x88704)
//! ```
//!
//! Each step is counted per vector, as `ada-gpu-ctl get interrupts` shows it.

use super::Gpu;
use crate::falcon::IRQ_HALT;
use crate::host::Function;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Interrupt vector of the GSP.
const GSP_VECTOR: u32 = 155;
/// PCI configuration space: first capability, and the two that matter here.
const CAPABILITIES: u16 = 0x34;
const CAP_MSI: u32 = 0x05;
const CAP_MSIX: u32 = 0x11;
const MSI_ENABLE: u32 = 1 << 16;
const MSIX_ENABLE: u32 = 1 << 31;
/// More capabilities than fit into 256 bytes.
const MAX_CAPABILITIES: usize = 48;

/// How often each vector was raised and each message sent.
#[derive(Debug, Default)]
pub(super) struct Counts {
    vectors: BTreeMap<(Function, u32), [u64; 2]>,
    messages: BTreeMap<(Function, u32), [u64; 3]>,
}

impl Counts {
    /// One line per vector and per message.
    pub(super) fn text(&self) -> String {
        let mut out = String::new();
        for ((f, vector), [raised, lost]) in &self.vectors {
            let gfid = f.gfid();
            let _ = writeln!(
                out,
                "gfid {gfid} vector {vector} raised {raised} lost {lost}"
            );
        }
        for ((f, subtree), [sent, lost, held]) in &self.messages {
            let gfid = f.gfid();
            let _ = writeln!(
                out,
                "gfid {gfid} message {subtree} sent {sent} lost {lost} held {held}"
            );
        }
        out
    }
}

/// How the PF reports interrupts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// One message per subtree; also when nothing is enabled, as the front end
    /// drops those.
    Msix,
    /// One message for all.
    Msi,
}

impl Gpu {
    /// An interrupt source of `f` has an edge on `vector`.
    pub(super) fn interrupt(&mut self, f: Function, vector: u32) {
        let lost = f == Function::Pf && self.board.faults.lost_interrupt(vector);
        let count = self.interrupts.vectors.entry((f, vector)).or_default();
        count[usize::from(lost)] += 1;
        if lost {
            self.board
                .trace
                .line("fault", format_args!("vector {vector} lost"));
            return;
        }
        let subtrees = match f {
            Function::Pf => {
                let subtrees = self.pf_func.raise(vector);
                self.watch();
                subtrees
            }
            Function::Vf(vf) => match self.vf_func.get_mut(usize::from(vf)) {
                Some(func) => func.raise(vector),
                None => 0,
            },
        };
        self.deliver(f, subtrees);
    }

    /// Sets bits of the GSP falcon's interrupt status, and its vector when the
    /// line of the falcon rises.
    pub(super) fn gsp_interrupt(&mut self, bits: u32) {
        if self.gsp_falcon.raise(bits) {
            self.interrupt(Function::Pf, GSP_VECTOR);
        }
    }

    /// INTR_RETRIGGER of the GSP falcon: a new edge if something is still set.
    pub(super) fn gsp_retrigger(&mut self) {
        if self.gsp_falcon.pending() {
            self.interrupt(Function::Pf, GSP_VECTOR);
        }
    }

    /// GSP-RM halted with an error.
    pub(super) fn gsp_halt_interrupt(&mut self) {
        self.gsp_interrupt(IRQ_HALT);
    }

    /// Sends the messages of `subtrees`.
    pub(super) fn deliver(&mut self, f: Function, subtrees: u32) {
        if subtrees == 0 {
            return;
        }
        if f == Function::Pf && self.message_mode() == Mode::Msi {
            self.deliver_msi();
            return;
        }
        for subtree in (0..32).filter(|n| subtrees & 1 << n != 0) {
            self.send(f, subtree);
        }
    }

    fn send(&mut self, f: Function, subtree: u32) {
        let lost = f == Function::Pf && self.board.faults.lost_message(subtree);
        let count = self.interrupts.messages.entry((f, subtree)).or_default();
        count[usize::from(lost)] += 1;
        if lost {
            self.board
                .trace
                .line("fault", format_args!("message {subtree} lost"));
            self.waiting.excuse(subtree);
            return;
        }
        self.board.stats.count("msix");
        self.board
            .trace
            .line("irq", format_args!("{f:?} vector {subtree}"));
        self.board.host.msix(f, subtree as u16);
    }

    fn deliver_msi(&mut self) {
        if self.regs.msi_sent {
            let count = self
                .interrupts
                .messages
                .entry((Function::Pf, 0))
                .or_default();
            count[2] += 1;
            return;
        }
        self.regs.msi_sent = true;
        self.send(Function::Pf, 0);
    }

    /// NV_XVE_CYA_2: the next MSI may be sent, at once if something is pending.
    pub(super) fn msi_rearm(&mut self) {
        self.regs.msi_sent = false;
        if self.pf_func.pending() != 0 && self.message_mode() == Mode::Msi {
            self.deliver_msi();
        }
    }

    /// What the PF's capabilities say.
    fn message_mode(&self) -> Mode {
        let word = |off| self.board.host.config_read(Function::Pf, off);
        let mut at = (word(CAPABILITIES) & 0xfc) as u16;
        let mut msi = false;
        for _ in 0..MAX_CAPABILITIES {
            if at == 0 {
                break;
            }
            let header = word(at);
            match header & 0xff {
                CAP_MSIX if header & MSIX_ENABLE != 0 => return Mode::Msix,
                CAP_MSI => msi = header & MSI_ENABLE != 0,
                _ => {}
            }
            at = (header >> 8 & 0xfc) as u16;
        }
        if msi {
            Mode::Msi
        } else {
            Mode::Msix
        }
    }
}
