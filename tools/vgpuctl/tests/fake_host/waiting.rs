// SPDX-License-Identifier: GPL-2.0

//! `wait`.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use vgpuctl::error::{Kind, Result};
use vgpuctl::events::Events;

use crate::host::{Host, Outcome, GPU};

type Change = Box<dyn FnOnce()>;

/// Does one thing to the host at each event.
struct Script(Rc<RefCell<Vec<Change>>>);

impl Events for Script {
    fn wait(&mut self, _: Duration) -> Result {
        let mut script = self.0.borrow_mut();
        assert!(!script.is_empty(), "waits although all has happened");
        let next = script.remove(0);
        drop(script);
        next();
        Ok(())
    }
}

fn wait(host: &Rc<Host>, args: &[&str], script: &[&'static [&'static str]]) -> Outcome {
    let script: Vec<Change> = script
        .iter()
        .map(|&args| {
            let host = host.clone();
            Box::new(move || drop(host.ok(args))) as Change
        })
        .collect();
    let script = Rc::new(RefCell::new(script));
    let args: Vec<&str> = ["wait"].iter().chain(args).copied().collect();
    let outcome = host.run_with(|| Box::new(Script(script.clone())), &args);
    assert!(
        script.borrow().is_empty(),
        "did not wait for all that happens"
    );
    outcome
}

fn comes(host: &Rc<Host>, args: &[&str], script: &[&'static [&'static str]]) {
    let outcome = wait(host, args, script);
    assert!(outcome.errors.is_empty(), "{args:?}: {}", outcome.message());
}

#[test]
fn for_vfs() {
    let host = Rc::new(Host::new());
    comes(&host, &["gpu", GPU], &[]);
    comes(
        &host,
        &["vfs", GPU, "-n", "2"],
        &[
            &["enable", "--no-bind", "-n", "2"],
            &["bind", "01:00.4"],
            &["bind", "01:00.5"],
        ],
    );
}

#[test]
fn for_types() {
    let host = Rc::new(Host::new());
    comes(
        &host,
        &["creatable", "01:00.4"],
        &[&["enable", "-n", "2", "--no-bind"], &["enable", "-n", "2"]],
    );
    comes(
        &host,
        &["type", "01:00.4"],
        &[&["select", "949", "--vf", "01:00.4"]],
    );
    comes(&host, &["type", "01:00.4", "949"], &[]);
    comes(
        &host,
        &["creatable", "01:00.5", "RTX6000-Ada-1Q"],
        &[&["clear", "01:00.4"]],
    );
}

#[test]
fn for_a_state() {
    let host = Rc::new(Host::new());
    host.ok(&["enable", "-n", "1"]);
    let outcome = wait(&host, &["state", "01:00.4", "running"], &[]);
    assert!(outcome.message().contains("tells no state"));
    let file = host.device("0000:01:00.4").join("nvidia/state");
    std::fs::write(file, "running\n").unwrap();
    comes(&host, &["state", "01:00.4", "running"], &[]);
}

#[test]
fn time_is_up() {
    let host = Host::new();
    for (args, missing) in [
        (
            ["wait", "vfs", GPU, "--timeout", "0"],
            "0 VFs are bound to nvidia_vgpu_vfio, not 1",
        ),
        (
            ["wait", "type", "01:00.4", "--timeout", "0"],
            "0000:01:00.4 is not there",
        ),
        (
            ["wait", "gpu", "02:00.0", "--timeout", "0"],
            "0000:02:00.0 is not bound",
        ),
    ] {
        let outcome = host.run(&args);
        assert!(outcome.message().contains(missing), "{}", outcome.message());
        assert_eq!(outcome.errors[0].kind(), Kind::TimedOut);
    }
}
