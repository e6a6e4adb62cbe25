// SPDX-License-Identifier: GPL-2.0

//! Message transport: splitting, joining, order, room, and each refusal.

use crate::driver::{fold, Driver, Plan};
use proptest::prelude::*;

const BOARD: &str = "vram=4G";
/// RM_CONTROL to a client nobody has: any size is answered.
const CONTROL: u32 = 76;

fn booted() -> Driver {
    let mut d = Driver::new(BOARD);
    d.boot(&Plan::bare()).unwrap();
    d
}

/// A control payload with `size` bytes of parameters.
fn control(size: usize) -> Vec<u8> {
    let mut b = vec![0u8; 24 + size];
    b[0..4].copy_from_slice(&0xc1d0_0bad_u32.to_le_bytes());
    b[8..12].copy_from_slice(&0x2080_017e_u32.to_le_bytes());
    b[16..20].copy_from_slice(&(size as u32).to_le_bytes());
    for (i, x) in b[24..].iter_mut().enumerate() {
        *x = (i % 251) as u8;
    }
    b
}

/// Writes the checksum again after a field was changed.
fn reseal(e: &mut [u8]) {
    e[0x20..0x24].fill(0);
    let sum = fold(e);
    e[0x20..0x24].copy_from_slice(&sum.to_le_bytes());
}

#[test]
fn large_command_and_large_answer() {
    let mut d = booted();
    // As large as PGPU_ADD_VGPU_TYPE: six elements each way.
    let payload = control(334_344);
    d.send(CONTROL, &payload);
    let mut answer = d.receive(CONTROL).unwrap().payload;
    assert_eq!(answer.len(), 65456);
    for _ in 0..5 {
        answer.extend(d.receive(71).unwrap().payload);
    }
    assert_eq!(answer.len(), payload.len());
    assert_eq!(answer[24..], payload[24..]);
    assert_eq!(d.try_receive(), Ok(None));
}

#[test]
fn rings_wrap_many_times() {
    let mut d = booted();
    for i in 0..200 {
        let payload = control(i * 97 % 9000);
        let answer = d.call(CONTROL, &payload).unwrap();
        assert_eq!(answer.payload.len(), payload.len());
    }
}

#[test]
fn answers_wait_for_room() {
    let mut d = booted();
    // 20 answers of 4 slots need more than the 62 the ring can hold.
    for _ in 0..20 {
        d.send(CONTROL, &control(16000));
    }
    let mut got = 0;
    while d.try_receive().unwrap().is_some() {
        got += 1;
    }
    assert!((10..20).contains(&got), "{got}");
    for _ in got..20 {
        d.receive(CONTROL).unwrap();
    }
}

#[test]
fn one_doorbell_for_many_commands() {
    let mut d = booted();
    for _ in 0..5 {
        let e = d.element(CONTROL, &control(8));
        d.push_raw(&e);
    }
    assert_eq!(d.try_receive(), Ok(None));
    d.ring();
    for _ in 0..5 {
        d.receive(CONTROL).unwrap();
    }
}

#[test]
fn defective_elements_are_dropped_and_counted() {
    type Defect = fn(&mut Vec<u8>);
    let cases: [(Defect, &str); 6] = [
        (|e| e[0x20] ^= 1, "queue-checksum"),
        (|e| e[0x60] ^= 1, "queue-checksum"),
        (
            |e| {
                e[0x24] ^= 0x40;
                reseal(e);
            },
            "queue-sequence",
        ),
        (
            |e| {
                e[0x34] ^= 1;
                reseal(e);
            },
            "queue-signature",
        ),
        (
            |e| e[0x38..0x3c].copy_from_slice(&31u32.to_le_bytes()),
            "queue-length",
        ),
        (
            |e| e[0x38..0x3c].copy_from_slice(&5000u32.to_le_bytes()),
            "queue-length",
        ),
    ];
    for (spoil, kind) in cases {
        let mut d = booted();
        let mut e = d.element(CONTROL, &control(64));
        spoil(&mut e);
        d.push_raw(&e);
        d.ring();
        assert_eq!(d.try_receive(), Ok(None), "{kind}");
        assert_eq!(d.refusals(kind), 1);
        // The queue goes on behind it.
        d.call(CONTROL, &control(64)).unwrap();
    }
}

#[test]
fn bad_pointers_and_counts_end_the_queue() {
    for (off, v) in [(0x1010, 63), (0x1010, u32::MAX)] {
        let mut d = booted();
        d.queue_write32(off, v);
        d.ring();
        assert_eq!(d.refusals("queue-pointer"), 1);
    }
    for count in [0u32, 2, 17, u32::MAX] {
        let mut d = booted();
        let mut e = d.element(CONTROL, &control(64));
        e[0x28..0x2c].copy_from_slice(&count.to_le_bytes());
        reseal(&mut e);
        d.push_raw(&e);
        d.ring();
        assert_eq!(d.refusals("queue-element-count"), 1, "{count}");
        d.send(CONTROL, &control(64));
        assert_eq!(d.try_receive(), Ok(None));
    }
}

#[test]
fn continuation_rules() {
    let mut d = booted();
    d.send(71, &[1, 2, 3]);
    assert_eq!(d.refusals("rpc-continuation"), 1);
    // A new command while one is incomplete.
    let first = d.element(CONTROL, &control(200_000)[..65456]);
    d.push_raw(&first);
    d.ring();
    d.call(CONTROL, &control(8)).unwrap();
    assert_eq!(d.refusals("rpc-continuation"), 2);
    // More than was announced, and a short part in the middle.
    for parts in [vec![65456, 40_000], vec![100]] {
        let whole = control(65456 + 1000);
        let e = d.element(CONTROL, &whole[..65456]);
        d.push_raw(&e);
        for n in &parts {
            let e = d.element(71, &vec![0; *n]);
            d.push_raw(&e);
        }
        d.ring();
        d.call(CONTROL, &control(8)).unwrap();
    }
    assert!(d.refusals("rpc-continuation") >= 4);
}

#[test]
fn init_messages_only_once_and_nothing_before_them() {
    let mut d = booted();
    d.send(72, &[0; 0x3a0]);
    assert_eq!(d.refusals("rpc-order"), 1);
    let answer = d.call(47, &[0, 0, 0, 0, 9, 0, 0, 0]).unwrap();
    assert_ne!(answer.result, 0);
    assert_eq!(d.refusals("unload-parameters"), 1);
    d.unload().unwrap();
    d.ring();
    assert_eq!(d.try_receive(), Ok(None));
}

/// Milliseconds until `n` controls sent at once are all answered.
fn time_for(d: &mut Driver, n: usize) -> u64 {
    for _ in 0..n {
        d.send(CONTROL, &control(8));
    }
    let start = d.ram.0.lock().unwrap().now_ns;
    for _ in 0..n {
        d.receive(CONTROL).unwrap();
    }
    (d.ram.0.lock().unwrap().now_ns - start) / 1_000_000
}

#[test]
fn firmware_time_overlaps_as_far_as_there_are_threads() {
    let mut d = booted();
    assert_eq!(time_for(&mut d, 32), 0);
    d.gpu.set_property("firmware-time-us", "1000").unwrap();
    assert_eq!(time_for(&mut d, 32), 1);
    d.gpu.set_property("firmware-threads", "4").unwrap();
    assert_eq!(time_for(&mut d, 32), 8);
    d.gpu.set_property("firmware-threads", "1").unwrap();
    assert_eq!(time_for(&mut d, 32), 32);
    // Other functions than controls take none of it.
    let start = d.ram.0.lock().unwrap().now_ns;
    d.call(65, &[0; 0x678]).unwrap();
    assert_eq!(d.ram.0.lock().unwrap().now_ns, start);
}

#[test]
fn a_slow_control_is_overtaken() {
    let mut d = booted();
    d.gpu
        .set_property("firmware-time-us", "10;5000:0x2080017e")
        .unwrap();
    d.send(CONTROL, &control(100));
    let mut other = control(4);
    other[8..12].copy_from_slice(&0x2080_0a61_u32.to_le_bytes());
    d.send(CONTROL, &other);
    let answers: Vec<_> = (0..2)
        .map(|_| d.receive(CONTROL).unwrap().payload.len())
        .collect();
    assert_eq!(answers, [28, 124]);
}

#[test]
fn the_model_knows_its_own_time() {
    let mut d = booted();
    d.gpu.set_property("service-times", "clear").unwrap();
    for _ in 0..3 {
        d.call(65, &[0; 0x678]).unwrap();
    }
    // An answer that comes later is not the model's work.
    d.gpu.set_property("firmware-time-us", "1000").unwrap();
    d.call(CONTROL, &control(8)).unwrap();
    let text = d.gpu.property("service-times").unwrap();
    assert!(text.starts_with("doorbell samples 3 min "), "{text}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is in the slots, and wherever the write pointer is, the model
    /// neither answers nonsense nor goes down.
    #[test]
    fn garbage_in_the_command_queue(
        words in proptest::collection::vec(any::<u32>(), 1..64),
        offset in 0usize..0x60,
        pointer in any::<u32>(),
        keep_pointer in any::<bool>(),
    ) {
        let mut d = booted();
        let mut e = d.element(CONTROL, &control(64));
        for (i, w) in words.iter().enumerate() {
            let at = (offset + 4 * i).min(e.len() - 4);
            e[at..at + 4].copy_from_slice(&w.to_le_bytes());
        }
        let damaged = fold(&e) != 0;
        d.push_raw(&e);
        if !keep_pointer {
            d.queue_write32(0x1010, pointer);
        }
        d.ring();
        if damaged {
            prop_assert_eq!(d.try_receive(), Ok(None));
        }
        // Reset always brings the board back.
        d.gpu.reset(ada_gpu_model::Reset::SecondaryBus);
        d.boot(&Plan::bare()).unwrap();
    }

    /// Any command split in any way the protocol allows is answered whole.
    #[test]
    fn any_size_round_trips(size in 0usize..200_000) {
        let mut d = booted();
        let payload = control(size);
        d.send(CONTROL, &payload);
        let mut answer = d.receive(CONTROL).unwrap().payload;
        while answer.len() < payload.len() {
            answer.extend(d.receive(71).unwrap().payload);
        }
        prop_assert_eq!(&answer[24..], &payload[24..]);
    }
}
