// SPDX-License-Identifier: GPL-2.0

//! The table of properties: name, meaning, how to parse and print each (text.rs).

use super::text::{narrow, onoff, parse_bool, parse_ms, parse_opt, parse_range, parse_u64, size};
use super::{Config, FbCheck, FirmwareTime, Tlb};

/// One property.
pub(super) struct Property {
    pub(super) name: &'static str,
    pub(super) help: &'static str,
    pub(super) set: fn(&mut Config, &str) -> Result<(), String>,
    pub(super) get: fn(&Config) -> String,
}

macro_rules! property {
    ($name:literal, $field:ident, $help:literal, $parse:expr, $print:expr) => {
        Property {
            name: $name,
            help: $help,
            set: |c, v| {
                c.$field = $parse(v)?;
                Ok(())
            },
            get: |c| $print(&c.$field),
        }
    };
}

/// All properties.
pub(super) const TABLE: &[Property] = &[
    property!(
        "device-id",
        device_id,
        "PCI device id",
        narrow,
        |v: &u16| { format!("{v:#06x}") }
    ),
    property!(
        "subsystem-vendor-id",
        subsystem_vendor_id,
        "PCI subsystem vendor id",
        narrow,
        |v: &u16| format!("{v:#06x}")
    ),
    property!(
        "subsystem-id",
        subsystem_id,
        "PCI subsystem id",
        narrow,
        |v: &u16| format!("{v:#06x}")
    ),
    property!("revision", revision, "PCI revision id", narrow, |v: &u8| {
        format!("{v:#04x}")
    }),
    property!(
        "class",
        class,
        "PCI class code, or auto",
        |v: &str| match parse_opt(v) {
            None => Ok(None),
            Some(t) => narrow::<u32>(&t).map(Some),
        },
        |v: &Option<u32>| v.map_or("auto".to_owned(), |c| format!("{c:#08x}"))
    ),
    property!(
        "name",
        name,
        "board name, or auto",
        |v: &str| Ok::<_, String>(parse_opt(v)),
        |v: &Option<String>| v.clone().unwrap_or("auto".to_owned())
    ),
    property!(
        "vram",
        vram,
        "installed video memory",
        parse_u64,
        |v: &u64| size(*v)
    ),
    property!(
        "ecc",
        ecc,
        "in-line ECC (takes 1/16 of the memory)",
        parse_bool,
        |v: &bool| onoff(*v)
    ),
    property!(
        "poison",
        poison,
        "pattern of never-written memory",
        narrow,
        |v: &u32| format!("{v:#010x}")
    ),
    property!("bar1", bar1, "PF BAR1 size", parse_u64, |v: &u64| size(*v)),
    property!("bar3", bar3, "PF BAR3 size", parse_u64, |v: &u64| size(*v)),
    property!("vf-bar0", vf_bar0, "VF BAR0 size", parse_u64, |v: &u64| {
        size(*v)
    }),
    property!("vf-bar1", vf_bar1, "VF BAR1 size", parse_u64, |v: &u64| {
        size(*v)
    }),
    property!("vf-bar3", vf_bar3, "VF BAR3 size", parse_u64, |v: &u64| {
        size(*v)
    }),
    property!(
        "total-vfs",
        total_vfs,
        "SR-IOV TotalVFs, 0 for no SR-IOV",
        narrow,
        u16::to_string
    ),
    property!(
        "msix",
        msix,
        "MSI-X of the PF; off leaves it with MSI",
        parse_bool,
        |v: &bool| onoff(*v)
    ),
    property!(
        "vf-pm",
        vf_pm,
        "VFs have power management, and keep their state in D3hot",
        parse_bool,
        |v: &bool| onoff(*v)
    ),
    property!(
        "vf-offset",
        vf_offset,
        "SR-IOV first VF offset",
        narrow,
        u16::to_string
    ),
    property!(
        "vf-stride",
        vf_stride,
        "SR-IOV VF stride",
        narrow,
        u16::to_string
    ),
    property!(
        "vmmu-segment",
        vmmu_segment,
        "VMMU segment size",
        parse_u64,
        |v: &u64| size(*v)
    ),
    property!(
        "display",
        display,
        "display engine present",
        parse_bool,
        |v: &bool| onoff(*v)
    ),
    property!(
        "tlb",
        tlb,
        "translation cache: coherent, strict or paranoid",
        |v: &str| match v {
            "coherent" => Ok(Tlb::Coherent),
            "strict" => Ok(Tlb::Strict),
            "paranoid" => Ok(Tlb::Paranoid),
            _ => Err("expected coherent, strict or paranoid".to_owned()),
        },
        |v: &Tlb| match v {
            Tlb::Coherent => "coherent".to_owned(),
            Tlb::Strict => "strict".to_owned(),
            Tlb::Paranoid => "paranoid".to_owned(),
        }
    ),
    property!(
        "interrupt-timeout",
        interrupt_timeout_ns,
        "milliseconds until an enabled interrupt that nobody clears is refused",
        parse_ms,
        |v: &u64| (v / 1_000_000).to_string()
    ),
    property!(
        "tlb-polls",
        tlb_polls,
        "how often a TLB invalidate reads busy",
        narrow,
        u8::to_string
    ),
    property!(
        "idle-vfs",
        idle_vfs,
        "VFs have registers without a vGPU, for another driver to be compared with",
        parse_bool,
        |v: &bool| onoff(*v)
    ),
    property!(
        "strict-registers",
        strict_registers,
        "unknown registers answer the PRI error pattern",
        parse_bool,
        |v: &bool| onoff(*v)
    ),
    property!(
        "gfw-delay",
        gfw_delay_ns,
        "milliseconds until GFW is done",
        parse_ms,
        |v: &u64| (v / 1_000_000).to_string()
    ),
    property!(
        "scrubber-delay",
        scrubber_delay_ns,
        "milliseconds the scrubber runs",
        parse_ms,
        |v: &u64| (v / 1_000_000).to_string()
    ),
    property!(
        "reply-delay",
        reply_delay_ns,
        "milliseconds GSP-RM takes to answer",
        parse_ms,
        |v: &u64| (v / 1_000_000).to_string()
    ),
    property!(
        "firmware-time-us",
        firmware_time,
        "microseconds GSP-RM works on a control: N, or N:CMD for one; several with ;",
        FirmwareTime::parse,
        FirmwareTime::to_string
    ),
    property!(
        "firmware-threads",
        firmware_threads,
        "controls GSP-RM works on at once; 1 makes it serial",
        |v: &str| match narrow::<usize>(v)? {
            0 => Err("must not be 0".to_owned()),
            n => Ok(n),
        },
        usize::to_string
    ),
    property!(
        "handoff",
        handoff,
        "scrubber hand-off value at power-on",
        |v: &str| match narrow::<u8>(v)? {
            n @ 0..=7 => Ok(n),
            _ => Err("must be 0..7".to_owned()),
        },
        u8::to_string
    ),
    property!(
        "handoff-low",
        handoff_low,
        "other bits of the hand-off register",
        |v: &str| match narrow::<u32>(v)? {
            n if n < 1 << 29 => Ok(n),
            _ => Err("must fit 29 bits".to_owned()),
        },
        |v: &u32| format!("{v:#x}")
    ),
    property!(
        "handoff-survives-flr",
        handoff_survives_flr,
        "hand-off is kept over FLR",
        parse_bool,
        |v: &bool| onoff(*v)
    ),
    property!(
        "strict-booter",
        strict_booter,
        "booter fails when the scrubber was needed",
        parse_bool,
        |v: &bool| onoff(*v)
    ),
    property!(
        "prescrubbed",
        prescrubbed,
        "memory at the top that GFW made usable",
        parse_u64,
        |v: &u64| size(*v)
    ),
    property!(
        "sequencer",
        sequencer,
        "full CPU sequencer script before INIT_DONE",
        parse_bool,
        |v: &bool| onoff(*v)
    ),
    property!(
        "boot-events",
        boot_events,
        "extra events during boot",
        parse_bool,
        |v: &bool| onoff(*v)
    ),
    property!(
        "plugin-boot-delay",
        plugin_boot_delay_ns,
        "milliseconds until a plugin task sets its boot marker",
        parse_ms,
        |v: &u64| (v / 1_000_000).to_string()
    ),
    property!(
        "strict-plugin",
        strict_plugin,
        "plugin compares its configuration with BOOTLOAD",
        parse_bool,
        |v: &bool| onoff(*v)
    ),
    property!(
        "gpuacct-event",
        gpuacct_event,
        "send GPU accounting samples in vGPU mode",
        parse_bool,
        |v: &bool| onoff(*v)
    ),
    property!(
        "ce-rate",
        ce_rate,
        "bytes a copy engine writes in a microsecond; 0: launches take no time",
        parse_u64,
        u64::to_string
    ),
    property!(
        "fb-check",
        fb_check,
        "memory of a new vGPU that is not zero: off, count or refuse",
        |v: &str| match v {
            "off" => Ok(FbCheck::Off),
            "count" => Ok(FbCheck::Count),
            "refuse" => Ok(FbCheck::Refuse),
            _ => Err("expected off, count or refuse".to_owned()),
        },
        |v: &FbCheck| match v {
            FbCheck::Off => "off".to_owned(),
            FbCheck::Count => "count".to_owned(),
            FbCheck::Refuse => "refuse".to_owned(),
        }
    ),
    property!(
        "fb-tag",
        fb_tag,
        "fill the memory of a vGPU that goes with its owner's tag",
        parse_bool,
        |v: &bool| onoff(*v)
    ),
    property!(
        "fb-range",
        fb_range,
        "START:END of the memory that fb-contents tells about; 0:0 for all",
        parse_range,
        |v: &std::ops::Range<u64>| format!("{:#x}:{:#x}", v.start, v.end)
    ),
    property!(
        "trace",
        trace,
        "trace file",
        |v: &str| Ok::<_, String>(v.to_owned()),
        String::clone
    ),
    property!(
        "stats",
        stats,
        "statistics file, written at exit",
        |v: &str| Ok::<_, String>(v.to_owned()),
        String::clone
    ),
    property!(
        "fault",
        fault,
        "faults to inject; fault=help lists them",
        |v: &str| Ok::<_, String>(v.to_owned()),
        String::clone
    ),
];
