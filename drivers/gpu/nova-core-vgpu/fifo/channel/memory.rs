// SPDX-License-Identifier: GPL-2.0

//! The memory of a channel.
//!
//! ```text
//!   frame buffer    | instance block | USERD |             USERD through BAR1: put index
//!   system memory   | ring | semaphore | methods of slot 0, slot 1, … |      mapped for the channel
//!                   | method buffer |                                        for GSP-RM only
//! ```
//!
//! Entry n of the ring always leads to slot n of the methods, so both have the same owner at any
//! time: the piece of work with that slot (see [`Sequence`](crate::ce::sequence::Sequence)).
//!
//! Nothing here has a `Drop` that gives memory back to the GPU's allocators: that takes registers,
//! and the right moment, which the owner knows.

use core::ops::Range;

use kernel::{
    dma::{
        Coherent,
        CoherentHandle, //
    },
    io::{
        io_project,
        Io, //
    },
    prelude::*,
    sync::barrier, //
};
use kernel_ext::io::{
    BarWindow,
    Caching, //
};

use super::{
    super::gpfifo::{
        self,
        ENTRY_SIZE,
        USERD_GP_GET,
        USERD_GP_PUT, //
    },
    Parts, //
};
use crate::{
    ce::sequence::Issued,
    fb::manager::{
        FbOwner,
        FbRequest, //
    },
    gpu::Gpu,
    gsp::fw::r570_144::channel::{
        INSTANCE_SIZE,
        USERD_SIZE, //
    },
    mm::{
        pagetable::PAGE_SIZE,
        vmm::{
            self,
            MapRequest,
            Vmm, //
        },
    },
    regs::usermode::NV_VF_DOORBELL,
};

/// Linux resource index of BAR1.
const BAR1: u32 = 1;

/// Entries of the ring.
pub(crate) const ENTRIES: u32 = 128;
/// Most dwords of methods in one slot.
pub(crate) const SLOT_WORDS: usize = 32;

// CAST: `usize` has 64 bits on every architecture with this device.
const PAGE: usize = PAGE_SIZE as usize;
const SLOT_SIZE: usize = SLOT_WORDS * 4;
const SEMAPHORE: usize = PAGE;
const SLOTS: usize = 2 * PAGE;
const SIZE: usize = SLOTS + ENTRIES as usize * SLOT_SIZE;
const PAGES: usize = SIZE / PAGE;

const _: () = assert!(ENTRIES as usize * ENTRY_SIZE <= SEMAPHORE && SIZE % PAGE == 0);

/// Addresses for the mappings of a channel.
const VA: Range<u64> = 0x1000_0000..0x2000_0000;

const _: () = assert!(VA.end <= gpfifo::ADDRESS_LIMIT);

/// Instance block and USERD, a page each.
const VIDEO_SIZE: u64 = INSTANCE_SIZE + PAGE_SIZE;

/// Instance block and USERD.
struct Video {
    range: Range<u64>,
    /// Where BAR1 shows USERD.
    va: Range<u64>,
    userd: BarWindow<'static>,
}

/// USERD comes after the instance block.
fn userd_in(range: &Range<u64>) -> u64 {
    range.start + INSTANCE_SIZE
}

impl Video {
    /// Frame buffer, zeroed, with USERD mapped for the CPU.
    fn new(gpu: &Gpu<'_>, parts: &Parts) -> Result<Self> {
        let request = FbRequest {
            size: VIDEO_SIZE,
            align: PAGE_SIZE,
            fixed: None,
            top_down: true,
            owner: FbOwner::Pf,
        };
        let range = parts.fb.lock().reserve(gpu.pdev().as_ref(), &request)?;

        Self::map(gpu, parts, &range)
            .inspect_err(|_| parts.fb.lock().release(gpu.pdev().as_ref(), &range))
    }

    fn map(gpu: &Gpu<'_>, parts: &Parts, range: &Range<u64>) -> Result<Self> {
        let mut window = parts.mm.window(gpu.bar())?;
        window.zero(range.start, INSTANCE_SIZE + USERD_SIZE)?;
        window.flush()?;
        drop(window);

        let mut bar1 = parts.bar1.lock();
        let request = map_request(vmm::Target::Video(userd_in(range)), PAGE_SIZE, None);
        let va = bar1.map(gpu.bar(), &request)?;
        // Every access in order: the put index is what makes the rest visible.
        let window = BarWindow::new(gpu.pdev(), BAR1, va.start, PAGE, Caching::Uncached)
            .inspect_err(|_| {
                // On failure the addresses stay out of use.
                let _ = bar1.unmap(gpu.bar(), &va);
            })?;
        Ok(Self {
            range: range.clone(),
            va,
            // SAFETY: Whoever has channels closes them, or stops using them, before the driver is
            // unbound: see `CopyEngine::stop`.
            userd: unsafe { window.into_static() },
        })
    }

    fn release(self, gpu: &Gpu<'_>, parts: &Parts) {
        // The CPU must not reach addresses that show something else.
        drop(self.userd);
        let unmapped = if gpu.cmdq().is_alive() {
            parts.bar1.lock().unmap(gpu.bar(), &self.va)
        } else {
            // The tables are lost with their firmware: the next boot begins with others.
            Ok(())
        };
        if let Err(e) = unmapped {
            dev_err!(
                gpu.pdev(),
                "cannot unmap BAR1 {:#x}, the addresses stay out of use: {:?}\n",
                self.va.start,
                e
            );
        }
        parts.fb.lock().release(gpu.pdev().as_ref(), &self.range);
    }

    fn abandon(self, parts: &Parts) {
        drop(self.userd);
        parts.fb.lock().quarantine(&self.range);
    }
}

/// Plain memory of the kernel.
fn map_request(target: vmm::Target<'_>, len: u64, va: Option<u64>) -> MapRequest<'_> {
    MapRequest {
        target,
        offset: 0,
        len,
        va,
        page_size: None,
        kind: 0,
        read_only: false,
        privileged: true,
    }
}

/// All memory of a channel.
pub(super) struct Memory {
    video: Video,
    vmm: Vmm,
    mapped: bool,
    buffer: Coherent<[u8]>,
    method_buffer: CoherentHandle,
}

impl Memory {
    /// Gets it. `method_buffer` are bytes. Nothing is mapped for the channel yet. Sleeps.
    ///
    /// # Errors
    ///
    /// `ENOSPC`, `ENOMEM`, `ENODEV`, `EIO` and `ETIMEDOUT` if the GPU does not answer.
    pub(super) fn new(gpu: &Gpu<'_>, parts: &Parts, method_buffer: usize) -> Result<Self> {
        let dev = gpu.pdev().as_ref();

        Ok(Self {
            buffer: Coherent::<u8>::zeroed_slice(dev, SIZE, GFP_KERNEL)?,
            method_buffer: CoherentHandle::alloc(dev, method_buffer, GFP_KERNEL)?,
            vmm: Vmm::new(gpu.bar(), &parts.mm, VA)?,
            mapped: false,
            video: Video::new(gpu, parts)?,
        })
    }

    /// Maps ring, semaphore and methods. GSP-RM must know [`Memory::root`]: only then do TLBs obey.
    ///
    /// # Errors
    ///
    /// `ENOSPC`, `ENOMEM`, `ENODEV`, `EIO` and `ETIMEDOUT` if the GPU does not answer.
    pub(super) fn map(&mut self, gpu: &Gpu<'_>) -> Result {
        let start = self.buffer.dma_address();
        // CAST: widening.
        let pages: [_; PAGES] = core::array::from_fn(|i| start + (i * PAGE) as u64);
        let target = vmm::Target::System(&pages);
        let request = map_request(target, SIZE as u64, Some(VA.start));

        self.vmm.map(gpu.bar(), &request)?;
        self.mapped = true;
        Ok(())
    }

    /// Takes the mappings away. The channel must not run any more, and GSP-RM must still know the
    /// address space.
    ///
    /// # Errors
    ///
    /// `EIO`, `ENODEV`, `ETIMEDOUT` if the GPU may still reach the memory.
    pub(super) fn unmap(&mut self, gpu: &Gpu<'_>) -> Result {
        if self.mapped {
            self.vmm
                .unmap(gpu.bar(), VA.start..VA.start + SIZE as u64)?;
            self.mapped = false;
        }
        Ok(())
    }

    /// The instance block in frame buffer.
    pub(super) fn instance(&self) -> u64 {
        self.video.range.start
    }

    /// USERD in frame buffer.
    pub(super) fn userd(&self) -> u64 {
        userd_in(&self.video.range)
    }

    /// The ring in the address space of the channel.
    pub(super) fn ring(&self) -> u64 {
        VA.start
    }

    /// The semaphore in the address space of the channel.
    pub(super) fn semaphore_address(&self) -> u64 {
        // CAST: widening.
        VA.start + SEMAPHORE as u64
    }

    /// Root directory of the address space, in frame buffer.
    pub(super) fn root(&self) -> u64 {
        self.vmm.root()
    }

    /// The method buffer in system memory: address and bytes.
    pub(super) fn method_buffer(&self) -> (u64, u64) {
        // CAST: widening.
        (
            self.method_buffer.dma_address(),
            self.method_buffer.size() as u64,
        )
    }

    /// Count of entries that the engine has fetched from the ring; all ones if it cannot be read.
    pub(super) fn get(&self) -> u32 {
        self.video
            .userd
            .try_read32(USERD_GP_GET)
            .unwrap_or(u32::MAX)
    }

    fn write32(&self, offset: usize, value: u32) -> Result {
        let buffer = &self.buffer;

        io_project!(buffer, [try: offset..offset + size_of::<u32>()])
            .try_cast::<u32>()?
            .write_val(value.to_le());
        Ok(())
    }

    /// What the semaphore says. All that the value stands for is visible to the CPU.
    pub(super) fn semaphore(&self) -> Result<u32> {
        let buffer = &self.buffer;
        let value = io_project!(buffer, [try: SEMAPHORE..SEMAPHORE + size_of::<u32>()])
            .try_cast::<u32>()?
            .read_val();

        barrier::mb(barrier::Read);
        Ok(u32::from_le(value))
    }

    /// Puts `words` into the slot of `work` and tells the hardware.
    pub(super) fn submit(&self, gpu: &Gpu<'_>, token: u32, work: Issued, words: &[u32]) -> Result {
        if words.len() > SLOT_WORDS || work.slot >= ENTRIES {
            return Err(EINVAL);
        }
        let slot = usize::try_from(work.slot)?;
        let methods = SLOTS + slot * SLOT_SIZE;
        for (i, word) in words.iter().enumerate() {
            self.write32(methods + 4 * i, *word)?;
        }
        // CAST: widening, and at most `SLOT_WORDS`.
        let entry = gpfifo::entry(VA.start + methods as u64, words.len() as u32).ok_or(EINVAL)?;
        // CAST: the two halves.
        self.write32(slot * ENTRY_SIZE, entry as u32)?;
        self.write32(slot * ENTRY_SIZE + 4, (entry >> 32) as u32)?;

        // Methods and entry before the index, the index before the doorbell.
        barrier::mb(barrier::Write);
        self.video.userd.try_write32(work.put, USERD_GP_PUT)?;
        // Pushes the posted write: the doorbell takes another way.
        let _ = self.video.userd.try_read32(USERD_GP_PUT)?;
        gpu.bar()
            .write_reg(NV_VF_DOORBELL::zeroed().with_token(token));
        Ok(())
    }

    /// Gives everything back. GSP-RM knows neither the channel nor its address space, or not any
    /// more, so nothing can be reached through mappings that are still there.
    pub(super) fn release(self, gpu: &Gpu<'_>, parts: &Parts) {
        self.video.release(gpu, parts);
    }

    /// Keeps everything out of use, because nobody knows who uses it. What the GPU has comes back
    /// when it is reset, but for the page tables; system memory does not.
    pub(super) fn abandon(self, parts: &Parts) {
        core::mem::forget((self.vmm, self.buffer, self.method_buffer));
        self.video.abandon(parts);
    }
}
