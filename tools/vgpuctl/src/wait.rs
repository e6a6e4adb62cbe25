// SPDX-License-Identifier: GPL-2.0

//! Waiting until a GPU or a VF is as somebody needs it.

use std::time::{Duration, Instant};

use crate::address::Address;
use crate::error::{Error, Result};
use crate::events::Events;
use crate::gpu::{self, Vgpu, PF_DRIVER, VF_DRIVER};
use crate::sysfs::Sysfs;
use crate::types::{self, Wanted};

/// What is waited for.
#[derive(Clone, Debug)]
pub enum Condition {
    /// The GPU is there and bound to the PF driver.
    Gpu(Address),
    /// So many VFs are bound to the vGPU driver.
    Vfs(Address, u16),
    /// The type, or any, can be selected on the VF.
    Creatable(Address, Option<Wanted>),
    /// The VF has the type, or any.
    Type(Address, Option<Wanted>),
    /// The vGPU of the VF is in the state of this name.
    State(Address, String),
}

impl Condition {
    /// `None` when it holds, else what is missing.
    fn missing(&self, sysfs: &Sysfs) -> Result<Option<String>> {
        match self {
            Self::Gpu(address) => {
                let driver = sysfs.link(&sysfs.device(*address).join("driver"));
                let missing = format!("{address} is not bound to {PF_DRIVER}");
                Ok((driver.as_deref() != Some(PF_DRIVER)).then_some(missing))
            }
            Self::Vfs(address, count) => {
                if !sysfs.exists(*address) {
                    return Ok(Some(format!("{address} is not there")));
                }
                let gpu = gpu::at(sysfs, *address)?;
                let bound = gpu.vfs.iter().filter(|vf| vf.vgpu.is_some()).count();
                let missing =
                    format!("{address}: {bound} VFs are bound to {VF_DRIVER}, not {count}");
                Ok((bound < usize::from(*count)).then_some(missing))
            }
            Self::Creatable(address, _) | Self::Type(address, _) | Self::State(address, _) => {
                let Some((gpu, position)) = gpu::find_vf(sysfs, *address)? else {
                    return Ok(Some(format!("{address} is not there, or no VF")));
                };
                match &gpu.vfs[position].vgpu {
                    Some(vgpu) => self.missing_of(*address, vgpu),
                    None => Ok(Some(format!("{address} is not bound to {VF_DRIVER}"))),
                }
            }
        }
    }

    /// The same for what only a bound VF has.
    fn missing_of(&self, address: Address, vgpu: &Vgpu) -> Result<Option<String>> {
        match self {
            Self::Gpu(_) | Self::Vfs(..) => Ok(None),
            Self::Creatable(_, wanted) => {
                let found = match wanted {
                    Some(wanted) => vgpu.creatable.iter().any(|t| wanted.is(t)),
                    None => !vgpu.creatable.is_empty(),
                };
                let list = types::in_one_line(&vgpu.creatable);
                Ok((!found).then(|| format!("{address}: types that can be created: {list}")))
            }
            Self::Type(_, wanted) => {
                let Some(current) = &vgpu.vgpu_type else {
                    return Ok(Some(format!("{address} has no type")));
                };
                let found = wanted.as_ref().is_none_or(|wanted| wanted.is(current));
                Ok((!found).then(|| format!("{address} has the type {current}")))
            }
            Self::State(_, wanted) => {
                let state = vgpu.state.as_deref().ok_or_else(|| {
                    Error::new(format!(
                        "{address}: this version of {VF_DRIVER} tells no state"
                    ))
                })?;
                Ok((state != wanted).then(|| format!("{address} is in state {state}")))
            }
        }
    }
}

/// Waits for `condition`, for at most `limit`.
///
/// # Errors
///
/// The time was up ([`Kind::TimedOut`](crate::error::Kind::TimedOut)); the message says what is still
/// missing.
pub fn wait(
    sysfs: &Sysfs,
    events: &mut dyn Events,
    condition: &Condition,
    limit: Option<Duration>,
) -> Result {
    let end = limit.and_then(|limit| Instant::now().checked_add(limit));
    loop {
        let Some(missing) = condition.missing(sysfs)? else {
            return Ok(());
        };
        let left = match end {
            Some(end) => end.saturating_duration_since(Instant::now()),
            None => Duration::MAX,
        };
        if left.is_zero() {
            let limit = limit.unwrap_or_default().as_secs();
            return Err(Error::timed_out(format!("after {limit} s: {missing}")));
        }
        events.wait(left)?;
    }
}
