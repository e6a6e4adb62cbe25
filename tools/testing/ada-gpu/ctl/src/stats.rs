// SPDX-License-Identifier: GPL-2.0

//! Picks from the device's counts.
//!
//! ```text
//!   { "live": { "vgpus": 2, … }, "refusals": { … }, "counts": { … }, "board": { … } }
//!
//!   (none)           the whole, pretty-printed
//!   live             vgpus 2
//!                    …
//!   live.vgpus       2
//!   refusals.KIND    0 if it never happened
//! ```

use serde_json::Value;

/// Groups whose keys appear with the first event.
const GROW: &[&str] = &["refusals", "counts"];

/// The part of `counts` that `key` names.
pub fn select(counts: &Value, key: Option<&str>) -> Result<String, String> {
    let Some(key) = key else {
        return serde_json::to_string_pretty(counts).map_err(|e| e.to_string());
    };
    let (group, name) = key
        .split_once('.')
        .map_or((key, None), |(g, n)| (g, Some(n)));
    let members = counts
        .get(group)
        .and_then(Value::as_object)
        .ok_or_else(|| {
            let groups: Vec<&str> = counts
                .as_object()
                .map(|o| o.keys().map(String::as_str).collect())
                .unwrap_or_default();
            format!(
                "stats: no group '{group}'; there are: {}",
                groups.join(", ")
            )
        })?;
    let Some(name) = name else {
        let lines: Vec<String> = members.iter().map(|(k, v)| format!("{k} {v}")).collect();
        return Ok(lines.join("\n"));
    };
    match members.get(name) {
        Some(value) => Ok(value.to_string()),
        None if GROW.contains(&group) => Ok("0".to_owned()),
        None => {
            let names: Vec<&str> = members.keys().map(String::as_str).collect();
            Err(format!(
                "stats: no '{name}' in {group}; there are: {}",
                names.join(", ")
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn counts() -> Value {
        json!({ "live": { "clients": 1, "vgpus": 2 }, "refusals": { "rpc-size": 3 }, "counts": {} })
    }

    #[test]
    fn picks_group_and_number() {
        let c = counts();
        assert_eq!(select(&c, Some("live")).unwrap(), "clients 1\nvgpus 2");
        assert_eq!(select(&c, Some("live.vgpus")).unwrap(), "2");
        assert_eq!(select(&c, Some("refusals.rpc-size")).unwrap(), "3");
        assert!(select(&c, None).unwrap().contains("\"clients\": 1"));
    }

    #[test]
    fn never_happened_is_zero_but_a_wrong_name_is_an_error() {
        let c = counts();
        assert_eq!(select(&c, Some("refusals.other")).unwrap(), "0");
        assert!(select(&c, Some("live.vgpu")).unwrap_err().contains("vgpus"));
        assert!(select(&c, Some("lives")).unwrap_err().contains("refusals"));
    }
}
