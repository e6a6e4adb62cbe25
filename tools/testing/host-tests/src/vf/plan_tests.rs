// SPDX-License-Identifier: GPL-2.0

//! Places of the types of the shipped table, and plans of random users.

use super::placement::{build, Board, Layout, Resources, Shape, Table, MAX_PLACES};
use super::plan::{Choice, Plan, Refusal, MAX_VFS};
use proptest::prelude::*;
use std::sync::OnceLock;

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const SEGMENT: u64 = 128 * MIB;

/// The shapes of a board, and which one each type has.
struct Types {
    ids: Vec<u32>,
    choices: Vec<Choice>,
    tables: Vec<Table>,
}

fn types(device: u16, window: u64, segment: u64) -> Types {
    let table =
        vgpu_metadata::table::Table::parse(include_str!("../../../../vgpu-metadata/types.toml"))
            .unwrap();
    let boards = table.resolve().unwrap();
    let (_, types) = boards.iter().find(|(id, _)| *id == device).unwrap();
    let mut shapes: Vec<Shape> = Vec::new();
    let mut choices = Vec::new();
    for (number, t) in types.iter().enumerate() {
        let shape = Shape {
            units: (t.profile_size >> 30) as u32,
            max_instance: t.max_instance,
            fb: t.fb_length / segment * segment,
            heap: t.gsp_heap_size,
        };
        let at = shapes.iter().position(|s| *s == shape);
        let at = at.unwrap_or_else(|| {
            shapes.push(shape);
            shapes.len() - 1
        });
        choices.push(Choice {
            vgpu_type: number as u8,
            table: at as u8,
        });
    }
    let board = Board {
        window: SEGMENT..SEGMENT + window,
        segment,
        channels: 64..2048,
    };
    let mut tables = vec![Table::default(); shapes.len()];
    build(&board, shapes.into_iter(), &mut tables);
    Types {
        ids: types.iter().map(|t| t.id).collect(),
        choices,
        tables,
    }
}

/// RTX 6000 Ada.
fn ada() -> &'static Types {
    static TYPES: OnceLock<Types> = OnceLock::new();
    TYPES.get_or_init(|| types(0x26b1, 46 * GIB, SEGMENT))
}

impl Types {
    fn choice(&self, id: u32) -> Choice {
        self.choices[self.ids.iter().position(|i| *i == id).unwrap()]
    }

    fn table(&self, id: u32) -> &Table {
        &self.tables[usize::from(self.choice(id).table)]
    }

    fn placement_ids(&self, id: u32, layout: Layout) -> Vec<u16> {
        self.table(id).places(layout).iter().map(|p| p.id).collect()
    }
}

const Q1: u32 = 941;
const Q2: u32 = 942;
const Q8: u32 = 946;
const Q16: u32 = 948;
const Q24: u32 = 949;
const Q48: u32 = 950;

/// What the formulas of the host resource manager give for 48 units, worked out by hand.
#[test]
fn heterogeneous_places_of_a_48_gib_board() {
    let ids = |id| ada().placement_ids(id, Layout::Heterogeneous);
    assert_eq!(ids(Q48), [0]);
    assert_eq!(ids(Q24), [0, 24]);
    assert_eq!(ids(Q16), [0, 32]);
    assert_eq!(ids(947), [0, 12, 24, 36]);
    assert_eq!(ids(Q8), [0, 16, 24, 40]);
    assert_eq!(ids(945), [0, 6, 12, 18, 24, 30, 36, 42]);
    assert_eq!(ids(944), [0, 8, 12, 20, 24, 32, 36, 44]);
    assert_eq!(ids(943), (0..16).map(|j| 3 * j).collect::<Vec<_>>());
    assert_eq!(
        ids(Q2),
        [0, 4, 6, 10, 12, 16, 18, 22, 24, 28, 30, 34, 36, 40, 42, 46]
    );
    assert_eq!(
        ids(Q1),
        [0, 5, 6, 11, 12, 17, 18, 23, 24, 29, 30, 35, 36, 41, 42, 47]
    );
}

#[test]
fn homogeneous_places_are_side_by_side() {
    for (id, count, size) in [
        (Q1, 32, 1),
        (Q2, 24, 2),
        (Q8, 6, 8),
        (Q16, 3, 16),
        (Q48, 1, 48),
    ] {
        let expect: Vec<u16> = (0..count).map(|j| j * size).collect();
        assert_eq!(ada().placement_ids(id, Layout::Homogeneous), expect);
    }
    let table = ada().table(Q24);
    let all: Vec<_> = table
        .places(Layout::Homogeneous)
        .iter()
        .map(|p| table.resources(p))
        .collect();
    assert_eq!(all[1].fb.start, all[0].fb.end);
    assert_eq!(all[1].heap.end, all[0].heap.start);
    assert_eq!(
        (all[0].channels.clone(), all[1].channels.start),
        (1536..2048, 1024)
    );
}

/// Whatever the board: places are inside, aligned, and share something only if units do.
#[test]
fn places_with_other_units_share_nothing() {
    for (device, window, segment) in [
        (0x26b1, 46 * GIB, SEGMENT),
        (0x26b1, 44 * GIB, SEGMENT / 2),
        (0x26b5, 40 * GIB, 4 * SEGMENT),
        (0x26b9, 46 * GIB + SEGMENT, SEGMENT),
        (0x26b2, 30 * GIB, SEGMENT),
        (0x27b8, 22 * GIB, SEGMENT),
        (0x26b1, 3 * GIB, SEGMENT),
    ] {
        let types = types(device, window, segment);
        for layout in [Layout::Homogeneous, Layout::Heterogeneous] {
            let mut all = Vec::new();
            for (n, table) in types.tables.iter().enumerate() {
                for place in table.places(layout) {
                    all.push((n, table.units(place), table.resources(place)));
                }
            }
            for (i, (table, units, r)) in all.iter().enumerate() {
                let inside = |m: &std::ops::Range<u64>| {
                    m.start >= SEGMENT && m.end <= SEGMENT + window && m.start < m.end
                };
                assert!(inside(&r.fb) && inside(&r.heap), "{device:#x} {r:x?}");
                assert_eq!((r.fb.start - SEGMENT) % segment, 0);
                assert!(r.channels.start >= 64 && r.channels.end <= 2048);
                assert_eq!(r.channels.start % (r.channels.end - r.channels.start), 0);
                for (other, u, s) in &all[..i] {
                    if layout == Layout::Heterogeneous || table == other {
                        assert!(u & units != 0 || !r.overlap(s), "{r:x?} {s:x?}");
                        assert!(table != other || u & units == 0);
                    }
                }
            }
        }
    }
}

/// On a board of the right size nothing is left out for want of channels or heaps.
#[test]
fn every_type_has_all_its_places() {
    let boards = [0x26b1, 0x26b3, 0x26b5, 0x26b9, 0x26ba].map(|device| (device, 46));
    let smaller = [(0x26b2, 30), (0x26b8, 22), (0x27b6, 22), (0x27b8, 22)];
    for (device, gib) in boards.into_iter().chain(smaller) {
        let types = types(device, gib * GIB, SEGMENT);
        for table in &types.tables {
            let shape = table.shape();
            let max = shape.max_instance as usize;
            assert_eq!(table.places(Layout::Homogeneous).len(), max, "{shape:?}");
            let expect = match max {
                // 1 GiB of 48: denied between larger ones.
                32 if shape.fb == GIB => 16,
                // 1 GiB of 32: framebuffer and heap are more than a 32nd part.
                32 => 20,
                n => 1 << n.ilog2(),
            };
            assert_eq!(
                table.places(Layout::Heterogeneous).len(),
                expect,
                "{shape:?}"
            );
        }
    }
}

#[test]
fn types_that_make_no_sense_have_no_place() {
    let board = Board {
        window: 0..46 * GIB,
        segment: SEGMENT,
        channels: 64..2048,
    };
    let good = Shape {
        units: 24,
        max_instance: 2,
        fb: 20 * GIB,
        heap: 64 * MIB,
    };
    let bad = [
        Shape { units: 0, ..good },
        Shape { fb: 0, ..good },
        Shape {
            fb: SEGMENT + 1,
            ..good
        },
        Shape {
            fb: u64::MAX / SEGMENT * SEGMENT,
            ..good
        },
        Shape { heap: 0, ..good },
        Shape {
            heap: u64::MAX,
            ..good
        },
        Shape {
            units: u32::MAX,
            ..good
        },
        Shape {
            max_instance: u32::MAX,
            ..good
        },
        Shape {
            max_instance: 0,
            ..good
        },
    ];
    let mut tables = vec![Table::default(); 10];
    build(&board, bad.into_iter().chain([good]), &mut tables);
    for (n, table) in tables.iter().enumerate() {
        for layout in [Layout::Homogeneous, Layout::Heterogeneous] {
            let expect = if n == 9 { 2 } else { 0 };
            assert_eq!(table.places(layout).len(), expect, "{:?}", table.shape());
        }
    }
    // And boards.
    for board in [
        Board {
            segment: 0,
            ..board.clone()
        },
        Board {
            segment: 3,
            ..board.clone()
        },
        Board {
            window: std::ops::Range { start: 10, end: 0 },
            ..board.clone()
        },
        Board {
            window: 0..0,
            ..board.clone()
        },
        Board {
            channels: 0..0,
            ..board.clone()
        },
    ] {
        build(&board, [good].into_iter(), &mut tables[..1]);
        assert!(tables[0].places(Layout::Heterogeneous).is_empty());
        assert!(tables[0].places(Layout::Homogeneous).is_empty());
    }
    // Nothing there at all.
    build(&board, [].into_iter(), &mut []);
}

#[test]
fn sizes_can_be_mixed() {
    let t = ada();
    let mut plan = Plan::new(true, false);
    assert_eq!(plan.select(&t.tables, 0, t.choice(Q24)), Ok(()));
    assert_eq!(plan.select(&t.tables, 1, t.choice(Q8)), Ok(()));
    assert_eq!(plan.select(&t.tables, 2, t.choice(Q2)), Ok(()));
    assert_eq!(plan.select(&t.tables, 3, t.choice(Q48)), Err(Refusal::Full));
    let a = plan.open(&t.tables, 0, |_| true).unwrap();
    assert_eq!(plan.select(&t.tables, 4, t.choice(Q24)), Err(Refusal::Full));
    assert_eq!(
        plan.select(&t.tables, 4, t.choice(Q16)),
        Err(Refusal::Full),
        "8Q and 2Q are there"
    );
    assert_eq!(plan.deselect(&t.tables, 2), Ok(()));
    assert_eq!(plan.deselect(&t.tables, 1), Ok(()));
    assert_eq!(plan.select(&t.tables, 4, t.choice(Q16)), Ok(()));
    assert_eq!(plan.resources(&t.tables, 0), Some(a));
}

#[test]
fn one_size_fills_the_gpu_if_chosen_before_the_first_is_opened() {
    let t = ada();
    let mut plan = Plan::new(true, false);
    for vf in 0..24 {
        assert_eq!(plan.select(&t.tables, vf, t.choice(Q2)), Ok(()), "{vf}");
        let expect = if vf < 16 {
            Layout::Heterogeneous
        } else {
            Layout::Homogeneous
        };
        assert_eq!(plan.layout(), expect);
    }
    assert_eq!(plan.select(&t.tables, 24, t.choice(Q2)), Err(Refusal::Full));
    assert!(plan.open(&t.tables, 7, |_| true).is_ok());
    assert_eq!(plan.deselect(&t.tables, 3), Ok(()));
    assert_eq!(
        plan.select(&t.tables, 3, t.choice(Q1)),
        Err(Refusal::OtherShape)
    );
    // Another series of the same class has the same shape.
    assert_eq!(plan.select(&t.tables, 3, t.choice(952)), Ok(()));
    // Once the last one is gone, all of it can be arranged anew.
    plan.close(&t.tables, 7);
    plan.forget(&t.tables, 7);
    for vf in 10..24 {
        assert_eq!(plan.deselect(&t.tables, vf), Ok(()));
    }
    assert_eq!(plan.layout(), Layout::Heterogeneous);
    assert_eq!(plan.select(&t.tables, 30, t.choice(Q8)), Ok(()));

    // Opened one by one, there is place for a power of two.
    let mut plan = Plan::new(true, false);
    for vf in 0..16 {
        assert_eq!(plan.select(&t.tables, vf, t.choice(Q2)), Ok(()));
        assert!(plan.open(&t.tables, vf, |_| true).is_ok());
    }
    assert_eq!(plan.select(&t.tables, 16, t.choice(Q2)), Err(Refusal::Full));
}

#[test]
fn a_firmware_of_one_shape() {
    let t = ada();
    let mut plan = Plan::new(false, false);
    assert_eq!(plan.select(&t.tables, 0, t.choice(Q24)), Ok(()));
    assert_eq!(plan.select(&t.tables, 1, t.choice(Q8)), Err(Refusal::Full));
    assert_eq!(
        plan.select(&t.tables, 0, t.choice(Q8)),
        Ok(()),
        "the only holder changes"
    );
    assert_eq!(plan.select(&t.tables, 1, t.choice(Q8)), Ok(()));
}

#[test]
fn pins() {
    let t = ada();
    let id = |plan: &Plan, vf| plan.resources(&t.tables, vf).unwrap().id;
    let mut plan = Plan::new(true, false);
    assert_eq!(plan.pin(&t.tables, 0, Some(0)), Err(Refusal::NoType));
    plan.select(&t.tables, 0, t.choice(Q24)).unwrap();
    assert_eq!(id(&plan, 0), 0);
    assert_eq!(plan.pin(&t.tables, 0, Some(12)), Err(Refusal::NoSuchPlace));
    assert_eq!(plan.pin(&t.tables, 0, Some(24)), Ok(()));
    assert_eq!(id(&plan, 0), 24);
    // One that does not care makes room.
    plan.select(&t.tables, 1, t.choice(Q24)).unwrap();
    assert_eq!(plan.pin(&t.tables, 0, Some(0)), Ok(()));
    assert_eq!((id(&plan, 0), id(&plan, 1)), (0, 24));
    // One that does, does not.
    assert_eq!(plan.pin(&t.tables, 1, Some(0)), Err(Refusal::Taken));
    assert_eq!(plan.pin(&t.tables, 0, None), Ok(()));
    assert_eq!(id(&plan, 0), 0, "nothing moves without need");
    assert_eq!(plan.pin(&t.tables, 1, Some(0)), Ok(()));
    // An open one stays.
    plan.open(&t.tables, 0, |_| true).unwrap();
    assert_eq!(plan.pin(&t.tables, 0, Some(0)), Err(Refusal::Open));
    assert_eq!(plan.pin(&t.tables, 1, Some(24)), Err(Refusal::Taken));
    // A place of the other layout only.
    let mut plan = Plan::new(true, false);
    plan.select(&t.tables, 0, t.choice(Q16)).unwrap();
    assert_eq!(plan.pin(&t.tables, 0, Some(16)), Ok(()));
    assert_eq!(plan.layout(), Layout::Homogeneous);
    plan.open(&t.tables, 0, |_| true).unwrap();
    plan.select(&t.tables, 1, t.choice(Q16)).unwrap();
    assert_eq!(
        plan.select(&t.tables, 2, t.choice(Q8)),
        Err(Refusal::OtherShape)
    );
}

#[test]
fn what_firmware_keeps_stays_out_of_use() {
    let t = ada();
    let mut plan = Plan::new(true, false);
    plan.select(&t.tables, 0, t.choice(Q24)).unwrap();
    plan.open(&t.tables, 0, |_| true).unwrap();
    plan.close(&t.tables, 0);
    plan.select(&t.tables, 1, t.choice(Q24)).unwrap();
    assert_eq!(plan.select(&t.tables, 2, t.choice(Q24)), Err(Refusal::Full));
    assert_eq!(plan.deselect(&t.tables, 0), Ok(()));
    assert_eq!(plan.select(&t.tables, 2, t.choice(Q24)), Err(Refusal::Full));
    assert_eq!(
        plan.select(&t.tables, 0, t.choice(Q24)),
        Ok(()),
        "it is asked again first"
    );
    plan.lose(&t.tables, 0);
    assert_eq!(plan.selected(0), None);
    assert_eq!(plan.select(&t.tables, 0, t.choice(Q24)), Err(Refusal::Full));
    assert_eq!(plan.deselect(&t.tables, 1), Ok(()));
    assert_eq!(plan.select(&t.tables, 0, t.choice(Q48)), Err(Refusal::Full));
    assert_eq!(plan.select(&t.tables, 0, t.choice(Q24)), Ok(()));
}

#[test]
fn a_boot_of_firmware_gives_back_what_was_lost() {
    let t = ada();
    let mut plan = Plan::new(true, false);
    plan.select(&t.tables, 0, t.choice(Q24)).unwrap();
    plan.open(&t.tables, 0, |_| true).unwrap();
    plan.close(&t.tables, 0);
    plan.lose(&t.tables, 0);
    assert_eq!(plan.select(&t.tables, 0, t.choice(Q48)), Err(Refusal::Full));
    plan.restore(&t.tables);
    assert_eq!(plan.select(&t.tables, 0, t.choice(Q48)), Ok(()));
    assert_eq!(plan.deselect(&t.tables, 0), Ok(()));
    // Places may be arranged anew, too: three of these fit only side by side.
    for vf in 0..3 {
        assert_eq!(plan.select(&t.tables, vf, t.choice(Q16)), Ok(()));
    }
}

#[test]
fn what_was_lost_before_there_was_a_plan_is_left_out() {
    let t = ada();
    let place = &t.table(Q24).places(Layout::Heterogeneous)[0];
    let lost = t.table(Q24).resources(place);
    let mut tables = t.tables.clone();
    let mut any = false;
    for table in &mut tables {
        any |= table.leave_out(|r| r.overlap(&lost));
    }
    assert!(any);
    let mut plan = Plan::new(true, any);
    assert_eq!(plan.select(&tables, 0, t.choice(Q48)), Err(Refusal::Full));
    assert_eq!(plan.select(&tables, 0, t.choice(Q24)), Ok(()));
    assert_eq!(plan.pin(&tables, 0, Some(0)), Err(Refusal::Taken));
    let r = plan.open(&tables, 0, |r| r.id == 0).unwrap();
    assert_eq!(r.id, 24, "what is left out is not better");
    plan.close(&tables, 0);
    plan.forget(&tables, 0);
    plan.deselect(&tables, 0).unwrap();
    // Firmware has something, and so a layout.
    for vf in 0..2 {
        plan.select(&tables, vf, t.choice(Q2)).unwrap();
    }
    assert_eq!(plan.layout(), Layout::Heterogeneous);
    for vf in 0..2 {
        plan.deselect(&tables, vf).unwrap();
    }
    plan.restore(&tables);
    assert_eq!(plan.select(&tables, 0, t.choice(Q48)), Ok(()));
}

/// Firmware that has one shape has it until the last vGPU is gone, whoever has lost it.
#[test]
fn what_was_lost_has_a_shape() {
    let t = ada();
    let mut plan = Plan::new(false, false);
    plan.select(&t.tables, 0, t.choice(Q8)).unwrap();
    plan.open(&t.tables, 0, |_| true).unwrap();
    plan.close(&t.tables, 0);
    plan.lose(&t.tables, 0);
    assert_eq!(
        plan.select(&t.tables, 1, t.choice(Q2)),
        Err(Refusal::OtherShape)
    );
    assert_eq!(plan.select(&t.tables, 1, t.choice(Q8)), Ok(()));
    assert_eq!(plan.deselect(&t.tables, 1), Ok(()));
    plan.restore(&t.tables);
    assert_eq!(plan.select(&t.tables, 1, t.choice(Q2)), Ok(()));
}

#[test]
fn a_better_place_is_taken() {
    let t = ada();
    let mut plan = Plan::new(true, false);
    plan.select(&t.tables, 0, t.choice(Q24)).unwrap();
    let r = plan.open(&t.tables, 0, |r| r.id == 24).unwrap();
    assert_eq!((r.id, plan.resources(&t.tables, 0)), (24, Some(r)));
    plan.select(&t.tables, 1, t.choice(Q24)).unwrap();
    let r = plan.open(&t.tables, 1, |r| r.id == 24).unwrap();
    assert_eq!(r.id, 0, "what is taken is not better");
}

#[derive(Clone, Debug)]
enum Step {
    Select(usize, usize),
    Deselect(usize),
    Pin(usize, Option<u16>),
    Open(usize, u16),
    Close(usize),
    Forget(usize),
    Lose(usize),
    Restore,
}

fn step() -> impl Strategy<Value = Step> {
    let vf = || 0..MAX_VFS;
    prop_oneof![
        12 => (vf(), 0..29usize).prop_map(|(vf, t)| Step::Select(vf, t)),
        4 => vf().prop_map(Step::Deselect),
        2 => (vf(), prop::option::of(0..49u16)).prop_map(|(vf, id)| Step::Pin(vf, id)),
        6 => (vf(), 0..49u16).prop_map(|(vf, id)| Step::Open(vf, id)),
        3 => vf().prop_map(Step::Close),
        3 => vf().prop_map(Step::Forget),
        1 => vf().prop_map(Step::Lose),
        1 => Just(Step::Restore),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..Default::default() })]

    /// What is listed can be selected and opened, what is not listed cannot; nobody gets what
    /// another one has, and what firmware knows of does not move.
    #[test]
    fn the_list_tells_the_truth(steps in prop::collection::vec(step(), 1..120), mixed in prop::bool::weighted(0.8)) {
        let t = ada();
        let tables = &t.tables;
        let mut plan = Plan::new(mixed, false);
        // What firmware has, by VF; what it keeps until it is booted again.
        let mut firmware: Vec<Option<Resources>> = vec![None; MAX_VFS];
        let mut kept: Vec<Resources> = Vec::new();
        for step in steps {
            let before = plan;
            let result = match step {
                Step::Select(vf, number) => {
                    let choice = t.choices[number];
                    // Both from the same state.
                    let listed = { let mut copy = plan; copy.select(tables, vf, choice).is_ok() };
                    let result = plan.select(tables, vf, choice);
                    prop_assert_eq!(listed, result.is_ok());
                    if result.is_ok() && !plan.is_open(vf) && firmware[vf].is_none() {
                        let mut copy = plan;
                        let resources = copy.open(tables, vf, |_| true);
                        prop_assert!(resources.is_ok(), "selected but cannot be opened");
                    }
                    result
                }
                Step::Deselect(vf) => plan.deselect(tables, vf),
                Step::Pin(vf, id) => {
                    let result = plan.pin(tables, vf, id);
                    if let (Ok(()), Some(id)) = (result, id) {
                        prop_assert_eq!(plan.resources(tables, vf).map(|r| r.id), Some(id));
                    }
                    result
                }
                // The driver opens only when firmware has forgotten the last one.
                Step::Open(vf, id) if firmware[vf].is_none() => {
                    let result = plan.open(tables, vf, |r| r.id == id);
                    let choice = plan.selected(vf);
                    prop_assert_eq!(result.is_ok(), choice.is_some());
                    if let Ok(r) = &result {
                        let others = firmware.iter().flatten().chain(&kept);
                        for other in others {
                            prop_assert!(!other.overlap(r), "{:x?} {:x?}", r, other);
                        }
                        firmware[vf] = Some(r.clone());
                    }
                    result.map(|_| ())
                }
                Step::Close(vf) => {
                    plan.close(tables, vf);
                    Ok(())
                }
                Step::Forget(vf) if !plan.is_open(vf) => {
                    plan.forget(tables, vf);
                    firmware[vf] = None;
                    Ok(())
                }
                Step::Lose(vf) if !plan.is_open(vf) => {
                    plan.lose(tables, vf);
                    kept.extend(firmware[vf].take());
                    Ok(())
                }
                // The vGPUs go with the firmware.
                Step::Restore => {
                    for (vf, held) in firmware.iter_mut().enumerate() {
                        if held.take().is_some() {
                            plan.close(tables, vf);
                            plan.forget(tables, vf);
                        }
                    }
                    plan.restore(tables);
                    kept.clear();
                    Ok(())
                }
                _ => continue,
            };
            if result.is_err() {
                prop_assert_eq!(plan, before, "a refusal changes nothing");
            }
            let known = firmware.iter().flatten().count() + kept.len();
            if known > 0 && before.layout() != plan.layout() {
                prop_assert_eq!(known, 1, "the layout changed under a vGPU");
            }
            for vf in 0..MAX_VFS {
                let planned = plan.resources(tables, vf);
                prop_assert_eq!(planned.is_some(), plan.selected(vf).is_some());
                let Some(planned) = planned else { continue };
                if plan.is_open(vf) {
                    prop_assert_eq!(Some(&planned), firmware[vf].as_ref());
                }
                for (other, held) in firmware.iter().enumerate() {
                    if other == vf { continue }
                    for has in [plan.resources(tables, other), held.clone()].iter().flatten() {
                        prop_assert!(!has.overlap(&planned));
                    }
                }
                for has in &kept {
                    prop_assert!(!has.overlap(&planned));
                }
            }
        }
    }

    /// Tables of any numbers do not panic, and their places are inside.
    #[test]
    fn any_metadata(
        shapes in prop::collection::vec((0..130u32, prop_oneof![0..64u32, any::<u32>()], any::<u64>(), any::<u64>(), 0..64u32), 0..8),
        window in (0..1u64 << 40, 0..1u64 << 40),
        channels in 0..4096u32,
    ) {
        let shapes = shapes.into_iter().map(|(units, max_instance, fb, heap, shift)| Shape {
            units,
            max_instance,
            fb: (fb >> shift) / SEGMENT * SEGMENT,
            heap: heap >> shift,
        });
        let board = Board { window: window.0..window.1, segment: SEGMENT, channels: 64.min(channels)..channels };
        let mut tables = vec![Table::default(); 8];
        build(&board, shapes, &mut tables);
        for table in &tables {
            for layout in [Layout::Homogeneous, Layout::Heterogeneous] {
                prop_assert!(table.places(layout).len() <= MAX_PLACES);
                for place in table.places(layout) {
                    let r = table.resources(place);
                    prop_assert!(r.fb.start >= window.0 && r.fb.end <= window.1);
                    prop_assert!(r.heap.start >= window.0 && r.heap.end <= window.1);
                    prop_assert!(r.channels.end <= channels && table.units(place) != 0);
                }
            }
        }
    }
}
