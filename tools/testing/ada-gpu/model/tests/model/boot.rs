// SPDX-License-Identifier: GPL-2.0

//! Boots GSP with a scripted driver: to INIT_DONE, unload, again; and every way
//! it must not boot.

use crate::driver::{Driver, Plan};
use crate::machine;
use ada_gpu_model::{Function, Reset};

/// A board small enough that nothing takes long.
const BOARD: &str = "vram=4G";

fn static_info(d: &mut Driver) -> Vec<u8> {
    let reply = d.call(65, &[0; 0x678]).unwrap();
    assert_eq!(reply.result, 0);
    reply.payload
}

#[test]
fn boots_unloads_and_boots_again() {
    let mut d = Driver::new(BOARD);
    for round in 0..3 {
        d.boot(&Plan::bare()).unwrap();
        assert_eq!(d.stored.last(), Some(&0x542), "script result");
        let info = static_info(&mut d);
        assert!(info.len() >= 0x678);
        assert!(info[0x4ec..].starts_with(b"NVIDIA RTX 6000 Ada"));
        d.unload().unwrap();
        assert_eq!(d.gpu.stats().counted("init-done"), round + 1);
    }
    assert_eq!(
        d.gpu.stats().refusals(),
        0,
        "{}",
        d.gpu.property("refusals").unwrap()
    );
}

#[test]
fn boots_with_vgpu_after_the_scrubber() {
    let mut d = Driver::new(BOARD);
    d.boot(&Plan::vgpu()).unwrap();
    let info = static_info(&mut d);
    // sriovCaps at 0x460: totalVFs, and bSriovEnabled at +0x43.
    assert_eq!(info[0x460], 32);
    assert_eq!(info[0x460 + 0x43], 1);
    d.unload().unwrap();
    // The hand-off survives the unload: no second run.
    d.boot(&Plan::vgpu()).unwrap();
    assert_eq!(d.gpu.stats().counted("scrubber"), 1);
    assert_eq!(
        d.gpu.stats().refusals(),
        0,
        "{}",
        d.gpu.property("refusals").unwrap()
    );
}

#[test]
fn init_messages_may_be_queued_before_gsp_runs() {
    let mut d = Driver::new(BOARD);
    let plan = Plan {
        queue_early: true,
        ..Plan::vgpu()
    };
    for _ in 0..2 {
        d.boot(&plan).unwrap();
        d.unload().unwrap();
    }
    assert_eq!(d.gpu.stats().refusals(), 0);
}

#[test]
fn message_interrupt_reaches_the_function() {
    let mut d = Driver::new(BOARD);
    d.w(0xb8_1200 + 4 * 4, 1 << 27);
    d.w(0xb8_1608, 0xf);
    d.boot(&Plan::bare()).unwrap();
    assert!(d.ram.take_msix().contains(&(Function::Pf, 2)));
    assert_ne!(d.r(0x11_0008) & 0x40, 0);
    d.w(0x11_0004, 0x40);
    assert_eq!(d.r(0x11_0008) & 0x40, 0);
}

#[test]
fn without_scrubber_gsp_stays_silent() {
    let mut d = Driver::new(BOARD);
    let mut plan = Plan::vgpu();
    plan.scrub = false;
    assert_eq!(d.boot(&plan), Err("timeout 0x1002".into()));
    assert_eq!(d.refusals("booter-not-scrubbed"), 1);
    d.recover().unwrap();
    // Recovery leaves the board usable.
    d.boot(&Plan::vgpu()).unwrap();
}

#[test]
fn strict_booter_reports_the_missing_scrubber() {
    let mut d = Driver::new("vram=4G,strict-booter=on");
    let mut plan = Plan::vgpu();
    plan.scrub = false;
    assert_eq!(d.boot(&plan), Err("booter 0x14".into()));
}

#[test]
fn scrubber_faults() {
    for (fault, expect) in [
        ("scrubber-handoff=0", "scrubber-handoff 0"),
        ("scrubber-handoff=2", "scrubber-handoff 2"),
        ("scrubber-hang", "falcon-halt"),
        ("register=0x1180fc:0xbadf5108", "scrubber-register"),
        ("register=0x1180fc:0xffffffff", "scrubber-register"),
    ] {
        let mut d = Driver::new(BOARD);
        d.gpu.set_property("fault", fault).unwrap();
        assert_eq!(d.boot(&Plan::vgpu()), Err(expect.into()), "{fault}");
        d.gpu.set_property("fault", "").unwrap();
        d.recover().unwrap();
        d.boot(&Plan::vgpu()).unwrap();
    }
    for properties in [
        "vram=4G,handoff=4",
        "vram=4G,scrubber-delay=1500,handoff-low=0x1234",
    ] {
        let mut d = Driver::new(properties);
        d.boot(&Plan::vgpu()).unwrap();
    }
}

#[test]
fn bad_metadata_fails_booter() {
    type Spoil = fn(&mut [u8]);
    let cases: [(Spoil, &str); 6] = [
        (|b| b[0] ^= 1, "wpr-meta-magic"),
        (|b| b[8] = 2, "wpr-meta-revision"),
        (|b| b[0xf0] = 33, "wpr-partitions"),
        (|b| b[0x9a] ^= 2, "wpr-frts"),
        (|b| b[0x5a] ^= 0x10, "wpr-layout"),
        (
            |b| b[0x10..0x18].copy_from_slice(&0x40_0000_0000u64.to_le_bytes()),
            "boot-dma",
        ),
    ];
    for (spoil, kind) in cases {
        let mut d = Driver::new(BOARD);
        let mut plan = Plan::bare();
        plan.spoil_meta = spoil;
        let e = d.boot(&plan).unwrap_err();
        assert!(e.starts_with("booter "), "{kind}: {e}");
        assert_eq!(
            d.refusals(kind),
            1,
            "{kind}: {}",
            d.gpu.property("refusals").unwrap()
        );
        d.recover().unwrap();
        d.boot(&Plan::bare()).unwrap();
    }
}

#[test]
fn bad_libos_arguments_hang_gsp() {
    type Spoil = fn(&machine::Machine, u64);
    let cases: [(Spoil, &str); 4] = [
        (|m, p| m.write64(p, 0x1234), "boot-libos"),
        (|m, p| m.write(p + 24, &[2]), "boot-libos"),
        (|m, p| m.write64(p + 96, 0x5252), "boot-libos"),
        (|m, p| m.write64(p + 8, 0x7000_0000_0000), "boot-dma"),
    ];
    for (spoil, kind) in cases {
        let mut d = Driver::new(BOARD);
        let mut plan = Plan::bare();
        plan.spoil_libos = spoil;
        assert_eq!(d.boot(&plan), Err("timeout 0x1002".into()), "{kind}");
        assert_eq!(
            d.refusals(kind),
            1,
            "{}",
            d.gpu.property("refusals").unwrap()
        );
    }
}

#[test]
fn script_must_be_run() {
    let mut d = Driver::new(BOARD);
    let mut plan = Plan::bare();
    plan.skip_script = true;
    assert_eq!(d.boot(&plan), Err("timeout 0x1001".into()));
    let mut d = Driver::new("vram=4G,sequencer=off");
    d.boot(&plan).unwrap();
}

#[test]
fn boot_faults() {
    for (fault, expect) in [
        ("frts-error=0x2a", "frts-error 0x2a"),
        ("booter-error=0x31", "booter 0x31"),
        ("no-init-done", "timeout 0x1002"),
        ("bad-checksum", "receive-checksum"),
        ("corrupt-element=0x1001", "receive-checksum"),
        ("bad-length=0x1001", "receive-length"),
        ("register=0x118234:0", "gfw"),
        ("register=0x8241e0:4", "fwsec-signature-version"),
    ] {
        let mut d = Driver::new(BOARD);
        d.gpu.set_property("fault", fault).unwrap();
        assert_eq!(d.boot(&Plan::bare()), Err(expect.into()), "{fault}");
    }
    // Fuse 1 selects the other signature.
    let mut d = Driver::new("vram=4G,fault=register=0x8241e0:1");
    d.boot(&Plan::bare()).unwrap();
}

#[test]
fn second_frts_without_unload_is_refused() {
    let mut d = Driver::new(BOARD);
    d.boot(&Plan::bare()).unwrap();
    assert_eq!(d.boot(&Plan::bare()), Err("wpr2-up".into()));
    assert_eq!(d.fwsec(Some(0xffe0_0000)), Err("frts-error 0x1".into()));
    assert_eq!(d.refusals("fwsec-wpr2"), 1);
    assert_eq!(d.refusals("gsp-reset-while-running"), 1);
}

#[test]
fn function_level_reset_starts_over() {
    let mut d = Driver::new(BOARD);
    d.boot(&Plan::vgpu()).unwrap();
    d.gpu.reset(Reset::Flr(Function::Pf));
    assert_eq!(d.r(0x1f_a828), 0);
    assert_eq!(d.r(0x11_1388) & 0x80, 0);
    assert_eq!(d.r(0x11_80fc) >> 29, 3, "hand-off survives");
    d.boot(&Plan::vgpu()).unwrap();
    d.gpu.reset(Reset::PowerOn);
    assert_eq!(d.r(0x11_80fc) >> 29, 0);
    d.boot(&Plan::vgpu()).unwrap();
    assert_eq!(d.gpu.stats().counted("scrubber"), 2);
}

#[test]
fn late_and_missing_answers() {
    let mut d = Driver::new(BOARD);
    d.boot(&Plan::bare()).unwrap();
    d.gpu.set_property("fault", "late-reply=65:50").unwrap();
    d.send(65, &[0; 0x678]);
    assert_eq!(d.try_receive(), Ok(None));
    d.sleep_ms(60);
    assert_eq!(d.try_receive().unwrap().unwrap().function, 65);
    d.gpu.set_property("fault", "gsp-no-reply=65").unwrap();
    assert_eq!(d.call(65, &[0; 0x678]), Err("timeout 0x41".into()));
    d.gpu.set_property("fault", "rpc-result=65:0x56:1").unwrap();
    assert_eq!(d.call(65, &[0; 0x678]).unwrap().result, 0x56);
    assert_eq!(d.call(65, &[0; 0x678]).unwrap().result, 0);
}
