// SPDX-License-Identifier: GPL-2.0

//! BAR0 of a VF.
//!
//! ```text
//!   0x00000 BOOT_0  0x00004 BOOT_1 (17:16 = 2: a VF)  0x00a00 BOOT_42
//!   0x00f00 .. 0x00f54  window binding, invalidates        read 0, write dropped
//!   0x01000 .. 0x02200  interrupt tree, scratch            per function
//!   0x02200 PRIV doorbell: 0 RPC set-up, 1 RPC message, 2 lock-less
//!   0x03000 .. 0x03120  faults, TLB invalidate             read 0, write dropped
//!   0x10000, 0x20000    MSI-X table and PBA                the front end has them
//!   0x30080 time, 0x30090 channel doorbell
//! ```
//!
//! A VF without a vGPU is nobody's: reads give all ones, writes are dropped, and
//! both are refusals. Offsets: OGKM 570.144
//! `src/common/inc/swref/published/ampere/ga102/dev_vm.h`,
//! `turing/tu102/dev_vm_addendum.h`; doorbell bits `nv_sriov_defines.h`.

use crate::config::Config;
use crate::func::FuncRegs;
use crate::rm::status::{refuse, Refusal};
use crate::rm::Rm;

const BOOT_0: u32 = 0;
const BOOT_1: u32 = 4;
const BOOT_42: u32 = 0xa00;
const PRIV_DOORBELL: u32 = 0x2200;
const TIME_0: u32 = 0x3_0080;
const TIME_1: u32 = 0x3_0084;
const DOORBELL: u32 = 0x3_0090;

/// NV_PMC_BOOT_1 of a VF.
const BOOT_1_IS_VF: u32 = 2 << 16;
/// Architecture AD1xx in NV_PMC_BOOT_0 and BOOT_42, implementation AD102.
const ARCH_AD102: u32 = 0x192 << 20;
/// Highest doorbell token a guest has.
const TOKEN_MAX: u32 = 2;

/// What a write leaves for the caller to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Send the MSI-X vectors of these subtrees (bit n: vector n).
    Interrupts(u32),
    /// Pass the token to [`Rm::vf_doorbell`].
    Doorbell(u32),
    /// Pass the token to [`Rm::vf_work`].
    Work(u32),
}

fn alive(rm: Option<&Rm>, config: &Config, vf: u8, what: &str, offset: u32) -> Result<(), Refusal> {
    if config.idle_vfs || rm.is_some_and(|rm| rm.has_vgpu(vf)) {
        return Ok(());
    }
    refuse!(
        ERR_INVALID_STATE,
        "vf-no-vgpu",
        "{what} of BAR0 + {offset:#x} of vf {vf}, which has no vGPU"
    )
}

/// Reads the 32-bit register at `offset`.
pub fn read(
    rm: Option<&Rm>,
    regs: &FuncRegs,
    config: &Config,
    vf: u8,
    offset: u32,
    now_ns: u64,
) -> Result<u32, Refusal> {
    alive(rm, config, vf, "read", offset)?;
    let revision = u32::from(config.revision);
    Ok(match offset {
        BOOT_0 => ARCH_AD102 | revision,
        BOOT_1 => BOOT_1_IS_VF,
        BOOT_42 => ARCH_AD102 | revision << 12,
        TIME_0 => now_ns as u32 & !0x1f,
        TIME_1 => (now_ns >> 32) as u32,
        _ => regs.read(offset).unwrap_or(0),
    })
}

/// Writes the 32-bit register at `offset`.
pub fn write(
    rm: Option<&Rm>,
    regs: &mut FuncRegs,
    config: &Config,
    vf: u8,
    offset: u32,
    value: u32,
) -> Result<Effect, Refusal> {
    alive(rm, config, vf, "write", offset)?;
    match offset {
        PRIV_DOORBELL if value > TOKEN_MAX => {
            refuse!(
                ERR_INVALID_ARGUMENT,
                "vf-doorbell-token",
                "vf {vf} doorbell token {value:#x}"
            )
        }
        PRIV_DOORBELL => Ok(Effect::Doorbell(value)),
        DOORBELL => Ok(Effect::Work(value)),
        _ => Ok(Effect::Interrupts(regs.write(offset, value).unwrap_or(0))),
    }
}
