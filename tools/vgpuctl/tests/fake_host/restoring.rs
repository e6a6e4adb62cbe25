// SPDX-License-Identifier: GPL-2.0

//! `save`, `restore`, and the file between them.

use std::path::PathBuf;

use proptest::prelude::*;
use vgpuctl::config::parse;

use crate::host::{Host, GPU};

fn write_config(host: &Host, text: &str) -> PathBuf {
    let path = host.file("vgpuctl.toml");
    std::fs::write(&path, format!("version = 1\n{text}")).unwrap();
    path
}

fn restore<'a>(path: &'a std::path::Path, more: &[&'a str]) -> Vec<&'a str> {
    let mut args = vec!["restore", "-c", path.to_str().unwrap()];
    args.extend(more);
    args
}

const TWO: &str = "[[gpu]]\naddress = '0000:01:00.0'\nvfs = 2\n[[gpu.vf]]\nindex = 1\ntype = 941\n";

#[test]
fn from_nothing_and_again() {
    let host = Host::new();
    let path = write_config(&host, TWO);
    let steps = "0000:01:00.0: enable 2 VFs\n\
                 0000:01:00.0 VF 0: bind to nvidia_vgpu_vfio\n\
                 0000:01:00.0 VF 1: bind to nvidia_vgpu_vfio\n\
                 0000:01:00.0 VF 1: select type 941\n";
    assert_eq!(host.ok(&restore(&path, &["--dry-run"])), steps);
    assert!(host.written().is_empty());
    assert_eq!(host.ok(&restore(&path, &[])), steps);
    assert_eq!((host.type_of(0), host.type_of(1)), (0, 941));
    host.written();
    assert_eq!(host.ok(&restore(&path, &[])), "");
    assert!(host.written().is_empty());
}

#[test]
fn what_was_saved_comes_back() {
    let host = Host::new();
    host.ok(&["enable", "-n", "3"]);
    host.ok(&["select", "941", "--vf", "01:00.4"]);
    host.ok(&["select", "941", "--vf", "01:00.5"]);
    host.ok(&["unbind", "01:00.6"]);
    let nvidia = host.device("0000:01:00.4").join("nvidia");
    std::fs::write(nvidia.join("vgpu_type_name"), "NVIDIA RTX6000-Ada-1Q\n").unwrap();
    let uuid = "6f1b4a4e-2d0b-4e0e-9d0c-0123456789ab";
    std::fs::write(nvidia.join("uuid"), format!("{uuid}\n")).unwrap();
    let path = host.file("etc/vgpuctl/vgpuctl.toml");
    host.ok(&["save", "-o", path.to_str().unwrap()]);
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text, host.ok(&["save", "-o", "-"]));
    assert!(
        text.contains("type = 941 # NVIDIA RTX6000-Ada-1Q"),
        "{text}"
    );
    assert!(text.contains(uuid), "{text}");
    assert_eq!(host.ok(&restore(&path, &[])), "");
    // Only the file is left in its directory.
    assert_eq!(
        std::fs::read_dir(path.parent().unwrap()).unwrap().count(),
        1
    );

    host.ok(&["disable", "--force"]);
    let text = text.replace(&format!("uuid = \"{uuid}\"\n"), "");
    std::fs::write(&path, text).unwrap();
    host.ok(&restore(&path, &[]));
    assert_eq!((host.type_of(0), host.type_of(1)), (941, 941));
    assert!(!host.device("0000:01:00.6").join("driver").exists());
}

#[test]
fn nothing_is_taken_from_anybody() {
    let host = Host::new();
    let path = write_config(&host, TWO);
    host.ok(&["enable", "-n", "2"]);
    host.ok(&["select", "949", "--vf", "01:00.5"]);
    host.ok(&["select", "949", "--vf", "01:00.4"]);
    host.written();
    host.fails(
        &restore(&path, &[]),
        &[
            "0000:01:00.5 has the vGPU type 949",
            "wants 941",
            "--replace",
        ],
    );
    assert!(host.written().is_empty());
    // The kernel has the last word.
    host.fails(&restore(&path, &["--replace"]), &["does not go with"]);
    host.ok(&["clear", "01:00.4"]);
    host.ok(&restore(&path, &["--replace"]));
    assert_eq!(host.type_of(1), 941);
    host.ok(&["clear", "01:00.5"]);
    host.ok(&["disable"]);
    host.ok(&["enable", "-n", "3"]);
    host.fails(&restore(&path, &[]), &["has 3 VFs", "wants 2"]);
}

#[test]
fn another_board_and_another_gpu() {
    let host = Host::new();
    let path = write_config(
        &host,
        "[[gpu]]\naddress = '1:0.0'\nid = '10de:26b9'\nvfs = 1\n",
    );
    host.fails(&restore(&path, &[]), &["is 10de:26b1", "for 10de:26b9"]);
    assert_eq!(host.ok(&restore(&path, &["--gpu", "0000:05:00.0"])), "");
    let path = write_config(&host, &TWO.replace("01:00.0", "05:00.0"));
    host.fails(
        &restore(&path, &[]),
        &["0000:05:00.0", "no such PCI function"],
    );
    host.bind_to(GPU, "nouveau");
    let path = write_config(&host, TWO);
    host.fails(&restore(&path, &[]), &["bound to nouveau"]);
    assert!(host.written().is_empty());
}

#[test]
fn a_gpu_that_does_not_come() {
    let host = Host::new();
    let path = write_config(&host, &TWO.replace("01:00.0", "05:00.0"));
    host.fails(
        &restore(&path, &["--timeout", "1"]),
        &["after 1 s: 0000:05:00.0 is not bound"],
    );
}

#[test]
fn steps_go_on_after_a_failure() {
    let host = Host::new();
    let first = "[[gpu.vf]]\nindex = 0\ntype = 4242\n[[gpu.vf]]";
    let path = write_config(&host, &TWO.replace("[[gpu.vf]]", first));
    host.fails(&restore(&path, &[]), &["no type of that id"]);
    assert_eq!((host.type_of(0), host.type_of(1)), (0, 941));
}

#[test]
fn files_with_mistakes() {
    let vf = "version = 1\n[[gpu]]\naddress = '01:00.0'\nvfs = 2\n[[gpu.vf]]\n";
    for (text, why) in [
        ("", "missing field `version`"),
        ("version = 2", "only 1 is known"),
        ("version = 1\n[[gpu]]\nvfs = 1", "missing field `address`"),
        (
            "version = 1\n[[gpu]]\naddress = 'x'\nvfs = 1",
            "no PCI address",
        ),
        ("version = 1\n[[gpus]]", "unknown field `gpus`"),
        (&format!("{vf}index = 2"), "there are only 2 VFs"),
        (
            &format!("{vf}index = 0\n[[gpu.vf]]\nindex = 0"),
            "named twice",
        ),
        (&format!("{vf}index = 0\ntype = 0"), "0 is no type"),
        (&format!("{vf}index = 0\ntype = 941\nuuid = '1'"), "no UUID"),
        (
            &format!("{vf}index = 0\nbind = false\ntype = 941"),
            "not bound",
        ),
        (
            &format!("{vf}index = 0\nuuid = '6f1b4a4e-2d0b-4e0e-9d0c-0123456789ab'"),
            "without a type",
        ),
        (
            &format!(
                "{}{}",
                vf.replace("[[gpu.vf]]", ""),
                &vf[12..].replace("[[gpu.vf]]", "")
            ),
            "named twice",
        ),
        (&format!("{vf}index = -1"), "line 6"),
    ] {
        let message = parse(text).unwrap_err();
        assert!(message.contains(why), "{text}: {message}");
    }
}

#[test]
fn no_file() {
    let host = Host::new();
    let path = host.file("none.toml");
    host.fails(&restore(&path, &[]), &["none.toml", "vgpuctl save"]);
}

proptest! {
    #[test]
    fn no_text_panics(text in ".*") {
        let _ = parse(&text);
    }

}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever is selected, a second host becomes the same from the file.
    #[test]
    fn any_selection_survives(selected in prop::collection::vec(any::<bool>(), 1..=4)) {
        let host = Host::new();
        host.ok(&["enable", "-n", &selected.len().to_string()]);
        for (i, _) in selected.iter().enumerate().filter(|(_, selected)| **selected) {
            host.ok(&["select", "941", "--vf", &format!("01:00.{}", i + 4)]);
        }
        let text = host.ok(&["save", "-o", "-"]);
        let other = Host::new();
        let path = other.file("saved.toml");
        std::fs::write(&path, &text).unwrap();
        other.ok(&restore(&path, &[]));
        prop_assert_eq!(other.ok(&["save", "-o", "-"]), text);
    }
}
