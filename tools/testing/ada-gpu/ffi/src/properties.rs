// SPDX-License-Identifier: GPL-2.0

//! The list of properties for `-device ada-gpu,help`.
//!
//! ```text
//!   Config::names()   "vram"   ada_gpu_property_name(i)
//!   Config::help()    "vram  48G  installed video memory"
//!                              ada_gpu_property_help(i)
//!                              "installed video memory (default 48G)"
//!   LIVE              "refusals": readable only
//! ```

use ada_gpu_model::Config;
use std::ffi::{c_char, CString};
use std::ptr;
use std::sync::OnceLock;

/// Values that only a running model has, beside those of the configuration.
const LIVE: &[(&str, &str)] = &[
    (
        "refusals",
        "what the model refused lately, one per line (read only)",
    ),
    ("fault-help", "the faults that can be injected (read only)"),
    (
        "event",
        "sends a message from GSP while running; see event-help",
    ),
    ("event-help", "the events that can be sent (read only)"),
    (
        "pramin-tags",
        "START:END writes a tag into each 64K of video memory; read: how many are still right",
    ),
    (
        "service-times",
        "nanoseconds the model itself takes; setting it starts over",
    ),
    (
        "interrupts",
        "how often each vector and message was raised (read only)",
    ),
    (
        "vgpus",
        "the vGPUs that GSP-RM has, one per line (read only)",
    ),
    (
        "fb-contents",
        "bytes of fb-range by what they hold: zero, poison, tags by gfid (read only)",
    ),
];

struct Row {
    name: CString,
    help: CString,
}

fn row(name: &str, help: &str) -> Option<Row> {
    Some(Row {
        name: CString::new(name).ok()?,
        help: CString::new(help).ok()?,
    })
}

/// Meaning and default of configuration property `name`.
fn describe(table: &str, defaults: &Config, name: &str) -> String {
    let default = defaults.get(name).unwrap_or_default();
    let rest = table
        .lines()
        .filter_map(|l| l.strip_prefix(name))
        .find(|l| l.starts_with(' '))
        .unwrap_or_default()
        .trim();
    let meaning = rest.strip_prefix(&default).unwrap_or(rest).trim();
    if default.is_empty() {
        meaning.to_owned()
    } else {
        format!("{meaning} (default {default})")
    }
}

fn table() -> &'static [Row] {
    static TABLE: OnceLock<Vec<Row>> = OnceLock::new();
    TABLE.get_or_init(|| {
        let help = Config::help();
        let defaults = Config::default();
        Config::names()
            .map(|n| (n, describe(&help, &defaults, n)))
            .chain(LIVE.iter().map(|&(n, h)| (n, h.to_owned())))
            .filter_map(|(n, h)| row(n, &h))
            .collect()
    })
}

/// Name of property `index`, a static string; null past the last one.
#[no_mangle]
pub extern "C" fn ada_gpu_property_name(index: usize) -> *const c_char {
    table().get(index).map_or(ptr::null(), |r| r.name.as_ptr())
}

/// Meaning of property `index`, a static string; null past the last one.
#[no_mangle]
pub extern "C" fn ada_gpu_property_help(index: usize) -> *const c_char {
    table().get(index).map_or(ptr::null(), |r| r.help.as_ptr())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_property_has_a_meaning_and_its_default() {
        let rows = table();
        assert_eq!(rows.len(), Config::names().count() + LIVE.len());
        for row in rows {
            assert!(!row.help.is_empty(), "{:?}", row.name);
        }
        let vram = rows.iter().find(|r| r.name.as_c_str() == c"vram");
        let help = vram.map(|r| r.help.to_string_lossy().into_owned());
        assert!(help.is_some_and(|h| h.ends_with("(default 48G)")));
    }

    #[test]
    fn ends_with_null() {
        assert!(ada_gpu_property_name(usize::MAX).is_null());
        assert!(ada_gpu_property_help(table().len()).is_null());
    }
}
