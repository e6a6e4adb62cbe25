// SPDX-License-Identifier: GPL-2.0

//! The memory shared with GSP: page table, command queue, status queue.
//!
//! ```text
//!  0x00000  129 * u64: DMA address of every 4 KiB page of this region
//!  0x01000  command queue   tx header (written by the CPU)
//!  0x01020                  rx header (CPU's read index in the *status* queue)
//!  0x02000                  63 slots of 4 KiB
//!  0x41000  status queue    tx header (written by GSP)
//!  0x41020                  rx header (GSP's read index in the *command* queue)
//!  0x42000                  63 slots of 4 KiB
//!  0x81000  end
//! ```
//!
//! Each side writes only its own queue's headers. Indices run modulo 63; one slot stays empty.
//! Source: OGKM 570.144 `msgq_priv.h`, `message_queue_cpu.c`.

use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::rpc::SLOT_SIZE;

/// Bytes of one queue with its headers.
const QUEUE_SIZE: usize = 0x40000;
const RX_HEADER: usize = 0x20;
const ENTRIES: usize = 0x1000;

/// Slots of one queue.
pub(crate) const SLOTS: usize = 63;
/// Bytes of the whole region.
pub(crate) const REGION_SIZE: usize = SLOT_SIZE + 2 * QUEUE_SIZE;
/// Pages of the whole region.
pub(crate) const REGION_PAGES: usize = REGION_SIZE / SLOT_SIZE;

/// Offset of the command queue in the region.
pub(crate) const CMDQ: usize = SLOT_SIZE;
/// Offset of the status queue in the region.
pub(crate) const STATQ: usize = CMDQ + QUEUE_SIZE;

/// Offset of the first slot in a queue.
pub(crate) const FIRST_SLOT: usize = ENTRIES;
/// Offset of the write index in a queue.
pub(crate) const WRITE_INDEX: usize = core::mem::offset_of!(TxHeader, write_index);
/// Offset of the read index in a queue.
pub(crate) const READ_INDEX: usize = RX_HEADER;

/// Header of a queue.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub(crate) struct TxHeader {
    version: u32,
    size: u32,
    slot_size: u32,
    slots: u32,
    write_index: u32,
    flags: u32,
    rx_header: u32,
    entries: u32,
}

const FLAGS_SWAP_RX: u32 = 1;

impl TxHeader {
    /// Header of an empty queue.
    pub(crate) const fn new() -> Self {
        // CAST: The constants fit in 32 bits.
        Self {
            version: 0,
            size: QUEUE_SIZE as u32,
            slot_size: SLOT_SIZE as u32,
            slots: SLOTS as u32,
            write_index: 0,
            flags: FLAGS_SWAP_RX,
            rx_header: RX_HEADER as u32,
            entries: ENTRIES as u32,
        }
    }
}

/// Slots that can be filled when the writer is at `write` and the reader at `read`.
pub(crate) const fn free_slots(write: usize, read: usize) -> usize {
    (read + SLOTS - write - 1) % SLOTS
}

/// Slots that can be read when the writer is at `write` and the reader at `read`.
pub(crate) const fn used_slots(write: usize, read: usize) -> usize {
    (write + SLOTS - read) % SLOTS
}

const _: () = assert!(size_of::<TxHeader>() == RX_HEADER);
const _: () = assert!(FIRST_SLOT + SLOTS * SLOT_SIZE == QUEUE_SIZE);
const _: () = assert!(REGION_SIZE == 0x81000 && REGION_PAGES == 129);
const _: () = assert!(WRITE_INDEX == 0x10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_slot_stays_empty() {
        assert_eq!((free_slots(0, 0), used_slots(0, 0)), (62, 0));
        assert_eq!((free_slots(62, 0), used_slots(62, 0)), (0, 62));
        assert_eq!((free_slots(0, 1), used_slots(0, 1)), (0, 62));
        for write in 0..SLOTS {
            for read in 0..SLOTS {
                assert_eq!(free_slots(write, read) + used_slots(write, read), SLOTS - 1);
            }
        }
    }
}
