// SPDX-License-Identifier: GPL-2.0

//! GSP-RM as a whole: a driver's requests against a small board.
//!
//! ```text
//!   FB 8 GiB   [0, 0x1e000_0000) usable   [.., 8 GiB) reserved
//!   client 0xc1d00001 -> device -> subdevice
//! ```

mod channel;
mod event;
mod plugin;
mod random;
mod reports;
mod requests;
mod vf;
mod vgpu;

use super::bootload::tests::message as bootload;
use super::message::tests as msg;
use super::plugin::layout;
use super::plugin::messages::tests::config as plugin_config;
use super::status::NvStatus;
use super::types::tests::message as types;
use super::*;
use crate::bytes::{put_u32, put_u64, u32_at, u64_at};
use crate::config::Config;
use crate::fault::Faults;
use crate::fifo::Fifo;
use crate::host::{DmaFault, Function, Host};
use crate::services::{BootInfo, GspEvent, PciState};
use crate::stats::Stats;
use crate::trace::Trace;
use crate::vram::{Vram, Writer};
use std::sync::atomic::{AtomicU64, Ordering};

const CLIENT: u32 = 0xc1d0_0001;
const SUBDEV: u32 = 0x5d1d_0000;
const RESERVED: u64 = 0x1_e000_0000;
const GIB: u64 = 1 << 30;
/// What the board can reach of the machine's memory.
const RAM: std::ops::Range<u64> = 1 << 32..(1 << 32) + (1 << 20);
const SEG: u64 = 128 << 20;

const BOOTLOAD: u32 = 0x2080_4001;
const SHUTDOWN: u32 = 0x2080_4002;
const ADD_TYPE: u32 = 0x2080_4003;
const CLEANUP: u32 = 0x2080_4008;

#[derive(Default)]
struct Clock(AtomicU64);

impl Host for Clock {
    /// Zeros in [`RAM`], nothing elsewhere.
    fn dma_read(&self, addr: u64, buf: &mut [u8]) -> Result<(), DmaFault> {
        let end = addr.checked_add(buf.len() as u64).ok_or(DmaFault)?;
        if addr < RAM.start || end > RAM.end {
            return Err(DmaFault);
        }
        buf.fill(0);
        Ok(())
    }
    fn dma_write(&self, _: u64, _: &[u8]) -> Result<(), DmaFault> {
        Err(DmaFault)
    }
    fn config_read(&self, _: Function, _: u16) -> u32 {
        u32::MAX
    }
    fn msix(&self, _: Function, _: u16) {}
    fn now_ns(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
    fn set_timer(&self, _: Option<u64>) {}
}

struct Board {
    vram: Vram,
    fifo: Fifo,
    clock: Clock,
    trace: Trace,
    stats: Stats,
    faults: Faults,
    config: Config,
    boot: BootInfo,
    pci: PciState,
    events: Vec<GspEvent>,
    wake: Option<u64>,
    rm: Option<Rm>,
}

impl Board {
    fn with(change: impl FnOnce(&mut Config, &mut BootInfo)) -> Board {
        let mut config = Config {
            vram: 8 * GIB,
            ..Config::default()
        };
        let mut boot = BootInfo {
            vgpu: true,
            partitions: 32,
            ..BootInfo::default()
        };
        boot.layout.reserved_start = RESERVED;
        boot.system.vf.total_vfs = 32;
        boot.bar1_pde_base = RESERVED;
        boot.bar2_pde_base = RESERVED + 0x1000;
        change(&mut config, &mut boot);
        let mut board = Board {
            vram: Vram::new(config.fb_size(), config.poison),
            fifo: Fifo::default(),
            clock: Clock::default(),
            trace: Trace::default(),
            stats: Stats::default(),
            faults: Faults::default(),
            config,
            boot,
            pci: PciState {
                num_vfs: 32,
                ..PciState::default()
            },
            events: Vec::new(),
            wake: None,
            rm: None,
        };
        board.rm = Some(board.lend(Rm::new));
        board
    }

    /// A board whose driver has a client, a device, a subdevice and type 941.
    fn ready() -> Board {
        let mut b = Board::with(|_, _| ());
        b.client();
        assert_eq!(b.control(ADD_TYPE, &types(true, &[941])).0, NvStatus::OK);
        b
    }

    fn client(&mut self) {
        let steps: [(u32, u32, u32, usize); 3] = [
            (0, CLIENT, 0, 120),
            (CLIENT, 0xde1d_0000, 0x80, 56),
            (0xde1d_0000, SUBDEV, 0x2080, 4),
        ];
        for (parent, object, class, size) in steps {
            assert_eq!(self.alloc(parent, object, class, size), NvStatus::OK);
        }
    }

    fn lend<T>(&mut self, call: impl FnOnce(&mut Services<'_>) -> T) -> T {
        call(&mut Services {
            vram: &mut self.vram,
            fifo: &mut self.fifo,
            host: &self.clock,
            trace: &mut self.trace,
            stats: &mut self.stats,
            faults: &mut self.faults,
            config: &self.config,
            boot: &self.boot,
            pci: &self.pci,
            events: &mut self.events,
            wake_ns: &mut self.wake,
        })
    }

    fn with_rm<T>(&mut self, call: impl FnOnce(&mut Rm, &mut Services<'_>) -> T) -> T {
        let mut rm = self.rm.take().unwrap();
        let t = self.lend(|s| call(&mut rm, s));
        self.rm = Some(rm);
        t
    }

    fn rpc(&mut self, function: u32, payload: &[u8]) -> (NvStatus, Vec<u8>) {
        match self.with_rm(|rm, s| rm.rpc(s, function, payload)) {
            RpcOutcome::Reply { result, payload } => (NvStatus(result), payload),
            RpcOutcome::NoReply => panic!("no reply"),
        }
    }

    fn alloc(&mut self, parent: u32, object: u32, class: u32, size: usize) -> NvStatus {
        self.alloc_with(parent, object, class, &vec![0; size])
    }

    fn alloc_with(&mut self, parent: u32, object: u32, class: u32, params: &[u8]) -> NvStatus {
        let (result, b) = self.rpc(103, &msg::alloc(CLIENT, parent, object, class, params));
        assert_eq!(result, NvStatus::OK);
        NvStatus(u32_at(&b, 16).unwrap())
    }

    fn control(&mut self, cmd: u32, params: &[u8]) -> (NvStatus, Vec<u8>) {
        self.control_on(SUBDEV, cmd, params)
    }

    fn control_on(&mut self, object: u32, cmd: u32, params: &[u8]) -> (NvStatus, Vec<u8>) {
        let (result, b) = self.rpc(76, &msg::control(CLIENT, object, cmd, params));
        assert_eq!(result, NvStatus::OK);
        (NvStatus(u32_at(&b, 12).unwrap()), b[24..].to_vec())
    }

    fn free(&mut self, object: u32) -> NvStatus {
        let (result, b) = self.rpc(10, &msg::free(CLIENT, object));
        assert_eq!(result, NvStatus::OK);
        NvStatus(u32_at(&b, 12).unwrap())
    }

    fn gfid_control(&mut self, cmd: u32, gfid: u32) -> NvStatus {
        self.control(cmd, &gfid.to_le_bytes()).0
    }

    fn advance(&mut self, ms: u64) {
        self.clock.0.fetch_add(ms * 1_000_000, Ordering::Relaxed);
        if self.wake.is_some_and(|t| t <= self.clock.now_ns()) {
            self.wake = None;
            self.with_rm(|rm, s| rm.timer(s));
        }
    }

    fn write32(&mut self, addr: u64, v: u32) {
        self.vram.write32(addr, v, Writer::Cpu).unwrap();
    }

    fn control_page(&mut self, heap: u64) {
        self.vram.zero(heap..heap + 0x3000, Writer::Cpu).unwrap();
        self.write32(heap, 1);
        for (at, offset) in [(16, 0x1000), (24, 0x2000), (32, 0x3000), (40, 0x20_3000u64)] {
            self.vram.write64(heap + at, offset, Writer::Cpu).unwrap();
        }
    }

    /// Bootloads gfid `n`: FB 1 GiB at (n - 1) GiB, heap at 5 GiB + ..., 64 channels.
    fn boot_vgpu(&mut self, n: u32) -> u64 {
        let heap = heap_of(n);
        self.control_page(heap);
        let p = bootload(n, u64::from(n - 1) * GIB, heap, (n - 1) * 64, 64);
        assert_eq!(self.control(BOOTLOAD, &p).0, NvStatus::OK);
        heap
    }

    /// Rings for message `msg`; gives (processed, result).
    fn message(&mut self, n: u32, msg: u32, seq: u32) -> (u32, u32) {
        let heap = heap_of(n);
        self.write32(heap + 4, msg);
        self.write32(heap + 8, seq);
        self.with_rm(|rm, s| rm.doorbell(s, n * 32 + 17));
        self.response(n)
    }

    fn response(&self, n: u32) -> (u32, u32) {
        let at = heap_of(n) + 0x1000;
        (
            self.vram.read32(at + layout::RESP_PROCESSED).unwrap(),
            self.vram.read32(at + layout::RESP_RESULT).unwrap(),
        )
    }

    fn setup(&mut self, n: u32) {
        self.advance(5);
        assert_eq!(self.message(n, 1, 1), (1, 0));
        let c = plugin_config(941, 64);
        self.vram
            .write(heap_of(n) + 0x2000, &c, Writer::Cpu)
            .unwrap();
        assert_eq!(self.message(n, 2, 2), (2, 0));
    }

    fn live(&self) -> Vec<i64> {
        [
            "clients",
            "objects",
            "vgpus",
            "fb-segments",
            "fb_bytes",
            "channels",
            "plugins",
        ]
        .iter()
        .map(|k| self.stats.live(k))
        .collect()
    }
}

fn heap_of(n: u32) -> u64 {
    5 * GIB + u64::from(n) * (32 << 20)
}
