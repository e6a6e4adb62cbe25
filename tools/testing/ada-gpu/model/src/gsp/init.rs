// SPDX-License-Identifier: GPL-2.0

//! The two messages a driver sends before INIT_DONE.
//!
//! ```text
//! GSP_SET_SYSTEM_INFO  0x3a0 bytes: PCI addresses, config mirror, VF info
//! SET_REGISTRY         size, count, count * {name, type, data, length}, strings
//! ```
//!
//! Offsets are those of 570.144 (OGKM, g_rpc-structures.h).

use crate::bytes::{u32_at, u64_at, u8_at};
use crate::services::{RegistryValue, SystemInfo, VfInfo};
use crate::ucode::{refuse, Refusal};
use std::collections::BTreeMap;

/// Payload size of GSP_SET_SYSTEM_INFO.
pub const SYSTEM_INFO_SIZE: usize = 0x3a0;
const CONFIG_MIRROR: (u32, u32) = (0x8_8000, 0x1000);
const HYPERVISORS: u32 = 5;

/// What a driver must have told truthfully: read from configuration space.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PciFacts {
    /// Device id << 16 | vendor id.
    pub id: u32,
    /// BAR0, BAR1, BAR3 bus addresses.
    pub bars: [u64; 3],
    /// SR-IOV geometry of the board.
    pub vf: VfInfo,
}

/// Decodes and checks GSP_SET_SYSTEM_INFO.
pub fn system_info(b: &[u8], facts: &PciFacts) -> Result<SystemInfo, Refusal> {
    if b.len() != SYSTEM_INFO_SIZE {
        refuse!("system-info-size", "{:#x} bytes", b.len());
    }
    let w = |off| u32_at(b, off).unwrap_or(0);
    let q = |off| u64_at(b, off).unwrap_or(0);
    let bars = [q(0), q(8), q(0x10)];
    if bars != facts.bars {
        refuse!(
            "system-info-bars",
            "BARs {bars:x?}, configuration space has {:x?}",
            facts.bars
        );
    }
    if (w(0x50), w(0x54)) != CONFIG_MIRROR {
        refuse!(
            "system-info-mirror",
            "config mirror {:#x} size {:#x}",
            w(0x50),
            w(0x54)
        );
    }
    if w(0x58) != facts.id {
        refuse!("system-info-id", "PCI id {:#x}", w(0x58));
    }
    if w(0x344) >= HYPERVISORS {
        refuse!("system-info-hypervisor", "hypervisor type {}", w(0x344));
    }
    let vf = VfInfo {
        total_vfs: w(0x358),
        first_vf_offset: w(0x35c),
        first_vf_bar: [q(0x360), q(0x368), q(0x370)],
        bar_is_64bit: [0x378, 0x379, 0x37a].map(|o| u8_at(b, o).unwrap_or(0) != 0),
    };
    // Bare-metal drivers leave it zero; a partly wrong one is a mistake.
    if vf != VfInfo::default() && vf != facts.vf {
        refuse!(
            "system-info-vf",
            "{vf:x?}, configuration space has {:x?}",
            facts.vf
        );
    }
    Ok(SystemInfo {
        bars,
        dbdf: q(0x20),
        hypervisor: w(0x344),
        vf,
    })
}

/// Decodes SET_REGISTRY.
pub fn registry(b: &[u8]) -> Result<BTreeMap<String, RegistryValue>, Refusal> {
    const ENTRY: usize = 16;
    let bad = |what: &str| -> Result<BTreeMap<String, RegistryValue>, Refusal> {
        refuse!("registry-table", "{what}")
    };
    let (Some(size), Some(count)) = (u32_at(b, 0), u32_at(b, 4)) else {
        return bad("shorter than its header");
    };
    if size as usize != b.len() || count as usize > b.len() / ENTRY {
        return bad(&format!(
            "size {size:#x} and {count} entries in {:#x} bytes",
            b.len()
        ));
    }
    let strings = 8 + count as usize * ENTRY;
    let text = |off: u32| -> Option<String> {
        let off = off as usize;
        let tail = b.get(off..).filter(|_| off >= strings)?;
        let end = tail.iter().position(|c| *c == 0)?;
        String::from_utf8(tail[..end].to_vec()).ok()
    };
    let mut out = BTreeMap::new();
    for i in 0..count as usize {
        let e = 8 + i * ENTRY;
        let (Some(name), Some(kind), Some(data), Some(len)) = (
            u32_at(b, e),
            u8_at(b, e + 4),
            u32_at(b, e + 8),
            u32_at(b, e + 12),
        ) else {
            return bad("entry outside of the table");
        };
        let Some(name) = text(name).filter(|n| !n.is_empty()) else {
            return bad(&format!("name of entry {i}"));
        };
        let value = match kind {
            1 => RegistryValue::Dword(data),
            2 => {
                let start = data as usize;
                match b.get(start..start.saturating_add(len as usize)) {
                    Some(v) if start >= strings => RegistryValue::Binary(v.to_vec()),
                    _ => return bad(&format!("value of {name}")),
                }
            }
            3 => match text(data) {
                Some(v) => RegistryValue::String(v),
                None => return bad(&format!("value of {name}")),
            },
            _ => return bad(&format!("type {kind} of {name}")),
        };
        out.insert(name, value);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bytes::{put, put_u32, put_u64};

    fn table() -> Vec<u8> {
        let mut b = vec![0; 8 + 16];
        b.extend_from_slice(b"RMSetSriovMode\0");
        let size = b.len() as u32;
        put_u32(&mut b, 0, size);
        put_u32(&mut b, 4, 1);
        put_u32(&mut b, 8, 24);
        put(&mut b, 12, &[1]);
        put_u32(&mut b, 16, 1);
        put_u32(&mut b, 20, 4);
        b
    }

    #[test]
    fn registry_good_and_bad() {
        let r = registry(&table()).unwrap();
        assert_eq!(r["RMSetSriovMode"], RegistryValue::Dword(1));
        for (off, v) in [
            (0, 1u32),
            (4, 2),
            (4, u32::MAX),
            (8, 0),
            (8, 4000),
            (12, 9),
            (12, 3),
        ] {
            let mut b = table();
            put_u32(&mut b, off, v);
            assert!(registry(&b).is_err(), "{off} = {v}");
        }
        let mut unterminated = table();
        unterminated.pop();
        let size = unterminated.len() as u32;
        put_u32(&mut unterminated, 0, size);
        assert!(registry(&unterminated).is_err());
    }

    #[test]
    fn system_info_is_compared_with_configuration_space() {
        let facts = PciFacts {
            id: 0x26b1_10de,
            bars: [0x1000_0000, 0x8_0000_0000, 0x8_1000_0000],
            vf: VfInfo {
                total_vfs: 32,
                first_vf_offset: 4,
                first_vf_bar: [1, 2, 3],
                bar_is_64bit: [false, true, true],
            },
        };
        let mut b = vec![0; SYSTEM_INFO_SIZE];
        for (i, bar) in facts.bars.iter().enumerate() {
            put_u64(&mut b, 8 * i, *bar);
        }
        put_u32(&mut b, 0x50, CONFIG_MIRROR.0);
        put_u32(&mut b, 0x54, CONFIG_MIRROR.1);
        put_u32(&mut b, 0x58, facts.id);
        assert_eq!(system_info(&b, &facts).unwrap().vf, VfInfo::default());
        put_u32(&mut b, 0x358, 32);
        assert_eq!(
            system_info(&b, &facts).map_err(|r| r.kind),
            Err("system-info-vf")
        );
        put_u32(&mut b, 0x35c, 4);
        for i in 0..3u8 {
            put_u64(&mut b, 0x360 + 8 * usize::from(i), u64::from(i) + 1);
        }
        put(&mut b, 0x378, &[0, 1, 1]);
        assert_eq!(system_info(&b, &facts).unwrap().vf, facts.vf);
        put_u64(&mut b, 8, 0);
        assert!(system_info(&b, &facts).is_err());
        assert!(system_info(&b[1..], &facts).is_err());
    }
}
