// SPDX-License-Identifier: GPL-2.0

//! The vGPU types GSP-RM was told about: PGPU_ADD_VGPU_TYPE.
//!
//! ```text
//!   params (334,344 bytes)
//!     0  u8   discardVgpuTypes     1: forget the earlier ones first
//!     4  u32  vgpuInfoCount        1..=64
//!     8  64 x NVA081_CTRL_VGPU_INFO, 5224 bytes each
//! ```
//!
//! Layouts: OGKM 570.144 `ctrl2080vgpumgrinternal.h` and `ctrla081.h`. NVIDIA's
//! header says that this control does no validation of a type's contents, so only
//! what would corrupt RM's own table is refused here. The whole call is checked
//! before anything changes.

use crate::bytes::{u32_at, u64_at};
use crate::rm::status::{refuse, Refusal};
use std::collections::BTreeMap;

/// Types per physical GPU (NVA081_MAX_VGPU_TYPES_PER_PGPU).
pub const MAX_TYPES: usize = 64;
/// Bytes of one NVA081_CTRL_VGPU_INFO in r570.
pub const INFO_SIZE: usize = 5224;
/// Bytes of the control's parameters.
pub const PARAMS_SIZE: usize = INFO_AT + MAX_TYPES * INFO_SIZE;

const DISCARD_AT: usize = 0;
const COUNT_AT: usize = 4;
const INFO_AT: usize = 8;

/// What the model needs of one type. Sizes in bytes unless named otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VgpuType {
    /// Type id, e.g. 941.
    pub id: u32,
    /// Marketing name.
    pub name: String,
    /// Instances per GPU when all are of this type.
    pub max_instance: u32,
    /// Guest frame buffer.
    pub fb_length: u64,
    /// Management heap.
    pub gsp_heap: u64,
    /// BAR1 aperture in MiB.
    pub bar1_mib: u64,
    /// Device id 31:16, subsystem id 15:0.
    pub vdev_id: u64,
    /// Whether it may be used with ECC on.
    pub ecc: bool,
    /// Frame buffer class; 0 for types that have no placement.
    pub profile_size: u64,
    /// Held back from the guest.
    pub fb_reservation: u64,
}

/// The table of types.
#[derive(Debug, Default, Clone)]
pub struct Types {
    by_id: BTreeMap<u32, VgpuType>,
}

impl Types {
    /// Number of types known.
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether none is known.
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// All types, by id.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &VgpuType> {
        self.by_id.values()
    }

    /// Looks a type id up.
    pub fn get(&self, id: u32) -> Option<&VgpuType> {
        self.by_id.get(&id)
    }

    /// Handles PGPU_ADD_VGPU_TYPE with parameters of the right size.
    ///
    /// A type that is already known is replaced, as in RM.
    pub fn add(&mut self, params: &[u8]) -> Result<(), Refusal> {
        let count = u32_at(params, COUNT_AT).unwrap_or(0) as usize;
        if count == 0 || count > MAX_TYPES {
            refuse!(
                ERR_INVALID_ARGUMENT,
                "type-count",
                "{count} vGPU types in one call, 1..=64 fit"
            )
        }
        let mut new = if params.get(DISCARD_AT).is_some_and(|d| *d != 0) {
            BTreeMap::new()
        } else {
            self.by_id.clone()
        };
        for i in 0..count {
            let at = INFO_AT + i * INFO_SIZE;
            let Some(t) = params.get(at..at + INFO_SIZE).and_then(decode) else {
                refuse!(
                    ERR_INVALID_ARGUMENT,
                    "type-count",
                    "vGPU type {i} is outside of the message"
                )
            };
            if t.id == 0 {
                refuse!(
                    ERR_INVALID_ARGUMENT,
                    "type-id",
                    "vGPU type {i} has the invalid id 0"
                )
            }
            new.insert(t.id, t);
        }
        if new.len() > MAX_TYPES {
            refuse!(
                ERR_NOT_SUPPORTED,
                "type-table",
                "{} vGPU types, the table has {MAX_TYPES} places",
                new.len()
            )
        }
        self.by_id = new;
        Ok(())
    }
}

/// Decodes one NVA081_CTRL_VGPU_INFO.
fn decode(info: &[u8]) -> Option<VgpuType> {
    Some(VgpuType {
        id: u32_at(info, 0)?,
        name: text(info.get(4..36)?),
        max_instance: u32_at(info, 324)?,
        ecc: u32_at(info, 352)? != 0,
        vdev_id: u64_at(info, 368)?,
        fb_length: u64_at(info, 392)?,
        gsp_heap: u64_at(info, 400)?,
        bar1_mib: u64_at(info, 432)?,
        // A MIG slice (gpuInstanceSize) is placed by other means.
        profile_size: match u32_at(info, 356)? {
            0 => u64_at(info, 384)?,
            _ => 0,
        },
        fb_reservation: u64_at(info, 408)?,
    })
}

/// A char array up to its first NUL.
fn text(b: &[u8]) -> String {
    let end = b.iter().position(|c| *c == 0).unwrap_or(b.len());
    String::from_utf8_lossy(&b[..end]).into_owned()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::bytes::{put, put_u32, put_u64};
    use crate::rm::status::NvStatus;

    /// Parameters that add 1 GiB types with these ids.
    pub(crate) fn message(discard: bool, ids: &[u32]) -> Vec<u8> {
        let mut p = vec![0; PARAMS_SIZE];
        p[DISCARD_AT] = discard.into();
        put_u32(&mut p, COUNT_AT, ids.len() as u32);
        for (i, id) in ids.iter().enumerate() {
            let at = INFO_AT + i * INFO_SIZE;
            put_u32(&mut p, at, *id);
            put(&mut p, at + 4, b"NVIDIA RTX6000-Ada-1Q\0");
            put_u32(&mut p, at + 324, 32);
            put_u32(&mut p, at + 352, 1);
            put_u64(&mut p, at + 368, 0x26b1_170a);
            put_u64(&mut p, at + 392, 1 << 30);
            put_u64(&mut p, at + 400, 32 << 20);
            put_u64(&mut p, at + 432, 256);
        }
        p
    }

    /// Id of the type of a class in [`board_48`].
    pub(crate) fn id_of(gib: u64) -> u32 {
        900 + gib as u32
    }

    /// Types of a 48 GiB board, heaps halved from 512 MiB.
    pub(crate) fn board_48() -> Types {
        let classes = [1u64, 2, 3, 4, 6, 8, 12, 16, 24, 48];
        let ids: Vec<u32> = classes.iter().map(|gib| id_of(*gib)).collect();
        let mut p = message(true, &ids);
        for (i, gib) in classes.into_iter().enumerate() {
            let at = INFO_AT + i * INFO_SIZE;
            let max = (48 / gib).min(32);
            let heap = (512 / max.next_power_of_two()).max(32);
            let fb = ((45056 / max - heap).min(gib * 1024)) / 128 * 128;
            put_u32(&mut p, at + 324, max as u32);
            put_u64(&mut p, at + 384, gib << 30);
            put_u64(&mut p, at + 392, fb << 20);
            put_u64(&mut p, at + 400, heap << 20);
        }
        let mut types = Types::default();
        types.add(&p).unwrap();
        types
    }

    #[test]
    fn sizes_are_those_of_r570() {
        assert_eq!(PARAMS_SIZE, 334_344);
    }

    #[test]
    fn decoded_fields() {
        let mut t = Types::default();
        t.add(&message(true, &[941])).unwrap();
        let q = t.get(941).unwrap();
        assert_eq!(q.name, "NVIDIA RTX6000-Ada-1Q");
        assert_eq!(
            (q.max_instance, q.fb_length, q.gsp_heap, q.bar1_mib),
            (32, 1 << 30, 32 << 20, 256)
        );
        assert_eq!((q.vdev_id, q.ecc), (0x26b1_170a, true));
        assert_eq!((q.profile_size, q.fb_reservation), (0, 0));
        let sizes: Vec<u64> = board_48().iter().map(|t| t.profile_size >> 30).collect();
        assert_eq!(sizes, [1, 2, 3, 4, 6, 8, 12, 16, 24, 48]);
    }

    #[test]
    fn discard_forgets_and_a_failure_changes_nothing() {
        let mut t = Types::default();
        t.add(&message(false, &[1, 2, 3])).unwrap();
        t.add(&message(false, &[3, 4])).unwrap();
        assert_eq!(t.len(), 4);
        assert_eq!(t.add(&message(true, &[5, 0])).unwrap_err().kind, "type-id");
        assert_eq!(t.len(), 4);
        t.add(&message(true, &[9])).unwrap();
        assert_eq!(t.len(), 1);
        assert!(t.get(1).is_none());
    }

    #[test]
    fn the_table_has_64_places() {
        let mut t = Types::default();
        let ids: Vec<u32> = (1..=64).collect();
        t.add(&message(false, &ids)).unwrap();
        assert_eq!(
            t.add(&message(false, &[100])).unwrap_err().status,
            NvStatus::ERR_NOT_SUPPORTED
        );
        t.add(&message(false, &[64])).unwrap();
        t.add(&message(true, &[100])).unwrap();
        assert_eq!(t.len(), 1);
    }

    #[test]
    fn count_is_checked_against_the_array() {
        let mut t = Types::default();
        let mut p = message(true, &[1]);
        for n in [0u32, 65, u32::MAX] {
            put_u32(&mut p, COUNT_AT, n);
            assert_eq!(t.add(&p).unwrap_err().kind, "type-count", "{n}");
        }
        assert!(t.is_empty());
    }
}
