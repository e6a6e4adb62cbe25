// SPDX-License-Identifier: GPL-2.0

//! Frame buffer: what is clean, who has what, and how scrubbing goes.
//!
//! ```text
//!   state <state> <bytes>         add up to all regions
//!   owner <kind> <bytes> …        what is handed out or claimed
//!   scrub <counter> <n>           only grow
//!   filling, region, range        by address
//! ```

use kernel::fmt;

use super::Files;
use crate::fb::manager::{
    FbOwner,
    Manager, //
};

pub(super) fn show(files: &Files, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    files.handle.gpu().with_fb(|fb| {
        states(fb, f)?;
        owners(fb, f)?;
        counts(fb, f)?;
        ranges(fb, f)
    })
}

fn states(fb: &Manager, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let states = fb.states();
    writeln!(f, "state clean {}", states.clean)?;
    writeln!(f, "state dirty {}", states.dirty)?;
    writeln!(f, "state scrubbing {}", states.scrubbing)?;
    writeln!(f, "state claimed {}", states.claimed)?;
    writeln!(f, "state taken {}", states.taken)
}

fn kind(owner: FbOwner) -> &'static str {
    match owner {
        FbOwner::Pf => "pf",
        FbOwner::GuestFb(_) => "guest",
        FbOwner::MgmtHeap(_) => "mgmt-heap",
        FbOwner::Quarantine => "quarantine",
    }
}

fn owners(fb: &Manager, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for owner in [
        FbOwner::Pf,
        FbOwner::GuestFb(0),
        FbOwner::MgmtHeap(0),
        FbOwner::Quarantine,
    ] {
        let of_kind = || fb.live().filter(|s| kind(s.owner) == kind(owner));
        let bytes: u64 = of_kind().map(|s| s.end - s.start).sum();
        writeln!(
            f,
            "owner {} {} ranges {}",
            kind(owner),
            bytes,
            of_kind().count()
        )?;
    }
    Ok(())
}

fn counts(fb: &Manager, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let counts = fb.counts();
    writeln!(f, "scrub bytes {}", counts.bytes)?;
    writeln!(f, "scrub ranges {}", counts.fills)?;
    writeln!(f, "scrub retries {}", counts.retries)?;
    writeln!(f, "scrub failures {}", counts.failures)?;
    writeln!(f, "scrub waits {}", counts.waits)?;
    writeln!(f, "scrub gave_up {}", counts.gave_up)
}

fn ranges(fb: &Manager, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for (start, end) in fb.regions() {
        writeln!(f, "region  {start:#013x} {end:#013x}")?;
    }
    if let Some(range) = fb.filling() {
        writeln!(f, "filling {:#013x} {:#013x}", range.start, range.end)?;
    }
    for span in fb.live() {
        write!(
            f,
            "range   {:#013x} {:#013x} {}",
            span.start,
            span.end,
            kind(span.owner)
        )?;
        if let FbOwner::GuestFb(gfid) | FbOwner::MgmtHeap(gfid) = span.owner {
            write!(f, " gfid {gfid}")?;
        }
        let claimed = fb.is_claimed(&(span.start..span.end));
        writeln!(f, "{}", if claimed { " claimed" } else { "" })?;
    }
    Ok(())
}
