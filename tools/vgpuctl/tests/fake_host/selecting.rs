// SPDX-License-Identifier: GPL-2.0

//! `select`, `clear`.

use rustix::io::Errno;

use crate::host::{Host, GPU};

const VF0: &str = "0000:01:00.4";
const VF1: &str = "0000:01:00.5";
const VF2: &str = "0000:01:00.6";

fn host_with_vfs() -> Host {
    let host = Host::new();
    host.ok(&["enable", "-n", "3"]);
    host.written();
    host
}

#[test]
fn by_vf_and_by_gpu() {
    let host = host_with_vfs();
    let out = host.ok(&["select", "rtx6000-ada-1q", "--vf", VF1]);
    assert_eq!(out, "0000:01:00.5: selected: 941 (NVIDIA RTX6000-Ada-1Q)\n");
    let out = host.ok(&["select", "941", "--gpu", GPU]);
    assert!(out.starts_with("0000:01:00.4: selected"), "{out}");
    // Not the second one, which has a type, nor one that is open.
    host.open(2, 77, "qemu");
    host.fails(&["select", "941", "--gpu", GPU], &["no VF is free"]);
    assert_eq!(
        (host.type_of(0), host.type_of(1), host.type_of(2)),
        (941, 941, 0)
    );
}

#[test]
fn selecting_twice_writes_once() {
    let host = host_with_vfs();
    host.ok(&["select", "941", "--vf", VF0]);
    assert_eq!(host.written().len(), 1);
    let out = host.ok(&["select", "941", "--vf", VF0]);
    assert!(out.contains("unchanged"), "{out}");
    assert!(host.written().is_empty());
}

#[test]
fn another_type_only_on_request() {
    let host = host_with_vfs();
    host.ok(&["select", "941", "--vf", VF0]);
    host.fails(
        &["select", "949", "--vf", VF0],
        &["has the vGPU type 941", "--replace"],
    );
    assert_eq!(host.type_of(0), 941);
    host.ok(&["select", "949", "--replace", "--vf", VF0]);
    assert_eq!(host.type_of(0), 949);
}

#[test]
fn refusals_say_what_can_be_had() {
    let host = host_with_vfs();
    let all = "941 (NVIDIA RTX6000-Ada-1Q), 949 (NVIDIA RTX6000-Ada-24Q)";
    host.fails(
        &["select", "4242", "--vf", VF0],
        &["no type of that id", all],
    );
    host.fails(
        &["select", "RTX6000-Ada-3Q", "--vf", VF0],
        &["'RTX6000-Ada-3Q'", all],
    );
    host.ok(&["select", "949", "--vf", VF0]);
    host.fails(
        &["select", "941", "--vf", VF1],
        &[
            "does not go with",
            "0000:01:00.4: 949",
            "now: 949 (NVIDIA RTX6000-Ada-24Q)",
        ],
    );
    host.ok(&["select", "949", "--vf", VF1]);
    host.fails(
        &["select", "949", "--vf", VF2],
        &["no place is left for it", "now: none"],
    );
}

#[test]
fn an_open_device_names_its_user() {
    let host = host_with_vfs();
    host.ok(&["select", "941", "--vf", VF0]);
    host.open(0, 77, "qemu-system-x86");
    host.fails(
        &["clear", VF0],
        &[
            "cannot take vGPU type 941 away",
            "open: qemu-system-x86 (pid 77)",
        ],
    );
    host.fails(
        &["select", "949", "--replace", "--vf", VF0],
        &["qemu-system-x86 (pid 77)"],
    );
}

#[test]
fn not_bound() {
    let host = Host::new();
    host.fails(
        &["select", "941", "--gpu", GPU],
        &["no VF is enabled", "vgpuctl enable"],
    );
    host.ok(&["enable", "--no-bind", "-n", "1"]);
    host.fails(
        &["select", "941", "--vf", VF0],
        &[
            "bound to no driver, not to nvidia_vgpu_vfio",
            "vgpuctl bind 0000:01:00.4",
        ],
    );
    host.fails(
        &["select", "941", "--gpu", GPU],
        &["1 of 1 VFs are not bound"],
    );
    host.fails(&["select", "941", "--vf", GPU], &["no such VF"]);
}

#[test]
fn clear_is_idempotent_and_guarded() {
    let host = host_with_vfs();
    assert_eq!(
        host.ok(&["clear", VF0]),
        "0000:01:00.4: unchanged: no type\n"
    );
    host.ok(&["select", "941", "--vf", VF0]);
    host.ok(&["select", "941", "--vf", VF1]);
    // Somebody else has chosen since.
    host.fails(
        &["clear", VF0, "--only", "949"],
        &["has the vGPU type 941", "nothing was changed"],
    );
    assert_eq!(
        host.ok(&["clear", VF0, "--only", "941"]),
        "0000:01:00.4: cleared: 941\n"
    );
    // One failure does not keep the others.
    host.open(1, 77, "qemu");
    host.ok(&["select", "941", "--vf", VF2]);
    host.fails(&["clear", VF1, VF2], &["0000:01:00.5"]);
    assert_eq!((host.type_of(1), host.type_of(2)), (941, 0));
}

#[test]
fn uuid() {
    let host = host_with_vfs();
    let uuid = "6f1b4a4e-2d0b-4e0e-9d0c-0123456789ab";
    let select = ["select", "941", "--vf", VF0, "--uuid", uuid];
    // A driver without the attribute: nothing is selected.
    host.fails(&select, &["cannot set UUID", "no such attribute"]);
    assert_eq!(host.type_of(0), 0);
    let file = host.device(VF0).join("nvidia/uuid");
    std::fs::write(&file, "00000000-0000-0000-0000-000000000000\n").unwrap();
    host.ok(&select);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), uuid);
    host.written();
    host.ok(&select);
    assert!(host.written().is_empty());
}

#[test]
fn placement() {
    let host = host_with_vfs();
    let select = ["select", "941", "--vf", VF0, "--placement", "8"];
    // A driver without the attribute: nothing stays selected.
    host.fails(
        &select,
        &["cannot place the vGPU at 8", "no such attribute"],
    );
    assert_eq!(host.type_of(0), 0);
    let file = host.device(VF0).join("nvidia/placement_id");
    std::fs::write(&file, "\n").unwrap();
    for (errno, advice) in [
        (Errno::INVAL, "cannot be there"),
        (Errno::NOSPC, "another vGPU is there"),
    ] {
        *host.kernel.fail.borrow_mut() = Some(("placement_id".to_owned(), errno));
        host.fails(&select, &[advice]);
        assert_eq!(host.type_of(0), 0);
    }
    host.ok(&select);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "8");
    host.written();
    host.ok(&select);
    assert!(host.written().is_empty());
}
