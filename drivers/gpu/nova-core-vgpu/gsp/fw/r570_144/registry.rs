// SPDX-License-Identifier: GPL-2.0

//! Payload of SET_REGISTRY: a packed table of registry keys.
//!
//! ```text
//!  total size | entries | { name offset, type, pad, data, length } * entries | names, NUL-terminated
//! ```
//!
//! Only DWORD keys are needed. Source: OGKM 570.144 `registry.c`, `g_os_nvoc.h`
//! (`PACKED_REGISTRY_TABLE`).

use super::super::super::super::bytes::put;

const HEADER_SIZE: usize = 8;
const ENTRY_SIZE: usize = 16;
const TYPE_DWORD: u32 = 1;
const DWORD_SIZE: u32 = 4;

/// Largest table that [`write`] makes room for.
pub(crate) const MAX_SIZE: usize = 512;

/// A key and its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key {
    /// Name, without NUL.
    pub(crate) name: &'static str,
    /// Value.
    pub(crate) value: u32,
}

const fn key(name: &'static str, value: u32) -> Key {
    Key { name, value }
}

/// Keys for every boot.
const BASE: [Key; 3] = [
    // GSP must not be left with a device that a bus reset has turned off.
    key("RMSecBusResetEnable", 1),
    key("RMForcePcieConfigSave", 1),
    // Board and VBIOS ids may differ on engineering boards.
    key("RMDevidCheckIgnore", 1),
];

/// Key that makes GSP-RM use SR-IOV and run vGPU plugin tasks.
const VGPU: [Key; 1] = [key("RMSetSriovMode", 1)];

/// The keys for a boot with or without vGPU.
pub(crate) fn keys(vgpu: bool) -> impl Iterator<Item = Key> + Clone {
    let vgpu = if vgpu { &VGPU[..] } else { &[] };

    BASE.iter().chain(vgpu).copied()
}

/// Writes the table into `out` and returns its length in bytes, or `None` if `out` is too small.
pub(crate) fn write(out: &mut [u8], keys: impl Iterator<Item = Key> + Clone) -> Option<usize> {
    let count = keys.clone().count();
    let mut name_at = HEADER_SIZE + ENTRY_SIZE * count;

    for (i, key) in keys.enumerate() {
        let entry = HEADER_SIZE + ENTRY_SIZE * i;
        let words = [
            u32::try_from(name_at).ok()?,
            TYPE_DWORD,
            key.value,
            DWORD_SIZE,
        ];
        for (j, word) in words.iter().enumerate() {
            put(out, entry + 4 * j, &word.to_le_bytes())?;
        }
        put(out, name_at, key.name.as_bytes())?;
        put(out, name_at + key.name.len(), &[0])?;
        name_at += key.name.len() + 1;
    }

    put(out, 0, &u32::try_from(name_at).ok()?.to_le_bytes())?;
    put(out, 4, &u32::try_from(count).ok()?.to_le_bytes())?;
    Some(name_at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(table: &[u8]) -> Vec<(String, u32, u32)> {
        let word = |at: usize| u32::from_le_bytes(table[at..at + 4].try_into().unwrap());
        assert_eq!(word(0) as usize, table.len());
        (0..word(4) as usize)
            .map(|i| {
                let at = 8 + 16 * i;
                let name = &table[word(at) as usize..];
                let end = name.iter().position(|b| *b == 0).unwrap();
                assert_eq!(word(at + 4), 1);
                (
                    String::from_utf8(name[..end].to_vec()).unwrap(),
                    word(at + 8),
                    word(at + 12),
                )
            })
            .collect()
    }

    #[test]
    fn vgpu_adds_sriov_mode() {
        let mut out = [0; MAX_SIZE];
        let len = write(&mut out, keys(true)).unwrap();
        let with = parse(&out[..len]);
        assert_eq!(with.last().unwrap(), &("RMSetSriovMode".into(), 1, 4));

        let mut out = [0; MAX_SIZE];
        let len = write(&mut out, keys(false)).unwrap();
        let without = parse(&out[..len]);
        assert_eq!(without, with[..3]);
    }

    #[test]
    fn too_small_is_refused() {
        let mut out = [0; MAX_SIZE];
        let len = write(&mut out, keys(true)).unwrap();
        for short in 0..len {
            assert_eq!(write(&mut out[..short], keys(true)), None);
        }
    }
}
