// SPDX-License-Identifier: GPL-2.0

//! What the driver puts into system memory before boot.
//!
//! ```text
//! libos arguments -> log buffers, RM arguments -> queue region (page table first)
//! WPR metadata    -> radix3 tables -> image; bootloader; signature
//! ```
//!
//! Firmware is a stand-in of the right shape.

use super::{Driver, Plan, MIB, QUEUE_SIZE, SLOTS};

impl Driver {
    /// Allocates queues, log buffers, RM arguments and libos arguments.
    pub fn prepare_memory(&mut self, plan: &Plan) {
        // Pages in falling order: only the page table says where they are.
        let pages = 1 + 2 * QUEUE_SIZE / 4096;
        self.queue = (0..pages).map(|_| self.ram.alloc(4096)).collect();
        self.queue.reverse();
        for (i, p) in self.queue.clone().into_iter().enumerate() {
            self.ram.write64(self.queue[0] + 8 * i as u64, p);
        }
        let header = [0, QUEUE_SIZE as u32, 4096, SLOTS, 0, 1, 0x20, 0x1000];
        for (i, v) in header.into_iter().enumerate() {
            self.queue_write32(0x1000 + 4 * i as u64, v);
        }
        let arguments = self.ram.alloc(4096);
        self.ram.write64(arguments, self.queue[0]);
        self.ram.write32(arguments + 8, pages as u32);
        self.ram.write64(arguments + 0x10, 0x1000);
        self.ram.write64(arguments + 0x18, 0x1000 + QUEUE_SIZE);
        self.ram.write(arguments + 0x30, &[1]);
        self.libos = self.ram.alloc(4096);
        let mut entries: Vec<(&str, u64, u64)> = Vec::new();
        for name in ["LOGINIT", "LOGINTR", "LOGRM"] {
            let log = self.ram.alloc(0x1_0000);
            for i in 0..16 {
                self.ram.write64(log + 8 + 8 * i, log + 4096 * i);
            }
            entries.push((name, log, 0x1_0000));
        }
        entries.push(("RMARGS", arguments, 4096));
        for (i, (name, addr, size)) in entries.into_iter().enumerate() {
            let e = self.libos + 32 * i as u64;
            let id = name.bytes().fold(0u64, |v, c| v << 8 | u64::from(c));
            self.ram.write64(e, id);
            self.ram.write64(e + 8, addr);
            self.ram.write64(e + 16, size);
            self.ram.write(e + 24, &[1, 1]);
        }
        (plan.spoil_libos)(&self.ram, self.libos);
        self.sequence = 0;
        self.last_sequence = None;
    }

    /// Firmware stand-ins and the WPR metadata over them.
    pub fn prepare_meta(&mut self, plan: &Plan, fb: u64) -> (u64, u64) {
        let image_size = 0x12_3000u64;
        let image: Vec<u64> = (0..image_size / 4096)
            .map(|i| {
                let p = self.ram.alloc(4096);
                self.ram.write64(p, i + 1);
                p
            })
            .collect();
        let level2: Vec<u64> = image
            .chunks(512)
            .map(|c| {
                let t = self.ram.alloc(4096);
                for (i, p) in c.iter().enumerate() {
                    self.ram.write64(t + 8 * i as u64, *p);
                }
                t
            })
            .collect();
        let (level1, level0) = (self.ram.alloc(4096), self.ram.alloc(4096));
        for (i, t) in level2.iter().enumerate() {
            self.ram.write64(level1 + 8 * i as u64, *t);
        }
        self.ram.write64(level0, level1);
        let loader = self.ram.alloc(0x9000);
        self.ram.write(loader + 0x4800, &[0x13; 64]);
        let signature = self.ram.alloc(4096);
        self.ram.write(signature, &[0x77; 4096]);

        let down = |x: u64, a: u64| x / a * a;
        let vga = fb - MIB;
        let frts = down(vga, 128 << 10) - MIB;
        let boot = down(frts - 0x9000, 4096);
        let elf = down(boot - image_size, 64 << 10);
        let heap_size = if plan.vgpu { 581 * MIB } else { 131 * MIB };
        let heap = down(elf - heap_size, MIB);
        let wpr = down(heap - 256, MIB);
        let non_wpr = wpr - MIB;
        let fields = [
            (0x00, 0xdc3a_ae21_371a_60b3),
            (0x08, 1),
            (0x10, level0),
            (0x18, image_size),
            (0x20, loader),
            (0x28, 0x9000),
            (0x30, 0x4800),
            (0x38, 0x800),
            (0x48, signature),
            (0x50, 4096),
            (0x58, non_wpr),
            (0x60, non_wpr),
            (0x68, MIB),
            (0x70, wpr),
            (0x78, heap),
            (0x80, down(elf, MIB) - heap),
            (0x88, elf),
            (0x90, boot),
            (0x98, frts),
            (0xa0, MIB),
            (0xa8, frts + MIB),
            (0xb0, fb),
            (0xb8, vga),
            (0xc0, MIB),
        ];
        let mut b = vec![0u8; 256];
        for (off, v) in fields {
            b[off..off + 8].copy_from_slice(&u64::to_le_bytes(v));
        }
        b[0xf0] = if plan.vgpu { 32 } else { 0 };
        (plan.spoil_meta)(&mut b);
        let meta = self.ram.alloc(4096);
        self.ram.write(meta, &b);
        (meta, frts)
    }

    pub fn system_info(&self, plan: &Plan) -> Vec<u8> {
        let mut b = vec![0u8; 0x3a0];
        let mut q = |off: usize, v: u64| b[off..off + 8].copy_from_slice(&v.to_le_bytes());
        q(0, 0xa000_0000);
        q(8, 0x80_0000_0000);
        q(0x10, 0x80_1000_0000);
        q(0x20, 0x0100);
        q(0x48, (1 << 47) - 4096);
        q(0x50, 0x1000 << 32 | 0x8_8000);
        q(0x58, 0x26b1_10de);
        if plan.vgpu {
            q(0x358, 4 << 32 | 32);
            q(0x360, 0xa100_0000);
            q(0x368, 0x90_0000_0000);
            q(0x370, 0xa0_0000_0000);
            b[0x379] = 1;
            b[0x37a] = 1;
        }
        b
    }

    pub fn registry(plan: &Plan) -> Vec<u8> {
        let mut keys = vec![
            "RMSecBusResetEnable",
            "RMForcePcieConfigSave",
            "RMDevidCheckIgnore",
        ];
        if plan.vgpu {
            keys.push("RMSetSriovMode");
        }
        let mut strings = Vec::new();
        let mut entries = Vec::new();
        for k in &keys {
            let name = 8 + 16 * keys.len() + strings.len();
            entries.extend((name as u32).to_le_bytes());
            entries.extend([1, 0, 0, 0]);
            entries.extend(1u32.to_le_bytes());
            entries.extend(4u32.to_le_bytes());
            strings.extend(k.as_bytes());
            strings.push(0);
        }
        let size = (8 + entries.len() + strings.len()) as u32;
        let mut b = size.to_le_bytes().to_vec();
        b.extend((keys.len() as u32).to_le_bytes());
        b.extend(entries);
        b.extend(strings);
        b
    }
}
