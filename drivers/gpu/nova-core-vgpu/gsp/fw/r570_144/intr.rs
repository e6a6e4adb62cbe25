// SPDX-License-Identifier: GPL-2.0

//! Parameters of `NV2080_CTRL_CMD_INTERNAL_INTR_GET_KERNEL_TABLE`: which engine has which vector.
//!
//! ```text
//!  0x000 number of entries
//!  0x004 128 * { engine u16, -, PMC mask u32, stall vector u32, non-stall vector u32 }
//!  0x804 7 * { first subtree u8, last subtree u8 }, by use
//! ```
//!
//! The PMC mask is of chips before Turing. Source: OGKM 570.144 `ctrl2080internal.h`; engines
//! `engine_idx.h`, absent vectors `dev_ctrl_defines.h`.
//!
//! Pure: also compiled on the host by `tools/testing/host-tests`.

use super::super::super::super::bytes::{u16_at, u32_at};

/// The control.
pub(crate) const CTRL_INTERNAL_INTR_GET_KERNEL_TABLE: u32 = 0x2080_0a5c;
/// Bytes of its parameters.
pub(crate) const SIZE: usize = 0x814;
/// Entries that fit.
pub(crate) const MAX_ENTRIES: usize = 128;

/// `MC_ENGINE_IDX_CE0`, the first of ten that follow each other.
pub(crate) const ENGINE_CE0: u16 = 15;
/// `MC_ENGINE_IDX_GSP`.
pub(crate) const ENGINE_GSP: u16 = 50;

const COUNT: usize = 0;
const ENTRIES: usize = 4;
const ENTRY_SIZE: usize = 16;
const ENTRY_ENGINE: usize = 0;
const ENTRY_STALL: usize = 8;
const ENTRY_NONSTALL: usize = 12;
/// `NV_INTR_VECTOR_INVALID`.
const VECTOR_NONE: u32 = u32::MAX;

/// The table makes no sense; the text names the field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Invalid(pub(crate) &'static str);

/// Vectors of one engine. They are as firmware tells them: whether the tree has such vectors is
/// for the interrupt code to check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    /// `MC_ENGINE_IDX`.
    pub(crate) engine: u16,
    /// Vector of errors and requests for service.
    pub(crate) stall: Option<u32>,
    /// Vector of notifications.
    pub(crate) nonstall: Option<u32>,
}

/// The entries of a reply.
///
/// # Errors
///
/// [`Invalid`] when the reply is too short or has more entries than fit.
pub(crate) fn entries(
    params: &[u8],
) -> Result<impl Iterator<Item = Result<Entry, Invalid>> + '_, Invalid> {
    if params.len() != SIZE {
        return Err(Invalid("length"));
    }
    let count = u32_at(params, COUNT)
        .and_then(|count| usize::try_from(count).ok())
        .filter(|count| *count <= MAX_ENTRIES)
        .ok_or(Invalid("number of entries"))?;

    Ok((0..count).map(move |i| entry(params, ENTRIES + i * ENTRY_SIZE)))
}

fn entry(params: &[u8], at: usize) -> Result<Entry, Invalid> {
    let vector = |offset| {
        u32_at(params, at + offset)
            .map(|vector| (vector != VECTOR_NONE).then_some(vector))
            .ok_or(Invalid("vector"))
    };

    Ok(Entry {
        engine: u16_at(params, at + ENTRY_ENGINE).ok_or(Invalid("engine"))?,
        stall: vector(ENTRY_STALL)?,
        nonstall: vector(ENTRY_NONSTALL)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(rows: &[(u16, u32, u32)]) -> Vec<u8> {
        let mut bytes = vec![0; SIZE];
        bytes[..4].copy_from_slice(&(rows.len() as u32).to_le_bytes());
        for (row, to) in rows.iter().zip(bytes[4..0x804].chunks_exact_mut(16)) {
            to[..2].copy_from_slice(&row.0.to_le_bytes());
            to[4..8].copy_from_slice(&0x5555_5555_u32.to_le_bytes());
            to[8..12].copy_from_slice(&row.1.to_le_bytes());
            to[12..].copy_from_slice(&row.2.to_le_bytes());
        }
        bytes
    }

    #[test]
    fn what_the_entries_say() {
        let bytes = params(&[(50, 155, u32::MAX), (15, u32::MAX, 1)]);
        let found: Vec<_> = entries(&bytes).unwrap().map(Result::unwrap).collect();
        let entry = |engine, stall, nonstall| Entry {
            engine,
            stall,
            nonstall,
        };
        assert_eq!(
            found,
            [entry(50, Some(155), None), entry(15, None, Some(1))]
        );
    }

    #[test]
    fn a_full_table_and_one_too_full() {
        let rows = [(1, 2, 3); MAX_ENTRIES];
        let mut bytes = params(&rows);
        assert_eq!(entries(&bytes).unwrap().count(), MAX_ENTRIES);
        bytes[0] += 1;
        assert_eq!(entries(&bytes).err(), Some(Invalid("number of entries")));
        bytes[..4].fill(0xff);
        assert!(entries(&bytes).is_err());
    }

    #[test]
    fn length_is_exact() {
        assert!(entries(&[0; SIZE - 1]).is_err());
        assert!(entries(&[0; SIZE + 1]).is_err());
        assert_eq!(entries(&[0; SIZE]).unwrap().count(), 0);
    }
}
