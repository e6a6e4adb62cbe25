// SPDX-License-Identifier: GPL-2.0

//! The capabilities that a guest is shown, and the lists that lead to them.
//!
//! ```text
//!   VF      0x34 -> PCIe -> vendor specific -> MSI-X       0x100  serial number -> AER -> ARI
//!   guest   0x34 -> PCIe --------------------> MSI-X       0x100  null -----------> AER
//! ```
//!
//! | shown            |                                                                      |
//! |------------------|----------------------------------------------------------------------|
//! | PCI Express      | function level reset is there                                        |
//! | MSI-X            | the only interrupts of an SR-IOV vGPU (OGKM 570.144, `kernel_bif_tu102.c`) |
//! | power management | if D3hot keeps the state: otherwise it would be a reset that nobody tells the plugin of |
//! | AER              | the VF's own errors                                                  |
//! | ATS              | what the IOMMU of the host uses; nothing in it can be written        |
//!
//! Everything else is not: ARI names the next function and the serial number the board, vendor
//! specific registers are nobody's to hand on, and the rest means nothing to a guest. A VF's list
//! is followed only as far as a list can be long, whatever is in it.
//!
//! Pure: also compiled on the host by `tools/testing/host-tests`.

use core::ops::Range;

/// Most capabilities that can be shown: each of the kinds above once.
pub(crate) const SHOWN: usize = 5;

const LIST: u16 = 0x34;
const FIRST: u16 = 0x40;
const EXTENDED: u16 = 0x100;
const END: u16 = 0x1000;
/// A list cannot have more members.
const LONGEST: usize = ((EXTENDED - FIRST) / 4) as usize;
const LONGEST_EXTENDED: usize = ((END - EXTENDED) / 4) as usize;

const ID_PM: u8 = 0x01;
const ID_PCIE: u8 = 0x10;
const ID_MSIX: u8 = 0x11;
const EXT_AER: u16 = 0x0001;
const EXT_ATS: u16 = 0x000f;

const PM_LEN: u16 = 8;
/// Power management control and status, and the bit that D3hot keeps the state.
const PM_CONTROL: u16 = 4;
const PM_NO_SOFT_RESET: u32 = 1 << 3;
/// Endpoints without and with the second set of registers, as the core takes them.
const PCIE_LEN: [u16; 2] = [0x14, 0x34];
/// Device capabilities: there is function level reset.
const PCIE_DEVCAP: u16 = 4;
const PCIE_DEVCAP_FLR: u32 = 1 << 28;
/// Second byte of device control, which starts it.
const PCIE_DEVCTL_HIGH: u16 = 9;
/// Starts a function level reset, in the byte at [`Chain::reset`].
pub(crate) const RESET: u8 = 1 << 7;
const MSIX_LEN: u16 = 12;
const MSIX_TABLE: u16 = 4;
const MSIX_ENTRY: u64 = 16;
const AER_LEN: u16 = 0x2c;
const ATS_LEN: u16 = 8;

/// What a VF lacks that every vGPU has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Missing(pub(crate) &'static str);

/// One capability of a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Link {
    start: u16,
    len: u16,
    /// What the header reads: id, version of extended ones, and the next of those that are shown.
    pub(crate) bytes: [u8; 4],
}

impl Link {
    /// Bytes that the list is made of.
    pub(crate) fn header(&self) -> Range<u16> {
        self.start..self.start + self.header_len()
    }

    /// All the others.
    pub(crate) fn body(&self) -> Range<u16> {
        self.start + self.header_len()..self.start + self.len
    }

    fn header_len(&self) -> u16 {
        if self.start < EXTENDED {
            2
        } else {
            4
        }
    }

    fn overlaps(&self, start: u16, len: u16) -> bool {
        self.start < start + len && start < self.start + self.len
    }
}

/// Where the MSI-X table is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Table {
    /// BAR that it is in.
    pub(crate) bar: u32,
    /// First byte in the BAR.
    pub(crate) offset: u64,
    /// Bytes.
    pub(crate) size: u64,
}

/// What is shown of both lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Chain {
    links: [Link; SHOWN + 1],
    count: usize,
    msix: Table,
    reset: Option<u16>,
}

impl Chain {
    /// Follows the lists of a VF. `read` gives 4 bytes of its configuration space, all ones when
    /// there are none.
    ///
    /// # Errors
    ///
    /// What the VF lacks: PCI Express, or an MSI-X table.
    pub(crate) fn new(mut read: impl FnMut(u16) -> u32) -> Result<Self, Missing> {
        let mut chain = Self {
            links: [Link::default(); SHOWN + 1],
            count: 0,
            msix: Table {
                bar: 0,
                offset: 0,
                size: 0,
            },
            reset: None,
        };

        chain.walk(&mut read);
        if !chain.has(ID_PCIE) {
            return Err(Missing("PCI Express capability"));
        }
        if chain.msix.size == 0 {
            return Err(Missing("MSI-X capability"));
        }
        chain.walk_extended(&mut read);
        Ok(chain)
    }

    /// What the capability list register reads.
    pub(crate) fn first(&self) -> u8 {
        let first = self.links().find(|link| link.start < EXTENDED);

        // CAST: Capabilities of the first list are below 0x100.
        first.map_or(0, |link| link.start as u8)
    }

    /// The capabilities, in the order of their lists.
    pub(crate) fn links(&self) -> impl Iterator<Item = &Link> {
        self.links.iter().take(self.count)
    }

    /// The MSI-X table.
    pub(crate) fn msix(&self) -> Table {
        self.msix
    }

    /// Where [`RESET`] is written, if function level reset is there.
    pub(crate) fn reset(&self) -> Option<u16> {
        self.reset
    }

    fn has(&self, id: u8) -> bool {
        self.links()
            .any(|link| link.start < EXTENDED && link.bytes[0] == id)
    }

    /// Adds a capability at the end of its list.
    fn push(&mut self, link: Link) -> bool {
        let Some(free) = self.links.get_mut(self.count) else {
            return false;
        };
        *free = link;
        self.count += 1;
        true
    }

    fn is_free(&self, start: u16, len: u16, limit: u16) -> bool {
        start + len <= limit && !self.links().any(|link| link.overlaps(start, len))
    }

    fn walk(&mut self, read: &mut impl FnMut(u16) -> u32) {
        let pointer = |word: u32| (word & 0xfc) as u16;
        let mut at = pointer(read(LIST));

        for _ in 0..LONGEST {
            if at < FIRST {
                break;
            }
            let header = read(at);
            // CAST: The low byte.
            let id = header as u8;
            let len = match id {
                ID_PM if read(at + PM_CONTROL) & PM_NO_SOFT_RESET != 0 => PM_LEN,
                // The low bits of the third byte are the version.
                ID_PCIE => PCIE_LEN[usize::from(header >> 16 & 0xf >= 2)],
                ID_MSIX => MSIX_LEN,
                _ => 0,
            };

            if len != 0 && !self.has(id) && self.is_free(at, len, EXTENDED) {
                if let Some(last) = self.count.checked_sub(1) {
                    // CAST: Below 0x100.
                    self.links[last].bytes[1] = at as u8;
                }
                self.push(Link {
                    start: at,
                    len,
                    bytes: [id, 0, 0, 0],
                });
                if id == ID_PCIE && read(at + PCIE_DEVCAP) & PCIE_DEVCAP_FLR != 0 {
                    self.reset = Some(at + PCIE_DEVCTL_HIGH);
                }
                if id == ID_MSIX {
                    let table = read(at + MSIX_TABLE);
                    self.msix = Table {
                        bar: table & 7,
                        offset: u64::from(table & !7),
                        size: (u64::from(header >> 16 & 0x7ff) + 1) * MSIX_ENTRY,
                    };
                }
            }
            at = pointer(header >> 8);
        }
    }

    fn walk_extended(&mut self, read: &mut impl FnMut(u16) -> u32) {
        let mut at = EXTENDED;
        let mut last: Option<usize> = None;
        let mut seen = [false; 2];

        for _ in 0..LONGEST_EXTENDED {
            if at < EXTENDED {
                break;
            }
            let header = read(at);
            // CAST: The low half.
            let (len, kind) = match header as u16 {
                EXT_AER => (AER_LEN, 0),
                EXT_ATS => (ATS_LEN, 1),
                _ => (0, 0),
            };

            if len != 0 && !seen[kind] && self.is_free(at, len, END) {
                seen[kind] = true;
                // The list begins at 0x100, where there is a null capability if nothing is shown.
                if last.is_none() && at != EXTENDED {
                    last = Some(self.count);
                    self.push(Link {
                        start: EXTENDED,
                        len: 4,
                        bytes: [0; 4],
                    });
                }
                if let Some(last) = last {
                    let link = &mut self.links[last];
                    let word = u32::from_le_bytes(link.bytes) | u32::from(at) << 20;
                    link.bytes = word.to_le_bytes();
                }
                last = Some(self.count);
                self.push(Link {
                    start: at,
                    len,
                    bytes: (header & 0xf_ffff).to_le_bytes(),
                });
            }
            // CAST: Twelve bits.
            at = (header >> 20) as u16 & !3;
        }
    }
}
