// SPDX-License-Identifier: GPL-2.0

//! RM_CONTROL: a request on an object, parameters in, parameters out.
//!
//! ```text
//!   request  | ControlHeader | params |     reply  | same header, status set | params |
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
        rm::ControlHeader, //
    },
};

/// The object a control goes to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    /// Client the object belongs to.
    pub(crate) client: u32,
    /// The object.
    pub(crate) object: u32,
}

/// The request that sends control `cmd`.
///
/// # Errors
///
/// `E2BIG`, `ENOMEM`.
pub(crate) fn control_request(target: Target, cmd: u32, params: &[u8]) -> Result<KVVec<u8>> {
    let head = ControlHeader {
        h_client: target.client,
        h_object: target.object,
        cmd,
        status: 0,
        params_size: u32::try_from(params.len()).map_err(|_| E2BIG)?,
        flags: 0,
    };
    let mut request = KVVec::with_capacity(size_of::<ControlHeader>() + params.len(), GFP_KERNEL)?;

    request.extend_from_slice(head.as_bytes(), GFP_KERNEL)?;
    request.extend_from_slice(params, GFP_KERNEL)?;
    Ok(request)
}

/// Sends control `cmd`. On success `params` holds the parameters of the reply, on failure it is
/// unchanged.
///
/// Sleeps until the reply is there or `wait` is over; a time alone is a [`Wait`] that nothing interrupts.
///
/// # Errors
///
/// See [`RmError`]; besides the transport's own errors `EPROTO` for a reply that does not answer
/// this request.
pub(crate) fn control(
    cmdq: &Cmdq<'_>,
    target: Target,
    cmd: u32,
    params: &mut [u8],
    wait: impl Into<Wait>,
) -> Result<(), RmError> {
    let request = control_request(target, cmd, params)?;
    let reply = cmdq.call_raw(function::GSP_RM_CONTROL, &request, wait)?;
    RmError::check(reply.result)?;
    let (answer, rest) =
        ControlHeader::read_from_prefix(&reply.payload).map_err(|_| RmError::MALFORMED)?;
    if (answer.h_client, answer.h_object, answer.cmd) != (target.client, target.object, cmd) {
        return Err(RmError::MALFORMED);
    }
    RmError::check(answer.status)?;
    if usize::try_from(answer.params_size) != Ok(params.len()) {
        return Err(RmError::MALFORMED);
    }
    params.copy_from_slice(rest.get(..params.len()).ok_or(RmError::MALFORMED)?);
    Ok(())
}
