// SPDX-License-Identifier: GPL-2.0

//! A client with its device and subdevice: what every control of this driver is sent on.
//!
//! ```text
//!   0xc1d0_0000 | id   root       class 0x0000
//!     0xde1d_0000      device     class 0x0080
//!       0x5d1d_0000    subdevice  class 0x2080   <- controls go here
//! ```
//!
//! Root handles are unique per GPU: the id comes from [`super::ClientIds`] and goes back only after
//! firmware has confirmed that the client is gone. If it has not, the id stays out of use, and the
//! next one who wants a client asks again.

use kernel::prelude::*;

use super::{
    ids::ClientId,
    object::{
        self,
        NewObject, //
    },
    RmError,
    Target, //
};
use crate::gsp::{
    cmdq::{
        Cmdq,
        Wait, //
    },
    fw::r570_144::rm::{
        DeviceParams,
        RootParams,
        SubdeviceParams,
        CLASS_DEVICE,
        CLASS_ROOT,
        CLASS_SUBDEVICE, //
    }, //
};

/// Base of the handles of clients; the id is added.
pub(super) const HANDLE_ROOT: u32 = 0xc1d0_0000;
const HANDLE_DEVICE: u32 = 0xde1d_0000;
const HANDLE_SUBDEVICE: u32 = 0x5d1d_0000;

/// The three objects of a client. Has no `Drop`: whoever owns it knows the way to firmware and
/// calls [`ClientObjects::free`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClientObjects {
    root: u32,
}

impl ClientObjects {
    /// Allocates root, device and subdevice. What was allocated is freed again if a later one
    /// fails; the returned flag says whether the id may be used again.
    pub(crate) fn alloc(
        cmdq: &Cmdq<'_>,
        id: ClientId,
        wait: Wait,
    ) -> Result<Self, (RmError, bool)> {
        let this = Self {
            root: HANDLE_ROOT | id.number(),
        };
        this.alloc_root(cmdq, wait).map_err(|e| {
            // With a status, firmware has refused; without one nobody knows what it did.
            (e, e.status().is_some() || this.forget(cmdq).is_ok())
        })?;
        this.alloc_children(cmdq, wait)
            .map_err(|e| (e, this.free(cmdq).is_ok()))?;
        Ok(this)
    }

    fn alloc_root(&self, cmdq: &Cmdq<'_>, wait: Wait) -> Result<(), RmError> {
        let root_params = RootParams::new(self.root);
        object::alloc(
            cmdq,
            NewObject {
                client: self.root,
                parent: self.root,
                handle: self.root,
                class: CLASS_ROOT,
                params: root_params.as_bytes(),
            },
            wait,
        )
    }

    fn alloc_children(&self, cmdq: &Cmdq<'_>, wait: Wait) -> Result<(), RmError> {
        let device_params = DeviceParams {
            h_client_share: self.root,
            ..DeviceParams::default()
        };
        object::alloc(
            cmdq,
            NewObject {
                client: self.root,
                parent: self.root,
                handle: HANDLE_DEVICE,
                class: CLASS_DEVICE,
                params: device_params.as_bytes(),
            },
            wait,
        )?;
        object::alloc(
            cmdq,
            NewObject {
                client: self.root,
                parent: HANDLE_DEVICE,
                handle: HANDLE_SUBDEVICE,
                class: CLASS_SUBDEVICE,
                params: SubdeviceParams::default().as_bytes(),
            },
            wait,
        )
    }

    /// Frees the client. Its device and subdevice go with it, as do all objects below a client. If
    /// there is no answer, asks once more.
    pub(crate) fn free(&self, cmdq: &Cmdq<'_>) -> Result<(), RmError> {
        match object::free(cmdq, self.root, 0, self.root) {
            Err(e) if e.status().is_none() => self.forget(cmdq),
            result => result,
        }
    }

    /// Asks once more for a client to be freed; true if it is gone.
    pub(crate) fn retry_free(cmdq: &Cmdq<'_>, id: ClientId) -> bool {
        let this = Self {
            root: HANDLE_ROOT | id.number(),
        };
        this.forget(cmdq).is_ok()
    }

    /// Frees a client that may not exist: that it does not is as good as success.
    fn forget(&self, cmdq: &Cmdq<'_>) -> Result<(), RmError> {
        match object::free(cmdq, self.root, 0, self.root) {
            Err(e) if e.is_absent() => Ok(()),
            result => result,
        }
    }

    /// Handle of the client.
    pub(crate) fn handle(&self) -> u32 {
        self.root
    }

    /// The device, for controls and as a parent.
    pub(crate) fn device(&self) -> Target {
        Target {
            client: self.root,
            object: HANDLE_DEVICE,
        }
    }

    /// The subdevice, for controls.
    pub(crate) fn subdevice(&self) -> Target {
        Target {
            client: self.root,
            object: HANDLE_SUBDEVICE,
        }
    }
}
