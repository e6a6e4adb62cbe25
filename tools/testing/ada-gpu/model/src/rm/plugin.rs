// SPDX-License-Identifier: GPL-2.0

//! The plugin task: the GSP task that stands in for a vGPU's device.
//!
//! ```text
//!             boot delay            doorbell gfid*32+17
//!   Booting ---------------> Running ------------------> message
//!      |       marker            |   1 VERSION_NEGOTIATION   (first)
//!      |                         |   2 SETUP_CONFIG          (once)
//!      +---> Stopped <-----------+   3 RESET, 13 UPDATE_BME  (after 2)
//!             SHUTDOWN: answers no doorbell any more
//!
//!   events    booted, crashed, error message, unloaded, licence, operating system
//! ```
//!
//! An answer is written in the order received, result, processed, so that a host
//! that polls `processed` sees the rest. The task uses the communication area as
//! it finds it: a host that leaves an old marker or an old `processed` word there
//! is caught by its own shortcut.

mod execute;
pub mod journal;
pub mod layout;
pub mod messages;

use crate::fault::PluginFault;
use crate::gsp::events;
use crate::rm::bootload::Bootload;
use crate::rm::chid::Chids;
use crate::rm::placement::{Board, Existing};
use crate::rm::status::{refuse, NvStatus, Refusal};
use crate::rm::types::Types;
use crate::services::Services;
use crate::vram::{Vram, Writer};
use journal::{text, Journal, Log};
use layout::Control;
use messages::PluginConfig;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The marker is due at this time; `None`: it will never come.
    Booting(Option<u64>),
    Running,
    Crashed,
    Stopped,
}

/// NVA084_NOTIFIERS_EVENT_*: what a task tells the driver.
mod notifier {
    pub const BOOTLOADED: u32 = 0;
    pub const UNLOADED: u32 = 1;
    pub const CRASHED: u32 = 2;
    pub const PRINT_ERROR_MESSAGE: u32 = 5;
    pub const LICENSE_STATE_CHANGED: u32 = 6;
    pub const GUEST_OS_CHANGED: u32 = 7;
}

fn notify(s: &mut Services<'_>, gfid: u32, notifier: u32) {
    let event = events::plugin_triggered(gfid, notifier);
    s.post(event.function, event.payload);
}

/// An answer that is ready but not due yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Pending {
    due_ns: u64,
    processed: u32,
    result: u32,
}

/// What a guest has said about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Guest {
    /// State of its licence.
    pub license: u32,
    /// Its operating system.
    pub os: u32,
}

/// What a message may look at and change outside of the task.
pub struct Context<'a> {
    /// The type table.
    pub types: &'a Types,
    /// Channel reservations.
    pub chids: &'a mut Chids,
    /// How the vGPU was booted.
    pub request: &'a Bootload,
    /// Refuse a configuration that differs from the bootload parameters.
    pub strict: bool,
    /// Heterogeneous mode.
    pub mixed: bool,
    /// What placements start from.
    pub board: &'a Board,
    /// All vGPUs.
    pub existing: &'a [Existing],
}

/// One vGPU's plugin task.
#[derive(Debug, Clone)]
pub struct Task {
    state: State,
    sequence: u32,
    negotiated: bool,
    config: Option<PluginConfig>,
    bus_master: bool,
    resets: u32,
    pending: Option<Pending>,
    journal: Journal,
    guest: Option<Guest>,
}

fn outside<T>(_: T) -> Refusal {
    Refusal::new(
        NvStatus::ERR_INVALID_ADDRESS,
        "plugin-memory",
        "plugin access outside of video memory",
    )
}

impl Task {
    /// Starts a task whose marker appears at `marker_ns`; `None` for never.
    pub fn boot(marker_ns: Option<u64>) -> Task {
        Task {
            state: State::Booting(marker_ns),
            sequence: 0,
            negotiated: false,
            config: None,
            bus_master: false,
            resets: 0,
            pending: None,
            journal: Journal::default(),
            guest: None,
        }
    }

    /// Whether doorbells are answered.
    pub fn running(&self) -> bool {
        self.state == State::Running
    }

    /// Whether SHUTDOWN was done.
    pub fn stopped(&self) -> bool {
        self.state == State::Stopped
    }

    /// What SETUP_CONFIG said.
    pub fn config(&self) -> Option<&PluginConfig> {
        self.config.as_ref()
    }

    /// What the guest has said about itself.
    pub fn guest_info(&self) -> Option<Guest> {
        self.guest
    }

    /// Bus mastering as last told by UPDATE_BME_STATE.
    pub fn bus_master(&self) -> bool {
        self.bus_master
    }

    /// Number of RESET messages done.
    pub fn resets(&self) -> u32 {
        self.resets
    }

    /// SHUTDOWN: stops answering, whatever the task was doing.
    pub fn shutdown(&mut self, s: &mut Services<'_>, request: &Bootload) -> Result<(), Refusal> {
        if self.running() {
            self.log(s, request, Log::Vgpu, text::UNLOADED, 0)?;
            notify(s, request.gfid, notifier::UNLOADED);
        }
        self.state = State::Stopped;
        self.pending = None;
        Ok(())
    }

    /// The guest says what its licence and its operating system are.
    pub fn guest(
        &mut self,
        s: &mut Services<'_>,
        request: &Bootload,
        license: u32,
        os: u32,
    ) -> Result<(), Refusal> {
        let control = read_control(s.vram, request)?;
        Journal::guest(s.vram, request, &control, license, os)?;
        self.guest = Some(Guest { license, os });
        notify(s, request.gfid, notifier::LICENSE_STATE_CHANGED);
        notify(s, request.gfid, notifier::GUEST_OS_CHANGED);
        Ok(())
    }

    fn log(
        &mut self,
        s: &mut Services<'_>,
        request: &Bootload,
        log: Log,
        text: u64,
        argument: u32,
    ) -> Result<(), Refusal> {
        let entry = [s.now_ns(), text, argument.into()];
        self.journal.log(s.vram, request, log, entry)
    }

    /// Tells of an error, in the error buffer and by an event.
    fn error(
        &mut self,
        s: &mut Services<'_>,
        request: &Bootload,
        control: &Control,
        line: &str,
    ) -> Result<(), Refusal> {
        self.journal.error(s.vram, request, control, line)?;
        notify(s, request.gfid, notifier::PRINT_ERROR_MESSAGE);
        Ok(())
    }

    /// The task is no more, but for what it has written.
    fn crash(&mut self, s: &mut Services<'_>, request: &Bootload, msg: u32) -> Result<(), Refusal> {
        self.state = State::Crashed;
        s.stats.count("plugin-crashes");
        s.trace.line(
            "plugin",
            format_args!("gfid {} crashes at message {msg}", request.gfid),
        );
        self.log(s, request, Log::Vgpu, text::CRASHED, msg)?;
        notify(s, request.gfid, notifier::CRASHED);
        Ok(())
    }

    /// When [`Task::tick`] has something to do.
    pub fn deadline(&self) -> Option<u64> {
        match (self.state, self.pending) {
            (State::Booting(at), _) => at,
            (_, Some(p)) => Some(p.due_ns),
            _ => None,
        }
    }

    /// Does what has become due.
    pub fn tick(&mut self, s: &mut Services<'_>, request: &Bootload) -> Result<(), Refusal> {
        let now_ns = s.now_ns();
        if let State::Booting(Some(at)) = self.state {
            if at <= now_ns {
                self.boot_done(s, request)?;
            }
        }
        if let Some(p) = self.pending.filter(|p| p.due_ns <= now_ns) {
            self.pending = None;
            self.answer(s.vram, request, p)?;
        }
        Ok(())
    }

    fn boot_done(&mut self, s: &mut Services<'_>, request: &Bootload) -> Result<(), Refusal> {
        if s.faults.plugin().any(PluginFault::is_crash_at_boot) {
            return self.crash(s, request, 0);
        }
        self.state = State::Running;
        for log in [Log::Init, Log::Vgpu, Log::Kernel] {
            self.log(s, request, log, text::BOOTED, request.gfid)?;
        }
        let at = request.control_address() + layout::CTRL_SEQUENCE;
        s.vram
            .write32(at, layout::BOOT_MARKER, Writer::Gsp)
            .map_err(outside)?;
        notify(s, request.gfid, notifier::BOOTLOADED);
        Ok(())
    }

    fn answer(&self, vram: &mut Vram, request: &Bootload, p: Pending) -> Result<(), Refusal> {
        // Read again: the host may have moved the buffers since it rang, and it
        // owns that page. Bounds were checked then and are checked again now.
        let control = read_control(vram, request)?;
        let response = request.heap.start + control.response;
        for (at, word) in [
            (layout::RESP_RECEIVED, self.sequence),
            (layout::RESP_RESULT, p.result),
            (layout::RESP_PROCESSED, p.processed),
        ] {
            vram.write32(response + at, word, Writer::Gsp)
                .map_err(outside)?;
        }
        Ok(())
    }

    /// The host rang: takes the message in the control buffer.
    ///
    /// An `Err` means that the doorbell was dropped without an answer. A message
    /// that was answered with an error is logged by this function.
    pub fn doorbell(&mut self, s: &mut Services<'_>, mut cx: Context<'_>) -> Result<(), Refusal> {
        let gfid = cx.request.gfid;
        match self.state {
            State::Booting(_) => {
                refuse!(
                    ERR_INVALID_STATE,
                    "plugin-before-boot",
                    "gfid {gfid}: doorbell before the boot marker"
                )
            }
            State::Stopped => {
                refuse!(
                    ERR_INVALID_STATE,
                    "plugin-stopped",
                    "gfid {gfid}: doorbell after SHUTDOWN"
                )
            }
            // The host cannot know yet.
            State::Crashed => return Ok(()),
            State::Running => {}
        }
        if self.pending.is_some() {
            refuse!(
                ERR_INVALID_STATE,
                "plugin-busy",
                "gfid {gfid}: doorbell while a message is being answered"
            )
        }
        let control = read_control(s.vram, cx.request)?;
        let expected = messages::next_sequence(self.sequence);
        if control.sequence != expected {
            refuse!(
                ERR_INVALID_DATA,
                "plugin-sequence",
                "gfid {gfid}: sequence {:#x}, expected {expected:#x}",
                control.sequence
            )
        }
        self.sequence = expected;
        s.stats.count("plugin-messages");
        s.trace.line(
            "plugin",
            format_args!(
                "gfid {gfid} message {} sequence {expected}",
                control.message
            ),
        );

        let msg = control.message;
        self.log(s, cx.request, Log::Vgpu, text::MESSAGE, msg)?;
        if s.faults.plugin().any(|f| f.is_crash(msg)) {
            return self.crash(s, cx.request, msg);
        }
        let forced = s.faults.plugin().find_map(|f| f.result(msg));
        let result = match forced {
            Some(code) => code,
            None => match self.execute(s, &control, &mut cx) {
                Ok(()) => NvStatus::OK.0,
                Err(r) => {
                    s.refuse(
                        r.kind,
                        format_args!("gfid {gfid} message {msg}: {}", r.text),
                    );
                    r.status.0
                }
            },
        };
        if result != NvStatus::OK.0 {
            self.log(s, cx.request, Log::Vgpu, text::REFUSED, result)?;
            let line = format!("message {msg} failed: {result:#x}");
            self.error(s, cx.request, &control, &line)?;
        }
        if s.faults.plugin().any(|f| f.is_garbage(msg)) {
            Journal::garbage(s.vram, cx.request, &control)?;
        }
        if s.faults.plugin().any(|f| f.is_silent(msg)) {
            return Ok(());
        }
        let wrong = s.faults.plugin().any(|f| f.is_out_of_sequence(msg));
        let late = s.faults.plugin().find_map(|f| f.delay_ns(msg));
        let pending = Pending {
            due_ns: s.now_ns().saturating_add(late.unwrap_or(0)),
            processed: expected.wrapping_add(wrong.into()),
            result,
        };
        match late {
            None => self.answer(s.vram, cx.request, pending),
            Some(_) => {
                s.wake_at(pending.due_ns);
                self.pending = Some(pending);
                Ok(())
            }
        }
    }
}

/// Reads the control buffer; its buffers are known to lie in the heap afterwards.
fn read_control(vram: &Vram, request: &Bootload) -> Result<Control, Refusal> {
    let mut b = [0; layout::CONTROL_SIZE];
    vram.read(request.control_address(), &mut b)
        .map_err(outside)?;
    let control = Control::decode(&b);
    if control.version != layout::VERSION {
        refuse!(
            ERR_INVALID_DATA,
            "plugin-control",
            "gfid {}: control buffer version {:#x}",
            request.gfid,
            control.version
        )
    }
    let length = request.heap.end - request.heap.start;
    if !control.buffers_fit(request.ctrl_offset, length) {
        refuse!(
            ERR_INVALID_DATA,
            "plugin-control",
            "gfid {}: a buffer of the control page is outside of the heap: {control:x?}",
            request.gfid
        )
    }
    Ok(control)
}
