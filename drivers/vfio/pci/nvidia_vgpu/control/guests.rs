// SPDX-License-Identifier: GPL-2.0

//! What firmware knows of the guests of a GPU's vGPUs: answer of `ENUMERATE_VGPU_PER_PGPU`, firmware
//! 570.144.
//!
//! ```text
//!   0     numVgpu        u32
//!   8     vgpuGuest[32]  152 bytes each
//!           0  guest     104 bytes: process, operating system, …, licence, driver's version and branch
//!         104  device     48 bytes: gfid, …, framebuffer in use, …, driver loaded
//! ```
//!
//! All of it is firmware's, and most of that the guest's: texts are printed up to their NUL or end,
//! and what is not a graphic character of ASCII as a question mark.
//!
//! Source: OGKM 570.144 `ctrl2080vgpumgrinternal.h`, `NV2080_GUEST_VM_INFO` and
//! `NV2080_HOST_VGPU_DEVICE`.
//!
//! Pure: also compiled on the host by `tools/testing/host-tests`.

use core::fmt;

/// Most vGPUs in an answer.
const MAX_VGPUS: usize = 32;
/// Where the first one is, and bytes of each.
const FIRST: usize = 8;
const RECORD: usize = 152;
/// Bytes of an answer.
pub(crate) const SIZE: usize = FIRST + MAX_VGPUS * RECORD;

const GUEST_OS: usize = 4;
const NEGOTIATED_VERSION: usize = 12;
const FRAME_RATE_LIMIT: usize = 16;
const LICENSED: usize = 20;
const LICENSE_STATE: usize = 24;
const LICENSE_EXPIRY: usize = 28;
const DRIVER_VERSION: usize = 33;
const DRIVER_BRANCH: usize = 65;
const TEXT: usize = 32;
const INFO_STATE: usize = 100;
const DEVICE: usize = 104;
const GFID: usize = DEVICE;
const FB_USED: usize = DEVICE + 24;
const ENCODER_CAPACITY: usize = DEVICE + 32;
const ECC_STATE: usize = DEVICE + 36;
const DRIVER_LOADED: usize = DEVICE + 40;

/// What there is about one vGPU.
pub(crate) struct Guest<'a>(&'a [u8; RECORD]);

impl<'a> Guest<'a> {
    /// The vGPU `gfid` of an answer, if it is there.
    pub(crate) fn find(answer: &'a [u8], gfid: u32) -> Option<Self> {
        let count = u32::from_le_bytes(*answer.first_chunk()?);
        // CAST: `usize` has 64 bits on every architecture with this device.
        let count = (count as usize).min(MAX_VGPUS);
        let records = answer.get(FIRST..)?.chunks_exact(RECORD).take(count);
        let mut guests = records.filter_map(|record| record.first_chunk().map(Guest));
        guests.find(|guest| guest.u32(GFID) == gfid)
    }

    /// One "name value" per line.
    pub(crate) fn show(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        for (name, at) in [
            ("info_state", INFO_STATE),
            ("guest_os", GUEST_OS),
            ("guest_rpc_version", NEGOTIATED_VERSION),
            ("license_state", LICENSE_STATE),
            ("license_expiry", LICENSE_EXPIRY),
            ("frame_rate_limit", FRAME_RATE_LIMIT),
            ("encoder_capacity", ENCODER_CAPACITY),
            ("ecc_state", ECC_STATE),
        ] {
            writeln!(out, "{name} {:#x}", self.u32(at))?;
        }
        writeln!(out, "fb_used {}", self.u64(FB_USED))?;
        for (name, at) in [("licensed", LICENSED), ("driver_loaded", DRIVER_LOADED)] {
            writeln!(out, "{name} {}", self.bytes::<1>(at)[0])?;
        }
        for (name, at) in [
            ("driver_version", DRIVER_VERSION),
            ("driver_branch", DRIVER_BRANCH),
        ] {
            write!(out, "{name} ")?;
            for byte in self.bytes::<TEXT>(at).iter().take_while(|b| **b != 0) {
                out.write_char(if byte.is_ascii_graphic() {
                    char::from(*byte)
                } else {
                    '?'
                })?;
            }
            out.write_char('\n')?;
        }
        Ok(())
    }

    /// Bytes from `at` on, zeroes if they are not there.
    fn bytes<const N: usize>(&self, at: usize) -> [u8; N] {
        let bytes = self.0.get(at..).and_then(|b| b.first_chunk());
        bytes.copied().unwrap_or([0; N])
    }

    fn u32(&self, at: usize) -> u32 {
        u32::from_le_bytes(self.bytes(at))
    }

    fn u64(&self, at: usize) -> u64 {
        u64::from_le_bytes(self.bytes(at))
    }
}

const _: () = {
    assert!(SIZE == 4872);
    assert!(DRIVER_VERSION + TEXT == DRIVER_BRANCH);
    assert!(DRIVER_BRANCH + TEXT <= INFO_STATE);
    assert!(DRIVER_LOADED < RECORD);
};
