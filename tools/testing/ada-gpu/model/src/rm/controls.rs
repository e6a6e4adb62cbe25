// SPDX-License-Identifier: GPL-2.0

//! RM controls: the table, and the checks every control goes through.
//!
//! ```text
//!   hClient known? -> size right? -> object known? -> has it this control? -> vGPU mode? -> run
//!      INVALID_CLIENT  INVALID_ARGUMENT  OBJECT_NOT_FOUND  NOT_SUPPORTED       NOT_SUPPORTED
//! ```
//!
//! The order is that of `_rmapiRmControl` in OGKM 570.144
//! `src/nvidia/src/kernel/rmapi/control.c`: a known control's size is compared
//! there, before the object is looked up, and gives NV_ERR_INVALID_ARGUMENT. (The
//! resource server compares again later, with NV_ERR_INVALID_PARAM_STRUCT; a
//! message cannot get that far.)

pub mod ce;
pub mod channel;
pub mod device;
pub mod event;
pub mod fifo;
pub mod gpu;
pub mod gsp;
pub mod intr;
pub mod vaspace;
pub mod vgpu_mgr;

use crate::rm::classes::Kind;
use crate::rm::message::Control as Message;
use crate::rm::status::{refuse, Refusal};
use crate::rm::Rm;
use crate::services::Services;

/// The object a control is addressed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// Its client.
    pub client: u32,
    /// Its handle.
    pub object: u32,
}

/// Handler of a control: changes its parameters in place.
pub type Run = fn(&mut Rm, &mut Services<'_>, Target, &mut [u8]) -> Result<(), Refusal>;

/// One control.
pub struct Control {
    /// Command number; bits 31:16 are the class it belongs to.
    pub cmd: u32,
    /// NVIDIA's name without `NVxxxx_CTRL_CMD_`.
    pub name: &'static str,
    /// Bytes of the parameters.
    pub size: usize,
    /// Only there in vGPU mode.
    pub vgpu: bool,
    /// What it does.
    pub run: Run,
}

/// Finds a control by number.
pub fn find(cmd: u32) -> Option<&'static Control> {
    [
        ce::TABLE,
        channel::TABLE,
        device::TABLE,
        event::TABLE,
        fifo::TABLE,
        gpu::TABLE,
        gsp::TABLE,
        intr::TABLE,
        vaspace::TABLE,
        vgpu_mgr::TABLE,
    ]
    .into_iter()
    .flatten()
    .find(|c| c.cmd == cmd)
}

/// Kind of object that has controls with this number.
fn owner(cmd: u32) -> Option<Kind> {
    match cmd >> 16 {
        0x0000 => Some(Kind::Client),
        0x0080 => Some(Kind::Device),
        0x2080 => Some(Kind::Subdevice),
        0x90f1 => Some(Kind::VaSpace),
        0xa06c => Some(Kind::Group),
        0xa06f | 0xc36f => Some(Kind::Channel),
        _ => None,
    }
}

/// Runs a control; gives its parameters back as it left them.
pub fn run(rm: &mut Rm, s: &mut Services<'_>, m: &Message<'_>) -> Result<Vec<u8>, Refusal> {
    let control = find(m.cmd);
    if !rm.objects.has_client(m.client) {
        refuse!(
            ERR_INVALID_CLIENT,
            "client",
            "control {:#x} by unknown client {:#x}",
            m.cmd,
            m.client
        )
    }
    if let Some(c) = control.filter(|c| c.size != m.params.len()) {
        refuse!(
            ERR_INVALID_ARGUMENT,
            "control-size",
            "{} ({:#x}) with {} bytes of parameters, expected {}",
            c.name,
            c.cmd,
            m.params.len(),
            c.size
        )
    }
    let object = rm.objects.find(m.client, m.object)?;
    let Some(c) = control.filter(|_| owner(m.cmd) == Some(object.class.kind)) else {
        refuse!(
            ERR_NOT_SUPPORTED,
            "control-unknown",
            "control {:#x} on {:?} {:#x}",
            m.cmd,
            object.class.kind,
            m.object
        )
    };
    if c.vgpu && !s.boot.vgpu {
        refuse!(
            ERR_NOT_SUPPORTED,
            "vgpu-off",
            "{} ({:#x}) without vGPU mode",
            c.name,
            c.cmd
        )
    }
    let mut params = m.params.to_vec();
    let target = Target {
        client: m.client,
        object: m.object,
    };
    (c.run)(rm, s, target, &mut params)?;
    Ok(params)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_has_an_owner_and_is_unique() {
        let tables = [
            ce::TABLE,
            channel::TABLE,
            device::TABLE,
            event::TABLE,
            fifo::TABLE,
            gpu::TABLE,
            gsp::TABLE,
            intr::TABLE,
            vaspace::TABLE,
            vgpu_mgr::TABLE,
        ];
        let all: Vec<u32> = tables.into_iter().flatten().map(|c| c.cmd).collect();
        for (i, cmd) in all.iter().enumerate() {
            assert!(owner(*cmd).is_some(), "{cmd:#x}");
            assert!(!all[i + 1..].contains(cmd), "{cmd:#x}");
            assert!(find(*cmd).is_some());
        }
    }
}
