// SPDX-License-Identifier: GPL-2.0

//! How much frame buffer a guest gets, and where it may lie.
//!
//! ```text
//!   largest region   |  window: whole segments, of vGPUs                     |  PF_SHARE  |
//! ```
//!
//! The PF driver takes its own from the end, so that the window stays in one piece. Of it each guest
//! has a share:
//!
//! ```text
//!   share = total' / max_instance - fb_reservation - gsp_heap_size
//!   guest = align_down(min(share, fb_length), segment)
//!
//!             total'                                   applied
//!   Rfc       align_up(total, segment)                 when ECC is on, else fb_length alone
//!   HostRm    align_up(whole MiB of total, 8 segments) always
//! ```
//!
//! Both are published: `Rfc` in `vgpu.c` of the NVIDIA vGPU VFIO RFC v2, `HostRm` in OGKM 570.144
//! `kernel_vgpu_mgr.c`. The VMMU maps whole segments, each to one guest, and BOOTLOAD refuses an
//! address or a length that is no multiple of them. So the length is rounded down in every case,
//! and where the range lies is checked.
//!
//! Pure: also compiled on the host by `tools/testing/host-tests`.

use core::ops::Range;

use super::spans::{
    align_down,
    align_up, //
};

const MIB: u64 = 1 << 20;
/// What the PF driver keeps for its page tables and channels.
const PF_SHARE: u64 = 64 * MIB;
/// Segments that the host resource manager aligns the total to.
const HOST_RM_SEGMENTS: u64 = 8;

/// Whose formula.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// The VFIO RFC's.
    Rfc,
    /// The host resource manager's.
    #[allow(
        dead_code,
        reason = "the alternative, kept tested until hardware decides"
    )]
    HostRm,
}

/// What a type of vGPU says of its frame buffer. All lengths in bytes.
#[derive(Clone, Copy, Debug)]
pub struct GuestFb {
    /// Most that a guest gets.
    pub fb_length: u64,
    /// Taken off its share of the GPU.
    pub fb_reservation: u64,
    /// Length of its management heap, which comes out of its share as well.
    pub gsp_heap_size: u64,
    /// Guests that share the GPU.
    pub max_instance: u32,
    /// The type can be used with ECC on.
    pub ecc_supported: bool,
}

/// What the GPU says of its frame buffer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Board {
    /// Bytes of the window.
    pub(crate) total: u64,
    /// Bytes of a VMMU segment, a power of two.
    pub(crate) segment: u64,
    /// ECC is on.
    pub(crate) ecc_enabled: bool,
}

/// Why there is no length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GuestFbError {
    /// ECC is on and the type does not support it.
    Ecc,
    /// Nothing is left after reservation and heap, or a number is out of range.
    NoSpace,
}

/// Length in bytes of the frame buffer of a guest, a non-zero multiple of the segment.
///
/// # Errors
///
/// See [`GuestFbError`].
pub(crate) fn length(rule: Rule, board: &Board, guest: &GuestFb) -> Result<u64, GuestFbError> {
    if board.ecc_enabled && !guest.ecc_supported {
        return Err(GuestFbError::Ecc);
    }
    if !board.segment.is_power_of_two() || guest.max_instance == 0 {
        return Err(GuestFbError::NoSpace);
    }
    let total = match rule {
        Rule::Rfc if !board.ecc_enabled => None,
        Rule::Rfc => Some((board.total, board.segment)),
        Rule::HostRm => {
            let segments = board.segment.checked_mul(HOST_RM_SEGMENTS);
            Some((
                board.total / MIB * MIB,
                segments.ok_or(GuestFbError::NoSpace)?,
            ))
        }
    };
    let length = match total {
        None => guest.fb_length,
        Some((total, unit)) => align_up(total, unit)
            .map(|total| total / u64::from(guest.max_instance))
            .and_then(|share| share.checked_sub(guest.fb_reservation))
            .and_then(|share| share.checked_sub(guest.gsp_heap_size))
            .ok_or(GuestFbError::NoSpace)?
            .min(guest.fb_length),
    };
    match align_down(length, board.segment) {
        0 => Err(GuestFbError::NoSpace),
        length => Ok(length),
    }
}

/// Frame buffer of all vGPUs; empty if there is none.
pub(crate) fn window(regions: impl Iterator<Item = Range<u64>>, segment: u64) -> Range<u64> {
    let largest = regions.max_by_key(|r| r.end.saturating_sub(r.start));
    let window = largest.filter(|_| segment.is_power_of_two()).and_then(|r| {
        let end = align_down(r.end.checked_sub(PF_SHARE)?, segment);
        Some(align_up(r.start, segment)?..end)
    });
    window.filter(|w| !w.is_empty()).unwrap_or(0..0)
}

/// Whether `range` can be the frame buffer of a guest: not empty, and whole segments.
pub(crate) fn is_placed(range: &Range<u64>, segment: u64) -> bool {
    segment.is_power_of_two()
        && !range.is_empty()
        && range.start % segment == 0
        && range.end % segment == 0
}
