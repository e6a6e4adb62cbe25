// SPDX-License-Identifier: GPL-2.0

//! Host interface: engines, runlists, channel IDs.
//!
//! ```text
//!   engines  device-info table of GSP-RM -> engine bitmap, runlists
//!   chid     channel-ID pool, one ID space per runlist
//! ```

pub(crate) mod chid;
pub(crate) mod engines;

use kernel::prelude::*;

use chid::{
    ChidError,
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

/// IDs that no vGPU gets on any runlist: 0 may be GSP-RM's own, the rest of the first 64 are for
/// channels of the host, such as the one that will scrub.
const EXCLUDED: core::ops::Range<u32> = 0..64;

/// The pool of a GPU.
pub(crate) type ChannelPool = Pool<KVVec<Runlist>>;

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
    Ok(Pool::new(runlists, &[EXCLUDED]).map_err(to_errno)?)
}

/// errno of a refusal.
pub(crate) fn to_errno(e: ChidError) -> Error {
    match e {
        ChidError::Invalid => EINVAL,
        ChidError::NoSpace => ENOSPC,
        ChidError::NotFound => ENOENT,
    }
}
