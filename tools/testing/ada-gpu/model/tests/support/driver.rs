// SPDX-License-Identifier: GPL-2.0

//! A scripted driver: boots and unloads GSP by register accesses and DMA memory
//! only, with its own numbers for everything.
//!
//! ```text
//! identify -> GFW -> VBIOS -> FWSEC-FRTS -> GSP mailboxes [-> scrubber]
//!          -> booter load -> SET_SYSTEM_INFO, SET_REGISTRY
//!          -> run the sequencer script -> INIT_DONE -> GET_GSP_STATIC_INFO
//! unload:  UNLOADING_GUEST_DRIVER -> FWSEC-SB -> booter unload
//! ```
//!
//! Each step fails with the name of what did not happen, so that tests can also
//! check how a boot fails.

// Every test program uses a part of this.
#![allow(dead_code, unused_imports)]

mod memory;
mod queue;
mod rom;

pub use queue::{fold, Reply};

use super::machine::{self, Machine};
use ada_gpu_model::{Bar, Config, Function, Gpu};

const MIB: u64 = 1 << 20;
const GSP: u64 = 0x11_0000;
const SEC2: u64 = 0x84_0000;
const QUEUE_SIZE: u64 = 0x4_0000;
const SLOTS: u32 = 63;

/// What a boot does differently from the ordinary.
#[derive(Clone)]
pub struct Plan {
    pub vgpu: bool,
    pub scrub: bool,
    /// Applied to the WPR metadata before booter runs.
    pub spoil_meta: fn(&mut [u8]),
    /// Applied to the libos page.
    pub spoil_libos: fn(&Machine, u64),
    /// Queue the init messages before the falcons run, as some drivers do.
    pub queue_early: bool,
    /// Skip the register commands and core commands of the sequencer script.
    pub skip_script: bool,
}

impl Plan {
    pub fn bare() -> Plan {
        Plan {
            vgpu: false,
            scrub: false,
            spoil_meta: |_| {},
            spoil_libos: |_, _| {},
            queue_early: false,
            skip_script: false,
        }
    }

    pub fn vgpu() -> Plan {
        Plan {
            vgpu: true,
            scrub: true,
            ..Plan::bare()
        }
    }
}

pub struct Driver {
    pub gpu: Gpu,
    pub ram: Machine,
    /// DMA address of each page of the queue region.
    queue: Vec<u64>,
    libos: u64,
    pub sequence: u32,
    last_sequence: Option<u32>,
    /// Register the script stored.
    pub stored: Vec<u32>,
}

type Step<T = ()> = Result<T, String>;

fn le32(b: &[u8], off: usize) -> u32 {
    u32::from_le_bytes(b[off..off + 4].try_into().unwrap())
}

fn le16(b: &[u8], off: usize) -> usize {
    usize::from(u16::from_le_bytes(b[off..off + 2].try_into().unwrap()))
}

impl Driver {
    pub fn new(properties: &str) -> Driver {
        let ram = Machine::new();
        let mut config = Config::default();
        config.set_all(properties).unwrap();
        let gpu = Gpu::new(config, Box::new(ram.clone())).unwrap();
        Driver {
            gpu,
            ram,
            queue: Vec::new(),
            libos: 0,
            sequence: 0,
            last_sequence: None,
            stored: Vec::new(),
        }
    }

    pub fn r(&mut self, off: u64) -> u32 {
        self.gpu.read(Function::Pf, Bar::Bar0, off, 4) as u32
    }

    pub fn w(&mut self, off: u64, v: u32) {
        self.gpu
            .write(Function::Pf, Bar::Bar0, off, 4, u64::from(v));
    }

    /// Polls with time passing, up to `ms` milliseconds.
    fn poll(&mut self, off: u64, ms: u64, what: &str, done: impl Fn(u32) -> bool) -> Step<u32> {
        for _ in 0..=ms {
            let v = self.r(off);
            if done(v) {
                return Ok(v);
            }
            self.sleep_ms(1);
        }
        Err(what.to_owned())
    }

    /// Lets a millisecond pass and fires the timer when it is due.
    pub fn sleep_ms(&mut self, ms: u64) {
        for _ in 0..ms {
            self.ram.advance(1_000_000);
            let now = ada_gpu_model::Host::now_ns(&self.ram);
            if self.ram.timer().is_some_and(|t| t <= now) {
                self.gpu.timer();
            }
        }
    }

    fn reset_falcon(&mut self, base: u64) -> Step {
        self.poll(base + 0xf4, 1, "reset-ready", |v| v >> 31 == 1)?;
        self.w(base + 0x3c0, 1);
        self.w(base + 0x3c0, 0);
        self.poll(base + 0xf4, 20, "falcon-scrub", |v| v & 1 << 12 == 0)?;
        if self.r(base + 0x1668) & 1 << 4 != 0 {
            self.w(base + 0x1668, 0);
        }
        let boot0 = self.r(0);
        self.w(base + 0x84, boot0);
        Ok(())
    }

    fn dma_section(&mut self, base: u64, src: u64, first: u64, len: usize, cmd: u32) -> Step {
        self.w(base + 0x110, (src >> 8) as u32);
        self.w(base + 0x128, (src >> 40) as u32);
        for k in (0..len.next_multiple_of(256) as u64).step_by(256) {
            self.w(base + 0x114, k as u32);
            self.w(base + 0x11c, (first + k) as u32);
            self.w(base + 0x118, cmd);
            self.poll(base + 0x118, 1, "dma-idle", |v| v & 2 != 0)?;
        }
        Ok(())
    }

    /// Loads code and data, sets the BROM up and the boot vector.
    #[allow(clippy::too_many_arguments)]
    fn load(
        &mut self,
        base: u64,
        blob: &[u8],
        code: (u64, usize),
        data: (u64, usize),
        brom: [u32; 3],
        vector: u32,
    ) -> Step {
        let src = self.ram.alloc(blob.len().next_multiple_of(256) + 256);
        self.ram.write(src, blob);
        let v = self.r(base + 0x624);
        self.w(base + 0x624, v | 1 << 7);
        self.w(base + 0x10c, 0);
        self.w(base + 0x600, 1 | 1 << 2);
        self.dma_section(base, src, code.0, code.1, 0x614)?;
        self.dma_section(base, src + data.0, 0, data.1, 0x600)?;
        self.w(base + 0x1210, brom[0]);
        self.w(base + 0x119c, brom[1]);
        self.w(base + 0x1198, brom[2]);
        self.w(base + 0x1180, 1);
        self.w(base + 0x104, vector);
        Ok(())
    }

    fn start(&mut self, base: u64, mailboxes: Option<[u32; 2]>) -> Step<[u32; 2]> {
        if let Some(m) = mailboxes {
            self.w(base + 0x40, m[0]);
            self.w(base + 0x44, m[1]);
        }
        self.w(base + 0x100, 2);
        self.poll(base + 0x100, 4000, "falcon-halt", |v| v & 1 << 4 != 0)?;
        Ok([self.r(base + 0x40), self.r(base + 0x44)])
    }

    /// Runs FWSEC; `frts` for the FRTS command, `None` for SB.
    pub fn fwsec(&mut self, frts: Option<u64>) -> Step {
        let mut f = self.parse_rom()?;
        let fuse = self.r(0x82_41c0 + 4 * u64::from(f.id - 1)) & 0xffff;
        let version = 32 - fuse.leading_zeros();
        if f.versions >> version & 1 == 0 {
            return Err("fwsec-signature-version".into());
        }
        let index = (f.versions & ((1 << version) - 1)).count_ones() as usize;
        let signature = f.signatures[index].clone();
        let mapper = (0..usize::from(f.dmem[f.interface + 3]))
            .map(|i| f.interface + 4 + 8 * i)
            .find(|e| le32(&f.dmem, *e) == 4)
            .map(|e| le32(&f.dmem, e + 4) as usize)
            .ok_or("fwsec-mapper")?;
        let buffer = le32(&f.dmem, mapper + 8) as usize;
        let init: u32 = if frts.is_some() { 0x15 } else { 0x19 };
        f.dmem[mapper + 0x2c..mapper + 0x30].copy_from_slice(&init.to_le_bytes());
        let mut words = vec![1u32, 0x18, 0, 0, 0, 2];
        if let Some(start) = frts {
            words.extend([1, 0x14, (start >> 12) as u32, 0x100, 2]);
        }
        for (i, v) in words.into_iter().enumerate() {
            f.dmem[buffer + 4 * i..buffer + 4 * i + 4].copy_from_slice(&v.to_le_bytes());
        }
        f.dmem[f.pkc..f.pkc + 384].copy_from_slice(&signature);
        let blob = [f.imem.clone(), f.dmem.clone()].concat();
        self.reset_falcon(GSP)?;
        self.load(
            GSP,
            &blob,
            (0, f.imem.len()),
            (f.imem.len() as u64, f.dmem.len()),
            [f.pkc as u32, f.engine, f.id],
            0,
        )?;
        let m = self.start(GSP, Some([0, 0]))?;
        if m[0] != 0 {
            return Err(format!("fwsec-mailbox {:#x}", m[0]));
        }
        if let Some(start) = frts {
            if self.r(0x1438) >> 16 != 0 {
                return Err(format!("frts-error {:#x}", self.r(0x1438) >> 16));
            }
            let lo = u64::from(self.r(0x1f_a824) & !0xf) << 8;
            if self.r(0x1f_a828) & !0xf == 0 || lo != start {
                return Err("frts-wpr2".into());
            }
        }
        Ok(())
    }

    /// Runs an image on SEC2 whose code is at 0x100.
    fn sec2(
        &mut self,
        code: usize,
        data: usize,
        id: u32,
        sig: u32,
        mbox: Option<[u32; 2]>,
    ) -> Step<[u32; 2]> {
        self.reset_falcon(SEC2)?;
        let mut blob = vec![0xc3; 0x100 + code + data];
        blob[0x100 + code + sig as usize] = 0x51;
        self.load(
            SEC2,
            &blob,
            (0x100, code),
            (0x100 + code as u64, data),
            [sig, 1, id],
            0x100,
        )?;
        self.start(SEC2, mbox)
    }

    pub fn scrubber(&mut self) -> Step {
        let v = self.r(0x11_80fc);
        if v == u32::MAX || v >> 16 == 0xbadf {
            return Err("scrubber-register".into());
        }
        if v >> 29 >= 3 {
            return Ok(());
        }
        self.sec2(0x1900, 0x300, 0x0d, 0, None)?;
        match self.r(0x11_80fc) >> 29 {
            3.. => Ok(()),
            n => Err(format!("scrubber-handoff {n}")),
        }
    }

    pub fn booter_load(&mut self, meta: u64) -> Step {
        match self.sec2(
            0x7d00,
            0x6000,
            3,
            0x10,
            Some([meta as u32, (meta >> 32) as u32]),
        )? {
            [0, _] => Ok(()),
            [code, _] => Err(format!("booter {code:#x}")),
        }
    }

    pub fn booter_unload(&mut self) -> Step {
        if self.r(0x1f_a828) & !0xf == 0 {
            return Ok(());
        }
        match self.sec2(0x4f00, 0x4e00, 3, 0x10, Some([0xff, 0xff]))? {
            [0, _] if self.r(0x1f_a828) & !0xf == 0 => Ok(()),
            [code, _] => Err(format!("booter-unload {code:#x}")),
        }
    }

    /// Executes a RUN_CPU_SEQUENCER payload.
    fn run_script(&mut self, p: &[u8]) -> Step {
        let words: Vec<u32> = p[0x28..].chunks(4).map(|c| le32(c, 0)).collect();
        let count = le32(p, 4) as usize;
        let mut i = 0;
        while i < count {
            let a = |n: usize| words[i + n];
            i += match a(0) {
                0 => {
                    let (reg, v) = (a(1), a(2));
                    self.w(u64::from(reg), v);
                    3
                }
                1 => {
                    let (reg, mask, v) = (u64::from(a(1)), a(2), a(3));
                    let old = self.r(reg);
                    self.w(reg, old & !mask | v);
                    4
                }
                2 => {
                    let (reg, mask, v) = (a(1), a(2), a(3));
                    self.poll(u64::from(reg), 100, "script-poll", |x| x & mask == v)?;
                    6
                }
                3 => {
                    self.sleep_ms(1);
                    2
                }
                4 => {
                    let reg = a(1);
                    let v = self.r(u64::from(reg));
                    self.stored.push(v);
                    3
                }
                5 => {
                    self.reset_falcon(GSP)?;
                    self.w(GSP + 0x624, 1 << 7);
                    self.w(GSP + 0x10c, 0);
                    1
                }
                6 => {
                    self.w(GSP + 0x100, 2);
                    1
                }
                7 => {
                    self.poll(GSP + 0x100, 2000, "script-halt", |v| v & 16 != 0)?;
                    1
                }
                8 => {
                    self.reset_falcon(GSP)?;
                    let libos = self.libos;
                    self.w(GSP + 0x40, libos as u32);
                    self.w(GSP + 0x44, (libos >> 32) as u32);
                    self.w(SEC2 + 0x100, 2);
                    self.poll(0x11_80f8, 2000, "script-resume", |v| v & 1 << 26 != 0)?;
                    if self.r(SEC2 + 0x40) != 0 || self.r(GSP + 0x1388) & 0x80 == 0 {
                        return Err("script-riscv".into());
                    }
                    1
                }
                op => return Err(format!("script-opcode {op}")),
            };
        }
        Ok(())
    }

    fn send_init(&mut self, plan: &Plan) {
        let info = self.system_info(plan);
        self.send(72, &info);
        self.send(73, &Driver::registry(plan));
    }

    /// Everything up to INIT_DONE.
    pub fn boot(&mut self, plan: &Plan) -> Step {
        if self.r(0) != 0x1920_00a1 || self.r(0xa00) != 0x192a_1000 {
            return Err("identification".into());
        }
        self.poll(0x11_8234, 4000, "gfw", |v| v & 0xff == 0xff)?;
        if self.r(0x11_8128) & 1 == 0 {
            return Err("gfw-plm".into());
        }
        self.w(0x10_0c40, 0);
        self.w(0x10_0c10, 0x1234_5600);
        self.w(GSP + 4, 0x40);
        let fb = u64::from(self.r(0x11_83a4)) << 20;
        if self.r(0x82_0c04) & 1 == 0 {
            return Err("display".into());
        }
        self.prepare_memory(plan);
        let (meta, frts) = self.prepare_meta(plan, fb);
        if self.r(0x1f_a828) & !0xf != 0 {
            return Err("wpr2-up".into());
        }
        if plan.queue_early {
            self.send_init(plan);
        }
        self.fwsec(Some(frts))?;
        self.reset_falcon(GSP)?;
        let libos = self.libos;
        let m = self.start(GSP, Some([libos as u32, (libos >> 32) as u32]))?;
        if m != [libos as u32, (libos >> 32) as u32] {
            return Err("gsp-mailbox".into());
        }
        if plan.scrub {
            self.scrubber()?;
        }
        self.booter_load(meta)?;
        self.w(GSP + 0x80, 0);
        self.poll(GSP + 0x1388, 5000, "riscv", |v| v & 0x80 != 0)?;
        if !plan.queue_early {
            self.send_init(plan);
        }
        let script = self.receive(0x1002)?;
        if !plan.skip_script {
            self.run_script(&script.payload)?;
        }
        self.receive(0x1001)?;
        Ok(())
    }

    /// UNLOADING_GUEST_DRIVER to the end.
    pub fn unload(&mut self) -> Step {
        self.call(47, &[0; 8])?;
        self.poll(GSP + 0x40, 5000, "suspend", |v| v == 0x8000_0000)?;
        self.recover()
    }

    /// What follows an unload, and a failed boot.
    pub fn recover(&mut self) -> Step {
        self.fwsec(None)?;
        self.booter_unload()
    }

    /// Refusals of one kind so far.
    pub fn refusals(&self, kind: &str) -> u64 {
        self.gpu.stats().refusals_of(kind)
    }
}
