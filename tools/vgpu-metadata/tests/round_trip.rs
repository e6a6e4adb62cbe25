// SPDX-License-Identifier: GPL-2.0

//! Table -> file -> decoded types, for the shipped table and for arbitrary ones; and what the
//! reader says to damaged files.

use proptest::prelude::*;
use vgpu_metadata::build::build;
use vgpu_metadata::container::{FileHeader, CRC, CRC_START};
use vgpu_metadata::decode::decode;
use vgpu_metadata::table::{Board, Table, TypeRow};

const SHIPPED: &str = include_str!("../types.toml");

fn shipped() -> Table {
    Table::parse(SHIPPED).expect("types.toml parses")
}

/// Writes a valid CRC over a file that a test has changed.
fn seal(file: &mut [u8]) {
    let crc = CRC.checksum(&file[CRC_START..]);
    file[8..12].copy_from_slice(&crc.to_le_bytes());
}

/// `change` applied to the shipped file, CRC corrected, must be refused with `expect` in the error.
fn refused(expect: &str, change: impl FnOnce(&mut Vec<u8>)) {
    let mut file = build(&shipped()).expect("builds");
    change(&mut file);
    seal(&mut file);
    let error = decode(&file).expect_err(expect);
    assert!(error.contains(expect), "{error:?} lacks {expect:?}");
}

fn put64(file: &mut [u8], offset: usize, value: u64) {
    file[offset..offset + 8].copy_from_slice(&value.to_le_bytes());
}

const BLOB: usize = size_of::<FileHeader>();
const RECORD: usize = BLOB + 16 + 56;

#[test]
fn shipped_table_round_trips() {
    let table = shipped();
    let resolved = table.resolve().expect("resolves");
    let metadata = decode(&build(&table).expect("builds")).expect("decodes");
    assert_eq!(metadata.gsp_build_version, "570.144");
    assert_eq!((metadata.vgpu_major, metadata.vgpu_minor), (18, 1));
    assert_eq!(metadata.boards.len(), resolved.len());
    for (board, (device_id, types)) in metadata.boards.iter().zip(&resolved) {
        assert_eq!(board.device_id, *device_id);
        assert_eq!(board.types.len(), types.len());
        for (d, t) in board.types.iter().zip(types) {
            assert_eq!((d.id, &d.name, d.subsystem), (t.id, &t.name, t.subsystem));
            assert_eq!(
                (d.fb_length, d.gsp_heap_size),
                (t.fb_length, t.gsp_heap_size)
            );
            assert_eq!((d.max_instance, d.ecc_supported), (t.max_instance, t.ecc));
            assert_eq!(d.bar1_length_mib, t.bar1_length_mib);
        }
    }
}

/// Every board that the driver knows, and ids that cannot be NVIDIA's where none is published.
#[test]
fn all_ada_boards_are_in_the_shipped_table() {
    let boards = shipped().resolve().expect("resolves");
    let mut devices: Vec<u16> = boards.iter().map(|(device, _)| *device).collect();
    devices.sort_unstable();
    assert_eq!(
        devices,
        [0x26B1, 0x26B2, 0x26B3, 0x26B5, 0x26B8, 0x26B9, 0x26BA, 0x27B6, 0x27B8]
    );
    let mut all = boards.iter().flat_map(|(_, types)| types);
    let t = all.find(|t| t.name == "NVIDIA L4-24Q").expect("is listed");
    assert_eq!((t.id, t.subsystem, t.max_instance), (0x1_1738, 0x1738, 1));
}

#[test]
fn published_numbers_are_in_the_shipped_table() {
    let boards = shipped().resolve().expect("resolves");
    let find = |id: u32| {
        let mut all = boards.iter().flat_map(|(_, types)| types);
        all.find(|t| t.id == id).expect("id is listed")
    };
    let t = find(941);
    assert_eq!(
        (t.name.as_str(), t.device_id, t.subsystem),
        ("NVIDIA RTX6000-Ada-1Q", 0x26B1, 0x170A)
    );
    assert_eq!((t.max_instance, t.fb_length), (32, 1 << 30));
    let t = find(950);
    assert_eq!(
        (t.name.as_str(), t.subsystem, t.max_instance),
        ("NVIDIA RTX6000-Ada-48Q", 0x1713, 1)
    );
    let t = find(869);
    assert_eq!(
        (t.name.as_str(), t.device_id, t.subsystem),
        ("NVIDIA L40-1B", 0x26B5, 0x176D)
    );
    assert_eq!(
        (t.gsp_heap_size, t.bar1_length_mib, t.frl),
        (32 << 20, 256, 45)
    );
    assert_eq!(find(871).subsystem, 0x176F);
    assert_eq!(find(1156).subsystem, 0x1894);
    let max = [
        (941, 32),
        (942, 24),
        (943, 16),
        (944, 12),
        (945, 8),
        (946, 6),
        (947, 4),
        (948, 3),
        (949, 2),
    ];
    for (id, instances) in max {
        assert_eq!(find(id).max_instance, instances, "type {id}");
    }
}

/// Every instance of a type must fit the board together with its heap.
#[test]
fn all_instances_fit_the_board() {
    let table = shipped();
    for (board, (_, types)) in table.board.iter().zip(table.resolve().expect("resolves")) {
        for t in types {
            let each = t.fb_length + t.gsp_heap_size + t.fb_reservation;
            assert!(
                each * u64::from(t.max_instance) <= board.usable_fb_mib << 20,
                "{}",
                t.name
            );
            assert_eq!(
                t.fb_length % (table.defaults.vmmu_segment_mib << 20),
                0,
                "{}",
                t.name
            );
            assert!(t.fb_length <= t.profile_size, "{}", t.name);
        }
    }
}

#[test]
fn damaged_files_are_refused_by_field() {
    let good = build(&shipped()).expect("builds");
    assert!(decode(&good[..231]).unwrap_err().contains("file size"));
    assert!(decode(&good[..232]).unwrap_err().contains("file size"));
    let mut bad = good.clone();
    bad[1000] ^= 1;
    assert!(decode(&bad).unwrap_err().contains("crc32"));

    refused("identifier", |f| f[0] = b'X');
    refused("num_blobs", |f| put64(f, 224, 0));
    refused("num_blobs", |f| put64(f, 224, u64::MAX));
    refused("num_blobs", |f| put64(f, 224, 1));
    refused("gsp_build_version", |f| f[160..224].fill(b'5'));
    refused("blob 0: type", |f| put64(f, BLOB, 1));
    refused("blob 0: size", |f| put64(f, BLOB + 8, 16));
    refused("blob 0: size", |f| put64(f, BLOB + 8, u64::MAX));
    refused("device_id", |f| put64(f, BLOB + 16, 0));
    refused("kernel_struct_size", |f| put64(f, BLOB + 16 + 24, 97));
    refused("num_kernel_structs", |f| put64(f, BLOB + 16 + 32, 0));
    refused("gsp_rmctrl_cmd", |f| put64(f, BLOB + 16 + 40, 0));
    refused("gsp_rmctrl_size", |f| put64(f, BLOB + 16 + 48, 334_343));
    refused("vgpu_type", |f| {
        f.copy_within(RECORD..RECORD + 4, RECORD + 96)
    });
    refused("vgpu_name", |f| f[RECORD + 4..RECORD + 36].fill(b'N'));
    refused("max_instance", |f| f[RECORD + 80..RECORD + 84].fill(0));
    refused("pdev_id", |f| put64(f, RECORD + 48, 0x1234));
    refused("size", |f| {
        f.truncate(f.len() - 1);
    });
}

fn arbitrary_table() -> impl Strategy<Value = Table> {
    let rows =
        proptest::collection::btree_map(1..5000u32, (0..4usize, 1..=24u64, any::<u16>()), 1..=64);
    proptest::collection::btree_map(1..=u16::MAX, rows, 1..4).prop_map(|boards| {
        let mut table = shipped();
        table.board = boards
            .into_iter()
            .map(|(device_id, rows)| Board {
                name: format!("B{device_id:04x}"),
                device_id,
                fb_mib: 49152,
                usable_fb_mib: 45056,
                types: rows
                    .into_iter()
                    .map(|(id, (series, gib, subsystem))| {
                        TypeRow::new(["Q", "B", "A", "C"][series], gib, id, subsystem)
                    })
                    .collect(),
            })
            .collect();
        table
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_table_round_trips(table in arbitrary_table()) {
        let metadata = decode(&build(&table).unwrap()).unwrap();
        let resolved = table.resolve().unwrap();
        for (board, (device_id, types)) in metadata.boards.iter().zip(&resolved) {
            prop_assert_eq!(board.device_id, *device_id);
            let got: Vec<_> = board.types.iter().map(|t| (t.id, t.fb_length, t.max_instance)).collect();
            let want: Vec<_> = types.iter().map(|t| (t.id, t.fb_length, t.max_instance)).collect();
            prop_assert_eq!(got, want);
        }
    }

    /// No damage makes the reader panic, and a single changed bit never goes unnoticed.
    #[test]
    fn one_flipped_bit_is_noticed(at in any::<prop::sample::Index>(), bit in 0..8u32) {
        let mut file = build(&shipped()).unwrap();
        let at = at.index(file.len());
        // Bytes 12..16 are padding that the CRC does not cover.
        prop_assume!(!(12..16).contains(&at));
        file[at] ^= 1 << bit;
        prop_assert!(decode(&file).is_err());
    }

    #[test]
    fn noise_never_panics(mut noise in proptest::collection::vec(any::<u8>(), 0..600), good_crc in any::<bool>()) {
        if good_crc && noise.len() > CRC_START {
            noise[..8].copy_from_slice(b"NVVGPUMT");
            seal(&mut noise);
        }
        prop_assert!(decode(&noise).is_err());
    }
}
