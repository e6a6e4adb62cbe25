// SPDX-License-Identifier: GPL-2.0

//! `vgpuctl-docs DIR`: writes man pages and shell completions of `vgpuctl` into DIR.
//!
//! ```text
//!   DIR/man/vgpuctl.1  vgpuctl-select.1  …     DIR/bash/vgpuctl  DIR/zsh/_vgpuctl  DIR/fish/vgpuctl.fish
//! ```

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::CommandFactory;
use clap_complete::{generate_to, Shell};

use vgpuctl::cli::Cli;
use vgpuctl::manual;

fn write_all(dir: &Path) -> io::Result<()> {
    let man = dir.join("man");
    std::fs::create_dir_all(&man)?;
    // The first page has more than clap knows of.
    let command = Cli::command().after_long_help(None);
    clap_mangen::generate_to(command, &man)?;
    let mut page = OpenOptions::new()
        .append(true)
        .open(man.join("vgpuctl.1"))?;
    page.write_all(manual::roff().as_bytes())?;
    for (shell, name) in [
        (Shell::Bash, "bash"),
        (Shell::Zsh, "zsh"),
        (Shell::Fish, "fish"),
    ] {
        let dir = dir.join(name);
        std::fs::create_dir_all(&dir)?;
        generate_to(shell, &mut Cli::command(), "vgpuctl", &dir)?;
    }
    // Where bash looks for it, the file has the name of the command.
    std::fs::rename(dir.join("bash/vgpuctl.bash"), dir.join("bash/vgpuctl"))
}

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    let (Some(dir), None) = (args.next(), args.next()) else {
        eprintln!("usage: vgpuctl-docs DIR");
        return ExitCode::from(2);
    };
    match write_all(Path::new(&dir)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("vgpuctl-docs: {}: {e}", Path::new(&dir).display());
            ExitCode::FAILURE
        }
    }
}
