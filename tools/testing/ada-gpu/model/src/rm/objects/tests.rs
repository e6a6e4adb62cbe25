// SPDX-License-Identifier: GPL-2.0

//! The object tree against the statuses of the resource server.

use super::*;
use crate::rm::status::NvStatus;
use proptest::prelude::*;

const C: u32 = 0xc1d0_0001;
const D: u32 = 0xde1d_0000;
const S: u32 = 0x5d1d_0000;

fn tree() -> Objects {
    let mut o = Objects::default();
    o.alloc(C, 0, C, 0, &[0; 120]).unwrap();
    o.alloc(C, C, D, 0x80, &[0; 56]).unwrap();
    o.alloc(C, D, S, 0x2080, &[0; 4]).unwrap();
    o
}

fn status(r: Result<(), Refusal>) -> NvStatus {
    r.map_or_else(|e| e.status, |()| NvStatus::OK)
}

#[test]
fn a_client_goes_with_all_it_has() {
    let mut o = tree();
    assert_eq!((o.clients(), o.objects()), (1, 2));
    assert_eq!(o.find(C, S).unwrap().class.kind, Kind::Subdevice);
    let freed: Vec<_> = o.free(C, C).unwrap().iter().map(|f| f.handle).collect();
    assert_eq!(freed, [S, D, C]);
    assert_eq!((o.clients(), o.objects()), (0, 0));
}

#[test]
fn free_takes_the_subtree() {
    let mut o = tree();
    o.alloc(C, C, 0x77, 0x5, &[0; 24]).unwrap();
    assert_eq!(o.free(C, D).unwrap().len(), 2);
    assert_eq!(o.objects(), 1);
    assert_eq!(o.free(C, D).unwrap().len(), 0);
    assert_eq!(
        o.free(0x1234, D).unwrap_err().status,
        NvStatus::ERR_INVALID_OBJECT_HANDLE
    );
}

#[test]
fn every_refusal_has_its_status() {
    let mut o = tree();
    let cases: &[(u32, u32, u32, u32, usize, NvStatus)] = &[
        (C, D, 0x10, 0xc46f, 0x170, NvStatus::ERR_INVALID_CLASS),
        (C, D, 0x10, 0x2080, 8, NvStatus::ERR_INVALID_ARGUMENT),
        (
            0x99,
            D,
            0x10,
            0x2080,
            4,
            NvStatus::ERR_INVALID_OBJECT_HANDLE,
        ),
        (C, 0x99, 0x10, 0x2080, 4, NvStatus::ERR_OBJECT_NOT_FOUND),
        (C, C, 0x10, 0x2080, 4, NvStatus::ERR_INVALID_OBJECT_PARENT),
        (C, D, C, 0x2080, 4, NvStatus::ERR_INVALID_OBJECT_PARENT),
        (C, D, 0, 0x90f1, 0x30, NvStatus::ERR_INVALID_OBJECT_HANDLE),
        (C, D, S, 0x90f1, 0x30, NvStatus::ERR_INSERT_DUPLICATE_NAME),
        (C, D, 0x10, 0x2080, 4, NvStatus::ERR_INSUFFICIENT_RESOURCES),
        (C, C, 0x10, 0x80, 56, NvStatus::ERR_INSUFFICIENT_RESOURCES),
        (C, 0, C, 0, 120, NvStatus::ERR_INSERT_DUPLICATE_NAME),
        (0x50, 0, 0x51, 0, 120, NvStatus::ERR_INVALID_OBJECT_HANDLE),
    ];
    for (i, &(client, parent, handle, class, len, want)) in cases.iter().enumerate() {
        let got = status(o.alloc(client, parent, handle, class, &vec![0; len]));
        assert_eq!(got, want, "case {i}");
    }
    assert_eq!((o.clients(), o.objects()), (1, 2));
}

#[test]
fn there_is_one_gpu() {
    let mut o = Objects::default();
    o.alloc(C, 0, C, 0, &[]).unwrap();
    let mut p = [0u8; 56];
    p[0] = 1;
    assert_eq!(
        status(o.alloc(C, C, D, 0x80, &p)),
        NvStatus::ERR_INVALID_STATE
    );
    p[0] = 40;
    assert_eq!(
        status(o.alloc(C, C, D, 0x80, &p)),
        NvStatus::ERR_INVALID_ARGUMENT
    );
    p[0] = 0;
    o.alloc(C, C, D, 0x80, &p).unwrap();
    assert_eq!(
        status(o.alloc(C, D, S, 0x2080, &[1, 0, 0, 0])),
        NvStatus::ERR_INVALID_CLASS
    );
}

#[test]
fn controls_tell_client_from_object() {
    let o = tree();
    assert_eq!(
        o.find(1, S).unwrap_err().status,
        NvStatus::ERR_INVALID_CLIENT
    );
    assert_eq!(
        o.find(C, 1).unwrap_err().status,
        NvStatus::ERR_OBJECT_NOT_FOUND
    );
}

proptest! {
    /// Whatever the order of requests, every object's parent exists, and
    /// freeing all clients leaves nothing.
    #[test]
    fn parents_always_exist(ops in prop::collection::vec((0u8..5, 0u32..4, 0u32..12, 0u32..12), 0..200)) {
        let mut o = Objects::default();
        for (op, client, a, b) in ops {
            let client = 0x100 + client;
            let _ = match op {
                0 => o.alloc(client, 0, client, 0, &[]),
                1 => o.alloc(client, client, a, 0x80, &[0; 56]),
                2 => o.alloc(client, a, b, 0x2080, &[0; 4]),
                3 => o.alloc(client, a, b, 0x90f1, &[0; 0x30]),
                _ => o.free(client, if a == 0 { client } else { a }).map(|_| ()),
            };
            for (c, objects) in &o.clients {
                prop_assert!(objects.contains_key(c));
                for (h, obj) in objects {
                    prop_assert!(h == c || objects.contains_key(&obj.parent));
                }
            }
        }
        let all: Vec<u32> = o.clients.keys().copied().collect();
        for c in all {
            prop_assert!(o.free(c, c).is_ok());
        }
        prop_assert_eq!(o.objects(), 0);
    }
}
