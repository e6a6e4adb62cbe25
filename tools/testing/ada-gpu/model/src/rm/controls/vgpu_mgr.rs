// SPDX-License-Identifier: GPL-2.0

//! The internal vGPU manager controls (interface 0x20804).
//!
//! ```text
//!   01 BOOTLOAD   02 SHUTDOWN   08 CLEANUP          life of a vGPU
//!   03 ADD_TYPE                                     type table
//!   04 ENUMERATE  06 FB_USAGE                       what exists
//!   05 CLEAR_GUEST_VM_INFO  07 ENCODER_CAPACITY  0c FREE_STATES
//!   0a MIGRATION_SUPPORT  0b MGR_CONFIG  0d FRL_STATUS  0e HETEROGENEOUS
//! ```
//!
//! All of them exist only in vGPU mode. 09 (GET_PGPU_FS_ENCODING) is not
//! modelled. Sizes and layouts: OGKM 570.144 `ctrl2080vgpumgrinternal.h`.

use super::{Control, Run};
use crate::bytes::{put, put_u32, put_u64, u32_at, u8_at};
use crate::gsp::events;
use crate::rm::bootload;
use crate::rm::status::refuse;
use crate::rm::types;

const MAX_VGPUS: usize = 32;
const GUEST_SIZE: usize = 152;
const GUEST_VM_INFO_SIZE: usize = 104;
/// Driver of every guest that has said what it is.
const GUEST_DRIVER: &[u8] = b"570.172.08";
const GUEST_BRANCH: &[u8] = b"r570_00";

const fn control(cmd: u32, name: &'static str, size: usize, run: Run) -> Control {
    Control {
        cmd: 0x2080_4000 | cmd,
        name,
        size,
        vgpu: true,
        run,
    }
}

fn gfid(p: &[u8]) -> u32 {
    u32_at(p, 0).unwrap_or(0)
}

/// The controls of this file.
pub const TABLE: &[Control] = &[
    control(
        0x01,
        "BOOTLOAD_GSP_VGPU_PLUGIN_TASK",
        bootload::PARAMS_SIZE,
        |rm, s, _, p| {
            rm.vgpus.bootload(s, p)?;
            // Real firmware samples utilisation once a vGPU exists; a host that does
            // not know the event must survive it.
            if s.config.gpuacct_event && !std::mem::replace(&mut rm.gpuacct_sent, true) {
                let samples = events::util_samples(0, s.now_ns());
                s.events.push(samples);
            }
            Ok(())
        },
    ),
    control(0x02, "SHUTDOWN_GSP_VGPU_PLUGIN_TASK", 4, |rm, s, _, p| {
        rm.vgpus.shutdown(s, gfid(p))
    }),
    control(
        0x03,
        "PGPU_ADD_VGPU_TYPE",
        types::PARAMS_SIZE,
        |rm, _, _, p| rm.vgpus.types.add(p),
    ),
    control(
        0x04,
        "ENUMERATE_VGPU_PER_PGPU",
        8 + MAX_VGPUS * GUEST_SIZE,
        |rm, s, _, p| {
            p.fill(0);
            put_u32(p, 0, rm.vgpus.iter().count() as u32);
            for (i, (gfid, v)) in rm.vgpus.iter().take(MAX_VGPUS).enumerate() {
                let guest = 8 + i * GUEST_SIZE;
                let device = guest + GUEST_VM_INFO_SIZE;
                let config = v.task.config();
                put_u32(p, guest, config.map_or(v.request.vm_pid, |c| c.vm_pid));
                if let Some(info) = v.task.guest_info() {
                    put_u32(p, guest + 4, info.os);
                    put(p, guest + 20, &[u8::from(info.license != 0)]);
                    put_u32(p, guest + 24, info.license);
                    put(p, guest + 33, GUEST_DRIVER);
                    put(p, guest + 65, GUEST_BRANCH);
                    put(p, device + 40, &[1]);
                }
                put_u32(p, guest + 100, config.is_some().into());
                put_u32(p, device, gfid);
                put_u64(p, device + 8, u64::from(v.request.dbdf));
                put_u64(p, device + 24, rm.vgpus.vmmu.length(gfid));
                put_u32(p, device + 32, v.encoder_capacity);
                put_u32(p, device + 36, if s.config.ecc { 3 } else { 2 });
            }
            Ok(())
        },
    ),
    control(0x05, "CLEAR_GUEST_VM_INFO", 4, |rm, _, _, p| {
        match rm.vgpus.get(gfid(p)) {
            Some(_) => Ok(()),
            None => refuse!(
                ERR_OBJECT_NOT_FOUND,
                "gfid-unknown",
                "gfid {} has no vGPU",
                gfid(p)
            ),
        }
    }),
    control(
        0x06,
        "GET_VGPU_FB_USAGE",
        8 + MAX_VGPUS * 16,
        |rm, _, _, p| {
            p.fill(0);
            put_u32(p, 0, rm.vgpus.iter().count() as u32);
            for (i, (gfid, _)) in rm.vgpus.iter().take(MAX_VGPUS).enumerate() {
                put_u32(p, 8 + 16 * i, gfid);
                put_u64(p, 16 + 16 * i, rm.vgpus.vmmu.length(gfid));
            }
            Ok(())
        },
    ),
    control(0x07, "SET_VGPU_ENCODER_CAPACITY", 8, |rm, _, _, p| {
        rm.vgpus
            .set_encoder_capacity(gfid(p), u32_at(p, 4).unwrap_or(0))
    }),
    control(0x08, "VGPU_PLUGIN_CLEANUP", 4, |rm, s, _, p| {
        rm.vgpus.cleanup(s, gfid(p))
    }),
    control(0x0a, "GET_PGPU_MIGRATION_SUPPORT", 1, |_, _, _, p| {
        put(p, 0, &[0]);
        Ok(())
    }),
    control(0x0b, "SET_VGPU_MGR_CONFIG", 1, |rm, _, _, p| {
        rm.vgpus.mixing = u8_at(p, 0) == Some(1);
        Ok(())
    }),
    control(0x0c, "FREE_STATES", 8, |rm, _, _, p| {
        match rm.vgpus.get(gfid(p)) {
            Some(_) => Ok(()),
            None => refuse!(
                ERR_INVALID_STATE,
                "gfid-unknown",
                "gfid {} has no vGPU",
                gfid(p)
            ),
        }
    }),
    control(0x0d, "GET_FRAME_RATE_LIMITER_STATUS", 1, |_, _, _, p| {
        put(p, 0, &[0]);
        Ok(())
    }),
    control(0x0e, "SET_VGPU_HETEROGENEOUS_MODE", 1, |rm, _, _, p| {
        rm.vgpus.set_mixed(u8_at(p, 0) == Some(1))
    }),
];
