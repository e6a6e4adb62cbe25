// SPDX-License-Identifier: GPL-2.0

//! The board: owns every unit and routes accesses to them.
//!
//! ```text
//! read/write --settle()--> PF BAR0  registers.rs -> engines.rs (falcons)
//!                          PF BAR1/3, PRAMIN, VFs    memory.rs
//!            --pump()----> messages.rs: command queue -> GSP-RM -> status queue
//! ```

mod booter;
mod engines;
mod inject;
mod interrupts;
mod memory;
mod messages;
mod properties;
mod registers;
mod service;
mod tags;
mod translate;
mod watchdog;
mod work;

use crate::board::Board;
use crate::config::{Config, ConfigError};
use crate::falcon::{Engine, Falcon};
use crate::fault::{Fault, Faults};
use crate::fifo::Fifo;
use crate::func::FuncRegs;
use crate::gsp::{Gsp, State};
use crate::host::{Bar, Function, Host};
use crate::mmu::tlb::{Space, Tlb};
use crate::regs::{self, Regs};
use crate::rm::Rm;
use crate::services::{BootInfo, GspEvent, PciState, Services};
use crate::stats::Stats;
use crate::trace::Trace;
use crate::ucode::Sec2Program;
use crate::vbios::Vbios;
use crate::vram::Vram;
use crate::window::RmTables;

pub use properties::PropertyError;

/// VFs a board can have.
pub const MAX_VFS: usize = 32;
/// Head register of the command queue.
const DOORBELL: u64 = (regs::GSP.start + regs::GSP_QUEUE_HEAD) as u64;
/// Size of the PF's BAR0.
pub const BAR0_SIZE: u64 = 16 << 20;

/// Why the board is being reset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reset {
    /// Power was off: memory and secure scratch are lost.
    PowerOn,
    /// Secondary bus reset of the slot.
    SecondaryBus,
    /// Function level reset of one function.
    Flr(Function),
}

/// What the front end puts into configuration space. Sizes are in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PciIdentity {
    /// PCI vendor id.
    pub vendor_id: u16,
    /// PCI device id.
    pub device_id: u16,
    /// Subsystem vendor id.
    pub subsystem_vendor_id: u16,
    /// Subsystem id.
    pub subsystem_id: u16,
    /// Revision id.
    pub revision: u8,
    /// 24-bit class code.
    pub class: u32,
    /// BAR0, 32-bit.
    pub bar0_size: u64,
    /// BAR1, 64-bit prefetchable.
    pub bar1_size: u64,
    /// BAR3, 64-bit prefetchable.
    pub bar3_size: u64,
    /// The PF has MSI-X beside MSI.
    pub msix: bool,
    /// VFs have power management.
    pub vf_pm: bool,
    /// 0: no SR-IOV capability.
    pub total_vfs: u16,
    /// VF Device ID.
    pub vf_device_id: u16,
    /// First VF Offset.
    pub vf_offset: u16,
    /// VF Stride.
    pub vf_stride: u16,
    /// BAR0 of one VF, 32-bit.
    pub vf_bar0_size: u64,
    /// BAR1 of one VF, 64-bit prefetchable.
    pub vf_bar1_size: u64,
    /// BAR3 of one VF, 64-bit prefetchable.
    pub vf_bar3_size: u64,
}

/// An emulated Ada board.
pub struct Gpu {
    board: Board,
    regs: Regs,
    vbios: Vbios,
    gsp_falcon: Falcon,
    sec2_falcon: Falcon,
    /// What SEC2 is running.
    sec2_program: Option<Sec2Program>,
    gsp: Gsp,
    boot: BootInfo,
    rm: Option<Rm>,
    fifo: Fifo,
    rm_tables: RmTables,
    /// Root directories of the two windows, once GSP-RM bound them.
    bar1_root: Option<u64>,
    bar3_root: Option<u64>,
    tlb: Tlb,
    tables: translate::Watched,
    pf_func: FuncRegs,
    vf_func: Vec<FuncRegs>,
    events: Vec<GspEvent>,
    rm_wake_ns: Option<u64>,
    timer_ns: Option<u64>,
    interrupts: interrupts::Counts,
    service: service::Times,
    armed: inject::Armed,
    waiting: watchdog::Waiting,
    tags: tags::Tags,
}

impl Gpu {
    /// A board with the given properties, powered on.
    pub fn new(config: Config, host: Box<dyn Host>) -> Result<Gpu, ConfigError> {
        config.validate()?;
        let mut faults = Faults::default();
        faults.set(&config.fault).map_err(ConfigError::Invalid)?;
        let mut trace = Trace::default();
        trace
            .open(&config.trace)
            .map_err(|e| ConfigError::Invalid(format!("trace={}: {e}", config.trace)))?;
        let mut gpu = Gpu {
            regs: Regs::new(&config, host.now_ns()),
            vbios: Vbios::new(config.device_id),
            gsp_falcon: Falcon::new(Engine::Gsp),
            sec2_falcon: Falcon::new(Engine::Sec2),
            sec2_program: None,
            gsp: Gsp::default(),
            boot: BootInfo::default(),
            rm: None,
            fifo: Fifo::default(),
            rm_tables: RmTables::default(),
            bar1_root: None,
            bar3_root: None,
            tlb: Tlb::default(),
            tables: Default::default(),
            pf_func: FuncRegs::default(),
            vf_func: vec![FuncRegs::default(); MAX_VFS],
            events: Vec::new(),
            rm_wake_ns: None,
            timer_ns: None,
            interrupts: Default::default(),
            service: Default::default(),
            armed: Default::default(),
            waiting: Default::default(),
            tags: Default::default(),
            board: Board {
                vram: Vram::new(config.fb_size(), config.poison),
                config,
                host,
                trace,
                stats: Stats::default(),
                faults,
                pci: PciState::default(),
            },
        };
        gpu.arm();
        Ok(gpu)
    }

    /// A CPU read of `size` (1, 2, 4 or 8) bytes. Reads that nothing answers
    /// give all ones.
    pub fn read(&mut self, f: Function, bar: Bar, offset: u64, size: u8) -> u64 {
        if !matches!(size, 1 | 2 | 4 | 8) {
            return ones(size);
        }
        self.board.stats.mmio_reads += 1;
        self.settle();
        let value = match (f, bar) {
            _ if self.off_bus() => ones(size),
            (Function::Pf, Bar::Bar0) => self.bar0_read(offset, size),
            (Function::Pf, _) => self.window_read(bar, offset, size),
            (Function::Vf(vf), _) => self.vf_read(vf, bar, offset, size),
        };
        if self.board.trace.on() {
            self.board.trace.line(
                "mmio",
                format_args!("{f:?} {bar:?} r{size} {offset:#x} = {value:#x}"),
            );
        }
        self.pump();
        value
    }

    /// A CPU write of `size` (1, 2, 4 or 8) bytes.
    pub fn write(&mut self, f: Function, bar: Bar, offset: u64, size: u8, value: u64) {
        if !matches!(size, 1 | 2 | 4 | 8) {
            return;
        }
        self.board.stats.mmio_writes += 1;
        let started = (f == Function::Pf && bar == Bar::Bar0 && offset == DOORBELL)
            .then(std::time::Instant::now);
        let answered = self.board.stats.messages_sent;
        self.settle();
        if self.board.trace.on() {
            self.board.trace.line(
                "mmio",
                format_args!("{f:?} {bar:?} w{size} {offset:#x} = {value:#x}"),
            );
        }
        match (f, bar) {
            _ if self.off_bus() => {}
            (Function::Pf, Bar::Bar0) => self.bar0_write(offset, size, value),
            (Function::Pf, _) => self.window_write(bar, offset, size, value),
            (Function::Vf(vf), _) => self.vf_write(vf, bar, offset, size, value),
        }
        self.pump();
        if let Some(t) = started.filter(|_| self.board.stats.messages_sent > answered) {
            self.service.add(t.elapsed());
        }
    }

    /// The front end saw a reset.
    pub fn reset(&mut self, kind: Reset) {
        let now = self.board.host.now_ns();
        self.board.trace.set_now(now);
        self.board.trace.line("pci", format_args!("reset {kind:?}"));
        self.board.stats.count("reset");
        match kind {
            Reset::Flr(f) if self.board.faults.flr_fails() => {
                self.board
                    .trace
                    .line("fault", format_args!("FLR of {f:?} does nothing"));
            }
            Reset::Flr(Function::Vf(vf)) => {
                if let Some(func) = self.vf_func.get_mut(usize::from(vf)) {
                    *func = FuncRegs::default();
                    self.with_rm(|rm, s| rm.vf_reset(s, vf));
                }
            }
            Reset::Flr(Function::Pf) | Reset::SecondaryBus => {
                self.reset_units();
                self.regs.reset(&self.board.config, now);
            }
            Reset::PowerOn => {
                self.reset_units();
                self.regs = Regs::new(&self.board.config, now);
                let config = &self.board.config;
                self.board.vram = Vram::new(config.fb_size(), config.poison);
            }
        }
        self.pump();
    }

    fn reset_units(&mut self) {
        self.gsp_off();
        self.gsp_falcon = Falcon::new(Engine::Gsp);
        self.sec2_falcon = Falcon::new(Engine::Sec2);
        self.sec2_program = None;
        self.pf_func = FuncRegs::default();
        self.waiting = Default::default();
        self.vf_func.fill(FuncRegs::default());
    }

    /// VF Enable / NumVFs changed: `n` VFs exist now.
    pub fn set_num_vfs(&mut self, n: u16) {
        self.board.trace.set_now(self.board.host.now_ns());
        self.board.trace.line("pci", format_args!("num-vfs {n}"));
        self.board.pci.num_vfs = n;
        self.with_rm(|rm, s| rm.set_num_vfs(s));
        self.pump();
    }

    /// The function's bus-master enable bit changed.
    pub fn set_bus_master(&mut self, f: Function, on: bool) {
        self.board
            .trace
            .line("pci", format_args!("bus-master {f:?} {on}"));
        let pci = &mut self.board.pci;
        match f {
            Function::Pf => pci.pf_bus_master = on,
            Function::Vf(i) if usize::from(i) < MAX_VFS => {
                pci.vf_bus_master &= !(1 << i);
                pci.vf_bus_master |= u32::from(on) << i;
            }
            Function::Vf(_) => {}
        }
    }

    /// The timer armed with [`Host::set_timer`] fired.
    pub fn timer(&mut self) {
        self.timer_ns = None;
        self.settle();
        let now = self.board.host.now_ns();
        if self.rm_wake_ns.is_some_and(|t| t <= now) {
            self.rm_wake_ns = None;
            self.with_rm(|rm, s| rm.timer(s));
        }
        self.pump();
    }

    /// Whether nothing on the board answers.
    fn off_bus(&self) -> bool {
        self.board.faults.has(&Fault::OffBus)
    }

    /// The counts, for tests that need no JSON.
    pub fn stats(&self) -> &Stats {
        &self.board.stats
    }

    /// Video memory as it is, for tests.
    pub fn vram(&mut self) -> &mut Vram {
        &mut self.board.vram
    }

    /// What belongs into configuration space.
    pub fn pci(&self) -> PciIdentity {
        let c = &self.board.config;
        PciIdentity {
            vendor_id: 0x10de,
            device_id: c.device_id,
            subsystem_vendor_id: c.subsystem_vendor_id,
            subsystem_id: c.subsystem_id,
            revision: c.revision,
            class: c.class_code(),
            bar0_size: BAR0_SIZE,
            bar1_size: c.bar1,
            bar3_size: c.bar3,
            msix: c.msix,
            vf_pm: c.vf_pm,
            total_vfs: c.total_vfs,
            vf_device_id: c.device_id,
            vf_offset: c.vf_offset,
            vf_stride: c.vf_stride,
            vf_bar0_size: c.vf_bar0,
            vf_bar1_size: c.vf_bar1,
            vf_bar3_size: c.vf_bar3,
        }
    }

    /// The machine ends: writes the statistics file and the rest of the trace.
    pub fn finish(&mut self) {
        self.board.trace.flush();
        let path = &self.board.config.stats;
        if !path.is_empty() {
            if let Err(e) = std::fs::write(path, self.stats_json() + "\n") {
                eprintln!("ada-gpu: stats={path}: {e}");
            }
        }
    }

    /// The counts, and what is switched on.
    fn stats_json(&self) -> String {
        self.board.stats.json(&[
            ("wpr2", self.regs.wpr2.is_some()),
            ("gsp", self.gsp_falcon.riscv_active),
            ("bus-master", self.board.pci.pf_bus_master),
        ])
    }

    /// Calls GSP-RM, if it runs and is not halted; its events are queued for
    /// sending.
    fn with_rm<T>(&mut self, call: impl FnOnce(&mut Rm, &mut Services<'_>) -> T) -> Option<T> {
        if self.gsp.state == State::Dead {
            return None;
        }
        let mut rm = self.rm.take()?;
        let result = call(&mut rm, &mut self.services());
        self.rm = Some(rm);
        for root in self.fifo.take_revoked() {
            self.tlb.invalidate(Space { gfid: 0, root });
        }
        for e in std::mem::take(&mut self.events) {
            self.gsp.event(&self.board, e.function, e.payload);
        }
        Some(result)
    }

    fn services(&mut self) -> Services<'_> {
        Services {
            vram: &mut self.board.vram,
            fifo: &mut self.fifo,
            host: &*self.board.host,
            trace: &mut self.board.trace,
            stats: &mut self.board.stats,
            faults: &mut self.board.faults,
            config: &self.board.config,
            boot: &self.boot,
            pci: &self.board.pci,
            events: &mut self.events,
            wake_ns: &mut self.rm_wake_ns,
        }
    }
}

/// All ones in an access of `size` bytes: what a CPU reads where nothing is.
pub fn ones(size: u8) -> u64 {
    match size {
        1 => 0xff,
        2 => 0xffff,
        4 => 0xffff_ffff,
        _ => u64::MAX,
    }
}
