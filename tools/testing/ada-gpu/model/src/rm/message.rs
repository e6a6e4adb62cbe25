// SPDX-License-Identifier: GPL-2.0

//! Layouts of the RPCs that carry RM requests.
//!
//! ```text
//!   RM_CONTROL (76)   0 hClient  4 hObject  8 cmd     12 status  16 paramsSize  20 flags   24 params
//!   RM_ALLOC  (103)   0 hClient  4 hParent  8 hObject 12 hClass  16 status      20 paramsSize
//!                    24 flags   28 -       32 params
//!   FREE       (10)   0 hRoot    4 hParent  8 hObject 12 status
//! ```
//!
//! The answer is the request with the status filled in and, for a control, the
//! parameters it produced. Source: OGKM 570.144
//! `src/nvidia/generated/g_rpc-structures.h`, `src/nvidia/interface/gsp_abi_check.c`.

use crate::bytes::{put, put_u32, u32_at};
use crate::rm::status::NvStatus;

/// FREE.
pub const FREE: u32 = 10;
/// GET_GSP_STATIC_INFO.
pub const GET_GSP_STATIC_INFO: u32 = 65;
/// GSP_RM_CONTROL.
pub const RM_CONTROL: u32 = 76;
/// GSP_RM_ALLOC.
pub const RM_ALLOC: u32 = 103;

const CONTROL_STATUS: usize = 12;
const CONTROL_PARAMS: usize = 24;
/// RMAPI_RPC_FLAGS_SERIALIZED: the parameters are in FINN's compressed form.
const FLAG_SERIALIZED: u32 = 1 << 1;
const ALLOC_STATUS: usize = 16;
const ALLOC_PARAMS: usize = 32;
const FREE_STATUS: usize = 12;
const FREE_SIZE: usize = 16;

/// GSP_RM_CONTROL as received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Control<'a> {
    /// Client handle.
    pub client: u32,
    /// Object handle.
    pub object: u32,
    /// Command.
    pub cmd: u32,
    /// Parameters.
    pub params: &'a [u8],
}

impl<'a> Control<'a> {
    /// `None` when the message is shorter than it says or its parameters are serialized.
    pub fn decode(b: &'a [u8]) -> Option<Control<'a>> {
        let size = u32_at(b, 16)? as usize;
        if u32_at(b, 20)? & FLAG_SERIALIZED != 0 {
            return None;
        }
        Some(Control {
            client: u32_at(b, 0)?,
            object: u32_at(b, 4)?,
            cmd: u32_at(b, 8)?,
            params: b.get(CONTROL_PARAMS..CONTROL_PARAMS.checked_add(size)?)?,
        })
    }

    /// The answer: the request with this status and, if given, these parameters.
    pub fn answer(request: &[u8], status: NvStatus, params: Option<&[u8]>) -> Vec<u8> {
        let mut b = request.to_vec();
        put_u32(&mut b, CONTROL_STATUS, status.0);
        if let Some(params) = params {
            put(&mut b, CONTROL_PARAMS, params);
        }
        b
    }
}

/// GSP_RM_ALLOC as received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Alloc<'a> {
    /// Client handle.
    pub client: u32,
    /// Handle of the parent.
    pub parent: u32,
    /// Object handle.
    pub object: u32,
    /// Class number.
    pub class: u32,
    /// Parameters.
    pub params: &'a [u8],
}

impl<'a> Alloc<'a> {
    /// `None` when the message is shorter than it says.
    pub fn decode(b: &'a [u8]) -> Option<Alloc<'a>> {
        let size = u32_at(b, 20)? as usize;
        Some(Alloc {
            client: u32_at(b, 0)?,
            parent: u32_at(b, 4)?,
            object: u32_at(b, 8)?,
            class: u32_at(b, 12)?,
            params: b.get(ALLOC_PARAMS..ALLOC_PARAMS.checked_add(size)?)?,
        })
    }

    /// The answer: the request with this status.
    pub fn answer(request: &[u8], status: NvStatus) -> Vec<u8> {
        let mut b = request.to_vec();
        put_u32(&mut b, ALLOC_STATUS, status.0);
        b
    }
}

/// FREE as received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Free {
    /// Client handle.
    pub client: u32,
    /// Object handle.
    pub object: u32,
}

impl Free {
    /// `None` when the message is too short.
    pub fn decode(b: &[u8]) -> Option<Free> {
        if b.len() < FREE_SIZE {
            return None;
        }
        Some(Free {
            client: u32_at(b, 0)?,
            object: u32_at(b, 8)?,
        })
    }

    /// The answer: the request with this status.
    pub fn answer(request: &[u8], status: NvStatus) -> Vec<u8> {
        let mut b = request.to_vec();
        put_u32(&mut b, FREE_STATUS, status.0);
        b
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    fn words(w: &[u32]) -> Vec<u8> {
        w.iter().flat_map(|v| v.to_le_bytes()).collect()
    }

    /// A control message.
    pub(crate) fn control(client: u32, object: u32, cmd: u32, params: &[u8]) -> Vec<u8> {
        let mut b = words(&[client, object, cmd, 0xffff_ffff, params.len() as u32, 0]);
        b.extend_from_slice(params);
        b
    }

    /// An allocation message.
    pub(crate) fn alloc(
        client: u32,
        parent: u32,
        object: u32,
        class: u32,
        params: &[u8],
    ) -> Vec<u8> {
        let mut b = words(&[
            client,
            parent,
            object,
            class,
            0xffff_ffff,
            params.len() as u32,
            0,
            0,
        ]);
        b.extend_from_slice(params);
        b
    }

    /// A free message.
    pub(crate) fn free(client: u32, object: u32) -> Vec<u8> {
        words(&[client, 0, object, 0xffff_ffff])
    }

    #[test]
    fn short_messages_are_seen() {
        let good = control(1, 2, 3, &[9; 8]);
        assert_eq!(Control::decode(&good).unwrap().params, &[9; 8]);
        assert_eq!(Control::decode(&good[..31]), None);
        assert_eq!(Control::decode(&good[..20]), None);
        let mut huge = good.clone();
        put_u32(&mut huge, 16, u32::MAX);
        assert_eq!(Control::decode(&huge), None);
        let mut serialized = good;
        put_u32(&mut serialized, 20, 2);
        assert_eq!(Control::decode(&serialized), None);
        let a = alloc(1, 2, 3, 4, &[7; 4]);
        assert_eq!(Alloc::decode(&a).unwrap().class, 4);
        assert_eq!(Alloc::decode(&a[..35]), None);
        assert_eq!(Free::decode(&free(1, 2)[..15]), None);
        assert_eq!(
            Free::decode(&free(1, 2)),
            Some(Free {
                client: 1,
                object: 2
            })
        );
    }

    #[test]
    fn answers_keep_the_request() {
        let good = control(1, 2, 3, &[9; 8]);
        let a = Control::answer(&good, NvStatus::OK, Some(&[5; 8]));
        assert_eq!(u32_at(&a, 12), Some(0));
        assert_eq!(&a[24..], &[5; 8]);
        assert_eq!(a[..12], good[..12]);
    }
}
