// SPDX-License-Identifier: GPL-2.0

//! The command line. Man pages and shell completions are made of the same definitions.

use std::path::PathBuf;

use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum};

use crate::address::Address;
use crate::config;
use crate::manual;
use crate::types::Wanted;

/// Shows and sets up virtual functions and vGPU types of NVIDIA GPUs.
#[derive(Parser)]
#[command(name = "vgpuctl", version, propagate_version = true, after_long_help = manual::text())]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
    /// Where sysfs is mounted
    #[arg(long, global = true, hide = true, default_value = "/sys")]
    pub sysfs_root: PathBuf,
    /// Where procfs is mounted
    #[arg(long, global = true, hide = true, default_value = "/proc")]
    pub procfs_root: PathBuf,
}

#[derive(Subcommand)]
pub enum Command {
    /// Show GPUs, their VFs, and the types that can be selected
    List {
        /// What to show; everything unless named
        what: Option<What>,
        /// Only this GPU
        #[arg(long)]
        gpu: Option<Address>,
        /// One JSON object with everything, whatever WHAT is
        #[arg(long)]
        json: bool,
    },
    /// Select the vGPU type of a VF and print the VF
    ///
    /// Selecting the type that the VF has changes nothing.
    #[command(group = ArgGroup::new("where").required(true))]
    Select {
        /// Id or name of the type
        #[arg(value_name = "TYPE")]
        wanted: Wanted,
        /// This VF
        #[arg(long, group = "where")]
        vf: Option<Address>,
        /// The first VF of this GPU that has no type
        #[arg(long, group = "where")]
        gpu: Option<Address>,
        /// Also when the VF has another type
        #[arg(long)]
        replace: bool,
        /// UUID of the vGPU
        #[arg(long, value_parser = uuid)]
        uuid: Option<String>,
        /// Where on the GPU the vGPU shall be; the driver chooses unless given
        #[arg(long, value_name = "ID")]
        placement: Option<u16>,
    },
    /// Take the vGPU type of VFs away
    Clear {
        #[arg(required = true, value_name = "VF")]
        vfs: Vec<Address>,
        /// Only if it is this type
        #[arg(long, value_name = "TYPE")]
        only: Option<Wanted>,
    },
    /// Enable VFs of a GPU and bind them
    ///
    /// Does nothing when they are enabled and bound. When another number is enabled, that is an
    /// error: the number can change only from 0.
    Enable {
        /// May be left out when there is one GPU
        gpu: Option<Address>,
        /// How many; all that the GPU can have unless given
        #[arg(short, long)]
        number: Option<u16>,
        /// Leave the VFs without a driver
        #[arg(long)]
        no_bind: bool,
    },
    /// Disable all VFs of a GPU
    Disable {
        /// May be left out when there is one GPU
        gpu: Option<Address>,
        /// Also when VFs have types
        #[arg(long)]
        force: bool,
    },
    /// Bind VFs to the vGPU driver
    Bind(Vfs),
    /// Unbind VFs from the vGPU driver
    Unbind(Vfs),
    /// Wait until a GPU or VF is as needed
    Wait {
        #[command(subcommand)]
        what: Wait,
        /// Seconds; without it, for ever
        #[arg(long, global = true, value_name = "SECONDS")]
        timeout: Option<u64>,
    },
    /// Write down how the GPUs are set up
    Save {
        /// File to write; '-' is standard output
        #[arg(short, long, value_name = "FILE", default_value = config::PATH)]
        output: PathBuf,
    },
    /// Set the GPUs up as written down
    ///
    /// What is as it should be stays untouched, and what the file does not name stays as it is, so
    /// this may be repeated at any time. What somebody would lose by it is reported and left.
    Restore {
        /// File to read
        #[arg(short, long, value_name = "FILE", default_value = config::PATH)]
        config: PathBuf,
        /// Only this GPU; nothing happens if the file does not name it
        #[arg(long)]
        gpu: Option<Address>,
        /// Only print what would be done
        #[arg(long)]
        dry_run: bool,
        /// Change types of VFs that have another one
        #[arg(long)]
        replace: bool,
        /// Seconds to wait for a GPU that is not there or has no driver yet
        #[arg(long, value_name = "SECONDS", default_value_t = 0)]
        timeout: u64,
    },
}

#[derive(Clone, Copy, ValueEnum)]
pub enum What {
    Gpus,
    Vfs,
    Types,
}

#[derive(Args)]
#[command(group = ArgGroup::new("which").required(true).multiple(true))]
pub struct Vfs {
    #[arg(value_name = "VF", group = "which")]
    pub vfs: Vec<Address>,
    /// All VFs of this GPU
    #[arg(long, group = "which")]
    pub gpu: Option<Address>,
}

#[derive(Subcommand)]
pub enum Wait {
    /// The GPU is bound to its driver
    Gpu { gpu: Address },
    /// VFs of the GPU are bound to the vGPU driver
    Vfs {
        gpu: Address,
        /// At least so many
        #[arg(short, long, default_value_t = 1)]
        number: u16,
    },
    /// A type can be selected on the VF
    Creatable {
        vf: Address,
        /// This one; any unless given
        #[arg(value_name = "TYPE")]
        wanted: Option<Wanted>,
    },
    /// The VF has a type
    Type {
        vf: Address,
        /// This one; any unless given
        #[arg(value_name = "TYPE")]
        wanted: Option<Wanted>,
    },
    /// The vGPU of the VF is in a state
    State { vf: Address, state: String },
}

fn uuid(text: &str) -> Result<String, String> {
    match config::is_uuid(text) {
        true => Ok(text.to_owned()),
        false => Err(format!("'{text}' is no UUID")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn definitions_are_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn select_needs_one_place() {
        let parse = |args: &[&str]| {
            let args = ["vgpuctl", "select", "942"].iter().chain(args);
            Cli::try_parse_from(args).is_ok()
        };
        assert!(parse(&["--vf", "01:00.4"]));
        assert!(parse(&["--gpu", "01:00.0"]));
        assert!(!parse(&[]));
        assert!(!parse(&["--vf", "01:00.4", "--gpu", "01:00.0"]));
        assert!(!parse(&["--vf", "x"]));
    }
}
