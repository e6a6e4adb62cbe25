// SPDX-License-Identifier: GPL-2.0

//! The driver's metadata parser against files of the `vgpu-metadata` tool, good and damaged.
//!
//! Tool and driver share no code, so agreement means that both read the format alike.

use super::metadata::{Host, Invalid, Metadata};
use proptest::prelude::*;
use std::sync::OnceLock;
use vgpu_metadata::container::{CRC, CRC_START};
use vgpu_metadata::{build, table::Table};

const HOST: Host<'static> = Host {
    device_id: 0x26b1,
    gsp_build_version: b"570.144",
    min_heap: super::layout::SHARED_SIZE,
};
const BLOB: usize = 232;
const TYPE: usize = BLOB + 16;
const RECORD: usize = TYPE + 56;

fn table() -> Table {
    Table::parse(include_str!("../../../../vgpu-metadata/types.toml")).unwrap()
}

fn good() -> &'static [u8] {
    static FILE: OnceLock<Vec<u8>> = OnceLock::new();
    FILE.get_or_init(|| build::build(&table()).unwrap())
}

fn seal(file: &mut [u8]) {
    let crc = CRC.checksum(&file[CRC_START..]);
    file[8..12].copy_from_slice(&crc.to_le_bytes());
}

fn put64(file: &mut [u8], at: usize, value: u64) {
    file[at..at + 8].copy_from_slice(&value.to_le_bytes());
}

fn put32(file: &mut [u8], at: usize, value: u32) {
    file[at..at + 4].copy_from_slice(&value.to_le_bytes());
}

fn error(file: &[u8]) -> Invalid {
    Metadata::parse(file, &HOST).err().expect("must be refused")
}

/// The error after `change`, with a CRC that fits again.
fn after(change: impl FnOnce(&mut Vec<u8>)) -> (Option<u64>, &'static str) {
    let mut file = good().to_vec();
    change(&mut file);
    seal(&mut file);
    let error = error(&file);
    (error.blob, error.field)
}

#[test]
fn every_board_reads_as_its_table() {
    for (device_id, types) in table().resolve().unwrap() {
        let host = Host { device_id, ..HOST };
        let metadata = Metadata::parse(good(), &host).unwrap();
        assert_eq!(metadata.release, (18, 1));
        assert_eq!(
            metadata.payloads().map(<[u8]>::len).collect::<Vec<_>>(),
            [334_344]
        );
        let read: Vec<_> = metadata.types().collect();
        assert_eq!(read.len(), types.len());
        for (r, t) in read.iter().zip(&types) {
            assert_eq!((r.id, r.name()), (t.id, t.name.as_str()));
            assert_eq!(
                (r.vdev_device, r.vdev_subsystem),
                (t.device_id, t.subsystem)
            );
            assert_eq!(
                (r.fb_length, r.fb_reservation),
                (t.fb_length, t.fb_reservation)
            );
            assert_eq!(
                (r.gsp_heap_size, r.bar1_size),
                (t.gsp_heap_size, t.bar1_length_mib << 20)
            );
            assert_eq!((r.max_instance, r.ecc_supported), (t.max_instance, t.ecc));
            assert_eq!(r.profile_size, t.profile_size);
        }
    }
}

#[test]
fn each_check_names_its_field() {
    assert_eq!(error(b"").field, "file size");
    assert_eq!(error(&good()[..232]).field, "file size");
    assert_eq!(error(&good()[..5000]).field, "crc32");
    let header = |field| (None, field);
    let blob = |field| (Some(0), field);

    assert_eq!(after(|f| f[7] = b'X'), header("identifier"));
    assert_eq!(after(|f| put64(f, 224, 0)), header("num_blobs"));
    assert_eq!(after(|f| put64(f, 224, 1 << 40)), header("num_blobs"));
    assert_eq!(after(|f| put64(f, 224, 2)), header("num_blobs"));
    assert_eq!(after(|f| put64(f, 224, 10)), (Some(9), "size"));
    assert_eq!(
        after(|f| f[160..224].fill(b'5')),
        header("gsp_build_version")
    );
    assert_eq!(after(|f| f[166] = b'5'), header("gsp_build_version"));
    assert_eq!(after(|f| put64(f, 16, 19)), header("vgpu_major"));
    assert_eq!(after(|f| put64(f, 24, 2)), header("vgpu_major"));

    assert_eq!(after(|f| put64(f, BLOB, 1)), blob("type"));
    assert_eq!(after(|f| put64(f, BLOB + 8, 16)), blob("size"));
    assert_eq!(after(|f| put64(f, BLOB + 8, u64::MAX)), blob("size"));
    assert_eq!(after(|f| put64(f, BLOB + 8, 1000)), blob("size"));
    assert_eq!(after(|f| put64(f, TYPE, 0)), blob("device_id"));
    assert_eq!(after(|f| put64(f, TYPE, 1 << 16)), blob("device_id"));
    assert_eq!(
        after(|f| put64(f, TYPE + 24, 0)),
        blob("kernel_struct_size")
    );
    assert_eq!(
        after(|f| put64(f, TYPE + 24, 97)),
        blob("kernel_struct_size")
    );
    assert_eq!(
        after(|f| put64(f, TYPE + 24, u64::MAX - 10)),
        blob("kernel_struct_size")
    );
    // The largest multiple of the record count: the sum of the sizes would wrap.
    assert_eq!(
        after(|f| put64(f, TYPE + 24, u64::MAX / 29 * 29)),
        blob("size")
    );
    assert_eq!(
        after(|f| put64(f, TYPE + 32, 0)),
        blob("num_kernel_structs")
    );
    assert_eq!(
        after(|f| put64(f, TYPE + 32, 30)),
        blob("kernel_struct_size")
    );
    assert_eq!(after(|f| put64(f, TYPE + 40, 0)), blob("gsp_rmctrl_cmd"));
    assert_eq!(
        after(|f| put64(f, TYPE + 40, 0x2080_4001)),
        blob("gsp_rmctrl_cmd")
    );
    assert_eq!(after(|f| put64(f, TYPE + 48, 0)), blob("gsp_rmctrl_size"));
    assert_eq!(
        after(|f| put64(f, TYPE + 48, 316_936)),
        blob("gsp_rmctrl_size")
    );

    assert_eq!(after(|f| put32(f, RECORD, 0)), blob("vgpu_type"));
    assert_eq!(after(|f| put32(f, RECORD, 940)), header("vgpu_type"));
    assert_eq!(
        after(|f| f[RECORD + 4..RECORD + 36].fill(b'N')),
        blob("vgpu_name")
    );
    assert_eq!(after(|f| f[RECORD + 4] = 0), blob("vgpu_name"));
    assert_eq!(after(|f| f[RECORD + 5] = b'\n'), blob("vgpu_name"));
    assert_eq!(after(|f| put64(f, RECORD + 40, 1 << 32)), blob("vdev_id"));
    assert_eq!(after(|f| put64(f, RECORD + 48, 0x26b5)), blob("pdev_id"));
    assert_eq!(after(|f| put64(f, RECORD + 56, 0)), blob("fb_length"));
    assert_eq!(
        after(|f| put64(f, RECORD + 64, 0x27_4000)),
        blob("gsp_heap_size")
    );
    assert_eq!(
        after(|f| put64(f, RECORD + 72, 1 << 44)),
        blob("bar1_length")
    );
    assert_eq!(after(|f| put32(f, RECORD + 80, 0)), blob("max_instance"));
    assert_eq!(after(|f| f.truncate(f.len() - 1)), (Some(8), "size"));

    // The array in the payload, which knows the class of each type.
    let info = "gsp_rmctrl_vgpu_info";
    for at in [TYPE + 8, TYPE + 16] {
        assert_eq!(after(|f| put64(f, at, u64::MAX)), blob(info));
        assert_eq!(after(|f| put64(f, at, 1 << 20)), blob(info));
    }
    assert_eq!(after(|f| put64(f, TYPE + 16, 391)), blob(info));
    let payload = RECORD + 29 * 96;
    assert_eq!(after(|f| put32(f, payload + 4, 28)), blob(info));
    assert_eq!(after(|f| put32(f, payload + 8, 12345)), blob(info));
}

#[test]
fn a_board_without_types_is_refused() {
    let host = Host {
        device_id: 0x2684,
        ..HOST
    };
    let error = Metadata::parse(good(), &host).err().unwrap();
    assert_eq!(error.field, "device_id");
}

/// A slice of MIG has no class: it cannot be placed beside others.
#[test]
fn types_of_mig_have_no_class() {
    let mut file = good().to_vec();
    put32(&mut file, RECORD + 29 * 96 + 8 + 356, 1);
    seal(&mut file);
    let metadata = Metadata::parse(&file, &HOST).unwrap();
    let sizes: Vec<_> = metadata.types().map(|t| t.profile_size >> 30).collect();
    assert_eq!(sizes[..3], [0, 2, 1]);
}

/// Files may carry longer records than this driver knows.
#[test]
fn longer_records_are_accepted() {
    let mut file = good().to_vec();
    let (count, size) = (29, 334_344);
    let mut longer = Vec::new();
    for record in file[RECORD..RECORD + count * 96].chunks_exact(96) {
        longer.extend_from_slice(record);
        longer.extend_from_slice(&[0xee; 8]);
    }
    let end = RECORD + count * 96;
    file.splice(RECORD..end, longer);
    put64(&mut file, TYPE + 24, count as u64 * 104);
    put64(&mut file, BLOB + 8, (16 + 56 + count * 104 + size) as u64);
    seal(&mut file);
    let metadata = Metadata::parse(&file, &HOST).unwrap();
    assert!(metadata
        .types()
        .map(|t| t.id)
        .eq(Metadata::parse(good(), &HOST)
            .unwrap()
            .types()
            .map(|t| t.id)));
}

/// Two blobs for the same board add up; an id must not occur in both.
#[test]
fn blobs_of_one_board_add_up() {
    let mut file = good().to_vec();
    let size = 16 + 56 + 29 * 96 + 334_344;
    let again = file[BLOB..BLOB + size].to_vec();
    file.extend_from_slice(&again);
    put64(&mut file, 224, 10);
    seal(&mut file);
    assert_eq!(error(&file).field, "vgpu_type");
    let second = file.len() - size + 72;
    for (n, record) in file[second..second + 29 * 96]
        .chunks_exact_mut(96)
        .enumerate()
    {
        put32(record, 0, 5000 + n as u32);
    }
    seal(&mut file);
    assert_eq!(error(&file).field, "gsp_rmctrl_vgpu_info");
    let infos = second + 29 * 96 + 8;
    for n in 0..29 {
        put32(&mut file, infos + n * 5224, 5000 + n as u32);
    }
    seal(&mut file);
    let metadata = Metadata::parse(&file, &HOST).unwrap();
    assert_eq!(metadata.types().count(), 58);
    assert_eq!(metadata.payloads().count(), 2);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..Default::default() })]

    /// Any damage with a fitting CRC is either refused or still gives whole types; no panic.
    #[test]
    fn damage_never_panics(
        damage in prop::collection::vec((0..5000usize, any::<u8>()), 1..8),
        keep in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut file = good().to_vec();
        for (at, byte) in damage {
            file[at] = byte;
        }
        if let Some(keep) = keep {
            file.truncate(keep.index(file.len()).max(16));
        }
        seal(&mut file);
        if let Ok(metadata) = Metadata::parse(&file, &HOST) {
            prop_assert!(metadata.types().all(|t| t.id != 0 && t.max_instance != 0));
        }
    }
}
