// SPDX-License-Identifier: GPL-2.0

//! Byte layouts of channels and copy engines, firmware 570.144.
//!
//! ```text
//!   device 0x0080
//!     0xa06c  channel group        | object 0 | ECC object 4 | address space 8 | engine 0xc | plugin |
//!     |         0xa06c0101 GPFIFO_SCHEDULE
//!     +- 0xc56f  channel           | object 0 | ring 8 | flags 0x14 | engine 0x80 | memory 0x90 … |
//!        |      0xa06f0104 BIND
//!        +- 0xc7b5  copy engine
//! ```
//!
//! The ID of a channel is not a field of its own: it is the position that its USERD would have in
//! an array of USERDs, eight to a page.
//!
//! A channel has the address space of its group and must not name one itself. A group is scheduled
//! as a whole; but BIND is for each channel, which is all that RM on a CPU ever asks GSP-RM for.
//!
//! Pure: also compiled on the host by `tools/testing/host-tests`.
//!
//! Source: OGKM 570.144 `src/common/sdk/nvidia/inc/{nvos.h,alloc/alloc_channel.h,class/clb0b5sw.h,
//! ctrl/ctrla06c.h,ctrl/ctrla06f/ctrla06fgpfifo.h,ctrl/ctrl2080/ctrl2080ce.h}` and
//! `src/nvidia/src/kernel/gpu/fifo/kernel_channel.c`.

use zerocopy::FromZeros;
use zerocopy_derive::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Class of a channel group (`KEPLER_CHANNEL_GROUP_A`).
pub(crate) const CLASS_GROUP: u32 = 0xa06c;
/// Class of a channel of Ada (`AMPERE_CHANNEL_GPFIFO_A`).
pub(crate) const CLASS_CHANNEL: u32 = 0xc56f;
/// Class of a copy engine of Ada (`AMPERE_DMA_COPY_B`).
pub(crate) const CLASS_COPY_ENGINE: u32 = 0xc7b5;

/// `NVA06F_CTRL_CMD_BIND`.
pub(crate) const CTRL_CHANNEL_BIND: u32 = 0xa06f_0104;
/// `NVA06C_CTRL_CMD_GPFIFO_SCHEDULE`.
pub(crate) const CTRL_GROUP_SCHEDULE: u32 = 0xa06c_0101;
/// `NV2080_CTRL_CMD_CE_GET_FAULT_METHOD_BUFFER_SIZE`.
pub(crate) const CTRL_CE_METHOD_BUFFER_SIZE: u32 = 0x2080_2a08;

/// `NV_CHANNEL_GROUP_ALLOCATION_PARAMETERS`.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub(crate) struct GroupParams {
    h_object_error: u32,
    h_object_ecc_error: u32,
    h_vaspace: u32,
    engine_type: u32,
    /// Whether it is for the channels of a vGPU plugin.
    is_calling_context_vgpu_plugin: u8,
    pad: [u8; 3],
}

impl GroupParams {
    /// A group of the driver itself on engine `engine`, an `NV2080_ENGINE_TYPE`, whose channels
    /// have address space `h_vaspace`.
    pub(crate) fn new(h_vaspace: u32, engine: u32) -> Self {
        Self {
            h_vaspace,
            engine_type: engine,
            ..Self::new_zeroed()
        }
    }
}

/// Where a piece of a channel's memory is (`NV_MEMORY_DESC_PARAMS`).
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub(crate) struct MemoryDesc {
    base: u64,
    size: u64,
    address_space: u32,
    cache_attrib: u32,
}

impl MemoryDesc {
    /// `ADDR_SYSMEM`.
    const SYSTEM: u32 = 1;
    /// `ADDR_FBMEM`.
    const VIDEO: u32 = 2;

    /// Frame buffer.
    pub(crate) const fn video(base: u64, size: u64) -> Self {
        Self {
            base,
            size,
            address_space: Self::VIDEO,
            cache_attrib: 1,
        }
    }

    /// System memory, coherent.
    pub(crate) const fn system(base: u64, size: u64) -> Self {
        Self {
            base,
            size,
            address_space: Self::SYSTEM,
            cache_attrib: 0,
        }
    }
}

/// Bytes of an instance block; its first [`RAMFC_SIZE`] bytes are the state of the channel.
pub(crate) const INSTANCE_SIZE: u64 = 0x1000;
/// Bytes of RAMFC.
pub(crate) const RAMFC_SIZE: u64 = 0x200;
/// Bytes of USERD.
pub(crate) const USERD_SIZE: u64 = 0x200;

/// `NV_CHANNEL_ALLOC_PARAMS`.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub(crate) struct ChannelParams {
    h_object_error: u32,
    h_object_buffer: u32,
    gp_fifo_offset: u64,
    gp_fifo_entries: u32,
    flags: u32,
    h_context_share: u32,
    h_vaspace: u32,
    h_userd_memory: [u32; 8],
    userd_offset: [u64; 8],
    engine_type: u32,
    cid: u32,
    sub_device_id: u32,
    h_object_ecc_error: u32,
    instance_mem: MemoryDesc,
    userd_mem: MemoryDesc,
    ramfc_mem: MemoryDesc,
    mthdbuf_mem: MemoryDesc,
    h_phys_channel_group: u32,
    internal_flags: u32,
    error_notifier_mem: MemoryDesc,
    ecc_error_notifier_mem: MemoryDesc,
    process_id: u32,
    sub_process_id: u32,
    encrypt_iv: [u32; 3],
    decrypt_iv: [u32; 3],
    hmac_nonce: [u32; 8],
    tpc_config_id: u32,
    pad: u32,
}

/// What is chosen of a channel.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewChannel {
    /// Its ID on the runlist of the engine.
    pub(crate) chid: u32,
    /// `NV2080_ENGINE_TYPE`, as its group has it.
    pub(crate) engine: u32,
    /// Address of the ring of GPFIFO entries in the address space of the group.
    pub(crate) ring: u64,
    /// Entries of the ring, a power of two.
    pub(crate) ring_entries: u32,
    /// Instance block in frame buffer, [`INSTANCE_SIZE`] bytes of zeroes.
    pub(crate) instance: u64,
    /// USERD in frame buffer, [`USERD_SIZE`] bytes of zeroes.
    pub(crate) userd: u64,
    /// Method buffer in system memory: address and bytes.
    pub(crate) method_buffer: (u64, u64),
}

impl ChannelParams {
    /// `NVOS04_FLAGS_PRIVILEGED_CHANNEL_TRUE`.
    const PRIVILEGED: u32 = 1 << 5;
    /// `NVOS04_FLAGS_CHANNEL_USERD_INDEX_VALUE`, 3 bits.
    const USERD_INDEX_SHIFT: u32 = 8;
    /// `NVOS04_FLAGS_CHANNEL_USERD_INDEX_PAGE_VALUE`, 9 bits.
    const USERD_PAGE_SHIFT: u32 = 12;
    /// `NVOS04_FLAGS_CHANNEL_USERD_INDEX_PAGE_FIXED_TRUE`: both values are taken as they are.
    const USERD_PAGE_FIXED: u32 = 1 << 21;
    const USERDS_PER_PAGE: u32 = 8;
    const USERD_PAGES: u32 = 1 << 9;

    /// `NV_KERNELCHANNEL_ALLOC_INTERNALFLAGS`: privilege 1:0 admin, no error notifier (3:2), no
    /// ECC error notifier (5:4).
    const INTERNAL_FLAGS: u32 = 1 | 1 << 2 | 1 << 4;

    /// The flags of a privileged channel with ID `chid`; `None` if no channel can have it.
    fn flags(chid: u32) -> Option<u32> {
        let (page, index) = (chid / Self::USERDS_PER_PAGE, chid % Self::USERDS_PER_PAGE);
        if page >= Self::USERD_PAGES {
            return None;
        }
        Some(
            Self::PRIVILEGED
                | index << Self::USERD_INDEX_SHIFT
                | page << Self::USERD_PAGE_SHIFT
                | Self::USERD_PAGE_FIXED,
        )
    }

    /// A privileged channel of the kernel in a group. Physical addresses are allowed to it.
    ///
    /// `None` for an ID that no channel can have.
    pub(crate) fn new(new: &NewChannel) -> Option<Self> {
        let (method_buffer, method_buffer_size) = new.method_buffer;
        Some(Self {
            gp_fifo_offset: new.ring,
            gp_fifo_entries: new.ring_entries,
            flags: Self::flags(new.chid)?,
            engine_type: new.engine,
            instance_mem: MemoryDesc::video(new.instance, INSTANCE_SIZE),
            userd_mem: MemoryDesc::video(new.userd, USERD_SIZE),
            ramfc_mem: MemoryDesc::video(new.instance, RAMFC_SIZE),
            mthdbuf_mem: MemoryDesc::system(method_buffer, method_buffer_size),
            internal_flags: Self::INTERNAL_FLAGS,
            ..Self::new_zeroed()
        })
    }
}

/// Parameters of [`CTRL_CHANNEL_BIND`].
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub(crate) struct BindParams {
    /// `NV2080_ENGINE_TYPE`, as in the allocation of the channel.
    pub(crate) engine_type: u32,
}

/// Parameters of [`CTRL_GROUP_SCHEDULE`].
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub(crate) struct ScheduleParams {
    /// Whether the channels run.
    pub(crate) enable: u8,
    /// 0: the runlist is submitted at once.
    pub(crate) skip_submit: u8,
}

/// `NVB0B5_ALLOCATION_PARAMETERS`.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub(crate) struct CopyEngineParams {
    version: u32,
    engine_type: u32,
}

impl CopyEngineParams {
    /// Version whose second field is an `NV2080_ENGINE_TYPE`.
    const VERSION: u32 = 1;

    /// The engine of the channel.
    pub(crate) const fn new(engine_type: u32) -> Self {
        Self {
            version: Self::VERSION,
            engine_type,
        }
    }
}

const _: () = {
    assert!(size_of::<GroupParams>() == 0x14);
    assert!(size_of::<MemoryDesc>() == 24);
    assert!(size_of::<ChannelParams>() == 0x170);
    assert!(size_of::<BindParams>() == 4);
    assert!(size_of::<ScheduleParams>() == 2);
    assert!(size_of::<CopyEngineParams>() == 8);
};

#[cfg(test)]
#[path = "channel/tests.rs"]
mod tests;
