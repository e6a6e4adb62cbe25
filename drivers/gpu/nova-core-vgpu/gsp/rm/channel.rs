// SPDX-License-Identifier: GPL-2.0

//! Objects of a channel: address space, group, channel, copy engine, and the controls on them.
//!
//! ```text
//!   device
//!     +-- 0x90f1_0000             address space     set_page_directory, unset_page_directory
//!     +-- 0xa06c_0000             channel group     schedule
//!           +-- 0xf1f0_0000|chid  channel           bind
//!                 +-- 0xc7b5_0000 copy engine
//! ```
//!
//! One of each below a client, so their handles are fixed. Every function asks firmware once and
//! sleeps until the reply is there.

use kernel::prelude::*;
use zerocopy::IntoBytes;

use super::{
    control,
    object::{
        self,
        NewObject, //
    },
    ClientObjects,
    RmError,
    Target,
    Wait, //
};
use crate::gsp::{
    cmdq::Cmdq,
    fw::r570_144::{
        channel::{
            BindParams,
            ChannelParams,
            CopyEngineParams,
            GroupParams,
            NewChannel,
            ScheduleParams,
            CLASS_CHANNEL,
            CLASS_COPY_ENGINE,
            CLASS_GROUP,
            CTRL_CHANNEL_BIND,
            CTRL_GROUP_SCHEDULE, //
        },
        vaspace::{
            SetPageDirectoryParams,
            UnsetPageDirectoryParams,
            VaSpaceParams,
            CLASS_VASPACE,
            CTRL_SET_PAGE_DIRECTORY,
            CTRL_UNSET_PAGE_DIRECTORY, //
        }, //
    },
};

const HANDLE_VASPACE: u32 = 0x90f1_0000;
const HANDLE_GROUP: u32 = 0xa06c_0000;
const HANDLE_CHANNEL: u32 = 0xf1f0_0000;
const HANDLE_COPY_ENGINE: u32 = 0xc7b5_0000;

/// The channel objects below one client. Has no `Drop`, like [`ClientObjects`].
#[derive(Clone, Copy)]
pub(crate) struct ChannelObjects<'a, 'gpu> {
    cmdq: &'a Cmdq<'gpu>,
    client: ClientObjects,
    chid: u32,
}

impl<'a, 'gpu> ChannelObjects<'a, 'gpu> {
    /// Names the objects of the channel with ID `chid`; none of them is allocated by this.
    pub(crate) fn new(cmdq: &'a Cmdq<'gpu>, client: ClientObjects, chid: u32) -> Self {
        Self { cmdq, client, chid }
    }

    fn alloc(&self, parent: u32, handle: u32, class: u32, params: &[u8]) -> Result<(), RmError> {
        object::alloc(
            self.cmdq,
            NewObject {
                client: self.client.handle(),
                parent,
                handle,
                class,
                params,
            },
            Wait::UNINTERRUPTIBLE,
        )
    }

    fn free(&self, parent: u32, handle: u32) -> Result<(), RmError> {
        object::free(self.cmdq, self.client.handle(), parent, handle)
    }

    fn ask<T: IntoBytes + zerocopy::FromBytes>(
        &self,
        target: Target,
        cmd: u32,
        mut params: T,
    ) -> Result<(), RmError> {
        let timeout = Cmdq::DEFAULT_TIMEOUT;
        control(self.cmdq, target, cmd, params.as_mut_bytes(), timeout)
    }

    fn group(&self) -> Target {
        Target {
            client: self.client.handle(),
            object: HANDLE_GROUP,
        }
    }

    fn channel(&self) -> Target {
        Target {
            client: self.client.handle(),
            object: HANDLE_CHANNEL | self.chid,
        }
    }

    /// Allocates the address space.
    pub(crate) fn alloc_vaspace(&self) -> Result<(), RmError> {
        let params = VaSpaceParams::externally_owned();
        let device = self.client.device().object;
        self.alloc(device, HANDLE_VASPACE, CLASS_VASPACE, params.as_bytes())
    }

    /// Frees the address space.
    pub(crate) fn free_vaspace(&self) -> Result<(), RmError> {
        self.free(self.client.device().object, HANDLE_VASPACE)
    }

    /// Tells GSP-RM that the root directory of the address space is at `root` of frame buffer.
    pub(crate) fn set_page_directory(&self, root: u64) -> Result<(), RmError> {
        let params = SetPageDirectoryParams::new(HANDLE_VASPACE, root);
        self.ask(self.client.device(), CTRL_SET_PAGE_DIRECTORY, params)
    }

    /// Makes GSP-RM forget the root directory.
    pub(crate) fn unset_page_directory(&self) -> Result<(), RmError> {
        let params = UnsetPageDirectoryParams {
            h_vaspace: HANDLE_VASPACE,
            sub_device_id: 0,
        };
        self.ask(self.client.device(), CTRL_UNSET_PAGE_DIRECTORY, params)
    }

    /// Allocates the channel group, on `engine`, an `NV2080_ENGINE_TYPE`, with the address space.
    pub(crate) fn alloc_group(&self, engine: u32) -> Result<(), RmError> {
        let params = GroupParams::new(HANDLE_VASPACE, engine);
        let device = self.client.device().object;
        self.alloc(device, HANDLE_GROUP, CLASS_GROUP, params.as_bytes())
    }

    /// Frees the channel group, whose channel is gone.
    pub(crate) fn free_group(&self) -> Result<(), RmError> {
        self.free(self.client.device().object, HANDLE_GROUP)
    }

    /// Allocates the channel in the group. Its ID in `new` is that of this object, its engine that
    /// of the group.
    ///
    /// # Errors
    ///
    /// What firmware says; `EINVAL` for an ID that no channel can have.
    pub(crate) fn alloc_channel(&self, new: &NewChannel) -> Result<(), RmError> {
        let params = ChannelParams::new(new).ok_or(EINVAL)?;
        let handle = self.channel().object;
        self.alloc(HANDLE_GROUP, handle, CLASS_CHANNEL, params.as_bytes())
    }

    /// Frees the channel; what it was doing is stopped.
    pub(crate) fn free_channel(&self) -> Result<(), RmError> {
        self.free(HANDLE_GROUP, self.channel().object)
    }

    /// Puts the channel on the runlist of `engine`, an `NV2080_ENGINE_TYPE`.
    pub(crate) fn bind(&self, engine: u32) -> Result<(), RmError> {
        let params = BindParams {
            engine_type: engine,
        };
        self.ask(self.channel(), CTRL_CHANNEL_BIND, params)
    }

    /// Lets the group run, or not any more.
    pub(crate) fn schedule(&self, enable: bool) -> Result<(), RmError> {
        let params = ScheduleParams {
            enable: enable.into(),
            skip_submit: 0,
        };
        self.ask(self.group(), CTRL_GROUP_SCHEDULE, params)
    }

    /// Allocates the copy engine object for `engine`, an `NV2080_ENGINE_TYPE`.
    pub(crate) fn alloc_copy_engine(&self, engine: u32) -> Result<(), RmError> {
        let params = CopyEngineParams::new(engine);
        let channel = self.channel().object;
        self.alloc(
            channel,
            HANDLE_COPY_ENGINE,
            CLASS_COPY_ENGINE,
            params.as_bytes(),
        )
    }

    /// Frees the copy engine object.
    pub(crate) fn free_copy_engine(&self) -> Result<(), RmError> {
        self.free(self.channel().object, HANDLE_COPY_ENGINE)
    }
}
