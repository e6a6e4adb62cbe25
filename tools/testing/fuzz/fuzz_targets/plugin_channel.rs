// SPDX-License-Identifier: GPL-2.0

//! The message channel, and what debugfs shows, against a plugin task that writes what it likes, when
//! it likes.
//!
//! ```text
//!   input: up to three bytes per access of the driver: a known lie, or any word anywhere
//! ```
//! A call may fail in any way, but it succeeds only with the sequence number and result it asked for.

#![no_main]
#![allow(dead_code)]

use libfuzzer_sys::fuzz_target;
use std::cell::{Cell, RefCell};

#[path = "../../../../drivers/vfio/pci/nvidia_vgpu/plugin/channel.rs"]
mod channel;
#[path = "../../../../drivers/vfio/pci/nvidia_vgpu/plugin/layout.rs"]
mod layout;
#[path = "../../../../drivers/vfio/pci/nvidia_vgpu/plugin/messages.rs"]
mod messages;
#[path = "../../../../drivers/vfio/pci/nvidia_vgpu/plugin/pace.rs"]
mod pace;
#[path = "../../../../drivers/vfio/pci/nvidia_vgpu/plugin/report.rs"]
mod report;

use channel::{Area, Channel, ChannelError, Patience, Waited};
use layout::{control, response};
use messages::{BmeState, ConfigParams, MessageType, VersionOffer, VERSIONS};

const PATIENCE: Patience = Patience {
    timeout_ms: 1,
    killable: true,
};

struct Hostile {
    memory: RefCell<Vec<u8>>,
    script: RefCell<Vec<u8>>,
    /// Whether the last wait saw what it waited for.
    answered: Cell<bool>,
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
            // Any word, anywhere.
            Some(13) => {
                let mut any = || usize::from(script.pop().unwrap_or(0));
                let (at, value) = (any() << 8 | any(), any() << 8 | any());
                let value = (value as i16 as i32) as u32;
                (at % layout::CLEARED_SIZE / 4 * 4, value)
            }
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

    fn wait(&self, offset: u32, value: u32, patience: Patience) -> Result<Waited, ()> {
        assert_eq!(patience, PATIENCE);
        self.answered.set(false);
        for _ in 0..4 {
            if self.read32(offset)? == value {
                self.answered.set(true);
                return Ok(Waited::Seen);
            }
        }
        Ok(match self.script.borrow_mut().pop() {
            Some(0) => Waited::Killed,
            Some(1) => Waited::Crashed,
            Some(2) => Waited::Lost,
            _ => Waited::TimeUp,
        })
    }
}

/// What a reader of debugfs makes of the area at this moment.
fn look(plugin: &Hostile) {
    let mut control = [0; control::USED];
    let mut response = [0; response::USED];
    if (&plugin).read(layout::CONTROL, &mut control).is_err()
        || (&plugin).read(layout::RESPONSE, &mut response).is_err()
    {
        return;
    }
    let report = report::Report::decode(&control, &response);
    if report::is_error_index(report.error_put) {
        assert!((report.error_put as usize) < layout::ERROR_SIZE);
    }
    for log in [
        layout::INIT_TASK_LOG,
        layout::VGPU_TASK_LOG,
        layout::KERNEL_LOG,
    ] {
        let put = u64::from(report.license_state) << 32 | u64::from(report.guest_os);
        assert!(report::log_used(put, log.size as usize) <= log.size as usize);
    }
    let pause = pace::pause_us(report.guest_os.into(), report.frame_rate_limit.into());
    assert!((1..=10_000).contains(&pause));
}

fuzz_target!(|data: &[u8]| {
    let plugin = Hostile {
        memory: RefCell::new(vec![0x4e; layout::CLEARED_SIZE]),
        script: RefCell::new(data.to_vec()),
        answered: Cell::new(false),
    };
    let Ok(mut channel) = Channel::prepare(&plugin) else {
        return;
    };
    if channel.start(PATIENCE).is_err() {
        assert!(!channel.is_usable());
        return;
    }
    for round in 0..8 {
        let usable = channel.is_usable();
        let mut bme = BmeState { enable: true }.encode();
        let mut versions = VersionOffer::encode();
        let mut config = [0x5a; size_of::<ConfigParams>()];
        let before = config;
        let answer = match round % 4 {
            0 => channel.call(MessageType::VersionNegotiation, &mut versions, PATIENCE),
            1 => channel.call(MessageType::SetupConfigParamsAndInit, &mut config, PATIENCE),
            2 => channel.call(MessageType::UpdateBmeState, &mut bme, PATIENCE),
            _ => channel.call(MessageType::Reset, &mut [], PATIENCE),
        };
        assert!(usable || answer == Err(ChannelError::Broken));
        // Whatever ends a wait without an answer is the end of the channel.
        assert_eq!(
            usable && !plugin.answered.get(),
            usable && !channel.is_usable()
        );
        if answer.is_ok() {
            assert!(plugin.answered.get());
            let _ = BmeState::decode_allowed(&bme);
            if let Ok(version) = VersionOffer::decode_agreed(&versions) {
                assert!(VERSIONS.contains(&version));
            }
        } else {
            assert_eq!(config, before);
        }
        look(&plugin);
    }
});
