// SPDX-License-Identifier: GPL-2.0

//! The memory GSP shares with the driver, and the two rings in it.
//!
//! ```text
//! page 0            page table: DMA address of every page, itself included
//! command queue     +0x00 tx header (driver)  +0x20 rx header (driver)
//!                   +0x1000 slots, written by the driver
//! status queue      +0x00 tx header (GSP)     +0x20 rx header (GSP)
//!                   +0x1000 slots, written by GSP
//! ```
//!
//! With swapped rx headers the read pointer in a queue's rx header belongs to
//! the *other* queue (OGKM 570.144, msgq.c). The region need not be contiguous:
//! every access goes through the page table.

use crate::bytes::{put_u32, u32_at};
use crate::gsp::element::SLOT;
use crate::host::{DmaFault, Host};
use crate::ucode::{refuse, Refusal};

const PAGE: u64 = 4096;
/// tx header: version, size, slot size, slots, write pointer, flags, offsets.
const TX_HEADER: usize = 0x20;
const WRITE_POINTER: u64 = 0x10;
const READ_POINTER: u64 = 0x20;
const ENTRIES: u64 = 0x1000;
/// The rx header is swapped with the other queue's.
const FLAG_SWAP_RX: u32 = 1;

/// Shared memory, by page.
#[derive(Debug, Default, Clone)]
pub struct Shared {
    pages: Vec<u64>,
}

impl Shared {
    /// Reads the page table at `addr`: `count` pages.
    pub fn attach(host: &dyn Host, addr: u64, count: usize) -> Result<Shared, Refusal> {
        if addr % PAGE != 0 || count == 0 || count > PAGE as usize / 8 {
            refuse!("queue-page-table", "{count} pages listed at {addr:#x}");
        }
        let mut table = vec![0; count * 8];
        if host.dma_read(addr, &mut table).is_err() {
            refuse!(
                "queue-page-table",
                "page table at {addr:#x} is not readable"
            );
        }
        let pages: Vec<u64> = table
            .chunks_exact(8)
            .map(|c| c.iter().rev().fold(0, |v, b| v << 8 | u64::from(*b)))
            .collect();
        if pages[0] != addr || pages.iter().any(|p| p % PAGE != 0) {
            refuse!(
                "queue-page-table",
                "first page {:#x} of the region at {addr:#x}, or a page is misaligned",
                pages[0]
            );
        }
        Ok(Shared { pages })
    }

    /// Bytes in the region.
    pub fn len(&self) -> u64 {
        self.pages.len() as u64 * PAGE
    }

    /// Whether nothing is attached.
    pub fn is_empty(&self) -> bool {
        self.pages.is_empty()
    }

    /// Calls `each` with (DMA address, range of the buffer) per page.
    fn split(
        &self,
        off: u64,
        len: usize,
        mut each: impl FnMut(u64, std::ops::Range<usize>) -> Result<(), DmaFault>,
    ) -> Result<(), DmaFault> {
        let mut done = 0;
        while done < len {
            let at = off + done as u64;
            let page = self.pages.get((at / PAGE) as usize).ok_or(DmaFault)?;
            let n = (len - done).min((PAGE - at % PAGE) as usize);
            each(page + at % PAGE, done..done + n)?;
            done += n;
        }
        Ok(())
    }

    /// Reads bytes of the region.
    pub fn read(&self, host: &dyn Host, off: u64, buf: &mut [u8]) -> Result<(), DmaFault> {
        self.split(off, buf.len(), |addr, r| host.dma_read(addr, &mut buf[r]))
    }

    /// Writes bytes of the region.
    pub fn write(&self, host: &dyn Host, off: u64, buf: &[u8]) -> Result<(), DmaFault> {
        self.split(off, buf.len(), |addr, r| host.dma_write(addr, &buf[r]))
    }

    fn read32(&self, host: &dyn Host, off: u64) -> Result<u32, DmaFault> {
        let mut b = [0; 4];
        self.read(host, off, &mut b)?;
        Ok(u32::from_le_bytes(b))
    }
}

/// The two queues, from GSP's side.
#[derive(Debug, Default, Clone)]
pub struct Rings {
    shared: Shared,
    command: u64,
    status: u64,
    slots: u32,
    /// Next slot GSP reads in the command queue.
    read: u32,
    /// Next slot GSP fills in the status queue.
    write: u32,
}

impl Rings {
    /// Checks the command queue the driver prepared and sets up the status queue.
    pub fn attach(
        host: &dyn Host,
        shared: Shared,
        command: u64,
        status: u64,
    ) -> Result<Rings, Refusal> {
        let mut header = [0; TX_HEADER];
        if shared.read(host, command, &mut header).is_err() {
            refuse!(
                "queue-header",
                "command queue at {command:#x} is not readable"
            );
        }
        let word = |i: usize| u32_at(&header, 4 * i).unwrap_or(0);
        let (size, slots) = (word(1), word(3));
        let expected = [
            (0, 0, "version"),
            (2, SLOT as u32, "slot size"),
            (5, FLAG_SWAP_RX, "flags"),
            (6, TX_HEADER as u32, "rx header offset"),
            (7, ENTRIES as u32, "entry offset"),
        ];
        for (i, want, what) in expected {
            if word(i) != want {
                refuse!(
                    "queue-header",
                    "{what} is {:#x}, expected {want:#x}",
                    word(i)
                );
            }
        }
        if slots < 2 || u64::from(size) != ENTRIES + u64::from(slots) * SLOT as u64 {
            refuse!("queue-header", "{slots} slots in {size:#x} bytes");
        }
        let size = u64::from(size);
        let fits = |q: u64| q % PAGE == 0 && q >= PAGE && q.saturating_add(size) <= shared.len();
        if !fits(command) || !fits(status) || command.abs_diff(status) < size {
            refuse!(
                "queue-header",
                "queues at {command:#x} and {status:#x} in {:#x} bytes",
                shared.len()
            );
        }
        let mut mine = [0; TX_HEADER + 4];
        for (i, v) in [
            0,
            size as u32,
            SLOT as u32,
            slots,
            0,
            FLAG_SWAP_RX,
            TX_HEADER as u32,
            ENTRIES as u32,
            0,
        ]
        .into_iter()
        .enumerate()
        {
            put_u32(&mut mine, 4 * i, v);
        }
        if shared.write(host, status, &mine).is_err() {
            refuse!(
                "queue-header",
                "status queue at {status:#x} is not writable"
            );
        }
        Ok(Rings {
            shared,
            command,
            status,
            slots,
            read: 0,
            write: 0,
        })
    }

    /// Slots the driver has filled and GSP has not read yet.
    pub fn pending(&self, host: &dyn Host) -> Result<usize, Refusal> {
        match self.shared.read32(host, self.command + WRITE_POINTER) {
            Ok(w) if w < self.slots => Ok(((w + self.slots - self.read) % self.slots) as usize),
            Ok(w) => refuse!("queue-pointer", "write pointer {w} of {} slots", self.slots),
            Err(DmaFault) => refuse!("queue-pointer", "command queue is not readable"),
        }
    }

    /// Reads `count` slots from the command queue without consuming them.
    pub fn peek(&self, host: &dyn Host, count: usize) -> Result<Vec<u8>, DmaFault> {
        let mut b = vec![0; count * SLOT];
        for (i, slot) in b.chunks_exact_mut(SLOT).enumerate() {
            let n = (u64::from(self.read) + i as u64) % u64::from(self.slots);
            self.shared
                .read(host, self.command + ENTRIES + n * SLOT as u64, slot)?;
        }
        Ok(b)
    }

    /// Gives `count` slots of the command queue back to the driver.
    pub fn consume(&mut self, host: &dyn Host, count: usize) -> Result<(), DmaFault> {
        self.read = (self.read + count as u32) % self.slots;
        self.shared
            .write(host, self.status + READ_POINTER, &self.read.to_le_bytes())
    }

    /// Free slots of the status queue; one is always kept empty.
    pub fn room(&self, host: &dyn Host) -> Result<usize, Refusal> {
        match self.shared.read32(host, self.command + READ_POINTER) {
            Ok(r) if r < self.slots => {
                Ok(((r + self.slots - self.write - 1) % self.slots) as usize)
            }
            Ok(r) => refuse!("queue-pointer", "read pointer {r} of {} slots", self.slots),
            Err(DmaFault) => refuse!("queue-pointer", "command queue is not readable"),
        }
    }

    /// Writes an encoded element to the status queue and hands it over. The
    /// caller has checked that there is room.
    pub fn push(&mut self, host: &dyn Host, element: &[u8]) -> Result<(), DmaFault> {
        for chunk in element.chunks(SLOT) {
            let at = self.status + ENTRIES + u64::from(self.write) * SLOT as u64;
            self.shared.write(host, at, chunk)?;
            self.write = (self.write + 1) % self.slots;
        }
        self.shared
            .write(host, self.status + WRITE_POINTER, &self.write.to_le_bytes())
    }
}
