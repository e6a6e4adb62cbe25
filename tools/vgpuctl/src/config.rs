// SPDX-License-Identifier: GPL-2.0

//! The configuration file: what the GPUs of a host shall be like.
//!
//! ```text
//!   version = 1
//!
//!   [[gpu]]
//!   address = "0000:c1:00.0"
//!   id = "10de:26b9"            optional: another board at the address is left alone
//!   vfs = 4                     how many VFs
//!
//!   [[gpu.vf]]                  a VF that is not named is bound and has no type of its own choice
//!   index = 0
//!   type = 1148                 id or name
//!   uuid = "…"                  optional
//!   placement = 8               optional
//!   bind = true                 optional; false: stays without the vGPU driver
//! ```

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;

use serde::Deserialize;

use crate::address::Address;
use crate::error::{Error, Result};
use crate::gpu::{self, VF_DRIVER};
use crate::types::{VgpuType, Wanted};

/// Where it is unless named.
pub const PATH: &str = "/etc/vgpuctl/vgpuctl.toml";
/// The only form there has been.
const VERSION: u32 = 1;

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    version: u32,
    #[serde(default, rename = "gpu")]
    pub gpus: Vec<Gpu>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gpu {
    pub address: Address,
    pub id: Option<String>,
    pub vfs: u16,
    #[serde(default, rename = "vf")]
    pub vf: Vec<Vf>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vf {
    pub index: u16,
    #[serde(default = "yes")]
    pub bind: bool,
    #[serde(rename = "type")]
    pub wanted: Option<Wanted>,
    pub uuid: Option<String>,
    pub placement: Option<u16>,
}

fn yes() -> bool {
    true
}

impl Gpu {
    /// What the file says of VF `index`.
    pub fn vf(&self, index: u16) -> Option<&Vf> {
        self.vf.iter().find(|vf| vf.index == index)
    }
}

/// Reads a file.
pub fn load(path: &Path) -> Result<Config> {
    let text = fs::read_to_string(path).map_err(|e| {
        Error::new(format!("{}: {e}", path.display()))
            .advice("'vgpuctl save' writes one from what this host is like now")
    })?;
    parse(&text).map_err(|e| Error::new(format!("{}: {e}", path.display())))
}

/// Reads the text of a file. The message names line and field.
pub fn parse(text: &str) -> Result<Config, String> {
    let config: Config = toml::from_str(text).map_err(|e| e.to_string().trim_end().to_owned())?;
    if config.version != VERSION {
        return Err(format!(
            "version = {}: only {VERSION} is known",
            config.version
        ));
    }
    for (i, gpu) in config.gpus.iter().enumerate() {
        check(gpu).map_err(|e| format!("gpu {}: {e}", gpu.address))?;
        if config.gpus[..i].iter().any(|g| g.address == gpu.address) {
            return Err(format!("gpu {}: named twice", gpu.address));
        }
    }
    Ok(config)
}

fn check(gpu: &Gpu) -> Result<(), String> {
    for (i, vf) in gpu.vf.iter().enumerate() {
        let index = vf.index;
        let bad = |why: &str| Err(format!("vf {index}: {why}"));
        if gpu.vf[..i].iter().any(|v| v.index == index) {
            return bad("named twice");
        }
        if index >= gpu.vfs {
            return bad(&format!("there are only {} VFs", gpu.vfs));
        }
        if !vf.bind && vf.wanted.is_some() {
            return bad("a VF that is not bound cannot have a type");
        }
        if vf.wanted.is_none() && (vf.uuid.is_some() || vf.placement.is_some()) {
            return bad("a UUID or a placement without a type");
        }
        if vf.wanted == Some(Wanted::Id(0)) {
            return bad("0 is no type");
        }
        if let Some(uuid) = vf.uuid.as_deref().filter(|uuid| !is_uuid(uuid)) {
            return bad(&format!("'{uuid}' is no UUID"));
        }
    }
    Ok(())
}

/// Five groups of hexadecimal digits, as in RFC 9562.
pub fn is_uuid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    groups.iter().map(|g| g.len()).eq([8, 4, 4, 4, 12])
        && groups
            .iter()
            .all(|g| g.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// The text of a file that makes the GPUs what they are now. Those without VFs are left out, and so
/// are placements: the driver does not tell whether somebody has chosen one.
pub fn text_of(gpus: &[gpu::Gpu]) -> String {
    let mut out = String::from(
        "# Written by 'vgpuctl save', read by 'vgpuctl restore'; vgpuctl(1) explains it.\n",
    );
    let _ = writeln!(out, "version = {VERSION}");
    for gpu in gpus.iter().filter(|gpu| !gpu.vfs.is_empty()) {
        let _ = writeln!(out, "\n[[gpu]]\naddress = \"{}\"", gpu.address);
        let _ = writeln!(out, "id = \"{}\"\nvfs = {}", gpu.id, gpu.vfs.len());
        for vf in &gpu.vfs {
            vf_text(&mut out, vf);
        }
    }
    out
}

fn vf_text(out: &mut String, vf: &gpu::Vf) {
    let bound = vf.driver.as_deref() == Some(VF_DRIVER);
    if bound && vf.vgpu_type().is_none() {
        return;
    }
    let _ = writeln!(out, "\n[[gpu.vf]]\nindex = {}", vf.index);
    if !bound {
        let _ = writeln!(out, "bind = false");
    }
    let Some(VgpuType { id, name }) = vf.vgpu_type() else {
        return;
    };
    let _ = match name.as_deref().map(one_line) {
        Some(name) => writeln!(out, "type = {id} # {name}"),
        None => writeln!(out, "type = {id}"),
    };
    let uuid = vf.vgpu.as_ref().and_then(|vgpu| vgpu.uuid.as_deref());
    if let Some(uuid) = uuid.filter(|uuid| is_uuid(uuid)) {
        let _ = writeln!(out, "uuid = \"{uuid}\"");
    }
}

/// A comment ends with its line.
fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

/// Writes a file so that at any moment it is the old one or the new one.
pub fn store(path: &Path, text: &str) -> Result {
    let failed = |e: std::io::Error| Error::new(format!("{}: {e}", path.display()));
    let dir = match path.parent() {
        Some(dir) if dir != Path::new("") => dir,
        _ => Path::new("."),
    };
    fs::create_dir_all(dir).map_err(failed)?;
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}", std::process::id()));
    let new = Path::new(&name);
    let written = (|| {
        let mut file = fs::File::create(new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(new, path)?;
        fs::File::open(dir)?.sync_all()
    })();
    written.map_err(|e| {
        // Not there any more after the renaming.
        let _ = fs::remove_file(new);
        failed(e)
    })
}
