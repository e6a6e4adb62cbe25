// SPDX-License-Identifier: GPL-2.0

//! A driver with channels of its own: page tables, GPFIFO, doorbell, copy engine.
//!
//! ```text
//!   video memory  64M page tables   65M + 64K * n channel n: instance, USERD, ring,
//!                                       push buffer, semaphores
//!                 1G .. the memory that is worked on
//!   VA 16M * (n + 1)   ring, + 1M push buffer, + 2M semaphores of channel n
//!   VA 64G             video memory from 0 on, in 2 MiB pages, 4 GiB of it
//! ```

mod execution;
mod faults;
mod time;
mod transfers;

use crate::driver::{Driver, Plan};
use ada_gpu_model::vram::Writer;

pub const MIB: u64 = 1 << 20;
pub const GIB: u64 = 1 << 30;
pub const POISON: u32 = 0xdead_beef;
/// Where the tests work.
pub const WORK: u64 = GIB;
/// Virtual address of video memory address 0.
pub const LINEAR: u64 = 64 * GIB;

const CLIENT: u32 = 0xc1d0_0001;
const DEVICE: u32 = 0xde1d_0000;
const SUBDEVICE: u32 = 0x5d1d_0000;
const VAS: u32 = 0x90f1_0000;
const TABLES: u64 = 64 * MIB;
const PAGE: u64 = 4096;
const ENTRIES: u32 = 64;

/// Engine types and their runlists.
pub const CE0: u32 = 0x09;
pub const CE2: u32 = 0x0b;
pub const CE3: u32 = 0x0c;

/// Headers: an incrementing run of methods.
pub fn inc(subchannel: u32, method: u32, words: &[u32]) -> Vec<u32> {
    let header = 1 << 29 | (words.len() as u32) << 16 | subchannel << 13 | (method / 4);
    [&[header], words].concat()
}

/// High and low word of an address, in the order methods take it.
pub fn split(addr: u64) -> [u32; 2] {
    [(addr >> 32) as u32, addr as u32]
}

#[derive(Clone, Copy)]
pub struct Channel {
    pub chid: u32,
    pub runlist: u32,
    pub put: u32,
}

impl Channel {
    fn home(&self) -> u64 {
        65 * MIB + (u64::from(self.chid) << 16)
    }

    pub fn userd(&self) -> u64 {
        self.home() + 0x1000
    }

    pub fn handle(&self) -> u32 {
        0xf1f0_0000 | self.runlist << 12 | self.chid
    }

    pub fn va(&self) -> u64 {
        16 * MIB * (u64::from(self.chid) + 1)
    }

    /// Virtual address of its semaphores.
    pub fn semaphore(&self) -> u64 {
        self.va() + 2 * MIB
    }

    /// Where they are in video memory.
    pub fn semaphore_at(&self) -> u64 {
        self.home() + 0x8000
    }
}

pub struct Rig {
    pub d: Driver,
    next_table: u64,
}

fn words(w: &[u32]) -> Vec<u8> {
    w.iter().flat_map(|v| v.to_le_bytes()).collect()
}

fn put32(b: &mut [u8], at: usize, v: u32) {
    b[at..at + 4].copy_from_slice(&v.to_le_bytes());
}

fn put64(b: &mut [u8], at: usize, v: u64) {
    b[at..at + 8].copy_from_slice(&v.to_le_bytes());
}

impl Rig {
    pub fn new(properties: &str) -> Rig {
        let mut d = Driver::new(&format!("vram=8G{properties}"));
        d.boot(&Plan::bare()).unwrap();
        let mut r = Rig {
            d,
            next_table: TABLES,
        };
        let mut device = vec![0; 56];
        put32(&mut device, 4, CLIENT);
        let mut space = vec![0; 0x30];
        put32(&mut space, 4, 1 << 3);
        assert_eq!(r.alloc(CLIENT, CLIENT, 0, &[0; 120]), 0);
        assert_eq!(r.alloc(CLIENT, DEVICE, 0x80, &device), 0);
        assert_eq!(r.alloc(DEVICE, SUBDEVICE, 0x2080, &[0; 4]), 0);
        assert_eq!(r.alloc(DEVICE, VAS, 0x90f1, &space), 0);
        let root = r.table();
        let mut p = vec![0; 0x20];
        put64(&mut p, 0, root);
        put32(&mut p, 8, 4);
        put32(&mut p, 0x10, VAS);
        assert_eq!(r.control(DEVICE, 0x80_1813, &p), 0);
        for i in 0..2048 {
            r.map_2m(LINEAR + i * 2 * MIB, i * 2 * MIB);
        }
        r.enable_interrupts();
        r
    }

    fn enable_interrupts(&mut self) {
        // Non-stall vectors of the copy engines are in leaf 0, subtree 0.
        self.d.w(0xb8_1200, 0x3e);
        self.d.w(0xb8_1608, 1);
        self.d.ram.take_msix();
    }

    /// Non-stall vectors latched since the last call.
    pub fn latched(&mut self) -> u32 {
        let v = self.d.r(0xb8_1000);
        self.d.w(0xb8_1000, v);
        self.d.w(0xb8_1608, 1);
        v
    }

    pub fn alloc(&mut self, parent: u32, object: u32, class: u32, params: &[u8]) -> u32 {
        let mut m = words(&[CLIENT, parent, object, class, 0, params.len() as u32, 0, 0]);
        m.extend(params);
        let reply = self.d.call(103, &m).unwrap();
        u32::from_le_bytes(reply.payload[16..20].try_into().unwrap())
    }

    pub fn control(&mut self, object: u32, cmd: u32, params: &[u8]) -> u32 {
        let mut m = words(&[CLIENT, object, cmd, 0, params.len() as u32, 0]);
        m.extend(params);
        let reply = self.d.call(76, &m).unwrap();
        u32::from_le_bytes(reply.payload[12..16].try_into().unwrap())
    }

    pub fn free(&mut self, object: u32) -> u32 {
        let m = words(&[CLIENT, 0, object, 0]);
        let reply = self.d.call(10, &m).unwrap();
        u32::from_le_bytes(reply.payload[12..16].try_into().unwrap())
    }

    fn table(&mut self) -> u64 {
        let at = self.next_table;
        self.next_table += PAGE;
        let range = at..at + PAGE;
        self.d.gpu.vram().zero(range, Writer::Cpu).unwrap();
        at
    }

    /// The PD0 slot of `va`.
    fn slot(&mut self, va: u64) -> u64 {
        let mut at = TABLES;
        for shift in [47, 38, 29] {
            let slot = at + 8 * (va >> shift & if shift == 47 { 3 } else { 0x1ff });
            let mut e = self.d.gpu.vram().read64(slot).unwrap();
            if e == 0 {
                e = self.table() >> 4 | 2;
                self.d.gpu.vram().write64(slot, e, Writer::Cpu).unwrap();
            }
            at = (e >> 8 & 0x1ff_ffff) << 12;
        }
        at + 16 * (va >> 21 & 0xff)
    }

    pub fn map_2m(&mut self, va: u64, phys: u64) {
        let slot = self.slot(va);
        let e = phys >> 4 | 1;
        self.d.gpu.vram().write64(slot, e, Writer::Cpu).unwrap();
    }

    /// Writes the PTE of a 4 KiB page.
    pub fn map_pte(&mut self, va: u64, pte: u64) {
        let slot = self.slot(va) + 8;
        let mut e = self.d.gpu.vram().read64(slot).unwrap();
        if e == 0 {
            e = self.table() >> 4 | 2;
            self.d.gpu.vram().write64(slot, e, Writer::Cpu).unwrap();
        }
        let at = ((e >> 8 & 0x1ff_ffff) << 12) + 8 * (va >> 12 & 0x1ff);
        self.d.gpu.vram().write64(at, pte, Writer::Cpu).unwrap();
    }

    /// A channel that is bound, scheduled and has its engine object.
    pub fn channel(&mut self, chid: u32, engine: u32) -> Channel {
        let runlist = if engine < CE2 { 0 } else { engine - CE2 + 1 };
        let c = Channel {
            chid,
            runlist,
            put: 0,
        };
        let home = c.home();
        let range = home..home + 0x1_0000;
        self.d.gpu.vram().zero(range, Writer::Cpu).unwrap();
        self.map_pte(c.va(), (home + 0x2000) >> 4 | 1);
        for i in 0..4 {
            let push = home + 0x4000 + PAGE * i;
            self.map_pte(c.va() + MIB + PAGE * i, push >> 4 | 1);
        }
        self.map_pte(c.semaphore(), c.semaphore_at() >> 4 | 1);
        let methods = self.d.ram.alloc(0x5000);
        let mut p = vec![0; 0x170];
        put64(&mut p, 8, c.va());
        put32(&mut p, 0x10, ENTRIES);
        put32(
            &mut p,
            0x14,
            1 << 21 | (chid / 8) << 12 | (chid % 8) << 8 | 1 << 5,
        );
        put32(&mut p, 0x1c, VAS);
        put32(&mut p, 0x80, engine);
        for (at, base, size, target) in [
            (0x90, home, 0x1000, 2),
            (0xa8, c.userd(), 0x200, 2),
            (0xc0, home, 0x200, 2),
            (0xd8, methods, 0x5000, 1),
        ] {
            put64(&mut p, at, base);
            put64(&mut p, at + 8, size);
            put32(&mut p, at + 16, target);
        }
        put32(&mut p, 0xf4, 1 | 1 << 2 | 1 << 4);
        assert_eq!(self.alloc(DEVICE, c.handle(), 0xc56f, &p), 0);
        let e = engine.to_le_bytes();
        assert_eq!(self.control(c.handle(), 0xa06f_0104, &e), 0);
        assert_eq!(self.control(c.handle(), 0xa06f_0103, &[1, 0]), 0);
        let ce = words(&[1, engine]);
        assert_eq!(
            self.alloc(c.handle(), c.handle() ^ 0x3ff0_0000, 0xc7b5, &ce),
            0
        );
        c
    }

    /// Puts a stream into the push buffer and an entry into the ring.
    pub fn push(&mut self, c: &mut Channel, stream: &[u32]) {
        let slot = c.put % 4;
        let at = c.home() + 0x4000 + PAGE * u64::from(slot);
        let va = c.va() + MIB + PAGE * u64::from(slot);
        assert!(stream.len() <= 1024);
        let vram = self.d.gpu.vram();
        vram.write(at, &words(stream), Writer::Cpu).unwrap();
        let entry = va | (stream.len() as u64) << 42;
        let ring = c.home() + 0x2000 + 8 * u64::from(c.put);
        vram.write64(ring, entry, Writer::Cpu).unwrap();
        c.put = (c.put + 1) % ENTRIES;
        let userd = c.userd();
        vram.write32(userd + 0x8c, c.put, Writer::Cpu).unwrap();
    }

    pub fn ring(&mut self, c: &Channel) {
        self.d.w(0xbb_0090, c.runlist << 16 | c.chid);
    }

    pub fn submit(&mut self, c: &mut Channel, stream: &[u32]) {
        self.push(c, stream);
        self.ring(c);
    }

    pub fn word(&mut self, at: u64) -> u32 {
        self.d.gpu.vram().read32(at).unwrap()
    }

    pub fn set(&mut self, at: u64, v: u32) {
        self.d.gpu.vram().write32(at, v, Writer::Cpu).unwrap();
    }

    pub fn bytes(&mut self, at: u64, len: usize) -> Vec<u8> {
        let mut b = vec![0; len];
        self.d.gpu.vram().read(at, &mut b).unwrap();
        b
    }

    pub fn get(&mut self, c: &Channel) -> u32 {
        self.word(c.userd() + 0x88)
    }

    pub fn counted(&self, what: &str) -> u64 {
        self.d.gpu.stats().counted(what)
    }

    pub fn refusals(&self) -> u64 {
        self.d.gpu.stats().refusals()
    }

    /// The channel error GSP-RM reported: engine type, channel, kind, address, type.
    pub fn channel_error(&mut self) -> (u32, u32, u32, u64, u32) {
        let p = self.d.receive(0x1004).unwrap().payload;
        let w = |at: usize| u32::from_le_bytes(p[at..at + 4].try_into().unwrap());
        let addr = u64::from(w(0x1c)) | u64::from(w(0x20)) << 32;
        (w(0), w(4), w(0x10), addr, w(0x24))
    }
}

/// A launch without a transfer that releases a one-word semaphore and interrupts.
pub fn done(subchannel: u32, semaphore: u64, payload: u32) -> Vec<u32> {
    let [high, low] = split(semaphore);
    [
        inc(subchannel, 0x240, &[high, low, payload]),
        inc(subchannel, 0x300, &[1 << 3 | 2 << 5]),
    ]
    .concat()
}

/// Binds the class, as a driver does first.
pub fn object(subchannel: u32) -> Vec<u32> {
    inc(subchannel, 0, &[0xc7b5])
}
