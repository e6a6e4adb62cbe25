// SPDX-License-Identifier: GPL-2.0

//! Messages that are longer than an element.
//!
//! ```text
//!  request  | function 76, 65456 bytes | function 71, 65456 bytes | … | function 71, rest |
//!  reply    the same; it is complete when it is as long as expected or an element is not full
//! ```
//!
//! Function 71 is CONTINUATION_RECORD. Source: OGKM 570.144 `rpc.c` (`_issueRpcLarge`).

use super::super::fw::r570_144::{ids::function::CONTINUATION_RECORD, rpc::MAX_PAYLOAD};

/// The elements of a request: function and part of the payload. There is always at least one.
pub(crate) fn elements(function: u32, payload: &[u8]) -> impl Iterator<Item = (u32, &[u8])> {
    let (first, rest) = payload.split_at(payload.len().min(MAX_PAYLOAD));

    core::iter::once((function, first)).chain(
        rest.chunks(MAX_PAYLOAD)
            .map(|part| (CONTINUATION_RECORD, part)),
    )
}

/// The reply goes on after an element: `received` bytes have come of the `expected` ones, and
/// `full` tells whether the element carried as much as it could.
pub(crate) const fn goes_on(received: usize, expected: usize, full: bool) -> bool {
    full && received < expected
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_put_together_are_the_payload() {
        for len in [0, 1, MAX_PAYLOAD, MAX_PAYLOAD + 1, 334_368, 3 * MAX_PAYLOAD] {
            let payload: Vec<u8> = (0..len).map(|i| (i % 251) as u8).collect();
            let parts: Vec<_> = elements(76, &payload).collect();
            let joined: Vec<u8> = parts.iter().flat_map(|p| p.1).copied().collect();

            assert_eq!(joined, payload);
            assert_eq!(parts.len(), len.div_ceil(MAX_PAYLOAD).max(1));
            assert_eq!(parts[0].0, 76);
            assert!(parts[1..].iter().all(|p| p.0 == CONTINUATION_RECORD));
        }
    }

    #[test]
    fn end_of_a_reply() {
        assert!(!goes_on(100, 100, false));
        assert!(!goes_on(MAX_PAYLOAD, MAX_PAYLOAD, true));
        assert!(goes_on(MAX_PAYLOAD, MAX_PAYLOAD + 1, true));
        assert!(!goes_on(8, MAX_PAYLOAD + 1, false));
    }
}
