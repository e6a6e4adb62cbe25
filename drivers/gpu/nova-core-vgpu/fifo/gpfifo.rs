// SPDX-License-Identifier: GPL-2.0

//! How work gets to a channel: GPFIFO entries, USERD, doorbell.
//!
//! ```text
//!   ring   | entry | entry | entry |       |       |    in memory of the channel's address space
//!             ^ get: the engine              ^ put: the CPU
//!   entry  63:42 dwords  41 level  40 -  39:2 address of the methods  0 conditional
//!   USERD  0x88 get   0x8c put                           counts modulo the ring, put == get: empty
//!   doorbell  22:16 runlist  11:0 channel ID             "look at this channel's put"
//! ```
//!
//! Pure: also compiled on the host by `tools/testing/host-tests`.
//!
//! Source: OGKM 570.144 `kernel-open/nvidia-uvm/clc56f.h`, `ampere/ga100/dev_ctrl.h`.

/// Bytes of an entry.
pub(crate) const ENTRY_SIZE: usize = 8;
/// Offset of the count of entries that the engine has fetched.
pub(crate) const USERD_GP_GET: usize = 0x88;
/// Offset of the count of entries that the CPU has written.
pub(crate) const USERD_GP_PUT: usize = 0x8c;

/// First address that an entry cannot hold.
pub(crate) const ADDRESS_LIMIT: u64 = 1 << 40;
/// First number of dwords that an entry cannot hold.
const LENGTH_LIMIT: u32 = 1 << 21;
const LENGTH_SHIFT: u32 = 42;

/// Encodes an entry: `dwords` of methods at `address`, fetched without condition.
///
/// `None` if the address is not a multiple of 4 or too high, or there are no dwords or too many.
pub(crate) const fn entry(address: u64, dwords: u32) -> Option<u64> {
    if address % 4 != 0 || address >= ADDRESS_LIMIT || dwords == 0 || dwords >= LENGTH_LIMIT {
        return None;
    }
    // CAST: widening, `u64::from` is not const.
    Some((dwords as u64) << LENGTH_SHIFT | address)
}

/// First channel ID that the doorbell cannot name.
const CHID_LIMIT: u32 = 1 << 12;
/// First runlist that the doorbell cannot name.
const RUNLIST_LIMIT: u32 = 1 << 7;
const RUNLIST_SHIFT: u32 = 16;

/// The value for the doorbell of a channel. GSP-RM is not asked for it: the firmware's own answer
/// is a token for its internal use.
///
/// `None` if one of the two is out of range.
pub(crate) const fn token(runlist: u32, chid: u32) -> Option<u32> {
    if runlist >= RUNLIST_LIMIT || chid >= CHID_LIMIT {
        return None;
    }
    Some(runlist << RUNLIST_SHIFT | chid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries() {
        assert_eq!(entry(0x12_3456_7800, 37), Some(0x0000_9412_3456_7800));
        assert_eq!(entry(0xff_ffff_fffc, 1), Some(0x0000_04ff_ffff_fffc));
        assert_eq!(entry(0, (1 << 21) - 1), Some(0x7fff_fc00_0000_0000));
        assert_eq!(entry(0, 0), None);
        assert_eq!(entry(0, 1 << 21), None);
        assert_eq!(entry(2, 1), None);
        assert_eq!(entry(1 << 40, 1), None);
    }

    #[test]
    fn tokens() {
        assert_eq!(token(9, 45), Some(0x0009_002d));
        assert_eq!(token(127, 4095), Some(0x007f_0fff));
        assert_eq!(token(128, 0), None);
        assert_eq!(token(0, 4096), None);
    }
}
