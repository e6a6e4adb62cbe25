// SPDX-License-Identifier: GPL-2.0

//! What stops a channel, and what GSP-RM says about it.

use super::*;

const FILL: u32 = 0x585;

fn fill(dst: u64, launch: u32) -> Vec<u32> {
    let [high, low] = split(dst);
    [
        inc(0, 0x700, &[0, 0, 0x0003_0004]),
        inc(0, 0x408, &[high, low]),
        inc(0, 0x418, &[1024]),
        inc(0, 0x300, &[launch]),
    ]
    .concat()
}

#[test]
fn mmu_faults_name_address_and_type() {
    let mut r = Rig::new("");
    let va = 32 * GIB;
    r.map_pte(va, WORK >> 4 | 1);
    r.map_pte(va + PAGE, WORK >> 4 | 1 | 1 << 6);
    r.map_pte(va + 2 * PAGE, 7 << 56 | WORK >> 4 | 1);
    r.map_pte(va + 3 * PAGE, (8 * GIB) >> 4 | 1);
    let wpr2 = u64::from(r.d.r(0x1f_a824) & !0xf) << 8;
    r.map_pte(va + 4 * PAGE, wpr2 >> 4 | 1);
    let cases = [
        // Begins well and runs into the read-only page.
        (va + 8, va + PAGE, 6),
        (va + 2 * PAGE, va + 2 * PAGE, 12),
        (va + 3 * PAGE, va + 3 * PAGE, 13),
        (va + 4 * PAGE, va + 4 * PAGE, 13),
        (va + 5 * PAGE, va + 5 * PAGE, 2),
        (va + 16 * GIB, va + 16 * GIB, 0),
    ];
    for (i, (dst, addr, kind)) in cases.into_iter().enumerate() {
        let mut c = r.channel(i as u32 + 1, CE3);
        let mut stream = fill(dst, FILL);
        stream.extend(done(0, c.semaphore(), 1));
        r.submit(&mut c, &stream);
        assert_eq!(r.channel_error(), (CE3, c.chid, 31, addr, kind), "case {i}");
        assert_eq!(r.word(c.semaphore_at()), 0);
        assert_eq!(
            (r.get(&c), r.d.refusals("channel-fault")),
            (0, i as u64 + 1)
        );
        r.ring(&c);
        assert_eq!(r.counted("doorbell-failed-channel"), 2 * i as u64 + 1);
        // It can only be freed.
        assert_eq!(r.control(c.handle(), 0xa06f_0103, &[1, 0]), 0);
        r.ring(&c);
        assert_eq!(r.counted("ce-launches"), i as u64 + 1);
        assert_eq!(r.free(c.handle()), 0);
    }
    // What came before the fault was written.
    assert_eq!(r.word(WORK + 8), 0);
    assert_eq!(r.d.refusals("channel-free-busy"), 0);
}

#[test]
fn bad_streams_and_launches() {
    let bad: &[(&str, Vec<u32>, u32)] = &[
        ("header", vec![1], 32),
        ("operation 6", vec![0xc000_0000], 32),
        ("cut", vec![0x2002_0010, 1], 32),
        ("host method", inc(0, 0xfc, &[0]), 32),
        ("class", inc(0, 0, &[0xc6b5]), 32),
        ("handle", inc(0, 0, &[0xf1f0_0001]), 32),
        ("method", inc(0, 0x7fc, &[0]), 41),
        ("reserved", inc(0, 0x300, &[1 << 28]), 41),
        ("reserved 24", inc(0, 0x300, &[1 << 24]), 41),
        ("reduction", inc(0, 0x300, &[1 << 19]), 41),
        ("block-linear", inc(0, 0x300, &[1]), 41),
        ("transfer 3", inc(0, 0x300, &[0x183]), 41),
        ("interrupt 3", inc(0, 0x300, &[3 << 5]), 41),
        (
            "misaligned semaphore",
            [inc(0, 0x244, &[2]), inc(0, 0x300, &[8])].concat(),
            41,
        ),
        (
            "misaligned time stamp",
            [inc(0, 0x244, &[8]), inc(0, 0x300, &[16])].concat(),
            41,
        ),
        (
            "peer",
            [inc(0, 0x264, &[3]), inc(0, 0x300, &[0x2182])].concat(),
            41,
        ),
        (
            "selector 7",
            [inc(0, 0x708, &[7]), inc(0, 0x300, &[0x582])].concat(),
            41,
        ),
        (
            "component",
            [inc(0, 0x708, &[1]), inc(0, 0x300, &[0x582])].concat(),
            41,
        ),
    ];
    let mut r = Rig::new("");
    for (i, (what, stream, kind)) in bad.iter().enumerate() {
        let mut c = r.channel(i as u32 + 1, CE2);
        r.submit(&mut c, stream);
        assert_eq!(r.channel_error(), (CE2, c.chid, *kind, 0, 0), "{what}");
    }
    // An opcode in the ring.
    let mut c = r.channel(40, CE2);
    r.push(&mut c, &[0]);
    let ring = 65 * MIB + (40 << 16) + 0x2000;
    r.d.gpu.vram().write64(ring, 1 << 32, Writer::Cpu).unwrap();
    r.ring(&c);
    assert_eq!(r.channel_error().2, 32);
    // Doubtful, but done.
    let mut c = r.channel(41, CE2);
    let before = r.latched();
    let stream = [inc(0, 0x300, &[1 << 5]), done(0, c.semaphore(), 1)].concat();
    r.submit(&mut c, &stream);
    assert_eq!((before, r.latched()), (0, 1 << 3));
    assert_eq!(r.d.refusals("ce-blocking-interrupt"), 1);
    assert_eq!(r.word(c.semaphore_at()), 1);
}

#[test]
fn injected_faults() {
    let mut r = Rig::new("");
    let mut c = r.channel(1, CE2);
    r.d.gpu.set_property("fault", "ce-fault=1").unwrap();
    let stream = fill(LINEAR + WORK, FILL);
    r.submit(&mut c, &stream);
    assert_eq!(r.channel_error(), (CE2, 1, 31, LINEAR + WORK, 2));
    assert_eq!(r.word(WORK), POISON);
    assert_eq!(r.free(c.handle()), 0);

    let mut c = r.channel(1, CE2);
    r.d.gpu.set_property("fault", "lost-nonstall=1").unwrap();
    for (payload, latched) in [(1, 0), (2, 1 << 3)] {
        let stream = done(0, c.semaphore(), payload);
        r.submit(&mut c, &stream);
        assert_eq!(r.word(c.semaphore_at()), payload);
        assert_eq!(r.latched(), latched);
    }

    // A hung engine holds up its own channels only, until the one is freed.
    let (mut a, mut other) = (r.channel(2, CE2), r.channel(3, CE3));
    r.d.gpu.set_property("fault", "ce-hang=1").unwrap();
    for ch in [&mut c, &mut a, &mut other] {
        let stream = [fill(LINEAR + WORK, FILL), done(0, ch.semaphore(), 9)].concat();
        r.submit(ch, &stream);
    }
    r.d.sleep_ms(10);
    assert_eq!(r.word(c.semaphore_at()), 2);
    assert_eq!(r.word(a.semaphore_at()), 0);
    assert_eq!(r.word(other.semaphore_at()), 9);
    assert_eq!(r.control(c.handle(), 0xa06f_0103, &[0, 0]), 0);
    assert_eq!(r.free(c.handle()), 0);
    r.d.sleep_ms(1);
    assert_eq!(r.word(a.semaphore_at()), 9);
    // Nothing of this is the driver's fault.
    assert_eq!(r.refusals(), 0);
}

#[test]
fn without_privilege_no_physical_address() {
    let mut r = Rig::new("");
    let mut c = r.channel(1, CE2);
    let stream = fill(WORK, FILL | 1 << 13);
    r.submit(&mut c, &stream);
    assert_eq!(r.word(WORK), 0);
    // Beyond the memory.
    let stream = fill(16 * GIB, FILL | 1 << 13);
    r.submit(&mut c, &stream);
    assert_eq!(r.channel_error(), (CE2, 1, 31, 16 * GIB, 13));
}
