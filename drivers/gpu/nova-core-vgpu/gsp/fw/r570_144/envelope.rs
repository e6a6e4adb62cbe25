// SPDX-License-Identifier: GPL-2.0

//! What requests of the resource manager have in common, without looking at what they ask for.
//!
//! ```text
//!   GSP_RM_CONTROL   client 0 | object 4 | command 8 | status 0xc
//!   GSP_RM_ALLOC     client 0 | parent 4 | object 8 | class 0xc | status 0x10
//!   FREE             client 0 | parent 4 | object 8 | status 0xc
//! ```
//!
//! Pure: also compiled on the host by `tools/testing/host-tests`.
//!
//! Source: OGKM 570.144 `src/nvidia/generated/g_rpc-structures.h`, `nvos.h`.

use super::{
    super::super::super::bytes::u32_at,
    ids::function, //
};

/// The client that a request comes from, or whose request is answered; `None` if the function
/// knows no clients or the payload is too short.
pub(crate) fn client(function: u32, payload: &[u8]) -> Option<u32> {
    match function {
        function::FREE | function::GSP_RM_CONTROL | function::GSP_RM_ALLOC => u32_at(payload, 0),
        _ => None,
    }
}

/// The raw `NV_STATUS` inside a reply; `None` if the function has none or the payload is too short.
pub(crate) fn status(function: u32, reply: &[u8]) -> Option<u32> {
    match function {
        function::FREE | function::GSP_RM_CONTROL => u32_at(reply, 0x0c),
        function::GSP_RM_ALLOC => u32_at(reply, 0x10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_where_they_should_be() {
        let payload: Vec<u8> = [1u32, 2, 3, 4, 5].map(u32::to_le_bytes).concat();
        for (number, inner) in [
            (function::GSP_RM_CONTROL, Some(4)),
            (function::GSP_RM_ALLOC, Some(5)),
            (function::FREE, Some(4)),
        ] {
            assert_eq!(client(number, &payload), Some(1));
            assert_eq!(status(number, &payload), inner);
            assert_eq!(status(number, &payload[..15]), None);
            assert_eq!(client(number, &[]), None);
        }
        assert_eq!(client(function::GET_GSP_STATIC_INFO, &payload), None);
        assert_eq!(status(function::GET_GSP_STATIC_INFO, &payload), None);
    }
}
