// SPDX-License-Identifier: GPL-2.0

//! Processes that have a VFIO device open.
//!
//! The kernel says EBUSY and not who it is, so the links in `/proc/<pid>/fd` are searched for the two
//! ways to a device: `/dev/vfio/<IOMMU group>` and `/dev/vfio/devices/vfio<n>`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

/// A process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Holder {
    pub pid: u32,
    /// Its name in `/proc/<pid>/comm`.
    pub command: String,
}

/// Who has which file of `/dev/vfio` open. Processes that the caller may not look into are missing.
pub struct Holders(BTreeMap<PathBuf, Vec<Holder>>);

impl Holders {
    /// Looks at all processes, once.
    pub fn scan(proc: &Path) -> Self {
        let mut found: BTreeMap<PathBuf, Vec<Holder>> = BTreeMap::new();
        // Without /proc nobody is found, which is what the messages then say.
        for entry in fs::read_dir(proc).into_iter().flatten().flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|n| n.parse().ok()) else {
                continue;
            };
            for file in vfio_files(&entry.path()) {
                let command = command(&entry.path());
                found.entry(file).or_default().push(Holder { pid, command });
            }
        }
        Self(found)
    }

    /// Processes with one of the two files open, by pid.
    pub fn of(&self, group: Option<u32>, device: Option<&str>) -> Vec<Holder> {
        let group = group.map(|group| format!("/dev/vfio/{group}"));
        let files = [group.as_deref(), device].into_iter().flatten();
        let mut holders: Vec<Holder> = files
            .filter_map(|file| self.0.get(Path::new(file)))
            .flatten()
            .cloned()
            .collect();
        holders.sort_unstable_by_key(|holder| holder.pid);
        holders.dedup();
        holders
    }
}

/// Files of `/dev/vfio` that a process has open.
fn vfio_files(process: &Path) -> BTreeSet<PathBuf> {
    let fds = fs::read_dir(process.join("fd")).into_iter().flatten();
    fds.filter_map(|fd| fs::read_link(fd.ok()?.path()).ok())
        .filter(|target| target.starts_with("/dev/vfio"))
        .collect()
}

/// A process may call itself anything: nothing of it may reach a terminal that does something there.
fn command(process: &Path) -> String {
    let name = fs::read(process.join("comm")).unwrap_or_default();
    let name = String::from_utf8_lossy(&name);
    name.trim_end_matches('\n')
        .chars()
        .map(|c| if c.is_control() { '?' } else { c })
        .collect()
}

/// Holders for a message.
pub fn in_one_line(holders: &[Holder]) -> String {
    if holders.is_empty() {
        return "a process that cannot be seen (root sees all)".to_owned();
    }
    let holders: Vec<String> = holders
        .iter()
        .map(|holder| format!("{} (pid {})", holder.command, holder.pid))
        .collect();
    holders.join(", ")
}
