// SPDX-License-Identifier: GPL-2.0

//! One channel: where its memory is and what it is doing.
//!
//! ```text
//!            BIND           SCHEDULE 1          fault
//!   made ----------> bound ------------> on ------------> failed
//!                      ^                 |
//!                      '--SCHEDULE 0-----'
//! ```
//!
//! USERD (512 bytes): 0x48 reference, 0x88 GPGET, 0x8c GPPUT.

use super::run::Run;
use super::{Id, Key};
use crate::host::Host;
use crate::mmu::Aperture;
use crate::rm::engines::Engine;
use crate::vram::Vram;

/// Bytes of a channel's USERD.
pub const USERD_SIZE: u64 = 0x200;
/// The reference word in USERD.
pub const USERD_REFERENCE: u64 = 0x48;
/// GP_GET in USERD.
pub const USERD_GP_GET: u64 = 0x88;
/// GP_PUT in USERD.
pub const USERD_GP_PUT: u64 = 0x8c;
/// Bytes of an instance block.
pub const INSTANCE_SIZE: u64 = 0x1000;

/// Memory by physical address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Video or system memory.
    pub aperture: Aperture,
    /// Byte address.
    pub addr: u64,
}

/// A channel.
#[derive(Debug, Clone)]
pub struct Channel {
    /// The RM object.
    pub key: Key,
    /// Its group, when the driver made one.
    pub group: Option<Key>,
    /// Runlist and channel ID.
    pub id: Id,
    /// Function it belongs to; 0 is the PF.
    pub gfid: u32,
    /// Engine it feeds.
    pub engine: &'static Engine,
    /// Address space.
    pub space: Key,
    /// Virtual address of the GPFIFO ring.
    pub gpfifo: u64,
    /// Entries of the ring, a power of two.
    pub entries: u32,
    /// Instance block in video memory.
    pub instance: u64,
    /// USERD.
    pub userd: Place,
    /// May use physical addresses.
    pub privileged: bool,
    /// BIND was done.
    pub bound: bool,
    /// SCHEDULE turned it on.
    pub enabled: bool,
    /// A fault stopped it for good.
    pub failed: bool,
    /// Handle of the copy engine object.
    pub copy_engine: Option<u32>,
    /// What it is in the middle of.
    pub run: Run,
}

impl Channel {
    /// Stops it for good: what it was doing is not done.
    pub fn fail(&mut self) {
        self.failed = true;
        self.enabled = false;
        self.run = Run::at(self.run.get);
    }

    /// Whether work that was submitted is not done.
    pub fn busy(&self, put: Option<u32>) -> bool {
        self.run.busy() || put.is_some_and(|put| put % self.entries != self.run.get)
    }
}

/// GPPUT as the CPU left it in USERD; `None` when USERD cannot be read.
pub fn gp_put(vram: &Vram, host: &dyn Host, userd: Place) -> Option<u32> {
    let at = userd.addr + USERD_GP_PUT;
    match userd.aperture {
        Aperture::Video => vram.read32(at).ok(),
        Aperture::System => {
            let mut b = [0; 4];
            host.dma_read(at, &mut b).ok()?;
            Some(u32::from_le_bytes(b))
        }
    }
}
