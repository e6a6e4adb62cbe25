// SPDX-License-Identifier: GPL-2.0

//! Address spaces: FERMI_VASPACE_A and the page directories given to it.
//!
//! ```text
//!   NV_VASPACE_ALLOCATION_PARAMETERS (0x30)
//!     0 index  4 flags (bit 3 externally owned)  8 vaSize  0x10 internal start, limit
//!     0x20 bigPageSize  0x28 vaBase
//!
//!   SET_PAGE_DIRECTORY (0x20)                 UNSET_PAGE_DIRECTORY (8)
//!     0 physAddress  8 numEntries  0xc flags    0 hVASpace  4 subDeviceId
//!     0x10 hVASpace  0x14 chId  0x18 subDeviceId  0x1c pasid
//!
//!   COPY_SERVER_RESERVED_PDES (0xb8): the driver's directories down to the window
//!   that RM uses in an address space of its own; each must be linked from the one
//!   above it
//!     0 hSubDevice  4 subDeviceId  8 pageSize  0x10 virtAddrLo  0x18 virtAddrHi
//!     0x20 numLevelsToCopy  0x28 6 x { physAddress, size, aperture, pageShift }
//! ```
//!
//! Checks and statuses: OGKM 570.144 `src/nvidia/src/kernel/mem_mgr/gpu_vaspace.c`
//! (gvaspaceExternalRootDirCommit, -Revoke), `vaspace_api.c`. A root directory in
//! system memory is legal there; the model has none and refuses it.

use crate::bytes::{u32_at, u64_at, u8_at};
use crate::fifo::space::{Space, VA_SIZE};
use crate::fifo::Key;
use crate::rm::classes::Kind;
use crate::rm::controls::Target;
use crate::rm::static_info::usable_fb;
use crate::rm::status::{refuse, Refusal};
use crate::rm::Rm;
use crate::services::Services;

/// NV_VASPACE_ALLOCATION_INDEX_GPU_NEW.
const INDEX_NEW: u32 = 0;
const FLAG_EXTERNALLY_OWNED: u32 = 1 << 3;
const BIG_PAGE_64K: u32 = 0x1_0000;
const BIG_PAGE_128K: u32 = 0x2_0000;
const PAGE: u64 = 4096;

/// Entries of a root directory, and the shifts of the three upper levels.
const ROOT_ENTRIES: u32 = 4;
const LEVEL_SHIFTS: [u8; 3] = [47, 38, 29];
const LEVELS_AT: usize = 0x28;
const LEVEL_SIZE: usize = 0x18;
const LEVEL_VIDEO: u32 = 1;

/// Allocation of an address space.
pub fn construct(s: &mut Services<'_>, key: Key, p: &[u8]) -> Result<(), Refusal> {
    let word = |at| u32_at(p, at).unwrap_or(0);
    let long = |at| u64_at(p, at).unwrap_or(0);
    let (index, flags, big) = (word(0), word(4), word(0x20));
    if index != INDEX_NEW {
        refuse!(
            ERR_NOT_SUPPORTED,
            "vaspace-index",
            "address space index {index}: only new ones are modelled"
        )
    }
    if ![0, BIG_PAGE_64K, BIG_PAGE_128K].contains(&big) {
        refuse!(
            ERR_INVALID_ARGUMENT,
            "vaspace-big-page",
            "big page size {big:#x}"
        )
    }
    let (size, base) = (long(8), long(0x28));
    let limit = match size {
        0 => Some(VA_SIZE),
        _ => base.checked_add(size).filter(|end| *end <= VA_SIZE),
    };
    let Some(limit) = limit.filter(|end| base < *end) else {
        refuse!(
            ERR_INVALID_ARGUMENT,
            "vaspace-size",
            "virtual addresses {base:#x}+{size:#x} do not fit 49 bits"
        )
    };
    s.fifo.spaces.insert(
        key,
        Space {
            external: flags & FLAG_EXTERNALLY_OWNED != 0,
            limit,
            root: None,
        },
    );
    Ok(())
}

/// An address space is freed.
pub fn destroy(s: &mut Services<'_>, key: Key) {
    let channels = s.fifo.users(key).count();
    let groups = s.fifo.groups.values().filter(|g| g.space == key).count();
    if channels + groups != 0 {
        s.refuse(
            "vaspace-busy",
            format_args!(
                "address space {:#x} freed under {channels} channels and {groups} groups",
                key.1
            ),
        );
    }
    s.fifo.clear_root(key);
    s.fifo.spaces.remove(&key);
}

/// The address space a control names.
fn find<'a>(
    rm: &Rm,
    s: &'a mut Services<'_>,
    client: u32,
    handle: u32,
) -> Result<&'a mut Space, Refusal> {
    let object = rm.objects.find(client, handle)?;
    match s.fifo.spaces.get_mut(&(client, handle)) {
        Some(space) if object.class.kind == Kind::VaSpace => Ok(space),
        _ => refuse!(
            ERR_INVALID_OBJECT_HANDLE,
            "vaspace-handle",
            "{handle:#x} is not an address space"
        ),
    }
}

/// A directory must be made of a page of memory that the driver may use.
fn check_directory(rm: &Rm, s: &Services<'_>, addr: u64) -> Result<(), Refusal> {
    let usable = usable_fb(s);
    let end = addr.saturating_add(PAGE);
    if addr % PAGE != 0 || addr < usable.start || end > usable.end {
        refuse!(
            ERR_INVALID_ADDRESS,
            "vaspace-directory",
            "page directory {addr:#x} is not an aligned page of the usable FB"
        )
    }
    if let Some(gfid) = rm.vgpus.owner(&(addr..end)) {
        refuse!(
            ERR_INVALID_ADDRESS,
            "vaspace-directory",
            "page directory {addr:#x} is in the memory of gfid {gfid}"
        )
    }
    Ok(())
}

/// SET_PAGE_DIRECTORY.
pub fn set_directory(
    rm: &Rm,
    s: &mut Services<'_>,
    target: Target,
    p: &[u8],
) -> Result<(), Refusal> {
    const APERTURE: u32 = 3;
    let word = |at| u32_at(p, at).unwrap_or(0);
    let (addr, entries, flags) = (u64_at(p, 0).unwrap_or(0), word(8), word(0xc));
    let space = find(rm, s, target.client, word(0x10))?;
    if !space.external {
        refuse!(
            ERR_NOT_SUPPORTED,
            "vaspace-owner",
            "address space {:#x} is not externally owned",
            word(0x10)
        )
    }
    if let Some(root) = space.root {
        refuse!(
            ERR_INVALID_STATE,
            "vaspace-root-set",
            "address space {:#x} has its page directory at {root:#x}",
            word(0x10)
        )
    }
    match flags & APERTURE {
        0 => {}
        1 | 2 => refuse!(
            ERR_NOT_SUPPORTED,
            "vaspace-aperture",
            "page directory in system memory is not modelled"
        ),
        a => refuse!(ERR_INVALID_ARGUMENT, "vaspace-aperture", "aperture {a}"),
    }
    if entries != ROOT_ENTRIES {
        refuse!(
            ERR_INVALID_ARGUMENT,
            "vaspace-entries",
            "page directory of {entries} entries, the root has {ROOT_ENTRIES}"
        )
    }
    check_directory(rm, s, addr)?;
    find(rm, s, target.client, word(0x10))?.root = Some(addr);
    Ok(())
}

/// UNSET_PAGE_DIRECTORY.
pub fn unset_directory(
    rm: &Rm,
    s: &mut Services<'_>,
    target: Target,
    p: &[u8],
) -> Result<(), Refusal> {
    let handle = u32_at(p, 0).unwrap_or(0);
    let key = (target.client, handle);
    let space = find(rm, s, target.client, handle)?;
    if !space.external || space.root.is_none() {
        refuse!(
            ERR_INVALID_STATE,
            "vaspace-root-unset",
            "address space {handle:#x} has no page directory to take away"
        )
    }
    s.fifo.clear_root(key);
    let users = s.fifo.users(key).filter(|c| c.enabled).count();
    if users != 0 {
        s.refuse(
            "vaspace-busy",
            format_args!("page directory of {handle:#x} taken away from {users} running channels"),
        );
    }
    Ok(())
}

/// COPY_SERVER_RESERVED_PDES.
pub fn copy_reserved(
    rm: &Rm,
    s: &mut Services<'_>,
    target: Target,
    p: &[u8],
) -> Result<(), Refusal> {
    let word = |at| u32_at(p, at).unwrap_or(0);
    let long = |at| u64_at(p, at).unwrap_or(0);
    let (low, high) = (long(0x10), long(0x18));
    let space = find(rm, s, target.client, target.object)?;
    if space.external || space.root.is_some() {
        refuse!(
            ERR_INVALID_STATE,
            "vaspace-owner",
            "address space {:#x} takes no directories of the driver (any more)",
            target.object
        )
    }
    if low > high || high >= space.limit {
        refuse!(
            ERR_INVALID_ARGUMENT,
            "vaspace-window",
            "window {low:#x}..={high:#x}"
        )
    }
    if word(0x20) as usize != LEVEL_SHIFTS.len() {
        refuse!(
            ERR_INVALID_ARGUMENT,
            "vaspace-levels",
            "{} levels, expected {}",
            word(0x20),
            LEVEL_SHIFTS.len()
        )
    }
    let mut tables = [0; LEVEL_SHIFTS.len()];
    for (i, shift) in LEVEL_SHIFTS.into_iter().enumerate() {
        let at = LEVELS_AT + i * LEVEL_SIZE;
        if word(at + 0x10) != LEVEL_VIDEO || u8_at(p, at + 0x14) != Some(shift) {
            refuse!(
                ERR_INVALID_ARGUMENT,
                "vaspace-levels",
                "level {i}: aperture {} page shift {:?}, expected video memory and {shift}",
                word(at + 0x10),
                u8_at(p, at + 0x14)
            )
        }
        tables[i] = long(at);
        check_directory(rm, s, tables[i])?;
    }
    for (i, pair) in tables.windows(2).enumerate() {
        let shift = LEVEL_SHIFTS[i];
        let index = low >> shift & if i == 0 { 3 } else { 0x1ff };
        let entry = s.vram.read64(pair[0] + 8 * index).unwrap_or(0);
        // A pointer into video memory: aperture 1 in 2:1, address >> 12 in 32:8.
        if entry & 7 != 2 || entry >> 8 & 0x1ff_ffff != pair[1] >> 12 {
            refuse!(
                ERR_INVALID_ARGUMENT,
                "vaspace-levels",
                "entry {entry:#x} of level {i} does not lead to {:#x}",
                pair[1]
            )
        }
    }
    find(rm, s, target.client, target.object)?.root = Some(tables[0]);
    Ok(())
}
