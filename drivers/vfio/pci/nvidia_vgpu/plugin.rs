// SPDX-License-Identifier: GPL-2.0

//! Talking to a plugin task: the messages as functions.
//!
//! ```text
//!   Plugin::version_negotiation  setup_config  reset  update_bme
//!      '-- channel: sequence, deadline, result
//!            '-- area: the start of the management heap through BAR1, PRIV doorbell
//!
//!   watch    events that end a wait early     records, counts, report   what debugfs shows
//! ```

use kernel::{
    prelude::*,
    sync::Arc,
    time::{
        Instant,
        Monotonic, //
    }, //
};
use nova_core_vgpu::vgpu::{
    Bar1Mapping,
    Gpu, //
};

mod area;
pub(crate) mod channel;
mod counts;
pub(crate) mod layout;
pub(crate) mod messages;
mod observed;
mod pace;
mod records;
mod report;
mod watch;

use area::SharedArea;
use channel::{
    Area,
    Channel,
    ChannelError,
    Patience, //
};
use counts::End;
use layout::{
    control,
    response, //
};
use messages::{
    BmeState,
    ConfigParams,
    MessageType,
    VersionOffer,
    VERSIONS, //
};
pub(crate) use observed::Observed;
pub(crate) use records::Part;

/// How long a plugin task may take to boot.
const BOOT_TIMEOUT_MS: u32 = 10_000;

fn message_timeout_ms() -> u32 {
    crate::module_parameters::message_timeout_ms.value()
}

/// What went wrong with a message.
enum Cause {
    Channel(ChannelError<Error>),
    /// The plugin wants this version of the message interface.
    Version(u32),
}

/// What went wrong, and with which message.
pub(crate) struct PluginError {
    /// Name of the step, for the log.
    pub(crate) step: &'static str,
    cause: Cause,
}

impl PluginError {
    fn new(step: &'static str, cause: ChannelError<Error>) -> Self {
        Self {
            step,
            cause: Cause::Channel(cause),
        }
    }
}

impl From<PluginError> for Error {
    fn from(error: PluginError) -> Self {
        match error.cause {
            Cause::Channel(ChannelError::Area(e)) => e,
            Cause::Channel(ChannelError::TooLong) => EMSGSIZE,
            Cause::Channel(ChannelError::Timeout { .. }) => ETIMEDOUT,
            Cause::Channel(ChannelError::Killed) => EINTR,
            Cause::Channel(ChannelError::Crashed | ChannelError::Lost | ChannelError::Broken) => {
                EIO
            }
            Cause::Channel(ChannelError::Result(_)) => EREMOTEIO,
            Cause::Version(_) => EPROTONOSUPPORT,
        }
    }
}

impl kernel::fmt::Display for PluginError {
    fn fmt(&self, f: &mut kernel::fmt::Formatter<'_>) -> kernel::fmt::Result {
        write!(f, "plugin: {}: ", self.step)?;
        match self.cause {
            Cause::Channel(ChannelError::Area(e)) => write!(f, "{e:?}"),
            Cause::Channel(ChannelError::TooLong) => f.write_str("payload too long"),
            Cause::Channel(ChannelError::Timeout { taken: true }) => {
                f.write_str("no answer in time, although the task has taken the message up")
            }
            Cause::Channel(ChannelError::Timeout { taken: false }) => {
                f.write_str("no answer in time")
            }
            Cause::Channel(ChannelError::Killed) => f.write_str("whoever waited was killed"),
            Cause::Channel(ChannelError::Crashed) => f.write_str("the task has crashed"),
            Cause::Channel(ChannelError::Lost) => f.write_str("the GPU is lost"),
            Cause::Channel(ChannelError::Broken) => {
                f.write_str("has not answered an earlier message")
            }
            Cause::Channel(ChannelError::Result(code)) => write!(f, "result {code:#x}"),
            Cause::Version(version) => write!(
                f,
                "no common version: the firmware wants {}, this driver has {} to {}",
                version,
                VERSIONS.start(),
                VERSIONS.end()
            ),
        }
    }
}

/// The plugin task of one vGPU, as far as messages go.
pub(crate) struct Plugin {
    channel: Channel<SharedArea>,
    observed: Arc<Observed>,
    /// Process that may be killed while it waits, because nobody else needs the answer.
    owner: u32,
    /// Last index of the error buffer.
    errors: u32,
}

impl Plugin {
    /// Prepares the shared area, before the task is started. `mapping` shows the start of the
    /// management heap, at least [`layout::SHARED_SIZE`] bytes of it; `owner` is the process that has
    /// the device open.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, `EIO` when the GPU is lost.
    pub(crate) fn prepare(
        gpu: Arc<Gpu>,
        mapping: Bar1Mapping,
        gfid: u32,
        owner: u32,
        observed: Arc<Observed>,
    ) -> Result<Self> {
        let mapping = Arc::new(mapping, GFP_KERNEL)?;
        let area = SharedArea::new(gpu, mapping.clone(), gfid, observed.clone());
        let channel = Channel::prepare(area)?;
        observed.show(mapping)?;
        Ok(Self {
            channel,
            observed,
            owner,
            errors: 0,
        })
    }

    /// Waits until the task is up.
    pub(crate) fn wait_boot(&mut self) -> Result<(), PluginError> {
        let patience = self.patience(BOOT_TIMEOUT_MS);
        self.channel
            .start(patience)
            .map_err(|cause| PluginError::new("boot", cause))
    }

    /// The task is there, as far as firmware has reported.
    pub(crate) fn has_task(&self) -> bool {
        self.observed.watch().death().is_none()
    }

    /// The task is there, and has answered every message so far.
    pub(crate) fn is_usable(&self) -> bool {
        self.channel.is_usable() && self.has_task()
    }

    /// First message: agrees upon the version of the others.
    pub(crate) fn version_negotiation(&mut self) -> Result<(), PluginError> {
        let mut payload = VersionOffer::encode();
        self.call(MessageType::VersionNegotiation, &mut payload)?;
        match VersionOffer::decode_agreed(&payload) {
            Ok(version) => {
                self.observed.set_version(version);
                Ok(())
            }
            Err(version) => Err(PluginError {
                step: MessageType::VersionNegotiation.name(),
                cause: Cause::Version(version),
            }),
        }
    }

    /// The task is about to be ended.
    pub(crate) fn ending(&self) {
        self.observed.stop();
    }

    /// The task has ended, as far as the firmware listened, and the shared area is still its own:
    /// keeps what is in it.
    pub(crate) fn ended(&self) {
        self.observed.end();
    }

    /// Describes the vGPU to the task.
    pub(crate) fn setup_config(&mut self, params: &mut ConfigParams) -> Result<(), PluginError> {
        self.call(MessageType::SetupConfigParamsAndInit, params.as_mut_bytes())
    }

    /// The VF was reset.
    pub(crate) fn reset(&mut self) -> Result<(), PluginError> {
        self.call(MessageType::Reset, &mut [])
    }

    /// Bus mastering was switched. Returns whether the task allows it.
    pub(crate) fn update_bme(&mut self, enable: bool) -> Result<bool, PluginError> {
        let mut payload = BmeState { enable }.encode();
        self.call(MessageType::UpdateBmeState, &mut payload)?;
        // Anything but a clear yes is a no.
        Ok(BmeState::decode_allowed(&payload) == Some(true))
    }

    /// From now on nobody is waiting in person.
    pub(crate) fn disown(&mut self) {
        self.owner = 0;
    }

    /// The process that has the device open may be killed while it waits: then the vGPU goes as well.
    /// Somebody else, who resets the VF from outside, may not leave it half reset.
    fn patience(&self, timeout_ms: u32) -> Patience {
        // CAST: Process ids are not negative.
        let current = kernel::current!().tgid() as u32;
        Patience {
            timeout_ms,
            killable: current == self.owner,
        }
    }

    fn call(&mut self, message: MessageType, payload: &mut [u8]) -> Result<(), PluginError> {
        let patience = self.patience(message_timeout_ms());
        let counts = self.observed.counts();
        counts.sent(message);
        let start = Instant::<Monotonic>::now();
        let result = self.channel.call(message, payload, patience);
        let ns = u64::try_from(start.elapsed().as_nanos()).unwrap_or(0);
        let end = match &result {
            Ok(()) => End::Done,
            Err(ChannelError::Result(_)) => End::Refused,
            Err(_) => End::Failed,
        };
        counts.ended(message, end, ns);
        if end != End::Failed {
            self.take_errors();
        }
        result.map_err(|cause| PluginError::new(message.name(), cause))
    }

    /// Takes notice of the error buffer, so that the task can go on writing. What is in it stays, for
    /// debugfs; that there is something, the task says by an event.
    fn take_errors(&mut self) {
        let area = self.channel.area();
        let Ok(put) = area.read32(layout::RESPONSE + response::ERROR_PUT) else {
            return;
        };
        if put == self.errors {
            return;
        }
        self.errors = put;
        let makes_sense = report::is_error_index(put);
        self.observed.counts().error(makes_sense);
        if makes_sense {
            // The GPU that is lost in this moment reads nothing.
            let _ = area.write32(layout::CONTROL + control::ERROR_GET, put);
        }
    }
}

impl Drop for Plugin {
    fn drop(&mut self) {
        // The window is about to be closed, whatever became of the task.
        self.ended();
    }
}
