// SPDX-License-Identifier: GPL-2.0

//! Static info, RPC format, controls.

use super::*;

#[test]
fn static_info_describes_the_board() {
    let mut b = Board::with(|_, _| ());
    let (result, p) = b.rpc(65, &[0; 0x678]);
    assert_eq!((result, p.len()), (NvStatus::OK, 0x678));
    assert_eq!(u32_at(&p, 0x158), Some(2));
    assert_eq!(
        (u64_at(&p, 0x160), u64_at(&p, 0x168)),
        (Some(0), Some(RESERVED - 1))
    );
    assert_eq!(u64_at(&p, 0x170), Some(0));
    assert_eq!(&p[0x17c..0x17f], &[1, 1, 0]);
    // The second region is firmware's and must not pass the drivers' filter.
    assert_eq!(u64_at(&p, 0x190), Some(RESERVED));
    assert_eq!(p[0x1ae], 1);
    assert_eq!(u64_at(&p, 0x4c8), Some(8 * GIB));
    assert_eq!(u32_at(&p, 0x4b0), Some(32));
    assert_eq!(p[0x460 + 0x43], 1);
    assert_eq!(u64_at(&p, 0x460 + 0x30), Some(256 << 20));
    assert!(p[0x4ec..].starts_with(b"NVIDIA RTX 6000 Ada Generation\0"));
    assert_eq!(u64_at(&p, 0x600), Some(RESERVED));
    // RM's own subdevice takes controls.
    let (h_client, h_sub) = (u32_at(&p, 0x640).unwrap(), u32_at(&p, 0x648).unwrap());
    let (_, a) = b.rpc(76, &msg::control(h_client, h_sub, 0x2080_017e, &[0; 8]));
    assert_eq!((u32_at(&a, 12), u64_at(&a, 24)), (Some(0), Some(SEG)));
    assert_eq!(b.live(), vec![0; 7]);
}

#[test]
fn malformed_rpcs_are_answered_in_the_header() {
    let mut b = Board::ready();
    assert_eq!(b.rpc(76, &[0; 23]).0, NvStatus::RPC_INVALID_MESSAGE_FORMAT);
    assert_eq!(b.rpc(103, &[0; 31]).0, NvStatus::RPC_INVALID_MESSAGE_FORMAT);
    assert_eq!(b.rpc(10, &[0; 12]).0, NvStatus::RPC_INVALID_MESSAGE_FORMAT);
    assert_eq!(b.rpc(999, &[]).0, NvStatus::RPC_UNKNOWN_FUNCTION);
    assert_eq!(b.stats.refusals_of("rpc-format"), 3);
    assert_eq!(b.stats.refusals_of("rpc-unknown-function"), 1);
}

#[test]
fn control_refusals_in_order() {
    let mut b = Board::ready();
    let seg = 0x2080_017e;
    let status = |b: &mut Board, client, object, cmd, size: usize| {
        let (r, a) = b.rpc(76, &msg::control(client, object, cmd, &vec![0; size]));
        assert_eq!(r, NvStatus::OK);
        NvStatus(u32_at(&a, 12).unwrap())
    };
    assert_eq!(status(&mut b, CLIENT, SUBDEV, seg, 8), NvStatus::OK);
    assert_eq!(
        status(&mut b, 7, SUBDEV, seg, 8),
        NvStatus::ERR_INVALID_CLIENT
    );
    assert_eq!(
        status(&mut b, CLIENT, SUBDEV, seg, 4),
        NvStatus::ERR_INVALID_ARGUMENT
    );
    assert_eq!(
        status(&mut b, CLIENT, 7, seg, 8),
        NvStatus::ERR_OBJECT_NOT_FOUND
    );
    assert_eq!(
        status(&mut b, CLIENT, 0xde1d_0000, seg, 8),
        NvStatus::ERR_NOT_SUPPORTED
    );
    assert_eq!(
        status(&mut b, CLIENT, SUBDEV, 0x2080_ffff, 8),
        NvStatus::ERR_NOT_SUPPORTED
    );
    for (kind, n) in [
        ("client", 1),
        ("control-size", 1),
        ("object", 1),
        ("control-unknown", 2),
    ] {
        assert_eq!(b.stats.refusals_of(kind), n, "{kind}");
    }
}

#[test]
fn known_controls_answer() {
    let mut b = Board::ready();
    let (st, p) = b.control(0x2080_3601, &[0; 72]);
    assert_eq!(st, NvStatus::OK);
    assert!(p[6..].starts_with(b"570.144\0"));
    let (st, p) = b.control(0x2080_012f, &[0xff; 1464]);
    assert_eq!((st, p[0], p[2], p[1440]), (NvStatus::OK, 0, 1, 0));
    let (st, p) = b.control(0x2080_1112, &[0; 3212]);
    assert_eq!((st, u32_at(&p, 4)), (NvStatus::OK, Some(19)));
    let (st, p) = b.control(0x2080_0a61, &[0; 8]);
    assert_eq!((st, u32_at(&p, 4)), (NvStatus::OK, Some(2048)));
    assert_eq!(
        b.control(0x2080_0a61, &[99; 8]).0,
        NvStatus::ERR_INVALID_ARGUMENT
    );
    let (st, p) = b.control(0x2080_0a5c, &[0; 0x814]);
    assert_eq!(
        (st, u32_at(&p, 4).map(|w| w & 0xffff), u32_at(&p, 12)),
        (NvStatus::OK, Some(50), Some(155))
    );
}

#[test]
fn without_vgpu_mode_there_is_no_vgpu_manager() {
    let mut b = Board::with(|_, boot| boot.vgpu = false);
    b.client();
    assert_eq!(
        b.control(ADD_TYPE, &types(true, &[941])).0,
        NvStatus::ERR_NOT_SUPPORTED
    );
    assert_eq!(b.gfid_control(SHUTDOWN, 1), NvStatus::ERR_NOT_SUPPORTED);
    assert_eq!(b.stats.refusals_of("vgpu-off"), 2);
    let (_, p) = b.rpc(65, &[0; 0x678]);
    assert_eq!((u32_at(&p, 0x4b0), p[0x460 + 0x43]), (Some(0), 0));
}

#[test]
fn lists_of_what_exists() {
    let mut b = Board::ready();
    b.boot_vgpu(2);
    b.boot_vgpu(4);
    let (st, p) = b.control(0x2080_4004, &[0xee; 4872]);
    assert_eq!((st, u32_at(&p, 0)), (NvStatus::OK, Some(2)));
    assert_eq!(
        (u32_at(&p, 8 + 104), u32_at(&p, 8 + 152 + 104)),
        (Some(2), Some(4))
    );
    let (st, p) = b.control(0x2080_4006, &[0xee; 520]);
    assert_eq!(
        (st, u32_at(&p, 8), u64_at(&p, 16)),
        (NvStatus::OK, Some(2), Some(GIB))
    );
    let mut p = [0; 8];
    put_u32(&mut p, 0, 2);
    put_u32(&mut p, 4, 101);
    assert_eq!(b.control(0x2080_4007, &p).0, NvStatus::ERR_INVALID_ARGUMENT);
    put_u64(&mut p, 0, 2);
    assert_eq!(b.control(0x2080_4007, &p).0, NvStatus::OK);
    assert_eq!(
        b.gfid_control(0x2080_4005, 9),
        NvStatus::ERR_OBJECT_NOT_FOUND
    );
}
