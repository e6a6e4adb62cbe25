// SPDX-License-Identifier: GPL-2.0

//! Page tables against a walker of their own.
//!
//! ```text
//!   Tree (driver) --writes--> Vram <--reads-- look_up (this file)
//!                              |
//!                              '-- Linked: every table that was reachable since the last
//!                                  invalidation; writing a new table over one is a failure
//! ```
//!
//! `look_up` is written from the hardware's description (OGKM 570.144 `pascal/gp100/dev_mmu.h`),
//! not from the code under test, and knows more than the driver uses.

mod random;

use super::mm::{
    pagetable::{Aperture, Attributes, PageSize, VIDEO_LIMIT},
    pool::{Chunk, Source, CHUNK_SIZE},
    shape::{Fill, Job},
    walk::{Left, TableMemory, Tree, WalkError},
};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

const K: u64 = 1 << 10;
const M: u64 = 1 << 20;
const G: u64 = 1 << 30;
/// A root directory that somebody else made.
const ROOT: u64 = 0x10_0000;

/// What an access by the GPU ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    Fault,
    Sparse,
    Page {
        /// Aperture code of a leaf: 0 video, 2 coherent system memory.
        aperture: u64,
        address: u64,
        kind: u64,
        read_only: bool,
        privileged: bool,
        volatile: bool,
        size: u64,
    },
}

#[derive(Debug, PartialEq, Eq)]
enum Failure {
    Access,
    NoChunk,
}

/// Frame buffer with tables in it. What nobody has written is not there.
struct Vram {
    words: BTreeMap<u64, u64>,
    linked: BTreeSet<u64>,
    /// Writes until one fails.
    writes: Option<usize>,
    written: u64,
}

struct Chunks {
    free: Vec<u64>,
}

impl Source for Chunks {
    type Error = Failure;
    fn reserve(&mut self) -> Result<u64, Failure> {
        self.free.pop().ok_or(Failure::NoChunk)
    }
    fn release(&mut self, base: u64) {
        assert!(!self.free.contains(&base));
        self.free.push(base);
    }
    fn no_memory(&self) -> Failure {
        Failure::NoChunk
    }
}

impl TableMemory for Vram {
    type Error = Failure;

    fn read64(&mut self, address: u64) -> Result<u64, Failure> {
        Ok(*self
            .words
            .get(&address)
            .unwrap_or_else(|| panic!("{address:#x} is read but was never written")))
    }

    fn write64(&mut self, address: u64, entry: u64) -> Result<(), Failure> {
        self.read64(address)?;
        self.put(address, entry)
    }

    fn init64(&mut self, address: u64, entry: u64) -> Result<(), Failure> {
        assert!(
            !self.linked.contains(&(address & !0xff)),
            "{address:#x} is used again while a TLB may know it"
        );
        self.put(address, entry)
    }
}

impl Vram {
    fn put(&mut self, address: u64, entry: u64) -> Result<(), Failure> {
        assert!(entry != 1 && entry != 0x28, "{entry:#x} at {address:#x}");
        if let Some(left) = &mut self.writes {
            *left = left.checked_sub(1).ok_or(Failure::Access)?;
        }
        self.words.insert(address, entry);
        self.written += 8;
        Ok(())
    }

    fn get(&self, address: u64) -> u64 {
        self.words[&address]
    }

    /// Marks all tables below `root` as known to the TLBs.
    fn see(&mut self, root: u64) {
        let mut todo = vec![(root, 0)];
        while let Some((table, depth)) = todo.pop() {
            let bytes: u64 = [32, 4096, 4096, 4096, 256, 4096][depth];
            self.linked
                .extend((table..table + bytes.max(256)).step_by(256));
            if depth >= 4 {
                continue;
            }
            for at in (table..table + bytes).step_by(8) {
                let raw = self.get(at);
                if raw & 1 == 1 || raw >> 1 & 3 != 1 {
                    continue;
                }
                match depth {
                    3 if at % 16 == 0 => todo.push(((raw & 0x1_ffff_fff0) << 4, 4)),
                    3 => todo.push(((raw & 0x1_ffff_ff00) << 4, 5)),
                    _ => todo.push(((raw & 0x1_ffff_ff00) << 4, depth + 1)),
                }
            }
        }
    }

    /// The invalidation: nothing but what is reachable now is known.
    fn invalidate(&mut self, root: u64) {
        self.linked.clear();
        self.see(root);
    }

    /// Translates `va` the way the hardware does.
    fn look_up(&self, root: u64, va: u64) -> Found {
        let mut table = root;
        for (shift, bits, leaf) in [(47, 2, 0), (38, 9, 0), (29, 9, 512 * M)] {
            let raw = self.get(table + (va >> shift & ((1 << bits) - 1)) * 8);
            if raw & 1 == 1 {
                assert_ne!(leaf, 0, "leaf above PD1");
                return decode_leaf(raw, va, leaf);
            }
            match raw >> 1 & 3 {
                0 if raw & 8 != 0 => return Found::Sparse,
                0 => return Found::Fault,
                1 => table = (raw >> 8 & 0x1ff_ffff) << 12,
                _ => panic!("table in system memory"),
            }
        }
        let slot = table + (va >> 21 & 0xff) * 16;
        let (low, high) = (self.get(slot), self.get(slot + 8));
        if low & 1 == 1 {
            assert_eq!(high, 0, "high half beside a leaf");
            return decode_leaf(low, va, 2 * M);
        }
        let (big, small) = (low >> 1 & 3, high >> 1 & 3);
        if big == 0 && small == 0 {
            return if low & 8 != 0 {
                Found::Sparse
            } else {
                Found::Fault
            };
        }
        if big != 0 {
            let pte = self.get(((low >> 4 & 0x1fff_ffff) << 8) + (va >> 16 & 0x1f) * 8);
            if pte & 1 == 1 {
                return decode_leaf(pte, va, 64 * K);
            }
            if pte & 0x20 != 0 {
                return Found::Fault;
            }
            if pte & 8 != 0 {
                return Found::Sparse;
            }
        } else {
            assert_eq!(low & 8, 0, "sparse mark above a small table");
        }
        if small == 0 {
            return Found::Fault;
        }
        let pte = self.get(((high >> 8 & 0x1ff_ffff) << 12) + (va >> 12 & 0x1ff) * 8);
        match pte {
            _ if pte & 1 == 1 => decode_leaf(pte, va, 4 * K),
            8 => Found::Sparse,
            0 => Found::Fault,
            _ => panic!("small entry {pte:#x}"),
        }
    }
}

fn decode_leaf(raw: u64, va: u64, size: u64) -> Found {
    let aperture = raw >> 1 & 3;
    let bits = if aperture == 0 { 25 } else { 46 };
    let frame = (raw >> 8 & ((1 << bits) - 1)) << 12;
    assert_eq!(frame % size, 0, "frame of a leaf is not aligned");
    Found::Page {
        aperture,
        address: frame + (va & (size - 1)),
        kind: raw >> 56,
        read_only: raw & 0x40 != 0,
        privileged: raw & 0x20 != 0,
        volatile: raw & 8 != 0,
        size,
    }
}

/// A tree, its memory, and where that comes from.
struct Machine {
    tree: Tree<Vec<Chunk>>,
    vram: Vram,
    chunks: Chunks,
}

impl Machine {
    fn new(own: bool) -> Self {
        let mut vram = Vram {
            words: (0..4).map(|i| (ROOT + 8 * i, 0)).collect(),
            linked: BTreeSet::new(),
            writes: None,
            written: 0,
        };
        let mut chunks = Chunks {
            free: (0..64).map(|i| 0x1000_0000 + i * CHUNK_SIZE).collect(),
        };
        let tree = match own {
            true => Tree::own(&mut vram, &mut chunks, Vec::new()).unwrap(),
            false => Tree::foreign(ROOT, Vec::new(), 0),
        };
        vram.written = 0;
        Self { tree, vram, chunks }
    }

    fn map(&mut self, job: &Job<'_>) -> Result<(), (WalkError<Failure>, Left)> {
        let result = self.tree.map(&mut self.vram, &mut self.chunks, job);
        self.vram.see(self.tree.root());
        result
    }

    /// Maps frame buffer, invalidates.
    fn map_fb(&mut self, va: u64, phys: u64, len: u64, largest: PageSize) {
        let fill = Fill::Run(Attributes::VIDEO, phys);
        let job = Job::new(va..va + len, largest, fill).unwrap();
        self.map(&job).unwrap();
        self.settle();
    }

    fn unmap(&mut self, job: &Job<'_>) -> Result<(), WalkError<Failure>> {
        let result = self.tree.unmap(&mut self.vram, job.va(), job.shape());
        self.vram.see(self.tree.root());
        result
    }

    fn unmap_fb(&mut self, va: u64, len: u64, largest: PageSize) -> Result<(), WalkError<Failure>> {
        let fill = Fill::Run(Attributes::VIDEO, va % (2 * M));
        let job = Job::new(va..va + len, largest, fill).unwrap();
        let result = self.unmap(&job);
        self.settle();
        result
    }

    fn settle(&mut self) {
        self.vram.invalidate(self.tree.root());
        self.tree.settle(&mut self.chunks);
    }

    fn at(&self, va: u64) -> Found {
        self.vram.look_up(self.tree.root(), va)
    }

    /// Address and leaf size of plain frame buffer at `va`.
    fn fb_at(&self, va: u64) -> Option<(u64, u64)> {
        match self.at(va) {
            Found::Page {
                aperture: 0,
                address,
                size,
                ..
            } => Some((address, size)),
            _ => None,
        }
    }
}

#[test]
fn leaves_are_as_large_as_alignment_allows() {
    let mut m = Machine::new(true);
    // Edges of 64 KiB pages around two leaves of 2 MiB.
    let (va, phys, len) = (2 * M - 128 * K, 66 * M - 128 * K, 4 * M + 192 * K);
    m.map_fb(va, phys, len, PageSize::Huge);
    for offset in (0..len).step_by(4096) {
        let size = match offset {
            _ if (128 * K..4 * M + 128 * K).contains(&offset) => 2 * M,
            _ => 64 * K,
        };
        assert_eq!(m.fb_at(va + offset), Some((phys + offset, size)));
    }
    assert_eq!(m.at(va - 1), Found::Fault);
    assert_eq!(m.at(va + len), Found::Fault);
    m.unmap_fb(va, len, PageSize::Huge).unwrap();
    assert_eq!(m.at(va), Found::Fault);
    assert_eq!(m.at(2 * M), Found::Fault);
    assert_eq!(m.tree.used(), 4096, "the root");
}

#[test]
fn both_tables_share_a_slot() {
    let mut m = Machine::new(true);
    m.map_fb(0, 0x10_0000, 64 * K, PageSize::Big);
    m.map_fb(64 * K, 0x50_1000, 12 * K, PageSize::Small);
    m.map_fb(M, 0x90_0000, 128 * K, PageSize::Big);
    assert_eq!(m.fb_at(0xffff), Some((0x10_ffff, 64 * K)));
    assert_eq!(m.fb_at(64 * K + 1), Some((0x50_1001, 4 * K)));
    assert_eq!(m.fb_at(M), Some((0x90_0000, 64 * K)));
    m.unmap_fb(0, 64 * K, PageSize::Big).unwrap();
    assert_eq!(m.at(0), Found::Fault);
    assert_eq!(
        m.fb_at(64 * K),
        Some((0x50_1000, 4 * K)),
        "the other half stays"
    );
    m.unmap_fb(M, 128 * K, PageSize::Big).unwrap();
    assert_eq!(m.fb_at(64 * K), Some((0x50_1000, 4 * K)));
    m.map_fb(M, 0x90_0000, 64 * K, PageSize::Big);
    m.unmap_fb(64 * K, 12 * K, PageSize::Small).unwrap();
    assert_eq!(m.fb_at(M), Some((0x90_0000, 64 * K)));
    // With nothing left in the slot a leaf of 2 MiB fits.
    m.unmap_fb(M, 64 * K, PageSize::Big).unwrap();
    m.map_fb(0, 4 * M, 2 * M, PageSize::Huge);
    assert_eq!(m.fb_at(M), Some((5 * M, 2 * M)));
}

#[test]
fn attributes_reach_the_leaves() {
    let mut m = Machine::new(true);
    let attributes = Attributes {
        aperture: Aperture::System,
        kind: 6,
        read_only: true,
        privileged: true,
    };
    let pages = [0x7_0000_3000, 0x1000, 0x3fff_ffff_f000];
    let job = Job::new(
        0x7000..0xa000,
        PageSize::Small,
        Fill::Pages(attributes, &pages),
    )
    .unwrap();
    m.map(&job).unwrap();
    for (i, page) in pages.iter().enumerate() {
        assert_eq!(
            m.at(0x7000 + i as u64 * 4096 + 4),
            Found::Page {
                aperture: 2,
                address: page + 4,
                kind: 6,
                read_only: true,
                privileged: true,
                volatile: true,
                size: 4 * K,
            }
        );
    }
    m.unmap(&job).unwrap();
    assert_eq!(m.at(0x8000), Found::Fault);
}

#[test]
fn sparse_ranges_at_every_level() {
    let mut m = Machine::new(true);
    let (start, end) = (512 * M - 2 * M - 64 * K - 4 * K, G + 4 * M + 4 * K);
    let job = Job::new(start..end, PageSize::Huge, Fill::Sparse).unwrap();
    m.map(&job).unwrap();
    for va in [
        start,
        510 * M,
        511 * M,
        512 * M,
        G - 1,
        G,
        G + 2 * M,
        end - 1,
    ] {
        assert_eq!(m.at(va), Found::Sparse, "{va:#x}");
    }
    assert_eq!(m.at(start - 1), Found::Fault);
    assert_eq!(m.at(end), Found::Fault);
    m.unmap(&job).unwrap();
    for va in [start, 510 * M, 512 * M, G, end - 1] {
        assert_eq!(m.at(va), Found::Fault, "{va:#x}");
    }
    m.settle();
    assert_eq!(m.tree.used(), 4096);
    // Memory where a sparse mark was.
    m.map_fb(512 * M, 0x9000, 4 * K, PageSize::Small);
    assert_eq!(m.fb_at(512 * M), Some((0x9000, 4 * K)));
    assert_eq!(m.at(512 * M + 4 * K), Found::Fault);
}

/// Builds GSP-RM's tables for `va` and gives the address of its entry at the level of `shift`.
fn foreign_entry(m: &mut Machine, va: u64, shift: u32) -> u64 {
    let mut table = ROOT;
    for (i, (s, bits)) in [(47, 2), (38, 9), (29, 9), (21, 8)].into_iter().enumerate() {
        let size = if s == 21 { 16 } else { 8 };
        let entry = table + (va >> s & ((1 << bits) - 1)) * size;
        if s == shift {
            return entry;
        }
        let next = 0x80_0000 + i as u64 * 0x1000;
        for at in (next..next + 4096).step_by(8) {
            m.vram.words.insert(at, 0);
        }
        // Volatile, as some drivers have it.
        m.vram.words.insert(entry, next >> 4 | 2 | 8);
        table = next;
    }
    panic!("no level {shift}")
}

#[test]
fn entries_of_others_are_respected() {
    let va = 600 * M;
    for (shift, low, high) in [
        (21, 0x0400_0001u64, 0u64), // leaf
        (21, 0x412, 0),             // table of 64 KiB pages
        (21, 0, 0x302),             // table of 4 KiB pages
        (21, 0x412, 0x302),         // both
        (21, 0, 0x1000_000c),       // table in system memory
        (21, 0x8, 0),               // sparse
        (21, 0x20, 0),
        (29, 0x8, 0),
        (29, 0x0400_0001, 0),
        (38, 0x8, 0),
        (47, 0x1000_000c, 0),
    ] {
        for (largest, offset, len) in [
            (PageSize::Small, 4 * K, 4 * K),
            (PageSize::Big, 64 * K, 64 * K),
            (PageSize::Huge, 0, 2 * M),
        ] {
            let mut m = Machine::new(false);
            let entry = foreign_entry(&mut m, va, shift);
            m.vram.words.insert(entry, low);
            if shift == 21 {
                m.vram.words.insert(entry + 8, high);
            }
            let image = m.vram.words.clone();
            let range = va + offset..va + offset + len;
            let job = Job::new(range, largest, Fill::Run(Attributes::VIDEO, 0)).unwrap();
            let result = m.tree.map(&mut m.vram, &mut m.chunks, &job);
            let slot = WalkError::Occupied {
                va: va >> shift << shift,
                len: 1 << shift,
            };
            assert_eq!(result, Err((slot, Left::Untouched)));
            assert_eq!(m.vram.words, image, "nothing was written");
            assert_eq!(m.tree.held(), 0);
        }
    }
}

#[test]
fn directories_of_others_are_shared() {
    let mut m = Machine::new(false);
    let va = 600 * M;
    let entry = foreign_entry(&mut m, va, 21);
    m.vram.words.insert(entry, 0x0400_0001);
    let image = m.vram.words.clone();
    m.map_fb(va + 2 * M, 8 * M, 2 * M, PageSize::Huge);
    m.map_fb(va + 4 * M, 0x5000, 8 * K, PageSize::Small);
    m.map_fb(va + G, 0x7000, 4 * K, PageSize::Small);
    assert_eq!(m.fb_at(va + 3 * M), Some((9 * M, 2 * M)));
    assert_eq!(m.fb_at(va + 4 * M), Some((0x5000, 4 * K)));
    assert_eq!(m.fb_at(va), Some((0x4000_0000, 2 * M)), "theirs");
    // Somebody puts a table where our leaf is: it is not touched.
    let ours = m.vram.get(entry + 16);
    m.vram.words.insert(entry + 16, 0x202);
    let wrong = WalkError::Mismatch { va: va + 2 * M };
    assert_eq!(
        m.tree
            .unmap(&mut m.vram, va + 2 * M..va + 4 * M, shape(PageSize::Huge)),
        Err(wrong)
    );
    m.vram.words.insert(entry + 16, ours);

    m.unmap_fb(va + 2 * M, 2 * M, PageSize::Huge).unwrap();
    m.unmap_fb(va + 4 * M, 8 * K, PageSize::Small).unwrap();
    m.unmap_fb(va + G, 4 * K, PageSize::Small).unwrap();
    for (at, value) in image {
        assert_eq!(m.vram.get(at), value, "{at:#x} is as before");
    }
    assert_eq!(m.tree.held(), 0);
}

fn shape(largest: PageSize) -> super::mm::shape::Shape {
    super::mm::shape::Shape {
        largest,
        sparse: false,
    }
}

#[test]
fn what_is_not_mapped_is_not_unmapped() {
    let mut m = Machine::new(true);
    let nothing = WalkError::Mismatch { va: 600 * M };
    assert_eq!(m.unmap_fb(600 * M, 4 * K, PageSize::Small), Err(nothing));
    // The rest of a damaged mapping is cleared all the same.
    m.map_fb(0, 32 * M, 8 * M, PageSize::Small);
    let root = m.tree.root();
    let table = |m: &Machine, at: u64| (m.vram.get(at) >> 8) << 12;
    let pd0 = (0..3).fold(root, |at, _| table(&m, at));
    m.vram.words.insert(pd0 + 16 + 8, 0);
    let damaged = WalkError::Mismatch { va: 2 * M };
    assert_eq!(m.unmap_fb(0, 8 * M, PageSize::Small), Err(damaged));
    for va in [0, 2 * M, 4 * M, 6 * M] {
        assert_eq!(m.at(va), Found::Fault);
    }
}

#[test]
fn two_gib_take_no_byte_more_than_their_tables() {
    let mut m = Machine::new(true);
    m.map_fb(4 * G, 2 * G, 2 * G, PageSize::Huge);
    assert_eq!(m.fb_at(5 * G + 12345), Some((3 * G + 12345, 2 * M)));
    // PD2, PD1 and a PD0 for each 512 MiB, each entry once, and one entry of the root.
    assert_eq!(m.vram.written, 6 * 4096 + 8);
    assert_eq!(m.tree.used(), 7 * 4096);
    // A neighbour costs its entries and new tables for them only.
    m.vram.written = 0;
    m.map_fb(6 * G, 32 * M, 4 * M, PageSize::Huge);
    assert_eq!(m.vram.written, 4096 + 8);
    m.vram.written = 0;
    m.map_fb(6 * G + 4 * M, 4 * M, 4 * M, PageSize::Huge);
    assert_eq!(m.vram.written, 16);
}

#[test]
fn no_memory_for_tables() {
    let mut m = Machine::new(true);
    let mut held = std::mem::take(&mut m.chunks.free);
    let job = Job::new(0..2 * G, PageSize::Small, Fill::Run(Attributes::VIDEO, 0)).unwrap();
    // Enough for some of the tables.
    m.chunks.free.extend(held.drain(..2));
    let (words, used) = (m.vram.words.clone(), m.tree.used());
    assert_eq!(
        m.map(&job),
        Err((WalkError::Memory(Failure::NoChunk), Left::Untouched))
    );
    assert_eq!((m.vram.words.clone(), m.tree.used()), (words, used));
    assert_eq!(m.chunks.free.len(), 2, "what was got is given back");
}

#[test]
fn close_gives_everything_back() {
    let mut m = Machine::new(true);
    m.map_fb(0, 32 * M, 64 * M, PageSize::Small);
    m.map_fb(G, VIDEO_LIMIT - 64 * K, 64 * K, PageSize::Big);
    m.tree.close(&mut m.chunks);
    assert_eq!(m.chunks.free.len(), 64);
    assert_eq!(m.tree.held(), 0);
}

fn overlap(a: &Range<u64>, b: &Range<u64>) -> bool {
    a.start < b.end && b.start < a.end
}
