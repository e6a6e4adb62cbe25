// SPDX-License-Identifier: GPL-2.0

//! Event objects against the statuses of RM.

use super::*;
use crate::bytes::{put_u32, u64_at};
use crate::rm::status::NvStatus;

const CLIENT: u32 = 0xc1d0_0001;
const SUBDEV: u32 = 0x5d1d_0000;
const EVENT: Key = (CLIENT, 0x7e_0070);
const ECC_DBE: u32 = 112;
const HERE: Target = Target {
    client: CLIENT,
    object: SUBDEV,
};

fn params(index: u32) -> Vec<u8> {
    let mut p = vec![0; 0x18];
    put_u32(&mut p, 0, CLIENT);
    put_u32(&mut p, 8, 0x7e);
    put_u32(&mut p, 0xc, index);
    p
}

fn set(events: &mut Events, index: u32, action: u32) -> NvStatus {
    let mut p = vec![0; SET_NOTIFICATION_SIZE];
    put_u32(&mut p, 0, index);
    put_u32(&mut p, 4, action);
    status(events.set_notification(HERE, &p))
}

fn status(r: Result<(), Refusal>) -> NvStatus {
    r.map_or_else(|e| e.status, |()| NvStatus::OK)
}

fn with_event(index: u32) -> Events {
    let mut events = Events::default();
    events
        .construct(EVENT, SUBDEV, Kind::Subdevice, 0x7e, &params(index))
        .unwrap();
    events
}

#[test]
fn both_halves_are_needed() {
    let mut events = Events::default();
    assert_eq!(set(&mut events, ECC_DBE, 2), NvStatus::ERR_INVALID_STATE);
    let mut events = with_event(ECC_DBE | CLIENT_RM);
    assert_eq!(events.fire(ECC_DBE), []);
    assert_eq!(set(&mut events, ECC_DBE, 2), NvStatus::OK);
    for _ in 0..2 {
        let sent = events.fire(ECC_DBE);
        assert_eq!((sent.len(), sent[0].function), (1, 0x1003));
        let handles = u64::from(CLIENT) | u64::from(EVENT.1) << 32;
        assert_eq!(u64_at(&sent[0].payload, 0), Some(handles));
        assert_eq!(u32_at(&sent[0].payload, 8), Some(ECC_DBE));
    }
    // Another notifier, and this one when it is off.
    assert_eq!(events.fire(ECC_DBE - 1), []);
    assert_eq!(set(&mut events, ECC_DBE, 0), NvStatus::OK);
    assert_eq!(events.fire(ECC_DBE), []);
}

#[test]
fn a_notifier_can_tell_once() {
    let mut events = with_event(ECC_DBE | CLIENT_RM);
    assert_eq!(set(&mut events, ECC_DBE, 1), NvStatus::OK);
    assert_eq!(events.fire(ECC_DBE).len(), 1);
    assert_eq!(events.fire(ECC_DBE), []);
    assert_eq!(set(&mut events, ECC_DBE, 1), NvStatus::OK);
}

#[test]
fn what_is_not_for_the_driver_stays_inside() {
    for index in [ECC_DBE, ECC_DBE | CLIENT_RM | SUBDEVICE_SPECIFIC | 1 << 16] {
        let mut events = with_event(index);
        assert_eq!(set(&mut events, ECC_DBE, 2), NvStatus::OK);
        assert_eq!(events.fire(ECC_DBE), [], "{index:#x}");
    }
}

#[test]
fn freed_objects_hear_nothing() {
    let mut events = with_event(ECC_DBE | CLIENT_RM);
    assert_eq!(set(&mut events, ECC_DBE, 2), NvStatus::OK);
    events.destroy(EVENT);
    assert_eq!((events.fire(ECC_DBE).len(), events.count()), (0, 0));
    // With the subdevice, its events and notifiers.
    let mut events = with_event(ECC_DBE | CLIENT_RM);
    assert_eq!(set(&mut events, ECC_DBE, 2), NvStatus::OK);
    events.destroy((CLIENT, SUBDEV));
    assert_eq!((events.on.len(), events.count()), (0, 0));
}

#[test]
fn every_refusal_of_an_object() {
    type Change = fn(&mut Vec<u8>);
    let none: Change = |_| ();
    let cases: &[(Kind, u32, NvStatus, Change)] = &[
        (Kind::Device, 0x7e, NvStatus::ERR_INVALID_OBJECT, none),
        (Kind::VaSpace, 0x7e, NvStatus::ERR_INVALID_OBJECT, none),
        (Kind::Group, 0x7e, NvStatus::ERR_INVALID_OBJECT, none),
        (Kind::Event, 0x7e, NvStatus::ERR_INVALID_OBJECT, none),
        (Kind::Subdevice, 0x7e, NvStatus::ERR_INVALID_OBJECT, |p| {
            put_u32(p, 0, CLIENT + 1);
        }),
        (Kind::Subdevice, 0x5, NvStatus::ERR_INVALID_CLASS, |p| {
            put_u32(p, 8, 0x5);
        }),
        (Kind::Subdevice, 0x5, NvStatus::ERR_INVALID_CLASS, |p| {
            put_u32(p, 8, 0x2080);
        }),
        (Kind::Client, 0x7e, NvStatus::ERR_INVALID_ARGUMENT, |p| {
            put_u32(p, 0xc, NONSTALL | 23);
        }),
        (Kind::Subdevice, 0x7e, NvStatus::ERR_NOT_SUPPORTED, |p| {
            put_u32(p, 0xc, NONSTALL | ECC_DBE);
        }),
    ];
    let mut events = Events::default();
    for (i, (above, class, want, change)) in cases.iter().enumerate() {
        let mut p = params(ECC_DBE | CLIENT_RM);
        change(&mut p);
        let got = status(events.construct(EVENT, SUBDEV, *above, *class, &p));
        assert_eq!((got, events.count()), (*want, 0), "case {i}");
    }
    for (class, subclass) in [(0x5, 0x7e), (0x78, 0), (0x79, 0x79)] {
        let mut p = params(NONSTALL | 23);
        put_u32(&mut p, 0, 0);
        put_u32(&mut p, 8, subclass);
        let got = status(events.construct(EVENT, SUBDEV, Kind::Subdevice, class, &p));
        assert_eq!(got, NvStatus::OK, "{class:#x}");
    }
}

#[test]
fn every_refusal_of_a_notification() {
    let mut events = with_event(ECC_DBE | CLIENT_RM);
    for (index, action, want) in [
        (197, 2, NvStatus::ERR_INVALID_ARGUMENT),
        (u32::MAX, 2, NvStatus::ERR_INVALID_ARGUMENT),
        (TIMER, 2, NvStatus::ERR_INVALID_ARGUMENT),
        (ECC_DBE, 3, NvStatus::ERR_INVALID_ARGUMENT),
        (ECC_DBE, 0, NvStatus::OK),
        (ECC_DBE, 2, NvStatus::OK),
        (ECC_DBE, 2, NvStatus::ERR_INVALID_STATE),
        (ECC_DBE, 1, NvStatus::ERR_INVALID_STATE),
        (196, 1, NvStatus::OK),
    ] {
        assert_eq!(set(&mut events, index, action), want, "{index} {action}");
    }
}
