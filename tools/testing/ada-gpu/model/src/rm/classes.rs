// SPDX-License-Identifier: GPL-2.0

//! The RM classes this GSP-RM can allocate.
//!
//! ```text
//!   0x0000 / 0x0001 / 0x0041  client (root)
//!     +-- 0x0080  device                one per GPU and client
//!           +-- 0x2080  subdevice       one per device
//!           +-- 0x90f1  address space
//!           +-- 0xa06c  channel group
//!           |     +-- 0xc56f  channel
//!           +-- 0xc56f  channel
//!                 +-- 0xc7b5  copy engine
//!     0x0005, 0x0078, 0x0079, 0x007e  event   below any of the above (event.rs)
//! ```
//!
//! Source: OGKM 570.144 `src/nvidia/src/kernel/rmapi/resource_list.h` (parents,
//! parameter structure), the parameter sizes from the class headers under
//! `src/common/sdk/nvidia/inc`.

/// What an object is; decides which controls it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// NV01_ROOT and its two variants.
    Client,
    /// NV01_DEVICE_0.
    Device,
    /// NV20_SUBDEVICE_0.
    Subdevice,
    /// FERMI_VASPACE_A.
    VaSpace,
    /// KEPLER_CHANNEL_GROUP_A.
    Group,
    /// AMPERE_CHANNEL_GPFIFO_A.
    Channel,
    /// AMPERE_DMA_COPY_B.
    CopyEngine,
    /// NV01_EVENT, _KERNEL_CALLBACK, _OS_EVENT, _KERNEL_CALLBACK_EX.
    Event,
}

/// One allocatable class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Class {
    /// Class number as in `hClass`.
    pub number: u32,
    /// What it makes.
    pub kind: Kind,
    /// Kinds it may be allocated below; empty for a root.
    pub parents: &'static [Kind],
    /// Accepted sizes of the allocation parameters in bytes.
    pub params: &'static [usize],
}

/// NV01_ROOT.
pub const ROOT: u32 = 0x0000;
/// NV01_DEVICE_0.
pub const DEVICE: u32 = 0x0080;
/// NV20_SUBDEVICE_0.
pub const SUBDEVICE: u32 = 0x2080;

/// NV01_EVENT, which stands for the class that its parameters name.
pub const EVENT: u32 = 0x0005;

/// FERMI_VASPACE_A.
pub const VASPACE: u32 = 0x90f1;
/// KEPLER_CHANNEL_GROUP_A.
pub const GROUP: u32 = 0xa06c;
/// AMPERE_CHANNEL_GPFIFO_A, the host class of Ada.
pub const CHANNEL: u32 = 0xc56f;
/// AMPERE_DMA_COPY_B.
pub const COPY_ENGINE: u32 = 0xc7b5;

const ANY: &[Kind] = &[
    Kind::Client,
    Kind::Device,
    Kind::Subdevice,
    Kind::VaSpace,
    Kind::Group,
    Kind::Channel,
    Kind::CopyEngine,
    Kind::Event,
];

/// A root's parameters are declared as one optional handle; NV0000_ALLOC_PARAMETERS
/// of r570 begins with it.
const ROOT_PARAMS: &[usize] = &[0, 4, 120];

const fn event(number: u32) -> Class {
    Class {
        number,
        kind: Kind::Event,
        parents: ANY,
        params: &[24],
    }
}

const CLASSES: &[Class] = &[
    Class {
        number: ROOT,
        kind: Kind::Client,
        parents: &[],
        params: ROOT_PARAMS,
    },
    Class {
        number: 0x0001,
        kind: Kind::Client,
        parents: &[],
        params: ROOT_PARAMS,
    },
    Class {
        number: 0x0041,
        kind: Kind::Client,
        parents: &[],
        params: ROOT_PARAMS,
    },
    Class {
        number: DEVICE,
        kind: Kind::Device,
        parents: &[Kind::Client],
        params: &[56],
    },
    Class {
        number: SUBDEVICE,
        kind: Kind::Subdevice,
        parents: &[Kind::Device],
        params: &[0, 4],
    },
    Class {
        number: VASPACE,
        kind: Kind::VaSpace,
        parents: &[Kind::Device, Kind::Subdevice],
        params: &[0x30],
    },
    Class {
        number: GROUP,
        kind: Kind::Group,
        parents: &[Kind::Device],
        params: &[0x14],
    },
    Class {
        number: CHANNEL,
        kind: Kind::Channel,
        parents: &[Kind::Device, Kind::Group],
        params: &[0x170],
    },
    Class {
        number: COPY_ENGINE,
        kind: Kind::CopyEngine,
        parents: &[Kind::Channel],
        params: &[8],
    },
    event(EVENT),
    event(0x0078),
    event(0x0079),
    event(0x007e),
];

/// Looks a class number up.
pub fn class(number: u32) -> Option<&'static Class> {
    CLASSES.iter().find(|c| c.number == number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_unique_and_parents_exist() {
        for (i, c) in CLASSES.iter().enumerate() {
            assert!(
                CLASSES[i + 1..].iter().all(|o| o.number != c.number),
                "{:#x}",
                c.number
            );
            for p in c.parents {
                assert!(CLASSES.iter().any(|o| o.kind == *p));
            }
        }
        assert_eq!(class(0xc46f), None);
    }
}
