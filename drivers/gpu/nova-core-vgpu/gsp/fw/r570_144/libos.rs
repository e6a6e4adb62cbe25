// SPDX-License-Identifier: GPL-2.0

//! The page of memory regions that libos gets when GSP starts.
//!
//! ```text
//!  32 bytes each, terminated by a zero entry: LOGINIT, LOGINTR, LOGRM, RMARGS
//!    0x00 id8 | 0x08 DMA address | 0x10 size | 0x18 kind | 0x19 location
//! ```
//!
//! Source: OGKM 570.144 `libos_init_args.h`, `kernel_gsp.c` (`kgspSetupLibosInitArgs`).

use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout};

const KIND_CONTIGUOUS: u8 = 1;
const LOCATION_SYSMEM: u8 = 1;

/// One memory region.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub(crate) struct InitArg {
    id8: u64,
    address: u64,
    size: u64,
    kind: u8,
    location: u8,
    pad: [u8; 6],
}

/// The first character of a name is the most significant byte in use.
const fn id8(name: &str) -> u64 {
    let bytes = name.as_bytes();
    assert!(bytes.len() <= 8);

    let mut id = 0;
    let mut i = 0;
    while i < bytes.len() {
        // CAST: `u64::from` is not const.
        id = id << 8 | bytes[i] as u64;
        i += 1;
    }
    id
}

/// Names in the order in which libos wants them; LOGINIT must be first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Name {
    /// Log of early boot and of exceptions.
    LogInit,
    /// Log of the interrupt task.
    LogIntr,
    /// Log of GSP-RM.
    LogRm,
    /// Arguments of GSP-RM.
    RmArgs,
}

impl Name {
    const fn id8(self) -> u64 {
        match self {
            Self::LogInit => id8("LOGINIT"),
            Self::LogIntr => id8("LOGINTR"),
            Self::LogRm => id8("LOGRM"),
            Self::RmArgs => id8("RMARGS"),
        }
    }
}

impl InitArg {
    /// A contiguous region of `size` bytes of system memory at DMA address `address`.
    pub(crate) const fn new(name: Name, address: u64, size: u64) -> Self {
        Self {
            id8: name.id8(),
            address,
            size,
            kind: KIND_CONTIGUOUS,
            location: LOCATION_SYSMEM,
            pad: [0; 6],
        }
    }
}

const _: () = assert!(size_of::<InitArg>() == 32);
const _: () = assert!(Name::RmArgs.id8() == 0x0000_524d_4152_4753);
