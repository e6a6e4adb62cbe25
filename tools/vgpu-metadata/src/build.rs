// SPDX-License-Identifier: GPL-2.0

//! From resolved types to the bytes of a metadata file.
//!
//! One blob per board; the kernel records and the elements of the control payload are written
//! from the same type, so that driver and GSP agree.

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::IntoBytes;

use crate::container::{
    set_text, BlobHeader, FileHeader, KernelRecord, TypeBlob, BLOB_VGPU_TYPE, CRC, CRC_START,
    IDENTIFIER,
};
use crate::table::{Table, VgpuType};
use crate::vgpu_info::{AddVgpuType, VgpuInfo, CMD_ADD_VGPU_TYPE};

/// The whole file for `table`.
///
/// # Errors
/// One line that names the board or type and the field that cannot be written.
pub fn build(table: &Table) -> Result<Vec<u8>, String> {
    let boards = table.resolve()?;
    let mut header = FileHeader {
        identifier: IDENTIFIER,
        crc32: U32::ZERO,
        padding: [0; 4],
        vgpu_major: U64::new(table.metadata.vgpu_major),
        vgpu_minor: U64::new(table.metadata.vgpu_minor),
        vgpu_features: [0; 128],
        gsp_build_version: field("gsp_build_version", &table.metadata.gsp_build_version)?,
        num_blobs: U64::new(boards.len() as u64),
    };
    let mut file = header.as_bytes().to_vec();
    for (device_id, types) in &boards {
        append_blob(&mut file, *device_id, types)?;
    }
    header.crc32 = U32::new(CRC.checksum(&file[CRC_START..]));
    file[..size_of::<FileHeader>()].copy_from_slice(header.as_bytes());
    Ok(file)
}

fn field<const N: usize>(name: &str, value: &str) -> Result<[u8; N], String> {
    set_text(value)
        .ok_or_else(|| format!("{name}: \"{value}\" is not ASCII or longer than {}", N - 1))
}

fn append_blob(file: &mut Vec<u8>, device_id: u16, types: &[VgpuType]) -> Result<(), String> {
    let mut payload = AddVgpuType::empty();
    payload.discard_vgpu_types = 1;
    payload.vgpu_info_count = U32::new(types.len() as u32);
    let mut records = Vec::new();
    for (slot, t) in payload.vgpu_info.iter_mut().zip(types) {
        *slot = info(t)?;
        records.extend_from_slice(record(t)?.as_bytes());
    }
    let fixed = size_of::<BlobHeader>() + size_of::<TypeBlob>();
    let size = fixed + records.len() + size_of::<AddVgpuType>();
    let header = BlobHeader {
        kind: U64::new(BLOB_VGPU_TYPE),
        size: U64::new(size as u64),
    };
    let blob = TypeBlob {
        device_id: U64::new(device_id.into()),
        gsp_rmctrl_vgpu_info_offset: U64::new(std::mem::offset_of!(AddVgpuType, vgpu_info) as u64),
        gsp_rmctrl_vgpu_info_size: U64::new(size_of::<VgpuInfo>() as u64),
        kernel_struct_size: U64::new(records.len() as u64),
        num_kernel_structs: U64::new(types.len() as u64),
        gsp_rmctrl_cmd: U64::new(CMD_ADD_VGPU_TYPE),
        gsp_rmctrl_size: U64::new(size_of::<AddVgpuType>() as u64),
    };
    file.extend_from_slice(header.as_bytes());
    file.extend_from_slice(blob.as_bytes());
    file.extend_from_slice(&records);
    file.extend_from_slice(payload.as_bytes());
    Ok(())
}

fn vdev_id(t: &VgpuType) -> u64 {
    u64::from(t.device_id) << 16 | u64::from(t.subsystem)
}

fn record(t: &VgpuType) -> Result<KernelRecord, String> {
    Ok(KernelRecord {
        vgpu_type: U32::new(t.id),
        vgpu_name: field("vgpu_name", &t.name)?,
        padding: [0; 4],
        vdev_id: U64::new(vdev_id(t)),
        pdev_id: U64::new(t.device_id.into()),
        fb_length: U64::new(t.fb_length),
        gsp_heap_size: U64::new(t.gsp_heap_size),
        bar1_length: U64::new(t.bar1_length_mib),
        max_instance: U32::new(t.max_instance),
        ecc_supported: U32::new(t.ecc.into()),
        fb_reservation: U64::new(t.fb_reservation),
    })
}

fn info(t: &VgpuType) -> Result<VgpuInfo, String> {
    let mut info: VgpuInfo = zerocopy::FromZeros::new_zeroed();
    let units = (t.profile_size >> 30) as u32;
    info.vgpu_type = U32::new(t.id);
    info.vgpu_name = field("vgpu_name", &t.name)?;
    info.vgpu_class = field("class", &t.class)?;
    info.license = field("license", &t.license)?;
    info.max_instance = U32::new(t.max_instance);
    info.num_heads = U32::new(t.num_heads);
    info.max_resolution_x = U32::new(t.max_resolution[0]);
    info.max_resolution_y = U32::new(t.max_resolution[1]);
    info.max_pixels = U32::new(t.max_pixels);
    info.frl_config = U32::new(t.frl);
    info.frl_enable = U32::new((t.frl != 0).into());
    info.cuda_enabled = U32::new(t.cuda.into());
    info.ecc_supported = U32::new(t.ecc.into());
    info.vdev_id = U64::new(vdev_id(t));
    info.pdev_id = U64::new(t.device_id.into());
    info.profile_size = U64::new(t.profile_size);
    info.fb_length = U64::new(t.fb_length);
    info.gsp_heap_size = U64::new(t.gsp_heap_size);
    info.fb_reservation = U64::new(t.fb_reservation);
    info.mappable_video_size = U64::new(t.mappable_video_size);
    info.encoder_capacity = U32::new(t.encoder_capacity);
    info.bar1_length = U64::new(t.bar1_length_mib);
    info.adapter_name = field("adapter_name", &t.name)?;
    for (unit, byte) in info.adapter_name_unicode.iter_mut().zip(t.name.bytes()) {
        *unit = U16::new(byte.into());
    }
    info.short_gpu_name = field("short_gpu_name", &t.board_name)?;
    info.placement_size = U32::new(units);
    info.homogeneous_placement_count = U32::new(t.max_instance);
    for (j, id) in (0..t.max_instance).zip(info.homogeneous_placement_ids.iter_mut()) {
        *id = U32::new(j * units);
    }
    Ok(info)
}
