// SPDX-License-Identifier: GPL-2.0

//! Virtual addresses of windows and engines, and what a driver does wrong with
//! its page tables.
//!
//! ```text
//! window, channel --translate()--> TLB --miss--> walk --notes--> judge()
//! CPU write to a page that is a table --before, after--> RM's entries, dual halves
//! 0x30a0, 0x30a4, 0x30b0 --> pending --N polls--> done: entries forgotten
//! ```
//!
//! Refusals, by the numbers of the memory checks:
//!
//! ```text
//! 1 mmu-table-place, mmu-table-unwritten   2 mmu-leaf-reserved
//! 3 mmu-leaf-misaligned                    4 mmu-dual-half
//! 5 bar1-rm-mapping                        6 tlb-stale
//! 7 tlb-unknown-pdb, tlb-uncovered, tlb-busy
//!   mmu-leaf-above, mmu-leaf-with-table, mmu-sparse-with-table
//! ```

use super::Gpu;
use crate::config;
use crate::mmu::tlb::{Found, Seen, Space};
use crate::mmu::{self, Aperture, Leaf, Note, Target};
use crate::vram::Writer;
use crate::window::BoardTables;
use std::collections::{BTreeMap, HashSet};

const PAGE: u64 = 4096;
/// Bits 2:1 of a directory entry: its aperture; 0 is invalid.
const APERTURE: u64 = 3 << 1;

/// What is remembered of page tables.
#[derive(Debug, Default)]
pub(super) struct Watched {
    /// Pages with dual entries (PD0), and pages with entries of RM.
    pages: HashSet<u64>,
    dual: HashSet<u64>,
    /// Dual entries written since the last invalidate, as they were before.
    touched: BTreeMap<u64, [u64; 2]>,
    /// Table pages whose place was judged since the last invalidate.
    judged: HashSet<u64>,
    /// Invalidates under way: `None` for all root directories.
    pending: Vec<Option<u64>>,
    /// Times the status still reads busy.
    polls: u8,
    /// It does so for ever: a fault.
    stuck: bool,
    /// RM's entries were found changed.
    damage_seen: bool,
}

impl Gpu {
    /// What is behind `va`. The caller checks the access against the target.
    pub(super) fn translate(&mut self, space: Space, va: u64) -> Result<Target, mmu::Fault> {
        let keep = self.board.config.tlb != config::Tlb::Coherent;
        let tables = BoardTables {
            vram: &self.board.vram,
            host: &*self.board.host,
        };
        let mut seen = Vec::new();
        let leaf = self.tlb.translate(&tables, space, va, keep, &mut seen);
        self.judge_seen(seen);
        leaf.map(|l| l.at(va))
    }

    /// Translations of the CPU's windows or of engines.
    pub(super) fn judge_seen(&mut self, seen: Vec<Seen>) {
        for s in seen {
            let (space, va) = (s.space, s.va);
            for n in s.notes {
                self.judge(space, va, n);
            }
            match (s.found, s.leaf) {
                (Found::Stale(s), _) => self.board.refuse(
                    "tlb-stale",
                    format_args!(
                        "gfid {} root {:#x} address {va:#x}: {:x?} used, the tables say {:x?}",
                        space.gfid, space.root, s.kept, s.now
                    ),
                ),
                (Found::Walked, Ok(leaf)) => self.judge_leaf(space, &leaf),
                _ => {}
            }
        }
    }

    /// What a walk came across.
    fn judge(&mut self, space: Space, va: u64, note: Note) {
        let at = format_args!("gfid {} root {:#x} address {va:#x}", space.gfid, space.root);
        match note {
            Note::Entry(Aperture::Video, addr) => self.judge_table(space, addr),
            Note::Dual(Aperture::Video, addr) => {
                self.tables.dual.insert(addr / PAGE);
                self.tables.pages.insert(addr / PAGE);
                self.judge_table(space, addr);
                self.judge_halves(addr);
            }
            Note::Entry(Aperture::System, _) | Note::Dual(Aperture::System, _) => {}
            Note::LeafAbove(e) => self
                .board
                .refuse("mmu-leaf-above", format_args!("{at}: {e:#x} in PD3 or PD2")),
            Note::Misaligned(e, size) => self.board.refuse(
                "mmu-leaf-misaligned",
                format_args!("{at}: {e:#x} for a page of {size:#x}"),
            ),
            Note::LeafWithTable(low, high) => self.board.refuse(
                "mmu-leaf-with-table",
                format_args!("{at}: {low:#x} with {high:#x}"),
            ),
            Note::SparseWithTable(low, high) => self.board.refuse(
                "mmu-sparse-with-table",
                format_args!("{at}: {low:#x} with {high:#x}"),
            ),
        }
    }

    /// Where a table of the PF may be: in memory that is the driver's to use. RM's
    /// own are in its heap.
    fn judge_table(&mut self, space: Space, addr: u64) {
        if space.gfid != 0 || !self.tables.judged.insert(addr / PAGE) {
            return;
        }
        let layout = &self.boot.layout;
        let page = addr & !(PAGE - 1);
        if self.rm_tables.has_table(page) {
            return;
        }
        let owner = self
            .rm
            .as_ref()
            .and_then(|rm| rm.fb_owner(page..page + PAGE));
        if addr >= layout.reserved_start || owner.is_some() {
            self.board.refuse(
                "mmu-table-place",
                format_args!(
                    "root {:#x}: a table at {addr:#x}, vGPU {owner:?}, reserved from {:#x}",
                    space.root, layout.reserved_start
                ),
            );
        } else if self.board.vram.writer(page) == Ok(Writer::Nobody) {
            self.board.refuse(
                "mmu-table-unwritten",
                format_args!("root {:#x}: a table at {addr:#x}", space.root),
            );
        }
    }

    /// Where a page of the PF may lead: not to what the firmware reserved, unless
    /// the mapping is RM's.
    fn judge_leaf(&mut self, space: Space, leaf: &Leaf) {
        let Target::Memory {
            aperture: Aperture::Video,
            addr,
            ..
        } = leaf.target
        else {
            return;
        };
        let reserved = self.boot.layout.reserved_start..self.boot.layout.fb_size;
        let rm = self.bar1_root == Some(space.root)
            && self.rm_tables.mappings.iter().any(|(va, _)| *va == leaf.va);
        let end = addr.saturating_add(leaf.size);
        if space.gfid == 0 && !rm && addr < reserved.end && end > reserved.start {
            self.board.refuse(
                "mmu-leaf-reserved",
                format_args!(
                    "root {:#x} address {:#x}: a page of {:#x} at {addr:#x}, reserved {reserved:x?}",
                    space.root, leaf.va, leaf.size
                ),
            );
        }
    }

    /// RM's BAR1 tables are known from the start.
    pub(super) fn watch_rm_tables(&mut self) {
        let pages = self.rm_tables.entries.keys().map(|at| at / PAGE);
        self.tables.pages.extend(pages);
        self.tables.dual.insert(self.rm_tables.dual / PAGE);
        self.tables.damage_seen = false;
    }

    /// A CPU is about to write to video memory.
    pub(super) fn before_table_write(&mut self, addr: u64, size: u8) {
        if !self.tables.dual.contains(&(addr / PAGE)) {
            return;
        }
        // At most eight bytes; they touch one entry, or two if misaligned.
        for at in [addr & !15, (addr + u64::from(size) - 1) & !15] {
            if let Some(now) = self.dual_entry(at) {
                self.tables.touched.entry(at).or_insert(now);
            }
        }
    }

    /// A CPU has written to video memory.
    pub(super) fn after_table_write(&mut self, addr: u64, size: u8) {
        let last = addr + u64::from(size) - 1;
        if !self.tables.pages.contains(&(addr / PAGE)) {
            return;
        }
        if self
            .rm_tables
            .entries
            .range(addr & !7..=last)
            .next()
            .is_some()
        {
            self.judge_rm_tables();
        }
    }

    /// Whether all of RM's entries in BAR1's tables are as RM wrote them; tells once
    /// when they are not.
    pub(super) fn judge_rm_tables(&mut self) {
        let damage = self.rm_tables.damaged(&self.board.vram);
        let seen = std::mem::replace(&mut self.tables.damage_seen, damage.is_some());
        if let (false, Some((at, was, now))) = (seen, damage) {
            self.board.refuse(
                "bar1-rm-mapping",
                format_args!("GSP-RM's entry {was:#x} at {at:#x} is {now:#x} now"),
            );
        }
    }

    fn dual_entry(&self, at: u64) -> Option<[u64; 2]> {
        let read = |addr| self.board.vram.read64(addr).ok();
        Some([read(at)?, read(at + 8)?])
    }

    /// A dual entry that was written since the last invalidate: linking a table into
    /// one half must leave a table in the other half alone.
    fn judge_halves(&mut self, at: u64) {
        let (Some(before), Some(now)) = (self.tables.touched.get(&at), self.dual_entry(at)) else {
            return;
        };
        let before = *before;
        let table = |e: u64, half: usize| e & APERTURE != 0 && (half == 1 || e & 1 == 0);
        let lost = [(0, 1), (1, 0)].into_iter().any(|(linked, other)| {
            !table(before[linked], linked)
                && table(now[linked], linked)
                && table(before[other], other)
                && now[other] != before[other]
        });
        if lost {
            self.tables.touched.remove(&at);
            self.board.refuse(
                "mmu-dual-half",
                format_args!("entry at {at:#x}: {before:x?} became {now:x?}"),
            );
        }
    }

    /// TLB invalidate of the PF.
    pub(super) fn tlb_invalidate(&mut self, command: u32) {
        const TRIGGER: u32 = 1 << 31;
        const ALL_PDB: u32 = 1 << 1;
        const PDB_IN_SYSTEM: u32 = 1 << 1;
        self.regs.tlb_command = command;
        if command & TRIGGER == 0 {
            return;
        }
        self.board.stats.count("tlb-invalidate");
        if !self.tables.pending.is_empty() && !self.tables.stuck {
            self.board.refuse(
                "tlb-busy",
                format_args!("invalidate {command:#x} before the last one was done"),
            );
        }
        let [low, high] = self.regs.tlb_pdb;
        let pdb = u64::from(low & !0xf) << 8 | u64::from(high) << 40;
        let all = command & ALL_PDB != 0;
        let roots = [self.bar1_root, self.bar3_root];
        let known =
            low & PDB_IN_SYSTEM == 0 && (roots.contains(&Some(pdb)) || self.fifo.knows_root(pdb));
        if !all && !known {
            self.board.refuse(
                "tlb-unknown-pdb",
                format_args!("page directory {pdb:#x} is not in use"),
            );
        }
        self.tables.stuck = self.board.faults.tlb_timeout();
        if self.tables.stuck {
            self.board
                .trace
                .line("fault", format_args!("TLB invalidate {command:#x} hangs"));
        }
        self.tables.pending.push((!all).then_some(pdb));
        self.tables.polls = self.board.config.tlb_polls;
        for at in self.tables.touched.keys().copied().collect::<Vec<_>>() {
            self.judge_halves(at);
        }
        self.tables.touched.clear();
        self.tables.judged.clear();
        self.judge_rm_tables();
        if self.tables.polls == 0 && !self.tables.stuck {
            self.complete_invalidates();
        }
    }

    /// The invalidate register: bit 31 reads busy so many times, and then the
    /// invalidate is done. A driver that does not look goes on with the old entries.
    pub(super) fn tlb_status(&mut self) -> u32 {
        const BUSY: u32 = 1 << 31;
        let idle = self.regs.tlb_command & !BUSY;
        if self.tables.stuck {
            return idle | BUSY;
        }
        if let Some(left) = self.tables.polls.checked_sub(1) {
            self.tables.polls = left;
            return idle | BUSY;
        }
        self.complete_invalidates();
        idle
    }

    fn complete_invalidates(&mut self) {
        if self.tables.pending.is_empty() {
            return;
        }
        for pdb in std::mem::take(&mut self.tables.pending) {
            match pdb {
                Some(root) => self.tlb.invalidate(Space { gfid: 0, root }),
                None => self.tlb.invalidate_all(0),
            }
        }
        if self.board.config.tlb != config::Tlb::Paranoid {
            return;
        }
        let tables = BoardTables {
            vram: &self.board.vram,
            host: &*self.board.host,
        };
        for (space, s) in self.tlb.changed(&tables) {
            self.board.refuse(
                "tlb-uncovered",
                format_args!(
                    "gfid {} root {:#x}: {:x?} is kept, the tables say {:x?}",
                    space.gfid, space.root, s.kept, s.now
                ),
            );
        }
    }
}
