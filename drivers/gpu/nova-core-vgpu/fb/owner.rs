// SPDX-License-Identifier: GPL-2.0

//! Whom frame buffer belongs to.
//!
//! Pure: also compiled on the host by `tools/testing/host-tests`.

/// Whom a range of frame buffer belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FbOwner {
    /// The PF driver itself.
    #[default]
    Pf,
    /// Frame buffer of the guest behind this GFID.
    GuestFb(u32),
    /// Heap of the firmware task that serves this GFID.
    MgmtHeap(u32),
    /// A former owner's, out of use because firmware did not confirm that it has let go.
    Quarantine,
}

impl FbOwner {
    /// A tenant, or firmware acting for one, which must not see what another one has left.
    pub(crate) fn is_tenant(&self) -> bool {
        matches!(self, Self::GuestFb(_) | Self::MgmtHeap(_))
    }
}
