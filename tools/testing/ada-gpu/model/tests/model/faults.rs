// SPDX-License-Identifier: GPL-2.0

//! Faults that strike by themselves, and events a test asks for.

use crate::driver::{Driver, Plan};
use ada_gpu_model::{Bar, Function, Reset};

const BOARD: &str = "vram=4G";
const RISCV_CPUCTL: u64 = 0x11_1388;
const RISCV_HALTED: u32 = 1 << 4;
const RISCV_ACTIVE: u32 = 1 << 7;
const IRQSTAT: u64 = 0x11_0008;
const MAILBOX: u64 = 0x11_0804;
const STATIC_INFO: u32 = 65;
const RC_TRIGGERED: u32 = 0x1004;

fn booted() -> Driver {
    let mut d = Driver::new(BOARD);
    d.boot(&Plan::bare()).unwrap();
    d
}

impl Driver {
    fn fault(&mut self, spec: &str) {
        self.gpu.set_property("fault", spec).unwrap();
    }

    fn static_info(&mut self) -> Result<(), String> {
        self.call(STATIC_INFO, &[0; 0x678]).map(|_| ())
    }
}

/// A GSP that halted needs a reset, and is as good as new after it.
fn recovers(d: &mut Driver) {
    assert_eq!(
        d.static_info().unwrap_err(),
        format!("timeout {STATIC_INFO:#x}")
    );
    d.w(0xb8_2200, 17);
    assert_eq!(d.gpu.stats().refusals(), 0, "nobody can know it is dead");
    d.gpu.reset(Reset::Flr(Function::Pf));
    d.boot(&Plan::bare()).unwrap();
    d.static_info().unwrap();
    assert_eq!(d.gpu.stats().refusals(), 0);
}

#[test]
fn gsp_dies_silently_at_its_time() {
    let mut d = booted();
    d.fault("gsp-death=20");
    d.static_info().unwrap();
    assert_eq!(
        d.r(RISCV_CPUCTL) & (RISCV_ACTIVE | RISCV_HALTED),
        RISCV_ACTIVE
    );
    d.w(0x11_0004, 0x40);
    d.sleep_ms(20);
    assert_eq!(
        d.r(RISCV_CPUCTL) & (RISCV_ACTIVE | RISCV_HALTED),
        RISCV_HALTED
    );
    assert_eq!(d.r(IRQSTAT), 0);
    recovers(&mut d);
}

#[test]
fn time_to_live_counts_from_init_done() {
    let mut d = Driver::new("vram=4G,fault=gsp-death=5");
    d.sleep_ms(10);
    d.boot(&Plan::bare()).unwrap();
    d.sleep_ms(5);
    recovers(&mut d);
}

#[test]
fn a_panic_leaves_a_word_and_raises_the_vector() {
    let mut d = booted();
    d.w(0x11_0004, 0xffff_ffff);
    d.w(0xb8_1010, 0xffff_ffff);
    d.fault("gsp-panic=0xe0420105");
    assert_eq!(d.r(MAILBOX), 0xe042_0105);
    assert_eq!(d.r(IRQSTAT), 1 << 4);
    assert_eq!(d.r(0xb8_1010), 1 << 27, "vector 155 is latched");
    recovers(&mut d);
}

#[test]
fn a_dead_gsp_can_also_be_unloaded_by_the_falcons() {
    let mut d = booted();
    d.fault("gsp-death");
    assert_eq!(d.r(RISCV_CPUCTL) & RISCV_ACTIVE, 0);
    d.recover().unwrap();
    d.boot(&Plan::bare()).unwrap();
    assert_eq!(d.gpu.stats().refusals(), 0);
}

#[test]
fn commands_wait_while_the_queue_is_stalled() {
    let mut d = booted();
    d.fault("queue-stall=50");
    d.send(STATIC_INFO, &[0; 0x678]);
    assert_eq!(d.try_receive(), Ok(None));
    let status = 0x4_1000;
    assert_eq!(
        (d.queue_read32(0x1010) + 63 - d.queue_read32(status + 0x20)) % 63,
        1,
        "one command is not consumed"
    );
    d.sleep_ms(50);
    d.receive(STATIC_INFO).unwrap();
    // Calling the stall off ends it.
    d.fault("queue-stall=1000000");
    d.send(STATIC_INFO, &[0; 0x678]);
    assert_eq!(d.try_receive(), Ok(None));
    d.fault("");
    d.receive(STATIC_INFO).unwrap();
    assert_eq!(d.gpu.stats().refusals(), 0);
}

#[test]
fn a_storm_is_as_many_messages_as_asked_for() {
    let mut d = booted();
    d.fault("rc-storm=200:10:7:2");
    for i in 0..200 {
        let p = d.receive(RC_TRIGGERED).unwrap().payload;
        assert_eq!([p[0], p[4], p[8]], [10, 7, 2], "{i}");
    }
    assert_eq!(d.try_receive(), Ok(None));
    d.static_info().unwrap();
}

#[test]
fn an_invalidate_hangs() {
    let mut d = booted();
    d.fault("tlb-timeout=1");
    let invalidate = |d: &mut Driver| {
        d.w(0xb8_30a0, 0);
        d.w(0xb8_30a4, 0);
        d.w(0xb8_30b0, 0x8000_0003);
    };
    invalidate(&mut d);
    assert!((0..100).all(|_| d.r(0xb8_30b0) >> 31 == 1));
    invalidate(&mut d);
    assert!((0..4).any(|_| d.r(0xb8_30b0) >> 31 == 0));
}

#[test]
fn a_reset_that_does_nothing() {
    let mut d = booted();
    d.fault("flr-fails=1");
    d.gpu.reset(Reset::Flr(Function::Pf));
    assert_ne!(d.r(0x1f_a828), 0, "WPR2 is still up");
    d.static_info().unwrap();
    d.gpu.reset(Reset::Flr(Function::Pf));
    assert_eq!(d.r(0x1f_a828), 0);
}

#[test]
fn a_board_off_the_bus() {
    let mut d = booted();
    d.send(STATIC_INFO, &[0; 0x678]);
    d.fault("off-bus");
    assert_eq!(d.r(0), u32::MAX);
    assert_eq!(d.gpu.read(Function::Pf, Bar::Bar1, 0, 8), u64::MAX);
    d.w(0x1700, 7);
    d.receive(STATIC_INFO).unwrap();
    d.send(STATIC_INFO, &[0; 0x678]);
    assert_eq!(d.try_receive(), Ok(None));
    d.fault("");
    assert_eq!(d.r(0), 0x1920_00a1);
    assert_eq!(d.r(0x1700), 0, "the write was lost");
    assert_eq!(d.gpu.stats().refusals(), 0);
}

#[test]
fn events_on_request() {
    let mut d = Driver::new(BOARD);
    assert!(
        d.gpu.set_property("event", "perfmon").is_err(),
        "not booted"
    );
    d.boot(&Plan::bare()).unwrap();
    for (spec, function, len) in [
        ("rc:9:3:0", RC_TRIGGERED, 0x30),
        ("perfmon", 0x1008, 4048),
        ("os-error:31:Ch 00000003, engmask 0x9", 0x1006, 0x110),
        ("post:35:0xc1d00001:7", 0x1003, 0x20),
        ("plugin:1:2", 0x100d, 8),
        ("raw:0x10ff:5", 0x10ff, 5),
    ] {
        d.gpu.set_property("event", spec).unwrap();
        assert_eq!(d.receive(function).unwrap().payload.len(), len, "{spec}");
    }
    // Longer than one element: continued.
    d.gpu.set_property("event", "raw:0x10ff:100000").unwrap();
    assert_eq!(d.receive(0x10ff).unwrap().payload.len(), 65456);
    assert_eq!(d.receive(71).unwrap().payload.len(), 100_000 - 65456);
    assert!(d.gpu.set_property("event", "nope").is_err());
}
