// SPDX-License-Identifier: GPL-2.0

//! NV_CHANNEL_ALLOC_PARAMS, and the checks that need nothing but it.
//!
//! ```text
//!   0x00 hObjectError  0x04 hObjectBuffer  0x08 gpFifoOffset  0x10 gpFifoEntries
//!   0x14 flags         0x18 hContextShare  0x1c hVASpace
//!   0x20 hUserdMemory[8]  0x40 userdOffset[8]
//!   0x80 engineType    0x88 subDeviceId    0x8c hObjectEccError
//!   0x90 instanceMem   0xa8 userdMem  0xc0 ramfcMem  0xd8 mthdbufMem
//!   0xf4 internalFlags
//!
//!   a memory (24 bytes)  0 base  8 size  0x10 address space (1 system, 2 FB)
//!   flags   1:0 type  4 runqueue  5 privileged  7 deny physical-mode CE
//!           10:8 USERD index  11 index fixed  20:12 USERD page  21 page fixed
//!   internalFlags   1:0 privilege
//! ```
//!
//! Layout: OGKM 570.144 `alloc_channel.h`, sizes as compiled from it. The place
//! of USERD decides the channel ID: eight USERDs share a page.

use crate::bytes::{u32_at, u64_at};
use crate::fifo::channel::{INSTANCE_SIZE, USERD_SIZE};
use crate::mmu::Aperture;
use crate::rm::status::{refuse, Refusal};

const ADDRESS_SYSTEM: u32 = 1;
const ADDRESS_FB: u32 = 2;
const USERDS_PER_PAGE: u32 = 8;
const RAMFC_SIZE: u64 = 0x200;

/// A piece of memory that the driver names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// Byte address.
    pub base: u64,
    /// Bytes.
    pub size: u64,
    /// Video or system memory.
    pub aperture: Aperture,
}

impl Memory {
    fn decode(what: &str, p: &[u8], at: usize) -> Result<Memory, Refusal> {
        let (base, size) = (u64_at(p, at).unwrap_or(0), u64_at(p, at + 8).unwrap_or(0));
        let aperture = match u32_at(p, at + 0x10) {
            Some(ADDRESS_SYSTEM) => Aperture::System,
            Some(ADDRESS_FB) => Aperture::Video,
            other => refuse!(
                ERR_INVALID_ARGUMENT,
                "channel-memory",
                "{what} in address space {other:?}"
            ),
        };
        if base == 0 && aperture == Aperture::System || base.checked_add(size).is_none() {
            refuse!(
                ERR_INVALID_ARGUMENT,
                "channel-memory",
                "{what} at {base:#x}+{size:#x}"
            )
        }
        Ok(Memory {
            base,
            size,
            aperture,
        })
    }

    /// Whether it is in video memory.
    pub fn in_video(&self) -> bool {
        self.aperture == Aperture::Video
    }
}

/// What the model needs of the parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Params {
    /// Virtual address of the GPFIFO ring.
    pub gpfifo: u64,
    /// Entries of the ring.
    pub entries: u32,
    /// Handle of the address space.
    pub vaspace: u32,
    /// NV2080_ENGINE_TYPE.
    pub engine: u32,
    /// Channel ID.
    pub chid: u32,
    /// May use physical addresses.
    pub privileged: bool,
    /// Instance block.
    pub instance: Memory,
    /// USERD.
    pub userd: Memory,
    /// Fault method buffer.
    pub method_buffer: Memory,
}

impl Params {
    /// Decodes parameters of the right size.
    pub fn decode(p: &[u8]) -> Result<Params, Refusal> {
        let word = |at| u32_at(p, at).unwrap_or(0);
        let handles = [0x00, 0x04, 0x18, 0x8c].map(word);
        let userds: Vec<u32> = (0..8).map(|i| word(0x20 + 4 * i)).collect();
        if let Some(h) = handles.iter().chain(&userds).find(|h| **h != 0) {
            refuse!(
                ERR_OBJECT_NOT_FOUND,
                "channel-objects",
                "{h:#x} is not a notifier, context share or memory object"
            )
        }
        if word(0x88) != 0 {
            refuse!(
                ERR_INVALID_ARGUMENT,
                "channel-subdevice",
                "subdevice {}",
                word(0x88)
            )
        }
        let entries = word(0x10);
        if entries < 2 || !entries.is_power_of_two() {
            refuse!(
                ERR_INVALID_ARGUMENT,
                "channel-entries",
                "{entries} GPFIFO entries are no power of two"
            )
        }
        let flags = word(0x14);
        let chid = channel_id(flags)?;
        let privilege = word(0xf4) & 3;
        if privilege == 3 {
            refuse!(
                ERR_INVALID_ARGUMENT,
                "channel-flags",
                "privilege level {privilege}"
            )
        }
        let instance = Memory::decode("instance block", p, 0x90)?;
        let userd = Memory::decode("USERD", p, 0xa8)?;
        let ramfc = Memory::decode("RAMFC", p, 0xc0)?;
        for (what, m, size) in [
            ("instance block", &instance, INSTANCE_SIZE),
            ("USERD", &userd, USERD_SIZE),
            ("RAMFC", &ramfc, RAMFC_SIZE),
        ] {
            if m.size != size || m.base % size != 0 {
                refuse!(
                    ERR_INVALID_ARGUMENT,
                    "channel-memory",
                    "{what} {:#x}+{:#x} is not {size:#x} aligned bytes",
                    m.base,
                    m.size
                )
            }
        }
        if !instance.in_video()
            || ramfc.aperture != instance.aperture
            || ramfc.base != instance.base
        {
            refuse!(
                ERR_INVALID_ARGUMENT,
                "channel-memory",
                "instance block {instance:x?} must be in FB and begin with RAMFC {ramfc:x?}"
            )
        }
        if (u64_at(p, 0xd8), u64_at(p, 0xe0)) == (Some(0), Some(0)) {
            refuse!(
                ERR_INVALID_ARGUMENT,
                "channel-method-buffer",
                "a channel of the PF needs a method buffer"
            )
        }
        let method_buffer = Memory::decode("method buffer", p, 0xd8)?;
        if method_buffer.in_video() {
            refuse!(
                ERR_INVALID_ARGUMENT,
                "channel-method-buffer",
                "the method buffer must be in system memory"
            )
        }
        Ok(Params {
            gpfifo: u64_at(p, 0x08).unwrap_or(0),
            entries,
            vaspace: word(0x1c),
            engine: word(0x80),
            chid,
            privileged: privilege != 0 && flags & 1 << 7 == 0,
            instance,
            userd,
            method_buffer,
        })
    }
}

/// The channel ID that the position of USERD asks for.
fn channel_id(flags: u32) -> Result<u32, Refusal> {
    if flags & 3 != 0 {
        refuse!(
            ERR_NOT_SUPPORTED,
            "channel-flags",
            "channel type {} is not physical",
            flags & 3
        )
    }
    if flags & 1 << 4 != 0 {
        refuse!(
            ERR_INVALID_ARGUMENT,
            "channel-flags",
            "runqueue 1: the runlists have one PBDMA each"
        )
    }
    if flags & 1 << 21 == 0 {
        refuse!(
            ERR_INVALID_ARGUMENT,
            "channel-id",
            "flags {flags:#x} fix no USERD page, so the CPU does not know the ID"
        )
    }
    if flags & 1 << 11 != 0 {
        refuse!(
            ERR_INVALID_STATE,
            "channel-id",
            "flags {flags:#x} fix both the USERD page and the index alone"
        )
    }
    Ok((flags >> 12 & 0x1ff) * USERDS_PER_PAGE + (flags >> 8 & 7))
}
