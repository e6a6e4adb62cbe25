// SPDX-License-Identifier: GPL-2.0

//! What an RPC asks GSP for: its function and, when that is GSP_RM_CONTROL, the
//! control command.
//!
//! Payload of GSP_RM_CONTROL, in a request and in its reply (OGKM 570.144,
//! `g_rpc-structures.h`): client 0x0, object 0x4, command 0x8, status 0xc.

use super::function;
use crate::bytes::u32_at;

const CONTROL_COMMAND: usize = 8;

/// A request or a reply, by what it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call {
    function: u32,
    control: Option<u32>,
}

impl Call {
    /// Reads it off a message.
    pub fn of(function: u32, payload: &[u8]) -> Self {
        let control = (function == function::GSP_RM_CONTROL)
            .then(|| u32_at(payload, CONTROL_COMMAND))
            .flatten();
        Self { function, control }
    }

    /// The control command; `None` when it is not a control.
    pub fn control(self) -> Option<u32> {
        self.control
    }

    /// Whether `number` means it. Functions have small numbers and control commands the
    /// number of a class in their upper half, so that one number can be either.
    pub fn is(self, number: u32) -> bool {
        self.function == number || self.control == Some(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_control_has_two_names() {
        let mut payload = [0; 0x18];
        payload[8..12].copy_from_slice(&0x2080_4001_u32.to_le_bytes());
        let control = Call::of(function::GSP_RM_CONTROL, &payload);
        assert!(control.is(76) && control.is(0x2080_4001) && !control.is(0x2080_4002));
        // The same bytes mean nothing to another function.
        let other = Call::of(103, &payload);
        assert!(other.is(103) && !other.is(0x2080_4001) && other.control().is_none());
        assert_eq!(
            Call::of(function::GSP_RM_CONTROL, &payload[..10]).control(),
            None
        );
    }
}
