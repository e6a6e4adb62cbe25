// SPDX-License-Identifier: GPL-2.0

//! Channel counts, the homogeneous rule, sysfs text, and the status machine.

use super::channels::channel_count;
use super::listing::{line, parse_id, BadNumber};
use super::placement::{self, Candidate, Homogeneous};
use super::status::{Status, Step};
use proptest::prelude::*;

#[test]
fn channels_are_a_power_of_two_share() {
    let counts = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32].map(|n| channel_count(2048, n));
    let expect = [2048, 1024, 512, 512, 256, 256, 128, 128, 64, 64].map(Some);
    assert_eq!(counts, expect);
    assert_eq!(channel_count(1984, 1), Some(1024));
    assert_eq!(channel_count(31, 32), None);
    assert_eq!(channel_count(2048, 0), None);
}

const A: Candidate = Candidate {
    id: 949,
    max_instance: 2,
};
const B: Candidate = Candidate {
    id: 950,
    max_instance: 1,
};

#[test]
fn selections_are_of_one_type() {
    let mut h = Homogeneous::new();
    assert_eq!(h.change(0, Some(A)), Ok(()));
    assert_eq!(h.change(949, Some(A)), Ok(()), "same again");
    assert_eq!(h.count(), 1);
    assert_eq!(h.change(0, Some(B)), Err(placement::Refusal::OtherType));
    assert_eq!(h.change(0, Some(A)), Ok(()));
    assert_eq!(h.change(0, Some(A)), Err(placement::Refusal::Full));
    let before = h;
    let refused = h.change(949, Some(B));
    assert_eq!((refused, h), (Err(placement::Refusal::OtherType), before));
    assert_eq!(h.change(949, None), Ok(()));
    assert_eq!(h.change(949, Some(B)), Ok(()), "the only holder re-selects");
    assert_eq!(
        (h.count(), h.can_add(B)),
        (1, Err(placement::Refusal::Full))
    );
    assert_eq!(h.change(950, None), Ok(()));
    assert_eq!(h.change(0, None), Ok(()), "nothing to deselect");
    assert_eq!(h.count(), 0);
    assert_eq!(h.can_add(A), Ok(()));
}

proptest! {
    /// Whatever is written to whichever VF, the count is the number of VFs with a type, all of
    /// them have the same one, and no more than its maximum.
    #[test]
    fn the_count_is_the_number_of_selections(writes in prop::collection::vec((0..4usize, 0..4u32), 0..60)) {
        let candidate = |id| (id != 0).then_some(Candidate { id, max_instance: id });
        let mut vfs = [0u32; 4];
        let mut h = Homogeneous::new();
        for (vf, id) in writes {
            let before = h;
            match h.change(vfs[vf], candidate(id)) {
                Ok(()) => vfs[vf] = id,
                Err(_) => prop_assert_eq!(h, before),
            }
            let chosen: Vec<u32> = vfs.iter().copied().filter(|id| *id != 0).collect();
            prop_assert_eq!(h.count() as usize, chosen.len());
            prop_assert!(chosen.iter().all(|id| *id == chosen[0] && chosen.len() <= *id as usize));
        }
    }

    #[test]
    fn ids_parse_as_the_standard_library_does(text in "[0-9]{1,11}") {
        prop_assert_eq!(parse_id(text.as_bytes()).ok(), text.parse().ok());
    }
}

#[test]
fn ids_are_decimal_numbers() {
    assert_eq!(parse_id(b"941\n"), Ok(941));
    assert_eq!(parse_id(b"0"), Ok(0));
    for bad in [
        "", "\n", "x", "12x", "-1", "+1", " 1", "1 ", "0x1", "1\n\n", "1\0",
    ] {
        assert_eq!(
            parse_id(bad.as_bytes()),
            Err(BadNumber::NotANumber),
            "{bad:?}"
        );
    }
    assert_eq!(parse_id(b"4294967295"), Ok(u32::MAX));
    assert_eq!(parse_id(b"4294967296"), Err(BadNumber::OutOfRange));
}

#[test]
fn lines_are_padded_to_five() {
    let mut out = String::new();
    line(&mut out, 941, "NVIDIA RTX6000-Ada-1Q").unwrap();
    line(&mut out, 123456, "x").unwrap();
    assert_eq!(out, "941   : NVIDIA RTX6000-Ada-1Q\n123456 : x\n");
}

#[test]
fn status_machine() {
    use Status::*;
    let path = [
        Step::Create,
        Step::Created,
        Step::Fail,
        Step::Destroy,
        Step::Destroyed,
    ];
    let mut status = Absent;
    for (step, expect) in path
        .into_iter()
        .zip([Creating, Running, Failed, Destroying, Absent])
    {
        status = status.next(step).unwrap();
        assert_eq!(status, expect);
    }
    assert_eq!(Creating.next(Step::CreateFailed), Some(Absent));
    assert_eq!(Running.next(Step::Create), None);
    assert_eq!(Absent.next(Step::Destroy), None);
    assert_eq!(Failed.next(Step::Created), None);
    assert_eq!(Destroying.next(Step::Fail), None);
}
