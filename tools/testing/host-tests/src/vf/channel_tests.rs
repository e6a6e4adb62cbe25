// SPDX-License-Identifier: GPL-2.0

//! The message channel against a plugin made of a byte array.

use super::channel::{Area, Channel, ChannelError, Patience, Waited};
use super::layout::{self, control, response};
use super::messages::{uuid, BmeState, Config, ConfigParams, MessageType, VersionOffer};
use super::pace;
use std::cell::{Cell, RefCell};
use zerocopy::IntoBytes;

const TIMEOUT: Patience = Patience {
    timeout_ms: 10,
    killable: true,
};

/// Shared memory with a plugin that acts when the doorbell rings.
struct Plugin {
    memory: RefCell<Vec<u8>>,
    /// What it answers; `None`: nothing.
    answer: Cell<Option<u32>>,
    /// Added to the sequence number of its answer.
    seq_error: Cell<u32>,
    boots: Cell<bool>,
    booted: Cell<bool>,
    seen: RefCell<Vec<(u32, u32)>>,
    /// The marker was overwritten before the driver could see it.
    marker_lost: Cell<bool>,
    /// How a wait ends whose word does not come.
    end: Cell<Waited>,
    /// Whether it says that it has taken a message up.
    takes: Cell<bool>,
}

impl Plugin {
    fn new() -> Self {
        Self {
            // What a previous owner has left behind.
            memory: RefCell::new(vec![0xa5; layout::SHARED_SIZE as usize]),
            answer: Cell::new(Some(0)),
            seq_error: Cell::new(0),
            boots: Cell::new(true),
            booted: Cell::new(false),
            seen: RefCell::default(),
            marker_lost: Cell::new(false),
            end: Cell::new(Waited::TimeUp),
            takes: Cell::new(false),
        }
    }

    fn word(&self, offset: u32) -> u32 {
        let at = offset as usize;
        u32::from_le_bytes(self.memory.borrow()[at..at + 4].try_into().unwrap())
    }

    fn set(&self, offset: u32, value: u32) {
        let at = offset as usize;
        self.memory.borrow_mut()[at..at + 4].copy_from_slice(&value.to_le_bytes());
    }
}

impl Area for &Plugin {
    type Error = ();

    fn read32(&self, offset: u32) -> Result<u32, ()> {
        Ok(self.word(offset))
    }

    fn write32(&self, offset: u32, value: u32) -> Result<(), ()> {
        if offset == control::MESSAGE_SEQ && !self.booted.get() {
            self.marker_lost.set(true);
        }
        self.set(offset, value);
        Ok(())
    }

    fn read(&self, offset: u32, data: &mut [u8]) -> Result<(), ()> {
        let at = offset as usize;
        data.copy_from_slice(&self.memory.borrow()[at..at + data.len()]);
        Ok(())
    }

    fn write(&self, offset: u32, data: &[u8]) -> Result<(), ()> {
        let at = offset as usize;
        self.memory.borrow_mut()[at..at + data.len()].copy_from_slice(data);
        Ok(())
    }

    fn ring(&self) -> Result<(), ()> {
        assert!(self.booted.get(), "doorbell before the boot marker");
        let seq = self.word(control::MESSAGE_SEQ);
        self.seen
            .borrow_mut()
            .push((self.word(control::MESSAGE_TYPE), seq));
        if self.takes.get() {
            self.set(layout::RESPONSE + response::SEQ_RECEIVED, seq);
        }
        if let Some(result) = self.answer.get() {
            self.memory.borrow_mut()[layout::MESSAGE as usize + 1] = 1;
            self.set(layout::RESPONSE + response::RESULT_CODE, result);
            let processed = seq.wrapping_add(self.seq_error.get());
            self.set(layout::RESPONSE + response::SEQ_PROCESSED, processed);
        }
        Ok(())
    }

    fn wait(&self, offset: u32, value: u32, patience: Patience) -> Result<Waited, ()> {
        assert_eq!(patience, TIMEOUT);
        if offset == control::MESSAGE_SEQ && self.boots.get() {
            assert!(!self.marker_lost.get());
            self.booted.set(true);
            self.set(offset, control::BOOT_MARKER);
        }
        Ok(if self.word(offset) == value {
            Waited::Seen
        } else {
            self.end.get()
        })
    }
}

fn started(plugin: &Plugin) -> Channel<&Plugin> {
    let mut channel = Channel::prepare(plugin).unwrap();
    channel.start(TIMEOUT).unwrap();
    channel
}

#[test]
fn prepare_clears_what_the_last_owner_left() {
    let plugin = Plugin::new();
    Channel::prepare(&plugin).unwrap();
    assert_eq!(plugin.word(control::VERSION), 1);
    assert_eq!(plugin.word(control::MESSAGE_SEQ), 0);
    assert_eq!(plugin.word(control::RESPONSE_OFFSET), 0x1000);
    assert_eq!(plugin.word(control::MESSAGE_OFFSET), 0x2000);
    assert_eq!(plugin.word(control::MIGRATION_OFFSET), 0x3000);
    assert_eq!(plugin.word(control::ERROR_OFFSET), 0x20_3000);
    assert_eq!(plugin.word(control::ERROR_OFFSET + 4), 0);
    let memory = plugin.memory.borrow();
    assert!(memory[48..layout::CLEARED_SIZE].iter().all(|b| *b == 0));
    assert_eq!(memory[layout::CLEARED_SIZE], 0xa5);
}

#[test]
fn a_stale_marker_does_not_end_the_wait() {
    let plugin = Plugin::new();
    plugin.set(control::MESSAGE_SEQ, control::BOOT_MARKER);
    plugin.boots.set(false);
    let mut channel = Channel::prepare(&plugin).unwrap();
    let silent = ChannelError::Timeout { taken: false };
    assert_eq!(channel.start(TIMEOUT), Err(silent));
    assert!(!channel.is_usable());
}

#[test]
fn messages_are_numbered_and_payloads_come_back() {
    let plugin = Plugin::new();
    let mut channel = started(&plugin);
    channel
        .call(MessageType::VersionNegotiation, &mut [], TIMEOUT)
        .unwrap();
    let mut bme = BmeState { enable: true }.encode();
    channel
        .call(MessageType::UpdateBmeState, &mut bme, TIMEOUT)
        .unwrap();
    assert_eq!(BmeState::decode_allowed(&bme), Some(true));
    assert_eq!(*plugin.seen.borrow(), [(1, 1), (13, 2)]);
}

#[test]
fn a_result_code_is_an_error_of_that_message_only() {
    let plugin = Plugin::new();
    let mut channel = started(&plugin);
    plugin.answer.set(Some(0x1f));
    let result = channel.call(MessageType::Reset, &mut [], TIMEOUT);
    assert_eq!(result, Err(ChannelError::Result(0x1f)));
    plugin.answer.set(Some(0));
    assert_eq!(channel.call(MessageType::Reset, &mut [], TIMEOUT), Ok(()));
}

#[test]
fn silence_and_wrong_sequence_break_the_channel() {
    for (answer, seq_error) in [(None, 0), (Some(0), 1)] {
        let plugin = Plugin::new();
        let mut channel = started(&plugin);
        plugin.answer.set(answer);
        plugin.seq_error.set(seq_error);
        let result = channel.call(MessageType::Reset, &mut [], TIMEOUT);
        assert_eq!(result, Err(ChannelError::Timeout { taken: false }));
        // A late answer must not be taken for that of the next message.
        plugin.answer.set(Some(0));
        let result = channel.call(MessageType::Reset, &mut [], TIMEOUT);
        assert_eq!(result, Err(ChannelError::Broken));
        assert_eq!(plugin.seen.borrow().len(), 1);
    }
}

#[test]
fn whatever_ends_a_wait_breaks_the_channel_and_is_told() {
    for (end, takes, error) in [
        (Waited::TimeUp, true, ChannelError::Timeout { taken: true }),
        (Waited::Killed, true, ChannelError::Killed),
        (Waited::Crashed, false, ChannelError::Crashed),
        (Waited::Lost, false, ChannelError::Lost),
    ] {
        let plugin = Plugin::new();
        let mut channel = started(&plugin);
        plugin.answer.set(None);
        plugin.end.set(end);
        plugin.takes.set(takes);
        let result = channel.call(MessageType::Reset, &mut [], TIMEOUT);
        assert_eq!(result, Err(error));
        assert!(!channel.is_usable());
        let result = channel.call(MessageType::Reset, &mut [], TIMEOUT);
        assert_eq!(result, Err(ChannelError::Broken));
        assert_eq!(plugin.seen.borrow().len(), 1);
    }
}

#[test]
fn a_task_that_dies_while_it_boots_is_not_talked_to() {
    let plugin = Plugin::new();
    plugin.boots.set(false);
    plugin.end.set(Waited::Crashed);
    let mut channel = Channel::prepare(&plugin).unwrap();
    assert_eq!(channel.start(TIMEOUT), Err(ChannelError::Crashed));
    let result = channel.call(MessageType::Reset, &mut [], TIMEOUT);
    assert_eq!(result, Err(ChannelError::Broken));
}

#[test]
fn versions_are_agreed_upon_or_not() {
    let mut payload = VersionOffer::encode();
    assert_eq!(payload, [1, 0, 0, 0, 0, 0, 0, 0]);
    // A task that does not look at the offer.
    assert_eq!(VersionOffer::decode_agreed(&payload), Ok(1));
    for (version, agreed) in [(1, Ok(1)), (2, Err(2)), (u32::MAX, Err(u32::MAX))] {
        payload[4..].copy_from_slice(&u32::to_le_bytes(version));
        assert_eq!(VersionOffer::decode_agreed(&payload), agreed);
    }
}

#[test]
fn every_message_has_a_place_of_its_own() {
    for (place, message) in MessageType::ALL.iter().enumerate() {
        assert_eq!(message.index(), place);
    }
}

#[test]
fn pauses_grow_with_the_wait_up_to_a_limit() {
    assert_eq!(pace::pause_us(0, 1_000_000), 20);
    assert_eq!(pace::pause_us(1_600, 1_000_000), 200);
    assert_eq!(pace::pause_us(10_000_000, 1_000_000), 10_000);
    // Never beyond the deadline, and never without one.
    assert_eq!(pace::pause_us(10_000_000, 7), 7);
    assert_eq!(pace::pause_us(u64::MAX, 0), 1);
    // A silent task costs few looks, an answer is noticed an eighth late at most.
    let (mut waited, mut looks) = (0, 0);
    while waited < 30_000_000 {
        let pause = pace::pause_us(waited, u64::MAX);
        assert!(pause <= 20.max(waited / 8));
        waited += pause;
        looks += 1;
    }
    assert!(looks < 3_100, "{looks}");
    assert!(!pace::is_long(3_999) && pace::is_long(4_000));
}

#[test]
fn a_payload_must_fit_the_message_buffer() {
    let plugin = Plugin::new();
    let mut channel = started(&plugin);
    let result = channel.call(MessageType::Reset, &mut [0; 4097], TIMEOUT);
    assert_eq!(result, Err(ChannelError::TooLong));
    let result = channel.call(MessageType::Reset, &mut [0; 4096], TIMEOUT);
    assert_eq!(result, Ok(()));
}

#[test]
fn config_params_bytes() {
    let params = ConfigParams::new(&Config {
        uuid: uuid(0x0400, 1),
        dbdf: 0x0400,
        vgpu_type: 941,
        vm_pid: 77,
        num_channels: 64,
        num_plugin_channels: 1,
        placement_id: 24,
        host_page_size: 4096,
    });
    let bytes = params.as_bytes();
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    assert_eq!(bytes.len(), 112);
    let words = [16, 28, 32, 40, 44, 52, 56, 60, 64, 68].map(word);
    assert_eq!(words, [0x400, 941, 77, 64, 1, 0x4000, 4, 2, 4096, 0]);
    assert_eq!(bytes[72..84], [0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0]);
    assert_eq!(bytes[84..86], [24, 0]);
    assert!(bytes[86..].iter().all(|b| *b == 0));
    assert_ne!(uuid(0x0400, 1), uuid(0x0401, 2));
    assert_eq!(
        (uuid(0x0400, 1)[6] >> 4, uuid(0xffff_ffff, 1)[8] >> 6),
        (8, 2)
    );
}

#[test]
fn bme_answer_is_yes_no_or_nonsense() {
    assert_eq!(BmeState::decode_allowed(&[1, 0]), Some(false));
    assert_eq!(BmeState::decode_allowed(&[1, 1]), Some(true));
    assert_eq!(BmeState::decode_allowed(&[1, 7]), None);
    assert_eq!(BmeState::decode_allowed(&[1]), None);
}
