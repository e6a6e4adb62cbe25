// SPDX-License-Identifier: GPL-2.0

//! `vfio-client`: does with a vGPU what a VMM made of rust-vmm's crates does.
//!
//! ```text
//!   container | iommufd --> open --> regions, interrupts, config space
//!                            '-----> mapped memory, DMA, MSI-X, events, reset --> closed
//! ```
//!
//! The calls are those of the `vfio-ioctls` crate, which nobody here wrote: what it does not
//! accept, no VMM that is built on it will. Prints TAP; exit status 0 when all passed, 1 when
//! not, 2 for wrong arguments.

mod checks;
mod memory;

use checks::Client;
use clap::{Parser, ValueEnum};
use iommufd_ioctls::IommuFd;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use vfio_ioctls::{VfioContainer, VfioDevice, VfioIommufd, VfioOps};

/// The ways to open a VFIO device.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Mode {
    /// Group and container, type 1 version 2.
    Container,
    /// Character device and iommufd.
    Iommufd,
}

/// Does with a vGPU what a VMM made of rust-vmm does.
#[derive(Parser)]
#[command(version)]
struct Cli {
    /// PCI address of the VF, like 0000:01:00.4.
    bdf: String,
    /// How to open it.
    #[arg(long, value_enum, default_value = "iommufd")]
    mode: Mode,
}

fn open(sysfs: &Path, mode: Mode) -> Result<Client, Box<dyn Error>> {
    let ops: Arc<dyn VfioOps> = match mode {
        Mode::Container => Arc::new(VfioContainer::new(None)?),
        Mode::Iommufd => {
            let iommufd = Arc::new(IommuFd::new()?);
            Arc::new(VfioIommufd::new(iommufd, None, None)?)
        }
    };
    let device = VfioDevice::new(sysfs, Arc::clone(&ops), true)?;
    Ok(Client { device, ops })
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let sysfs = PathBuf::from("/sys/bus/pci/devices").join(&cli.bdf);

    println!("TAP version 13\n1..{}", checks::ALL.len() + 1);
    let client = match open(&sysfs, cli.mode) {
        Ok(client) => client,
        Err(e) => {
            println!("Bail out! {:?}: open: {e}", cli.mode);
            return ExitCode::FAILURE;
        }
    };
    println!("ok 1 - {:?}: open", cli.mode);
    let mut status = ExitCode::SUCCESS;
    for (number, (name, check)) in (2..).zip(checks::ALL) {
        match check(&client, &sysfs) {
            Ok(()) => println!("ok {number} - {:?}: {name}", cli.mode),
            Err(e) => {
                println!("# {e}\nnot ok {number} - {:?}: {name}", cli.mode);
                status = ExitCode::FAILURE;
            }
        }
    }
    status
}
