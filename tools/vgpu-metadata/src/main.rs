// SPDX-License-Identifier: GPL-2.0

//! `vgpu-metadata`: build, print and check vGPU type metadata files.
//!
//! ```text
//!   vgpu-metadata build types.toml -o vgpu-570.144.bin
//!   vgpu-metadata print vgpu-570.144.bin [--json]
//!   vgpu-metadata check vgpu-570.144.bin
//! ```
//! Exit status 0: done; 1: the input is bad, one line on stderr says which field; 2: wrong usage.

use clap::{Parser, Subcommand};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use vgpu_metadata::{build, decode, report, table};

#[derive(Parser)]
#[command(version, about = "Builds, prints and checks vGPU type metadata files")]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Write a metadata file from a TOML table
    Build {
        table: PathBuf,
        /// File to write
        #[arg(short, long)]
        output: PathBuf,
    },
    /// Show what a metadata file contains
    Print {
        file: PathBuf,
        /// JSON instead of a table
        #[arg(long)]
        json: bool,
    },
    /// Check a metadata file without printing it
    Check { file: PathBuf },
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|e| format!("{}: {e}", path.display()))
}

fn load(path: &Path) -> Result<decode::Metadata, String> {
    decode::decode(&read(path)?).map_err(|e| format!("{}: {e}", path.display()))
}

fn run(command: Command) -> Result<(), String> {
    match command {
        Command::Build { table, output } => {
            let at = |e: String| format!("{}: {e}", table.display());
            let text = String::from_utf8(read(&table)?).map_err(|e| at(e.to_string()))?;
            let file = table::Table::parse(&text)
                .and_then(|t| build::build(&t))
                .map_err(at)?;
            // A file that the own reader refuses must never reach a driver.
            decode::decode(&file).map_err(|e| format!("{}: {e}", output.display()))?;
            std::fs::write(&output, file).map_err(|e| format!("{}: {e}", output.display()))
        }
        Command::Print { file, json } => {
            let metadata = load(&file)?;
            if json {
                println!("{}", report::json(&metadata)?);
            } else {
                print!("{}", report::text(&metadata));
            }
            Ok(())
        }
        Command::Check { file } => {
            let metadata = load(&file)?;
            let types: usize = metadata.boards.iter().map(|b| b.types.len()).sum();
            println!(
                "{}: {} boards, {types} types, GSP firmware {}",
                file.display(),
                metadata.boards.len(),
                metadata.gsp_build_version
            );
            Ok(())
        }
    }
}

fn main() -> ExitCode {
    match run(Args::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("vgpu-metadata: {message}");
            ExitCode::FAILURE
        }
    }
}
