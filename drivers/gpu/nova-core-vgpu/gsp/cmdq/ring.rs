// SPDX-License-Identifier: GPL-2.0

//! The memory that is shared with GSP, and copying elements in and out of it.
//!
//! ```text
//!  push():  wait until enough slots are free -> copy headers and payload -> dma_wmb -> write index
//!  pull():  read index of GSP -> dma_rmb -> copy the element out -> (caller checks) -> release()
//! ```
//!
//! Elements may wrap around the end of a queue. Nothing is parsed in place.

use kernel::{
    device,
    dma::{
        Coherent,
        DmaAddress, //
    },
    io::{
        io_project,
        Io, //
    },
    prelude::*,
    sync::barrier::{
        dma_mb,
        Full,
        Read,
        Write, //
    },
};

use crate::gsp::fw::r570_144::{
    msgq::{
        self,
        SLOTS, //
    },
    rpc::{
        Headers,
        HEADERS_SIZE,
        SLOT_SIZE, //
    },
};

/// The shared memory region.
pub(super) struct Ring {
    mem: Coherent<[u8]>,
}

impl Ring {
    /// Allocates the region, fills in its page table and makes the command queue empty.
    pub(super) fn new(dev: &device::Device<device::Bound>) -> Result<Self> {
        let mem = Coherent::<u8>::zeroed_slice(dev, msgq::REGION_SIZE, GFP_KERNEL)?;
        let ring = Self { mem };

        for page in 0..msgq::REGION_PAGES {
            let offset = page * SLOT_SIZE;
            // CAST: `usize` is 64 bits wide here.
            let address = ring.mem.dma_address() + offset as DmaAddress;
            ring.copy_in(page * size_of::<u64>(), &address.to_le_bytes())?;
        }
        ring.copy_in(msgq::CMDQ, msgq::TxHeader::new().as_bytes())?;
        Ok(ring)
    }

    /// The region.
    pub(super) fn memory(&self) -> &Coherent<[u8]> {
        &self.mem
    }

    /// DMA address of the region.
    pub(super) fn dma_address(&self) -> DmaAddress {
        self.mem.dma_address()
    }

    fn copy_in(&self, offset: usize, data: &[u8]) -> Result {
        let end = offset.checked_add(data.len()).ok_or(EINVAL)?;
        let mem = &self.mem;

        io_project!(mem, [try: offset..end]).copy_from_slice(data);
        Ok(())
    }

    fn copy_out(&self, offset: usize, data: &mut [u8]) -> Result {
        let end = offset.checked_add(data.len()).ok_or(EINVAL)?;
        let mem = &self.mem;

        io_project!(mem, [try: offset..end]).copy_to_slice(data);
        Ok(())
    }

    /// Reads an index that GSP may be changing.
    fn index(&self, offset: usize) -> Result<usize> {
        let mem = &self.mem;
        let raw = io_project!(mem, [try: offset..offset + size_of::<u32>()])
            .try_cast::<u32>()?
            .read_val();

        usize::try_from(u32::from_le(raw))
            .ok()
            .filter(|index| *index < SLOTS)
            .ok_or(EIO)
    }

    fn set_index(&self, offset: usize, value: usize) -> Result {
        let mem = &self.mem;
        let value = u32::try_from(value)?.to_le();

        io_project!(mem, [try: offset..offset + size_of::<u32>()])
            .try_cast::<u32>()?
            .write_val(value);
        Ok(())
    }

    /// Write and read index of the command queue, then of the status queue, in slots; `EIO` when
    /// one of GSP's makes no sense.
    pub(super) fn indices(&self) -> Result<[(usize, usize); 2]> {
        Ok([
            (
                self.index(msgq::CMDQ + msgq::WRITE_INDEX)?,
                self.index(msgq::STATQ + msgq::READ_INDEX)?,
            ),
            (
                self.index(msgq::STATQ + msgq::WRITE_INDEX)?,
                self.index(msgq::CMDQ + msgq::READ_INDEX)?,
            ),
        ])
    }

    /// Slots of the command queue that can be filled; `EIO` when GSP's index makes no sense.
    pub(super) fn free(&self) -> Result<usize> {
        let write = self.index(msgq::CMDQ + msgq::WRITE_INDEX)?;
        let read = self.index(msgq::STATQ + msgq::READ_INDEX)?;

        Ok(msgq::free_slots(write, read))
    }

    /// Puts an element into the command queue. The caller has checked [`Self::free`].
    pub(super) fn push(&self, headers: &Headers, payload: &[u8], slots: usize) -> Result {
        let write = self.index(msgq::CMDQ + msgq::WRITE_INDEX)?;
        let first = msgq::CMDQ + msgq::FIRST_SLOT;

        // GSP's read index was read before its slots are written again.
        dma_mb(Full);
        self.ring_in(first, write * SLOT_SIZE, headers.as_bytes())?;
        self.ring_in(first, write * SLOT_SIZE + HEADERS_SIZE, payload)?;
        // GSP computes the checksum over whole 64-bit words, so the last one must be zero padded.
        let len = HEADERS_SIZE + payload.len();
        let padding = len.next_multiple_of(size_of::<u64>()) - len;
        let zeroes = [0; size_of::<u64>()];
        self.ring_in(
            first,
            write * SLOT_SIZE + len,
            zeroes.get(..padding).ok_or(EINVAL)?,
        )?;

        // The element is there before GSP can see the new index.
        dma_mb(Write);
        self.set_index(msgq::CMDQ + msgq::WRITE_INDEX, (write + slots) % SLOTS)
    }

    /// Copies `data` to byte `at` of the slots that begin at `first`, around the end if need be.
    fn ring_in(&self, first: usize, at: usize, data: &[u8]) -> Result {
        let at = at % (SLOTS * SLOT_SIZE);
        let (head, tail) = data.split_at(data.len().min(SLOTS * SLOT_SIZE - at));

        self.copy_in(first + at, head)?;
        self.copy_in(first, tail)
    }

    /// Slots of the status queue that GSP has filled; `EIO` when its index makes no sense.
    pub(super) fn used(&self) -> Result<usize> {
        let write = self.index(msgq::STATQ + msgq::WRITE_INDEX)?;
        let read = self.index(msgq::CMDQ + msgq::READ_INDEX)?;

        // The slots are read after the index that releases them.
        dma_mb(Read);
        Ok(msgq::used_slots(write, read))
    }

    /// Copies the first bytes of the next element of the status queue into `data`.
    pub(super) fn pull(&self, data: &mut [u8]) -> Result {
        let read = self.index(msgq::CMDQ + msgq::READ_INDEX)?;
        let first = msgq::STATQ + msgq::FIRST_SLOT;
        let at = read * SLOT_SIZE;
        let (head, tail) = data.split_at_mut(data.len().min(SLOTS * SLOT_SIZE - at));

        self.copy_out(first + at, head)?;
        self.copy_out(first, tail)
    }

    /// Gives `slots` slots of the status queue back to GSP.
    pub(super) fn release(&self, slots: usize) -> Result {
        let read = self.index(msgq::CMDQ + msgq::READ_INDEX)?;

        // Everything has been copied out before GSP may write there again.
        dma_mb(Full);
        self.set_index(msgq::CMDQ + msgq::READ_INDEX, (read + slots) % SLOTS)
    }
}
