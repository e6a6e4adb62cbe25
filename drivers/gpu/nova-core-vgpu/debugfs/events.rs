// SPDX-License-Identifier: GPL-2.0

//! Events of GSP in numbers.
//!
//! ```text
//!   events        event <name> seen <n> unclaimed <n> malformed <n>
//!                 unknown <number> seen <n>
//!                 notifier <index> <class> seen <n>
//!                 rc host <n> guest <n> fast_path <n> storms <n>
//!   utilisation   samples <n>
//!                 pid <n> sub_pid <n> [gfid <n>] <engine> last <n> mean <n> max <n> …   in 1/100 %
//! ```

use kernel::{
    fmt,
    prelude::*,
    sync::{
        atomic::Relaxed,
        Arc, //
    }, //
};

use super::Files;
use crate::gsp::{
    events::{
        utilisation::Entry,
        Router, //
    },
    fw::r570_144::{
        notifier::Class,
        perfmon::ENGINE_NAMES, //
    }, //
};

/// The router, which outlives the GPU that it routes for.
fn router(files: &Files) -> Result<Arc<Router>> {
    files
        .handle
        .gpu()
        .with_core(|core| Ok(core.events().clone()))
}

/// Counters.
pub(super) fn events(files: &Files, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let Ok(router) = router(files) else {
        return writeln!(f, "gone");
    };
    let counts = router.counts();

    for (name, count) in counts.events() {
        writeln!(
            f,
            "event {} seen {} unclaimed {} malformed {}",
            name, count.seen, count.unclaimed, count.malformed
        )?;
    }
    for (number, seen) in counts.unknown() {
        writeln!(f, "unknown {number:#x} seen {seen}")?;
    }
    for (index, seen) in counts.notifiers() {
        writeln!(
            f,
            "notifier {} {} seen {}",
            index,
            Class::of(index).name(),
            seen
        )?;
    }
    let rc = &counts.rc;
    writeln!(
        f,
        "rc host {} guest {} fast_path {} storms {}",
        rc.host.load(Relaxed),
        rc.guest.load(Relaxed),
        rc.fast_path.load(Relaxed),
        rc.storms.load(Relaxed)
    )
}

/// The table of use.
pub(super) fn utilisation(files: &Files, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let shown = files.handle.gpu().with_core(|core| {
        let owners = core.cmdq().traffic().owners();
        Ok(core.events().with_utilisation(|table| {
            writeln!(f, "samples {}", table.samples())?;
            table
                .iter()
                .try_for_each(|entry| process(f, entry, owners.gfid_of_process(entry.pid)))
        }))
    });
    shown.unwrap_or_else(|_| writeln!(f, "gone"))
}

/// One line of the table of use.
fn process(f: &mut fmt::Formatter<'_>, entry: &Entry, gfid: Option<u32>) -> fmt::Result {
    write!(f, "pid {} sub_pid {}", entry.pid, entry.sub_pid)?;
    if let Some(gfid) = gfid {
        write!(f, " gfid {gfid}")?;
    }
    for (name, engine) in ENGINE_NAMES.iter().zip(&entry.engines) {
        write!(
            f,
            " {} last {} mean {} max {}",
            name,
            engine.last,
            entry.mean(engine),
            engine.max
        )?;
    }
    writeln!(f)
}
