// SPDX-License-Identifier: GPL-2.0

//! From GSP's falcon through the tree to the message on the bus.

use crate::driver::{Driver, Plan};
use ada_gpu_model::Function;

const LEAF4: u64 = 0xb8_1010;
const LEAF4_EN_SET: u64 = 0xb8_1210;
const TOP_EN_SET: u64 = 0xb8_1608;
const TOP_EN_CLEAR: u64 = 0xb8_1610;
const LEAF_TRIGGER: u64 = 0xb8_1640;
const IRQSCLR: u64 = 0x11_0004;
const IRQSTAT: u64 = 0x11_0008;
const RETRIGGER: u64 = 0x11_03e8;
const SWGEN0: u32 = 1 << 6;
const GSP: u32 = 1 << 27;
const MSI_REARM: u64 = 0x08_8704;
const STATIC_INFO: u32 = 65;
const MESSAGE: (Function, u16) = (Function::Pf, 2);

/// Booted, interrupts set up as a driver does it.
fn ready() -> Driver {
    let mut d = Driver::new("vram=4G");
    d.boot(&Plan::bare()).unwrap();
    d.w(LEAF4, u32::MAX);
    d.w(IRQSCLR, SWGEN0);
    d.w(TOP_EN_SET, 0xf);
    d.w(LEAF4_EN_SET, GSP);
    d.ram.take_msix();
    d
}

/// What a handler does for the GSP's vector.
fn service(d: &mut Driver) {
    d.w(TOP_EN_CLEAR, 1 << 2);
    let leaf = d.r(LEAF4);
    d.w(LEAF4, leaf);
    if leaf & GSP != 0 {
        d.w(IRQSCLR, SWGEN0);
        while d.try_receive().unwrap().is_some() {}
        d.w(RETRIGGER, 1);
    }
    d.w(TOP_EN_SET, 1 << 2);
}

fn ask(d: &mut Driver) {
    d.send(STATIC_INFO, &[0; 0x678]);
}

#[test]
fn one_message_for_each_answer_that_was_serviced() {
    let mut d = ready();
    for _ in 0..10 {
        ask(&mut d);
        assert_eq!(d.ram.take_msix(), [MESSAGE]);
        service(&mut d);
        assert_eq!(d.ram.take_msix(), []);
    }
    let text = d.gpu.property("interrupts").unwrap();
    assert!(text.contains("gfid 0 message 2 sent 10 lost 0"), "{text}");
}

#[test]
fn one_message_for_one_doorbell_with_many_commands() {
    let mut d = ready();
    for _ in 0..5 {
        let e = d.element(STATIC_INFO, &[0; 0x678]);
        d.push_raw(&e);
    }
    d.ring();
    assert_eq!(d.ram.take_msix(), [MESSAGE]);
}

#[test]
fn a_status_bit_not_cleared_makes_no_new_edge() {
    let mut d = ready();
    ask(&mut d);
    assert_eq!(d.ram.take_msix(), [MESSAGE]);
    // The leaf is cleared, the falcon's status is not.
    d.w(LEAF4, GSP);
    ask(&mut d);
    assert_eq!(d.r(LEAF4), 0);
    assert_eq!(d.ram.take_msix(), []);
    // The retrigger makes up for it.
    d.w(RETRIGGER, 1);
    assert_eq!(d.ram.take_msix(), [MESSAGE]);
    assert_eq!(d.r(IRQSTAT), SWGEN0);
    d.w(IRQSCLR, SWGEN0);
    d.w(LEAF4, GSP);
    d.w(RETRIGGER, 1);
    assert_eq!(d.r(LEAF4), 0, "nothing to retrigger");
}

#[test]
fn a_leaf_pending_while_its_subtree_is_off_comes_with_the_rearm() {
    let mut d = ready();
    d.w(TOP_EN_CLEAR, 1 << 2);
    ask(&mut d);
    assert_eq!(d.ram.take_msix(), []);
    d.w(TOP_EN_SET, 1 << 2);
    assert_eq!(d.ram.take_msix(), [MESSAGE]);
}

#[test]
fn lost_vectors_and_lost_messages() {
    let mut d = ready();
    d.gpu.set_property("fault", "lost-interrupt=155:1").unwrap();
    ask(&mut d);
    assert_eq!(d.r(LEAF4), 0);
    assert_eq!(d.ram.take_msix(), []);
    service(&mut d);
    d.w(IRQSCLR, SWGEN0);
    ask(&mut d);
    assert_eq!(d.ram.take_msix(), [MESSAGE]);
    service(&mut d);
    d.gpu.set_property("fault", "lost-message=2:1").unwrap();
    ask(&mut d);
    assert_eq!(d.r(LEAF4), GSP, "latched all the same");
    assert_eq!(d.ram.take_msix(), []);
    let text = d.gpu.property("interrupts").unwrap();
    assert!(text.contains("vector 155 raised"), "{text}");
    assert!(text.contains("message 2 sent 1 lost 1"), "{text}");
}

#[test]
fn self_test_of_a_vector() {
    let mut d = ready();
    d.w(0xb8_1200, 1 << 7);
    d.w(LEAF_TRIGGER, 7);
    assert_eq!(d.ram.take_msix(), [(Function::Pf, 0)]);
    let text = d.gpu.property("interrupts").unwrap();
    assert!(text.contains("vector 7 raised 1 lost 0"), "{text}");
}

/// Vector 155 raised and never looked at, with the subtree as given.
fn neglected(top: u32) -> Driver {
    let mut d = ready();
    d.w(TOP_EN_CLEAR, 0xf);
    d.w(TOP_EN_SET, top);
    ask(&mut d);
    d.sleep_ms(5000);
    d
}

#[test]
fn an_interrupt_nobody_clears_is_refused() {
    let mut d = neglected(0xf);
    assert_eq!(d.refusals("interrupt-unserviced"), 1);
    assert_eq!(d.refusals("interrupt-not-rearmed"), 0);
    d.sleep_ms(10_000);
    assert_eq!(d.refusals("interrupt-unserviced"), 1, "told once");
    service(&mut d);
    ask(&mut d);
    d.sleep_ms(4999);
    assert_eq!(d.refusals("interrupt-unserviced"), 1);
    d.sleep_ms(1);
    assert_eq!(d.refusals("interrupt-unserviced"), 2);
}

#[test]
fn a_subtree_that_stays_off_is_refused() {
    let d = neglected(0);
    assert_eq!(d.refusals("interrupt-not-rearmed"), 1);
    assert_eq!(d.refusals("interrupt-unserviced"), 0);
}

#[test]
fn interrupts_in_time_are_not_refused() {
    let mut d = ready();
    for _ in 0..20 {
        ask(&mut d);
        d.sleep_ms(4000);
        service(&mut d);
    }
    // Latched but not enabled is nobody's business.
    d.w(LEAF_TRIGGER, 70);
    // A message that was lost on purpose is not the driver's fault.
    d.gpu.set_property("fault", "lost-message=2").unwrap();
    ask(&mut d);
    d.sleep_ms(20_000);
    assert_eq!(d.gpu.stats().refusals(), 0);
}

/// Capabilities at 0x60 and 0x68; MSI enabled, MSI-X not there.
fn with_msi(d: &Driver, msix: bool) {
    let mut s = d.ram.0.lock().unwrap();
    s.config.insert(0x34, 0x60);
    s.config
        .insert(0x60, if msix { 0x8005_6811 } else { 0x0005_6811 });
    s.config.insert(0x68, 0x0081_0005);
}

#[test]
fn msi_waits_for_the_rearm() {
    let mut d = ready();
    with_msi(&d, false);
    d.w(0xb8_1200, 1);
    ask(&mut d);
    assert_eq!(d.ram.take_msix(), [(Function::Pf, 0)]);
    // Another subtree: held back until the driver re-arms.
    d.w(LEAF_TRIGGER, 0);
    assert_eq!(d.ram.take_msix(), []);
    d.w(MSI_REARM, 0xff);
    assert_eq!(d.ram.take_msix(), [(Function::Pf, 0)], "still pending");
    let text = d.gpu.property("interrupts").unwrap();
    assert!(
        text.contains("gfid 0 message 0 sent 2 lost 0 held 1"),
        "{text}"
    );
    d.w(0xb8_1000, 1);
    service(&mut d);
    d.w(MSI_REARM, 0xff);
    assert_eq!(d.ram.take_msix(), []);
    // With MSI-X on as well, that one counts.
    with_msi(&d, true);
    ask(&mut d);
    assert_eq!(d.ram.take_msix(), [MESSAGE]);
}
