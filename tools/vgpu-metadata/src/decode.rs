// SPDX-License-Identifier: GPL-2.0

//! From the bytes of a metadata file back to types, with every check that a loader makes.
//!
//! Order: length, CRC, identifier, number of blobs, text fields, then blob by blob. Nothing is
//! returned unless the whole file is good.

use serde::Serialize;
use std::collections::HashSet;
use zerocopy::FromBytes;

use crate::container::{
    text, BlobHeader, FileHeader, KernelRecord, TypeBlob, BLOB_VGPU_TYPE, CRC, CRC_START,
    IDENTIFIER,
};
use crate::vgpu_info::{AddVgpuType, VgpuInfo, CMD_ADD_VGPU_TYPE, MAX_TYPES};

/// A decoded file.
#[derive(Serialize, Debug, PartialEq, Eq)]
pub struct Metadata {
    pub vgpu_major: u64,
    pub vgpu_minor: u64,
    pub gsp_build_version: String,
    pub boards: Vec<BoardTypes>,
}

/// One blob.
#[derive(Serialize, Debug, PartialEq, Eq)]
pub struct BoardTypes {
    pub device_id: u16,
    pub types: Vec<DecodedType>,
}

/// A type as the VF driver sees it, plus what only the GSP payload has.
#[derive(Serialize, Debug, PartialEq, Eq)]
pub struct DecodedType {
    pub id: u32,
    pub name: String,
    pub class: String,
    pub license: String,
    pub device_id: u16,
    pub subsystem: u16,
    pub profile_size: u64,
    pub fb_length: u64,
    pub gsp_heap_size: u64,
    pub fb_reservation: u64,
    pub bar1_length_mib: u64,
    pub max_instance: u32,
    pub ecc_supported: bool,
}

/// Decodes and checks a whole file.
///
/// # Errors
/// One line that names the field.
pub fn decode(file: &[u8]) -> Result<Metadata, String> {
    let (header, mut rest) =
        FileHeader::ref_from_prefix(file).map_err(|_| "file size: shorter than the header")?;
    if rest.is_empty() {
        return Err("file size: nothing follows the header".into());
    }
    let crc = CRC.checksum(&file[CRC_START..]);
    if header.crc32.get() != crc {
        return Err(format!(
            "crc32: file says {:#010x}, contents give {crc:#010x}",
            header.crc32.get()
        ));
    }
    if header.identifier != IDENTIFIER {
        return Err("identifier: is not NVVGPUMT".into());
    }
    let most = (rest.len() / size_of::<BlobHeader>()) as u64;
    let blobs = header.num_blobs.get();
    if blobs == 0 || blobs > most {
        return Err(format!("num_blobs: {blobs}, 1 to {most} possible"));
    }
    let version = text(&header.gsp_build_version).ok_or("gsp_build_version: no NUL")?;
    let mut boards: Vec<BoardTypes> = Vec::new();
    for index in 0..blobs {
        let (board, next) = decode_blob(rest).map_err(|e| format!("blob {index}: {e}"))?;
        if boards.iter().any(|b| b.device_id == board.device_id) {
            return Err(format!("blob {index}: device_id: seen before"));
        }
        boards.push(board);
        rest = next;
    }
    if !rest.is_empty() {
        return Err(format!(
            "num_blobs: {} bytes follow the last blob",
            rest.len()
        ));
    }
    Ok(Metadata {
        vgpu_major: header.vgpu_major.get(),
        vgpu_minor: header.vgpu_minor.get(),
        gsp_build_version: version.into(),
        boards,
    })
}

fn decode_blob(bytes: &[u8]) -> Result<(BoardTypes, &[u8]), String> {
    let (header, _) = BlobHeader::ref_from_prefix(bytes).map_err(|_| "header: truncated")?;
    if header.kind.get() != BLOB_VGPU_TYPE {
        return Err(format!("type: {} is not known", header.kind.get()));
    }
    let size = usize::try_from(header.size.get())
        .ok()
        .filter(|s| *s > size_of::<BlobHeader>() && *s <= bytes.len())
        .ok_or_else(|| format!("size: {} does not fit the file", header.size.get()))?;
    let (blob, next) = bytes.split_at(size);
    let (fixed, body) = TypeBlob::ref_from_prefix(&blob[size_of::<BlobHeader>()..])
        .map_err(|_| "size: too small for a type blob")?;

    let device_id = u16::try_from(fixed.device_id.get())
        .ok()
        .filter(|id| *id != 0)
        .ok_or("device_id: is not a PCI device id")?;
    let count = fixed.num_kernel_structs.get();
    let records = fixed.kernel_struct_size.get();
    if count == 0 || count > MAX_TYPES as u64 {
        return Err(format!(
            "num_kernel_structs: {count}, 1 to {MAX_TYPES} allowed"
        ));
    }
    if records != count * size_of::<KernelRecord>() as u64 {
        return Err(format!("kernel_struct_size: {records} for {count} records"));
    }
    if fixed.gsp_rmctrl_cmd.get() != CMD_ADD_VGPU_TYPE {
        return Err(format!("gsp_rmctrl_cmd: {:#x}", fixed.gsp_rmctrl_cmd.get()));
    }
    if fixed.gsp_rmctrl_size.get() != size_of::<AddVgpuType>() as u64 {
        return Err(format!("gsp_rmctrl_size: {}", fixed.gsp_rmctrl_size.get()));
    }
    if fixed.gsp_rmctrl_vgpu_info_size.get() != size_of::<VgpuInfo>() as u64 {
        return Err(format!(
            "gsp_rmctrl_vgpu_info_size: {}",
            fixed.gsp_rmctrl_vgpu_info_size.get()
        ));
    }
    // The payload is the whole rest, which also proves that the sizes add up.
    let records = records as usize;
    if body.len() != records + size_of::<AddVgpuType>() {
        return Err("size: is not the sum of its parts".into());
    }
    let (records, payload) = body.split_at(records);
    let payload = AddVgpuType::ref_from_bytes(payload).map_err(|_| "control payload: size")?;
    if payload.vgpu_info_count.get() as u64 != count {
        return Err("vgpuInfoCount: differs from num_kernel_structs".into());
    }

    let mut ids = HashSet::new();
    let mut types = Vec::new();
    for (record, info) in records
        .chunks_exact(size_of::<KernelRecord>())
        .zip(&payload.vgpu_info)
    {
        let record = KernelRecord::ref_from_bytes(record).map_err(|_| "kernel record: size")?;
        let id = record.vgpu_type.get();
        if id == 0 || !ids.insert(id) {
            return Err(format!("vgpu_type: {id} is zero or listed twice"));
        }
        let decoded =
            decode_type(device_id, record, info).map_err(|e| format!("type {id}: {e}"))?;
        types.push(decoded);
    }
    Ok((BoardTypes { device_id, types }, next))
}

fn decode_type(
    device_id: u16,
    record: &KernelRecord,
    info: &VgpuInfo,
) -> Result<DecodedType, String> {
    let name = text(&record.vgpu_name)
        .filter(|n| !n.is_empty())
        .ok_or("vgpu_name: empty or no NUL")?;
    let string = |what: &str, field| {
        text(field)
            .map(str::to_owned)
            .ok_or_else(|| format!("{what}: no NUL"))
    };
    if record.pdev_id.get() != u64::from(device_id) {
        return Err(format!("pdev_id: {:#x}", record.pdev_id.get()));
    }
    let vdev_id = record.vdev_id.get();
    let (Ok(vdev), subsystem) = (u16::try_from(vdev_id >> 16), vdev_id as u16) else {
        return Err(format!("vdev_id: {vdev_id:#x}"));
    };
    if record.max_instance.get() == 0 {
        return Err("max_instance: is zero".into());
    }
    if record.fb_length.get() == 0 || record.gsp_heap_size.get() == 0 {
        return Err("fb_length or gsp_heap_size: is zero".into());
    }
    let agree = record.vgpu_type == info.vgpu_type
        && record.vgpu_name == info.vgpu_name
        && record.vdev_id == info.vdev_id
        && record.pdev_id == info.pdev_id
        && record.fb_length == info.fb_length
        && record.gsp_heap_size == info.gsp_heap_size
        && record.bar1_length == info.bar1_length
        && record.max_instance == info.max_instance
        && record.ecc_supported == info.ecc_supported
        && record.fb_reservation == info.fb_reservation;
    if !agree {
        return Err("vgpuInfo: kernel record and control payload differ".into());
    }
    Ok(DecodedType {
        id: record.vgpu_type.get(),
        name: name.into(),
        class: string("vgpuClass", &info.vgpu_class)?,
        license: string("license", &info.license)?,
        device_id: vdev,
        subsystem,
        profile_size: info.profile_size.get(),
        fb_length: record.fb_length.get(),
        gsp_heap_size: record.gsp_heap_size.get(),
        fb_reservation: record.fb_reservation.get(),
        bar1_length_mib: record.bar1_length.get(),
        max_instance: record.max_instance.get(),
        ecc_supported: record.ecc_supported.get() != 0,
    })
}
