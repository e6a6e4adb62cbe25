// SPDX-License-Identifier: GPL-2.0

//! The pool against a plain list of who has which ID.

use super::*;
use proptest::prelude::*;

type TestPool = Pool<Vec<Runlist>, Vec<Lease>>;

const GUEST: ChannelOwner = ChannelOwner::Guest(1);

fn pool_with(channels: &[u32], leases: usize) -> TestPool {
    let runlists = channels
        .iter()
        .enumerate()
        .map(|(i, &n)| Runlist::new(i as u32 * 3, n).unwrap())
        .collect();
    Pool::new(runlists, vec![Lease::default(); leases]).unwrap()
}

fn pool(channels: &[u32]) -> TestPool {
    pool_with(channels, 64)
}

impl TestPool {
    /// The first range of `count` IDs that is free.
    fn reserve_any(&mut self, count: u32, owner: ChannelOwner) -> Result<Range<u32>, ChidError> {
        let vgpus = self.vgpus();
        let mut base = vgpus.start.next_multiple_of(count);
        while base + count <= vgpus.end {
            match self.reserve(&(base..base + count), owner) {
                Err(ChidError::NoSpace) => base += count,
                result => return result,
            }
        }
        Err(ChidError::NoSpace)
    }
}

#[test]
fn natural_alignment_above_the_ids_of_the_host() {
    let mut p = pool(&[2048, 2048]);
    assert_eq!(p.vgpus(), 64..2048);
    assert_eq!(p.reserve_any(64, GUEST), Ok(64..128));
    assert_eq!(p.reserve_any(512, GUEST), Ok(512..1024));
    assert_eq!(p.reserve_any(32, GUEST), Ok(128..160));
    assert_eq!(p.reserve_any(1024, GUEST), Ok(1024..2048));
    assert_eq!(p.reserve_any(1024, GUEST), Err(ChidError::NoSpace));
    assert_eq!(p.free(), 1984 - 64 - 512 - 32 - 1024);
    for r in p.runlists() {
        assert_eq!(r.used(), 64 + 512 + 32 + 1024);
    }
}

#[test]
fn every_share_of_the_pool_fits_as_often_as_promised() {
    for instances in 1..=32u32 {
        let mut p = pool(&[2048; 9]);
        let share = p.vgpus().len() as u32 / instances;
        let count = 1 << (31 - share.leading_zeros());
        for i in 0..instances {
            assert!(
                p.reserve_any(count, ChannelOwner::Guest(i + 1)).is_ok(),
                "{instances} instances, number {i}"
            );
        }
    }
}

#[test]
fn all_runlists_or_none() {
    let mut p = pool(&[2048, 2048, 2048]);
    // One runlist has a hole less: the same range must be free on all of them.
    set(&mut p.runlists[1].used, &(256..257), true);
    assert_eq!(p.reserve_any(256, GUEST), Ok(512..768));
    assert_eq!(p.runlists()[0].used(), 256);
    assert_eq!(p.runlists()[1].used(), 257);
    set(&mut p.runlists[2].used, &(768..2048), true);
    assert_eq!(p.reserve_any(256, GUEST), Err(ChidError::NoSpace));
    assert_eq!(p.runlists()[0].used(), 256);
}

#[test]
fn the_smallest_runlist_limits() {
    let mut p = pool(&[2048, 512]);
    assert_eq!(p.limit(), 512);
    assert_eq!(p.reserve_any(256, GUEST), Ok(256..512));
    assert_eq!(p.reserve_any(256, GUEST), Err(ChidError::NoSpace));
    assert_eq!(p.reserve(&(512..1024), GUEST), Err(ChidError::Invalid));
}

#[test]
fn ids_of_the_host_are_per_runlist() {
    let mut p = pool(&[2048, 2048]);
    assert_eq!(p.reserve_host(0), Ok(1), "0 is firmware's");
    assert_eq!(p.reserve_host(0), Ok(2));
    assert_eq!(p.reserve_host(3), Ok(1), "another runlist, another channel");
    assert_eq!(p.reserve_host(1), Err(ChidError::Invalid));
    assert_eq!(p.free(), 1984, "guests do not notice");
    let on = |p: &TestPool, runlist| p.leases().filter(|l| l.runlist() == Some(runlist)).count();
    assert_eq!((on(&p, 0), on(&p, 3)), (2, 1));
    assert_eq!(p.release(&(1..2), Some(3)), Ok(()));
    assert_eq!(p.release(&(1..2), Some(3)), Err(ChidError::NotFound));
    assert_eq!(
        p.reserve_host(0),
        Ok(3),
        "the other runlist's has not come back"
    );
    for id in 4..64 {
        assert_eq!(p.reserve_host(0), Ok(id));
    }
    assert_eq!(p.reserve_host(0), Err(ChidError::NoSpace));
    assert_eq!(p.reserve_any(64, GUEST), Ok(64..128));
}

#[test]
fn release_is_exact() {
    let mut p = pool(&[2048, 2048]);
    let ids = p.reserve_any(128, GUEST).unwrap();
    let not_found = Err(ChidError::NotFound);
    assert_eq!(p.release(&(ids.start..ids.end + 1), None), not_found);
    assert_eq!(p.release(&(ids.start..ids.end - 1), None), not_found);
    assert_eq!(p.release(&ids, Some(0)), not_found);
    assert_eq!(p.release(&(0..1), None), not_found);
    assert_eq!(p.release(&(0..4096), None), not_found);
    assert_eq!(p.release(&(0..0), None), not_found);
    assert_eq!(p.release(&ids, None), Ok(()));
    assert_eq!(p.release(&ids, None), not_found);
    assert_eq!(p.free(), 1984);
}

#[test]
fn owners() {
    let mut p = pool(&[2048]);
    let a = p.reserve_any(64, ChannelOwner::Guest(3)).unwrap();
    let b = p.reserve_any(64, ChannelOwner::Guest(4)).unwrap();
    p.quarantine(&a, None).unwrap();
    assert_eq!(p.quarantine(&(0..64), None), Err(ChidError::NotFound));
    let owners = |p: &TestPool| p.leases().map(Lease::owner).collect::<Vec<_>>();
    assert_eq!(
        owners(&p),
        [ChannelOwner::Quarantine, ChannelOwner::Guest(4)]
    );
    assert_eq!(p.reserve_any(64, GUEST), Ok(b.end..b.end + 64));
    p.release(&a, None).unwrap();
    assert_eq!(p.reserve_any(64, GUEST), Ok(a));
}

#[test]
fn a_reset_ends_quarantine() {
    let mut p = pool(&[2048, 1024]);
    let a = p.reserve_any(64, ChannelOwner::Guest(3)).unwrap();
    let b = p.reserve_any(64, ChannelOwner::Guest(4)).unwrap();
    let own = p.reserve_host(3).unwrap();
    p.quarantine(&a, None).unwrap();
    p.quarantine(&(own..own + 1), Some(3)).unwrap();
    p.end_quarantine();
    assert_eq!(p.free(), 1024 - 64 - 64);
    assert_eq!(p.reserve_host(3), Ok(own));
    assert_eq!(p.reserve_any(64, GUEST), Ok(a));
    assert_eq!(p.release(&b, None), Ok(()), "in use, and not in quarantine");
}

#[test]
fn bad_counts_and_tables() {
    let mut p = pool_with(&[2048], 1);
    for bad in [
        64..64,
        64..67,
        96..160,
        0..64,
        32..64,
        2048..4096,
        0..4096,
        0..2048,
        Range {
            start: 128,
            end: 64,
        },
    ] {
        assert_eq!(p.reserve(&bad, GUEST), Err(ChidError::Invalid), "{bad:?}");
    }
    assert!(p.reserve_host(0).is_ok());
    assert_eq!(
        p.reserve_host(0),
        Err(ChidError::NoSpace),
        "one range at most"
    );
    assert_eq!(p.reserve_any(1, GUEST), Err(ChidError::NoSpace));
    assert_eq!(p.runlists()[0].used(), 1);

    assert!(Runlist::new(0, 0).is_err());
    assert!(Runlist::new(0, 2049).is_err());
    let new = |runlists| Pool::new(runlists, vec![Lease::default(); 4]);
    assert!(new(Vec::new()).is_err());
    let twice = vec![Runlist::new(1, 128).unwrap(), Runlist::new(1, 128).unwrap()];
    assert!(new(twice).is_err());
    assert!(
        new(vec![Runlist::new(1, 64).unwrap()]).is_err(),
        "none for vGPUs"
    );
    assert!(new(vec![Runlist::new(1, 65).unwrap()]).is_ok());
}

proptest! {
    /// Whatever the order, no ID of a runlist has two owners, and all come back.
    #[test]
    fn no_two_owners(steps in proptest::collection::vec((0u8..3, 0u32..11, any::<prop::sample::Index>()), 1..200)) {
        let mut p = pool(&[2048, 1024]);
        let mut live: Vec<(Range<u32>, Option<u32>)> = Vec::new();
        for (kind, value, index) in steps {
            match kind {
                0 => live.extend(p.reserve_any(1 << value, GUEST).ok().map(|ids| (ids, None))),
                1 => {
                    let runlist = value % 2 * 3;
                    let id = p.reserve_host(runlist).ok();
                    live.extend(id.map(|id| (id..id + 1, Some(runlist))));
                }
                _ if live.is_empty() => (),
                _ => {
                    let (ids, runlist) = live.swap_remove(index.index(live.len()));
                    prop_assert_eq!(p.release(&ids, runlist), Ok(()));
                }
            }
            for runlist in [0, 3] {
                let mut seen = vec![false; 2048];
                for (ids, _) in live.iter().filter(|l| l.1.is_none_or(|r| r == runlist)) {
                    prop_assert!(ids.start > 0);
                    for id in ids.clone() {
                        prop_assert!(!seen[id as usize]);
                        seen[id as usize] = true;
                    }
                }
                let used = seen.iter().filter(|s| **s).count();
                let table = p.runlists().iter().find(|r| r.id() == runlist).unwrap();
                prop_assert_eq!(table.used() as usize, used);
            }
            prop_assert_eq!(p.leases().count(), live.len());
        }
    }
}
