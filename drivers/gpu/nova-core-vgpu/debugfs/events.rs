// SPDX-License-Identifier: GPL-2.0

//! Events of GSP in numbers.
//!
//! ```text
//!   events        event <name> seen <n> unclaimed <n> malformed <n>
//!                 unknown <number> seen <n>
//!                 notifier <index> <class> seen <n>
//!                 rc host <n> guest <n> fast_path <n> storms <n>
//!   utilisation   samples <n>
//!                 pid <n> sub_pid <n> <engine> last <n> mean <n> max <n> …        in 1/100 %
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
    events::Router,
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
    let Ok(router) = router(files) else {
        return writeln!(f, "gone");
    };

    router.with_utilisation(|table| {
        writeln!(f, "samples {}", table.samples())?;
        for entry in table.iter() {
            write!(f, "pid {} sub_pid {}", entry.pid, entry.sub_pid)?;
            for (name, engine) in ENGINE_NAMES.iter().zip(&entry.engines) {
                let mean = entry.mean(engine);
                write!(
                    f,
                    " {} last {} mean {} max {}",
                    name, engine.last, mean, engine.max
                )?;
            }
            writeln!(f)?;
        }
        Ok(())
    })
}
