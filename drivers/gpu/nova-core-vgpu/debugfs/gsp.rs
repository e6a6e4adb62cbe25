// SPDX-License-Identifier: GPL-2.0

//! The message queues between CPU and GSP in numbers.
//!
//! ```text
//!   gsp   state alive|lost|closed
//!         command_queue write <slot> read <slot> free <slots>        CPU writes, GSP reads
//!         status_queue write <slot> read <slot> used <slots>         GSP writes, CPU reads
//!         in_flight <n>
//!         oldest function <n> sequence <n> age_us <n>                if something is in flight
//!         <counter> <n>
//!   rpc   one line per function
//! ```

use kernel::fmt;

use super::Files;
use crate::gsp::fw::r570_144::msgq;

/// State of the queues.
pub(super) fn queues(files: &Files, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let snapshot = files.handle.gpu().look(|core| Ok(core.cmdq().snapshot()));
    let Ok(queues) = snapshot else {
        return writeln!(f, "gone");
    };

    writeln!(f, "state {}", queues.state)?;
    if let Some([(write, read), (stat_write, stat_read)]) = queues.indices {
        writeln!(
            f,
            "command_queue write {} read {} free {}",
            write,
            read,
            msgq::free_slots(write, read)
        )?;
        writeln!(
            f,
            "status_queue write {} read {} used {}",
            stat_write,
            stat_read,
            msgq::used_slots(stat_write, stat_read)
        )?;
    }
    writeln!(f, "in_flight {}", queues.in_flight)?;
    if let Some(oldest) = queues.oldest {
        writeln!(
            f,
            "oldest function {} sequence {} age_us {}",
            oldest.function,
            oldest.sequence,
            oldest.age.as_micros_ceil()
        )?;
    }

    let stats = &queues.stats;
    writeln!(f, "sent {}", stats.sent)?;
    writeln!(f, "full_waits {}", stats.full_waits)?;
    writeln!(f, "received {}", stats.received)?;
    writeln!(f, "corrupt {}", stats.corrupt)?;
    writeln!(f, "late {}", stats.late)?;
    writeln!(f, "unmatched {}", stats.unmatched)?;
    writeln!(f, "polls {}", stats.polls)?;
    writeln!(f, "lost_interrupts {}", stats.lost_interrupts)?;
    writeln!(f, "killed {}", stats.killed)?;
    writeln!(f, "events_dropped {}", stats.events_dropped)
}

/// Counters and latencies by function.
pub(super) fn functions(files: &Files, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let shown = files.handle.gpu().with_core(|core| {
        Ok(core.cmdq().traffic().snapshots().try_for_each(|row| {
            let ns = |percent| row.latency.percentile(percent).unwrap_or(0);
            writeln!(
                f,
                "{} requests {} replies {} errors {} failures {} bytes_out {} bytes_in {} p50_ns {} p99_ns {} max_ns {}",
                row.name,
                row.requests,
                row.replies,
                row.errors,
                row.failures,
                row.bytes_out,
                row.bytes_in,
                ns(50),
                ns(99),
                row.latency.max
            )
        }))
    });
    shown.unwrap_or_else(|_| writeln!(f, "gone"))
}
