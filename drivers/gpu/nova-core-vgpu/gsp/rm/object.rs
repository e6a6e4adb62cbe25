// SPDX-License-Identifier: GPL-2.0

//! RM_ALLOC and FREE: objects come and go by handles that the driver chooses.
//!
//! ```text
//!   RM_ALLOC | AllocHeader | params of the class |      FREE | FreeParams |
//! ```

use kernel::prelude::*;
use zerocopy::FromBytes;

use super::RmError;
use crate::gsp::{
    cmdq::{
        Cmdq,
        Wait, //
    },
    fw::r570_144::{
        function,
        rm::{
            AllocHeader,
            FreeParams, //
        }, //
    },
};

/// The object to make.
#[derive(Clone, Copy, Debug)]
pub(super) struct NewObject<'a> {
    /// Client it belongs to; its own handle when it is a client.
    pub(super) client: u32,
    /// Parent object; its own handle when it is a client.
    pub(super) parent: u32,
    /// Handle it shall have.
    pub(super) handle: u32,
    /// Class.
    pub(super) class: u32,
    /// Parameters of the class.
    pub(super) params: &'a [u8],
}

/// Allocates an object. Sleeps until the reply is there.
///
/// With an error that has no status, `EINTR` among them, nobody knows whether the object exists:
/// its handle must not be used again before [`free`] has said that it is gone.
pub(super) fn alloc(
    cmdq: &Cmdq<'_>,
    new: NewObject<'_>,
    wait: impl Into<Wait>,
) -> Result<(), RmError> {
    let head = AllocHeader {
        h_client: new.client,
        h_parent: new.parent,
        h_object: new.handle,
        h_class: new.class,
        status: 0,
        params_size: u32::try_from(new.params.len()).map_err(|_| RmError::from(E2BIG))?,
        flags: 0,
        reserved: [0; 4],
    };
    let mut request = KVVec::with_capacity(size_of::<AllocHeader>() + new.params.len(), GFP_KERNEL)
        .map_err(Error::from)?;
    request
        .extend_from_slice(head.as_bytes(), GFP_KERNEL)
        .map_err(Error::from)?;
    request
        .extend_from_slice(new.params, GFP_KERNEL)
        .map_err(Error::from)?;

    let reply = cmdq.call_raw(function::GSP_RM_ALLOC, &request, wait)?;
    RmError::check(reply.result)?;
    let (answer, _) =
        AllocHeader::read_from_prefix(&reply.payload).map_err(|_| RmError::MALFORMED)?;
    if answer.h_client != head.h_client || answer.h_class != head.h_class {
        return Err(RmError::MALFORMED);
    }
    RmError::check(answer.status)?;
    if answer.h_object != head.h_object {
        return Err(RmError::MALFORMED);
    }
    Ok(())
}

/// Frees an object. `parent` is 0 for a client. Sleeps until the reply is there, and is not
/// interrupted: a caller that is killed gives back what it had, too.
pub(super) fn free(cmdq: &Cmdq<'_>, client: u32, parent: u32, handle: u32) -> Result<(), RmError> {
    let request = FreeParams {
        h_root: client,
        h_object_parent: parent,
        h_object_old: handle,
        status: 0,
    };
    let reply = cmdq.call_raw(function::FREE, request.as_bytes(), Cmdq::DEFAULT_TIMEOUT)?;
    RmError::check(reply.result)?;
    let (answer, _) =
        FreeParams::read_from_prefix(&reply.payload).map_err(|_| RmError::MALFORMED)?;
    if answer.h_object_old != handle {
        return Err(RmError::MALFORMED);
    }
    RmError::check(answer.status)
}
