// SPDX-License-Identifier: GPL-2.0

//! Output of `list`: tables for people, JSON for programs.

use std::fmt::Write as _;

use serde::Serialize;

use crate::error::{Error, Result};
use crate::gpu::{Gpu, Vf};

/// Version of the JSON form. Fields may be added to it; it grows only when one changes its meaning.
const JSON_VERSION: u32 = 1;

#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    gpus: &'a [Gpu],
}

/// Everything, as JSON.
pub fn json(gpus: &[Gpu]) -> Result<String> {
    let document = Document {
        version: JSON_VERSION,
        gpus,
    };
    serde_json::to_string_pretty(&document).map_err(|e| Error::new(format!("JSON: {e}")))
}

/// The GPUs.
pub fn gpus(gpus: &[Gpu]) -> String {
    let mut rows = vec![row(["GPU", "ID", "DRIVER", "VFS", "NUMA"])];
    for gpu in gpus {
        rows.push(vec![
            gpu.address.to_string(),
            gpu.id.clone(),
            or_dash(gpu.driver.as_deref()),
            format!("{}/{}", gpu.vfs.len(), gpu.vfs_total),
            or_dash(gpu.numa_node.map(|node| node.to_string()).as_deref()),
        ]);
    }
    table(&rows)
}

/// Their VFs.
pub fn vfs(gpus: &[Gpu]) -> String {
    let mut rows = vec![row(["VF", "GPU", "DRIVER", "TYPE", "STATE", "OPEN BY"])];
    for gpu in gpus {
        for vf in &gpu.vfs {
            let state = vf.vgpu.as_ref().and_then(|vgpu| vgpu.state.as_deref());
            rows.push(vec![
                vf.address.to_string(),
                format!("{} VF {}", gpu.address, vf.index),
                or_dash(vf.driver.as_deref()),
                or_dash(vf.vgpu_type().map(ToString::to_string).as_deref()),
                or_dash(state),
                open_by(vf),
            ]);
        }
    }
    table(&rows)
}

/// The types that can be selected now.
pub fn types(gpus: &[Gpu]) -> String {
    let mut rows = vec![row(["GPU", "TYPE", "NAME"])];
    for gpu in gpus {
        for vgpu_type in gpu.creatable() {
            rows.push(vec![
                gpu.address.to_string(),
                vgpu_type.id.to_string(),
                or_dash(vgpu_type.name.as_deref()),
            ]);
        }
    }
    table(&rows)
}

fn row<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.map(str::to_owned).to_vec()
}

fn or_dash(text: Option<&str>) -> String {
    text.unwrap_or("-").to_owned()
}

fn open_by(vf: &Vf) -> String {
    match vf.open_by.is_empty() {
        true => "-".to_owned(),
        false => vf.held_by(),
    }
}

/// Columns as wide as their widest cell, two blanks apart.
fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut out = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(line, "{cell:<width$}  ");
        }
        let _ = writeln!(out, "{}", line.trim_end());
    }
    out
}
