// SPDX-License-Identifier: GPL-2.0

//! Tables from taken to given back.

use super::*;

impl Shelf for Vec<Chunk> {
    fn insert(&mut self, at: usize, chunk: Chunk) -> bool {
        Vec::insert(self, at, chunk);
        true
    }
    fn remove(&mut self, at: usize) {
        Vec::remove(self, at);
    }
}

/// Hands out chunks from the top, as the driver does.
struct Memory(Vec<u64>);

impl Source for Memory {
    type Error = ();
    fn reserve(&mut self) -> Result<u64, ()> {
        self.0.pop().ok_or(())
    }
    fn release(&mut self, base: u64) {
        assert!(!self.0.contains(&base), "released twice");
        self.0.push(base);
    }
    fn no_memory(&self) {}
}

fn pool(chunks: u64, keep: usize) -> (Pool<Vec<Chunk>>, Memory) {
    let memory = Memory((0..chunks).map(|i| (i + 1) * 2 * CHUNK_SIZE).collect());
    (Pool::new(Vec::new(), keep), memory)
}

#[test]
fn cells_share_pages() {
    let (mut p, mut m) = pool(2, 0);
    p.ensure(1, 17, &mut m).unwrap();
    let page = p.take(Size::Page).unwrap();
    let cells: Vec<u64> = (0..17).map(|_| p.take(Size::Cell).unwrap()).collect();
    assert_eq!(p.used(), PAGE_SIZE + 17 * BIG_TABLE_SIZE);
    assert!(cells.iter().all(|&c| c % BIG_TABLE_SIZE == 0 && c != page));
    assert_eq!(cells[15], cells[0] + 15 * BIG_TABLE_SIZE);
    assert_ne!(cells[16] & !(PAGE_SIZE - 1), cells[0]);
    // 15 cells are left in the second page of cells: no new page is needed for them.
    let before = p.held();
    p.ensure(29, 15, &mut m).unwrap();
    assert_eq!(p.held(), before);
    p.ensure(29, 16, &mut m).unwrap();
    assert_eq!(p.held(), before + CHUNK_SIZE);
}

#[test]
fn doomed_tables_are_free_only_after_burial() {
    let (mut p, mut m) = pool(1, 0);
    p.ensure(PAGES, 0, &mut m).unwrap();
    let tables: Vec<u64> = (0..PAGES).map(|_| p.take(Size::Page).unwrap()).collect();
    assert_eq!(p.take(Size::Page), None);
    p.commit();
    p.doom(tables[3], Size::Page);
    assert_eq!(p.take(Size::Page), None);
    p.trim(&mut m);
    p.bury();
    assert_eq!(p.take(Size::Page), Some(tables[3]));
    p.abandon();
    assert_eq!(p.used(), CHUNK_SIZE - PAGE_SIZE);
    assert_eq!(p.held(), CHUNK_SIZE);
}

#[test]
fn empty_chunks_go_back() {
    let (mut p, mut m) = pool(3, 1);
    p.ensure(0, 0, &mut m).unwrap();
    assert_eq!(p.held(), CHUNK_SIZE, "the one that is kept");
    p.ensure(2 * PAGES + 1, 0, &mut m).unwrap();
    assert_eq!(m.0.len(), 0);
    assert!(p.ensure(3 * PAGES + 1, 0, &mut m).is_err());
    let table = p.take(Size::Page).unwrap();
    p.commit();
    p.trim(&mut m);
    assert_eq!(p.held(), CHUNK_SIZE);
    assert!(p.owns(table));
    assert!(!p.owns(table + CHUNK_SIZE));
    p.doom(table, Size::Page);
    p.bury();
    p.trim(&mut m);
    assert_eq!((p.held(), p.used()), (CHUNK_SIZE, 0));
    p.clear(&mut m);
    assert_eq!(m.0.len(), 3);
}

#[test]
fn entries_are_counted_per_table() {
    let (mut p, mut m) = pool(1, 0);
    p.ensure(0, 2, &mut m).unwrap();
    let (a, b) = (p.take(Size::Cell).unwrap(), p.take(Size::Cell).unwrap());
    *p.live(a).unwrap() += 3;
    assert_eq!(p.live(a), Some(&mut 3));
    assert_eq!(p.live(b), Some(&mut 0));
    assert_eq!(p.live(0), None);
    // Whoever takes the table next starts at zero.
    p.commit();
    p.doom(a, Size::Cell);
    p.bury();
    assert_eq!(p.take(Size::Cell), Some(a));
    assert_eq!(p.live(a), Some(&mut 0));
}
