// SPDX-License-Identifier: GPL-2.0

//! `vgpu-metadata-corrupt TABLE DIR`: one bad metadata file per check that a driver must make.
//!
//! ```text
//!   DIR/cases                               lines "<case> <field that the error must name>"
//!   DIR/<case>/nvidia/vgpu-<version>.bin    for firmware_class.path=DIR/<case>
//!   DIR/good/nvidia/...                     the undamaged file (not in DIR/cases)
//! ```
//!
//! Each file differs from the good one in a single way; its CRC fits unless the CRC is the point.

use std::path::Path;
use std::process::ExitCode;

use vgpu_metadata::container::{BlobHeader, FileHeader, KernelRecord, TypeBlob, CRC, CRC_START};
use vgpu_metadata::{build, table::Table};

const NUM_BLOBS: usize = 224;
const BUILD: usize = 160;
const BLOB: usize = size_of::<FileHeader>();
const TYPE: usize = BLOB + size_of::<BlobHeader>();
const RECORD: usize = TYPE + size_of::<TypeBlob>();

/// Name of the case, field that the error must name, and the damage.
type Case = (&'static str, &'static str, fn(&mut Vec<u8>));

fn put64(file: &mut [u8], at: usize, value: u64) {
    file[at..at + 8].copy_from_slice(&value.to_le_bytes());
}

fn put32(file: &mut [u8], at: usize, value: u32) {
    file[at..at + 4].copy_from_slice(&value.to_le_bytes());
}

const CASES: &[Case] = &[
    ("empty", "file size", |f| f.truncate(16)),
    ("header-only", "file size", |f| f.truncate(BLOB)),
    ("identifier", "identifier", |f| f[0] = b'X'),
    ("no-blobs", "num_blobs", |f| put64(f, NUM_BLOBS, 0)),
    ("too-many-blobs", "num_blobs", |f| {
        put64(f, NUM_BLOBS, u64::MAX)
    }),
    ("rest-after-blobs", "num_blobs", |f| put64(f, NUM_BLOBS, 1)),
    ("build-version", "gsp_build_version", |f| f[BUILD] = b'4'),
    ("build-no-nul", "gsp_build_version", |f| {
        f[BUILD..BUILD + 64].fill(b'5')
    }),
    ("release", "vgpu_major", |f| put64(f, 16, 99)),
    ("blob-type", "type", |f| put64(f, BLOB, 1)),
    ("blob-size-small", "size", |f| put64(f, BLOB + 8, 16)),
    ("blob-size-large", "size", |f| put64(f, BLOB + 8, 1 << 40)),
    ("truncated", "size", |f| f.truncate(f.len() - 4096)),
    ("device-id-zero", "device_id", |f| put64(f, TYPE, 0)),
    ("records-size-zero", "kernel_struct_size", |f| {
        put64(f, TYPE + 24, 0)
    }),
    ("records-size-odd", "kernel_struct_size", |f| {
        put64(f, TYPE + 24, 97)
    }),
    ("records-zero", "num_kernel_structs", |f| {
        put64(f, TYPE + 32, 0)
    }),
    ("control", "gsp_rmctrl_cmd", |f| {
        put64(f, TYPE + 40, 0x2080_4001)
    }),
    ("control-size", "gsp_rmctrl_size", |f| {
        put64(f, TYPE + 48, 316_936)
    }),
    ("type-id-zero", "vgpu_type", |f| put32(f, RECORD, 0)),
    ("type-id-twice", "vgpu_type", |f| {
        f.copy_within(RECORD..RECORD + 4, RECORD + size_of::<KernelRecord>())
    }),
    ("name-no-nul", "vgpu_name", |f| {
        f[RECORD + 4..RECORD + 36].fill(b'N')
    }),
    ("pdev-id", "pdev_id", |f| put64(f, RECORD + 48, 0x1234)),
    ("fb-length-zero", "fb_length", |f| put64(f, RECORD + 56, 0)),
    ("heap-small", "gsp_heap_size", |f| {
        put64(f, RECORD + 64, 0x27_4000)
    }),
    ("bar1-length", "bar1_length", |f| {
        put64(f, RECORD + 72, u64::MAX)
    }),
    ("max-instance-zero", "max_instance", |f| {
        put32(f, RECORD + 80, 0)
    }),
];

fn write(dir: &Path, case: &str, version: &str, file: &[u8]) -> Result<(), String> {
    let dir = dir.join(case).join("nvidia");
    std::fs::create_dir_all(&dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    let path = dir.join(format!("vgpu-{version}.bin"));
    std::fs::write(&path, file).map_err(|e| format!("{}: {e}", path.display()))
}

fn run(table: &str, dir: &Path) -> Result<(), String> {
    let text = std::fs::read_to_string(table).map_err(|e| format!("{table}: {e}"))?;
    let table = Table::parse(&text)?;
    let version = &table.metadata.gsp_build_version;
    let good = build::build(&table)?;
    write(dir, "good", version, &good)?;

    let mut list = String::from("crc crc32\n");
    let mut bad = good.clone();
    bad[BLOB + 100] ^= 1;
    write(dir, "crc", version, &bad)?;
    for (case, field, damage) in CASES {
        let mut file = good.clone();
        damage(&mut file);
        let crc = CRC.checksum(&file[CRC_START..]);
        file[8..12].copy_from_slice(&crc.to_le_bytes());
        write(dir, case, version, &file)?;
        list += &format!("{case} {field}\n");
    }
    let path = dir.join("cases");
    std::fs::write(&path, list).map_err(|e| format!("{}: {e}", path.display()))
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [table, dir] = args.as_slice() else {
        eprintln!("usage: vgpu-metadata-corrupt TABLE DIR");
        return ExitCode::from(2);
    };
    match run(table, Path::new(dir)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("vgpu-metadata-corrupt: {message}");
            ExitCode::FAILURE
        }
    }
}
