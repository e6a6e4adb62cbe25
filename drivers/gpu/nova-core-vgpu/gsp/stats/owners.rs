// SPDX-License-Identifier: GPL-2.0

//! Which VF a client of GSP-RM acts for, and which process has the VF open.
//!
//! ```text
//!   slot = low byte of the client's handle:  handle | gfid | process
//! ```
//!
//! Looked at for every traced message, so without a lock. A slot that changes while it is read may
//! yield nobody for a moment, which is what it meant before or will mean after.

use kernel::{
    prelude::*,
    sync::atomic::{
        Acquire,
        Atomic,
        Relaxed,
        Release, //
    }, //
};

/// Slots. The handles of this driver count from 1 in their low bits.
const SLOTS: usize = 256;

/// One client. Handle 0, which is none, means that the slot is free.
struct Slot {
    handle: Atomic<u32>,
    gfid: Atomic<u32>,
    process: Atomic<u32>,
}

/// The table.
pub(crate) struct Owners(KVec<Slot>);

impl Owners {
    pub(super) fn new() -> Result<Self> {
        let mut slots = KVec::with_capacity(SLOTS, GFP_KERNEL)?;

        for _ in 0..SLOTS {
            let slot = Slot {
                handle: Atomic::new(0),
                gfid: Atomic::new(0),
                process: Atomic::new(0),
            };
            slots.push(slot, GFP_KERNEL)?;
        }
        Ok(Self(slots))
    }

    fn slot(&self, handle: u32) -> Option<&Slot> {
        self.0.get(handle as usize % SLOTS)
    }

    /// Notes that client `handle` acts for a VF, which `process` has open.
    pub(crate) fn set(&self, handle: u32, gfid: u32, process: u32) {
        if let Some(slot) = self.slot(handle) {
            slot.gfid.store(gfid, Relaxed);
            slot.process.store(process, Relaxed);
            slot.handle.store(handle, Release);
        }
    }

    /// Forgets a client.
    pub(crate) fn clear(&self, handle: u32) {
        if let Some(slot) = self.slot(handle) {
            // Unless the slot is another one's by now.
            let _ = slot.handle.cmpxchg(handle, 0, Relaxed);
        }
    }

    /// VF index + 1 of whom client `handle` acts for, 0 for nobody in particular.
    pub(super) fn gfid(&self, handle: u32) -> u32 {
        self.slot(handle)
            .filter(|slot| handle != 0 && slot.handle.load(Acquire) == handle)
            .map_or(0, |slot| slot.gfid.load(Relaxed))
    }

    /// VF index + 1 of the VF that `process` has open, if it has one. With several, any of them.
    pub(crate) fn gfid_of_process(&self, process: u32) -> Option<u32> {
        self.0
            .iter()
            .filter(|slot| slot.handle.load(Acquire) != 0)
            .find(|slot| slot.process.load(Relaxed) == process)
            .map(|slot| slot.gfid.load(Relaxed))
            .filter(|gfid| *gfid != 0)
    }
}

#[cfg(CONFIG_NOVA_CORE_VGPU_KUNIT)]
#[kunit_tests(nova_core_vgpu_owners)]
mod tests {
    use super::*;

    const CLIENT: u32 = 0xc1d0_0003;

    #[test]
    fn clients_come_and_go() -> Result {
        let owners = Owners::new()?;
        assert_eq!(owners.gfid(CLIENT), 0);
        owners.set(CLIENT, 5, 100);
        assert_eq!(owners.gfid(CLIENT), 5);
        assert_eq!(owners.gfid_of_process(100), Some(5));
        assert_eq!(owners.gfid(0xc1d0_0103), 0);
        owners.clear(0xc1d0_0103);
        assert_eq!(owners.gfid(CLIENT), 5);
        owners.clear(CLIENT);
        assert_eq!(owners.gfid(CLIENT), 0);
        assert_eq!(owners.gfid_of_process(100), None);
        Ok(())
    }

    #[test]
    fn nobody_owns_nothing() -> Result {
        let owners = Owners::new()?;
        assert_eq!(owners.gfid(0), 0);
        assert_eq!(owners.gfid_of_process(0), None);
        owners.set(CLIENT, 0, 100);
        assert_eq!(owners.gfid_of_process(100), None);
        Ok(())
    }
}
