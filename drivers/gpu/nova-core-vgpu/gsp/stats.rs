// SPDX-License-Identifier: GPL-2.0

//! How much is asked of GSP, what comes back, and how long that takes.
//!
//! ```text
//!   request()  the message is about to be sent     requests, bytes out
//!   reply()    its reply is complete               replies, bytes in, latency; errors by status
//!   failed()   there will be no reply              failures (timeout, killed, GSP gone)
//!   event()    GSP said something by itself        counted by the router
//!
//!   each also fires its tracepoint (see [`crate::trace`])
//! ```
//!
//! One row per function that this driver uses, and one for all others. Everything is an atomic
//! counter of its own: nobody waits here, and a reader may see a request whose bytes are not yet
//! counted.

mod owners;

use kernel::{
    device,
    prelude::*,
    sync::atomic::{
        Atomic,
        Relaxed, //
    },
    time::Delta, //
};
use kernel_ext::latency::{
    histogram::Histogram,
    Latencies, //
};

use crate::trace;

use super::fw::r570_144::{
    envelope,
    function,
    message::Message, //
};

pub(crate) use owners::Owners;

/// Counters of one function.
struct Row {
    requests: Atomic<u64>,
    replies: Atomic<u64>,
    errors: Atomic<u64>,
    failures: Atomic<u64>,
    bytes_out: Atomic<u64>,
    bytes_in: Atomic<u64>,
    latency: Latencies,
}

impl Row {
    fn new() -> Self {
        Self {
            requests: Atomic::new(0),
            replies: Atomic::new(0),
            errors: Atomic::new(0),
            failures: Atomic::new(0),
            bytes_out: Atomic::new(0),
            bytes_in: Atomic::new(0),
            latency: Latencies::new(),
        }
    }
}

/// The counters of one function at one moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Snapshot {
    /// Name of the function, "other" for those without one.
    pub(crate) name: &'static str,
    /// Messages sent, answered or not.
    pub(crate) requests: u64,
    /// Replies that somebody waited for.
    pub(crate) replies: u64,
    /// Replies with an `NV_STATUS` that is not success, in their header or in what they carry.
    pub(crate) errors: u64,
    /// Requests that ended without a reply.
    pub(crate) failures: u64,
    /// Bytes of payload sent.
    pub(crate) bytes_out: u64,
    /// Bytes of payload of replies.
    pub(crate) bytes_in: u64,
    /// From sending the request to the caller having the reply.
    pub(crate) latency: Histogram,
}

/// Counters of all functions.
pub(crate) struct Stats {
    /// One for each function with a name, and one more for all others.
    rows: KVec<Row>,
    owners: Owners,
}

impl Stats {
    /// All counters at zero.
    pub(super) fn new() -> Result<Self> {
        let mut rows = KVec::with_capacity(function::COUNT + 1, GFP_KERNEL)?;

        for _ in 0..=function::COUNT {
            rows.push(Row::new(), GFP_KERNEL)?;
        }
        Ok(Self {
            rows,
            owners: Owners::new()?,
        })
    }

    fn row(&self, number: u32) -> &Row {
        let index = function::index(number).unwrap_or(function::COUNT);

        // BOUNDS: `new` has made `COUNT + 1` rows.
        &self.rows[index]
    }

    /// Who sends requests on behalf of whom.
    pub(crate) fn owners(&self) -> &Owners {
        &self.owners
    }

    /// What a tracepoint says of a request or its reply.
    fn traced<'a>(
        &self,
        dev: &'a device::Device,
        function: u32,
        sequence: u32,
        payload: &[u8],
    ) -> trace::Message<'a> {
        let client = envelope::client(function, payload);

        trace::Message {
            dev: dev.name(),
            function,
            gfid: client.map_or(0, |client| self.owners.gfid(client)),
            sequence,
            bytes: u32::try_from(payload.len()).unwrap_or(u32::MAX),
        }
    }

    /// Counts a message that is about to be sent. `sequence` is 0 when it is not answered.
    pub(super) fn request(
        &self,
        dev: &device::Device,
        function: u32,
        sequence: u32,
        payload: &[u8],
    ) {
        let row = self.row(function);

        row.requests.add(1, Relaxed);
        // CAST: `usize` is 64 bits wide here.
        row.bytes_out.add(payload.len() as u64, Relaxed);
        trace::request(|| self.traced(dev, function, sequence, payload));
    }

    /// Counts a complete reply. `result` is the raw `NV_STATUS` of the RPC header.
    pub(super) fn reply(
        &self,
        dev: &device::Device,
        function: u32,
        sequence: u32,
        result: u32,
        payload: &[u8],
        latency: Delta,
    ) {
        let row = self.row(function);
        let latency = u64::try_from(latency.as_nanos()).unwrap_or(0);
        let status = match result {
            0 => envelope::status(function, payload).unwrap_or(0),
            failed => failed,
        };

        row.replies.add(1, Relaxed);
        if status != 0 {
            row.errors.add(1, Relaxed);
        }
        // CAST: `usize` is 64 bits wide here.
        row.bytes_in.add(payload.len() as u64, Relaxed);
        row.latency.add(latency);
        trace::reply(
            || self.traced(dev, function, sequence, payload),
            latency,
            status,
        );
    }

    /// Counts a request that ends without a reply.
    pub(super) fn failed(&self, function: u32) {
        self.row(function).failures.add(1, Relaxed);
    }

    /// Notes an event before it is routed.
    pub(super) fn event(&self, dev: &device::Device, function: u32, payload: &[u8]) {
        trace::event(|| trace::Message {
            dev: dev.name(),
            function,
            gfid: Message::decode(function, payload).map_or(0, |message| message.gfid()),
            sequence: 0,
            bytes: u32::try_from(payload.len()).unwrap_or(u32::MAX),
        });
    }

    /// The counters of each function that was used, at this moment.
    pub(crate) fn snapshots(&self) -> impl Iterator<Item = Snapshot> + '_ {
        self.rows
            .iter()
            .enumerate()
            .map(|(index, row)| Snapshot {
                name: function::name(index).unwrap_or("other"),
                requests: row.requests.load(Relaxed),
                replies: row.replies.load(Relaxed),
                errors: row.errors.load(Relaxed),
                failures: row.failures.load(Relaxed),
                bytes_out: row.bytes_out.load(Relaxed),
                bytes_in: row.bytes_in.load(Relaxed),
                latency: row.latency.histogram(),
            })
            .filter(|row| row.requests != 0)
    }
}

#[cfg(CONFIG_NOVA_CORE_VGPU_KUNIT)]
#[kunit_tests(nova_core_vgpu_stats)]
mod tests {
    use super::*;
    use kernel::faux;

    fn row(stats: &Stats, name: &str) -> Option<Snapshot> {
        stats.snapshots().find(|row| row.name == name)
    }

    #[test]
    fn requests_end_in_a_reply_or_without() -> Result {
        let device = faux::Registration::new(c"nova_core_vgpu_stats", None)?;
        let dev: &device::Device<device::Bound> = device.as_ref().as_ref();
        let stats = Stats::new()?;
        let mut reply = [0; 24];

        for sequence in 1..4 {
            stats.request(dev, function::GSP_RM_CONTROL, sequence, &[0; 32]);
        }
        let latency = Delta::from_micros(1);
        stats.reply(dev, function::GSP_RM_CONTROL, 1, 0, &reply, latency);
        // The status of a control is inside of the reply.
        reply[12] = 0x56;
        stats.reply(dev, function::GSP_RM_CONTROL, 2, 0, &reply, latency);
        stats.failed(function::GSP_RM_CONTROL);

        let row = row(&stats, "GSP_RM_CONTROL").ok_or(ENOENT)?;
        assert_eq!((row.requests, row.replies), (3, 2));
        assert_eq!((row.errors, row.failures), (1, 1));
        assert_eq!((row.bytes_out, row.bytes_in), (96, 48));
        assert_eq!(row.latency.total(), 2);
        assert_eq!(row.latency.max, 1000);
        Ok(())
    }

    #[test]
    fn functions_without_a_name_are_counted_together() -> Result {
        let device = faux::Registration::new(c"nova_core_vgpu_stats", None)?;
        let dev: &device::Device<device::Bound> = device.as_ref().as_ref();
        let stats = Stats::new()?;

        stats.request(dev, 200, 1, &[]);
        stats.request(dev, 201, 2, &[]);
        stats.reply(dev, 201, 2, 0x65, &[], Delta::from_secs(-1));
        let other = row(&stats, "other").ok_or(ENOENT)?;
        assert_eq!((other.requests, other.replies, other.errors), (2, 1, 1));
        assert_eq!(other.latency.max, 0);
        assert_eq!(stats.snapshots().count(), 1);
        Ok(())
    }
}
