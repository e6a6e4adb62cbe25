// SPDX-License-Identifier: GPL-2.0

//! Payload of UNLOADING_GUEST_DRIVER (OGKM 570.144 `g_rpc-structures.h`).

use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Says why the driver goes away.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub(crate) struct UnloadingGuestDriver {
    in_pm_transition: u8,
    gc6_entering: u8,
    pad: [u8; 2],
    new_level: u32,
}

impl UnloadingGuestDriver {
    /// The driver is unbound.
    pub(crate) const UNLOAD: Self = Self {
        in_pm_transition: 0,
        gc6_entering: 0,
        pad: [0; 2],
        new_level: 0,
    };
}

const _: () = assert!(size_of::<UnloadingGuestDriver>() == 8);
