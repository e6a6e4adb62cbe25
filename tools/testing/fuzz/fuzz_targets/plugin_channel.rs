// SPDX-License-Identifier: GPL-2.0

//! The message channel against a plugin task that writes what it likes, when it likes.
//!
//! ```text
//!   input: one byte per access of the driver; most leave the shared area alone, some scribble
//! ```
//! A call may fail in any way, but it succeeds only with the sequence number and result it asked for.

#![no_main]
#![allow(dead_code)]

use libfuzzer_sys::fuzz_target;
use std::cell::RefCell;

#[path = "../../../../drivers/vfio/pci/nvidia_vgpu/plugin/channel.rs"]
mod channel;
#[path = "../../../../drivers/vfio/pci/nvidia_vgpu/plugin/layout.rs"]
mod layout;
#[path = "../../../../drivers/vfio/pci/nvidia_vgpu/plugin/messages.rs"]
mod messages;

use channel::{Area, Channel};
use messages::{BmeState, MessageType};

struct Hostile {
    memory: RefCell<Vec<u8>>,
    script: RefCell<Vec<u8>>,
}

impl Hostile {
    fn scribble(&self) {
        let mut script = self.script.borrow_mut();
        let mut memory = self.memory.borrow_mut();
        let word = |memory: &[u8], at: usize| {
            u32::from_le_bytes([memory[at], memory[at + 1], memory[at + 2], memory[at + 3]])
        };
        let seq = word(&memory, 8);
        let (at, value) = match script.pop() {
            Some(0) => (8, 0x4e65_4a6f),
            Some(1) => (0x1004, seq),
            Some(2) => (0x1008, 0),
            Some(3) => (0x1004, seq.wrapping_add(1)),
            Some(4) => (0x1008, u32::MAX),
            Some(byte @ 5..=12) => (0x2000 + usize::from(byte) * 4, u32::from(byte)),
            _ => return,
        };
        memory[at..at + 4].copy_from_slice(&value.to_le_bytes());
    }
}

impl Area for &Hostile {
    type Error = ();

    fn read32(&self, offset: u32) -> Result<u32, ()> {
        self.scribble();
        let at = offset as usize;
        let memory = self.memory.borrow();
        let bytes = memory.get(at..at + 4).ok_or(())?;
        Ok(u32::from_le_bytes(bytes.try_into().map_err(|_| ())?))
    }

    fn write32(&self, offset: u32, value: u32) -> Result<(), ()> {
        self.write(offset, &value.to_le_bytes())
    }

    fn read(&self, offset: u32, data: &mut [u8]) -> Result<(), ()> {
        self.scribble();
        let at = offset as usize;
        data.copy_from_slice(self.memory.borrow().get(at..at + data.len()).ok_or(())?);
        Ok(())
    }

    fn write(&self, offset: u32, data: &[u8]) -> Result<(), ()> {
        let at = offset as usize;
        let mut memory = self.memory.borrow_mut();
        memory
            .get_mut(at..at + data.len())
            .ok_or(())?
            .copy_from_slice(data);
        drop(memory);
        self.scribble();
        Ok(())
    }

    fn ring(&self) -> Result<(), ()> {
        self.scribble();
        Ok(())
    }

    fn wait(&self, offset: u32, value: u32, _timeout_ms: u32) -> Result<bool, ()> {
        for _ in 0..4 {
            if self.read32(offset)? == value {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fuzz_target!(|data: &[u8]| {
    let plugin = Hostile {
        memory: RefCell::new(vec![0x4e; layout::CLEARED_SIZE]),
        script: RefCell::new(data.to_vec()),
    };
    let Ok(mut channel) = Channel::prepare(&plugin) else {
        return;
    };
    if channel.start(1).is_err() {
        assert!(!channel.is_usable());
        return;
    }
    for _ in 0..8 {
        let mut payload = BmeState { enable: true }.encode();
        let usable = channel.is_usable();
        let answer = channel.call(MessageType::UpdateBmeState, &mut payload, 1);
        assert!(usable || answer.is_err());
        if answer.is_ok() {
            let _ = BmeState::decode_allowed(&payload);
        }
    }
});
