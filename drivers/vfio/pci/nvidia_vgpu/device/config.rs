// SPDX-License-Identifier: GPL-2.0

//! What a guest sees in configuration space where it differs from the VF's own.
//!
//! ```text
//!   0x02  device id       the type's vdev id, bits 31:16
//!   0x04  command         bit 2, bus master enable: reported to the plugin
//!   0x14  BAR1, 64 bits   sized as the type says
//!   0x2c  subsystem       10de : the type's vdev id, bits 15:0
//! ```
//!
//! Everything else comes from the VFIO PCI core, which virtualises the vendor id, the other BARs
//! and the capability chain (PCI Express and MSI-X); the class is that of the VF.
//!
//! Pure: also compiled on the host by `tools/testing/host-tests`.

use core::ops::Range;

/// `PCI_VENDOR_ID_NVIDIA`.
pub(crate) const VENDOR_NVIDIA: u16 = 0x10de;
/// The command register.
pub(crate) const COMMAND: Range<u64> = 0x04..0x06;
/// The registers of BAR1.
pub(crate) const BAR1: Range<u64> = 0x14..0x1c;
/// Bus master enable in the command register.
pub(crate) const COMMAND_MASTER: u16 = 1 << 2;

const DEVICE_ID: u64 = 0x02;
const SUBSYSTEM: u64 = 0x2c;
/// Memory, 64 bits, prefetchable.
const BAR1_FLAGS: u64 = 0xc;

/// Bytes that replace those of the VFIO PCI core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Overlay {
    /// Where they start.
    pub(crate) offset: u64,
    bytes: [u8; 8],
    len: usize,
}

impl Overlay {
    fn new(offset: u64, value: &[u8]) -> Self {
        let mut bytes = [0; 8];
        bytes[..value.len()].copy_from_slice(value);
        Self {
            offset,
            bytes,
            len: value.len(),
        }
    }

    /// The bytes, at most 8.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// Virtual configuration space of one vGPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ConfigSpace {
    device_id: u16,
    subsystem_id: u16,
    bar1_size: u64,
    bar1: u64,
}

impl ConfigSpace {
    /// `bar1_size` is the size that the guest is to find, a power of two.
    pub(crate) fn new(device_id: u16, subsystem_id: u16, bar1_size: u64) -> Self {
        Self {
            device_id,
            subsystem_id,
            bar1_size,
            bar1: 0,
        }
    }

    /// What replaces the core's bytes in a read.
    pub(crate) fn overlays(&self) -> [Overlay; 3] {
        let [vendor_lo, vendor_hi] = VENDOR_NVIDIA.to_le_bytes();
        let [id_lo, id_hi] = self.subsystem_id.to_le_bytes();
        let bar1 = (self.bar1 & !(self.bar1_size - 1)) | BAR1_FLAGS;
        [
            Overlay::new(DEVICE_ID, &self.device_id.to_le_bytes()),
            Overlay::new(BAR1.start, &bar1.to_le_bytes()),
            Overlay::new(SUBSYSTEM, &[vendor_lo, vendor_hi, id_lo, id_hi]),
        ]
    }

    /// The guest writes `data` at `offset`; keeps what concerns BAR1, byte by byte.
    pub(crate) fn write(&mut self, offset: u64, data: &[u8]) {
        let mut bar1 = self.bar1.to_le_bytes();
        for (at, byte) in (offset..).zip(data) {
            if BAR1.contains(&at) {
                bar1[(at - BAR1.start) as usize] = *byte;
            }
        }
        self.bar1 = u64::from_le_bytes(bar1);
    }
}

/// The command register after `data` was written at `offset`, if the write touches it.
pub(crate) fn written_command(old: u16, offset: u64, data: &[u8]) -> Option<u16> {
    let mut command = old.to_le_bytes();
    let mut touched = false;
    for (at, byte) in (offset..).zip(data) {
        if COMMAND.contains(&at) {
            command[(at - COMMAND.start) as usize] = *byte;
            touched = true;
        }
    }
    touched.then(|| u16::from_le_bytes(command))
}
