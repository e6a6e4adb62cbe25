// SPDX-License-Identifier: GPL-2.0

//! Reply of GET_GSP_STATIC_INFO: `GspStaticConfigInfo`, 0x678 bytes.
//!
//! ```text
//!  0x158 number of FB regions | 0x160 FB regions, 16 * 0x30
//!  0x460 SR-IOV capabilities  | 0x4b0 highest GFID
//!  0x4ec name | 0x600 BAR1 page directory | 0x640 handles: client, device, subdevice
//! ```
//!
//! Source: OGKM 570.144 `gsp_static_config.h`, `ctrl2080fb.h`, `ctrl0080gpu.h`.

use super::super::super::super::bytes::{slice, u32_at, u64_at, u8_at};

/// Bytes of the reply, and of the request.
pub(crate) const SIZE: usize = 0x678;
/// FB regions that fit in the reply.
pub(crate) const MAX_REGIONS: usize = 16;

const REGION_COUNT: usize = 0x158;
const REGIONS: usize = 0x160;
const REGION_SIZE: usize = 0x30;
const SRIOV_CAPS: usize = 0x460;
const SRIOV_MAX_GFID: usize = 0x4b0;
const NAME: usize = 0x4ec;
const NAME_SIZE: usize = 64;
const BAR1_PDE_BASE: usize = 0x600;
const HANDLES: usize = 0x640;

/// The reply is too short or makes no sense; the text names the field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Invalid(pub(crate) &'static str);

/// A range of FB.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct FbRegion {
    /// First byte.
    pub(crate) start: u64,
    /// First byte after the region.
    pub(crate) end: u64,
}

/// SR-IOV as GSP-RM sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SriovCaps {
    /// TotalVFs.
    pub(crate) total_vfs: u32,
    /// First VF Offset.
    pub(crate) first_vf_offset: u32,
    /// Sizes of one VF's BAR0, BAR1 and BAR2 in bytes.
    pub(crate) bar_size: [u64; 3],
    /// GSP-RM runs in SR-IOV mode.
    pub(crate) enabled: bool,
}

/// The facts of the reply that the driver uses.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StaticInfo {
    regions: [FbRegion; MAX_REGIONS],
    region_count: usize,
    /// SR-IOV capabilities.
    pub(crate) sriov: SriovCaps,
    /// Highest GFID.
    pub(crate) sriov_max_gfid: u32,
    /// FB address of the BAR1 page directory.
    pub(crate) bar1_pde_base: u64,
    /// GSP-RM's own client.
    pub(crate) h_client: u32,
    /// GSP-RM's own subdevice.
    pub(crate) h_subdevice: u32,
    name: [u8; NAME_SIZE],
}

fn region(raw: &[u8]) -> Result<Option<FbRegion>, Invalid> {
    let field = Invalid("FB region");
    let start = u64_at(raw, 0x00).ok_or(field)?;
    let limit = u64_at(raw, 0x08).ok_or(field)?;
    let reserved = u64_at(raw, 0x10).ok_or(field)?;
    let flag = |at| u8_at(raw, at).map(|b| b != 0).ok_or(field);

    // Compression and ISO display are what tells ordinary FB from special carve-outs.
    let usable = reserved == 0 && flag(0x1c)? && flag(0x1d)? && !flag(0x1e)?;
    if !usable {
        return Ok(None);
    }
    let end = limit.checked_add(1).ok_or(field)?;
    if end <= start {
        return Err(field);
    }
    Ok(Some(FbRegion { start, end }))
}

impl StaticInfo {
    /// Decodes the reply. `fb_size` is the usable FB in bytes, which no region may exceed.
    ///
    /// # Errors
    ///
    /// [`Invalid`] names the field.
    pub(crate) fn decode(raw: &[u8], fb_size: u64) -> Result<Self, Invalid> {
        let raw = slice(raw, 0, SIZE).ok_or(Invalid("length"))?;
        let word = |at, what| u32_at(raw, at).ok_or(Invalid(what));
        let quad = |at, what| u64_at(raw, at).ok_or(Invalid(what));

        let count = word(REGION_COUNT, "FB region count")? as usize;
        if count > MAX_REGIONS {
            return Err(Invalid("FB region count"));
        }
        let mut regions = [FbRegion::default(); MAX_REGIONS];
        let mut region_count = 0;
        for i in 0..count {
            let raw =
                slice(raw, REGIONS + i * REGION_SIZE, REGION_SIZE).ok_or(Invalid("FB region"))?;
            let Some(region) = region(raw)? else { continue };
            let overlaps = regions[..region_count]
                .iter()
                .any(|r| region.start < r.end && r.start < region.end);
            if region.end > fb_size || overlaps {
                return Err(Invalid("FB region"));
            }
            regions[region_count] = region;
            region_count += 1;
        }

        let caps = |at, what| quad(SRIOV_CAPS + at, what);
        let mut name = [0; NAME_SIZE];
        name.copy_from_slice(slice(raw, NAME, NAME_SIZE).ok_or(Invalid("name"))?);

        Ok(Self {
            regions,
            region_count,
            sriov: SriovCaps {
                total_vfs: word(SRIOV_CAPS, "SR-IOV capabilities")?,
                first_vf_offset: word(SRIOV_CAPS + 4, "SR-IOV capabilities")?,
                bar_size: [
                    caps(0x28, "VF BAR sizes")?,
                    caps(0x30, "VF BAR sizes")?,
                    caps(0x38, "VF BAR sizes")?,
                ],
                enabled: u8_at(raw, SRIOV_CAPS + 0x43).ok_or(Invalid("SR-IOV capabilities"))? != 0,
            },
            sriov_max_gfid: word(SRIOV_MAX_GFID, "highest GFID")?,
            bar1_pde_base: quad(BAR1_PDE_BASE, "BAR1 page directory")?,
            h_client: word(HANDLES, "handles")?,
            h_subdevice: word(HANDLES + 8, "handles")?,
            name,
        })
    }

    /// FB that the driver may hand out, in the order of the reply.
    pub(crate) fn fb_regions(&self) -> &[FbRegion] {
        &self.regions[..self.region_count]
    }

    /// Name of the board; printable ASCII, empty when GSP sent something else.
    pub(crate) fn gpu_name(&self) -> &str {
        let end = self.name.iter().position(|b| *b == 0).unwrap_or(0);
        let name = &self.name[..end];

        if name.iter().all(|b| b.is_ascii_graphic() || *b == b' ') {
            core::str::from_utf8(name).unwrap_or("")
        } else {
            ""
        }
    }
}
