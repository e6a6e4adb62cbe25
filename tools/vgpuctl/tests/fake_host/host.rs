// SPDX-License-Identifier: GPL-2.0

//! A host that is a directory, and a kernel that does to it what writes to sysfs would do.
//!
//! ```text
//!   sys/bus/pci/devices/0000:01:00.0    the GPU: 8 VFs, types 941 (8 of them) and 949 (2 of them)
//!   proc/1234/fd/3 -> /dev/vfio/…       processes
//! ```
//!
//! One type at a time for a GPU, as with the driver of one policy: enough to be refused.

use std::cell::{Cell, RefCell};
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use clap::Parser;
use rustix::io::Errno;

use vgpuctl::cli::Cli;
use vgpuctl::error::{Error, Result};
use vgpuctl::events::Events;
use vgpuctl::gpu::{PF_DRIVER, VF_DRIVER};
use vgpuctl::run::{run, Context};
use vgpuctl::sysfs::{Store, Sysfs};

pub const GPU: &str = "0000:01:00.0";
pub const TYPES: [(u32, &str, usize); 2] = [
    (941, "NVIDIA RTX6000-Ada-1Q", 8),
    (949, "NVIDIA RTX6000-Ada-24Q", 2),
];

/// The kernel's side.
pub struct FakeKernel {
    root: PathBuf,
    /// What was written: `file=value`, the file below `bus/pci`.
    pub log: RefCell<Vec<String>>,
    /// The next write to a file with this ending fails.
    pub fail: RefCell<Option<(String, Errno)>>,
    /// The VF driver refuses VFs.
    pub no_probe: Cell<bool>,
}

impl FakeKernel {
    fn devices(&self) -> PathBuf {
        self.root.join("sys/bus/pci/devices")
    }

    fn vfs(&self) -> Vec<PathBuf> {
        let vf = |i: usize| self.devices().join(format!("0000:01:00.{}", i + 4));
        (0..4).map(vf).filter(|vf| vf.exists()).collect()
    }

    fn is_open(&self, vf: &Path) -> bool {
        let group = fs::read_link(vf.join("iommu_group")).unwrap();
        let group = format!("/dev/vfio/{}", group.file_name().unwrap().to_str().unwrap());
        let mut fds = fs::read_dir(self.root.join("proc"))
            .unwrap()
            .map(|process| fs::read_link(process.unwrap().path().join("fd/3")).unwrap_or_default());
        fds.any(|fd| fd == Path::new(&group))
    }

    fn set_numvfs(&self, value: &str) -> Result<(), Errno> {
        let count: usize = value.parse().map_err(|_| Errno::INVAL)?;
        let pf = self.devices().join(GPU);
        if self.vfs().iter().any(|vf| self.is_open(vf)) || (count > 0 && !self.vfs().is_empty()) {
            return Err(Errno::BUSY);
        }
        for (i, vf) in self.vfs().iter().enumerate() {
            fs::remove_dir_all(vf).unwrap();
            fs::remove_file(pf.join(format!("virtfn{i}"))).unwrap();
        }
        for i in 0..count {
            let name = format!("0000:01:00.{}", i + 4);
            let vf = self.devices().join(&name);
            fs::create_dir(&vf).unwrap();
            fs::write(vf.join("driver_override"), "(null)\n").unwrap();
            symlink(format!("../{GPU}"), vf.join("physfn")).unwrap();
            symlink(
                format!("../../../../kernel/iommu_groups/{}", i + 20),
                vf.join("iommu_group"),
            )
            .unwrap();
            symlink(format!("../{name}"), pf.join(format!("virtfn{i}"))).unwrap();
        }
        Ok(())
    }

    fn probe(&self, name: &str) -> Result<(), Errno> {
        let vf = self.devices().join(name);
        let wanted = fs::read_to_string(vf.join("driver_override")).unwrap();
        let driver = self.root.join("sys/bus/pci/drivers").join(wanted.trim());
        if wanted.trim().is_empty() || !driver.exists() {
            return Ok(());
        }
        if self.no_probe.get() {
            return Err(Errno::OPNOTSUPP);
        }
        symlink(&driver, vf.join("driver")).unwrap();
        if wanted.trim() == VF_DRIVER {
            fs::create_dir(vf.join("nvidia")).unwrap();
            fs::write(vf.join("nvidia/current_vgpu_type"), "0\n").unwrap();
            let number = name.strip_prefix("0000:01:00.").unwrap();
            fs::create_dir_all(vf.join("vfio-dev").join(format!("vfio{number}"))).unwrap();
            self.list_types();
        }
        Ok(())
    }

    fn unbind(&self, name: &str) {
        let vf = self.devices().join(name);
        fs::remove_file(vf.join("driver")).unwrap();
        let _ = fs::remove_dir_all(vf.join("nvidia"));
        let _ = fs::remove_dir_all(vf.join("vfio-dev"));
        self.list_types();
    }

    /// Types that VFs have, but for that of `except`.
    fn selected(&self, except: &Path) -> Vec<u32> {
        let others = self.vfs().into_iter().filter(|vf| vf != except);
        others
            .map(|vf| current(&vf))
            .filter(|id| *id != 0)
            .collect()
    }

    fn fits(&self, vf: &Path, id: u32) -> Result<(), Errno> {
        let selected = self.selected(vf);
        let (_, _, max) = TYPES.iter().find(|t| t.0 == id).ok_or(Errno::NODEV)?;
        if selected.iter().any(|other| *other != id) {
            return Err(Errno::INVAL);
        }
        if selected.len() >= *max {
            return Err(Errno::NOSPC);
        }
        Ok(())
    }

    fn select(&self, file: &Path, value: &str) -> Result<(), Errno> {
        let vf = file.parent().unwrap().parent().unwrap();
        let id: u32 = value.parse().map_err(|_| Errno::INVAL)?;
        if self.is_open(vf) {
            return Err(Errno::BUSY);
        }
        if id != 0 {
            self.fits(vf, id)?;
        }
        fs::write(file, format!("{id}\n")).unwrap();
        self.list_types();
        Ok(())
    }

    fn list_types(&self) {
        for vf in self.vfs().iter().filter(|vf| vf.join("nvidia").exists()) {
            let mut list = String::new();
            if current(vf) == 0 {
                if self.selected(vf).is_empty() {
                    list.push_str("ID    : vGPU Name\n");
                }
                for (id, name, _) in TYPES.iter().filter(|t| self.fits(vf, t.0).is_ok()) {
                    list.push_str(&format!("{id:<5} : {name}\n"));
                }
            }
            fs::write(vf.join("nvidia/creatable_vgpu_types"), list).unwrap();
        }
    }
}

fn current(vf: &Path) -> u32 {
    let text = fs::read_to_string(vf.join("nvidia/current_vgpu_type")).unwrap_or_default();
    text.trim().parse().unwrap_or(0)
}

impl FakeKernel {
    fn write(&self, file: &Path, value: &str) -> Result<(), Errno> {
        let below = file.strip_prefix(self.root.join("sys/bus/pci")).unwrap();
        self.log
            .borrow_mut()
            .push(format!("{}={value}", below.display()));
        if let Some((_, errno)) = self.fail.borrow_mut().take_if(|f| file.ends_with(&f.0)) {
            return Err(errno);
        }
        match file.file_name().unwrap().to_str().unwrap() {
            "sriov_numvfs" => self.set_numvfs(value),
            "drivers_probe" => self.probe(value),
            "current_vgpu_type" => self.select(file, value),
            "unbind" => {
                self.unbind(value);
                Ok(())
            }
            _ if !file.exists() => Err(Errno::NOENT),
            _ => {
                fs::write(file, value).unwrap();
                Ok(())
            }
        }
    }
}

struct Shared(Rc<FakeKernel>);

impl Store for Shared {
    fn store(&self, file: &Path, value: &str) -> io::Result<()> {
        self.0.write(file, value).map_err(io::Error::from)
    }
}

/// The whole host.
pub struct Host {
    dir: tempfile::TempDir,
    pub kernel: Rc<FakeKernel>,
    sysfs: Sysfs,
}

impl Host {
    /// One GPU with its driver, the VF driver loaded, no VF.
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().to_owned();
        let pci = root.join("sys/bus/pci");
        for driver in [PF_DRIVER, VF_DRIVER, "vfio-pci", "nouveau"] {
            fs::create_dir_all(pci.join("drivers").join(driver)).unwrap();
        }
        fs::create_dir_all(root.join("proc/self")).unwrap();
        let kernel = Rc::new(FakeKernel {
            root: root.clone(),
            log: RefCell::default(),
            fail: RefCell::default(),
            no_probe: Cell::new(false),
        });
        let sysfs = Sysfs::new(
            root.join("sys"),
            root.join("proc"),
            Box::new(Shared(kernel.clone())),
        );
        let host = Self { dir, kernel, sysfs };
        host.add_function(GPU, "0x10de", "0x030000");
        let gpu = host.device(GPU);
        fs::write(gpu.join("sriov_totalvfs"), "4\n").unwrap();
        fs::write(gpu.join("sriov_numvfs"), "0\n").unwrap();
        fs::write(gpu.join("sriov_drivers_autoprobe"), "1\n").unwrap();
        symlink(pci.join("drivers").join(PF_DRIVER), gpu.join("driver")).unwrap();
        host
    }

    pub fn device(&self, address: &str) -> PathBuf {
        self.dir.path().join("sys/bus/pci/devices").join(address)
    }

    /// A file outside sysfs.
    pub fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn add_function(&self, address: &str, vendor: &str, class: &str) {
        let dir = self.device(address);
        fs::create_dir_all(&dir).unwrap();
        for (name, value) in [
            ("vendor", vendor),
            ("class", class),
            ("device", "0x26b1"),
            ("numa_node", "-1"),
        ] {
            fs::write(dir.join(name), format!("{value}\n")).unwrap();
        }
    }

    /// Another driver has the function.
    pub fn bind_to(&self, address: &str, driver: &str) {
        let link = self.device(address).join("driver");
        let _ = fs::remove_file(&link);
        symlink(
            self.dir.path().join("sys/bus/pci/drivers").join(driver),
            link,
        )
        .unwrap();
    }

    pub fn unload(&self, driver: &str) {
        fs::remove_dir(self.dir.path().join("sys/bus/pci/drivers").join(driver)).unwrap();
    }

    /// A process that has the group of VF `index` open.
    pub fn open(&self, index: usize, pid: u32, command: &str) {
        let process = self.file("proc").join(pid.to_string());
        fs::create_dir_all(process.join("fd")).unwrap();
        fs::write(process.join("comm"), format!("{command}\n")).unwrap();
        symlink(format!("/dev/vfio/{}", index + 20), process.join("fd/3")).unwrap();
    }

    pub fn written(&self) -> Vec<String> {
        self.kernel.log.take()
    }

    pub fn type_of(&self, index: usize) -> u32 {
        current(&self.device(&format!("0000:01:00.{}", index + 4)))
    }

    /// Runs a command line: what it prints and how it fails.
    pub fn run_with(&self, events: impl Fn() -> Box<dyn Events>, args: &[&str]) -> Outcome {
        let cli = Cli::parse_from(["vgpuctl"].iter().chain(args));
        let mut out = Vec::new();
        let mut context = Context {
            sysfs: &self.sysfs,
            events: &|| Ok(events()),
            out: &mut out,
        };
        let errors = run(&mut context, cli.command);
        Outcome {
            out: String::from_utf8(out).unwrap(),
            errors,
        }
    }

    pub fn run(&self, args: &[&str]) -> Outcome {
        self.run_with(|| Box::new(Nothing), args)
    }

    /// Runs a command line that has to succeed.
    pub fn ok(&self, args: &[&str]) -> String {
        let outcome = self.run(args);
        assert!(outcome.errors.is_empty(), "{args:?}: {}", outcome.message());
        outcome.out
    }

    /// Runs a command line that has to fail, with all of `texts` in its message.
    pub fn fails(&self, args: &[&str], texts: &[&str]) {
        let outcome = self.run(args);
        let message = outcome.message();
        assert!(!outcome.errors.is_empty(), "{args:?}");
        for text in texts {
            assert!(
                message.contains(text),
                "{args:?}: no '{text}' in: {message}"
            );
        }
    }
}

pub struct Outcome {
    pub out: String,
    pub errors: Vec<Error>,
}

impl Outcome {
    pub fn message(&self) -> String {
        let errors: Vec<String> = self.errors.iter().map(ToString::to_string).collect();
        errors.join("\n")
    }
}

/// Time passes, and nothing happens.
pub struct Nothing;

impl Events for Nothing {
    fn wait(&mut self, limit: std::time::Duration) -> Result {
        std::thread::sleep(limit.min(std::time::Duration::from_millis(10)));
        Ok(())
    }
}
