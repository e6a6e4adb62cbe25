// SPDX-License-Identifier: GPL-2.0

//! Walks of tables in a map, and what is odd about them.

use super::*;
use std::collections::HashMap;

#[derive(Default)]
struct Map(HashMap<(Aperture, u64), u64>);

impl Map {
    fn put(&mut self, addr: u64, v: u64) -> &mut Map {
        self.0.insert((Aperture::Video, addr), v);
        self
    }
}

impl Tables for Map {
    fn read(&self, a: Aperture, addr: u64) -> Option<u64> {
        (addr < 1 << 40).then(|| self.0.get(&(a, addr)).copied().unwrap_or(0))
    }
}

/// PD3 0x1000, PD2 0x2000, PD1 0x4000, PD0 0x5000, linked for VA 0.
fn tree() -> Map {
    let mut m = Map::default();
    m.put(0x1000, 0x202).put(0x2000, 0x402).put(0x4000, 0x502);
    m
}

fn memory(addr: u64, leaf: u64) -> Result<Target, Fault> {
    Ok(Target::Memory {
        aperture: Aperture::Video,
        addr,
        read_only: false,
        leaf,
    })
}

#[test]
fn small_page() {
    let mut m = tree();
    m.put(0x5008, 0x302).put(0x3000, 0x1234_5601);
    assert_eq!(walk(&m, 0x1000, 0x34), memory(0x1_2345_6034, PAGE_4K));
    assert_eq!(walk(&m, 0x1000, 0x1000), Err(Fault::Pte));
    assert_eq!(walk(&m, 0x1000, PAGE_2M), Err(Fault::Pde));
    assert_eq!(walk(&m, 0x1000, 1 << 49), Err(Fault::VaLimit));
}

#[test]
fn big_page_hides_or_falls_through() {
    let mut m = tree();
    m.put(0x5000, 0x412).put(0x5008, 0x302);
    m.put(0x3000, 0x1234_5601);
    assert_eq!(walk(&m, 0x1000, 0), memory(0x1_2345_6000, PAGE_4K));
    m.put(0x4100, 0x20);
    assert_eq!(walk(&m, 0x1000, 0), Err(Fault::Pte));
    m.put(0x4100, 0x28);
    assert_eq!(walk(&m, 0x1000, 0), Err(Fault::Pte));
    m.put(0x4100, 0x8);
    assert_eq!(walk(&m, 0x1000, 0), Ok(Target::Sparse));
    m.put(0x4100, 0x1234_0001);
    assert_eq!(walk(&m, 0x1000, 0x1_2345), Err(Fault::Pte));
    assert_eq!(walk(&m, 0x1000, 0x2345), memory(0x1_2340_2345, PAGE_64K));
    m.put(0x4100, 0x1234_5601);
    assert_eq!(walk(&m, 0x1000, 0), Err(Fault::Region));
}

#[test]
fn huge_leaves() {
    let mut m = tree();
    m.put(0x5000, 0x0400_0001);
    assert_eq!(walk(&m, 0x1000, 0x12_3456), memory(0x4012_3456, PAGE_2M));
    m.put(0x4000, 0x0200_0041);
    assert_eq!(
        walk(&m, 0x1000, 0x12_3456),
        Ok(Target::Memory {
            aperture: Aperture::Video,
            addr: 0x2012_3456,
            read_only: true,
            leaf: PAGE_512M
        })
    );
    m.put(0x2000, 1);
    assert_eq!(walk(&m, 0x1000, 0), Err(Fault::PdeSize));
}

#[test]
fn kinds_apertures_sparse() {
    let mut m = tree();
    m.put(0x5008, 0x302);
    m.put(0x3000, 0x0700_0000_1234_5601);
    assert_eq!(walk(&m, 0x1000, 0), Err(Fault::Kind));
    m.put(0x3000, 0x1234_5603);
    assert_eq!(walk(&m, 0x1000, 0), Err(Fault::Aperture));
    m.put(0x3000, 0x1000_000d);
    assert!(matches!(
        walk(&m, 0x1000, 0),
        Ok(Target::Memory {
            aperture: Aperture::System,
            addr: 0x1_0000_0000,
            ..
        })
    ));
    m.put(0x3000, 8);
    assert_eq!(walk(&m, 0x1000, 0), Ok(Target::Sparse));
    m.put(0x4000, 8);
    assert_eq!(walk(&m, 0x1000, 0), Ok(Target::Sparse));
    m.put(0x1000, 0x20a);
    assert_eq!(walk(&m, 0x1000, 0), Ok(Target::Sparse));
}

fn notes(m: &Map, va: u64) -> Vec<Note> {
    let mut all = Vec::new();
    let _ = resolve(m, 0x1000, va, &mut |n| all.push(n));
    all
}

#[test]
fn what_a_walk_reads_is_noted() {
    use Aperture::Video;
    let mut m = tree();
    m.put(0x5000, 0x412).put(0x5008, 0x302);
    m.put(0x3000, 0x1234_5601);
    assert_eq!(
        notes(&m, 0),
        [
            Note::Entry(Video, 0x1000),
            Note::Entry(Video, 0x2000),
            Note::Entry(Video, 0x4000),
            Note::Dual(Video, 0x5000),
            Note::Entry(Video, 0x4100),
            Note::Entry(Video, 0x3000),
        ]
    );
}

#[test]
fn malformed_entries_are_noted() {
    let last = |m: &Map| *notes(m, 0).last().unwrap();
    let mut m = tree();
    m.put(0x5000, 0x0400_0001).put(0x5008, 0x302);
    assert_eq!(last(&m), Note::LeafWithTable(0x0400_0001, 0x302));
    m.put(0x5000, 0x0400_0101).put(0x5008, 0);
    assert_eq!(last(&m), Note::Misaligned(0x0400_0101, PAGE_2M));
    m.put(0x5000, 8).put(0x5008, 0x302);
    assert!(notes(&m, 0).contains(&Note::SparseWithTable(8, 0x302)));
    m.put(0x2000, 0x403);
    assert_eq!(last(&m), Note::LeafAbove(0x403));
    m.put(0x1000, 1);
    assert_eq!(last(&m), Note::LeafAbove(1));
}

#[test]
fn leaves_know_what_they_cover() {
    let mut m = tree();
    m.put(0x5010, 8);
    let leaf = resolve(&m, 0x1000, PAGE_2M + 0x1234, &mut |_| ()).unwrap();
    assert_eq!((leaf.va, leaf.size), (PAGE_2M, PAGE_2M));
    m.put(0x1008, 8);
    let leaf = resolve(&m, 0x1000, PD3_SLOT + 5, &mut |_| ()).unwrap();
    assert_eq!((leaf.va, leaf.size), (PD3_SLOT, PD3_SLOT));
}

/// Tables full of anything: each entry is a hash of its address.
struct Noise(u64);

impl Tables for Noise {
    fn read(&self, _: Aperture, addr: u64) -> Option<u64> {
        // splitmix64; one address in eight holds a plausible pointer.
        let mut z = self
            .0
            .wrapping_add(addr.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        let v = z ^ z >> 31;
        match v % 16 {
            0 => None,
            1..=8 => Some(v & !0xff | 2),
            _ => Some(v),
        }
    }
}

proptest::proptest! {
    /// Whatever the tables hold, a walk ends, reads six entries at most, and
    /// finds a leaf around its address or none.
    #[test]
    fn garbage_is_walked_to_an_end(seed: u64, root: u64, va: u64) {
        let mut entries = 0;
        let found = resolve(&Noise(seed), root & 0xff_ffff_f000, va, &mut |n| {
            entries += usize::from(matches!(n, Note::Entry(..) | Note::Dual(..)));
        });
        proptest::prop_assert!(entries <= 6);
        if let Ok(leaf) = found {
            proptest::prop_assert!(leaf.va <= va && va - leaf.va < leaf.size);
            proptest::prop_assert!(leaf.size.is_power_of_two() && leaf.va % leaf.size == 0);
            leaf.at(va);
        }
    }
}
