// SPDX-License-Identifier: GPL-2.0

//! Questions to GSP-RM that have a typed answer, one function per control.
//!
//! ```text
//!   vmmu_segment_size      2080017e      ecc_enabled    2080012f
//!   firmware_version_is    20803601      engines        20801112
//!   num_channels           20800a61      interrupts     20800a5c
//!   ce_method_buffer_size  20802a08
//! ```
//!
//! Each answer is checked for what the driver relies on; `EPROTO` says that it makes no sense.

use kernel::{
    prelude::*,
    sizes::*,
    time::Delta, //
};
use zerocopy::{
    FromZeros,
    Immutable,
    KnownLayout, //
};

use super::{
    control,
    RmError,
    Target, //
};
use crate::{
    fifo::{
        chid::MAX_CHANNELS,
        engines::{
            Engine,
            Engines, //
        }, //
    },
    gsp::{
        cmdq::Cmdq,
        fw::r570_144::channel::CTRL_CE_METHOD_BUFFER_SIZE,
        fw::r570_144::intr,
        fw::r570_144::rm::{
            DeviceInfoParams,
            FeaturesParams,
            NumChannelsParams,
            CTRL_FIFO_GET_DEVICE_INFO_TABLE,
            CTRL_GPU_GET_VMMU_SEGMENT_SIZE,
            CTRL_GPU_QUERY_ECC_STATUS,
            CTRL_GSP_GET_FEATURES,
            CTRL_INTERNAL_FIFO_GET_NUM_CHANNELS,
            DEVICE_INFO_ENTRIES,
            ECC_STATUS_FB_ENABLED,
            ECC_STATUS_SIZE,
            ENGINE_DATA_IS_HOST_DRIVEN,
            ENGINE_DATA_RM_ENGINE_TYPE,
            ENGINE_DATA_RUNLIST, //
        }, //
    },
    irq::Table, //
};

/// Segment sizes of the VMMU in bytes (OGKM 570.144 `ctrl2080gpu.h`).
const VMMU_SEGMENT_SIZES: [u64; 5] = [
    u64::SZ_32M,
    u64::SZ_64M,
    u64::SZ_128M,
    u64::SZ_256M,
    u64::SZ_512M,
];

/// Most calls for the device-info table, so that a `bMore` that never clears ends.
const DEVICE_INFO_CALLS: u32 = 8;

fn ask<T: IntoBytes + FromBytes + Immutable + KnownLayout>(
    cmdq: &Cmdq<'_>,
    target: Target,
    cmd: u32,
    params: &mut T,
) -> Result<(), RmError> {
    control(
        cmdq,
        target,
        cmd,
        params.as_mut_bytes(),
        Cmdq::DEFAULT_TIMEOUT,
    )
}

/// Size of a VMMU segment in bytes: 32, 64, 128, 256 or 512 MiB.
pub(crate) fn vmmu_segment_size(cmdq: &Cmdq<'_>, target: Target) -> Result<u64, RmError> {
    let mut size = 0u64;
    ask(cmdq, target, CTRL_GPU_GET_VMMU_SEGMENT_SIZE, &mut size)?;
    if !VMMU_SEGMENT_SIZES.contains(&size) {
        return Err(RmError::MALFORMED);
    }
    Ok(size)
}

/// Whether ECC of the frame buffer is on.
pub(crate) fn ecc_enabled(cmdq: &Cmdq<'_>, target: Target) -> Result<bool, RmError> {
    let mut params = KVVec::from_elem(0u8, ECC_STATUS_SIZE, GFP_KERNEL).map_err(Error::from)?;
    control(
        cmdq,
        target,
        CTRL_GPU_QUERY_ECC_STATUS,
        &mut params,
        Cmdq::DEFAULT_TIMEOUT,
    )?;
    Ok(params.get(ECC_STATUS_FB_ENABLED) != Some(&0))
}

/// Whether the running firmware says that it is version `expected`.
pub(crate) fn firmware_version_is(
    cmdq: &Cmdq<'_>,
    target: Target,
    expected: &CStr,
) -> Result<bool, RmError> {
    let mut params = FeaturesParams::new_zeroed();
    ask(cmdq, target, CTRL_GSP_GET_FEATURES, &mut params)?;
    let version =
        CStr::from_bytes_until_nul(&params.firmware_version).map_err(|_| RmError::MALFORMED)?;
    Ok(params.valid != 0 && version == expected)
}

/// Whether GSP-RM answers at all within `timeout`; what it says does not matter.
pub(crate) fn is_alive(cmdq: &Cmdq<'_>, target: Target, timeout: Delta) -> bool {
    let mut params = FeaturesParams::new_zeroed();
    match control(
        cmdq,
        target,
        CTRL_GSP_GET_FEATURES,
        params.as_mut_bytes(),
        timeout,
    ) {
        Ok(()) => true,
        Err(e) => e.status().is_some() || e.is_malformed(),
    }
}

/// Number of channel IDs of a runlist.
pub(crate) fn num_channels(
    cmdq: &Cmdq<'_>,
    target: Target,
    runlist_id: u32,
) -> Result<u32, RmError> {
    let mut params = NumChannelsParams {
        runlist_id,
        num_channels: 0,
    };
    ask(
        cmdq,
        target,
        CTRL_INTERNAL_FIFO_GET_NUM_CHANNELS,
        &mut params,
    )?;
    if !(1..=MAX_CHANNELS).contains(&params.num_channels) {
        return Err(RmError::MALFORMED);
    }
    Ok(params.num_channels)
}

/// Most bytes that a method buffer can need: a page for each copy engine would be more than any GPU
/// asks for.
const MAX_METHOD_BUFFER: u32 = 1 << 20;

/// Bytes of system memory that each channel needs for methods of a copy engine that faulted.
pub(crate) fn ce_method_buffer_size(cmdq: &Cmdq<'_>, target: Target) -> Result<usize, RmError> {
    let mut size = 0u32;
    ask(cmdq, target, CTRL_CE_METHOD_BUFFER_SIZE, &mut size)?;
    if size == 0 || size > MAX_METHOD_BUFFER {
        return Err(RmError::MALFORMED);
    }
    usize::try_from(size).map_err(|_| RmError::MALFORMED)
}

/// Engines and runlists of the GPU.
pub(crate) fn engines(cmdq: &Cmdq<'_>, target: Target) -> Result<Engines, RmError> {
    // Too large for the stack.
    let mut buffer =
        KVVec::from_elem(0u8, size_of::<DeviceInfoParams>(), GFP_KERNEL).map_err(Error::from)?;
    let params = DeviceInfoParams::mut_from_bytes(&mut buffer).map_err(|_| RmError::from(EIO))?;
    let mut engines = Engines::new();
    for call in 0..DEVICE_INFO_CALLS {
        // CAST: 32.
        params.base_index = call * DEVICE_INFO_ENTRIES as u32;
        ask(cmdq, target, CTRL_FIFO_GET_DEVICE_INFO_TABLE, params)?;
        let entries = usize::try_from(params.num_entries)
            .ok()
            .and_then(|n| params.entries.get(..n))
            .ok_or(RmError::MALFORMED)?;
        for entry in entries {
            let known = engines.add(&Engine {
                rm_type: entry.engine_data[ENGINE_DATA_RM_ENGINE_TYPE],
                runlist: entry.engine_data[ENGINE_DATA_RUNLIST],
                host_driven: entry.engine_data[ENGINE_DATA_IS_HOST_DRIVEN] != 0,
            });
            if !known {
                return Err(RmError::MALFORMED);
            }
        }
        if params.more == 0 {
            return Ok(engines);
        }
    }
    Err(RmError::MALFORMED)
}

/// Interrupt vectors of the engines.
pub(crate) fn interrupts(cmdq: &Cmdq<'_>, target: Target) -> Result<Table, RmError> {
    let mut params = KVVec::from_elem(0u8, intr::SIZE, GFP_KERNEL).map_err(Error::from)?;
    control(
        cmdq,
        target,
        intr::CTRL_INTERNAL_INTR_GET_KERNEL_TABLE,
        &mut params,
        Cmdq::DEFAULT_TIMEOUT,
    )?;
    let mut table = Table::empty();
    for entry in intr::entries(&params).map_err(|_| RmError::MALFORMED)? {
        table.add(&entry.map_err(|_| RmError::MALFORMED)?)?;
    }
    Ok(table)
}
