// SPDX-License-Identifier: GPL-2.0

//! The translation cache, which shows a driver that forgot to invalidate.
//!
//! ```text
//! (function, root directory) -> leaves by virtual address
//!
//! miss        walk, keep the leaf
//! hit         the kept leaf, even when memory says otherwise by now: that is what
//!             hardware may do. The difference is reported once.
//! invalidate  of one root, or of all of a function: forget
//! ```
//!
//! Invalid entries are not kept: a mapping that is only added needs no invalidate.

use super::{resolve, Fault, Leaf, Note, Tables};
use std::collections::{BTreeMap, HashMap};

/// Whose address space it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Space {
    /// Graphics function: 0 is the PF.
    pub gfid: u32,
    /// Root directory in video memory.
    pub root: u64,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    leaf: Leaf,
    /// A stale use of it was reported.
    reported: bool,
}

/// A translation used after its entry was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stale {
    /// What the cache has.
    pub kept: Leaf,
    /// What the tables say.
    pub now: Result<Leaf, Fault>,
}

/// How a translation was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// By a walk.
    Walked,
    /// In the cache, which agrees with the tables or was reported before.
    Kept,
    /// In the cache, which does not agree any more.
    Stale(Stale),
}

/// A translation, for whoever judges the tables it came from.
#[derive(Debug)]
pub struct Seen {
    /// Address space.
    pub space: Space,
    /// Virtual address.
    pub va: u64,
    /// What the walk came across.
    pub notes: Vec<Note>,
    /// What it ended at.
    pub leaf: Result<Leaf, Fault>,
    /// Where that came from.
    pub found: Found,
}

/// Leaves of all address spaces.
#[derive(Debug, Default)]
pub struct Tlb {
    spaces: HashMap<Space, BTreeMap<u64, Entry>>,
}

impl Tlb {
    /// Finds the leaf that maps `va`. With `keep` off, nothing is cached.
    pub fn lookup(
        &mut self,
        tables: &dyn Tables,
        space: Space,
        va: u64,
        keep: bool,
        note: &mut dyn FnMut(Note),
    ) -> (Result<Leaf, Fault>, Found) {
        if let Some(e) = self.entry(space, va) {
            let now = resolve(tables, space.root, va, &mut |_| ());
            let kept = e.leaf;
            if now == Ok(kept) || std::mem::replace(&mut e.reported, true) {
                return (Ok(kept), Found::Kept);
            }
            return (Ok(kept), Found::Stale(Stale { kept, now }));
        }
        let leaf = match resolve(tables, space.root, va, note) {
            Ok(leaf) => leaf,
            Err(f) => return (Err(f), Found::Walked),
        };
        if keep {
            let entry = Entry {
                leaf,
                reported: false,
            };
            self.spaces.entry(space).or_default().insert(leaf.va, entry);
        }
        (Ok(leaf), Found::Walked)
    }

    /// Finds the leaf that maps `va`; what there is to judge about it is added to
    /// `seen`.
    pub fn translate(
        &mut self,
        tables: &dyn Tables,
        space: Space,
        va: u64,
        keep: bool,
        seen: &mut Vec<Seen>,
    ) -> Result<Leaf, Fault> {
        let mut notes = Vec::new();
        let (leaf, found) = self.lookup(tables, space, va, keep, &mut |n| notes.push(n));
        if found != Found::Kept {
            seen.push(Seen {
                space,
                va,
                notes,
                leaf,
                found,
            });
        }
        leaf
    }

    fn entry(&mut self, space: Space, va: u64) -> Option<&mut Entry> {
        let (_, e) = self.spaces.get_mut(&space)?.range_mut(..=va).next_back()?;
        (va - e.leaf.va < e.leaf.size).then_some(e)
    }

    /// Forgets an address space.
    pub fn invalidate(&mut self, space: Space) {
        self.spaces.remove(&space);
    }

    /// Forgets all address spaces of a function.
    pub fn invalidate_all(&mut self, gfid: u32) {
        self.spaces.retain(|s, _| s.gfid != gfid);
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.spaces.clear();
    }

    /// Whether something of an address space is cached.
    pub fn knows(&self, space: Space) -> bool {
        self.spaces.contains_key(&space)
    }

    /// Leaves that no longer agree with the tables; each is given once.
    pub fn changed(&mut self, tables: &dyn Tables) -> Vec<(Space, Stale)> {
        let mut all = Vec::new();
        for (space, leaves) in &mut self.spaces {
            for e in leaves.values_mut().filter(|e| !e.reported) {
                let kept = e.leaf;
                let now = resolve(tables, space.root, kept.va, &mut |_| ());
                if now != Ok(kept) {
                    e.reported = true;
                    all.push((*space, Stale { kept, now }));
                }
            }
        }
        all.sort_by_key(|(space, s)| (*space, s.kept.va));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mmu::{Aperture, Target};
    use proptest::prelude::*;

    const PF: Space = Space {
        gfid: 0,
        root: 0x1000,
    };

    #[derive(Default)]
    struct Map(HashMap<u64, u64>);

    impl Tables for Map {
        fn read(&self, _: Aperture, addr: u64) -> Option<u64> {
            Some(self.0.get(&addr).copied().unwrap_or(0))
        }
    }

    /// Small pages at VA 0 and 0x1000, a 2 MiB page behind their slot.
    fn tables() -> Map {
        Map(HashMap::from([
            (0x1000, 0x202),
            (0x2000, 0x402),
            (0x4000, 0x502),
            (0x5008, 0x302),
            (0x5010, 0x0400_0001),
            (0x3000, 0x1234_5601),
            (0x3008, 0x1234_5701),
        ]))
    }

    fn look(t: &mut Tlb, m: &Map, space: Space, va: u64) -> (Option<u64>, Found) {
        let (target, found) = t.lookup(m, space, va, true, &mut |_| ());
        let addr = match target.map(|l| l.at(va)) {
            Ok(Target::Memory { addr, .. }) => Some(addr),
            _ => None,
        };
        (addr, found)
    }

    #[test]
    fn a_change_is_seen_after_the_invalidate_only() {
        let (mut t, mut m) = (Tlb::default(), tables());
        assert_eq!(
            look(&mut t, &m, PF, 0x34),
            (Some(0x1_2345_6034), Found::Walked)
        );
        assert_eq!(
            look(&mut t, &m, PF, 0x38),
            (Some(0x1_2345_6038), Found::Kept)
        );
        m.0.insert(0x3000, 0);
        let (addr, found) = look(&mut t, &m, PF, 0x38);
        assert_eq!(addr, Some(0x1_2345_6038));
        assert!(matches!(found, Found::Stale(s) if s.now == Err(Fault::Pte)));
        assert_eq!(look(&mut t, &m, PF, 0x38).1, Found::Kept, "reported once");
        // Another root's invalidate does not help.
        t.invalidate(Space { root: 0x9000, ..PF });
        t.invalidate_all(1);
        assert_eq!(look(&mut t, &m, PF, 0).0, Some(0x1_2345_6000));
        t.invalidate(PF);
        assert_eq!(look(&mut t, &m, PF, 0), (None, Found::Walked));
        // What was invalid is not kept.
        m.0.insert(0x3000, 0x1234_5801);
        assert_eq!(
            look(&mut t, &m, PF, 0),
            (Some(0x1_2345_8000), Found::Walked)
        );
    }

    #[test]
    fn spaces_and_leaves_do_not_mix() {
        let (mut t, m) = (Tlb::default(), tables());
        let vf = Space { gfid: 3, ..PF };
        look(&mut t, &m, PF, 0x1000);
        assert_eq!(look(&mut t, &m, vf, 0x1000).1, Found::Walked);
        assert_eq!(look(&mut t, &m, PF, 0).1, Found::Walked);
        assert_eq!(look(&mut t, &m, PF, 0x2f_ffff).0, Some(0x400f_ffff));
        assert_eq!(look(&mut t, &m, PF, 0x20_0000).1, Found::Kept);
        assert_eq!(look(&mut t, &m, PF, 0x40_0000), (None, Found::Walked));
        t.invalidate_all(0);
        assert!(!t.knows(PF) && t.knows(vf));
    }

    #[test]
    fn changes_are_found_without_a_use() {
        let (mut t, mut m) = (Tlb::default(), tables());
        look(&mut t, &m, PF, 0);
        look(&mut t, &m, PF, 0x1000);
        assert_eq!(t.changed(&m), []);
        m.0.insert(0x3008, 0);
        let changed = t.changed(&m);
        assert_eq!(changed.len(), 1);
        assert_eq!(changed[0].1.kept.va, 0x1000);
        assert_eq!(t.changed(&m), []);
    }

    #[test]
    fn nothing_is_kept_when_told_so() {
        let (mut t, mut m) = (Tlb::default(), tables());
        t.lookup(&m, PF, 0, false, &mut |_| ()).0.unwrap();
        m.0.insert(0x3000, 0);
        assert!(t.lookup(&m, PF, 0, false, &mut |_| ()).0.is_err());
    }

    /// What a driver does with four neighbouring pages.
    #[derive(Debug, Clone)]
    enum Step {
        Map(usize, u64),
        Unmap(usize),
        Use(usize),
        Invalidate,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0usize..4, 1u64..5).prop_map(|(page, frame)| Step::Map(page, frame)),
            (0usize..4).prop_map(Step::Unmap),
            (0usize..4).prop_map(Step::Use),
            Just(Step::Invalidate),
        ]
    }

    proptest! {
        /// A page gives what it had at its first use since the last invalidate, and
        /// is reported exactly when that is not what the tables say.
        #[test]
        fn any_order_of_changes_uses_and_invalidates(
            steps in proptest::collection::vec(step(), 1..100),
        ) {
            let (mut t, mut m) = (Tlb::default(), tables());
            m.0.insert(0x3000, 0);
            m.0.insert(0x3008, 0);
            let mut mapped: [Option<u64>; 4] = [None; 4];
            let mut kept: [Option<u64>; 4] = [None; 4];
            let mut reported = [false; 4];
            for s in steps {
                match s {
                    Step::Map(page, frame) => {
                        mapped[page] = Some(frame << 12);
                        m.0.insert(0x3000 + 8 * page as u64, frame << 8 | 1);
                    }
                    Step::Unmap(page) => {
                        mapped[page] = None;
                        m.0.insert(0x3000 + 8 * page as u64, 0);
                    }
                    Step::Invalidate => {
                        t.invalidate(PF);
                        kept = [None; 4];
                        reported = [false; 4];
                    }
                    Step::Use(page) => {
                        let (addr, found) = look(&mut t, &m, PF, page as u64 * 0x1000);
                        if kept[page].is_none() {
                            kept[page] = mapped[page];
                            prop_assert_eq!(found, Found::Walked);
                        } else {
                            let stale = kept[page] != mapped[page];
                            let tell = stale && !reported[page];
                            reported[page] |= stale;
                            prop_assert_eq!(matches!(found, Found::Stale(_)), tell);
                        }
                        prop_assert_eq!(addr, kept[page]);
                    }
                }
            }
        }
    }
}
