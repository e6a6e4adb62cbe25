// SPDX-License-Identifier: GPL-2.0

//! Firmware images: files of linux-firmware and ucodes of the VBIOS.
//!
//! ```text
//!  nvidia/ad102/gsp/gsp-570.144.bin            ELF      gsp
//!                   bootloader-570.144.bin     .bin     gsp
//!                   booter_load-570.144.bin    .bin     booter
//!                   booter_unload-570.144.bin  .bin     booter
//!                   scrubber-570.144.bin       .bin     booter (vGPU only)
//!  VBIOS            FWSEC                               fwsec
//! ```
//!
//! All AD10x chips take the same images (OGKM 570.144 `g_bindata_*_AD102.c`).

pub(crate) mod booter;
pub(crate) mod container;
pub(crate) mod elf;
pub(crate) mod fwsec;
pub(crate) mod gsp;
pub(crate) mod radix3;

use kernel::{
    device,
    firmware::Firmware,
    prelude::*, //
};

use container::Malformed;

/// A file of linux-firmware.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum File {
    /// GSP-RM.
    Gsp,
    /// Loads GSP-RM on the GSP core.
    Bootloader,
    /// Builds WPR2 and starts the bootloader.
    BooterLoad,
    /// Takes WPR2 down.
    BooterUnload,
    /// Scrubs FB.
    Scrubber,
}

impl File {
    /// All files, for the module's firmware list.
    pub(crate) const ALL: [Self; 5] = [
        Self::Gsp,
        Self::Bootloader,
        Self::BooterLoad,
        Self::BooterUnload,
        Self::Scrubber,
    ];

    /// Name below the firmware directory.
    pub(crate) const fn name(self) -> &'static CStr {
        match self {
            Self::Gsp => c"nvidia/ad102/gsp/gsp-570.144.bin",
            Self::Bootloader => c"nvidia/ad102/gsp/bootloader-570.144.bin",
            Self::BooterLoad => c"nvidia/ad102/gsp/booter_load-570.144.bin",
            Self::BooterUnload => c"nvidia/ad102/gsp/booter_unload-570.144.bin",
            Self::Scrubber => c"nvidia/ad102/gsp/scrubber-570.144.bin",
        }
    }

    /// What it is, for messages.
    pub(crate) const fn what(self) -> &'static str {
        match self {
            Self::Gsp => "GSP-RM",
            Self::Bootloader => "bootloader",
            Self::BooterLoad => "booter-load",
            Self::BooterUnload => "booter-unload",
            Self::Scrubber => "scrubber",
        }
    }

    /// Reads the file.
    ///
    /// # Errors
    ///
    /// `ENOENT` when it is missing, and others of the firmware loader; reported.
    pub(crate) fn request(self, dev: &device::Device) -> Result<Firmware> {
        Firmware::request_nowarn(self.name(), dev).inspect_err(|e| {
            dev_err!(
                dev,
                "firmware {}: cannot be loaded: {}; install linux-firmware for NVIDIA\n",
                self.name(),
                Errno(*e)
            );
        })
    }

    /// Whether the file can be read, without a message when it cannot.
    pub(crate) fn available(self, dev: &device::Device) -> bool {
        Firmware::request_nowarn(self.name(), dev).is_ok()
    }

    /// Reports what is wrong with the contents.
    pub(crate) fn malformed(self, dev: &device::Device, malformed: Malformed) -> Error {
        dev_err!(
            dev,
            "firmware {}: bad {}; reinstall linux-firmware\n",
            self.name(),
            malformed.0
        );
        EINVAL
    }
}

/// Shows an error as its number, as errno is known to users.
pub(crate) struct Errno(pub(crate) Error);

impl kernel::fmt::Display for Errno {
    fn fmt(&self, f: &mut kernel::fmt::Formatter<'_>) -> kernel::fmt::Result {
        write!(f, "error {}", self.0.to_errno())
    }
}

/// Lists the files in the module's information.
pub(crate) struct ModInfoBuilder<const N: usize>(kernel::firmware::ModInfoBuilder<N>);

impl<const N: usize> ModInfoBuilder<N> {
    /// Called by `module_firmware!`.
    pub(crate) const fn create(module: &'static CStr) -> kernel::firmware::ModInfoBuilder<N> {
        let mut builder = kernel::firmware::ModInfoBuilder::new(module);
        let mut i = 0;

        while i < File::ALL.len() {
            builder = match File::ALL[i].name().to_str() {
                Ok(name) => builder.new_entry().push(name),
                Err(_) => builder,
            };
            i += 1;
        }
        builder
    }
}
