// SPDX-License-Identifier: GPL-2.0

//! debugfs: what is handed out, in numbers.
//!
//! ```text
//!   /sys/kernel/debug/nova_core_vgpu/
//!     0000:01:00.0/
//!       stats           one "name value" per line
//!       fb              frame buffer by state and owner, scrubbing, ranges
//!       channels        channel IDs per runlist
//!       ce              copy engine
//!       life            phase of the GPU, boots and losses
//!       gsp             state of the message queues
//!       rpc             requests by function: counts, bytes, latency
//!       events          what GSP said by itself, and what became of it
//!       utilisation     who uses which engine
//!       irq             interrupts per subtree, vectors of the engines
//!       loginit …       log buffers of GSP
//!       mm              address spaces, table memory, invalidations
//!       bar1            ranges of BAR1 in use
//!       bar1_map_cost   reading it maps up to 2 GiB and shows what that took
//!       bar1_selftest   reading it maps, writes, reads back, unmaps
//!       ce_selftest     reading it fills and copies, and compares
//!       ce_rate         reading it fills 24 GiB and takes the time
//!       rpc_selftest    reading it times controls of GSP-RM
//!       rpc_floor       reading it times the way to GSP and its interrupt
//! ```

use crate::{
    fb::manager::FbOwner,
    fifo::chid::ChannelOwner,
    gsp::logs::Logs,
    vgpu::{
        Handle,
        Support, //
    }, //
};
use kernel::{
    debugfs::Scope,
    device::Bound,
    fmt,
    pci,
    prelude::*,
    sync::Arc, //
};

mod ce_rate;
mod ce_selftest;
mod events;
mod fb;
mod gsp;
mod irq;
mod life;
mod log;
mod mm;
mod rpc_selftest;
mod selftest;

use log::Log;

kernel_ext::debugfs_root! {
    /// The directory of the module. Owned by the module, after its driver registration.
    pub(crate) struct Root = c"nova_core_vgpu";
}

/// What the files of a PF show.
pub(crate) struct Files {
    handle: Arc<Handle>,
    logs: [Log; Logs::NAMES.len()],
}

/// Makes the files of a PF; they go when the returned object is dropped.
pub(crate) fn files(
    pdev: &pci::Device<Bound>,
    handle: Arc<Handle>,
) -> Result<Pin<KBox<Scope<Files>>>> {
    let root = Root::dir()?;
    let files = Files {
        logs: Log::all(&handle),
        handle,
    };
    KBox::pin_init(
        root.scope(files, pdev.as_ref().name(), |files, dir| {
            dir.read_callback_file(c"stats", files, &stats);
            dir.read_callback_file(c"fb", files, &fb::show);
            dir.read_callback_file(c"channels", files, &channels);
            dir.read_callback_file(c"ce", files, &ce);
            dir.read_callback_file(c"life", files, &life::life);
            dir.read_callback_file(c"gsp", files, &gsp::queues);
            dir.read_callback_file(c"rpc", files, &gsp::functions);
            dir.read_callback_file(c"irq", files, &irq::show);
            dir.read_callback_file(c"events", files, &events::events);
            dir.read_callback_file(c"utilisation", files, &events::utilisation);
            for log in &files.logs {
                dir.read_binary_file(log.name(), log);
            }
            dir.read_callback_file(c"mm", files, &mm::show);
            dir.read_callback_file(c"bar1", files, &mm::bar1);
            dir.read_callback_file(c"bar1_map_cost", files, &mm::cost);
            dir.read_callback_file(c"bar1_selftest", files, &bar1_selftest);
            dir.read_callback_file(c"ce_selftest", files, &ce_selftest);
            dir.read_callback_file(c"ce_rate", files, &ce_rate);
            dir.read_callback_file(c"rpc_selftest", files, &rpc_selftest);
            dir.read_callback_file(c"rpc_floor", files, &rpc_floor);
        }),
        GFP_KERNEL,
    )
}

fn stats(files: &Files, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let handle = &files.handle;
    let gpu = handle.gpu();
    match handle.support() {
        Support::Supported => writeln!(f, "vgpu supported")?,
        Support::NotSupported(reason) => writeln!(f, "vgpu not supported: {reason}")?,
    }
    writeln!(f, "phase {}", gpu.life().phase().name())?;
    gpu.with_fb(|fb| {
        let quarantined: u64 = fb
            .live()
            .filter(|s| s.owner == FbOwner::Quarantine)
            .map(|s| s.end - s.start)
            .sum();
        writeln!(f, "fb_total {}", fb.total())?;
        writeln!(f, "fb_used {}", fb.total() - fb.free())?;
        writeln!(f, "fb_free {}", fb.free())?;
        writeln!(f, "fb_ranges {}", fb.live().count())?;
        writeln!(f, "fb_quarantined {quarantined}")
    })?;
    gpu.with_channels(|pool| {
        writeln!(f, "channels_total {}", pool.map_or(0, |p| p.limit()))?;
        writeln!(
            f,
            "channels_available {}",
            pool.map_or(0, |p| p.vgpus().len())
        )?;
        writeln!(f, "channels_free {}", pool.map_or(0, |p| p.free()))
    })?;
    writeln!(f, "clients {}", gpu.clients())?;
    gpu.with_bar1(|bar1| {
        writeln!(f, "bar1_mappings {}", bar1.mappings())?;
        writeln!(f, "bar1_unusable {}", bar1.unusable())
    })?;
    writeln!(f, "attached {}", handle.attached())?;
    writeln!(f, "open_vfs {}", handle.open_vfs().count())?;
    writeln!(f, "vfs {}", gpu.num_vfs())
}

fn channels(files: &Files, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    files.handle.gpu().with_channels(|pool| {
        for runlist in pool.map_or(&[][..], |p| p.runlists()) {
            writeln!(
                f,
                "runlist {} channels {} used {}",
                runlist.id(),
                runlist.channels(),
                runlist.used()
            )?;
        }
        for lease in pool.iter().flat_map(|p| p.leases()) {
            let ids = lease.ids();
            write!(f, "range {} {} ", ids.start, ids.end)?;
            match lease.runlist() {
                Some(id) => write!(f, "runlist {id} ")?,
                None => write!(f, "all ")?,
            }
            match lease.owner() {
                ChannelOwner::Pf => writeln!(f, "pf")?,
                ChannelOwner::Guest(gfid) => writeln!(f, "guest gfid {gfid}")?,
                ChannelOwner::Quarantine => writeln!(f, "quarantine")?,
            }
        }
        Ok(())
    })
}

fn ce(files: &Files, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let report = files.handle.gpu().ce().report();
    let Some(unit) = report.unit else {
        return writeln!(f, "none");
    };
    writeln!(f, "engine {} runlist {}", unit.instance, unit.runlist)?;
    match report.channel {
        Some(chid) => writeln!(f, "channel {chid}")?,
        None => writeln!(f, "channel none")?,
    }
    let stats = report.stats;
    writeln!(f, "in_flight {}", report.in_flight)?;
    writeln!(f, "retired {}", report.retired)?;
    writeln!(f, "channels {}", stats.channels)?;
    writeln!(f, "launches {}", stats.launches)?;
    writeln!(f, "finished {}", stats.done)?;
    writeln!(f, "polled {}", stats.polled)?;
    writeln!(f, "interrupts {}", stats.interrupts)?;
    writeln!(f, "filled {}", stats.filled)?;
    writeln!(f, "copied {}", stats.copied)?;
    writeln!(f, "timeouts {}", stats.timeouts)?;
    writeln!(f, "errors {}", stats.errors)
}

fn result(f: &mut fmt::Formatter<'_>, result: Result<(), selftest::Failure>) -> fmt::Result {
    match result {
        Ok(()) => writeln!(f, "ok"),
        Err(failure) => writeln!(f, "failed: {} ({:?})", failure.step, failure.error),
    }
}

fn bar1_selftest(files: &Files, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    result(f, selftest::bar1(files.handle.gpu()))
}

fn ce_selftest(files: &Files, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    result(f, ce_selftest::run(files.handle.gpu()))
}

fn times(f: &mut fmt::Formatter<'_>, times: Result<rpc_selftest::Times>) -> fmt::Result {
    match times {
        Ok(times) => times.show(f),
        Err(error) => writeln!(f, "failed: {error:?}"),
    }
}

fn rpc_selftest(files: &Files, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    times(f, rpc_selftest::calls(files.handle.gpu()))
}

fn rpc_floor(files: &Files, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    times(f, rpc_selftest::floor(files.handle.gpu()))
}

fn ce_rate(files: &Files, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match ce_rate::measure(files.handle.gpu()) {
        Ok((bytes, time)) => writeln!(f, "bytes {bytes} ns {}", time.as_nanos()),
        Err(e) => writeln!(f, "failed ({e:?})"),
    }
}
