// SPDX-License-Identifier: GPL-2.0

//! What each message does.
//!
//! ```text
//!   1 VERSION_NEGOTIATION   report the guest RPC version, agree upon that of messages
//!   2 SETUP_CONFIG          check type, place and, if bootload left it open, reserve channels
//!   3 RESET                 back to the state after SETUP_CONFIG
//!  13 UPDATE_BME            note bus mastering, allow it
//! ```

use super::layout::{self, Control};
use super::messages::{self, PluginConfig};
use super::{outside, Context, Task};
use crate::bytes::u8_at;
use crate::fault::PluginFault;
use crate::rm::placement;
use crate::rm::status::{refuse, Refusal};
use crate::services::Services;
use crate::vram::Writer;

/// Version of the guest RPC interface the task reports: 0x29.0x0c, major in bits
/// 31:24 and minor in 23:16 (OGKM 570.144 `src/nvidia/inc/kernel/vgpu/vgpu_version.h`).
const GUEST_RPC_VERSION: u32 = 0x290c_0000;

impl Task {
    /// Does what the message asks for.
    pub(super) fn execute(
        &mut self,
        s: &mut Services<'_>,
        control: &Control,
        cx: &mut Context<'_>,
    ) -> Result<(), Refusal> {
        let payload = cx.request.heap.start + control.payload;
        if control.message != messages::VERSION_NEGOTIATION && !self.negotiated {
            refuse!(
                ERR_INVALID_STATE,
                "plugin-order",
                "version negotiation comes first"
            )
        }
        match control.message {
            messages::VERSION_NEGOTIATION => {
                let at = cx.request.heap.start + control.response + layout::RESP_GUEST_RPC_VERSION;
                s.vram
                    .write32(at, GUEST_RPC_VERSION, Writer::Gsp)
                    .map_err(outside)?;
                // Published drivers leave the payload zero.
                let offered = s.vram.read32(payload).map_err(outside)?;
                if offered != 0 {
                    let wanted = s.faults.plugin().find_map(PluginFault::version);
                    let version = wanted.unwrap_or(offered.min(messages::INTERFACE_VERSION));
                    s.vram
                        .write32(payload + 4, version, Writer::Gsp)
                        .map_err(outside)?;
                }
                self.negotiated = true;
            }
            messages::SETUP_CONFIG => {
                let mut b = [0; messages::CONFIG_SIZE];
                s.vram.read(payload, &mut b).map_err(outside)?;
                self.configure(PluginConfig::decode(&b)?, s, cx)?;
            }
            messages::RESET => {
                self.configured("RESET")?;
                self.resets += 1;
                self.bus_master = false;
            }
            messages::UPDATE_BME => {
                self.configured("UPDATE_BME_STATE")?;
                let mut b = [0; 2];
                s.vram.read(payload, &mut b).map_err(outside)?;
                match u8_at(&b, 0) {
                    Some(on @ (0 | 1)) => self.bus_master = on == 1,
                    on => refuse!(
                        ERR_INVALID_ARGUMENT,
                        "plugin-bme",
                        "enable byte {on:?} is neither 0 nor 1"
                    ),
                }
                s.vram
                    .write(payload + 1, &[1], Writer::Gsp)
                    .map_err(outside)?;
            }
            n if n != 0 && n < messages::MAX => {
                refuse!(
                    ERR_NOT_SUPPORTED,
                    "plugin-message",
                    "message type {n} is not implemented"
                )
            }
            n => refuse!(
                ERR_INVALID_ARGUMENT,
                "plugin-message",
                "no message has type {n}"
            ),
        }
        Ok(())
    }

    fn configured(&self, what: &str) -> Result<(), Refusal> {
        if self.config.is_none() {
            refuse!(
                ERR_INVALID_STATE,
                "plugin-order",
                "{what} before SETUP_CONFIG"
            )
        }
        Ok(())
    }

    fn configure(
        &mut self,
        config: PluginConfig,
        s: &mut Services<'_>,
        cx: &mut Context<'_>,
    ) -> Result<(), Refusal> {
        if self.config.is_some() {
            refuse!(
                ERR_INVALID_STATE,
                "plugin-order",
                "SETUP_CONFIG for the second time"
            )
        }
        if cx.types.get(config.vgpu_type).is_none() {
            refuse!(
                ERR_NOT_SUPPORTED,
                "plugin-type",
                "vGPU type {} was never added",
                config.vgpu_type
            )
        }
        let boot = cx.request;
        let who = (boot.gfid, config.vgpu_type, config.placement_id);
        placement::check_type(cx.types, cx.mixed, who.0, who.1, cx.existing)?;
        if let [fb] = boot.fb.as_slice() {
            let fb = (fb.start, fb.end - fb.start);
            placement::check_place(cx.board, cx.types, cx.mixed, who, fb, cx.existing)?;
        }
        // A zero in the bootload parameters means "told here".
        let differs = [
            ("type", boot.vgpu_type, config.vgpu_type),
            ("dbdf", boot.dbdf, config.dbdf),
            ("channels", boot.channels, config.channels),
            (
                "plugin channels",
                boot.plugin_channels,
                config.plugin_channels,
            ),
        ]
        .into_iter()
        .find(|(_, a, b)| *a != 0 && a != b);
        if let Some((what, a, b)) = differs {
            if cx.strict {
                refuse!(
                    ERR_INVALID_ARGUMENT,
                    "plugin-mismatch",
                    "{what} {b:#x}, bootload said {a:#x}"
                )
            }
            s.stats.count("plugin-mismatch");
            s.trace.line(
                "plugin",
                format_args!(
                    "gfid {} {what} {b:#x} differs from bootload's {a:#x}",
                    boot.gfid
                ),
            );
        }
        if boot.channels == 0 {
            cx.chids
                .reserve(boot.gfid, &boot.chid_offset, config.channels)?;
        }
        self.config = Some(config);
        Ok(())
    }
}
