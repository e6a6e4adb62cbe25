// SPDX-License-Identifier: GPL-2.0

//! Self-test of the path caller -> queue -> GSP-RM -> interrupt -> caller, with times.
//!
//! ```text
//!   rpc_selftest   CALLS times a control that GSP-RM answers from what it knows
//!                     start ──── request sent ──── reply found or announced ──── in hand
//!                     |<─────────────────────── latency ───────────────────────────>|
//!
//!   rpc_floor      the same request, CALLS times
//!                     start ──── request sent ──── hard interrupt
//!                     |<───────────── floor ─────────────────>|
//! ```
//!
//! The floor is only meaningful as long as nobody else sends requests. Several readers of
//! `rpc_selftest` at once make the queue busy, which is what a benchmark does.

use kernel::{
    fmt,
    prelude::*,
    time::Delta, //
};

use crate::{
    gpu,
    gsp::{
        cmdq::{
            Cmdq,
            Rpc, //
        },
        fw::r570_144::{
            envelope,
            function,
            rm::CTRL_GPU_GET_VMMU_SEGMENT_SIZE, //
        },
        rm::{
            control_request,
            Target, //
        }, //
    },
    vgpu::Gpu, //
};

/// Controls that a read of a file makes.
const CALLS: usize = 64;

/// Nanoseconds of the calls of one read.
pub(super) struct Times {
    sorted: KVec<u64>,
    errors: usize,
}

/// Times whole calls.
///
/// # Errors
///
/// `ENODEV` once the PF is unbound, `ENOMEM`.
pub(super) fn calls(gpu: &Gpu) -> Result<Times> {
    gpu.with_core(|core| {
        let request = request(core)?;

        Times::of(|| {
            core.cmdq()
                .call_timed(function::GSP_RM_CONTROL, &request, Cmdq::DEFAULT_TIMEOUT)
                .map(|(reply, latency)| (latency, reply))
        })
    })
}

/// Times the way to GSP and to its interrupt.
///
/// # Errors
///
/// As [`calls`].
pub(super) fn floor(gpu: &Gpu) -> Result<Times> {
    gpu.with_core(|core| {
        let vector = core.irq_table().gsp(core.pdev().as_ref())?;
        let request = request(core)?;

        Times::of(|| {
            core.irq().expect_message(vector);
            core.cmdq().probe(function::GSP_RM_CONTROL, &request, || {
                core.irq().expected_message(vector)
            })
        })
    })
}

fn request(core: &gpu::Gpu<'_>) -> Result<KVVec<u8>> {
    let info = core.static_info();
    let target = Target {
        client: info.h_client,
        object: info.h_subdevice,
    };

    control_request(
        target,
        CTRL_GPU_GET_VMMU_SEGMENT_SIZE,
        &[0; size_of::<u64>()],
    )
}

fn is_success(reply: &Rpc) -> bool {
    reply.result == 0 && envelope::status(function::GSP_RM_CONTROL, &reply.payload) == Some(0)
}

impl Times {
    /// Of [`CALLS`] runs of `call`, which returns how long it took and the reply.
    fn of(mut call: impl FnMut() -> Result<(Delta, Rpc)>) -> Result<Self> {
        let mut sorted = KVec::with_capacity(CALLS, GFP_KERNEL)?;
        let mut errors = 0;

        for _ in 0..CALLS {
            match call() {
                Ok((time, reply)) if is_success(&reply) => {
                    sorted.push(u64::try_from(time.as_nanos()).unwrap_or(0), GFP_KERNEL)?;
                }
                _ => errors += 1,
            }
        }
        sorted.sort_unstable();
        Ok(Self { sorted, errors })
    }

    /// The value that `percent` of the values do not exceed.
    fn percentile(&self, percent: usize) -> u64 {
        let last = self.sorted.len().saturating_sub(1);

        self.sorted.get(last * percent / 100).copied().unwrap_or(0)
    }

    pub(super) fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "calls {CALLS}")?;
        writeln!(f, "errors {}", self.errors)?;
        writeln!(f, "p50_ns {}", self.percentile(50))?;
        writeln!(f, "p99_ns {}", self.percentile(99))?;
        writeln!(f, "max_ns {}", self.percentile(100))
    }
}
