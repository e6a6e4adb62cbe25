// SPDX-License-Identifier: GPL-2.0

//! `nova-tlv DIR --version V`: writes nova-core's firmware files beside the
//! `*-V.bin` images in DIR.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;

/// Converts linux-firmware's GSP images into the TLV files of nova-core.
#[derive(Parser)]
#[command(disable_version_flag = true)]
struct Arguments {
    /// Directory with gsp-V.bin, bootloader-V.bin, booter_load-V.bin and booter_unload-V.bin
    dir: PathBuf,
    /// Firmware version, as in the names of the images
    #[arg(long)]
    version: String,
    /// Where the files go (default: the same directory)
    #[arg(long, short)]
    output: Option<PathBuf>,
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// Written under another name first: a file that is there is whole.
fn write(path: &Path, bytes: &[u8]) -> Result<(), String> {
    let partial = path.with_extension("partial");
    fs::write(&partial, bytes)
        .and_then(|()| fs::rename(&partial, path))
        .map_err(|error| format!("{}: {error}", path.display()))?;
    println!("{}: {} bytes", path.display(), bytes.len());
    Ok(())
}

fn run(arguments: &Arguments) -> Result<(), String> {
    let version = &arguments.version;
    if version.is_empty() || !version.bytes().all(|b| b.is_ascii_graphic() && b != b'/') {
        return Err(format!("version {version:?}: not printable ASCII"));
    }
    let output = arguments.output.as_ref().unwrap_or(&arguments.dir);
    let source = |name: &str| arguments.dir.join(format!("{name}-{version}.bin"));

    for (image, tlv) in [
        ("booter_load", "booter_load.tlv"),
        ("booter_unload", "booter_unload.tlv"),
    ] {
        let path = source(image);
        let file = nova_tlv::convert_booter(version, &read(&path)?)
            .map_err(|error| format!("{}: {error}", path.display()))?;
        write(&output.join(tlv), &file.into_bytes())?;
    }
    let path = source("bootloader");
    let file = nova_tlv::convert_bootloader(version, &read(&path)?)
        .map_err(|error| format!("{}: {error}", path.display()))?;
    write(&output.join("gsp_bootloader.tlv"), &file.into_bytes())?;

    let path = source("gsp");
    let elf = read(&path)?;
    let (file, image) = nova_tlv::convert_gsp(version, &elf)
        .map_err(|error| format!("{}: {error}", path.display()))?;
    write(&output.join(nova_tlv::GSP_IMAGE_NAME), image)?;
    // Last: its presence says that all are there.
    write(&output.join("gsp.tlv"), &file.into_bytes())
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("nova-tlv: {error}");
            ExitCode::FAILURE
        }
    }
}
