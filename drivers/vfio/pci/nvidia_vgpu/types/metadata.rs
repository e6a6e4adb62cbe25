// SPDX-License-Identifier: GPL-2.0

//! Parser of the vGPU type metadata file, `nvidia/vgpu-<gsp version>.bin`.
//!
//! ```text
//!   0    "NVVGPUMT" | crc32 | pad | major | minor | features[128] | build[64] | num_blobs   232
//!   232  type | size                                                 blob header, 16
//!        device_id | info offset | info size | records | count | control | payload size     56
//!        record[count]           id, name, ids, FB, heap, BAR1, …    96 or more each
//!        payload                 sent to the GSP as it is; the class of each type is read from it
//!        type | size …           next blob
//! ```
//!
//! All integers are little-endian. The whole file is checked before anything of it is used; the
//! error names the field. Source: `metadata.c` of the NVIDIA vGPU VFIO RFC v2 (kvm list, 2025-09);
//! sizes of the control from OGKM 570.144 `ctrl2080vgpumgrinternal.h`.
//!
//! Pure: also compiled on the host by `tools/testing/host-tests`.

/// `NV2080_CTRL_CMD_VGPU_MGR_INTERNAL_PGPU_ADD_VGPU_TYPE`, the only control a blob may carry.
pub(crate) const CMD_PGPU_ADD_VGPU_TYPE: u32 = 0x2080_4003;
/// Bytes of that control's parameters in firmware 570.144.
pub(crate) const ADD_VGPU_TYPE_SIZE: usize = 334_344;
/// Most types per PF (`NVA081_MAX_VGPU_TYPES_PER_PGPU`).
pub(crate) const MAX_TYPES: usize = 64;

const IDENTIFIER: &[u8] = b"NVVGPUMT";
const BLOB_VGPU_TYPE: u64 = 0;
/// (major, minor, GSP build) that this driver was written for.
const SUPPORTED: [(u64, u64, &[u8]); 1] = [(18, 1, b"570.144")];

const CRC_AT: usize = 8;
const CRC_START: usize = 16;
const MAJOR_AT: usize = 16;
const MINOR_AT: usize = 24;
const BUILD_AT: usize = 160;
const BUILD_SIZE: usize = 64;
const NUM_BLOBS_AT: usize = 224;
const HEADER_SIZE: usize = 232;
const BLOB_HEADER_SIZE: usize = 16;
const TYPE_HEADER_SIZE: usize = 56;
const RECORD_SIZE: usize = 96;
const NAME_SIZE: usize = 32;
const MIB_SHIFT: u32 = 20;

// `NVA081_CTRL_VGPU_INFO`, an array in the payload (OGKM 570.144 `ctrla081.h`).
const INFO_COUNT_AT: usize = 4;
const INFO_GPU_INSTANCE_SIZE_AT: usize = 356;
const INFO_PROFILE_SIZE_AT: usize = 384;

/// What is wrong with a file, in words that fit a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Invalid {
    /// Number of the blob from 0; `None` for the file header.
    pub(crate) blob: Option<u64>,
    /// Name of the field as in the file format.
    pub(crate) field: &'static str,
    /// What is wrong with it.
    pub(crate) reason: &'static str,
}

fn invalid(field: &'static str, reason: &'static str) -> Invalid {
    Invalid {
        blob: None,
        field,
        reason,
    }
}

/// What the driver keeps of a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct VgpuType {
    /// Type id, as written to `current_vgpu_type`.
    pub(crate) id: u32,
    name: [u8; NAME_SIZE],
    /// Device and subsystem id of the vGPU in guest configuration space.
    pub(crate) vdev_device: u16,
    /// See `vdev_device`.
    pub(crate) vdev_subsystem: u16,
    /// Guest framebuffer in bytes.
    pub(crate) fb_length: u64,
    /// Management heap in bytes.
    pub(crate) gsp_heap_size: u64,
    /// Guest BAR1 in bytes; 0: as large as the physical one.
    pub(crate) bar1_size: u64,
    /// vGPUs of this type that a PF can carry.
    pub(crate) max_instance: u32,
    /// The type can be used while ECC is on.
    pub(crate) ecc_supported: bool,
    /// Bytes held back from the guest.
    pub(crate) fb_reservation: u64,
    /// Class of the framebuffer in bytes: the share of the GPU that the type stands for. 0 for a
    /// slice of MIG, which has no placement.
    pub(crate) profile_size: u64,
}

impl VgpuType {
    /// The name, without its NUL.
    pub(crate) fn name(&self) -> &str {
        // The parser has seen to it that the name is ASCII and ends with a NUL.
        let end = self.name.iter().position(|b| *b == 0).unwrap_or(0);
        core::str::from_utf8(&self.name[..end]).unwrap_or("")
    }
}

/// Bounds-checked view of a piece of the file.
#[derive(Clone, Copy)]
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn get(self, at: usize, len: usize) -> Option<&'a [u8]> {
        self.0.get(at..at.checked_add(len)?)
    }

    fn u32(self, at: usize) -> Option<u32> {
        Some(u32::from_le_bytes(self.get(at, 4)?.try_into().ok()?))
    }

    fn u64(self, at: usize) -> Option<u64> {
        Some(u64::from_le_bytes(self.get(at, 8)?.try_into().ok()?))
    }
}

const CRC_TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = (crc >> 1) ^ (0xedb8_8320 & 0u32.wrapping_sub(crc & 1));
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
};

/// Reflected CRC-32 with seed all ones and **no** final inversion.
fn crc32(bytes: &[u8]) -> u32 {
    bytes.iter().fold(u32::MAX, |crc, byte| {
        (crc >> 8) ^ CRC_TABLE[usize::from(crc as u8 ^ byte)]
    })
}

/// The text of a fixed field up to its NUL; `None` without one.
fn text(field: &[u8]) -> Option<&[u8]> {
    field
        .split(|b| *b == 0)
        .next()
        .filter(|t| t.len() < field.len())
}

/// What the file must fit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Host<'a> {
    /// PCI device id of the PF.
    pub(crate) device_id: u16,
    /// Version of the running GSP firmware, for example `570.144`.
    pub(crate) gsp_build_version: &'a [u8],
    /// A management heap must be larger than this many bytes.
    pub(crate) min_heap: u64,
}

/// A file in which every check has passed.
pub(crate) struct Metadata<'a> {
    blobs: Bytes<'a>,
    device_id: u16,
    /// vGPU software release, for example (18, 1).
    pub(crate) release: (u64, u64),
}

impl<'a> Metadata<'a> {
    /// Checks `file` for `host`.
    ///
    /// # Errors
    /// The first check that failed. A file without types for the PF is an error, too.
    pub(crate) fn parse(file: &'a [u8], host: &Host<'_>) -> Result<Self, Invalid> {
        let header = Bytes(file);
        let short = invalid("file size", "nothing follows the header");
        if file.len() <= HEADER_SIZE {
            return Err(short);
        }
        if header.u32(CRC_AT) != Some(crc32(&file[CRC_START..])) {
            return Err(invalid("crc32", "does not match the contents"));
        }
        if header.get(0, IDENTIFIER.len()) != Some(IDENTIFIER) {
            return Err(invalid("identifier", "is not NVVGPUMT"));
        }
        let num_blobs = header.u64(NUM_BLOBS_AT).ok_or(short)?;
        let most = (file.len() - HEADER_SIZE) / BLOB_HEADER_SIZE;
        if num_blobs == 0 || num_blobs > most as u64 {
            return Err(invalid(
                "num_blobs",
                "is zero or more than the file can hold",
            ));
        }
        let build = header
            .get(BUILD_AT, BUILD_SIZE)
            .and_then(text)
            .ok_or(invalid("gsp_build_version", "has no NUL"))?;
        if build != host.gsp_build_version {
            return Err(invalid(
                "gsp_build_version",
                "is not the running firmware's",
            ));
        }
        let release = (
            header.u64(MAJOR_AT).ok_or(short)?,
            header.u64(MINOR_AT).ok_or(short)?,
        );
        if !SUPPORTED.contains(&(release.0, release.1, build)) {
            return Err(invalid("vgpu_major", "release is not supported"));
        }

        let metadata = Metadata {
            blobs: Bytes(&file[HEADER_SIZE..]),
            device_id: host.device_id,
            release,
        };
        metadata.check_blobs(num_blobs, host.min_heap)?;
        Ok(metadata)
    }

    fn check_blobs(&self, num_blobs: u64, min_heap: u64) -> Result<(), Invalid> {
        let mut rest = self.blobs;
        for index in 0..num_blobs {
            let at = |e: Invalid| Invalid {
                blob: Some(index),
                ..e
            };
            let (blob, next) = Blob::split(rest).map_err(at)?;
            for record in blob.records() {
                record.check(blob.device_id, min_heap).map_err(at)?;
                blob.profile_size(&record).ok_or_else(|| {
                    at(invalid("gsp_rmctrl_vgpu_info", "has no element for a type"))
                })?;
            }
            rest = next;
        }
        if !rest.0.is_empty() {
            return Err(invalid("num_blobs", "bytes follow the last blob"));
        }
        match self.types().take(MAX_TYPES + 1).count() {
            0 => return Err(invalid("device_id", "no type is for this GPU")),
            n if n > MAX_TYPES => {
                return Err(invalid(
                    "num_kernel_structs",
                    "more types than a PF can have",
                ));
            }
            _ => (),
        }
        for (position, vgpu_type) in self.types().enumerate() {
            if self.types().take(position).any(|t| t.id == vgpu_type.id) {
                return Err(invalid("vgpu_type", "is listed twice"));
            }
        }
        Ok(())
    }

    fn blobs(&self) -> impl Iterator<Item = Blob<'a>> {
        let device_id = self.device_id;
        let mut rest = self.blobs;
        core::iter::from_fn(move || {
            let (blob, next) = Blob::split(rest).ok()?;
            rest = next;
            Some(blob)
        })
        .filter(move |blob| blob.device_id == device_id)
    }

    /// The types of the PF that the file was checked for.
    pub(crate) fn types(&self) -> impl Iterator<Item = VgpuType> + '_ {
        self.blobs().flat_map(|blob| {
            blob.records().filter_map(move |record| {
                let profile_size = blob.profile_size(&record)?;
                record.decode(profile_size)
            })
        })
    }

    /// The parameters of PGPU_ADD_VGPU_TYPE, one or more times, in the order of the file.
    pub(crate) fn payloads(&self) -> impl Iterator<Item = &'a [u8]> + '_ {
        self.blobs().map(|blob| blob.payload)
    }
}

/// A consistent vGPU type blob.
#[derive(Clone, Copy)]
struct Blob<'a> {
    device_id: u16,
    records: &'a [u8],
    /// Bytes from one record to the next.
    stride: usize,
    payload: &'a [u8],
    /// Where the array of types begins in the payload, and the bytes of an element.
    info: (u64, u64),
}

impl<'a> Blob<'a> {
    /// Takes the first blob off `rest`.
    fn split(rest: Bytes<'a>) -> Result<(Self, Bytes<'a>), Invalid> {
        let truncated = invalid("size", "the file ends inside the blob");
        if rest.u64(0).ok_or(truncated)? != BLOB_VGPU_TYPE {
            return Err(invalid("type", "is not a vGPU type blob"));
        }
        let size = rest.u64(8).ok_or(truncated)?;
        let size = usize::try_from(size)
            .ok()
            .filter(|s| *s <= rest.0.len())
            .ok_or(truncated)?;
        let fixed = BLOB_HEADER_SIZE + TYPE_HEADER_SIZE;
        if size < fixed {
            return Err(invalid("size", "is too small for a vGPU type blob"));
        }
        let (blob, next) = rest.0.split_at(size);
        let blob = Bytes(blob);
        let word = |index: usize| blob.u64(BLOB_HEADER_SIZE + 8 * index).ok_or(truncated);

        let device_id = u16::try_from(word(0)?)
            .ok()
            .filter(|id| *id != 0)
            .ok_or(invalid("device_id", "is not a PCI device id"))?;
        let (records, count) = (word(3)?, word(4)?);
        if count == 0 {
            return Err(invalid("num_kernel_structs", "is zero"));
        }
        if records == 0 {
            return Err(invalid("kernel_struct_size", "is zero"));
        }
        let stride = records / count;
        if stride < RECORD_SIZE as u64 || records % count != 0 {
            return Err(invalid(
                "kernel_struct_size",
                "does not divide into whole records",
            ));
        }
        if word(5)? != u64::from(CMD_PGPU_ADD_VGPU_TYPE) {
            return Err(invalid("gsp_rmctrl_cmd", "is not PGPU_ADD_VGPU_TYPE"));
        }
        let payload = word(6)?;
        if payload != ADD_VGPU_TYPE_SIZE as u64 {
            return Err(invalid("gsp_rmctrl_size", "does not fit this firmware"));
        }
        if records.checked_add(payload) != Some((size - fixed) as u64) {
            return Err(invalid("size", "is not the sum of its parts"));
        }
        // The sum above bounds both by `size`, hence by usize.
        let (records, payload) = blob.0[fixed..].split_at(records as usize);
        let blob = Self {
            device_id,
            records,
            stride: stride as usize,
            payload,
            info: (word(1)?, word(2)?),
        };
        Ok((blob, Bytes(next)))
    }

    fn records(&self) -> impl Iterator<Item = Record<'a>> + use<'a> {
        self.records
            .chunks_exact(self.stride)
            .map(|r| Record(Bytes(r)))
    }

    /// What the payload says of the class of a record's type; `None` if it does not know the type.
    fn profile_size(&self, record: &Record<'_>) -> Option<u64> {
        let payload = Bytes(self.payload);
        let (start, size) = (
            usize::try_from(self.info.0).ok()?,
            usize::try_from(self.info.1).ok()?,
        );
        let count = (payload.u32(INFO_COUNT_AT)? as usize).min(MAX_TYPES);
        let info = (0..count).find_map(|n| {
            let at = n.checked_mul(size)?.checked_add(start)?;
            let info = Bytes(payload.get(at, size)?);
            (info.u32(0) == record.0.u32(0)).then_some(info)
        })?;
        match info.u32(INFO_GPU_INSTANCE_SIZE_AT)? {
            0 => info.u64(INFO_PROFILE_SIZE_AT),
            _ => Some(0),
        }
    }
}

/// One kernel record.
struct Record<'a>(Bytes<'a>);

impl Record<'_> {
    const NAME_AT: usize = 4;

    /// Says which field is bad, if one is.
    fn check(&self, device_id: u16, min_heap: u64) -> Result<(), Invalid> {
        let truncated = invalid("kernel_struct_size", "record is truncated");
        let r = self.0;
        if r.u32(0).ok_or(truncated)? == 0 {
            return Err(invalid("vgpu_type", "is zero"));
        }
        let name = r
            .get(Self::NAME_AT, NAME_SIZE)
            .and_then(text)
            .ok_or(invalid("vgpu_name", "has no NUL"))?;
        if name.is_empty() || !name.iter().all(|b| b.is_ascii_graphic() || *b == b' ') {
            return Err(invalid("vgpu_name", "is empty or not printable ASCII"));
        }
        if r.u64(40).ok_or(truncated)? > u64::from(u32::MAX) {
            return Err(invalid("vdev_id", "is wider than device and subsystem id"));
        }
        if r.u64(48).ok_or(truncated)? != u64::from(device_id) {
            return Err(invalid("pdev_id", "is not the device_id of the blob"));
        }
        if r.u64(56).ok_or(truncated)? == 0 {
            return Err(invalid("fb_length", "is zero"));
        }
        if r.u64(64).ok_or(truncated)? <= min_heap {
            return Err(invalid("gsp_heap_size", "has no room for the shared area"));
        }
        if r.u64(72).ok_or(truncated)? > u64::MAX >> MIB_SHIFT {
            return Err(invalid("bar1_length", "is out of range"));
        }
        if r.u32(80).ok_or(truncated)? == 0 {
            return Err(invalid("max_instance", "is zero"));
        }
        r.u64(88).ok_or(truncated)?;
        Ok(())
    }

    fn decode(&self, profile_size: u64) -> Option<VgpuType> {
        let r = self.0;
        let vdev_id = r.u64(40)?;
        Some(VgpuType {
            id: r.u32(0)?,
            name: r.get(Self::NAME_AT, NAME_SIZE)?.try_into().ok()?,
            // Bits 31:16 and 15:0.
            vdev_device: (vdev_id >> 16) as u16,
            vdev_subsystem: vdev_id as u16,
            fb_length: r.u64(56)?,
            gsp_heap_size: r.u64(64)?,
            bar1_size: r.u64(72)?.checked_mul(1 << MIB_SHIFT)?,
            max_instance: r.u32(80)?,
            ecc_supported: r.u32(84)? != 0,
            fb_reservation: r.u64(88)?,
            profile_size,
        })
    }
}
