// SPDX-License-Identifier: GPL-2.0

//! Text of the two sysfs files of a VF.
//!
//! ```text
//!   creatable_vgpu_types    nothing chosen on the PF       another VF has a type
//!                           ID    : vGPU Name              941   : NVIDIA RTX6000-Ada-1Q
//!                           941   : NVIDIA RTX6000-Ada-1Q
//!                           942   : NVIDIA RTX6000-Ada-2Q
//!   current_vgpu_type       0 or the id
//! ```
//!
//! Source: `sysfs-driver-nvidia-vgpu` and `vfio_sysfs.c` of the NVIDIA vGPU VFIO RFC v2.
//!
//! Pure: also compiled on the host by `tools/testing/host-tests`.

use core::fmt;

/// First line of a list of all types.
pub(crate) const HEADER: &str = "ID    : vGPU Name\n";

/// One line of the list.
pub(crate) fn line(out: &mut dyn fmt::Write, id: u32, name: &str) -> fmt::Result {
    writeln!(out, "{id:<5} : {name}")
}

/// Why a write to `current_vgpu_type` is not a type id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadNumber {
    /// Not decimal digits.
    NotANumber,
    /// More than 32 bits.
    OutOfRange,
}

/// The type id that user space has written: decimal digits, one newline allowed behind them.
pub(crate) fn parse_id(text: &[u8]) -> Result<u32, BadNumber> {
    let digits = text.strip_suffix(b"\n").unwrap_or(text);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(BadNumber::NotANumber);
    }
    digits.iter().try_fold(0u32, |id, digit| {
        id.checked_mul(10)
            .and_then(|id| id.checked_add(u32::from(digit - b'0')))
            .ok_or(BadNumber::OutOfRange)
    })
}
