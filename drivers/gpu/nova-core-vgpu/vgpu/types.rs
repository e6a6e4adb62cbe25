// SPDX-License-Identifier: GPL-2.0

//! Plain data of the interface to the VF driver.
//!
//! ```text
//!   Support   yes, or the reason why not      Info   facts that do not change while bound
//! ```

use core::ops::Range;

use kernel::prelude::*;

pub use crate::{
    fb::{
        guest::{
            GuestFb,
            GuestFbError, //
        },
        manager::{
            FbOwner,
            FbRequest, //
        }, //
    },
    fifo::engines::EngineBitmap,
    gsp::rm::{
        RmError,
        Wait, //
    },
    mm::pagetable::PageSize, //
};

/// Whether the PF can have vGPUs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Support {
    /// SR-IOV capability, known board, firmware with vGPU, and a successful initialisation.
    Supported,
    /// One of them is missing; a sentence for the log.
    NotSupported(&'static str),
}

/// Facts about the GPU that do not change while the PF is bound.
///
/// Without vGPU support, everything about vGPUs is zero or empty.
#[derive(Debug, PartialEq, Eq)]
pub struct Info {
    /// PCI device id of the PF.
    pub device_id: u16,
    /// Name of the chip, such as `AD102`.
    pub chip: &'static str,
    /// Version of the running GSP firmware.
    pub firmware_version: &'static CStr,
    /// Bytes of frame buffer that can be handed out.
    pub fb_total: u64,
    /// Frame buffer that vGPUs can be made of, in one piece: whole VMMU segments.
    pub vgpu_fb: Range<u64>,
    /// Bytes of a VMMU segment: guest frame buffer starts and ends on multiples of it.
    pub vmmu_segment_size: u64,
    /// Whether ECC of the frame buffer is on.
    pub ecc_enabled: bool,
    /// Channel IDs that all vGPUs share, the same ones on every runlist.
    pub channels: Range<u32>,
    /// Engines, by `NV2080_ENGINE_TYPE`.
    pub engines: EngineBitmap,
    /// Most VFs that can be enabled.
    pub total_vfs: u16,
}

/// How a range of frame buffer is to be mapped.
#[derive(Clone, Copy, Debug)]
pub struct MapInfo {
    /// Bytes of the range to skip; a multiple of 4 KiB.
    pub offset: u64,
    /// Bytes to map; a multiple of 4 KiB.
    pub size: u64,
    /// Only pages of this size, of which the memory's address and `size` are multiples; `None`:
    /// the largest that fit.
    pub page_size: Option<PageSize>,
    /// Memory kind of the GPU's MMU; 0 is pitch.
    pub kind: u8,
}

impl MapInfo {
    /// Plain memory, in the largest pages that fit.
    pub const fn new(offset: u64, size: u64) -> Self {
        Self {
            offset,
            size,
            page_size: None,
            kind: 0,
        }
    }
}

/// Bits of the PRIV doorbell's vectors that belong to one GFID.
const VECTORS_PER_GFID: u32 = 32;
/// The one that asks the firmware task of the GFID to look at a message of the host
/// (OGKM 570.144 `src/nvidia/interface/nv_sriov_defines.h`).
const VECTOR_HOST_MESSAGE: u32 = 17;

/// Doorbell vector of the firmware task that serves `gfid`.
pub fn plugin_vector(gfid: u32) -> u32 {
    gfid.wrapping_mul(VECTORS_PER_GFID)
        .wrapping_add(VECTOR_HOST_MESSAGE)
}
