// SPDX-License-Identifier: GPL-2.0

//! Text of the sysfs files of a VF.
//!
//! ```text
//!   creatable_vgpu_types    ID    : vGPU Name                        nothing if there are none
//!                           941   : NVIDIA RTX6000-Ada-1Q
//!                           942   : NVIDIA RTX6000-Ada-2Q
//!   current_vgpu_type       0 or the id
//!   placement_id            number, "auto" to be written
//!   uuid                    24ef8ff7-3ed5-11ef-ae36-9758b1cb0c87
//! ```
//!
//! Source of the first two: `sysfs-driver-nvidia-vgpu` and `vfio_sysfs.c` of the NVIDIA vGPU VFIO
//! RFC v2, and what tools know from NVIDIA's own host driver, which always prints the header.
//!
//! Pure: also compiled on the host by `tools/testing/host-tests`.

use core::fmt;

/// First line of a list that is not empty.
pub(crate) const HEADER: &str = "ID    : vGPU Name\n";

/// One line of the list.
pub(crate) fn line(out: &mut dyn fmt::Write, id: u32, name: &str) -> fmt::Result {
    writeln!(out, "{id:<5} : {name}")
}

/// Why a number that was written is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadNumber {
    /// Not decimal digits.
    NotANumber,
    /// More than 32 bits.
    OutOfRange,
}

/// A number that user space has written: decimal digits, one newline allowed behind them.
pub(crate) fn parse_id(text: &[u8]) -> Result<u32, BadNumber> {
    let digits = trim(text);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(BadNumber::NotANumber);
    }
    digits.iter().try_fold(0u32, |id, digit| {
        id.checked_mul(10)
            .and_then(|id| id.checked_add(u32::from(digit - b'0')))
            .ok_or(BadNumber::OutOfRange)
    })
}

/// Strips the newline that `echo` appends.
fn trim(text: &[u8]) -> &[u8] {
    text.strip_suffix(b"\n").unwrap_or(text)
}

/// The placement ID that user space has written; `Ok(None)` for "auto".
pub(crate) fn parse_placement(text: &[u8]) -> Result<Option<u16>, BadNumber> {
    if trim(text) == b"auto" {
        return Ok(None);
    }
    let id = parse_id(text)?;
    u16::try_from(id)
        .map(Some)
        .map_err(|_| BadNumber::OutOfRange)
}

/// Where the text of a UUID has a hyphen: before these bytes.
const HYPHENS: [usize; 4] = [4, 6, 8, 10];

/// The UUID that user space has written: 8-4-4-4-12 hexadecimal digits of any case.
pub(crate) fn parse_uuid(text: &[u8]) -> Option<[u8; 16]> {
    let mut digits = trim(text).iter();
    let mut uuid = [0; 16];
    for (n, byte) in uuid.iter_mut().enumerate() {
        if HYPHENS.contains(&n) && digits.next() != Some(&b'-') {
            return None;
        }
        for _ in 0..2 {
            let digit = char::from(*digits.next()?).to_digit(16)?;
            // CAST: Less than 16.
            *byte = *byte << 4 | digit as u8;
        }
    }
    digits.next().is_none().then_some(uuid)
}

/// The text of a UUID.
pub(crate) fn write_uuid(out: &mut dyn fmt::Write, uuid: &[u8; 16]) -> fmt::Result {
    for (n, byte) in uuid.iter().enumerate() {
        if HYPHENS.contains(&n) {
            out.write_char('-')?;
        }
        write!(out, "{byte:02x}")?;
    }
    Ok(())
}
