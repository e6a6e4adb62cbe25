// SPDX-License-Identifier: GPL-2.0

//! The TLV container of nova-core (linux-7.3
//! `Documentation/gpu/nova/core/tlv.rst`).
//!
//! ```text
//!   "NVFW"  { tag[4]  length u32  value[length]  0..3 bytes of zero }*
//! ```
//!
//! Integers are little-endian and 4 bytes long; the length excludes the padding.

const MAGIC: &[u8; 4] = b"NVFW";
const ALIGN: usize = 4;

/// A TLV file being written. It begins with its `VERS` block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tlv {
    file: Vec<u8>,
}

impl Tlv {
    /// A file that holds the firmware version, which the driver prints.
    pub fn new(version: &str) -> Self {
        let mut tlv = Self {
            file: MAGIC.to_vec(),
        };
        tlv.bytes(b"VERS", version.as_bytes());
        tlv
    }

    /// Appends a 4-byte integer.
    pub fn integer(&mut self, tag: &[u8; 4], value: u32) {
        self.bytes(tag, &value.to_le_bytes());
    }

    /// Appends a value as it is.
    ///
    /// Values are parts of files with 32-bit sizes, so they are shorter than
    /// 4 GiB; the rest of a longer one would be left out.
    pub fn bytes(&mut self, tag: &[u8; 4], value: &[u8]) {
        let length = u32::try_from(value.len()).unwrap_or(u32::MAX);
        self.file.extend_from_slice(tag);
        self.file.extend_from_slice(&length.to_le_bytes());
        self.file.extend_from_slice(&value[..length as usize]);
        self.file.resize(self.file.len().next_multiple_of(ALIGN), 0);
    }

    /// The file.
    pub fn into_bytes(self) -> Vec<u8> {
        self.file
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_padded_and_lengths_are_not() {
        let mut tlv = Tlv::new("1.2");
        tlv.integer(b"SIZE", 0x0102_0304);
        tlv.bytes(b"FILE", b"gsp.b");
        assert_eq!(
            tlv.into_bytes(),
            b"NVFWVERS\x03\0\0\x001.2\0SIZE\x04\0\0\0\x04\x03\x02\x01FILE\x05\0\0\0gsp.b\0\0\0"
        );
    }
}
