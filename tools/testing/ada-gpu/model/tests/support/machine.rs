// SPDX-License-Identifier: GPL-2.0

//! A machine for the model to sit in: RAM, configuration space, a clock.
//!
//! RAM pages exist once allocated; a DMA access to anything else fails, as an
//! IOMMU would make it. The clock moves only when a test says so.

// Every test program uses a part of this.
#![allow(dead_code)]

use ada_gpu_model::{DmaFault, Function, Host};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

const PAGE: u64 = 4096;

#[derive(Default)]
pub struct State {
    pages: HashMap<u64, Vec<u8>>,
    next: u64,
    pub config: HashMap<u16, u32>,
    pub now_ns: u64,
    pub timer: Option<u64>,
    pub msix: Vec<(Function, u16)>,
}

/// Shared by the test, which is the CPU, and the model, which does DMA.
#[derive(Clone, Default)]
pub struct Machine(pub Arc<Mutex<State>>);

impl Machine {
    /// A machine whose firmware has assigned the BARs of a 48 GiB board.
    pub fn new() -> Machine {
        let m = Machine::default();
        let mut s = m.0.lock().unwrap();
        s.next = 0x1_2000_0000;
        s.now_ns = 1_000_000_000;
        for (off, v) in [
            (0x00, 0x26b1_10de),
            (0x10, 0xa000_0000),
            (0x14, 0x0000_000c),
            (0x18, 0x0000_0080),
            (0x1c, 0x1000_000c),
            (0x20, 0x0000_0080),
            (0xbcc, 0xc141_0010),
            (0xbd8, 0x0020_0020),
            (0xbe0, 0x0001_0004),
            (0xbf0, 0xa100_0000),
            (0xbf4, 0x0000_000c),
            (0xbf8, 0x0000_0090),
            (0xbfc, 0x0000_000c),
            (0xc00, 0x0000_00a0),
        ] {
            s.config.insert(off, v);
        }
        drop(s);
        m
    }

    /// Allocates `len` bytes of zeroed, page aligned RAM; contiguous.
    pub fn alloc(&self, len: usize) -> u64 {
        let mut s = self.0.lock().unwrap();
        let addr = s.next;
        let pages = len.div_ceil(PAGE as usize) as u64;
        for i in 0..pages {
            s.pages.insert(addr / PAGE + i, vec![0; PAGE as usize]);
        }
        // A hole behind each allocation catches overruns.
        s.next += (pages + 1) * PAGE;
        addr
    }

    pub fn write(&self, addr: u64, data: &[u8]) {
        self.dma_write(addr, data)
            .expect("CPU write outside of RAM");
    }

    pub fn read(&self, addr: u64, len: usize) -> Vec<u8> {
        let mut b = vec![0; len];
        self.dma_read(addr, &mut b)
            .expect("CPU read outside of RAM");
        b
    }

    pub fn write32(&self, addr: u64, v: u32) {
        self.write(addr, &v.to_le_bytes());
    }

    pub fn write64(&self, addr: u64, v: u64) {
        self.write(addr, &v.to_le_bytes());
    }

    pub fn read32(&self, addr: u64) -> u32 {
        u32::from_le_bytes(self.read(addr, 4).try_into().unwrap())
    }

    /// Lets time pass.
    pub fn advance(&self, ns: u64) {
        self.0.lock().unwrap().now_ns += ns;
    }

    /// Deadline the model has armed.
    pub fn timer(&self) -> Option<u64> {
        self.0.lock().unwrap().timer
    }

    /// MSI-X messages sent so far.
    pub fn take_msix(&self) -> Vec<(Function, u16)> {
        std::mem::take(&mut self.0.lock().unwrap().msix)
    }

    fn each(
        &self,
        addr: u64,
        len: usize,
        mut f: impl FnMut(&mut [u8], usize),
    ) -> Result<(), DmaFault> {
        let mut s = self.0.lock().unwrap();
        let mut done = 0;
        while done < len {
            let at = addr + done as u64;
            let off = (at % PAGE) as usize;
            let n = (len - done).min(PAGE as usize - off);
            let page = s.pages.get_mut(&(at / PAGE)).ok_or(DmaFault)?;
            f(&mut page[off..off + n], done);
            done += n;
        }
        Ok(())
    }
}

impl Host for Machine {
    fn dma_read(&self, addr: u64, buf: &mut [u8]) -> Result<(), DmaFault> {
        self.each(addr, buf.len(), |page, at| {
            buf[at..at + page.len()].copy_from_slice(page);
        })
    }

    fn dma_write(&self, addr: u64, buf: &[u8]) -> Result<(), DmaFault> {
        self.each(addr, buf.len(), |page, at| {
            page.copy_from_slice(&buf[at..at + page.len()]);
        })
    }

    fn config_read(&self, function: Function, offset: u16) -> u32 {
        match function {
            Function::Pf => self
                .0
                .lock()
                .unwrap()
                .config
                .get(&offset)
                .copied()
                .unwrap_or(0),
            Function::Vf(_) => 0,
        }
    }

    fn msix(&self, function: Function, vector: u16) {
        self.0.lock().unwrap().msix.push((function, vector));
    }

    fn now_ns(&self) -> u64 {
        self.0.lock().unwrap().now_ns
    }

    fn set_timer(&self, deadline_ns: Option<u64>) {
        self.0.lock().unwrap().timer = deadline_ns;
    }
}
