// SPDX-License-Identifier: GPL-2.0

//! Self-test of the path caller -> queue -> GSP-RM -> interrupt -> caller, with times.
//!
//! ```text
//!   read ─▶ CALLS times a control that GSP-RM answers from what it knows
//!              start ──── request sent ──── interrupt ──── reply decoded
//!              |                               |               |
//!              |<────────── floor ────────────>|               |
//!              |<────────────────── latency ──────────────────>|
//! ```
//!
//! The floor is what no caller can get below. It is only meaningful as long as nobody else sends
//! requests. Several readers at once make the queue busy, which is what a benchmark does.

use kernel::{
    fmt,
    prelude::*,
    time::{
        Instant,
        Monotonic, //
    }, //
};

use crate::{
    gsp::rm::{
        queries,
        Target, //
    },
    vgpu::Gpu, //
};

/// Controls that a read of the file makes.
const CALLS: usize = 64;

/// Nanoseconds of the calls of one read.
pub(super) struct Times {
    latency: KVec<u64>,
    floor: KVec<u64>,
    errors: usize,
}

/// Runs the test.
///
/// # Errors
///
/// `ENODEV` once the PF is unbound, `ENOMEM`.
pub(super) fn run(gpu: &Gpu) -> Result<Times> {
    gpu.with_core(|core| {
        let info = core.static_info();
        let target = Target {
            client: info.h_client,
            object: info.h_subdevice,
        };
        let vector = core.irq_table().gsp(core.pdev().as_ref())?;
        let mut times = Times {
            latency: KVec::with_capacity(CALLS, GFP_KERNEL)?,
            floor: KVec::with_capacity(CALLS, GFP_KERNEL)?,
            errors: 0,
        };

        for _ in 0..CALLS {
            let start = Instant::<Monotonic>::now();
            let answer = queries::vmmu_segment_size(core.cmdq(), target);
            let since = core.irq().since_message(vector);
            let latency = start.elapsed().as_nanos();
            let floor = latency - since.map_or(0, |since| since.as_nanos());

            times.errors += usize::from(answer.is_err());
            // The floor is negative when the interrupt is from before: it was not this call's.
            times
                .latency
                .push(u64::try_from(latency).unwrap_or(0), GFP_KERNEL)?;
            times
                .floor
                .push(u64::try_from(floor).unwrap_or(0), GFP_KERNEL)?;
        }
        times.latency.sort_unstable();
        times.floor.sort_unstable();
        Ok(times)
    })
}

/// The value that `percent` of the sorted values do not exceed.
fn percentile(sorted: &[u64], percent: usize) -> u64 {
    let last = sorted.len().saturating_sub(1);

    sorted.get(last * percent / 100).copied().unwrap_or(0)
}

impl Times {
    pub(super) fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "calls {}", self.latency.len())?;
        writeln!(f, "errors {}", self.errors)?;
        writeln!(f, "p50_ns {}", percentile(&self.latency, 50))?;
        writeln!(f, "p99_ns {}", percentile(&self.latency, 99))?;
        writeln!(f, "max_ns {}", percentile(&self.latency, 100))?;
        writeln!(f, "floor_p50_ns {}", percentile(&self.floor, 50))?;
        writeln!(f, "floor_p99_ns {}", percentile(&self.floor, 99))
    }
}
