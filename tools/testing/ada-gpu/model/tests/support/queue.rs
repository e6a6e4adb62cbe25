// SPDX-License-Identifier: GPL-2.0

//! The driver's side of the queues.
//!
//! ```text
//! command queue at 0x1000: write pointer +0x10; +0x20 read pointer of status
//! status queue after it:   write pointer +0x10; slots from +0x1000
//! ```

use super::{le32, Driver, Step, QUEUE_SIZE, SLOTS};

/// A received message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    pub function: u32,
    pub result: u32,
    pub payload: Vec<u8>,
}

/// XOR of 64-bit words, folded.
pub fn fold(b: &[u8]) -> u32 {
    let mut acc = [0u8; 8];
    for (i, x) in b.iter().enumerate() {
        acc[i % 8] ^= x;
    }
    le32(&acc, 0) ^ le32(&acc, 4)
}

impl Driver {
    pub fn queue_addr(&self, off: u64) -> u64 {
        self.queue[(off / 4096) as usize] + off % 4096
    }

    pub fn queue_read32(&self, off: u64) -> u32 {
        self.ram.read32(self.queue_addr(off))
    }

    pub fn queue_write32(&self, off: u64, v: u32) {
        self.ram.write32(self.queue_addr(off), v);
    }

    /// Puts one element into the command queue, as given.
    pub fn push_raw(&mut self, element: &[u8]) {
        let mut w = self.queue_read32(0x1000 + 0x10);
        for chunk in element.chunks(4096) {
            let at = self.queue_addr(0x2000 + u64::from(w) * 4096);
            self.ram.write(at, chunk);
            w = (w + 1) % SLOTS;
        }
        self.queue_write32(0x1000 + 0x10, w);
    }

    /// An element with correct headers.
    pub fn element(&mut self, function: u32, payload: &[u8]) -> Vec<u8> {
        let mut b = vec![0u8; 0x50 + payload.len()];
        b[0x50..].copy_from_slice(payload);
        let words = [
            (0x24, self.sequence),
            (0x28, b.len().div_ceil(4096) as u32),
            (0x30, 0x0300_0000),
            (0x34, 0x4350_5256),
            (0x38, 32 + payload.len() as u32),
            (0x3c, function),
            (0x40, u32::MAX),
            (0x44, u32::MAX),
            (0x48, 0),
        ];
        for (off, v) in words {
            b[off..off + 4].copy_from_slice(&v.to_le_bytes());
        }
        let sum = fold(&b);
        b[0x20..0x24].copy_from_slice(&sum.to_le_bytes());
        self.sequence += 1;
        b
    }

    pub fn ring(&mut self) {
        self.w(0x11_0c00, 0);
    }

    /// Sends a command, split into continuation records as needed.
    pub fn send(&mut self, function: u32, payload: &[u8]) {
        let mut f = function;
        let mut rest = payload;
        loop {
            let n = rest.len().min(65456);
            let e = self.element(f, &rest[..n]);
            self.push_raw(&e);
            self.ring();
            rest = &rest[n..];
            f = 71;
            if rest.is_empty() {
                return;
            }
        }
    }

    /// Takes one message from the status queue, if there is one.
    pub fn try_receive(&mut self) -> Step<Option<Reply>> {
        let status = 0x1000 + QUEUE_SIZE;
        let (w, r) = (
            self.queue_read32(status + 0x10),
            self.queue_read32(0x1000 + 0x20),
        );
        if w == r {
            return Ok(None);
        }
        let have = (w + SLOTS - r) % SLOTS;
        let mut b = Vec::new();
        for i in 0..have {
            let slot = u64::from((r + i) % SLOTS);
            let at = self.queue_addr(status + 0x1000 + slot * 4096);
            b.extend(self.ram.read(at, 4096));
        }
        let length = le32(&b, 0x38) as usize;
        let end = 0x30 + length;
        if length < 32 || end > b.len() {
            return Err("receive-length".into());
        }
        if fold(&b[..end]) != 0 {
            return Err("receive-checksum".into());
        }
        let sequence = le32(&b, 0x24);
        if self.last_sequence.is_some_and(|s| s + 1 != sequence) {
            return Err("receive-sequence".into());
        }
        self.last_sequence = Some(sequence);
        let used = end.div_ceil(4096) as u32;
        if le32(&b, 0x28) != used {
            return Err("receive-count".into());
        }
        self.queue_write32(0x1000 + 0x20, (r + used) % SLOTS);
        Ok(Some(Reply {
            function: le32(&b, 0x3c),
            result: le32(&b, 0x40),
            payload: b[0x50..end].to_vec(),
        }))
    }

    /// Waits for a message of `function`; others before it are an error.
    pub fn receive(&mut self, function: u32) -> Step<Reply> {
        for _ in 0..5000 {
            if let Some(m) = self.try_receive()? {
                if m.function != function {
                    return Err(format!("received {:#x} for {function:#x}", m.function));
                }
                return Ok(m);
            }
            self.sleep_ms(1);
        }
        Err(format!("timeout {function:#x}"))
    }

    pub fn call(&mut self, function: u32, payload: &[u8]) -> Step<Reply> {
        self.send(function, payload);
        self.receive(function)
    }
}
