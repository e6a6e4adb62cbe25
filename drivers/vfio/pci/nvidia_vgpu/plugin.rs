// SPDX-License-Identifier: GPL-2.0

//! Talking to a plugin task: the shared area as seen through BAR1, and the messages as functions.
//!
//! ```text
//!   Plugin::version_negotiation  setup_config  reset  update_bme
//!      '-- channel: sequence, deadline, result
//!            '-- SharedArea: Bar1Mapping of the start of the management heap, PRIV doorbell
//! ```

use kernel::{
    io::poll::read_poll_timeout,
    prelude::*,
    sync::Arc,
    time::Delta, //
};
use nova_core_vgpu::vgpu::{
    plugin_vector,
    Bar1Mapping,
    Gpu, //
};

pub(crate) mod channel;
pub(crate) mod layout;
pub(crate) mod messages;

use channel::{
    Area,
    Channel,
    ChannelError, //
};
use messages::{
    BmeState,
    ConfigParams,
    MessageType, //
};

/// How long a plugin task may take to boot.
const BOOT_TIMEOUT_MS: u32 = 10_000;
/// Between two looks at a word of the shared area. There is no interrupt to wait for.
const POLL_INTERVAL: Delta = Delta::from_micros(20);

fn message_timeout_ms() -> u32 {
    crate::module_parameters::message_timeout_ms.value()
}

/// The start of a management heap and the doorbell of its task.
struct SharedArea {
    mapping: Bar1Mapping,
    gpu: Arc<Gpu>,
    gfid: u32,
}

impl Area for SharedArea {
    type Error = Error;

    fn read32(&self, offset: u32) -> Result<u32> {
        self.mapping.read32(offset as usize)
    }

    fn write32(&self, offset: u32, value: u32) -> Result {
        self.mapping.write32(offset as usize, value)
    }

    fn read(&self, offset: u32, data: &mut [u8]) -> Result {
        self.mapping.read(offset as usize, data)
    }

    fn write(&self, offset: u32, data: &[u8]) -> Result {
        self.mapping.write(offset as usize, data)
    }

    fn ring(&self) -> Result {
        self.mapping.flush()?;
        self.gpu.ring_doorbell(plugin_vector(self.gfid))
    }

    fn wait(&self, offset: u32, value: u32, timeout_ms: u32) -> Result<bool> {
        let waited = read_poll_timeout(
            || self.read32(offset),
            |word| *word == value,
            POLL_INTERVAL,
            Delta::from_millis(timeout_ms.into()),
        );
        match waited {
            Ok(_) => Ok(true),
            Err(e) if e == ETIMEDOUT => Ok(false),
            Err(e) => Err(e),
        }
    }
}

/// What went wrong, and with which message.
pub(crate) struct PluginError {
    /// Name of the step, for the log.
    pub(crate) step: &'static str,
    cause: ChannelError<Error>,
}

impl From<PluginError> for Error {
    fn from(error: PluginError) -> Self {
        match error.cause {
            ChannelError::Area(e) => e,
            ChannelError::TooLong => EMSGSIZE,
            ChannelError::Timeout => ETIMEDOUT,
            ChannelError::Broken => EIO,
            ChannelError::Result(_) => EREMOTEIO,
        }
    }
}

impl kernel::fmt::Display for PluginError {
    fn fmt(&self, f: &mut kernel::fmt::Formatter<'_>) -> kernel::fmt::Result {
        match self.cause {
            ChannelError::Area(e) => write!(f, "plugin: {}: {:?}", self.step, e),
            ChannelError::TooLong => write!(f, "plugin: {}: payload too long", self.step),
            ChannelError::Timeout => write!(f, "plugin: {}: no answer in time", self.step),
            ChannelError::Broken => {
                write!(f, "plugin: {}: has missed a deadline before", self.step)
            }
            ChannelError::Result(code) => write!(f, "plugin: {}: result {:#x}", self.step, code),
        }
    }
}

/// The plugin task of one vGPU, as far as messages go.
pub(crate) struct Plugin {
    channel: Channel<SharedArea>,
}

impl Plugin {
    /// Prepares the shared area, before the task is started. `mapping` shows the start of the
    /// management heap, at least [`layout::SHARED_SIZE`] bytes of it.
    pub(crate) fn prepare(gpu: Arc<Gpu>, mapping: Bar1Mapping, gfid: u32) -> Result<Self> {
        let area = SharedArea { mapping, gpu, gfid };
        Ok(Self {
            channel: Channel::prepare(area)?,
        })
    }

    /// Waits until the task is up.
    pub(crate) fn wait_boot(&mut self) -> Result<(), PluginError> {
        self.channel
            .start(BOOT_TIMEOUT_MS)
            .map_err(|cause| PluginError {
                step: "boot",
                cause,
            })
    }

    /// The task has answered every message so far.
    pub(crate) fn is_usable(&self) -> bool {
        self.channel.is_usable()
    }

    /// First message.
    pub(crate) fn version_negotiation(&mut self) -> Result<(), PluginError> {
        self.call(MessageType::VersionNegotiation, &mut [])
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

    fn call(&mut self, message: MessageType, payload: &mut [u8]) -> Result<(), PluginError> {
        self.channel
            .call(message, payload, message_timeout_ms())
            .map_err(|cause| PluginError {
                step: message.name(),
                cause,
            })
    }
}
