// SPDX-License-Identifier: GPL-2.0

//! One queue element: building it, and deciding whether a received one can be trusted.
//!
//! ```text
//!  received bytes -> peek(): function, sequences, length, slots   (framing only)
//!                 -> verify(): XOR over the whole element is zero (contents)
//! ```
//!
//! Nothing in shared memory is believed: the caller copies the bytes out first, so that GSP
//! cannot change them between the check and the use. Source: OGKM 570.144
//! `message_queue_cpu.c`.

use zerocopy::{FromBytes, FromZeros, IntoBytes};

use super::super::fw::r570_144::rpc::{
    ElementHeader, Headers, RpcHeader, ELEMENT_HEADER_SIZE, HEADERS_SIZE, MAX_PAYLOAD, MAX_SLOTS,
    RESULT_REQUEST, RPC_HEADER_SIZE, RPC_SIGNATURE, RPC_VERSION, SLOT_SIZE,
};

/// The framing of a received element is wrong; the text names the field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BadFrame(pub(crate) &'static str);

/// Framing of a received element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Frame {
    /// Position in the queue's count of elements.
    pub(crate) element_sequence: u32,
    /// Slots that it takes.
    pub(crate) slots: usize,
    /// Function or event.
    pub(crate) function: u32,
    /// Raw NV_STATUS.
    pub(crate) result: u32,
    /// Number of the request that it answers.
    pub(crate) sequence: u32,
    /// Bytes of payload after both headers.
    pub(crate) payload: usize,
}

impl Frame {
    /// Bytes of the whole element.
    pub(crate) fn len(&self) -> usize {
        HEADERS_SIZE + self.payload
    }

    /// The element carries as much as an element can, so the message may go on in the next one.
    pub(crate) fn is_full(&self) -> bool {
        self.slots == MAX_SLOTS
    }
}

/// Slots for an element with `payload` bytes after the headers.
pub(crate) const fn slots(payload: usize) -> usize {
    (HEADERS_SIZE + payload).div_ceil(SLOT_SIZE)
}

/// Folds the XOR of all 64-bit words of `parts` put together, the last one zero padded.
///
/// Every part but the last must be a multiple of 8 bytes long. Like OGKM 570.144
/// `message_queue_cpu.c` (`_checkSum32`), which reads whole words and relies on the padding.
fn fold(parts: &[&[u8]]) -> u32 {
    let mut sum = 0u64;
    for part in parts {
        let mut words = part.chunks_exact(8);
        for word in &mut words {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(word);
            sum ^= u64::from_le_bytes(bytes);
        }
        let mut tail = [0; 8];
        let rest = words.remainder();
        tail[..rest.len()].copy_from_slice(rest);
        sum ^= u64::from_le_bytes(tail);
    }
    // CAST: The two halves are wanted.
    (sum >> 32) as u32 ^ sum as u32
}

/// Headers of a request with `payload`; `None` when it is too long for one element.
pub(crate) fn headers(
    element_sequence: u32,
    function: u32,
    sequence: u32,
    payload: &[u8],
) -> Option<Headers> {
    if payload.len() > MAX_PAYLOAD {
        return None;
    }
    // CAST: Lengths are below 64 KiB.
    let mut headers = Headers {
        element: ElementHeader {
            sequence: element_sequence,
            slots: slots(payload.len()) as u32,
            ..ElementHeader::new_zeroed()
        },
        rpc: RpcHeader {
            version: RPC_VERSION,
            signature: RPC_SIGNATURE,
            length: (RPC_HEADER_SIZE + payload.len()) as u32,
            function,
            result: RESULT_REQUEST,
            result_private: RESULT_REQUEST,
            sequence,
            spare: 0,
        },
    };
    headers.element.checksum = fold(&[headers.as_bytes(), payload]);
    Some(headers)
}

/// Reads the framing from the first [`HEADERS_SIZE`] bytes of an element; `available` is the
/// number of slots that the writer has released.
///
/// # Errors
///
/// [`BadFrame`] when the element's end cannot be known.
pub(crate) fn peek(first: &[u8], available: usize) -> Result<Frame, BadFrame> {
    let (headers, _) = Headers::read_from_prefix(first).map_err(|_| BadFrame("length"))?;
    let length = headers.rpc.length as usize;
    let element = headers.element.slots as usize;

    if headers.rpc.signature != RPC_SIGNATURE {
        return Err(BadFrame("signature"));
    }
    if headers.rpc.version != RPC_VERSION {
        return Err(BadFrame("version"));
    }
    let payload = length
        .checked_sub(RPC_HEADER_SIZE)
        .filter(|payload| *payload <= MAX_PAYLOAD)
        .ok_or(BadFrame("length"))?;
    if element != slots(payload) {
        return Err(BadFrame("slot count"));
    }
    if element > available {
        return Err(BadFrame("slot count beyond the write index"));
    }

    Ok(Frame {
        element_sequence: headers.element.sequence,
        slots: element,
        function: headers.rpc.function,
        result: headers.rpc.result,
        sequence: headers.rpc.sequence,
        payload,
    })
}

/// The checksum over the whole element, headers included, is right.
pub(crate) fn verify(element: &[u8]) -> bool {
    element.len() >= ELEMENT_HEADER_SIZE && fold(&[element]) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn element(payload: &[u8]) -> Vec<u8> {
        let headers = headers(3, 76, 9, payload).unwrap();
        let mut bytes = headers.as_bytes().to_vec();
        bytes.extend_from_slice(payload);
        bytes
    }

    #[test]
    fn round_trip() {
        for len in [0, 1, 7, 8, 9, 4016, 4017, MAX_PAYLOAD] {
            let payload: Vec<u8> = (0..len).map(|i| i as u8).collect();
            let bytes = element(&payload);
            let frame = peek(&bytes, MAX_SLOTS).unwrap();
            assert_eq!(frame.payload, len);
            assert_eq!(frame.slots, bytes.len().div_ceil(SLOT_SIZE));
            assert_eq!((frame.function, frame.sequence), (76, 9));
            assert_eq!(frame.element_sequence, 3);
            assert!(verify(&bytes));
        }
        assert!(headers(0, 76, 0, &vec![0; MAX_PAYLOAD + 1]).is_none());
    }

    #[test]
    fn every_flipped_bit_is_seen() {
        let good = element(b"some payload that is not a multiple of eight");
        for i in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[i / 8] ^= 1 << (i % 8);
            assert!(!verify(&bad), "bit {i}");
        }
    }

    #[test]
    fn framing_is_checked() {
        let good = element(&[0; 5000]);
        let with = |at: usize, value: u32| {
            let mut bytes = good.clone();
            bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
            peek(&bytes, 2).unwrap_err().0
        };
        assert!(peek(&good, 2).is_ok());
        assert_eq!(
            peek(&good, 1).unwrap_err().0,
            "slot count beyond the write index"
        );
        assert_eq!(with(0x28, 1), "slot count");
        assert_eq!(with(0x30, 0), "version");
        assert_eq!(with(0x34, 0), "signature");
        assert_eq!(with(0x38, 31), "length");
        assert_eq!(with(0x38, u32::MAX), "length");
        assert_eq!(peek(&good[..79], 2), Err(BadFrame("length")));
    }
}
