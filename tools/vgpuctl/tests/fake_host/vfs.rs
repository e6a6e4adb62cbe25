// SPDX-License-Identifier: GPL-2.0

//! `enable`, `disable`, `bind`, `unbind`.

use rustix::io::Errno;

use crate::host::{Host, GPU};

#[test]
fn enable_keeps_other_drivers_away_and_binds() {
    let host = Host::new();
    host.ok(&["enable", "-n", "1"]);
    assert_eq!(
        host.written(),
        [
            "devices/0000:01:00.0/sriov_drivers_autoprobe=0",
            "devices/0000:01:00.0/sriov_numvfs=1",
            "devices/0000:01:00.0/sriov_drivers_autoprobe=1",
            "devices/0000:01:00.4/driver_override=nvidia_vgpu_vfio",
            "drivers_probe=0000:01:00.4",
        ]
    );
    host.ok(&["enable", GPU, "-n", "1"]);
    assert!(host.written().is_empty());
}

#[test]
fn all_vfs_unless_a_number_is_given() {
    let host = Host::new();
    host.ok(&["enable", "--no-bind"]);
    assert!(host.device("0000:01:00.7").exists());
    assert!(!host.device("0000:01:00.7").join("driver").exists());
    // The same again, now bound.
    host.ok(&["enable"]);
    assert!(host.device("0000:01:00.7").join("driver").exists());
}

#[test]
fn another_number_is_refused() {
    let host = Host::new();
    host.fails(&["enable", "-n", "5"], &["at most 4"]);
    host.fails(&["enable", "-n", "0"], &["vgpuctl disable"]);
    host.ok(&["enable", "-n", "2"]);
    host.written();
    host.fails(
        &["enable", "-n", "3"],
        &["2 are enabled", "vgpuctl disable"],
    );
    assert!(host.written().is_empty());
}

#[test]
fn autoprobe_is_restored_after_a_failure() {
    let host = Host::new();
    for (errno, advice) in [
        (Errno::OPNOTSUPP, "vGPU is off"),
        (Errno::IO, "reset"),
        (Errno::NOMEM, "bridge"),
        (Errno::ACCESS, "root"),
    ] {
        *host.kernel.fail.borrow_mut() = Some(("sriov_numvfs".to_owned(), errno));
        host.fails(&["enable"], &["cannot enable 4 VFs", advice]);
        let last = host.written().pop();
        assert_eq!(
            last.as_deref(),
            Some("devices/0000:01:00.0/sriov_drivers_autoprobe=1")
        );
    }
}

#[test]
fn a_gpu_of_another_driver() {
    let host = Host::new();
    host.bind_to(GPU, "nouveau");
    host.fails(&["enable"], &["bound to nouveau", "unbind"]);
    std::fs::remove_file(host.device(GPU).join("driver")).unwrap();
    host.fails(&["enable"], &["no driver", "modprobe nova_core_vgpu"]);
    assert!(host.written().is_empty());
}

#[test]
fn disable_spares_types_and_users() {
    let host = Host::new();
    host.ok(&["enable", "-n", "2"]);
    host.ok(&["select", "941", "--gpu", GPU]);
    host.written();
    host.fails(&["disable"], &["0000:01:00.4 has 941", "--force"]);
    assert!(host.written().is_empty());
    host.open(0, 77, "qemu");
    host.fails(&["disable", "--force"], &["0000:01:00.4 by qemu (pid 77)"]);
    std::fs::remove_dir_all(host.file("proc/77")).unwrap();
    host.ok(&["disable", "--force"]);
    assert!(!host.device("0000:01:00.4").exists());
    host.written();
    host.ok(&["disable"]);
    assert!(host.written().is_empty());
}

#[test]
fn bind_takes_a_vf_from_another_driver_that_nobody_uses() {
    let host = Host::new();
    host.ok(&["enable", "--no-bind", "-n", "2"]);
    host.bind_to("0000:01:00.4", "vfio-pci");
    host.bind_to("0000:01:00.5", "vfio-pci");
    host.open(1, 77, "qemu");
    host.fails(
        &["bind", "--gpu", GPU],
        &["0000:01:00.5 is bound to vfio-pci and in use by qemu (pid 77)"],
    );
    // The other one is bound all the same.
    assert!(host.device("0000:01:00.4").join("nvidia").exists());
    assert!(!host.device("0000:01:00.5").join("nvidia").exists());
}

#[test]
fn a_refused_vf_is_left_as_it_was() {
    let host = Host::new();
    host.ok(&["enable", "--no-bind", "-n", "1"]);
    host.kernel.no_probe.set(true);
    host.fails(&["bind", "0000:01:00.4"], &["does not take it", "dmesg"]);
    let left = std::fs::read_to_string(host.device("0000:01:00.4").join("driver_override"));
    assert_eq!(left.unwrap(), "\n");
    host.unload("nvidia_vgpu_vfio");
    host.fails(
        &["bind", "0000:01:00.4"],
        &["not loaded", "modprobe nvidia_vgpu_vfio"],
    );
}

#[test]
fn unbind() {
    let host = Host::new();
    host.ok(&["enable", "-n", "1"]);
    host.ok(&["select", "941", "--vf", "0000:01:00.4"]);
    host.fails(
        &["unbind", "0000:01:00.4"],
        &["has the vGPU type 941", "vgpuctl clear"],
    );
    host.ok(&["clear", "0000:01:00.4"]);
    host.ok(&["unbind", "0000:01:00.4"]);
    host.written();
    host.ok(&["unbind", "0000:01:00.4"]);
    assert!(host.written().is_empty());
    host.fails(&["unbind", "0000:01:00.5"], &["no such VF"]);
    host.fails(&["unbind", GPU], &["no such VF"]);
}
