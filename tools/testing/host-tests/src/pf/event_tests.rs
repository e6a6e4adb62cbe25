// SPDX-License-Identifier: GPL-2.0

//! Events from GSP as a hostile GSP would send them.

use proptest::prelude::*;

use super::gsp::fw::r570_144::{ids::event, message::Message, perfmon};

/// Most payload that is tried: more than any event needs.
const MAX: usize = 4400;

proptest! {
    /// Whatever comes, decoding ends, and what it yields is inside of its bounds.
    #[test]
    fn noise_is_decoded_or_refused(
        number in event::FIRST..event::RECOVERY_ACTION + 4,
        payload in prop::collection::vec(any::<u8>(), 0..MAX),
    ) {
        match Message::decode(number, &payload) {
            Some(Message::Utilisation(samples)) => {
                prop_assert!(samples.iter().count() <= perfmon::SAMPLES);
                for sample in samples.iter() {
                    prop_assert!(sample.engines.iter().flatten().all(|u| u.share <= 10_000));
                }
            }
            Some(Message::Post(post)) => prop_assert!(post.event_data.len() <= payload.len()),
            Some(Message::ErrorLog(log)) => prop_assert!(log.text.len() <= 256),
            Some(_) | None => (),
        }
    }

    /// A payload that decodes, still does when there is more of it, and every beginning of it is
    /// refused or decoded without looking beyond its end.
    #[test]
    fn beginnings_of_payloads(
        number in event::FIRST..event::RECOVERY_ACTION + 4,
        payload in prop::collection::vec(0u8..4, 0..320),
        cut in 0usize..320,
    ) {
        let short = &payload[..cut.min(payload.len())];
        if let Some(message) = Message::decode(number, short) {
            let gfid = message.gfid();
            prop_assert_eq!(Message::decode(number, &payload).map(|m| m.gfid()), Some(gfid));
        }
    }
}

#[test]
fn numbers_without_a_layout_have_no_payload() {
    for number in [0, event::FIRST, 0x101c, 0x1fff, u32::MAX] {
        assert_eq!(Message::decode(number, &[]), Some(Message::Plain));
    }
    assert_eq!(Message::decode(event::RC_TRIGGERED, &[]), None);
    assert_eq!(
        Message::decode(event::MMU_FAULT_QUEUED, &[]),
        Some(Message::MmuFault)
    );
}
