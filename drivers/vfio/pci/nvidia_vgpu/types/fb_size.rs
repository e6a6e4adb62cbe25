// SPDX-License-Identifier: GPL-2.0

//! How much framebuffer a vGPU gets, and how many channels.
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
//! `kernel_vgpu_mgr.c`. BOOTLOAD refuses a length that is not a multiple of the VMMU segment, so
//! the result is rounded down in every case.
//!
//! Pure: also compiled on the host by `tools/testing/host-tests`.

const MIB: u64 = 1 << 20;

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

/// All lengths in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Input {
    /// FB of the PF that vGPUs can be made of.
    pub(crate) total_fb: u64,
    /// VMMU segment, a power of two.
    pub(crate) segment: u64,
    /// ECC is on.
    pub(crate) ecc_enabled: bool,
    /// The type's FB length.
    pub(crate) fb_length: u64,
    /// The type's reservation.
    pub(crate) fb_reservation: u64,
    /// The type's management heap.
    pub(crate) gsp_heap_size: u64,
    /// The type's instances per PF.
    pub(crate) max_instance: u32,
    /// The type can be used with ECC on.
    pub(crate) ecc_supported: bool,
}

/// Why there is no length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// ECC is on and the type does not support it.
    Ecc,
    /// Nothing is left after reservation and heap, or a number is out of range.
    NoSpace,
}

/// Guest FB length in bytes, a nonzero multiple of the segment.
///
/// # Errors
/// See [`Refusal`].
pub(crate) fn guest_fb_length(rule: Rule, input: &Input) -> Result<u64, Refusal> {
    if input.ecc_enabled && !input.ecc_supported {
        return Err(Refusal::Ecc);
    }
    if !input.segment.is_power_of_two() || input.max_instance == 0 {
        return Err(Refusal::NoSpace);
    }
    let total = match rule {
        Rule::Rfc if !input.ecc_enabled => None,
        Rule::Rfc => Some(align_up(input.total_fb, input.segment)?),
        Rule::HostRm => {
            let eight = input.segment.checked_mul(8).ok_or(Refusal::NoSpace)?;
            Some(align_up(input.total_fb / MIB * MIB, eight)?)
        }
    };
    let length = match total {
        None => input.fb_length,
        Some(total) => (total / u64::from(input.max_instance))
            .checked_sub(input.fb_reservation)
            .and_then(|share| share.checked_sub(input.gsp_heap_size))
            .ok_or(Refusal::NoSpace)?
            .min(input.fb_length),
    };
    match length & !(input.segment - 1) {
        0 => Err(Refusal::NoSpace),
        length => Ok(length),
    }
}

fn align_up(value: u64, power_of_two: u64) -> Result<u64, Refusal> {
    value
        .checked_add(power_of_two - 1)
        .map(|v| v & !(power_of_two - 1))
        .ok_or(Refusal::NoSpace)
}

/// Channels of one vGPU: the largest power of two of which `max_instance` fit into `total`.
///
/// `None` when there are fewer channels than instances.
pub(crate) fn channel_count(total: u32, max_instance: u32) -> Option<u32> {
    let share = total.checked_div(max_instance)?;
    Some(1 << share.checked_ilog2()?)
}
