// SPDX-License-Identifier: GPL-2.0

//! What the manual says beside commands and options: `vgpuctl --help` and vgpuctl(1) have it.

/// A part of the manual.
pub struct Section {
    pub title: &'static str,
    /// One paragraph.
    pub text: &'static str,
    /// Lines that stay as they are.
    pub lines: &'static str,
}

pub const SECTIONS: [Section; 4] = [
    Section {
        title: "NAMES",
        text:
            "Addresses are PCI addresses like 0000:c1:00.4; the domain may be left out. Types are \
               named by id or by name, with or without the maker's:",
        lines: "  942
  'NVIDIA RTX6000-Ada-2Q'
  rtx6000-ada-2q",
    },
    Section {
        title: "EXIT STATUS",
        text: "",
        lines: "  0  done, or nothing was to be done
  1  the host is not as it has to be, or the kernel refused;
     the message says what to do
  2  wrong usage
  3  what was waited for did not come in time",
    },
    Section {
        title: "JSON",
        text:
            "'vgpuctl list --json' prints one object. Fields are added over time and never change \
               their meaning within one 'version'.",
        lines: "  version  1
  gpus[]   address          PCI address
           id               'vendor:device', hexadecimal
           driver           bound driver, or null
           numa_node        number, or null
           vfs_total        how many VFs can be enabled
           vfs[]            enabled VFs, by their numbers

  vfs[]    address, driver
           index            number of the VF, from 0
           driver_override  driver that the VF is reserved for, or null
           iommu_group      number, or null
           vfio_device      '/dev/vfio/devices/vfio<n>', or null
           open_by[]        pid, command: processes that have the VFIO
                            device open, as far as the caller may see
           vgpu             null unless bound to nvidia_vgpu_vfio

  vgpu     type             null, or: id, and name if the driver tells it
           creatable[]      id, name: types that can be selected now
           state, placement_id, uuid, stats
                            the attributes of these names, stats as an
                            object; each is missing where the driver
                            does not tell it",
    },
    Section {
        title: "CONFIGURATION",
        text: "'save' writes and 'restore' reads a TOML file:",
        lines: "  version = 1

  [[gpu]]
  address = \"0000:c1:00.0\"
  id = \"10de:26b9\"    # optional; another board there is left alone
  vfs = 4             # how many VFs

  [[gpu.vf]]          # VFs that are not named are bound
  index = 0           # number of the VF
  type = 1148         # optional; id or name
  uuid = \"...\"        # optional; UUID of the vGPU
  placement = 8       # optional; 'save' leaves it out
  bind = false        # optional; not bound to nvidia_vgpu_vfio",
    },
];

/// All of it, for a terminal.
pub fn text() -> String {
    let mut out = String::new();
    for Section { title, text, lines } in &SECTIONS {
        let text = match text.is_empty() {
            true => String::new(),
            false => format!("  {text}\n\n"),
        };
        out.push_str(&format!("{title}:\n{text}{lines}\n\n"));
    }
    out.trim_end().to_owned()
}

/// All of it, for a man page.
pub fn roff() -> String {
    let mut out = String::new();
    for Section { title, text, lines } in &SECTIONS {
        let (text, lines) = (escaped(text), escaped(lines));
        out.push_str(&format!(
            ".SH \"{title}\"\n{text}\n.PP\n.nf\n{lines}\n.fi\n"
        ));
    }
    out
}

/// No character at the beginning of a line, and no backslash, is one of roff's own.
fn escaped(text: &str) -> String {
    let lines = text.lines().map(|line| {
        let line = line
            .replace('\\', "\\e")
            .replace('-', "\\-")
            .replace('\'', "\\(aq");
        match line.starts_with('.') {
            true => format!("\\&{line}"),
            false => line,
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn example_is_a_configuration() {
        let example = SECTIONS[3]
            .lines
            .replace("\"...\"", "\"6f1b4a4e-2d0b-4e0e-9d0c-0123456789ab\"");
        // A VF cannot both have a type and stay unbound.
        let example = example.replace("bind = false", "bind = true ");
        crate::config::parse(&example).unwrap();
    }

    #[test]
    fn roff_has_no_stray_requests() {
        for line in roff().lines().filter(|line| line.starts_with('.')) {
            assert!([".SH", ".PP", ".nf", ".fi"].contains(&&line[..3]), "{line}");
        }
    }
}
