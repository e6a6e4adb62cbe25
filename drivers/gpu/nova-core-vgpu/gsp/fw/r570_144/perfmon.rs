// SPDX-License-Identifier: GPL-2.0

//! GPUACCT_PERFMON_UTIL_SAMPLES: who used which engine, firmware 570.144.
//!
//! ```text
//!   type 0 (8 bits) | bytes of buffer 4 | samples in buffer 8 | next to be written 0xc
//!   sample n at 0x10 + 0x38 n:
//!     time in ns 0 | frame buffer 8 | graphics 0x14 | encoders 0x20 | decoders 0x2c
//!                      each: use in 1/100 % | process | process inside of the VM
//! ```
//!
//! Once vGPU is on, GSP sends its ring of the last ten seconds every second, so samples come again
//! and again: their time tells new ones. Entries that were never written have time 0.
//!
//! Pure: also compiled on the host by `tools/testing/host-tests`.
//!
//! Source: OGKM 570.144 `src/nvidia/generated/g_sdk-structures.h`, `ctrl2080perf.h`,
//! `ctrl2080gpumon.h`.

use super::super::super::super::bytes::{
    u32_at,
    u64_at, //
};

const HEADER: usize = 0x10;
const SAMPLE: usize = 0x38;
/// Samples in a message (`NV2080_CTRL_PERF_GPUMON_SAMPLE_COUNT_PERFMON_UTIL`).
pub(crate) const SAMPLES: usize = 72;
/// `NV2080_GPUMON_PID_INVALID`.
const NO_PROCESS: u32 = u32::MAX;
/// An engine that was in use all the time, in 1/100 %.
const ALWAYS: u32 = 10_000;

/// Engines of a sample.
pub(crate) const ENGINES: usize = 4;
/// Their names, in the order of the sample.
pub(crate) const ENGINE_NAMES: [&str; ENGINES] = ["fb", "gr", "nvenc", "nvdec"];

/// How much a process used an engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Use {
    /// In 1/100 %, at most 10000.
    pub(crate) share: u32,
    /// Process on the host: for a vGPU, the one that has the VF open.
    pub(crate) pid: u32,
    /// Process inside of the VM, 0 for a process of the host.
    pub(crate) sub_pid: u32,
}

/// One look at the engines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sample {
    /// When, in ns of GSP's clock.
    pub(crate) time: u64,
    /// What each engine did; `None` for one that was idle, or for a share beyond 100 %.
    pub(crate) engines: [Option<Use>; ENGINES],
}

fn engine(sample: &[u8], index: usize) -> Option<Use> {
    let at = 8 + 12 * index;
    let found = Use {
        share: u32_at(sample, at)?,
        pid: u32_at(sample, at + 4)?,
        sub_pid: u32_at(sample, at + 8)?,
    };

    (found.share <= ALWAYS && found.pid != NO_PROCESS && found.sub_pid != NO_PROCESS)
        .then_some(found)
}

/// The message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UtilSamples<'a>(&'a [u8]);

impl<'a> UtilSamples<'a> {
    /// Decodes the payload; `None` if it is too short.
    pub(crate) fn decode(payload: &'a [u8]) -> Option<Self> {
        payload.get(HEADER..HEADER + SAMPLES * SAMPLE).map(Self)
    }

    /// The samples that have been written, in the order of the ring, not of time.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Sample> + 'a {
        self.0.chunks_exact(SAMPLE).filter_map(|sample| {
            Some(Sample {
                time: u64_at(sample, 0).filter(|time| *time != 0)?,
                engines: core::array::from_fn(|index| engine(sample, index)),
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(payload: &mut [u8], at: usize, value: u32) {
        payload[at..at + 4].copy_from_slice(&value.to_le_bytes());
    }

    #[test]
    fn samples_are_where_they_should_be() {
        let mut payload = vec![0; 4048];
        let at = HEADER + 71 * SAMPLE;
        put(&mut payload, at, 5);
        for (i, value) in [
            2500, 100, 0, 10_000, 100, 42, 1, NO_PROCESS, 0, 10_001, 1, 1,
        ]
        .into_iter()
        .enumerate()
        {
            put(&mut payload, at + 8 + 4 * i, value);
        }
        let samples: Vec<_> = UtilSamples::decode(&payload).unwrap().iter().collect();
        let fb = Use {
            share: 2500,
            pid: 100,
            sub_pid: 0,
        };
        let gr = Use {
            share: 10_000,
            pid: 100,
            sub_pid: 42,
        };
        assert_eq!(
            samples,
            [Sample {
                time: 5,
                engines: [Some(fb), Some(gr), None, None]
            }]
        );
    }

    #[test]
    fn short_payloads_are_refused() {
        assert!(UtilSamples::decode(&[0; 4048]).is_some());
        assert!(UtilSamples::decode(&[0; 4047]).is_none());
    }
}
