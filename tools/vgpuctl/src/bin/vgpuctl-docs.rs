// SPDX-License-Identifier: GPL-2.0

//! `vgpuctl-docs DIR`: writes man pages and shell completions of `vgpuctl` into DIR.
//!
//! ```text
//!   DIR/man/vgpuctl.1  vgpuctl-select.1  …     DIR/bash/vgpuctl  DIR/zsh/_vgpuctl  DIR/fish/vgpuctl.fish
//! ```

use std::io;
use std::path::Path;
use std::process::ExitCode;

use clap::CommandFactory;
use clap_complete::{generate_to, Shell};

use vgpuctl::cli::Cli;

fn write_all(dir: &Path) -> io::Result<()> {
    let man = dir.join("man");
    std::fs::create_dir_all(&man)?;
    clap_mangen::generate_to(Cli::command(), &man)?;
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
