// SPDX-License-Identifier: GPL-2.0

//! debugfs: the plugin task of each VF.
//!
//! ```text
//!   /sys/kernel/debug/nvidia_vgpu_vfio/
//!     0000:01:00.4/
//!       plugin          shared area, one "name value" per line
//!       messages        messages by type: counts, latency
//!       guest           what firmware knows of the guest, and says when asked
//!       error_buffer    what the task reports, as it is in memory
//!       init_task_log  vgpu_task_log  kernel_log    its logs, as they are in memory
//! ```
//!
//! Live while the device is open, and what they were in the end afterwards. Nobody waits here for a
//! plugin task, nor, but for `guest`, for the firmware.

use kernel::{
    debugfs::{
        BinaryWriter,
        Scope, //
    },
    device::Bound,
    fmt,
    fs::file,
    page::PAGE_SIZE,
    pci,
    prelude::*,
    sync::Arc,
    uaccess::UserSliceWriter, //
};

use nova_core_vgpu::vgpu::{
    RmError,
    Wait, //
};

use crate::{
    control::{
        self,
        guests::{
            self,
            Guest, //
        }, //
    },
    manager::Manager,
    plugin::{
        Observed,
        Part, //
    }, //
};

kernel_ext::debugfs_root! {
    /// The directory of the module. Owned by the module, after its driver registration.
    pub(crate) struct Root = c"nvidia_vgpu_vfio";
}

/// A part of the shared area, byte by byte.
struct Blob {
    observed: Arc<Observed>,
    part: Part,
}

impl Blob {
    /// Copies what fits from `offset` on to user space by way of `page`.
    fn copy(
        &self,
        page: &mut [u8],
        writer: &mut UserSliceWriter,
        offset: &mut file::Offset,
    ) -> Result<usize> {
        let mut copied = 0;
        while !writer.is_empty() {
            let wanted = page.len().min(writer.len());
            let chunk = page.get_mut(..wanted).ok_or(EINVAL)?;
            let len = self
                .observed
                .records()
                .read(self.part, usize::try_from(*offset)?, chunk)?;
            if len == 0 {
                break;
            }
            // Not under a lock of `records`: user memory may take its time.
            writer.write_slice(chunk.get(..len).ok_or(EINVAL)?)?;
            *offset += file::Offset::try_from(len)?;
            copied += len;
        }
        Ok(copied)
    }
}

impl BinaryWriter for Blob {
    fn write_to_slice(
        &self,
        writer: &mut UserSliceWriter,
        offset: &mut file::Offset,
    ) -> Result<usize> {
        let mut page = KVec::from_elem(0u8, PAGE_SIZE, GFP_KERNEL)?;
        self.copy(&mut page, writer, offset)
    }
}

/// What the files of a VF show.
struct Shown {
    observed: Arc<Observed>,
    manager: Arc<Manager>,
    gfid: u32,
    blobs: [(&'static CStr, Blob); 4],
}

/// The files of a VF; they go when this is dropped, which waits for those who read one.
pub(crate) struct Files(#[expect(dead_code)] Pin<KBox<Scope<Shown>>>);

/// Makes the files of a VF.
///
/// # Errors
///
/// `ENOMEM`.
pub(crate) fn files(
    pdev: &pci::Device<Bound>,
    observed: &Arc<Observed>,
    manager: &Arc<Manager>,
    gfid: u32,
) -> Result<Files> {
    let root = Root::dir()?;
    let shown = Shown {
        observed: observed.clone(),
        manager: manager.clone(),
        gfid,
        blobs: [
            (c"error_buffer", Part::Errors),
            (c"init_task_log", Part::InitTaskLog),
            (c"vgpu_task_log", Part::VgpuTaskLog),
            (c"kernel_log", Part::KernelLog),
        ]
        .map(|(name, part)| {
            let observed = observed.clone();
            (name, Blob { observed, part })
        }),
    };
    let scope = KBox::pin_init(
        root.scope(shown, pdev.as_ref().name(), |shown, dir| {
            dir.read_callback_file(c"plugin", shown, &plugin);
            dir.read_callback_file(c"messages", shown, &messages);
            dir.read_callback_file(c"guest", shown, &guest);
            for (name, blob) in &shown.blobs {
                dir.read_binary_file(name, blob);
            }
        }),
        GFP_KERNEL,
    )?;
    Ok(Files(scope))
}

fn plugin(shown: &Shown, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let observed = &shown.observed;
    let (errors, bad_indices) = observed.counts().errors();

    writeln!(f, "task {}", observed.watch().name())?;
    writeln!(f, "version {}", observed.version())?;
    writeln!(f, "error_reports {errors}")?;
    writeln!(f, "bad_error_indices {bad_indices}")?;
    let Ok((report, place)) = observed.records().report() else {
        return writeln!(f, "area none");
    };
    writeln!(f, "area {place}")?;
    for (name, value) in [
        ("layout", report.version),
        ("message", report.message),
        ("sequence", report.sequence),
        ("received", report.received),
        ("processed", report.processed),
        ("result", report.result),
        ("guest_rpc_version", report.guest_rpc_version),
        ("error_put", report.error_put),
        ("error_get", report.error_get),
        ("license_state", report.license_state),
        ("guest_os", report.guest_os),
        ("frame_rate_limit", report.frame_rate_limit),
    ] {
        writeln!(f, "{name} {value:#x}")?;
    }
    Ok(())
}

fn guest(shown: &Shown, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut answer = KVec::from_elem(0u8, guests::SIZE, GFP_KERNEL).map_err(|_| fmt::Error)?;
    // A client of its own: that of the manager must not be kept while firmware is asked.
    let asked: Result<(), RmError> = shown
        .manager
        .gpu()
        .rm_client(0, Wait::KILLABLE)
        .and_then(|client| control::enumerate(&client, &mut answer));

    if let Err(e) = asked {
        return f.write_fmt(fmt!("error {}\n", e));
    }
    match Guest::find(&answer, shown.gfid) {
        Some(guest) => guest.show(f),
        None => writeln!(f, "none"),
    }
}

fn messages(shown: &Shown, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    shown.observed.counts().show(f)
}
