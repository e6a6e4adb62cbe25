// SPDX-License-Identifier: GPL-2.0

//! Arbitrary register accesses and memory contents: the model answers or
//! refuses, and always comes back after a reset.

use crate::driver::{Driver, Plan};
use ada_gpu_model::{Bar, Config, Function, Reset};
use proptest::prelude::*;

/// Register blocks worth hitting, with their sizes.
const BLOCKS: [(u64, u64); 8] = [
    (0x00_0000, 0x2000),
    (0x00_9000, 0x1000),
    (0x07_0000, 0x20),
    (0x08_8000, 0x1000),
    (0x11_0000, 0x2000),
    (0x1f_a000, 0x1000),
    (0x84_0000, 0x2000),
    (0xb8_0000, 0x4_0000),
];

fn any_access() -> impl Strategy<Value = (bool, u64, u8, u64)> {
    (
        any::<bool>(),
        proptest::sample::select(&BLOCKS[..]),
        any::<u64>(),
        proptest::sample::select(&[1u8, 2, 4, 8][..]),
        any::<u64>(),
    )
        .prop_map(|(write, (base, len), at, size, value)| (write, base + at % len, size, value))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_register_access(
        accesses in proptest::collection::vec(any_access(), 1..300),
        running in any::<bool>(),
    ) {
        let mut d = Driver::new("vram=4G");
        if running {
            d.boot(&Plan::vgpu()).unwrap();
        }
        for (write, off, size, value) in accesses {
            if write {
                d.gpu.write(Function::Pf, Bar::Bar0, off, size, value);
            } else {
                d.gpu.read(Function::Pf, Bar::Bar0, off, size);
            }
        }
        d.gpu.reset(Reset::PowerOn);
        d.boot(&Plan::vgpu()).unwrap();
    }

    #[test]
    fn any_bar_offset(
        offset in any::<u64>(),
        size in proptest::sample::select(&[1u8, 2, 3, 4, 8, 16][..]),
        value in any::<u64>(),
        vf in any::<u8>(),
        running in any::<bool>(),
    ) {
        let mut d = Driver::new("vram=4G");
        if running {
            d.boot(&Plan::vgpu()).unwrap();
        }
        for f in [Function::Pf, Function::Vf(vf)] {
            for bar in [Bar::Bar0, Bar::Bar1, Bar::Bar3] {
                d.gpu.write(f, bar, offset, size, value);
                d.gpu.read(f, bar, offset, size);
            }
            d.gpu.set_bus_master(f, value & 1 == 1);
            d.gpu.reset(Reset::Flr(f));
        }
    }

    #[test]
    fn any_metadata_is_refused_or_boots(
        at in 0usize..256,
        value in any::<u64>(),
    ) {
        let mut d = Driver::new("vram=4G");
        thread_local! {
            static CHANGE: std::cell::Cell<(usize, u64)> = const { std::cell::Cell::new((0, 0)) };
        }
        CHANGE.set((at, value));
        let mut plan = Plan::bare();
        plan.spoil_meta = |b| {
            let (at, value) = CHANGE.get();
            let end = (at + 8).min(b.len());
            b[at..end].copy_from_slice(&value.to_le_bytes()[..end - at]);
        };
        if d.boot(&plan).is_err() {
            prop_assert!(d.gpu.stats().refusals() > 0);
        }
        d.gpu.reset(Reset::SecondaryBus);
        d.boot(&Plan::bare()).unwrap();
    }

    #[test]
    fn any_property_text(name in "[a-z-]{0,12}", value in "\\PC{0,16}") {
        let mut c = Config::default();
        let before = format!("{c:?}");
        if c.set(&name, &value).is_err() {
            prop_assert_eq!(before, format!("{c:?}"));
        }
    }

    #[test]
    fn any_value_of_a_known_property(
        i in 0usize..64,
        value in "(0x)?[0-9a-f]{1,20}[KMGT]?",
    ) {
        let names: Vec<_> = Config::names().collect();
        let mut c = Config::default();
        let name = names[i % names.len()];
        if c.set(name, &value).is_ok() {
            let printed = c.get(name).unwrap();
            c.set(name, &printed).unwrap();
            prop_assert_eq!(c.get(name).unwrap(), printed);
            let _ = c.validate();
            let _ = (c.fb_size(), c.class_code(), c.board_name());
        }
    }

    #[test]
    fn any_fault_text(value in "[a-z0-9:;=-]{0,40}") {
        let mut d = Driver::new("vram=4G,fault=plugin-no-boot");
        if d.gpu.set_property("fault", &value).is_err() {
            prop_assert_eq!(d.gpu.property("fault"), Some("plugin-no-boot".to_owned()));
        }
    }
}
