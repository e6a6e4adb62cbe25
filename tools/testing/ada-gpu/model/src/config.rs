// SPDX-License-Identifier: GPL-2.0

//! The properties of a modelled board.
//!
//! Each property has a name as used on the command line (`vram=48G`), a typed
//! field in [`Config`], and a row in config/table.rs that parses and prints it. Values that no public source gives for AD102 (BAR and
//! VF geometry, VMMU segment size, revision) are properties for that reason.

mod firmware_time;
mod table;
mod text;

pub use firmware_time::FirmwareTime;
pub use text::parse_u64;

use std::fmt;
use std::ops::Range;
use table::TABLE;

/// Why a property was not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigError {
    /// No property has this name.
    Unknown(String),
    /// The value cannot be used; the text says why.
    Invalid(String),
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConfigError::Unknown(name) => write!(f, "no property named '{name}'"),
            ConfigError::Invalid(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for ConfigError {}

/// How the translation cache behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tlb {
    /// Walk the page tables on every access; hides missing invalidates.
    Coherent,
    /// Keep a translation until it is invalidated, as hardware may.
    Strict,
    /// The same, and after each invalidate look for entries it did not cover.
    Paranoid,
}

/// What happens to a vGPU whose memory is not zero when it is booted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FbCheck {
    /// It is not looked at.
    Off,
    /// It is counted.
    Count,
    /// The vGPU is refused.
    Refuse,
}

/// Everything that can be chosen about a board. Sizes are in bytes.
#[derive(Debug, Clone)]
pub struct Config {
    /// PCI device id of the PF and of its VFs.
    pub device_id: u16,
    /// PCI subsystem vendor id.
    pub subsystem_vendor_id: u16,
    /// PCI subsystem id.
    pub subsystem_id: u16,
    /// PCI revision id, also the revision in NV_PMC_BOOT_0.
    pub revision: u8,
    /// PCI class code (24 bits); `None` chooses by device id.
    pub class: Option<u32>,
    /// Board name reported by GSP-RM; `None` chooses by device id.
    pub name: Option<String>,
    /// Installed video memory.
    pub vram: u64,
    /// In-line ECC: takes 1/16 of the video memory.
    pub ecc: bool,
    /// 32-bit pattern found in video memory nobody has written yet.
    pub poison: u32,
    /// PF BAR1 size.
    pub bar1: u64,
    /// PF BAR3 size.
    pub bar3: u64,
    /// VF BAR0 size.
    pub vf_bar0: u64,
    /// VF BAR1 size.
    pub vf_bar1: u64,
    /// VF BAR3 size.
    pub vf_bar3: u64,
    /// SR-IOV TotalVFs; 0 leaves the capability out.
    pub total_vfs: u16,
    /// The PF has MSI-X, not only MSI.
    pub msix: bool,
    /// VFs have the power management capability, and keep their state in D3hot.
    pub vf_pm: bool,
    /// SR-IOV first VF offset.
    pub vf_offset: u16,
    /// SR-IOV VF stride.
    pub vf_stride: u16,
    /// Size of one VMMU segment.
    pub vmmu_segment: u64,
    /// Whether the display engine is present (not fused off).
    pub display: bool,
    /// Translation cache of windows and engines.
    pub tlb: Tlb,
    /// Nanoseconds until an enabled interrupt that nobody clears is refused.
    pub interrupt_timeout_ns: u64,
    /// How often a TLB invalidate reads busy before it is done.
    pub tlb_polls: u8,
    /// Registers of a VF answer although it has no vGPU. No hardware does that.
    pub idle_vfs: bool,
    /// Registers nobody described: answer the PRI error pattern instead of storage.
    pub strict_registers: bool,
    /// Nanoseconds after power-on until GFW reports completion.
    pub gfw_delay_ns: u64,
    /// Nanoseconds the scrubber microcode runs.
    pub scrubber_delay_ns: u64,
    /// Nanoseconds GSP-RM takes for each answer.
    pub reply_delay_ns: u64,
    /// Time GSP-RM works on each control.
    pub firmware_time: FirmwareTime,
    /// Controls GSP-RM works on at once.
    pub firmware_threads: usize,
    /// Scrubber hand-off field (0..=7) at power-on.
    pub handoff: u8,
    /// The undocumented low 29 bits of the scrubber hand-off register.
    pub handoff_low: u32,
    /// Whether the scrubber hand-off survives a function level reset.
    pub handoff_survives_flr: bool,
    /// Booter fails at once (instead of a silent GSP) when the scrubber was needed.
    pub strict_booter: bool,
    /// Frame-buffer bytes below the end of memory that GFW made usable.
    pub prescrubbed: u64,
    /// Run a full CPU sequencer script before INIT_DONE, not an empty one.
    pub sequencer: bool,
    /// Also send the events real firmware is known to send during boot.
    pub boot_events: bool,
    /// Nanoseconds from BOOTLOAD to the plugin task's boot marker.
    pub plugin_boot_delay_ns: u64,
    /// Plugin refuses a configuration that differs from the BOOTLOAD parameters.
    pub strict_plugin: bool,
    /// GSP-RM in vGPU mode sends a GPU accounting event, as real firmware does.
    pub gpuacct_event: bool,
    /// Bytes a copy engine writes in a microsecond; 0 for no time at all.
    pub ce_rate: u64,
    /// What happens when the memory of a new vGPU is not zero.
    pub fb_check: FbCheck,
    /// Fill the memory of a vGPU that goes with the tag of its owner.
    pub fb_tag: bool,
    /// The memory that `fb-contents` tells about; empty for all.
    pub fb_range: Range<u64>,
    /// Trace file name; empty for none.
    pub trace: String,
    /// Statistics file name, written at exit; empty for none.
    pub stats: String,
    /// Faults to inject, `;` separated.
    pub fault: String,
}

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

impl Default for Config {
    fn default() -> Self {
        Config {
            device_id: 0x26b1,
            subsystem_vendor_id: 0x10de,
            subsystem_id: 0x16a1,
            revision: 0xa1,
            class: None,
            name: None,
            vram: 48 * GIB,
            ecc: false,
            poison: 0xdead_beef,
            bar1: 256 * MIB,
            bar3: 32 * MIB,
            vf_bar0: 256 << 10,
            vf_bar1: 256 * MIB,
            vf_bar3: 32 * MIB,
            total_vfs: 32,
            msix: true,
            vf_pm: false,
            vf_offset: 4,
            vf_stride: 1,
            vmmu_segment: 128 * MIB,
            display: false,
            tlb: Tlb::Strict,
            tlb_polls: 1,
            interrupt_timeout_ns: 5_000_000_000,
            idle_vfs: false,
            strict_registers: true,
            gfw_delay_ns: 0,
            scrubber_delay_ns: 0,
            reply_delay_ns: 0,
            firmware_time: FirmwareTime::default(),
            firmware_threads: 32,
            handoff: 0,
            handoff_low: 0,
            handoff_survives_flr: true,
            strict_booter: false,
            prescrubbed: 256 * MIB,
            sequencer: true,
            boot_events: false,
            plugin_boot_delay_ns: 5_000_000,
            strict_plugin: false,
            gpuacct_event: true,
            ce_rate: 0,
            fb_check: FbCheck::Count,
            fb_tag: true,
            fb_range: 0..0,
            trace: String::new(),
            stats: String::new(),
            fault: String::new(),
        }
    }
}

impl Config {
    /// Sets the property `name` from its text form.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), ConfigError> {
        let row = TABLE
            .iter()
            .find(|p| p.name == name)
            .ok_or_else(|| ConfigError::Unknown(name.to_owned()))?;
        (row.set)(self, value).map_err(|why| ConfigError::Invalid(format!("{name}={value}: {why}")))
    }

    /// The value of property `name` in the form [`Config::set`] takes.
    pub fn get(&self, name: &str) -> Option<String> {
        TABLE.iter().find(|p| p.name == name).map(|p| (p.get)(self))
    }

    /// Sets several properties from `k=v` pairs separated by commas.
    pub fn set_all(&mut self, pairs: &str) -> Result<(), ConfigError> {
        for pair in pairs.split(',').filter(|p| !p.is_empty()) {
            let (k, v) = pair
                .split_once('=')
                .ok_or_else(|| ConfigError::Invalid(format!("'{pair}' is not name=value")))?;
            self.set(k, v)?;
        }
        Ok(())
    }

    /// One line per property: name, default, meaning.
    pub fn help() -> String {
        let default = Config::default();
        TABLE
            .iter()
            .map(|p| format!("{:<20} {:<12} {}\n", p.name, (p.get)(&default), p.help))
            .collect()
    }

    /// Names of all properties.
    pub fn names() -> impl Iterator<Item = &'static str> {
        TABLE.iter().map(|p| p.name)
    }

    /// Rules that involve more than one property.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let bad = |why: &str| Err(ConfigError::Invalid(why.to_owned()));
        for (name, size) in [
            ("bar1", self.bar1),
            ("bar3", self.bar3),
            ("vf-bar0", self.vf_bar0),
            ("vf-bar1", self.vf_bar1),
            ("vf-bar3", self.vf_bar3),
        ] {
            if !size.is_power_of_two() || size < 4096 {
                return bad(&format!("{name} must be a power of two of at least 4K"));
            }
        }
        if self.vram < GIB || self.vram % (64 * MIB) != 0 || self.vram > 128 * GIB {
            return bad("vram must be a multiple of 64M from 1G to 128G");
        }
        if self.total_vfs > 32 {
            return bad("total-vfs must be 0..32");
        }
        if self.total_vfs > 0 && (self.vf_offset == 0 || self.vf_stride == 0) {
            return bad("vf-offset and vf-stride must not be 0");
        }
        if ![32, 64, 128, 256, 512].contains(&(self.vmmu_segment / MIB))
            || self.vmmu_segment % MIB != 0
        {
            return bad("vmmu-segment must be 32M, 64M, 128M, 256M or 512M");
        }
        Ok(())
    }

    /// Usable frame-buffer bytes: what the size register reports.
    pub fn fb_size(&self) -> u64 {
        let size = if self.ecc {
            self.vram / 16 * 15
        } else {
            self.vram
        };
        size & !(MIB - 1)
    }

    /// PCI class code: VGA for workstation boards, 3D controller for the others.
    pub fn class_code(&self) -> u32 {
        self.class.unwrap_or(match self.device_id {
            0x26b1..=0x26b3 => 0x03_0000,
            _ => 0x03_0200,
        })
    }

    /// Marketing name of the board.
    pub fn board_name(&self) -> String {
        if let Some(name) = &self.name {
            return name.clone();
        }
        match self.device_id {
            0x26b1 => "NVIDIA RTX 6000 Ada Generation",
            0x26b2 => "NVIDIA RTX 5000 Ada Generation",
            0x26b3 => "NVIDIA RTX 5880 Ada Generation",
            0x26b5 => "NVIDIA L40",
            0x26b8 => "NVIDIA L40G",
            0x26b9 => "NVIDIA L40S",
            0x26ba => "NVIDIA L20",
            0x27b6 => "NVIDIA L2",
            0x27b8 => "NVIDIA L4",
            _ => "NVIDIA Graphics Device",
        }
        .to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_property_round_trips() {
        let mut c = Config::default();
        for name in Config::names() {
            let value = c.get(name).unwrap();
            c.set(name, &value).unwrap();
            assert_eq!(c.get(name).unwrap(), value, "{name}");
        }
    }

    #[test]
    fn sizes_and_errors() {
        let mut c = Config::default();
        c.set_all("vram=2G,ecc=on,vmmu-segment=32M").unwrap();
        assert_eq!(c.fb_size(), 1920 * MIB);
        assert!(matches!(c.set("vramm", "1"), Err(ConfigError::Unknown(_))));
        assert!(matches!(c.set("vram", "x"), Err(ConfigError::Invalid(_))));
        assert!(c.set("handoff", "8").is_err());
        c.set("vmmu-segment", "48M").unwrap();
        assert!(c.validate().is_err());
        assert!(parse_u64("99999999999T").is_err());
    }
}
