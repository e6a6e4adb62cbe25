// SPDX-License-Identifier: GPL-2.0

//! Event objects, and the notifiers of a subdevice that are turned on.
//!
//! ```text
//!   NV0005_ALLOC_PARAMETERS (0x18)            EVENT_SET_NOTIFICATION (0x14)
//!     0 hParentClient  4 hSrcResource           0 event   4 action (0 off, 1 once, 2 always)
//!     8 hClass  0xc notifyIndex  0x10 data      8 bNotifyState  0xc info32  0x10 info16
//!
//!   notifyIndex  15:0 index  23:16 subdevice  26 client RM  27 non-stall  29 that subdevice only
//!
//!   a notifier fires ─▶ on for the subdevice? ─▶ objects of the subdevice with this index,
//!                                                 "client RM" ─▶ POST_EVENT each
//! ```
//!
//! Without an object, or with its notifier off, nothing leaves GSP. Checks and statuses: OGKM 570.144
//! `src/nvidia/src/kernel/rmapi/{event,event_notification,rmapi_specific}.c`,
//! `gpu/gpu_rmapi.c`, `gpu/subdevice/subdevice_ctrl_event_kernel.c`.

use crate::bytes::u32_at;
use crate::fifo::Key;
use crate::gsp::events::post_event;
use crate::rm::classes::{self, Kind};
use crate::rm::controls::Target;
use crate::rm::status::{refuse, Refusal};
use crate::services::{GspEvent, Services};
use std::collections::BTreeMap;

/// Parameter bytes of EVENT_SET_NOTIFICATION.
pub const SET_NOTIFICATION_SIZE: usize = 0x14;

/// NV2080_NOTIFIERS_MAXCOUNT.
const NOTIFIERS: u32 = 197;
/// NV2080_NOTIFIERS_TIMER, which has a control of its own.
const TIMER: u32 = 11;
const CLIENT_RM: u32 = 1 << 26;
const NONSTALL: u32 = 1 << 27;
const SUBDEVICE_SPECIFIC: u32 = 1 << 29;

/// When a notifier that is on tells of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Single,
    Repeat,
}

/// An event object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Object {
    /// Handle of what it listens to, in the same client.
    source: u32,
    index: u32,
    /// The message goes to the driver; without, it would be for GSP-RM itself.
    client_rm: bool,
    /// Subdevice it is limited to.
    subdevice: Option<u32>,
}

/// All event objects, and the notifiers that are on.
#[derive(Debug, Default)]
pub struct Events {
    objects: BTreeMap<Key, Object>,
    /// By subdevice and index.
    on: BTreeMap<(Key, u32), Action>,
}

/// Whether the non-stall interrupt of an engine has this index.
fn is_nonstall(index: u32) -> bool {
    matches!(index, 12 | 14..=20 | 23..=32 | 38..=40 | 146..=152 | 166..=175 | 183)
}

impl Events {
    /// Number of event objects.
    pub fn count(&self) -> usize {
        self.objects.len()
    }

    /// Allocation of an event object below `parent`, which is of kind `above`.
    pub fn construct(
        &mut self,
        key: Key,
        parent: u32,
        above: Kind,
        class: u32,
        p: &[u8],
    ) -> Result<(), Refusal> {
        let word = |at| u32_at(p, at).unwrap_or(0);
        let (client, subclass, index) = (word(0), word(8), word(0xc));
        // NV01_EVENT stands for the class in the parameters.
        let class = if class == classes::EVENT {
            subclass
        } else {
            class
        };
        if class == classes::EVENT || classes::class(class).map(|c| c.kind) != Some(Kind::Event) {
            refuse!(
                ERR_INVALID_CLASS,
                "event-class",
                "event object of class {class:#x}"
            )
        }
        if client != 0 && client != key.0 {
            refuse!(
                ERR_INVALID_OBJECT,
                "event-client",
                "event of client {:#x} for an object of client {client:#x}",
                key.0
            )
        }
        // What has no notifiers: devices, address spaces, groups, events.
        let notifies = [
            Kind::Client,
            Kind::Subdevice,
            Kind::Channel,
            Kind::CopyEngine,
        ];
        if !notifies.contains(&above) {
            refuse!(
                ERR_INVALID_OBJECT,
                "event-source",
                "{above:?} {parent:#x} has no notifiers"
            )
        }
        if index & NONSTALL != 0 {
            if above != Kind::Subdevice {
                refuse!(
                    ERR_INVALID_ARGUMENT,
                    "event-nonstall",
                    "non-stall interrupts of {above:?} {parent:#x}"
                )
            }
            if !is_nonstall(index & 0xffff) {
                refuse!(
                    ERR_NOT_SUPPORTED,
                    "event-nonstall",
                    "notifier {} is no non-stall interrupt",
                    index & 0xffff
                )
            }
        }
        self.objects.insert(
            key,
            Object {
                source: parent,
                index: index & 0xffff,
                client_rm: index & CLIENT_RM != 0,
                subdevice: (index & SUBDEVICE_SPECIFIC != 0).then_some(index >> 16 & 0xff),
            },
        );
        Ok(())
    }

    /// An object is freed: an event, or what events listen to.
    pub fn destroy(&mut self, key: Key) {
        self.objects.remove(&key);
        self.objects.retain(|event, o| (event.0, o.source) != key);
        self.on.retain(|(subdevice, _), _| *subdevice != key);
    }

    /// EVENT_SET_NOTIFICATION.
    pub fn set_notification(&mut self, t: Target, p: &[u8]) -> Result<(), Refusal> {
        let subdevice = (t.client, t.object);
        let (index, action) = (u32_at(p, 0).unwrap_or(0), u32_at(p, 4).unwrap_or(0));
        let listened = self
            .objects
            .iter()
            .any(|(event, o)| (event.0, o.source) == subdevice);
        if !listened {
            refuse!(
                ERR_INVALID_STATE,
                "notification-no-event",
                "no event object below subdevice {:#x}",
                t.object
            )
        }
        if index >= NOTIFIERS || index == TIMER {
            refuse!(
                ERR_INVALID_ARGUMENT,
                "notification-index",
                "notifier {index} of {NOTIFIERS}"
            )
        }
        let action = match action {
            0 => {
                self.on.remove(&(subdevice, index));
                return Ok(());
            }
            1 => Action::Single,
            2 => Action::Repeat,
            _ => refuse!(
                ERR_INVALID_ARGUMENT,
                "notification-action",
                "action {action} for notifier {index}"
            ),
        };
        if self.on.contains_key(&(subdevice, index)) {
            refuse!(
                ERR_INVALID_STATE,
                "notification-twice",
                "notifier {index} is on for subdevice {:#x}",
                t.object
            )
        }
        self.on.insert((subdevice, index), action);
        Ok(())
    }

    /// Notifier `index` of the GPU fires: the messages for those who asked for it.
    fn fire(&mut self, index: u32) -> Vec<GspEvent> {
        let mut sent = Vec::new();
        let fired: Vec<_> = self
            .on
            .iter()
            .filter(|((_, on), _)| *on == index)
            .map(|((subdevice, _), action)| (*subdevice, *action))
            .collect();
        for (subdevice, action) in fired {
            let told = self.objects.iter().filter(|(event, o)| {
                (event.0, o.source) == subdevice
                    && o.index == index
                    && o.client_rm
                    && o.subdevice.is_none_or(|s| s == 0)
            });
            sent.extend(told.map(|(event, _)| post_event(event.0, event.1, index)));
            if action == Action::Single {
                self.on.remove(&(subdevice, index));
            }
        }
        sent
    }

    /// Sends what notifier `index` of the GPU makes GSP-RM send.
    pub fn notify(&mut self, s: &mut Services<'_>, index: u32) {
        let sent = self.fire(index);
        s.stats.count(if sent.is_empty() {
            "notifiers-unheard"
        } else {
            "notifiers-heard"
        });
        s.trace.line(
            "rm",
            format_args!("notifier {index} heard by {} events", sent.len()),
        );
        s.events.extend(sent);
    }
}

#[cfg(test)]
mod tests;
