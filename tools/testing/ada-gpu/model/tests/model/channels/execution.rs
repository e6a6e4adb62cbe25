// SPDX-License-Identifier: GPL-2.0

//! Doorbells, host methods, semaphores.

use super::*;

#[test]
fn a_semaphore_and_an_interrupt_end_the_work() {
    let mut r = Rig::new("");
    let mut c = r.channel(5, CE2);
    let stream = [object(0), done(0, c.semaphore(), 7)].concat();
    r.submit(&mut c, &stream);
    assert_eq!(r.word(c.semaphore_at()), 7);
    assert_eq!(r.get(&c), 1);
    // CE2 has vector 3.
    assert_eq!(r.latched(), 1 << 3);
    assert_eq!(r.d.ram.take_msix().len(), 1);
    // Around the ring.
    for i in 0..150 {
        let stream = done(4, c.semaphore(), 100 + i);
        r.submit(&mut c, &stream);
        assert_eq!(r.word(c.semaphore_at()), 100 + i);
    }
    assert_eq!(r.get(&c), (1 + 150) % ENTRIES);
    assert_eq!(r.refusals(), 0);
    assert_eq!(r.control(c.handle(), 0xa06f_0103, &[0, 0]), 0);
    assert_eq!(r.free(c.handle()), 0);
    assert_eq!(r.d.gpu.stats().live("host-channels"), 0);
    assert_eq!(r.refusals(), 0);
}

#[test]
fn a_doorbell_must_fit() {
    let mut r = Rig::new("");
    let mut c = r.channel(5, CE2);
    for (token, kind) in [
        (1 << 16 | 6, "doorbell-no-channel"),
        (2 << 16 | 5, "doorbell-no-channel"),
        (1 << 31 | 1 << 16 | 5, "doorbell-token"),
        (1 << 16 | 1 << 12 | 5, "doorbell-token"),
    ] {
        let before = r.d.refusals(kind);
        r.d.w(0xbb_0090, token);
        assert_eq!(r.d.refusals(kind), before + 1, "{token:#x}");
    }
    r.ring(&c);
    assert_eq!(r.counted("doorbell-empty"), 1);
    assert_eq!(r.control(c.handle(), 0xa06f_0103, &[0, 0]), 0);
    let stream = done(0, c.semaphore(), 1);
    r.submit(&mut c, &stream);
    assert_eq!(r.d.refusals("doorbell-off"), 1);
    assert_eq!(r.word(c.semaphore_at()), 0);
    // What was submitted is found when the channel comes back.
    assert_eq!(r.control(c.handle(), 0xa06f_0103, &[1, 0]), 0);
    r.d.sleep_ms(1);
    assert_eq!(r.word(c.semaphore_at()), 1);
    r.set(c.userd() + 0x8c, ENTRIES);
    r.ring(&c);
    assert_eq!(r.d.refusals("gpfifo-put"), 1);
}

#[test]
fn an_overrun_of_the_ring_is_seen() {
    let mut r = Rig::new("");
    let mut c = r.channel(1, CE2);
    // Parked, so that nothing is consumed.
    let [high, low] = split(c.semaphore());
    let wait = inc(0, 0x5c, &[low, high, 1, 0, 0]);
    // The first is off the ring: it is the one that waits.
    for _ in 0..ENTRIES {
        r.submit(&mut c, &wait);
    }
    assert_eq!(r.refusals(), 0);
    r.submit(&mut c, &wait);
    assert_eq!(r.d.refusals("gpfifo-overrun"), 1);
}

#[test]
fn an_acquire_parks_the_channel_and_no_other() {
    let mut r = Rig::new("");
    let (mut a, mut b) = (r.channel(1, CE2), r.channel(2, CE2));
    let [high, low] = split(a.semaphore());
    let mut stream = inc(0, 0x5c, &[low, high, 5, 0, 2]);
    stream.extend(done(0, a.semaphore() + 16, 1));
    r.submit(&mut a, &stream);
    let other = done(0, b.semaphore(), 1);
    r.submit(&mut b, &other);
    assert_eq!(r.word(b.semaphore_at()), 1);
    assert_eq!(r.word(a.semaphore_at() + 16), 0);
    // The CPU lets it go; the channel looks again by itself.
    r.set(a.semaphore_at(), 5);
    r.d.sleep_ms(1);
    assert_eq!(r.word(a.semaphore_at() + 16), 1);
    // Another channel does, which is noticed at once.
    let mut stream = inc(0, 0x5c, &[low, high, 6, 0, 0]);
    stream.extend(done(0, a.semaphore() + 16, 2));
    r.submit(&mut a, &stream);
    assert_eq!(r.word(a.semaphore_at() + 16), 1);
    let release = inc(0, 0x5c, &[low, high, 6, 0, 1]);
    r.submit(&mut b, &release);
    assert_eq!(r.word(a.semaphore_at() + 16), 2);
    assert_eq!(r.refusals(), 0);
}

#[test]
fn releases_write_time_and_wide_values() {
    let mut r = Rig::new("");
    let mut c = r.channel(1, CE2);
    let [high, low] = split(c.semaphore());
    let stream = [
        inc(0, 0x5c, &[low, high, 5, 6, 1 | 1 << 24]),
        inc(0, 0x5c, &[low + 16, high, 7, 8, 1 | 1 << 25]),
        inc(0, 0x20, &[0]),
        inc(0, 0x50, &[0x1234]),
        inc(0, 0x240, &[high, low + 32, 9, 10]),
        inc(0, 0x300, &[2 << 3]),
        inc(0, 0x240, &[high, low + 48, 11, 12]),
        inc(0, 0x300, &[1 << 3 | 1 << 27]),
    ]
    .concat();
    r.submit(&mut c, &stream);
    let at = c.semaphore_at();
    let now = r.d.ram.0.lock().unwrap().now_ns;
    let time = |r: &mut Rig, at: u64| u64::from(r.word(at)) | u64::from(r.word(at + 4)) << 32;
    assert_eq!((r.word(at), r.word(at + 4)), (5, 6));
    assert_eq!((r.word(at + 16), r.word(at + 20)), (7, 0));
    assert_eq!(time(&mut r, at + 24), now);
    assert_eq!((r.word(at + 32), r.word(at + 36)), (9, 0));
    assert_eq!(time(&mut r, at + 40), now);
    assert_eq!((r.word(at + 48), r.word(at + 52)), (11, 12));
    assert_eq!(r.word(c.userd() + 0x48), 0x1234);
    assert_eq!(r.latched(), 1 << 3);
    assert_eq!(r.refusals(), 0);
}

#[test]
fn the_same_id_on_two_runlists_is_two_channels() {
    let mut d = Rig::new("");
    // Bare metal: one ID space.
    let mut c = d.channel(3, CE2);
    let stream = done(0, c.semaphore(), 1);
    d.submit(&mut c, &stream);
    d.d.w(0xbb_0090, 2 << 16 | 3);
    assert_eq!(d.d.refusals("doorbell-no-channel"), 1);
}

#[test]
fn a_graphics_copy_engine_wants_its_own_sub_channel() {
    let mut r = Rig::new("");
    let mut c = r.channel(1, CE0);
    let stream = [object(4), done(4, c.semaphore(), 3)].concat();
    r.submit(&mut c, &stream);
    assert_eq!(r.word(c.semaphore_at()), 3);
    assert_eq!(r.latched(), 1 << 1);
    let stream = object(0);
    r.submit(&mut c, &stream);
    assert_eq!(r.channel_error().2, 32);
    let mut c = r.channel(2, CE0);
    let stream = done(0, c.semaphore(), 3);
    r.submit(&mut c, &stream);
    assert_eq!(r.channel_error(), (CE0, 2, 32, 0, 0));
}
