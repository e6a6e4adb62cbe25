// SPDX-License-Identifier: GPL-2.0

//! Messages to the plugin tasks of one VF in numbers, over all tasks that it has had unless said
//! otherwise.
//!
//! ```text
//!   sent  =  answered (of these: refused)  +  failed  +  the one that is being waited for
//! ```

use kernel::sync::atomic::{
    Atomic,
    Relaxed, //
};
use kernel_ext::latency::Latencies;

use super::messages::MessageType;

/// Numbers of one message type.
pub(crate) struct Row {
    sent: Atomic<u64>,
    answered: Atomic<u64>,
    refused: Atomic<u64>,
    failed: Atomic<u64>,
    latency: Latencies,
}

/// How a message has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Answered with result 0.
    Done,
    /// Answered with another result.
    Refused,
    /// Not answered.
    Failed,
}

impl Row {
    fn new() -> Self {
        Self {
            sent: Atomic::new(0),
            answered: Atomic::new(0),
            refused: Atomic::new(0),
            failed: Atomic::new(0),
            latency: Latencies::new(),
        }
    }
}

/// Numbers of all message types.
pub(crate) struct Counts {
    rows: [Row; MessageType::ALL.len()],
    /// `errors` when the task that there is, or the last one, was about to be started.
    errors_before: Atomic<u64>,
    /// Messages after which the error buffer had grown.
    errors: Atomic<u64>,
    /// Messages after which its index made no sense.
    bad_indices: Atomic<u64>,
}

impl Counts {
    /// All at zero.
    pub(super) fn new() -> Self {
        Self {
            rows: core::array::from_fn(|_| Row::new()),
            errors_before: Atomic::new(0),
            errors: Atomic::new(0),
            bad_indices: Atomic::new(0),
        }
    }

    /// There is another task.
    pub(super) fn begin(&self) {
        self.errors_before.store(self.errors.load(Relaxed), Relaxed);
    }

    /// A message is about to be sent.
    pub(super) fn sent(&self, message: MessageType) {
        if let Some(row) = self.rows.get(message.index()) {
            row.sent.add(1, Relaxed);
        }
    }

    /// It has ended, after `ns`.
    pub(super) fn ended(&self, message: MessageType, end: End, ns: u64) {
        let Some(row) = self.rows.get(message.index()) else {
            return;
        };
        match end {
            End::Failed => {
                row.failed.add(1, Relaxed);
                return;
            }
            End::Refused => row.refused.add(1, Relaxed),
            End::Done => (),
        }
        row.answered.add(1, Relaxed);
        row.latency.add(ns);
    }

    /// The error buffer has grown, or its index makes no sense.
    pub(super) fn error(&self, makes_sense: bool) {
        let count = if makes_sense {
            &self.errors
        } else {
            &self.bad_indices
        };
        count.add(1, Relaxed);
    }

    /// Messages after which the error buffer had grown, and after which its index made no sense.
    pub(crate) fn errors(&self) -> (u64, u64) {
        (self.errors.load(Relaxed), self.bad_indices.load(Relaxed))
    }

    /// Of the former, those of the task that there is, or of the last one.
    pub(crate) fn errors_of_task(&self) -> u64 {
        let errors = self.errors.load(Relaxed);
        errors.wrapping_sub(self.errors_before.load(Relaxed))
    }

    /// One line for each message type, for debugfs.
    pub(crate) fn show(&self, f: &mut kernel::fmt::Formatter<'_>) -> kernel::fmt::Result {
        for (message, row) in MessageType::ALL.iter().zip(&self.rows) {
            let latency = row.latency.histogram();
            let ns = |percent| latency.percentile(percent).unwrap_or(0);
            writeln!(
                f,
                "{} sent {} answered {} refused {} failed {} p50_ns {} p99_ns {} max_ns {}",
                message.name(),
                row.sent.load(Relaxed),
                row.answered.load(Relaxed),
                row.refused.load(Relaxed),
                row.failed.load(Relaxed),
                ns(50),
                ns(99),
                latency.max
            )?;
        }
        Ok(())
    }
}
