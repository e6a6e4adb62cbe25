// SPDX-License-Identifier: GPL-2.0

//! What a VF driver holds of a PF.
//!
//! ```text
//!   Attachment   one per bound VF     drop: detach, the last one drops the client
//!      open_vf
//!        '-> OpenVf   a guest uses it    drop: SR-IOV may change, the system may sleep
//! ```

use kernel::{
    fmt,
    prelude::*,
    sync::Arc, //
};

use super::{
    Client,
    Gpu,
    Handle, //
};

/// Proof of being attached to a PF. Dropping it detaches.
pub struct Attachment<C: Client> {
    pub(super) client: Arc<C>,
    pub(super) handle: Arc<Handle>,
}

impl<C: Client> Attachment<C> {
    /// The client that all VFs of the PF share.
    pub fn client(&self) -> &Arc<C> {
        &self.client
    }

    /// The operations.
    pub fn gpu(&self) -> &Arc<Gpu> {
        self.handle.gpu()
    }

    /// See [`Handle::open_vf`].
    pub fn open_vf(&self, index: u16) -> Result<OpenVf> {
        self.handle.open_vf(index)
    }
}

impl<C: Client> Drop for Attachment<C> {
    fn drop(&mut self) {
        self.handle.detach();
    }
}

/// A guest uses a VF. Dropping it ends that.
pub struct OpenVf {
    pub(super) handle: Arc<Handle>,
    /// Bit n: VF n.
    pub(super) bit: u64,
}

impl OpenVf {
    #[inline(never)]
    fn close(&self) {
        self.handle.close_vf(self.bit);
    }
}

impl Drop for OpenVf {
    fn drop(&mut self) {
        self.close();
    }
}

/// VFs that are open; shown as "VF 0, VF 3".
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct OpenVfs(pub(super) u64);

impl OpenVfs {
    /// How many.
    pub(crate) fn count(self) -> u32 {
        self.0.count_ones()
    }
}

impl fmt::Display for OpenVfs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let open = (0..u64::BITS).filter(|index| self.0 & 1 << index != 0);
        for (n, index) in open.enumerate() {
            write!(f, "{}VF {}", if n == 0 { "" } else { ", " }, index)?;
        }
        Ok(())
    }
}
