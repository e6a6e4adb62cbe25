// SPDX-License-Identifier: GPL-2.0

//! Which events somebody wants, and which wishes an event fulfils.
//!
//! ```text
//!   every event                    Kind(number)
//!   RC_TRIGGERED  of a VF          Gfid(gfid)
//!                 of the PF        Channel { engine, chid }
//!                 "fast path"      nobody's: it is not about a channel
//!   VGPU_GSP_PLUGIN_TRIGGERED      Gfid(gfid)
//!   POST_EVENT                     Notifier(index)
//! ```
//!
//! A channel ID is unique on a runlist only, and engines share runlists. So a channel is looked for
//! by the runlist of its engine, for which the first engine on it stands.
//!
//! Pure: also compiled on the host by `tools/testing/host-tests`.

use super::super::fw::r570_144::message::Message;

/// A wish for events. The order of the variants is that of the list of subscriptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Filter {
    /// All events with this number.
    Kind(u32),
    /// Events about one VF: its index + 1.
    Gfid(u32),
    /// Errors of one channel of the PF.
    Channel {
        /// `NV2080_ENGINE_TYPE` of an engine on the runlist of the channel.
        engine: u32,
        /// Channel ID.
        chid: u32,
    },
    /// One notifier of a subdevice (`NV2080_NOTIFIERS_*`) fired.
    Notifier(u32),
    /// Channels of the PF are stopped again and again; comes once for each series, together with
    /// the RC_TRIGGERED event that made it one.
    RcStorm,
}

impl Filter {
    /// The filter that finds the same events whatever engine of the runlist is named.
    pub(super) fn canonical(self, engine_of: impl Fn(u32) -> u32) -> Self {
        match self {
            Self::Channel { engine, chid } => Self::Channel {
                engine: engine_of(engine),
                chid,
            },
            other => other,
        }
    }

    /// The filters that match event `number`, the most special one first. Not with
    /// [`Filter::RcStorm`], which takes more than one event.
    pub(super) fn of(number: u32, message: &Message<'_>) -> impl Iterator<Item = Self> + use<> {
        let special = match message {
            Message::Rc(rc) if rc.is_fast_path() => None,
            Message::Rc(rc) if rc.gfid == 0 => Some(Self::Channel {
                engine: rc.engine,
                chid: rc.chid,
            }),
            Message::Post(post) => Some(Self::Notifier(post.notifier)),
            other => Some(Self::Gfid(other.gfid())).filter(|_| other.gfid() != 0),
        };

        special.into_iter().chain([Self::Kind(number)])
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::fw::r570_144::{
        faults::RcTriggered,
        ids::event, //
    };
    use super::*;

    fn of(gfid: u32, except_type: u32) -> Vec<Filter> {
        let message = Message::Rc(RcTriggered {
            engine: 0x0b,
            chid: 5,
            gfid,
            except_type,
            fault_address: None,
        });
        Filter::of(event::RC_TRIGGERED, &message).collect()
    }

    #[test]
    fn a_channel_belongs_to_the_pf_or_to_a_vf() {
        let kind = Filter::Kind(event::RC_TRIGGERED);
        let channel = Filter::Channel {
            engine: 0x0b,
            chid: 5,
        };
        assert_eq!(of(0, 31), [channel, kind]);
        assert_eq!(of(3, 31), [Filter::Gfid(3), kind]);
        assert_eq!(of(0, 141), [kind]);
        assert_eq!(of(3, 141), [kind]);
    }

    #[test]
    fn other_events_have_their_kind() {
        let all = |number, payload: &[u8]| {
            let message = Message::decode(number, payload).unwrap();
            Filter::of(number, &message).collect::<Vec<_>>()
        };
        let plugin = event::VGPU_GSP_PLUGIN_TRIGGERED;
        assert_eq!(
            all(plugin, &[2, 0, 0, 0, 1, 0, 0, 0]),
            [Filter::Gfid(2), Filter::Kind(plugin)]
        );
        assert_eq!(all(0x1fff, &[]), [Filter::Kind(0x1fff)]);
        let mut post = [0; 0x1d];
        post[8] = 37;
        assert_eq!(
            all(event::POST_EVENT, &post),
            [Filter::Notifier(37), Filter::Kind(event::POST_EVENT)]
        );
    }

    #[test]
    fn engines_of_a_runlist_are_one() {
        let first = |engine| if engine == 0x0a { 0x09 } else { engine };
        let channel = |engine| Filter::Channel { engine, chid: 1 };
        assert_eq!(channel(0x0a).canonical(first), channel(0x09));
        assert_eq!(channel(0x0b).canonical(first), channel(0x0b));
        assert_eq!(Filter::Gfid(0x0a).canonical(first), Filter::Gfid(0x0a));
    }
}
