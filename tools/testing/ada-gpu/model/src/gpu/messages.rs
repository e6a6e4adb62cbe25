// SPDX-License-Identifier: GPL-2.0

//! From the doorbell to GSP-RM and back.
//!
//! ```text
//! queue head 0 written -> whole messages -> 72, 73   boot information
//!                                           47, 70   unload, BAR directory entry
//!                                           others   rm::Rm::rpc -> answer
//! boot information complete -> sequencer script -> CORE_RESUME -> INIT_DONE
//! ```

use super::{Function, Gpu};
use crate::bytes::{put_u32, u32_at, u64_at, u8_at};
use crate::fault::Fault;
use crate::fifo::Fifo;
use crate::gsp::init::{self, PciFacts};
use crate::gsp::{function, script, Message, State, RPC_OK};
use crate::rm::Rm;
use crate::services::{RegistryValue, RpcOutcome, VfInfo};

/// SR-IOV extended capability in configuration space.
const SRIOV: u16 = 0xbcc;
const SRIOV_ID: u32 = 0x0010;
/// Registry key that turns vGPU mode on.
const SRIOV_MODE: &str = "RMSetSriovMode";
/// GSP falcon mailbox value after unload: the interrupt processor is suspended.
const SUSPENDED: u32 = 0x8000_0000;
/// NV_ERR_INVALID_PARAM_STRUCT and NV_ERR_INVALID_ARGUMENT (nvstatuscodes.h).
const ERR_PARAM_STRUCT: u32 = 0x3a;
const ERR_ARGUMENT: u32 = 0x1f;
/// Where the status word of a control is.
const CONTROL_STATUS: usize = 0xc;

impl Gpu {
    /// The driver wrote a queue head register.
    pub(super) fn queue_doorbell(&mut self, queue: u32) {
        if queue != 0 {
            self.board
                .refuse("doorbell-queue", format_args!("queue {queue}"));
            return;
        }
        if !self.stalled() {
            self.drain_commands();
        }
    }

    /// Handles every message in the command queue.
    pub(super) fn drain_commands(&mut self) {
        while let Some(m) = self.gsp.receive(&mut self.board) {
            self.board.stats.count("message-received");
            self.board.trace.line(
                "rpc",
                format_args!("> {} len {:#x}", m.function, m.payload.len()),
            );
            self.message(&m);
        }
    }

    fn message(&mut self, m: &Message) {
        match (self.gsp.state, m.function) {
            (State::Init, function::GSP_SET_SYSTEM_INFO) => {
                match init::system_info(&m.payload, &self.pci_facts()) {
                    Ok(info) => self.gsp.system = Some(info),
                    Err(r) => self.board.refused(&r),
                }
                self.init_complete();
            }
            (State::Init, function::SET_REGISTRY) => {
                match init::registry(&m.payload) {
                    Ok(table) => self.gsp.registry = Some(table),
                    Err(r) => self.board.refused(&r),
                }
                self.init_complete();
            }
            (State::Running, function::GSP_SET_SYSTEM_INFO | function::SET_REGISTRY) => {
                self.board
                    .refuse("rpc-order", format_args!("function {} again", m.function));
            }
            (State::Running, function::UNLOADING_GUEST_DRIVER) => self.unload(m),
            (State::Running, _) => self.rpc(m),
            (state, _) => self.board.refuse(
                "rpc-order",
                format_args!("function {} in state {state:?}", m.function),
            ),
        }
    }

    fn rpc(&mut self, m: &Message) {
        let call = m.call();
        if self.board.faults.no_reply(call) {
            self.board
                .trace
                .line("fault", format_args!("no reply to {}", m.function));
            return;
        }
        if let Some(result) = self.board.faults.rpc_result(m.function) {
            self.gsp
                .reply(&mut self.board, m, result, m.payload.clone());
            return;
        }
        if let Some(cmd) = call.control() {
            if let Some(status) = self.board.faults.control_status(cmd) {
                let mut payload = m.payload.clone();
                put_u32(&mut payload, CONTROL_STATUS, status);
                self.gsp.reply(&mut self.board, m, RPC_OK, payload);
                return;
            }
        }
        if m.function == function::UPDATE_BAR_PDE {
            let q = |off| u64_at(&m.payload, off).unwrap_or(0);
            let bar = u32_at(&m.payload, 0).unwrap_or(u32::MAX);
            let done = m.payload.len() == 0x18 && self.update_bar_pde(bar, q(8), q(0x10));
            let result = if done { RPC_OK } else { ERR_ARGUMENT };
            self.gsp
                .reply(&mut self.board, m, result, m.payload.clone());
            return;
        }
        let outcome = self.with_rm(|rm, s| rm.rpc(s, m.function, &m.payload));
        match outcome {
            Some(RpcOutcome::Reply { result, payload }) => {
                self.gsp.reply(&mut self.board, m, result, payload);
            }
            Some(RpcOutcome::NoReply) | None => {}
        }
    }

    /// UNLOADING_GUEST_DRIVER: GSP-RM answers and suspends itself.
    fn unload(&mut self, m: &Message) {
        const SIZE: usize = 8;
        const LEVELS: [u32; 2] = [0, 3];
        let level = u32_at(&m.payload, 4).unwrap_or(u32::MAX);
        let transition = u8_at(&m.payload, 0).unwrap_or(u8::MAX);
        if m.payload.len() != SIZE || !LEVELS.contains(&level) || transition > 1 {
            self.board.refuse(
                "unload-parameters",
                format_args!("{} bytes, level {level:#x}", m.payload.len()),
            );
            self.gsp
                .reply(&mut self.board, m, ERR_PARAM_STRUCT, m.payload.clone());
            return;
        }
        if self.board.faults.no_reply(m.call()) {
            return;
        }
        if let Some(result) = self.board.faults.rpc_result(m.function) {
            self.gsp
                .reply(&mut self.board, m, result, m.payload.clone());
            return;
        }
        self.gsp
            .reply(&mut self.board, m, RPC_OK, m.payload.clone());
        self.with_rm(|rm, s| rm.unload(s));
        self.rm_gone();
        self.gsp.state = State::Suspended;
        self.gsp_falcon.mailbox[0] = SUSPENDED;
        self.gsp_falcon.riscv_active = false;
        self.gsp_falcon.riscv_halted = true;
        self.board.stats.count("unload");
        self.board.trace.line("boot", format_args!("unloaded"));
    }

    /// What configuration space says about the board.
    fn pci_facts(&self) -> PciFacts {
        let word = |off| self.board.host.config_read(Function::Pf, off);
        let address = |off| u64::from(word(off) & !0xf);
        let long = |off| address(off) | u64::from(word(off + 4)) << 32;
        let mut vf = VfInfo::default();
        if word(SRIOV) & 0xffff == SRIOV_ID {
            // 64-bit BARs have type 2 in bits 2:1.
            let wide = |off| word(off) & 6 == 4;
            vf = VfInfo {
                total_vfs: word(SRIOV + 0x0c) >> 16,
                first_vf_offset: word(SRIOV + 0x14) & 0xffff,
                first_vf_bar: [
                    address(SRIOV + 0x24),
                    long(SRIOV + 0x28),
                    long(SRIOV + 0x30),
                ],
                bar_is_64bit: [false, wide(SRIOV + 0x28), wide(SRIOV + 0x30)],
            };
        }
        PciFacts {
            id: word(0),
            bars: [address(0x10), long(0x14), long(0x1c)],
            vf,
        }
    }

    /// Goes on with booting once both init messages are there.
    fn init_complete(&mut self) {
        let (Some(system), Some(registry)) = (&self.gsp.system, &self.gsp.registry) else {
            return;
        };
        self.boot.system = system.clone();
        self.boot.registry = registry.clone();
        if self.board.faults.has(&Fault::NoInitDone) {
            self.gsp.state = State::Silent;
            return;
        }
        let wanted = registry.get(SRIOV_MODE) == Some(&RegistryValue::Dword(1));
        self.boot.vgpu = wanted
            && self.boot.partitions > 0
            && self.boot.system.vf.total_vfs > 0
            && self.board.config.total_vfs > 0;
        if wanted && !self.boot.vgpu {
            self.board.refuse(
                "vgpu-mode",
                format_args!(
                    "{SRIOV_MODE} with {} partitions and {} VFs",
                    self.boot.partitions, self.boot.system.vf.total_vfs
                ),
            );
        }
        if !self.bind_windows() {
            self.gsp.state = State::Silent;
            return;
        }
        self.boot.bar1_pde_base = self.rm_tables.bar1_root;
        self.boot.bar2_pde_base = self.rm_tables.bar2_root;
        if self.board.config.boot_events {
            // Lockdown engaged, as real firmware reports while it starts.
            self.gsp
                .event(&self.board, function::GSP_LOCKDOWN_NOTICE, vec![1, 0, 0, 0]);
        }
        let full = self.board.config.sequencer;
        self.gsp.state = State::Sequencing { checked: false };
        self.gsp.event(
            &self.board,
            script::RUN_CPU_SEQUENCER,
            script::payload(full),
        );
        if !full {
            self.rm_ready();
        }
    }

    /// GSP-RM is up.
    pub(super) fn rm_ready(&mut self) {
        self.gsp.state = State::Running;
        let rm = Rm::new(&mut self.services());
        self.rm = Some(rm);
        self.gsp_falcon.route_interrupts();
        self.rearm_death();
        self.board.stats.count("init-done");
        self.board
            .trace
            .line("boot", format_args!("init-done vgpu {}", self.boot.vgpu));
        self.gsp
            .event(&self.board, function::GSP_INIT_DONE, Vec::new());
        for e in std::mem::take(&mut self.events) {
            self.gsp.event(&self.board, e.function, e.payload);
        }
    }

    /// GSP-RM ends: everything it kept is lost.
    pub(super) fn rm_gone(&mut self) {
        self.rm = None;
        self.fifo = Fifo::default();
        self.rm_wake_ns = None;
        self.events.clear();
        self.board.stats.reset_live();
        self.bar1_root = None;
        self.bar3_root = None;
        self.rm_tables = Default::default();
        self.tlb.clear();
        self.tables = Default::default();
    }

    /// The PF's PRIV doorbell.
    pub(super) fn priv_doorbell(&mut self, value: u32) {
        let heard = self.with_rm(|rm, s| rm.doorbell(s, value)).is_some();
        // A driver cannot know that a GSP it did not stop is dead.
        if !heard && self.gsp.state != State::Dead {
            self.board
                .refuse("doorbell-no-gsp", format_args!("value {value:#x}"));
        }
    }

    /// Sends what is due and arms the timer for what is not.
    pub(super) fn pump(&mut self) {
        if self.off_bus() {
            return;
        }
        let (sent, retry) = self.gsp.transmit(&mut self.board);
        if sent {
            self.notify();
        }
        let next = [
            retry,
            self.rm_wake_ns,
            self.sec2_falcon.running_until,
            self.strike_ns(),
            self.fifo.due_ns(),
            self.overdue_ns(),
        ]
        .into_iter()
        .flatten()
        .min()
        .filter(|t| *t != u64::MAX);
        if next != self.timer_ns {
            self.timer_ns = next;
            self.board.host.set_timer(next);
        }
    }
}
