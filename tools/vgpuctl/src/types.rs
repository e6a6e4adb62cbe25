// SPDX-License-Identifier: GPL-2.0

//! vGPU types as `nvidia/creatable_vgpu_types` lists them, and what a person may call one.
//!
//! ```text
//!   ID    : vGPU Name                  header, not always there
//!   942   : NVIDIA RTX6000-Ada-2Q
//!
//!   942   NVIDIA RTX6000-Ada-2Q   RTX6000-Ada-2Q   rtx6000-ada-2q     all name the same type
//! ```

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// A type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct VgpuType {
    pub id: u32,
    /// Not known where the driver does not tell it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl fmt::Display for VgpuType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "{} ({name})", self.id),
            None => write!(f, "{}", self.id),
        }
    }
}

/// Reads a list. Lines of a form that is not known are an error: the list would be incomplete.
pub fn parse_list(text: &str) -> Result<Vec<VgpuType>> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.filter_map(parse_line).collect()
}

/// `None` for the header.
fn parse_line(line: &str) -> Option<Result<VgpuType>> {
    let bad = || Error::new(format!("'{line}' is no line of a list of vGPU types"));
    let Some((id, name)) = line.split_once(':') else {
        return Some(Err(bad()));
    };
    let (id, name) = (id.trim(), name.trim());
    if id == "ID" {
        return None;
    }
    let vgpu_type = id.parse().map_err(|_| bad()).map(|id| VgpuType {
        id,
        name: (!name.is_empty()).then(|| name.to_owned()),
    });
    Some(vgpu_type)
}

/// Types for one line of a message.
pub fn in_one_line(types: &[VgpuType]) -> String {
    if types.is_empty() {
        return "none".to_owned();
    }
    let types: Vec<String> = types.iter().map(VgpuType::to_string).collect();
    types.join(", ")
}

/// What a person calls a type: its id or its name.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Wanted {
    Id(u32),
    Name(String),
}

impl FromStr for Wanted {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse() {
            Ok(0) => Err("0 is no vGPU type; 'vgpuctl clear' takes a type away".to_owned()),
            Ok(id) => Ok(Self::Id(id)),
            Err(_) if text.is_empty() => Err("a vGPU type is an id or a name".to_owned()),
            Err(_) => Ok(Self::Name(text.to_owned())),
        }
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => write!(f, "{id}"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

impl Wanted {
    /// Whether this means `vgpu_type`. A type without a name is known by its id only.
    pub fn is(&self, vgpu_type: &VgpuType) -> bool {
        match (self, &vgpu_type.name) {
            (Self::Id(id), _) => *id == vgpu_type.id,
            (Self::Name(wanted), Some(name)) => plain(wanted).eq_ignore_ascii_case(plain(name)),
            (Self::Name(_), None) => false,
        }
    }
}

/// A name without the maker's.
fn plain(name: &str) -> &str {
    const MAKER: &str = "NVIDIA ";
    match name.get(..MAKER.len()) {
        Some(maker) if maker.eq_ignore_ascii_case(MAKER) => name[MAKER.len()..].trim_start(),
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn vgpu_type(id: u32, name: &str) -> VgpuType {
        VgpuType {
            id,
            name: Some(name.to_owned()),
        }
    }

    #[test]
    fn list_with_header() {
        let text = "ID    : vGPU Name\n941   : NVIDIA RTX6000-Ada-1Q\n1145  : NVIDIA L40S-1B\n";
        assert_eq!(
            parse_list(text).unwrap(),
            [
                vgpu_type(941, "NVIDIA RTX6000-Ada-1Q"),
                vgpu_type(1145, "NVIDIA L40S-1B")
            ]
        );
    }

    #[test]
    fn list_without_header_and_empty_list() {
        assert_eq!(parse_list("941   : A\n").unwrap(), [vgpu_type(941, "A")]);
        assert_eq!(parse_list("").unwrap(), []);
    }

    #[test]
    fn damaged_lists() {
        for text in ["941 A", "x : A", "941 : A\n-1 : B", "99999999999 : A"] {
            assert!(parse_list(text).is_err(), "{text}");
        }
    }

    #[test]
    fn names_of_one_type() {
        let this = vgpu_type(942, "NVIDIA RTX6000-Ada-2Q");
        for name in [
            "942",
            "NVIDIA RTX6000-Ada-2Q",
            "nvidia rtx6000-ada-2q",
            "RTX6000-Ada-2Q",
        ] {
            assert!(name.parse::<Wanted>().unwrap().is(&this), "{name}");
        }
        for name in ["941", "RTX6000-Ada-2", "2Q", "NVIDIA "] {
            assert!(!name.parse::<Wanted>().unwrap().is(&this), "{name}");
        }
        assert!("0".parse::<Wanted>().is_err());
        assert!("".parse::<Wanted>().is_err());
    }

    #[test]
    fn without_a_name_only_the_id_counts() {
        let this = VgpuType { id: 7, name: None };
        assert!(Wanted::Id(7).is(&this));
        assert!(!Wanted::Name("7".to_owned()).is(&this));
    }

    proptest! {
        #[test]
        fn never_panics(text in ".*", name in ".*") {
            let _ = parse_list(&text);
            let _ = Wanted::Name(text).is(&vgpu_type(1, &name));
        }
    }
}
