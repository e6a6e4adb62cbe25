// SPDX-License-Identifier: GPL-2.0

//! Byte layouts of address spaces, firmware 570.144.
//!
//! ```text
//!   device 0x0080
//!     0x90f1  address space, "externally owned": its tables are the driver's
//!     |         0x801813 SET_PAGE_DIRECTORY, 0x801814 UNSET_PAGE_DIRECTORY   (on the device)
//! ```
//!
//! Pure: also compiled on the host by `tools/testing/host-tests`.
//!
//! Source: OGKM 570.144 `src/common/sdk/nvidia/inc/{nvos.h,ctrl/ctrl0080/ctrl0080dma.h}`.

use zerocopy::FromZeros;
use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Class of an address space (`FERMI_VASPACE_A`).
pub(crate) const CLASS_VASPACE: u32 = 0x90f1;

/// `NV0080_CTRL_CMD_DMA_SET_PAGE_DIRECTORY`.
pub(crate) const CTRL_SET_PAGE_DIRECTORY: u32 = 0x0080_1813;
/// `NV0080_CTRL_CMD_DMA_UNSET_PAGE_DIRECTORY`.
pub(crate) const CTRL_UNSET_PAGE_DIRECTORY: u32 = 0x0080_1814;

/// `NV_VASPACE_ALLOCATION_PARAMETERS`.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub(crate) struct VaSpaceParams {
    index: u32,
    flags: u32,
    va_size: u64,
    va_start_internal: u64,
    va_limit_internal: u64,
    big_page_size: u32,
    pad: u32,
    va_base: u64,
}

impl VaSpaceParams {
    /// `NV_VASPACE_ALLOCATION_FLAGS_IS_EXTERNALLY_OWNED`.
    const EXTERNALLY_OWNED: u32 = 1 << 3;

    /// A new address space whose tables belong to the driver.
    pub(crate) fn externally_owned() -> Self {
        Self {
            flags: Self::EXTERNALLY_OWNED,
            ..Self::new_zeroed()
        }
    }
}

/// Parameters of [`CTRL_SET_PAGE_DIRECTORY`].
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub(crate) struct SetPageDirectoryParams {
    phys_address: u64,
    num_entries: u32,
    /// Bits 1:0: where the directory is, 0 is frame buffer.
    flags: u32,
    h_vaspace: u32,
    ch_id: u32,
    sub_device_id: u32,
    pasid: u32,
}

impl SetPageDirectoryParams {
    /// Entries of the root directory of MMU version 2.
    const ROOT_ENTRIES: u32 = 4;

    /// The root directory of address space `h_vaspace` is at `phys_address` of frame buffer.
    pub(crate) fn new(h_vaspace: u32, phys_address: u64) -> Self {
        Self {
            phys_address,
            num_entries: Self::ROOT_ENTRIES,
            h_vaspace,
            ..Self::new_zeroed()
        }
    }
}

/// Parameters of [`CTRL_UNSET_PAGE_DIRECTORY`].
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub(crate) struct UnsetPageDirectoryParams {
    /// The address space.
    pub(crate) h_vaspace: u32,
    /// 0.
    pub(crate) sub_device_id: u32,
}

const _: () = {
    assert!(size_of::<VaSpaceParams>() == 0x30);
    assert!(size_of::<SetPageDirectoryParams>() == 0x20);
    assert!(size_of::<UnsetPageDirectoryParams>() == 8);
};

#[cfg(test)]
mod tests {
    use super::*;
    use zerocopy::IntoBytes as _;

    fn u32_at(bytes: &[u8], at: usize) -> u32 {
        u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
    }

    #[test]
    fn words_are_where_they_should_be() {
        let vaspace = VaSpaceParams::externally_owned();
        assert_eq!(u32_at(vaspace.as_bytes(), 0), 0);
        assert_eq!(u32_at(vaspace.as_bytes(), 4), 8);
        assert!(vaspace.as_bytes()[8..].iter().all(|b| *b == 0));

        let set = SetPageDirectoryParams::new(0x90f1_0000, 0x1_2345_6000);
        assert_eq!(set.as_bytes()[..8], 0x1_2345_6000u64.to_le_bytes());
        assert_eq!(u32_at(set.as_bytes(), 8), 4);
        assert_eq!(u32_at(set.as_bytes(), 0xc), 0);
        assert_eq!(u32_at(set.as_bytes(), 0x10), 0x90f1_0000);
        assert!(set.as_bytes()[0x14..].iter().all(|b| *b == 0));
    }
}
