// SPDX-License-Identifier: GPL-2.0

//! Notifiers from the registration to the message.

use super::*;

const EVENT: u32 = 0x7e_0070;
const ECC_DBE: u32 = 112;
const SET_NOTIFICATION: u32 = 0x2080_0301;

impl Board {
    fn register(&mut self) {
        let mut p = vec![0; 0x18];
        put_u32(&mut p, 0, CLIENT);
        put_u32(&mut p, 8, 0x7e);
        put_u32(&mut p, 0xc, ECC_DBE | 1 << 26);
        assert_eq!(self.alloc_with(SUBDEV, EVENT, 0x7e, &p), NvStatus::OK);
        let mut p = vec![0; 0x14];
        put_u32(&mut p, 0, ECC_DBE);
        put_u32(&mut p, 4, 2);
        assert_eq!(self.control(SET_NOTIFICATION, &p).0, NvStatus::OK);
    }

    /// Messages that notifier `index` makes.
    fn told(&mut self, index: u32) -> usize {
        self.with_rm(|rm, s| rm.notify(s, index));
        std::mem::take(&mut self.events).len()
    }
}

#[test]
fn only_who_registers_is_told() {
    let mut b = Board::ready();
    assert_eq!(b.told(ECC_DBE), 0);
    b.register();
    assert_eq!((b.told(ECC_DBE), b.told(ECC_DBE), b.told(111)), (1, 1, 0));
    assert_eq!(b.stats.live("events"), 1);
    assert_eq!(b.free(EVENT), NvStatus::OK);
    assert_eq!((b.told(ECC_DBE), b.stats.live("events")), (0, 0));
    assert_eq!(b.stats.counted("notifiers-unheard"), 3);
}

#[test]
fn a_client_takes_its_registrations_along() {
    let mut b = Board::ready();
    b.register();
    assert_eq!(b.free(CLIENT), NvStatus::OK);
    assert_eq!((b.told(ECC_DBE), b.stats.live("events")), (0, 0));
    b.client();
    b.register();
    assert_eq!(b.told(ECC_DBE), 1);
    assert_eq!(b.stats.refusals(), 0);
}

#[test]
fn malformed_registrations_leave_nothing() {
    let mut b = Board::ready();
    let p = vec![0; 0x14];
    assert_eq!(
        b.control(SET_NOTIFICATION, &p).0,
        NvStatus::ERR_INVALID_STATE
    );
    assert_eq!(
        b.control(SET_NOTIFICATION, &p[..0x10]).0,
        NvStatus::ERR_INVALID_ARGUMENT
    );
    for (parent, size, want) in [
        (SUBDEV, 0x10, NvStatus::ERR_INVALID_ARGUMENT),
        (0xde1d_0000, 0x18, NvStatus::ERR_INVALID_OBJECT),
        (0x99, 0x18, NvStatus::ERR_OBJECT_NOT_FOUND),
    ] {
        assert_eq!(b.alloc(parent, EVENT, 0x7e, size), want, "{parent:#x}");
    }
    // The handle is free still.
    b.register();
    assert_eq!(b.stats.live("events"), 1);
}
