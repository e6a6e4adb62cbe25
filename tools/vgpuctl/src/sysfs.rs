// SPDX-License-Identifier: GPL-2.0

//! Reading and writing sysfs attributes.
//!
//! A file that is not there is `None`: drivers of other versions have fewer attributes, and a
//! function can lose its driver at any moment.

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{flock, FlockOperation};
use rustix::io::Errno;

use crate::address::Address;
use crate::error::{Error, Result};

/// Writes an attribute. Unit tests put a small imitation of the kernel here.
pub trait Store {
    /// One `write()` of all of `value`.
    fn store(&self, file: &Path, value: &str) -> io::Result<()>;
}

/// The real thing.
pub struct Kernel;

impl Store for Kernel {
    fn store(&self, file: &Path, value: &str) -> io::Result<()> {
        // Neither created nor cut: an attribute has to be there.
        let mut file = fs::OpenOptions::new().write(true).open(file)?;
        let written = file.write(value.as_bytes())?;
        if written != value.len() {
            return Err(io::Error::new(ErrorKind::WriteZero, "short write"));
        }
        Ok(())
    }
}

/// Where sysfs and procfs are mounted.
pub struct Sysfs {
    sys: PathBuf,
    proc: PathBuf,
    store: Box<dyn Store>,
}

/// Held while a choice is made and written, against other instances of this program.
pub struct Lock(#[allow(dead_code)] OwnedFd);

impl Sysfs {
    pub fn new(sys: impl Into<PathBuf>, proc: impl Into<PathBuf>, store: Box<dyn Store>) -> Self {
        Self {
            sys: sys.into(),
            proc: proc.into(),
            store,
        }
    }

    /// Directory of processes.
    pub fn proc(&self) -> &Path {
        &self.proc
    }

    /// Directory of a function.
    pub fn device(&self, address: Address) -> PathBuf {
        self.sys.join("bus/pci/devices").join(address.to_string())
    }

    /// Directory of a PCI driver.
    pub fn driver(&self, name: &str) -> PathBuf {
        self.sys.join("bus/pci/drivers").join(name)
    }

    /// File that makes the PCI bus look for a driver.
    pub fn drivers_probe(&self) -> PathBuf {
        self.sys.join("bus/pci/drivers_probe")
    }

    /// Whether there is such a function.
    pub fn exists(&self, address: Address) -> bool {
        self.device(address).is_dir()
    }

    /// All PCI functions, in the order of their addresses.
    pub fn functions(&self) -> Result<Vec<Address>> {
        let dir = self.sys.join("bus/pci/devices");
        let entries =
            fs::read_dir(&dir).map_err(|e| Error::new(format!("{}: {e}", dir.display())))?;
        let mut found: Vec<Address> = entries
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .collect();
        found.sort_unstable();
        Ok(found)
    }

    /// Contents of an attribute without the blanks around them.
    pub fn read(&self, file: &Path) -> Result<Option<String>> {
        match fs::read_to_string(file) {
            Ok(text) => Ok(Some(text.trim().to_owned())),
            Err(e) if is_absent(&e) => Ok(None),
            Err(e) => Err(Error::new(format!("{}: {e}", file.display()))),
        }
    }

    /// A decimal or, with `0x`, hexadecimal attribute.
    pub fn read_number(&self, file: &Path) -> Result<Option<i64>> {
        let Some(text) = self.read(file)? else {
            return Ok(None);
        };
        let number = match text.strip_prefix("0x") {
            Some(hex) => i64::from_str_radix(hex, 16),
            None => text.parse(),
        };
        let number =
            number.map_err(|_| Error::new(format!("{}: '{text}' is no number", file.display())))?;
        Ok(Some(number))
    }

    /// Last component of what a link points to.
    pub fn link(&self, file: &Path) -> Option<String> {
        let target = fs::read_link(file).ok()?;
        Some(target.file_name()?.to_str()?.to_owned())
    }

    /// Names in a directory; none when it is not there.
    pub fn names(&self, dir: &Path) -> Vec<String> {
        let Ok(entries) = fs::read_dir(dir) else {
            return Vec::new();
        };
        entries
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .collect()
    }

    /// Writes an attribute.
    pub fn write(&self, file: &Path, value: &str) -> io::Result<()> {
        self.store.store(file, value)
    }

    /// Waits until no other instance changes the GPU `pf`. Ends when dropped, or with the process.
    pub fn lock(&self, pf: Address) -> Result<Lock> {
        let dir = self.device(pf);
        let failed = |e: io::Error| Error::new(format!("cannot lock {}: {e}", dir.display()));
        let fd = OwnedFd::from(fs::File::open(&dir).map_err(failed)?);
        loop {
            match flock(&fd, FlockOperation::LockExclusive) {
                Ok(()) => return Ok(Lock(fd)),
                Err(Errno::INTR) => {}
                Err(e) => return Err(failed(e.into())),
            }
        }
    }
}

/// The attribute is not there, or its driver is going away.
fn is_absent(e: &io::Error) -> bool {
    e.kind() == ErrorKind::NotFound
        || e.raw_os_error() == Some(Errno::NODEV.raw_os_error())
        || e.raw_os_error() == Some(Errno::NOTDIR.raw_os_error())
}
