// SPDX-License-Identifier: GPL-2.0

//! Queue elements: encoding, checksum, and the checks on a received one.
//!
//! ```text
//! 0x00 auth tag (16)  0x10 AAD (16)  0x20 checksum  0x24 sequence  0x28 count
//! 0x30 header version 0x34 "VRPC"    0x38 length    0x3c function
//! 0x40 result         0x44 private   0x48 RPC sequence  0x4c spare
//! 0x50 payload
//! ```
//!
//! The checksum is the XOR of all 64-bit words of headers and payload (checksum
//! field zero, tail zero padded), folded to 32 bits (OGKM 570.144,
//! message_queue_cpu.c).

use crate::bytes::{put, put_u32, u32_at};
use crate::ucode::{refuse, Refusal};

/// One slot of a queue.
pub const SLOT: usize = 4096;
/// Element header plus RPC header.
pub const HEADERS: usize = 0x50;
/// Element header alone.
const ELEMENT_HEADER: usize = 0x30;
/// RPC header alone.
const RPC_HEADER: usize = 0x20;
/// Slots of the largest element.
pub const MAX_SLOTS: usize = 16;
/// Payload bytes of the largest element.
pub const MAX_PAYLOAD: usize = MAX_SLOTS * SLOT - HEADERS;

const HEADER_VERSION: u32 = 0x0300_0000;
const SIGNATURE: u32 = 0x4350_5256;

/// A message element, without its transport fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Element {
    /// RPC function or event number.
    pub function: u32,
    /// `rpc_result` and `rpc_result_private`.
    pub result: [u32; 2],
    /// RPC sequence word, chosen by the driver.
    pub rpc_sequence: u32,
    /// Spare word / cpuRmGfid.
    pub spare: u32,
    /// Payload.
    pub payload: Vec<u8>,
}

/// The folded XOR over `bytes`.
pub fn checksum(bytes: &[u8]) -> u32 {
    let sum = bytes.chunks(8).fold(0u64, |sum, chunk| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        sum ^ u64::from_le_bytes(word)
    });
    (sum >> 32) as u32 ^ sum as u32
}

/// Slots an element with `payload` bytes takes.
pub fn slots(payload: usize) -> usize {
    (HEADERS + payload).div_ceil(SLOT)
}

impl Element {
    /// The element in queue format, with element sequence number `sequence`.
    pub fn encode(&self, sequence: u32) -> Vec<u8> {
        let mut b = vec![0; HEADERS + self.payload.len()];
        put_u32(&mut b, 0x24, sequence);
        put_u32(&mut b, 0x28, slots(self.payload.len()) as u32);
        put_u32(&mut b, 0x30, HEADER_VERSION);
        put_u32(&mut b, 0x34, SIGNATURE);
        put_u32(&mut b, 0x38, (RPC_HEADER + self.payload.len()) as u32);
        put_u32(&mut b, 0x3c, self.function);
        put_u32(&mut b, 0x40, self.result[0]);
        put_u32(&mut b, 0x44, self.result[1]);
        put_u32(&mut b, 0x48, self.rpc_sequence);
        put_u32(&mut b, 0x4c, self.spare);
        put(&mut b, HEADERS, &self.payload);
        let sum = checksum(&b);
        put_u32(&mut b, 0x20, sum);
        b
    }

    /// Slots the element that starts with `first` (one slot) claims to take.
    /// `available` is what the sender has handed over.
    pub fn claimed_slots(first: &[u8], available: usize) -> Result<usize, Refusal> {
        let count = u32_at(first, 0x28).unwrap_or(0) as usize;
        if count == 0 || count > MAX_SLOTS || count > available {
            refuse!(
                "queue-element-count",
                "element of {count} slots, {available} available"
            );
        }
        Ok(count)
    }

    /// Checks and decodes an element. `b` holds all of its slots, `sequence` is
    /// the number it must have.
    pub fn decode(b: &[u8], sequence: u32) -> Result<Element, Refusal> {
        let word = |off| u32_at(b, off).unwrap_or(0);
        if b.len() < HEADERS {
            refuse!("queue-length", "element of {} bytes", b.len());
        }
        if word(0x30) != HEADER_VERSION || word(0x34) != SIGNATURE {
            refuse!(
                "queue-signature",
                "header version {:#x} signature {:#x}",
                word(0x30),
                word(0x34)
            );
        }
        let length = word(0x38) as usize;
        let end = ELEMENT_HEADER + length.min(b.len());
        if length < RPC_HEADER || end > b.len() || end.div_ceil(SLOT) != word(0x28) as usize {
            refuse!(
                "queue-length",
                "length {length:#x} with {} slots",
                word(0x28)
            );
        }
        let sum = checksum(&b[..end]);
        if sum != 0 {
            refuse!(
                "queue-checksum",
                "function {} sequence {}: off by {sum:#x}",
                word(0x3c),
                word(0x24)
            );
        }
        if word(0x24) != sequence {
            refuse!(
                "queue-sequence",
                "function {} has sequence {}, expected {sequence}",
                word(0x3c),
                word(0x24)
            );
        }
        Ok(Element {
            function: word(0x3c),
            result: [word(0x40), word(0x44)],
            rpc_sequence: word(0x48),
            spare: word(0x4c),
            payload: b[HEADERS..end].to_vec(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(payload: usize) -> Element {
        Element {
            function: 76,
            result: [u32::MAX; 2],
            rpc_sequence: 9,
            spare: 0,
            payload: (0..payload).map(|i| i as u8).collect(),
        }
    }

    fn padded(e: &Element, sequence: u32) -> Vec<u8> {
        let mut b = e.encode(sequence);
        b.resize(b.len().next_multiple_of(SLOT), 0);
        b
    }

    #[test]
    fn known_checksum() {
        // 0x0706050403020100 ^ 0x08 = words folded: 0x07060504 ^ 0x03020108.
        assert_eq!(checksum(&[0, 1, 2, 3, 4, 5, 6, 7, 8]), 0x0404_040c);
    }

    #[test]
    fn round_trip_at_slot_boundaries() {
        for n in [0, 1, SLOT - HEADERS, SLOT - HEADERS + 1, MAX_PAYLOAD] {
            let e = sample(n);
            let b = padded(&e, 3);
            assert_eq!(Element::claimed_slots(&b, 63).unwrap() * SLOT, b.len());
            assert_eq!(Element::decode(&b, 3).unwrap(), e);
        }
    }

    #[test]
    fn each_defect_has_its_own_refusal() {
        let good = padded(&sample(100), 5);
        let kind = |off: usize, v: u32, fix: bool| {
            let mut b = good.clone();
            put_u32(&mut b, off, v);
            if fix {
                put_u32(&mut b, 0x20, 0);
                let end = HEADERS + 100;
                let sum = checksum(&b[..end]);
                put_u32(&mut b, 0x20, sum);
            }
            Element::decode(&b, 5).map_err(|r| r.kind)
        };
        assert_eq!(kind(0x20, 1, false), Err("queue-checksum"));
        assert_eq!(kind(0x60, 0xffff, false), Err("queue-checksum"));
        assert_eq!(kind(0x24, 6, true), Err("queue-sequence"));
        assert_eq!(kind(0x34, 0, true), Err("queue-signature"));
        assert_eq!(kind(0x30, 0x0200_0000, true), Err("queue-signature"));
        assert_eq!(kind(0x38, 31, false), Err("queue-length"));
        assert_eq!(kind(0x38, 0xffff_ffff, false), Err("queue-length"));
        assert_eq!(kind(0x38, 5000, false), Err("queue-length"));
        assert_eq!(kind(0x28, 2, true), Err("queue-length"));
        for (count, available) in [(0, 63), (17, 63), (2, 1)] {
            let mut b = good.clone();
            put_u32(&mut b, 0x28, count);
            assert!(Element::claimed_slots(&b, available).is_err());
        }
    }
}
