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
//! alone. Translations are cached until the driver invalidates them, so that a
//! missing invalidate shows.

use crate::config::Tlb;
use crate::host::Host;
use crate::mmu::{self, Aperture, Tables, Target};
use crate::vram::{Vram, Writer};
use std::collections::HashMap;
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

/// One window.
#[derive(Debug, Default)]
pub struct Window {
    /// Root directory, once GSP-RM bound one.
    pub root: Option<u64>,
    cache: HashMap<u64, Target>,
}

impl Window {
    /// Back to what it is without GSP-RM.
    pub fn unbind(&mut self) {
        *self = Window::default();
    }

    /// Drops cached translations.
    pub fn invalidate(&mut self) {
        self.cache.clear();
    }

    /// Translates an offset into the window.
    pub fn translate(
        &mut self,
        tables: &BoardTables<'_>,
        mode: Tlb,
        offset: u64,
    ) -> Result<Target, mmu::Fault> {
        let Some(root) = self.root else {
            return Ok(Target::Memory {
                aperture: Aperture::Video,
                addr: offset,
                read_only: false,
                leaf: PAGE,
            });
        };
        let page = offset & !(PAGE - 1);
        let target = match self.cache.get(&page) {
            Some(t) => *t,
            None => {
                let t = mmu::walk(tables, root, page)?;
                if mode == Tlb::Strict {
                    self.cache.insert(page, t);
                }
                t
            }
        };
        Ok(match target {
            Target::Memory {
                aperture,
                addr,
                read_only,
                leaf,
            } => Target::Memory {
                aperture,
                addr: addr + offset % PAGE,
                read_only,
                leaf,
            },
            Target::Sparse => Target::Sparse,
        })
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
        let mut put = |addr, v| vram.write64(addr, v, Writer::Gsp).ok();
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
        put(instance + 0x200, root | 1 << 10 | 1 << 11)?;
        put(instance + 0x208, size - 1)?;
        Some(RmTables {
            bar1_root: root,
            bar2_root: bar2,
            instance,
            mappings: vec![(last, frame_2m), (before, frame_64k)],
        })
    }

    /// First of RM's own mappings that no longer leads where it did.
    pub fn damaged(&self, tables: &BoardTables<'_>) -> Option<u64> {
        self.mappings.iter().find_map(|(va, frame)| {
            let intact = matches!(
                mmu::walk(tables, self.bar1_root, *va),
                Ok(Target::Memory { addr, .. }) if addr == *frame
            );
            (!intact).then_some(*va)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::{DmaFault, Function};

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
        let mut w = Window {
            root: Some(rm.bar1_root),
            ..Window::default()
        };
        fn tables(vram: &Vram) -> BoardTables<'_> {
            BoardTables {
                vram,
                host: &NoHost,
            }
        }
        assert!(w.translate(&tables(&vram), Tlb::Strict, 0).is_err());
        assert_eq!(rm.damaged(&tables(&vram)), None);
        // A small table for slot 0 of RM's PD0.
        let (pd0, small) = (heap.start + 4 * PAGE, 0x10_0000);
        vram.zero(small..small + PAGE, Writer::Cpu).unwrap();
        vram.write64(pd0 + 8, small >> 4 | 2, Writer::Cpu).unwrap();
        vram.write64(small, 0x40_0000 >> 4 | 1, Writer::Cpu)
            .unwrap();
        let hit = |w: &mut Window, vram: &Vram| w.translate(&tables(vram), Tlb::Strict, 0x123);
        let to = |addr| {
            Ok(Target::Memory {
                aperture: Aperture::Video,
                addr,
                read_only: false,
                leaf: PAGE,
            })
        };
        assert_eq!(hit(&mut w, &vram), to(0x40_0123));
        // The change is not seen before the invalidate.
        vram.write64(small, 0x50_0000 >> 4 | 1, Writer::Cpu)
            .unwrap();
        assert_eq!(hit(&mut w, &vram), to(0x40_0123));
        w.invalidate();
        assert_eq!(hit(&mut w, &vram), to(0x50_0123));
        // Overwriting RM's leaf is noticed.
        vram.write64(pd0 + 16 * 127, 0, Writer::Cpu).unwrap();
        assert_eq!(rm.damaged(&tables(&vram)), Some((256 << 20) - SLOT_2M));
    }
}
