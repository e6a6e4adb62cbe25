// SPDX-License-Identifier: GPL-2.0

//! Copy engines that take their time.

use super::*;

fn fill(dst: u64, bytes: u64) -> Vec<u32> {
    let [high, low] = split(dst);
    [
        inc(0, 0x700, &[0, 0, 0x0003_0004]),
        inc(0, 0x408, &[high, low]),
        inc(0, 0x418, &[(bytes / 4) as u32]),
        inc(0, 0x300, &[0x2585]),
    ]
    .concat()
}

#[test]
fn a_fill_takes_as_long_as_its_bytes() {
    // 1 GiB at 1000 bytes per microsecond: 1073.7 ms.
    let mut r = Rig::new(",ce-rate=1000");
    let mut c = r.channel(1, CE2);
    let stream = [fill(WORK, GIB), done(0, c.semaphore(), 1)].concat();
    r.submit(&mut c, &stream);
    assert_eq!(r.word(WORK), POISON);
    r.d.sleep_ms(500);
    assert_eq!(r.word(WORK), 0);
    assert_eq!(r.word(WORK + 510_000_000), POISON);
    assert_eq!(r.get(&c), 0);
    r.d.sleep_ms(573);
    assert_eq!(r.word(c.semaphore_at()), 0);
    r.d.sleep_ms(2);
    assert_eq!(r.word(c.semaphore_at()), 1);
    assert_eq!(r.latched(), 1 << 3);
    assert_eq!(r.get(&c), 1);
    let t = r.d.gpu.vram().tally(WORK..WORK + GIB).unwrap();
    assert_eq!(t.zero, GIB);
    let busy = r.counted("busy-ns-ce2");
    assert!((1_073_741_000..1_073_751_000).contains(&busy), "{busy}");
    assert_eq!(r.refusals(), 0);
}

#[test]
fn no_time_is_lost_when_the_machine_is_late() {
    let mut r = Rig::new(",ce-rate=1000");
    let mut c = r.channel(1, CE2);
    for i in 0..3 {
        let stream = fill(WORK + i * GIB, 100 * 1000 * 1000);
        r.push(&mut c, &stream);
    }
    let stream = done(0, c.semaphore(), 1);
    r.push(&mut c, &stream);
    r.ring(&c);
    // 300 ms of work, looked at once.
    r.d.ram.advance(301_000_000);
    r.d.gpu.timer();
    assert_eq!(r.word(c.semaphore_at()), 1);
}

#[test]
fn two_channels_share_an_engine_and_two_engines_nothing() {
    let mut r = Rig::new(",ce-rate=1000");
    let (mut a, mut b, mut o) = (r.channel(1, CE2), r.channel(2, CE2), r.channel(3, CE3));
    let big = [fill(WORK, 100_000_000), done(0, a.semaphore(), 1)].concat();
    r.submit(&mut a, &big);
    let small = [fill(WORK + GIB, 10_000_000), done(0, b.semaphore(), 1)].concat();
    r.submit(&mut b, &small);
    let other = [fill(WORK + GIB, 10_000_000), done(0, o.semaphore(), 1)].concat();
    r.submit(&mut o, &other);
    r.d.sleep_ms(11);
    assert_eq!(r.word(o.semaphore_at()), 1);
    r.d.sleep_ms(11);
    assert_eq!(r.word(b.semaphore_at()), 1);
    assert_eq!(r.word(a.semaphore_at()), 0);
    r.d.sleep_ms(90);
    assert_eq!(r.word(a.semaphore_at()), 1);
}

#[test]
fn a_release_without_wfi_does_not_wait_for_the_engine() {
    let mut r = Rig::new(",ce-rate=1000");
    let mut c = r.channel(1, CE2);
    let [high, low] = split(c.semaphore());
    let stream = [
        fill(WORK, 10_000_000),
        inc(0, 0x5c, &[low, high, 1, 0, 1]),
        inc(0, 0x5c, &[low + 4, high, 1, 0, 1 | 1 << 20]),
    ]
    .concat();
    r.submit(&mut c, &stream);
    let at = c.semaphore_at();
    assert_eq!((r.word(at), r.word(at + 4)), (1, 0));
    r.d.sleep_ms(11);
    assert_eq!(r.word(at + 4), 1);
}

#[test]
fn a_busy_channel_is_not_to_be_freed() {
    let mut r = Rig::new(",ce-rate=1");
    let mut c = r.channel(1, CE2);
    let stream = fill(WORK, MIB);
    r.submit(&mut c, &stream);
    assert_eq!(r.free(c.handle()), 0);
    assert_eq!(r.d.refusals("channel-free-busy"), 1);
    r.d.sleep_ms(10);
    assert_eq!(r.word(WORK + MIB - 4), POISON);
}

#[test]
fn many_small_lines_leave_the_machine_time() {
    let mut r = Rig::new("");
    let mut c = r.channel(1, CE2);
    let [high, low] = split(WORK);
    let stream = [
        inc(0, 0x700, &[0, 0, 0x0003_0004]),
        inc(0, 0x408, &[high, low, 0, 8, 1, 200_000]),
        inc(0, 0x300, &[0x2785]),
        done(0, c.semaphore(), 1),
    ]
    .concat();
    r.submit(&mut c, &stream);
    assert_eq!(r.word(c.semaphore_at()), 0);
    r.d.sleep_ms(1);
    for _ in 0..5 {
        r.d.sleep_ms(1);
    }
    assert_eq!(r.word(c.semaphore_at()), 1);
    assert_eq!((r.word(WORK), r.word(WORK + 4)), (0, POISON));
    assert_eq!(r.word(WORK + 8 * 199_999), 0);
}

#[test]
fn a_channel_that_is_turned_off_leaves_its_engine() {
    let mut r = Rig::new(",ce-rate=1000");
    let (mut a, mut b) = (r.channel(1, CE2), r.channel(2, CE2));
    let stream = [fill(WORK, 20_000_000), done(0, a.semaphore(), 1)].concat();
    r.submit(&mut a, &stream);
    r.d.sleep_ms(10);
    assert_eq!(r.control(a.handle(), 0xa06f_0103, &[0, 0]), 0);
    let written = |r: &mut Rig| r.d.gpu.vram().tally(WORK..WORK + 20_000_000).unwrap().zero;
    let before = written(&mut r);
    assert!((9_000_000..12_000_000).contains(&before), "{before}");
    let stream = [fill(WORK + GIB, 5_000_000), done(0, b.semaphore(), 1)].concat();
    r.submit(&mut b, &stream);
    r.d.sleep_ms(60);
    assert_eq!(r.word(b.semaphore_at()), 1);
    assert_eq!((written(&mut r), r.word(a.semaphore_at())), (before, 0));
    // Where it was, it goes on; the pause does not count.
    assert_eq!(r.control(a.handle(), 0xa06f_0103, &[1, 0]), 0);
    r.d.sleep_ms(5);
    assert_eq!(r.word(a.semaphore_at()), 0);
    r.d.sleep_ms(8);
    assert_eq!(r.word(a.semaphore_at()), 1);
    assert_eq!(written(&mut r), 20_000_000);
    // Off and gone with work left is no mistake.
    let stream = fill(WORK, 20_000_000);
    r.submit(&mut a, &stream);
    assert_eq!(r.control(a.handle(), 0xa06f_0103, &[0, 0]), 0);
    assert_eq!(r.free(a.handle()), 0);
    assert_eq!(r.refusals(), 0);
}
