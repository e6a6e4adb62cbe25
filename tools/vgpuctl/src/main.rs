// SPDX-License-Identifier: GPL-2.0

//! `vgpuctl`: shows and sets up virtual functions and vGPU types. See `vgpuctl --help`.

use std::process::ExitCode;

use clap::Parser;

use vgpuctl::cli::Cli;
use vgpuctl::error::{Kind, Result};
use vgpuctl::events::{Events, Uevents};
use vgpuctl::run::{run, Context};
use vgpuctl::sysfs::{Kernel, Sysfs};

fn listen() -> Result<Box<dyn Events>> {
    Ok(Box::new(Uevents::listen()?))
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let sysfs = Sysfs::new(cli.sysfs_root, cli.procfs_root, Box::new(Kernel));
    let mut context = Context {
        sysfs: &sysfs,
        events: &listen,
        out: &mut std::io::stdout().lock(),
    };
    let errors = run(&mut context, cli.command);
    for error in &errors {
        eprintln!("vgpuctl: {error}");
    }
    match errors.iter().map(|e| e.kind()).next_back() {
        None => ExitCode::SUCCESS,
        Some(Kind::Failed) => ExitCode::from(1),
        Some(Kind::TimedOut) => ExitCode::from(3),
    }
}
