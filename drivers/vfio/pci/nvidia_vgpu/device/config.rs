// SPDX-License-Identifier: GPL-2.0

//! Configuration space as a guest finds it: who answers for each byte.
//!
//! ```text
//!   0x00  vendor, device id    own    10de : the type's vdev id, bits 31:16
//!   0x04  command, status      core   bus master and memory enable: see `device`
//!   0x08  revision, class      core   those of the VF
//!   0x0c  header type, ...     0
//!   0x10  BAR0                 core
//!   0x14  BAR1, 64 bits        own    sized as the type says
//!   0x1c  BAR3, 64 bits        core
//!   0x2c  subsystem            own    10de : the type's vdev id, bits 15:0
//!   0x34  capability list      own
//!   0x3c  interrupt line       core   a byte for software
//!   0x40  capabilities         header own, so that the list has only those that are shown;
//!   0x100 extended ones        the rest core
//!   all other bytes            read 0, writes are dropped
//! ```
//!
//! "core" is the VFIO PCI core, which virtualises what it lets through: it sizes the other BARs, turns
//! a function level reset into one of its own, and keeps the payload size from the guest. It also
//! lets bytes through that belong to no capability that it knows. Those are not shown here: nobody
//! knows what they do.
//!
//! Pure: also compiled on the host by `tools/testing/host-tests`.

use core::ops::Range;

use super::capabilities::{
    Chain,
    SHOWN, //
};

/// `PCI_VENDOR_ID_NVIDIA`.
pub(crate) const VENDOR_NVIDIA: u16 = 0x10de;
/// Bytes of configuration space.
pub(crate) const SIZE: u64 = 0x1000;
/// The command register, where a piece of the core begins.
pub(crate) const COMMAND: u64 = 0x04;
/// Bus master enable, in its first byte.
pub(crate) const COMMAND_MASTER: u8 = 1 << 2;

const BAR1: Range<u16> = 0x14..0x1c;
const BAR1_SIZE: usize = 8;
/// Memory, 64 bits, prefetchable.
const BAR1_FLAGS: u64 = 0xc;

const IDS: u16 = 0x00;
const SUBSYSTEM: u16 = 0x2c;
const CAPABILITY_LIST: u16 = 0x34;
/// What the core answers for in the header.
const HEADER: [Range<u16>; 4] = [
    0x04..0x0c, // command, status, revision, class
    0x10..0x14, // BAR0
    0x1c..0x24, // BAR3
    0x3c..0x3d, // interrupt line
];
/// Those of `HEADER`, four own ones, two for each capability, and the start of the extended list.
const WINDOWS: usize = HEADER.len() + 4 + 2 * SHOWN + 1;

/// Own bytes, from the first of a window on.
type Bytes = [u8; 4];

/// Who answers for a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    Core,
    Bar1,
    Own(Bytes),
}

/// Bytes that are somebody's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Window {
    start: u16,
    end: u16,
    owner: Owner,
}

/// What becomes of the first bytes of an access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The core reads or writes them.
    Core,
    /// They read as these, of which the piece takes as many as it has. Writes are dropped.
    Own([u8; BAR1_SIZE]),
    /// As `Own`, and writes are for [`ConfigSpace::write_bar1`].
    Bar1([u8; BAR1_SIZE]),
    /// They read 0. Writes are dropped.
    Nobody,
}

/// The first bytes of an access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    /// How many, not 0.
    pub(crate) len: usize,
    /// Who answers for them.
    pub(crate) source: Source,
}

/// Virtual configuration space of one vGPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ConfigSpace {
    windows: [Window; WINDOWS],
    count: usize,
    bar1_size: u64,
    bar1: u64,
    reset: Option<u16>,
}

impl ConfigSpace {
    /// `bar1_size` is the size that the guest is to find, a power of two; `chain` what is shown of
    /// the VF's capabilities.
    pub(crate) fn new(device_id: u16, subsystem_id: u16, bar1_size: u64, chain: &Chain) -> Self {
        const NONE: Window = Window {
            start: 0,
            end: 0,
            owner: Owner::Core,
        };
        let ids = |id: u16| {
            let [vendor_lo, vendor_hi] = VENDOR_NVIDIA.to_le_bytes();
            let [id_lo, id_hi] = id.to_le_bytes();
            Owner::Own([vendor_lo, vendor_hi, id_lo, id_hi])
        };
        let mut space = Self {
            windows: [NONE; WINDOWS],
            count: 0,
            bar1_size,
            bar1: 0,
            reset: chain.reset(),
        };

        for bytes in HEADER {
            space.insert(bytes, Owner::Core);
        }
        space.insert(IDS..IDS + 4, ids(device_id));
        space.insert(BAR1, Owner::Bar1);
        space.insert(SUBSYSTEM..SUBSYSTEM + 4, ids(subsystem_id));
        space.insert(
            CAPABILITY_LIST..CAPABILITY_LIST + 1,
            Owner::Own([chain.first(), 0, 0, 0]),
        );
        for link in chain.links() {
            space.insert(link.header(), Owner::Own(link.bytes));
            space.insert(link.body(), Owner::Core);
        }
        space
    }

    /// Adds a window, unless another one has some of its bytes.
    fn insert(&mut self, bytes: Range<u16>, owner: Owner) {
        let windows = self.windows.get(..self.count).unwrap_or(&[]);
        let at = windows.partition_point(|w| w.end <= bytes.start);

        if bytes.is_empty() || windows.get(at).is_some_and(|next| next.start < bytes.end) {
            return;
        }
        if let Some(room) = self.windows.get_mut(at..=self.count) {
            room.rotate_right(1);
            room[0] = Window {
                start: bytes.start,
                end: bytes.end,
                owner,
            };
            self.count += 1;
        }
    }

    /// The beginning of an access to `offset..offset + len`. `None` at the end of the space, and when
    /// `len` is 0.
    pub(crate) fn piece(&self, offset: u64, len: usize) -> Option<Piece> {
        let left = usize::try_from(SIZE.checked_sub(offset)?).ok()?.min(len);
        let offset = u16::try_from(offset).ok().filter(|_| left > 0)?;
        let windows = self.windows.get(..self.count)?;
        let next = windows.get(windows.partition_point(|w| w.end <= offset));

        Some(match next {
            Some(window) if window.start <= offset => {
                let at = usize::from(offset - window.start);
                Piece {
                    len: left.min(usize::from(window.end - offset)),
                    source: match window.owner {
                        Owner::Core => Source::Core,
                        Owner::Bar1 => Source::Bar1(tail(&self.bar1_register(), at)),
                        Owner::Own(bytes) => Source::Own(tail(&bytes, at)),
                    },
                }
            }
            Some(window) => Piece {
                len: left.min(usize::from(window.start - offset)),
                source: Source::Nobody,
            },
            None => Piece {
                len: left,
                source: Source::Nobody,
            },
        })
    }

    /// Which of `len` bytes from `offset` on can start a function level reset.
    pub(crate) fn reset_byte(&self, offset: u64, len: usize) -> Option<usize> {
        let at = u64::from(self.reset?).checked_sub(offset)?;
        usize::try_from(at).ok().filter(|at| *at < len)
    }

    fn bar1_register(&self) -> [u8; BAR1_SIZE] {
        ((self.bar1 & !(self.bar1_size - 1)) | BAR1_FLAGS).to_le_bytes()
    }

    /// The guest writes `data` at `offset`, which is inside BAR1.
    pub(crate) fn write_bar1(&mut self, offset: u64, data: &[u8]) {
        let mut bar1 = self.bar1.to_le_bytes();
        let start = offset.checked_sub(u64::from(BAR1.start));
        let written = start
            .and_then(|start| bar1.get_mut(usize::try_from(start).ok()?..))
            .into_iter()
            .flatten();

        for (byte, new) in written.zip(data) {
            *byte = *new;
        }
        self.bar1 = u64::from_le_bytes(bar1);
    }
}

/// `bytes` without the first `at`.
fn tail(bytes: &[u8], at: usize) -> [u8; BAR1_SIZE] {
    let mut rest = [0; BAR1_SIZE];

    for (to, from) in rest.iter_mut().zip(bytes.iter().skip(at)) {
        *to = *from;
    }
    rest
}
