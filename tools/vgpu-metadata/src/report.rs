// SPDX-License-Identifier: GPL-2.0

//! A decoded file as text for people or JSON for programs.

use std::fmt::Write;

use crate::decode::Metadata;

/// One line per type, grouped by board; sizes in MiB.
pub fn text(metadata: &Metadata) -> String {
    let mut out = format!(
        "vGPU release {}.{}, GSP firmware {}\n",
        metadata.vgpu_major, metadata.vgpu_minor, metadata.gsp_build_version
    );
    for board in &metadata.boards {
        // Writing to a String cannot fail.
        let _ = writeln!(
            out,
            "\ndevice 10de:{:04x}, {} types",
            board.device_id,
            board.types.len()
        );
        let _ = writeln!(
            out,
            "{:<5} {:<24} {:>9} {:>4} {:>7} {:>5} {:>6} {:>4} {:<8}",
            "ID", "Name", "PCI", "Max", "FB", "Heap", "BAR1", "ECC", "Class"
        );
        for t in &board.types {
            let _ = writeln!(
                out,
                "{:<5} {:<24} {:04x}:{:04x} {:>4} {:>7} {:>5} {:>6} {:>4} {:<8}",
                t.id,
                t.name,
                t.device_id,
                t.subsystem,
                t.max_instance,
                t.fb_length >> 20,
                t.gsp_heap_size >> 20,
                t.bar1_length_mib,
                if t.ecc_supported { "yes" } else { "no" },
                t.class
            );
        }
    }
    out
}

/// Indented JSON, sizes in bytes.
///
/// # Errors
/// Only what the JSON writer reports.
pub fn json(metadata: &Metadata) -> Result<String, String> {
    serde_json::to_string_pretty(metadata).map_err(|e| e.to_string())
}
