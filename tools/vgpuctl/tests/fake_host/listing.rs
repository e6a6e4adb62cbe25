// SPDX-License-Identifier: GPL-2.0

//! `list`.

use serde_json::{json, Value};

use crate::host::{Host, GPU};

#[test]
fn only_gpus_with_sriov() {
    let host = Host::new();
    // An audio function, another maker's card, and a card without SR-IOV.
    host.add_function("0000:01:00.1", "0x10de", "0x040300");
    host.add_function("0000:02:00.0", "0x8086", "0x030000");
    host.add_function("0000:03:00.0", "0x10de", "0x030000");
    let out = host.ok(&["list", "gpus"]);
    assert_eq!(
        out,
        "GPU           ID         DRIVER          VFS  NUMA\n\
         0000:01:00.0  10de:26b1  nova_core_vgpu  0/4  -\n"
    );
    host.fails(
        &["list", "--gpu", "0000:03:00.0"],
        &["no NVIDIA GPU with SR-IOV"],
    );
    host.fails(
        &["list", "--gpu", "0000:04:00.0"],
        &["no such PCI function"],
    );
}

#[test]
fn tables() {
    let host = Host::new();
    host.ok(&["enable", "-n", "2"]);
    host.ok(&["select", "941", "--vf", "01:00.4"]);
    host.open(0, 77, "qemu-system-x86");
    assert_eq!(
        host.ok(&["list", "vfs"]),
        "VF            GPU                DRIVER            TYPE  STATE  OPEN BY\n\
         0000:01:00.4  0000:01:00.0 VF 0  nvidia_vgpu_vfio  941   -      qemu-system-x86 (pid 77)\n\
         0000:01:00.5  0000:01:00.0 VF 1  nvidia_vgpu_vfio  -     -      -\n"
    );
    assert_eq!(
        host.ok(&["list", "types"]),
        "GPU           TYPE  NAME\n\
         0000:01:00.0  941   NVIDIA RTX6000-Ada-1Q\n"
    );
}

#[test]
fn json() {
    let host = Host::new();
    host.ok(&["enable", "-n", "2"]);
    host.ok(&["select", "949", "--vf", "01:00.4"]);
    let nvidia = host.device("0000:01:00.4").join("nvidia");
    for (name, value) in [
        ("vgpu_type_name", "NVIDIA RTX6000-Ada-24Q"),
        ("state", "running"),
        ("placement_id", "0"),
        ("stats", "channel_errors 3\ntask_crashes 0"),
    ] {
        std::fs::write(nvidia.join(name), format!("{value}\n")).unwrap();
    }
    host.open(0, 77, "qemu\u{1b}[2J");
    let found: Value = serde_json::from_str(&host.ok(&["list", "--json"])).unwrap();
    let expected = json!({
        "version": 1,
        "gpus": [{
            "address": GPU,
            "id": "10de:26b1",
            "driver": "nova_core_vgpu",
            "numa_node": null,
            "vfs_total": 4,
            "vfs": [{
                "address": "0000:01:00.4",
                "index": 0,
                "driver": "nvidia_vgpu_vfio",
                "driver_override": "nvidia_vgpu_vfio",
                "iommu_group": 20,
                "vfio_device": "/dev/vfio/devices/vfio4",
                "open_by": [{ "pid": 77, "command": "qemu?[2J" }],
                "vgpu": {
                    "type": { "id": 949, "name": "NVIDIA RTX6000-Ada-24Q" },
                    "creatable": [],
                    "state": "running",
                    "placement_id": 0,
                    "stats": { "channel_errors": 3, "task_crashes": 0 },
                },
            }, {
                "address": "0000:01:00.5",
                "index": 1,
                "driver": "nvidia_vgpu_vfio",
                "driver_override": "nvidia_vgpu_vfio",
                "iommu_group": 21,
                "vfio_device": "/dev/vfio/devices/vfio5",
                "open_by": [],
                "vgpu": {
                    "type": null,
                    "creatable": [{ "id": 949, "name": "NVIDIA RTX6000-Ada-24Q" }],
                },
            }],
        }],
    });
    assert_eq!(found, expected);
}

#[test]
fn no_gpu() {
    let host = Host::new();
    std::fs::remove_dir_all(host.device(GPU)).unwrap();
    host.fails(&["list"], &["no NVIDIA GPU with SR-IOV"]);
    let found: Value = serde_json::from_str(&host.ok(&["list", "--json"])).unwrap();
    assert_eq!(found, json!({ "version": 1, "gpus": [] }));
}
