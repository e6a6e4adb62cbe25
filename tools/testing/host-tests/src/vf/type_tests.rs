// SPDX-License-Identifier: GPL-2.0

//! Channel counts, sysfs text, and the status machine.

use super::channels::channel_count;
use super::listing::{line, parse_id, parse_placement, parse_uuid, write_uuid, BadNumber};
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

proptest! {
    #[test]
    fn uuids_read_as_they_are_written(uuid in any::<[u8; 16]>()) {
        let mut text = String::new();
        write_uuid(&mut text, &uuid).unwrap();
        prop_assert_eq!(text.len(), 36);
        prop_assert_eq!(parse_uuid(text.as_bytes()), Some(uuid));
        prop_assert_eq!(parse_uuid(text.to_uppercase().as_bytes()), Some(uuid));
    }

    #[test]
    fn texts_that_are_no_uuid_do_not_panic(text in prop::collection::vec(prop_oneof![Just(b'-'), Just(b'a'), any::<u8>()], 0..40)) {
        let _ = parse_uuid(&text);
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
fn placements_are_numbers_or_auto() {
    assert_eq!(parse_placement(b"auto\n"), Ok(None));
    assert_eq!(parse_placement(b"24\n"), Ok(Some(24)));
    assert_eq!(parse_placement(b"65535"), Ok(Some(65535)));
    assert_eq!(parse_placement(b"65536"), Err(BadNumber::OutOfRange));
    for bad in ["", "none", "auto ", "-1"] {
        let parsed = parse_placement(bad.as_bytes());
        assert_eq!(parsed, Err(BadNumber::NotANumber), "{bad:?}");
    }
}

#[test]
fn uuids_have_one_form() {
    let text = "24ef8ff7-3ed5-11ef-ae36-9758b1cb0c87";
    let uuid = parse_uuid(format!("{text}\n").as_bytes()).unwrap();
    assert_eq!((uuid[0], uuid[4], uuid[15]), (0x24, 0x3e, 0x87));
    for bad in [
        "",
        "24ef8ff73ed511efae369758b1cb0c87",
        "24ef8ff7-3ed5-11ef-ae36-9758b1cb0c8",
        "24ef8ff7-3ed5-11ef-ae36-9758b1cb0c877",
        "24ef8ff7-3ed5-11ef-ae36_9758b1cb0c87",
        "24ef8ff7-3ed5-11ef-ae36-9758b1cb0cg7",
        "{24ef8ff7-3ed5-11ef-ae36-9758b1cb0c87}",
    ] {
        assert_eq!(parse_uuid(bad.as_bytes()), None, "{bad}");
    }
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
