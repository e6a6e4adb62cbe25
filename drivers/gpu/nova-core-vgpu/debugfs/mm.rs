// SPDX-License-Identifier: GPL-2.0

//! Address spaces in numbers, and what a large mapping takes.
//!
//! ```text
//!   mm             one "name value" per line
//!   bar1           ranges of offsets in use
//!   bar1_map_cost  reading it maps up to 2 GiB, unmaps, and shows the differences of the counters
//! ```

use core::cmp;

use kernel::{
    fmt,
    io::Io,
    prelude::*,
    sizes::*,
    sync::Arc,
    time::{
        Instant,
        Monotonic, //
    }, //
};

use super::Files;
use crate::{
    mm::{
        bar1::State,
        window::Counters, //
    },
    regs::pramin::NV_PBUS_BAR0_WINDOW,
    vgpu::{
        FbOwner,
        FbRequest,
        Gpu,
        MapInfo, //
    }, //
};

/// Largest mapping that is measured.
const MOST: u64 = 2 * u64::SZ_1G;

/// The file `mm`.
pub(super) fn show(files: &Files, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let gpu = files.handle.gpu();
    gpu.with_bar1(|bar1| {
        writeln!(f, "bar1_free {}", bar1.free())?;
        writeln!(f, "bar1_mappings {}", bar1.mappings())?;
        writeln!(f, "bar1_unusable {}", bar1.unusable())?;
        writeln!(f, "bar1_table_bytes {}", bar1.table_bytes())?;
        writeln!(f, "bar1_table_fb {}", bar1.table_fb())
    })?;
    let Counters {
        table_bytes_written,
        table_bytes_read,
        invalidates,
        invalidates_failed,
    } = gpu.mm().counters();
    writeln!(f, "table_bytes_written {table_bytes_written}")?;
    writeln!(f, "table_bytes_read {table_bytes_read}")?;
    writeln!(f, "invalidates {invalidates}")?;
    writeln!(f, "invalidates_failed {invalidates_failed}")?;
    match gpu.with_core(|core| Ok(core.bar().read(NV_PBUS_BAR0_WINDOW))) {
        Ok(window) => writeln!(f, "pramin_window {:#x}", u32::from(window)),
        Err(_) => writeln!(f, "pramin_window gone"),
    }
}

/// The file `bar1`.
pub(super) fn bar1(files: &Files, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    files.handle.gpu().with_bar1(|bar1| {
        for (range, state) in bar1.ranges() {
            let state = match state {
                State::Mapped => "mapped",
                State::Firmware => "firmware",
                State::Stale => "stale",
                State::Broken => "broken",
            };
            writeln!(f, "range {:#013x} {:#013x} {state}", range.start, range.end)?;
        }
        Ok(())
    })
}

/// The file `bar1_map_cost`.
pub(super) fn cost(files: &Files, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match measure(files.handle.gpu()) {
        Ok(cost) => {
            writeln!(f, "size {}", cost.size)?;
            writeln!(f, "table_bytes {}", cost.table_bytes)?;
            for (name, step) in [("map", &cost.map), ("unmap", &cost.unmap)] {
                writeln!(f, "{name}_bytes_written {}", step.written)?;
                writeln!(f, "{name}_invalidates {}", step.invalidates)?;
                writeln!(f, "{name}_ns {}", step.ns)?;
            }
            Ok(())
        }
        Err(e) => writeln!(f, "failed: {e:?}"),
    }
}

struct Cost {
    size: u64,
    /// Bytes of tables that the mapping has added.
    table_bytes: u64,
    map: Step,
    unmap: Step,
}

struct Step {
    written: u64,
    invalidates: u64,
    ns: i64,
}

impl Step {
    fn since(gpu: &Gpu, before: &Counters, start: Instant<Monotonic>) -> Self {
        let ns = start.elapsed().as_nanos();
        let after = gpu.mm().counters();
        Self {
            written: after.table_bytes_written - before.table_bytes_written,
            invalidates: after.invalidates - before.invalidates,
            ns,
        }
    }
}

fn measure(gpu: &Arc<Gpu>) -> Result<Cost> {
    // GSP-RM has some of BAR1, so that not all of it fits.
    let room = gpu.with_bar1(|bar1| bar1.free()) / 2;
    let room = cmp::max(1, room).ilog2();
    let size = cmp::min(MOST, 1 << room);
    let fb = gpu.alloc_fb(&FbRequest {
        size,
        align: u64::SZ_2M,
        fixed: None,
        top_down: true,
        owner: FbOwner::Pf,
    })?;

    let tables = || gpu.with_bar1(|bar1| bar1.table_bytes());
    let (had, before, start) = (tables(), gpu.mm().counters(), Instant::now());
    let mapping = gpu.map_bar1(&fb, &MapInfo::new(0, size))?;
    let map = Step::since(gpu, &before, start);
    let table_bytes = tables() - had;

    let (before, start) = (gpu.mm().counters(), Instant::now());
    drop(mapping);
    let unmap = Step::since(gpu, &before, start);
    Ok(Cost {
        size,
        table_bytes,
        map,
        unmap,
    })
}
