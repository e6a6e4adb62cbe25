// SPDX-License-Identifier: GPL-2.0

//! What is kept of a GPU that was lost: the contents of its device coredump.
//!
//! ```text
//!   nova-core-vgpu coredump 1            text, one "name value" per line
//!   reason …
//!   boot_0 …, riscv_cpuctl …, mailbox_0 …, …
//!   sent …, in_flight …, event … …
//!   section loginit OFFSET BYTES         where the bytes below begin and how many there are
//!   …                                    (decimal, from the beginning of the file)
//!   end
//!   the sections, one after another      encoded by GSP-RM, see gsp::logs; the queues as they are
//! ```

use kernel::{
    dma::Coherent,
    fmt,
    fmt::Write as _,
    io::{
        io_project,
        Io, //
    },
    prelude::*, //
};
use kernel_ext::coredump::Coredump;

use super::{
    loss::Loss,
    Gpu, //
};
use crate::{
    gsp::logs::Logs,
    regs::pmc::{
        NV_PMC_BOOT_0,
        NV_PMC_BOOT_42, //
    },
};

/// Room for the text; more is taken when it is not enough.
const TEXT: usize = 4096;
/// Length of the line of a section but for its name: `section `, and two numbers of this many digits.
const DIGITS: usize = 10;

/// Puts a dump together and hands it to the core.
///
/// # Errors
///
/// `ENOMEM`.
pub(crate) fn submit(gpu: &Gpu<'_>, loss: Loss) -> Result {
    let sections = sections(gpu);
    let bytes: usize = sections.iter().map(|(_, buffer)| buffer.size()).sum();
    let mut dump = Coredump::with_capacity(TEXT + bytes)?;

    text(gpu, loss, &mut dump).map_err(|_| ENOMEM)?;
    table(&sections, &mut dump).map_err(|_| ENOMEM)?;
    for (_, buffer) in sections {
        let len = buffer.size();
        io_project!(buffer, [try: 0..len]).copy_to_slice(dump.extend(len)?);
    }
    dump.submit(gpu.pdev().as_ref());
    Ok(())
}

fn sections<'a>(gpu: &'a Gpu<'_>) -> [(&'static CStr, &'a Coherent<[u8]>); 4] {
    let [init, intr, rm] = gpu.gsp().logs().buffers();
    let [name_init, name_intr, name_rm] = Logs::NAMES;

    [
        (name_init, init),
        (name_intr, intr),
        (name_rm, rm),
        (c"queues", gpu.cmdq().memory()),
    ]
}

fn text(gpu: &Gpu<'_>, loss: Loss, out: &mut Coredump) -> fmt::Result {
    let (stats, in_flight) = gpu.cmdq().stats();
    let spec = gpu.spec();

    writeln!(out, "nova-core-vgpu coredump 1")?;
    out.write_fmt(fmt!("reason {}\n", loss))?;
    out.write_fmt(fmt!("device {}\n", gpu.pdev().as_ref().name()))?;
    writeln!(
        out,
        "chip {} {:x}.{:x}",
        spec.chipset.name(),
        spec.revision.0,
        spec.revision.1
    )?;
    out.write_fmt(fmt!("firmware {}\n", gpu.firmware_version()))?;
    writeln!(out, "boots {}", gpu.life().boots())?;

    let falcon = gpu.gsp().falcon();
    let (boot_0, boot_42) = (
        gpu.bar().read(NV_PMC_BOOT_0),
        gpu.bar().read(NV_PMC_BOOT_42),
    );
    let mailboxes = falcon.mailboxes();
    for (name, value) in [
        ("gsp_mailbox_0", falcon.panic_mailbox()),
        ("boot_0", boot_0.into_raw()),
        ("boot_42", boot_42.into_raw()),
        ("riscv_cpuctl", falcon.riscv_raw().into_raw()),
        ("falcon_irqstat", falcon.irqstat_raw()),
        ("mailbox_0", mailboxes.0),
        ("mailbox_1", mailboxes.1),
    ] {
        writeln!(out, "{name} {value:#010x}")?;
    }

    writeln!(out, "sent {}", stats.sent)?;
    writeln!(out, "received {}", stats.received)?;
    writeln!(out, "corrupt {}", stats.corrupt)?;
    writeln!(out, "unmatched {}", stats.unmatched)?;
    writeln!(out, "events_dropped {}", stats.events_dropped)?;
    writeln!(out, "in_flight {in_flight}")?;
    for (name, count) in gpu.events().counts().events() {
        writeln!(out, "event {} {}", name, count.seen)?;
    }
    for (number, seen) in gpu.events().counts().unknown() {
        writeln!(out, "event {number:#x} {seen}")?;
    }
    Ok(())
}

/// The table of sections, whose own length the first offset depends on.
fn table(sections: &[(&CStr, &Coherent<[u8]>)], out: &mut Coredump) -> fmt::Result {
    let line = |name: &CStr| "section   \n".len() + name.to_bytes().len() + 2 * DIGITS;
    let lines: usize = sections.iter().map(|(name, _)| line(name)).sum();
    let mut offset = out.len() + lines + "end\n".len();

    for (name, buffer) in sections {
        let (name, size) = (name.to_str().unwrap_or("?"), buffer.size());
        writeln!(out, "section {name} {offset:10} {size:10}")?;
        offset += size;
    }
    writeln!(out, "end")
}
