// SPDX-License-Identifier: GPL-2.0

//! Host interface: engines, runlists, channel IDs.
//!
//! ```text
//!   engines  device-info table of GSP-RM -> engine bitmap, runlists
//!   chid     channel-ID pool, one ID space per runlist
//!   channel  a channel with a copy engine on it
//!     gpfifo   ring entries, USERD, doorbell                (pure)
//!     pushbuf  methods                                      (pure)
//! ```

pub(crate) mod channel;
pub(crate) mod chid;
pub(crate) mod engines;
pub(crate) mod gpfifo;
pub(crate) mod pushbuf;

use kernel::prelude::*;

use chid::{
    ChidError,
    Lease,
    Pool,
    Runlist, //
};
use engines::Engines;

use crate::gsp::{
    cmdq::Cmdq,
    rm::{
        queries,
        RmError,
        Target, //
    }, //
};

/// Most ranges of channel IDs live at a time: one for each of 32 vGPUs, as many again that firmware
/// did not let go, and the driver's own.
const MAX_LEASES: usize = 96;

/// The pool of a GPU.
pub(crate) type ChannelPool = Pool<KVVec<Runlist>, KVVec<Lease>>;

/// Asks GSP-RM for the size of each runlist's ID space and makes the pool. `internal` is GSP-RM's
/// own subdevice, which the control is reserved to.
pub(crate) fn channel_pool(
    cmdq: &Cmdq<'_>,
    internal: Target,
    engines: &Engines,
) -> Result<ChannelPool, RmError> {
    let mut runlists =
        KVVec::with_capacity(engines.runlists().len(), GFP_KERNEL).map_err(Error::from)?;
    for &id in engines.runlists() {
        let channels = queries::num_channels(cmdq, internal, id)?;
        let runlist = Runlist::new(id, channels).map_err(to_errno)?;
        runlists.push(runlist, GFP_KERNEL).map_err(Error::from)?;
    }
    let leases = KVVec::from_elem(Lease::default(), MAX_LEASES, GFP_KERNEL).map_err(Error::from)?;
    Ok(Pool::new(runlists, leases).map_err(to_errno)?)
}

/// errno of a refusal.
pub(crate) fn to_errno(e: ChidError) -> Error {
    match e {
        ChidError::Invalid => EINVAL,
        ChidError::NoSpace => ENOSPC,
        ChidError::NotFound => ENOENT,
    }
}
