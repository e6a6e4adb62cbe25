// SPDX-License-Identifier: GPL-2.0

//! A CPU window that the GMMU translates: BAR1, and BAR3 ("BAR2").
//!
//! ```text
//! unbound (before GSP-RM)   offset = frame-buffer address
//! bound                     offset = virtual address below the root directory
//!
//! At boot GSP-RM makes, in its heap outside of WPR2:
//!   root (PD3) -> PD2 -> PD1 -> PD0 -> its own mappings at the end of BAR1:
//!     last 2 MiB slot:     one 2 MiB leaf
//!     2 MiB slot before:   a big-page table with one 64 KiB page
//! ```
//!
//! A driver links its own tables into that tree and must leave RM's entries
//! alone.

use crate::host::Host;
use crate::mmu::{Aperture, Tables};
use crate::vram::{Vram, Writer};
use std::collections::BTreeMap;
use std::ops::Range;

const PAGE: u64 = 4096;
const SLOT_2M: u64 = 2 << 20;

/// Page tables in video memory and in the machine's memory.
pub struct BoardTables<'a> {
    /// Video memory.
    pub vram: &'a Vram,
    /// The machine.
    pub host: &'a dyn Host,
}

impl Tables for BoardTables<'_> {
    fn read(&self, aperture: Aperture, addr: u64) -> Option<u64> {
        match aperture {
            Aperture::Video => self.vram.read64(addr).ok(),
            Aperture::System => {
                let mut b = [0; 8];
                self.host.dma_read(addr, &mut b).ok()?;
                Some(u64::from_le_bytes(b))
            }
        }
    }
}

/// What GSP-RM set up in its heap.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RmTables {
    /// BAR1 root directory.
    pub bar1_root: u64,
    /// BAR2 root directory.
    pub bar2_root: u64,
    /// BAR1 instance block.
    pub instance: u64,
    /// BAR1 offsets RM mapped for itself, and where they lead.
    pub mappings: Vec<(u64, u64)>,
    /// Entries of BAR1's tables that are RM's, by address.
    pub entries: BTreeMap<u64, u64>,
    /// Lowest directory of BAR1, with dual entries.
    pub dual: u64,
}

impl RmTables {
    /// Builds the tables in `heap`; `size` is the BAR1 size.
    pub fn build(vram: &mut Vram, heap: &Range<u64>, size: u64) -> Option<RmTables> {
        let at = |i: u64| heap.start + i * PAGE;
        let (instance, root, pd2, pd1, pd0, big, bar2) =
            (at(0), at(1), at(2), at(3), at(4), at(5), at(6));
        if bar2 + PAGE > heap.end || size < 2 * SLOT_2M {
            return None;
        }
        vram.zero(heap.start..bar2 + PAGE, Writer::Gsp).ok()?;
        let mut entries = BTreeMap::new();
        let mut put = |addr, v| {
            entries.insert(addr, v);
            vram.write64(addr, v, Writer::Gsp).ok()
        };
        let pointer = |table: u64| table >> 4 | 1 << 1;
        let last = size - SLOT_2M;
        let before = last - SLOT_2M;
        let pd0_slot = |va: u64| pd0 + 16 * (va >> 21 & 0xff);
        put(root, pointer(pd2))?;
        put(pd2 + 8 * (last >> 38 & 0x1ff), pointer(pd1))?;
        put(pd1 + 8 * (last >> 29 & 0x1ff), pointer(pd0))?;
        // RM maps memory of its own reservation.
        let frame_2m = heap.end.next_multiple_of(SLOT_2M);
        let frame_64k = heap.end - (64 << 10);
        put(pd0_slot(last), frame_2m >> 4 | 1)?;
        put(pd0_slot(before), big >> 4 | 1 << 1)?;
        put(big, frame_64k >> 4 | 1)?;
        // Instance block: version 2 format, 64 KiB big pages, root in video memory.
        for (off, v) in [(0x200, root | 1 << 10 | 1 << 11), (0x208, size - 1)] {
            vram.write64(instance + off, v, Writer::Gsp).ok()?;
        }
        Some(RmTables {
            bar1_root: root,
            bar2_root: bar2,
            instance,
            mappings: vec![(last, frame_2m), (before, frame_64k)],
            entries,
            dual: pd0,
        })
    }

    /// Whether RM has one of its own tables in the page at `page`.
    pub fn has_table(&self, page: u64) -> bool {
        page == self.bar2_root || self.entries.range(page..page + PAGE).next().is_some()
    }

    /// First of RM's own entries that changed: address, RM's value, value now.
    pub fn damaged(&self, vram: &Vram) -> Option<(u64, u64, u64)> {
        self.entries.iter().find_map(|(at, v)| {
            let now = vram.read64(*at).ok()?;
            (now != *v).then_some((*at, *v, now))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::{DmaFault, Function};
    use crate::mmu::{self, Target};

    struct NoHost;

    impl Host for NoHost {
        fn dma_read(&self, _: u64, _: &mut [u8]) -> Result<(), DmaFault> {
            Err(DmaFault)
        }
        fn dma_write(&self, _: u64, _: &[u8]) -> Result<(), DmaFault> {
            Err(DmaFault)
        }
        fn config_read(&self, _: Function, _: u16) -> u32 {
            0
        }
        fn msix(&self, _: Function, _: u16) {}
        fn now_ns(&self) -> u64 {
            0
        }
        fn set_timer(&self, _: Option<u64>) {}
    }

    #[test]
    fn driver_links_into_rm_tree() {
        let mut vram = Vram::new(1 << 30, 0xdead_beef);
        let heap = 0x2000_0000..0x2010_0000;
        let rm = RmTables::build(&mut vram, &heap, 256 << 20).unwrap();
        fn walk(vram: &Vram, root: u64, va: u64) -> Result<Target, mmu::Fault> {
            let tables = BoardTables {
                vram,
                host: &NoHost,
            };
            mmu::walk(&tables, root, va)
        }
        let to = |addr| {
            Ok(Target::Memory {
                aperture: Aperture::Video,
                addr,
                read_only: false,
                leaf: PAGE,
            })
        };
        assert!(walk(&vram, rm.bar1_root, 0).is_err());
        let (last, frame) = rm.mappings[0];
        assert!(matches!(
            walk(&vram, rm.bar1_root, last),
            Ok(Target::Memory { addr, .. }) if addr == frame
        ));
        // A small table for slot 0 of RM's PD0.
        let small = 0x10_0000;
        vram.zero(small..small + PAGE, Writer::Cpu).unwrap();
        vram.write64(rm.dual + 8, small >> 4 | 2, Writer::Cpu)
            .unwrap();
        vram.write64(small, 0x40_0000 >> 4 | 1, Writer::Cpu)
            .unwrap();
        assert_eq!(walk(&vram, rm.bar1_root, 0x123), to(0x40_0123));
        assert_eq!(rm.damaged(&vram), None);
        // Overwriting RM's leaf is noticed.
        vram.write64(rm.dual + 16 * 127, 0, Writer::Cpu).unwrap();
        assert_eq!(
            rm.damaged(&vram),
            Some((rm.dual + 16 * 127, 0x0202_0001, 0))
        );
    }
}
