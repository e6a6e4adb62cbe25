// SPDX-License-Identifier: GPL-2.0

//! What the core driver itself does about events, before anybody else is asked.
//!
//! ```text
//!   OS_ERROR_LOG                    log
//!   GPUACCT_PERFMON_UTIL_SAMPLES    table of who uses which engine
//!   RC_TRIGGERED                    counted; too many of the PF's channels: Filter::RcStorm
//!   POST_EVENT                      counted by notifier; lost data and a lost GPU: log
//!   MMU_FAULT_QUEUED, FECS_ERROR,
//!   RECOVERY_ACTION                 log
//! ```
//!
//! A guest can cause as many of these as it likes, so the log takes a few lines of each sort in a
//! while, and then says how many there were.

use kernel::{
    device,
    prelude::*,
    str::BStr,
    sync::atomic::Relaxed, //
};

use super::{
    super::{
        fw::r570_144::{
            message::Message,
            notifier::Class,
            perfmon::UtilSamples, //
        },
        nv_status::NvStatus,
        rm, //
    },
    counts::Counts,
    rate::{
        Limit,
        Storm, //
    },
    utilisation::{
        Entry,
        Utilisation, //
    }, //
};

const SECOND: u64 = 1_000_000_000;
/// So many channels of the PF stopped within [`STORM_WINDOW`] are a storm. A copy engine that fails
/// every fill is none: scrubbing, which tries again ever more slowly, stops a dozen in that time.
pub(crate) const STORM_HITS: usize = 32;
/// In ns.
const STORM_WINDOW: u64 = 10 * SECOND;
/// Lines of one sort in the log per [`LOG_WINDOW`].
const LOG_LINES: u32 = 10;
/// In ns.
const LOG_WINDOW: u64 = 5 * SECOND;
/// Processes in the table of use.
const PROCESSES: usize = 64;

/// The storage of the table of use.
pub(crate) struct Entries(KVec<Entry>);

impl AsRef<[Entry]> for Entries {
    fn as_ref(&self) -> &[Entry] {
        &self.0
    }
}

impl AsMut<[Entry]> for Entries {
    fn as_mut(&mut self) -> &mut [Entry] {
        &mut self.0
    }
}

/// Sorts of lines.
#[derive(Clone, Copy)]
pub(super) enum Sort {
    Xid,
    Channel,
    Other,
}

/// What is remembered from one event to the next.
pub(super) struct Watch {
    storm: Storm<STORM_HITS>,
    limits: [Limit<LOG_LINES>; 3],
    utilisation: Utilisation<Entries>,
}

impl Watch {
    pub(super) fn new() -> Result<Self> {
        let entries = KVec::from_elem(Entry::default(), PROCESSES, GFP_KERNEL)?;

        Ok(Self {
            storm: Storm::new(STORM_WINDOW),
            limits: [const { Limit::new(LOG_WINDOW) }; 3],
            utilisation: Utilisation::new(Entries(entries)),
        })
    }

    /// Notes that a channel of the PF was stopped at `now`; true when that makes a storm.
    pub(super) fn stopped(&mut self, now: u64) -> bool {
        self.storm.hit(now)
    }

    /// Asks for a line in the log.
    pub(super) fn line(&mut self, sort: Sort, now: u64) -> Option<HeldBack> {
        let limit = match sort {
            Sort::Xid => &mut self.limits[0],
            Sort::Channel => &mut self.limits[1],
            Sort::Other => &mut self.limits[2],
        };
        limit.ask(now).map(HeldBack)
    }

    /// Adds samples to the table of use.
    pub(super) fn used(&mut self, samples: &UtilSamples<'_>) {
        self.utilisation.add(samples);
    }

    /// The table of use.
    pub(super) fn utilisation(&self) -> &Utilisation<Entries> {
        &self.utilisation
    }
}

/// How many lines of the sort were held back before this one. Shows as nothing if there were none.
pub(super) struct HeldBack(u64);

impl kernel::fmt::Display for HeldBack {
    fn fmt(&self, f: &mut kernel::fmt::Formatter<'_>) -> kernel::fmt::Result {
        match self.0 {
            0 => Ok(()),
            n => write!(f, " ({n} such messages not shown)"),
        }
    }
}

/// Counts what is worth it beyond the number of the event.
pub(super) fn count(counts: &Counts, message: &Message<'_>) {
    match message {
        Message::Rc(rc) if rc.is_fast_path() => counts.rc.fast_path.add(1, Relaxed),
        Message::Rc(rc) if rc.gfid == 0 => counts.rc.host.add(1, Relaxed),
        Message::Rc(_) => counts.rc.guest.add(1, Relaxed),
        Message::Post(post) => counts.add_notifier(post.notifier),
        _ => (),
    }
}

/// The sort of line that `message` makes by itself; `None` if it makes none.
pub(super) fn sort(message: &Message<'_>) -> Option<Sort> {
    match message {
        Message::ErrorLog(_) => Some(Sort::Xid),
        Message::Rc(rc) if rc.is_fast_path() => Some(Sort::Other),
        message if is_stray(message) => None,
        Message::Post(post) => match post.class() {
            Class::DataLost | Class::Unavailable => Some(Sort::Other),
            _ => None,
        },
        Message::MmuFault | Message::Fecs(_) | Message::Recovery(_) => Some(Sort::Other),
        _ => None,
    }
}

/// Prints the line of a message that has a [`sort`].
pub(super) fn report(dev: &device::Device, message: &Message<'_>, held_back: HeldBack) {
    match message {
        Message::ErrorLog(log) => dev_err!(
            dev,
            "GSP: Xid {}: {}{}\n",
            log.xid,
            BStr::from_bytes(log.text),
            held_back
        ),
        Message::Rc(_) => dev_warn!(
            dev,
            "GSP: waits for an answer about ECC notifiers, which this driver does not use{}\n",
            held_back
        ),
        Message::Post(post) => dev_err!(
            dev,
            "GSP: {} (notifier {}, {}): reset the GPU{}\n",
            post.class().name(),
            post.notifier,
            NvStatus(post.status),
            held_back
        ),
        Message::MmuFault => dev_warn!(
            dev,
            "GSP: an MMU fault was queued for the CPU, which does not handle any{}\n",
            held_back
        ),
        Message::Fecs(fecs) => dev_warn!(
            dev,
            "GSP: trace buffer of graphics engine {}: error {}{}\n",
            fecs.engine,
            fecs.kind,
            held_back
        ),
        Message::Recovery(action) => dev_warn!(
            dev,
            "GSP: {} is {}{}\n",
            action.name(),
            if action.value {
                "necessary"
            } else {
                "not necessary any more"
            },
            held_back
        ),
        _ => (),
    }
}

/// Whether `message` comes from an event object that this driver has not made.
pub(super) fn is_stray(message: &Message<'_>) -> bool {
    matches!(message, Message::Post(post) if !rm::is_registered(post))
}

/// Whether the core driver has done all there is to do about `message`.
pub(super) fn is_done(message: &Message<'_>) -> bool {
    match message {
        Message::Rc(rc) => rc.is_fast_path(),
        message if is_stray(message) => false,
        Message::Post(post) => matches!(
            post.class(),
            Class::EccCorrected | Class::DataLost | Class::Unavailable
        ),
        Message::ErrorLog(_)
        | Message::Utilisation(_)
        | Message::MmuFault
        | Message::Fecs(_)
        | Message::Recovery(_) => true,
        Message::Plugin(_) | Message::VgpuConfig(_) | Message::Plain => false,
    }
}
