// SPDX-License-Identifier: GPL-2.0

//! CPU views of video memory: PRAMIN, BAR1 with a driver's own page tables, BAR3.

use crate::driver::{Driver, Plan};
use ada_gpu_model::{Bar, Function};

const BOARD: &str = "vram=4G";
const PAGE: u64 = 4096;

impl Driver {
    fn pramin32(&mut self, addr: u64) -> u32 {
        self.w(0x1700, (addr >> 16) as u32);
        self.r(0x70_0000 + addr % 0x1_0000)
    }

    fn pramin_write64(&mut self, addr: u64, v: u64) {
        self.w(0x1700, (addr >> 16) as u32);
        self.w(0x70_0000 + addr % 0x1_0000, v as u32);
        self.w(0x70_0000 + addr % 0x1_0000 + 4, (v >> 32) as u32);
    }

    fn pramin64(&mut self, addr: u64) -> u64 {
        u64::from(self.pramin32(addr)) | u64::from(self.pramin32(addr + 4)) << 32
    }

    fn bar1(&mut self, off: u64, size: u8) -> u64 {
        self.gpu.read(Function::Pf, Bar::Bar1, off, size)
    }

    fn bar1_write(&mut self, off: u64, size: u8, v: u64) {
        self.gpu.write(Function::Pf, Bar::Bar1, off, size, v);
    }

    fn invalidate(&mut self, pdb: u64) {
        self.w(0xb8_30a0, (pdb >> 8) as u32 & !0xf);
        self.w(0xb8_30a4, (pdb >> 40) as u32);
        self.w(0xb8_30b0, 0x8000_0001);
        let mut polls = 0;
        while self.r(0xb8_30b0) >> 31 != 0 {
            polls += 1;
            assert!(polls < 10);
        }
    }

    /// Maps `phys` at BAR1 offset `va` with a 4 KiB page, following what exists.
    fn map(&mut self, root: u64, va: u64, phys: u64, tables: &mut u64) {
        let mut table = root;
        for shift in [47, 38, 29] {
            let mask = if shift == 47 { 3 } else { 0x1ff };
            let slot = table + 8 * (va >> shift & mask);
            let mut e = self.pramin64(slot);
            if e == 0 {
                let t = *tables;
                *tables += PAGE;
                self.gpu
                    .vram()
                    .zero(t..t + PAGE, ada_gpu_model::vram::Writer::Cpu)
                    .unwrap();
                e = t >> 4 | 2;
                self.pramin_write64(slot, e);
            }
            assert_eq!(e & 7, 2, "directory in video memory");
            table = (e >> 8 & 0x1ff_ffff) << 12;
        }
        let slot = table + 16 * (va >> 21 & 0xff);
        assert_eq!(self.pramin64(slot), 0, "free of leaf and big table");
        let mut high = self.pramin64(slot + 8);
        if high == 0 {
            let t = *tables;
            *tables += PAGE;
            self.gpu
                .vram()
                .zero(t..t + PAGE, ada_gpu_model::vram::Writer::Cpu)
                .unwrap();
            high = t >> 4 | 2;
            self.pramin_write64(slot + 8, high);
        }
        let pt = (high >> 8 & 0x1ff_ffff) << 12;
        self.pramin_write64(pt + 8 * (va >> 12 & 0x1ff), phys >> 4 | 1);
    }
}

/// Boots; gives the root directory of BAR1.
fn boot(d: &mut Driver) -> u64 {
    d.boot(&Plan::bare()).unwrap();
    let info = d.call(65, &[0; 0x678]).unwrap().payload;
    u64::from_le_bytes(info[0x600..0x608].try_into().unwrap())
}

fn booted() -> (Driver, u64) {
    let mut d = Driver::new(BOARD);
    let root = boot(&mut d);
    (d, root)
}

#[test]
fn pramin_reaches_memory_and_not_wpr2() {
    let mut d = Driver::new(BOARD);
    assert_eq!(d.pramin32(0x1234_5678), 0xdead_beef, "poison");
    d.pramin_write64(0x1234_5678, 0x1122_3344_5566_7788);
    assert_eq!(d.pramin64(0x1234_5678), 0x1122_3344_5566_7788);
    let byte = d.gpu.read(Function::Pf, Bar::Bar0, 0x70_0000 + 0x5679, 1);
    assert_eq!(byte, 0x77);
    d.boot(&Plan::bare()).unwrap();
    let wpr2 = u64::from(d.r(0x1f_a824) & !0xf) << 8;
    assert_eq!(d.pramin32(wpr2) >> 16, 0xbad0);
    assert_eq!(d.refusals("pramin-wpr2"), 1);
    assert_eq!(d.pramin32(1 << 32) >> 16, 0xbadf);
    assert_eq!(d.refusals("pramin-range"), 1);
    d.w(0x1700, 1 << 24);
    assert_eq!(d.r(0x70_0000), u32::MAX);
    assert_eq!(d.refusals("pramin-target"), 1);
}

/// Two users of PRAMIN; the one that holds no lock moves the window of the other.
#[test]
fn tags_show_a_window_that_was_moved() {
    let mut d = Driver::new(BOARD);
    assert!(d
        .gpu
        .set_property("pramin-tags", "0x10001:0x20000")
        .is_err());
    assert!(d.gpu.set_property("pramin-tags", "0:8G").is_err());
    d.gpu
        .set_property("pramin-tags", "0x100000:0x200000")
        .unwrap();
    let text = |d: &Driver| d.gpu.property("pramin-tags").unwrap();
    assert_eq!(text(&d), "tags 16 wrong 0\n");
    assert_eq!(d.pramin32(0x12_0000), 0x7a60_0012);
    d.pramin_write64(0x13_0008, 1);
    assert_eq!(text(&d), "tags 16 wrong 0\n");
    d.w(0x1700, 0x13);
    d.w(0x1700, 0x14);
    // Meant for 0x130010.
    assert_eq!(d.r(0x70_0000), 0x7a60_0014, "another tag than asked for");
    d.w(0x70_0000, 0);
    assert_eq!(text(&d), "tags 16 wrong 1\n");
}

#[test]
fn bar1_is_physical_before_boot_and_translated_after() {
    let mut d = Driver::new(BOARD);
    d.bar1_write(0x10_0004, 4, 0x51);
    assert_eq!(d.pramin32(0x10_0004), 0x51);
    d.boot(&Plan::bare()).unwrap();
    assert_eq!(d.bar1(0x10_0004, 4), 0xffff_ffff);
    assert_eq!(d.refusals("window-fault"), 1);
    d.unload().unwrap();
    assert_eq!(d.bar1(0x10_0004, 4), 0x51);
}

#[test]
fn bar1_through_driver_page_tables() {
    let (mut d, root) = booted();
    let mut tables = 0x80_0000;
    d.map(root, 0x5000, 0x1_2000, &mut tables);
    d.map(root, 0x6000, 0x4_5000, &mut tables);
    d.invalidate(root);
    d.bar1_write(0x5010, 8, 0x0123_4567_89ab_cdef);
    assert_eq!(d.pramin64(0x1_2010), 0x0123_4567_89ab_cdef);
    // An access across the two pages lands in both.
    d.bar1_write(0x5ffe, 4, 0xddcc_bbaa);
    assert_eq!(d.bar1(0x5ffe, 4), 0xddcc_bbaa);
    assert_eq!(d.pramin32(0x4_5000) & 0xffff, 0xddcc);
    assert_eq!(d.bar1(0x7000, 4), 0xffff_ffff);
    assert_eq!(d.refusals("window-fault"), 1);
    assert_eq!(d.gpu.stats().refusals(), 1);
}

#[test]
fn stale_translation_shows_until_invalidated() {
    let (mut d, root) = booted();
    let mut tables = 0x80_0000;
    d.map(root, 0x5000, 0x1_2000, &mut tables);
    d.pramin_write64(0x1_2000, 1);
    d.pramin_write64(0x1_3000, 2);
    assert_eq!(d.bar1(0x5000, 8), 1);
    d.map(root, 0x5000, 0x1_3000, &mut tables);
    assert_eq!(d.refusals("tlb-stale"), 0);
    assert_eq!(d.bar1(0x5000, 8), 1, "still the old page");
    assert_eq!(d.refusals("tlb-stale"), 1);
    d.invalidate(0x7777_0000);
    assert_eq!(d.refusals("tlb-unknown-pdb"), 1);
    assert_eq!(d.bar1(0x5000, 8), 1);
    d.invalidate(root);
    assert_eq!(d.bar1(0x5000, 8), 2);
    assert_eq!(d.refusals("tlb-stale"), 1, "once for each entry");
}

#[test]
fn a_mapping_that_is_only_added_needs_no_invalidate() {
    let (mut d, root) = booted();
    let mut tables = 0x80_0000;
    assert_eq!(d.bar1(0x5000, 4), 0xffff_ffff);
    d.map(root, 0x5000, 0x1_2000, &mut tables);
    d.pramin_write64(0x1_2000, 7);
    assert_eq!(d.bar1(0x5000, 8), 7);
    assert_eq!(d.gpu.stats().refusals(), 1, "the access before it");
}

#[test]
fn an_invalidate_is_not_done_before_it_says_so() {
    let mut d = Driver::new("vram=4G,tlb-polls=3");
    let root = boot(&mut d);
    let mut tables = 0x80_0000;
    d.map(root, 0x5000, 0x1_2000, &mut tables);
    d.pramin_write64(0x1_2000, 1);
    d.pramin_write64(0x1_3000, 2);
    assert_eq!(d.bar1(0x5000, 8), 1);
    d.map(root, 0x5000, 0x1_3000, &mut tables);
    d.w(0xb8_30a0, (root >> 8) as u32 & !0xf);
    d.w(0xb8_30a4, (root >> 40) as u32);
    d.w(0xb8_30b0, 0x8000_0001);
    assert_eq!(d.bar1(0x5000, 8), 1);
    assert_eq!(d.refusals("tlb-stale"), 1);
    assert!((0..3).all(|_| d.r(0xb8_30b0) >> 31 == 1));
    assert_eq!(d.r(0xb8_30b0), 1);
    assert_eq!(d.bar1(0x5000, 8), 2);
    // The next one, begun before the last is done.
    d.w(0xb8_30b0, 0x8000_0001);
    d.w(0xb8_30b0, 0x8000_0001);
    assert_eq!(d.refusals("tlb-busy"), 1);
    // A root in system memory is not one of those in use.
    while d.r(0xb8_30b0) >> 31 != 0 {}
    d.w(0xb8_30a0, (root >> 8) as u32 & !0xf | 2);
    d.w(0xb8_30b0, 0x8000_0001);
    assert_eq!(d.refusals("tlb-unknown-pdb"), 1);
}

#[test]
fn paranoid_finds_what_an_invalidate_did_not_cover() {
    let mut d = Driver::new("vram=4G,tlb=paranoid");
    let root = boot(&mut d);
    let mut tables = 0x80_0000;
    d.map(root, 0x5000, 0x1_2000, &mut tables);
    d.bar1(0x5000, 8);
    d.map(root, 0x5000, 0x1_3000, &mut tables);
    d.invalidate(0x7777_0000);
    assert_eq!(d.refusals("tlb-uncovered"), 1);
    d.invalidate(root);
    assert_eq!(d.refusals("tlb-uncovered"), 1);
    assert_eq!(d.refusals("tlb-stale"), 0);
}

#[test]
fn coherent_keeps_nothing() {
    let mut d = Driver::new("vram=4G,tlb=coherent");
    let root = boot(&mut d);
    let mut tables = 0x80_0000;
    d.map(root, 0x5000, 0x1_2000, &mut tables);
    d.pramin_write64(0x1_3000, 2);
    d.bar1(0x5000, 8);
    d.map(root, 0x5000, 0x1_3000, &mut tables);
    assert_eq!(d.bar1(0x5000, 8), 2);
    assert_eq!(d.gpu.stats().refusals(), 0);
}

#[test]
fn tables_must_be_in_memory_of_the_driver_and_written() {
    // In the firmware's reservation.
    let (mut d, root) = booted();
    let info = d.call(65, &[0; 0x678]).unwrap().payload;
    let end = u64::from_le_bytes(info[0x168..0x170].try_into().unwrap()) + 1;
    let mut tables = end + 0x8_0000;
    d.map(root, 0x5000, 0x1_2000, &mut tables);
    d.bar1(0x5000, 4);
    assert_eq!(d.refusals("mmu-table-place"), 1);
    d.bar1(0x5004, 4);
    assert_eq!(d.refusals("mmu-table-place"), 1, "judged once");
    // Linked without being zeroed: the entries are what memory was left with.
    let (mut d, root) = booted();
    let mut tables = 0x80_0000;
    d.map(root, 0x5000, 0x1_2000, &mut tables);
    d.gpu.vram().poison(0x80_0000..0x80_1000).unwrap();
    d.bar1(0x5000, 4);
    assert_eq!(d.refusals("mmu-table-unwritten"), 1);
}

#[test]
fn malformed_entries_are_refused() {
    let (mut d, root) = booted();
    let mut tables = 0x80_0000;
    d.map(root, 0x5000, 0x1_2000, &mut tables);
    let pd2 = (d.pramin64(root) >> 8 & 0x1ff_ffff) << 12;
    let pd1 = (d.pramin64(pd2) >> 8 & 0x1ff_ffff) << 12;
    let pd0 = (d.pramin64(pd1) >> 8 & 0x1ff_ffff) << 12;
    let slot = |va: u64| pd0 + 16 * (va >> 21);
    for (va, low, high, kind) in [
        (0x20_0000, 0x0400_0101, 0, "mmu-leaf-misaligned"),
        (0x40_0000, 0x0400_0001, 0x8_0002, "mmu-leaf-with-table"),
        (0x60_0000, 8, 0x8_0002, "mmu-sparse-with-table"),
    ] {
        d.pramin_write64(slot(va), low);
        d.pramin_write64(slot(va) + 8, high);
        d.bar1(va, 4);
        assert_eq!(d.refusals(kind), 1, "{kind}");
    }
    // Bit 0 in PD2: 256 GiB pages do not exist.
    let entry = d.pramin64(pd2);
    d.pramin_write64(pd2, entry | 1);
    d.invalidate(root);
    d.bar1(0x5000, 4);
    assert_eq!(d.refusals("mmu-leaf-above"), 1);
    assert_eq!(d.refusals("bar1-rm-mapping"), 1, "it is RM's");
}

#[test]
fn linking_one_half_must_keep_the_other() {
    let (mut d, root) = booted();
    let mut tables = 0x80_0000;
    d.map(root, 0x5000, 0x1_2000, &mut tables);
    d.bar1(0x5000, 4);
    let pd2 = (d.pramin64(root) >> 8 & 0x1ff_ffff) << 12;
    let pd1 = (d.pramin64(pd2) >> 8 & 0x1ff_ffff) << 12;
    let pd0 = (d.pramin64(pd1) >> 8 & 0x1ff_ffff) << 12;
    let small = d.pramin64(pd0 + 8);
    // A big table beside the small one: good.
    d.gpu
        .vram()
        .zero(0x90_0000..0x90_1000, ada_gpu_model::vram::Writer::Cpu)
        .unwrap();
    d.pramin_write64(pd0, 0x90_0000 >> 4 | 2);
    d.invalidate(root);
    assert_eq!(d.refusals("mmu-dual-half"), 0);
    assert_eq!(d.bar1(0x5000, 4), 0xdead_beef, "falls through");
    // Both written anew with only one of them: the other is lost.
    d.pramin_write64(pd0, 0);
    d.invalidate(root);
    assert_eq!(d.refusals("mmu-dual-half"), 0, "unlinking is good");
    d.pramin_write64(pd0, 0x90_0000 >> 4 | 2);
    d.pramin_write64(pd0 + 8, 0);
    d.invalidate(root);
    assert_eq!(d.refusals("mmu-dual-half"), 1, "{small:#x}");
}

#[test]
fn update_bar_pde_must_not_replace_rm_entries() {
    let (mut d, _) = booted();
    let mut p = vec![0u8; 0x18];
    p[8] = 8;
    p[0x10] = 47;
    d.call(70, &p).unwrap();
    assert_eq!(d.refusals("bar1-rm-mapping"), 1);
}

#[test]
fn overwriting_rm_entries_is_noticed() {
    let (mut d, root) = booted();
    d.pramin_write64(root, 0);
    d.invalidate(root);
    assert_eq!(d.refusals("bar1-rm-mapping"), 1);
}

#[test]
fn mapping_wpr2_or_nothing_is_refused() {
    let (mut d, root) = booted();
    let mut tables = 0x80_0000;
    let wpr2 = u64::from(d.r(0x1f_a824) & !0xf) << 8;
    d.map(root, 0x5000, wpr2, &mut tables);
    d.map(root, 0x6000, 1 << 32, &mut tables);
    d.invalidate(root);
    assert_eq!(d.bar1(0x5000, 4), 0xffff_ffff);
    assert_eq!(d.refusals("window-wpr2"), 1);
    assert_eq!(d.refusals("mmu-leaf-reserved"), 1);
    assert_eq!(d.bar1(0x6000, 4), 0xffff_ffff);
    assert_eq!(d.refusals("window-fault"), 1);
    let (bar1, end) = (d.gpu.pci().bar1_size, d.gpu.pci().bar1_size - 2);
    assert_eq!(d.bar1(end, 4), 0xffff_ffff);
    assert_eq!(d.refusals("window-range"), 1, "{bar1:#x}");
}

#[test]
fn bar2_needs_update_bar_pde() {
    let (mut d, _) = booted();
    assert_eq!(d.gpu.read(Function::Pf, Bar::Bar3, 0, 4), 0xffff_ffff);
    let mut p = vec![0u8; 0x18];
    p[0] = 1;
    // A sparse entry: reads as zero.
    p[8] = 8;
    p[0x10] = 47;
    assert_eq!(d.call(70, &p).unwrap().result, 0);
    assert_eq!(d.gpu.read(Function::Pf, Bar::Bar3, 0, 4), 0);
    p[0x10] = 38;
    assert_ne!(d.call(70, &p).unwrap().result, 0);
    assert_eq!(d.refusals("update-bar-pde"), 1);
}
