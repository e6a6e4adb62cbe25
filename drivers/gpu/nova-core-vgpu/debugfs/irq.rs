// SPDX-License-Identifier: GPL-2.0

//! File `irq`: what came, and what could come.
//!
//! ```text
//!   type msix
//!   subtree 2 vectors 118 spurious 0 strange 0
//!   engine 50 stall 155 nonstall -1
//! ```

use kernel::fmt;

use crate::irq::Vector;

use super::Files;

/// Content of the file.
pub(super) fn show(files: &Files, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    files
        .handle
        .gpu()
        .with_core(|core| {
            let (irq, table) = (core.irq(), core.irq_table());
            let kind = if irq.is_msix() { "msix" } else { "msi" };
            let number = |v: Option<Vector>| v.map_or(-1, |v| i64::from(v.number()));

            writeln!(f, "type {kind}")?;
            for (subtree, counts) in irq.counts().enumerate() {
                writeln!(
                    f,
                    "subtree {} vectors {} spurious {} strange {}",
                    subtree, counts.vectors, counts.spurious, counts.strange
                )?;
            }
            for engine in table.engines() {
                writeln!(
                    f,
                    "engine {} stall {} nonstall {}",
                    engine,
                    number(table.stall(engine)),
                    number(table.nonstall(engine))
                )?;
            }
            Ok(())
        })
        .or_else(|_| writeln!(f, "gone"))
}
