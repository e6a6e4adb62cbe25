// SPDX-License-Identifier: GPL-2.0

//! What the PF driver offers to the driver of its VFs.
//!
//! ```text
//!   VF driver                          PF driver
//!     Handle::from_vf(vf) ----------->  one Handle per bound PF
//!     handle.support()                  can this PF do vGPU, and if not, why
//!     handle.attach(create) --------->  Attachment: proof that the functions may be used
//!        .client()   the VF driver's own object, one per PF, made by the first caller
//!        .gpu()      Gpu: the operations
//!                      rm_client  control           firmware
//!                      alloc_fb  alloc_channels     resources, given back on drop
//!                      map_bar1  ring_doorbell
//!                      open_vf                      a guest uses a VF
//! ```
//!
//! Lifetime: VFs exist only while the PF is bound; unbinding it removes them first and waits for
//! their driver. Objects from here may still be dropped later than that. Every operation enters a
//! gate that unbinding closes, and returns `ENODEV` from then on.
//!
//! A GPU can be lost and booted again meanwhile (`gpu::phase`). While it is lost, operations return
//! `EIO`. Clients and mappings belong to one boot and return `ENODEV` in later ones; dropping them
//! gives back what there is to give back. Frame buffer and channel IDs are accounting and stay with
//! their owners.
//!
//! Locks of this module, none of which is held while firmware is asked, with one exception:
//!
//! ```text
//!   clients   attach, detach. Held while the first attach creates the client, which may ask
//!             firmware. Only binding and unbinding of VF drivers wait for it.
//!   state     open VFs, access. A few instructions.
//!   fb, channels, ids, bar1   each its own, innermost. MMIO at most.
//! ```
//!
//! No layout, number or string of a firmware version is visible here.

/// Linux resource index of BAR1, the window of the CPU on frame buffer.
const BAR1: u32 = 1;

mod attachment;
mod bringup;
mod copying;
mod faults;
mod handle;
mod ops;
mod registration;
mod resources;
mod scrubbing;
mod types;
mod watch;

pub use attachment::{
    Attachment,
    OpenVf, //
};
pub use faults::{
    Fault,
    TaskEvent, //
};
pub use handle::{
    Client,
    Event,
    Handle, //
};
pub use ops::Gpu;
pub(crate) use registration::Registration;
pub use resources::{
    Bar1Mapping,
    ChannelRange,
    FbRange,
    RmClient, //
};
pub use types::{
    plugin_vector,
    EngineBitmap,
    FbOwner,
    FbRequest,
    GuestFb,
    GuestFbError,
    Info,
    MapInfo,
    PageSize,
    RmError,
    Support,
    Wait, //
};
