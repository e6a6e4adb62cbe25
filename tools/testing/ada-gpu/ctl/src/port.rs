// SPDX-License-Identifier: GPL-2.0

//! Finds the virtio port that leads to the monitor.
//!
//! ```text
//!   /sys/class/virtio-ports/vport2p1/name   "org.qemu.qmp"
//!                           \______/
//!                      /dev/vport2p1
//! ```
//!
//! The links in /dev/virtio-ports are made by udev, which a small VM lacks.

use std::fs;
use std::path::{Path, PathBuf};

/// Name the port has on QEMU's command line.
const NAME: &str = "org.qemu.qmp";
const CLASS: &str = "/sys/class/virtio-ports";

/// The device node of the port; the error says what is missing.
pub fn find() -> Result<PathBuf, String> {
    find_in(Path::new(CLASS))
        .map(|node| Path::new("/dev").join(node))
        .ok_or_else(|| format!("no virtio port named {NAME} here: 'lab run' gives its VM one"))
}

fn find_in(class: &Path) -> Option<PathBuf> {
    fs::read_dir(class).ok()?.flatten().find_map(|entry| {
        let name = fs::read_to_string(entry.path().join("name")).ok()?;
        (name.trim_end() == NAME).then(|| PathBuf::from(entry.file_name()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_by_name_only() {
        let class = std::env::temp_dir().join(format!("ada-gpu-ctl-{}", std::process::id()));
        for (node, name) in [("vport0p1", "other\n"), ("vport2p1", "org.qemu.qmp\n")] {
            fs::create_dir_all(class.join(node)).unwrap();
            fs::write(class.join(node).join("name"), name).unwrap();
        }
        assert_eq!(find_in(&class), Some(PathBuf::from("vport2p1")));
        fs::remove_dir_all(class.join("vport2p1")).unwrap();
        assert_eq!(find_in(&class), None);
        fs::remove_dir_all(&class).unwrap();
        assert_eq!(find_in(&class), None);
    }
}
