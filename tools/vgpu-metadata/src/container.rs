// SPDX-License-Identifier: GPL-2.0

//! Byte layout of the metadata file (all integers little-endian).
//!
//! ```text
//!   0    FileHeader          232 bytes: "NVVGPUMT", CRC, versions, number of blobs
//!   232  BlobHeader          16 bytes: type, size including these 16
//!        TypeBlob            56 bytes: device id, sizes, RM control number
//!        KernelRecord[n]     96 bytes each: what the VF driver itself needs
//!        control payload     parameters of PGPU_ADD_VGPU_TYPE, sent to the GSP as they are
//!        BlobHeader ...      next board
//! ```
//!
//! Source: the metadata loader of the NVIDIA vGPU VFIO RFC v2 (`metadata.h`), kvm list, 2025-09.

use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// First eight bytes of every metadata file.
pub const IDENTIFIER: [u8; 8] = *b"NVVGPUMT";
/// The CRC covers everything from this offset to the end of the file.
pub const CRC_START: usize = 16;
/// `BlobHeader::kind` of a vGPU type blob, the only kind there is.
pub const BLOB_VGPU_TYPE: u64 = 0;

/// Reflected CRC-32, seed all ones, no final inversion.
pub const CRC: crc::Crc<u32> = crc::Crc::<u32>::new(&crc::CRC_32_JAMCRC);

/// Start of the file.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned, Clone, Copy, Debug)]
#[repr(C)]
pub struct FileHeader {
    pub identifier: [u8; 8],
    pub crc32: U32,
    pub padding: [u8; 4],
    /// vGPU software release, for example 18.
    pub vgpu_major: U64,
    /// Minor number of that release.
    pub vgpu_minor: U64,
    pub vgpu_features: [u8; 128],
    /// NUL-terminated version of the GSP firmware the payloads were made for.
    pub gsp_build_version: [u8; 64],
    pub num_blobs: U64,
}

/// In front of every blob.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned, Clone, Copy, Debug)]
#[repr(C)]
pub struct BlobHeader {
    pub kind: U64,
    /// Bytes of the blob, this header included.
    pub size: U64,
}

/// Fixed part of a vGPU type blob.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned, Clone, Copy, Debug)]
#[repr(C)]
pub struct TypeBlob {
    /// PCI device id of the board the types are for.
    pub device_id: U64,
    /// Where the type array sits in the control payload; informational.
    pub gsp_rmctrl_vgpu_info_offset: U64,
    /// Size of one element of that array; informational.
    pub gsp_rmctrl_vgpu_info_size: U64,
    /// Bytes of all kernel records together.
    pub kernel_struct_size: U64,
    pub num_kernel_structs: U64,
    /// RM control that takes the payload.
    pub gsp_rmctrl_cmd: U64,
    /// Bytes of the payload.
    pub gsp_rmctrl_size: U64,
}

/// What the VF driver keeps of a type.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned, Clone, Copy, Debug)]
#[repr(C)]
pub struct KernelRecord {
    pub vgpu_type: U32,
    /// NUL-terminated.
    pub vgpu_name: [u8; 32],
    pub padding: [u8; 4],
    /// Device id in bits 31:16, subsystem id in 15:0.
    pub vdev_id: U64,
    pub pdev_id: U64,
    /// Guest framebuffer in bytes.
    pub fb_length: U64,
    /// Management heap in bytes.
    pub gsp_heap_size: U64,
    /// Guest BAR1 in MiB.
    pub bar1_length: U64,
    pub max_instance: U32,
    pub ecc_supported: U32,
    /// Bytes held back from the guest.
    pub fb_reservation: U64,
}

const _: () = {
    assert!(size_of::<FileHeader>() == 232);
    assert!(std::mem::offset_of!(FileHeader, vgpu_major) == CRC_START);
    assert!(std::mem::offset_of!(FileHeader, gsp_build_version) == 160);
    assert!(std::mem::offset_of!(FileHeader, num_blobs) == 224);
    assert!(size_of::<BlobHeader>() == 16);
    assert!(size_of::<TypeBlob>() == 56);
    assert!(size_of::<KernelRecord>() == 96);
    assert!(std::mem::offset_of!(KernelRecord, vdev_id) == 40);
    assert!(std::mem::offset_of!(KernelRecord, bar1_length) == 72);
    assert!(std::mem::offset_of!(KernelRecord, fb_reservation) == 88);
};

/// The text of a fixed NUL-terminated field.
///
/// # Errors
/// `None` when there is no NUL or the text is not ASCII.
pub fn text(field: &[u8]) -> Option<&str> {
    let end = field.iter().position(|b| *b == 0)?;
    std::str::from_utf8(&field[..end])
        .ok()
        .filter(|s| s.is_ascii())
}

/// Fills a fixed field with `value` and at least one NUL.
///
/// # Errors
/// `None` when `value` does not fit or is not ASCII.
pub fn set_text<const N: usize>(value: &str) -> Option<[u8; N]> {
    if value.len() >= N || !value.is_ascii() || value.contains('\0') {
        return None;
    }
    let mut field = [0; N];
    field[..value.len()].copy_from_slice(value.as_bytes());
    Some(field)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crc_has_no_final_inversion() {
        assert_eq!(CRC.checksum(b"123456789"), 0x340B_C6D9);
    }

    #[test]
    fn text_needs_a_nul() {
        assert_eq!(text(b"ab\0c"), Some("ab"));
        assert_eq!(text(b"abcd"), None);
        assert_eq!(set_text::<4>("abcd"), None);
        assert_eq!(set_text::<5>("abcd"), Some(*b"abcd\0"));
    }
}
