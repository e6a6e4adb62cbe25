// SPDX-License-Identifier: GPL-2.0

//! PF BAR0: routes a register access to its unit.
//!
//! ```text
//! any size      PROM, PRAMIN
//! 1, 2 bytes    the enclosing 32-bit register, merged
//! 8 bytes       two 32-bit registers, low first
//! ```
//!
//! A register that nobody described answers with the PRI error pattern and is
//! counted: drivers must not depend on it.

use super::{ones, Gpu};
use crate::falcon::Engine;
use crate::host::Function;
use crate::regs::{self, func};

impl Gpu {
    pub(super) fn bar0_read(&mut self, offset: u64, size: u8) -> u64 {
        let Ok(off) = u32::try_from(offset) else {
            return ones(size);
        };
        if regs::PROM.contains(&off) {
            return self.vbios.read(off - regs::PROM.start, size);
        }
        if regs::PRAMIN.contains(&off) {
            return self.pramin_read(off - regs::PRAMIN.start, size);
        }
        match size {
            8 if off % 8 == 0 => {
                u64::from(self.register_read(off)) | u64::from(self.register_read(off + 4)) << 32
            }
            4 if off % 4 == 0 => u64::from(self.register_read(off)),
            1 | 2 if off % u32::from(size) == 0 => {
                u64::from(self.register_read(off & !3)) >> (8 * (off % 4)) & ones(size)
            }
            _ => {
                self.board
                    .refuse("register-misaligned", format_args!("read {off:#x}"));
                ones(size)
            }
        }
    }

    pub(super) fn bar0_write(&mut self, offset: u64, size: u8, value: u64) {
        let Ok(off) = u32::try_from(offset) else {
            return;
        };
        if regs::PROM.contains(&off) {
            self.board
                .refuse("register-read-only", format_args!("PROM {off:#x}"));
            return;
        }
        if regs::PRAMIN.contains(&off) {
            self.pramin_write(off - regs::PRAMIN.start, size, value);
            return;
        }
        match size {
            8 if off % 8 == 0 => {
                self.register_write(off, value as u32);
                self.register_write(off + 4, (value >> 32) as u32);
            }
            4 if off % 4 == 0 => self.register_write(off, value as u32),
            1 | 2 if off % u32::from(size) == 0 => {
                let shift = 8 * (off % 4);
                let mask = (ones(size) as u32) << shift;
                let old = self.register_read(off & !3);
                self.register_write(off & !3, old & !mask | (value as u32) << shift & mask);
            }
            _ => {
                self.board
                    .refuse("register-misaligned", format_args!("write {off:#x}"));
            }
        }
    }

    fn register_read(&mut self, off: u32) -> u32 {
        if let Some(v) = self.board.faults.register(off) {
            return v;
        }
        if let Some(v) = self.known_read(off) {
            return v;
        }
        self.board
            .refuse("register-unknown", format_args!("read {off:#08x}"));
        if self.board.config.strict_registers {
            regs::PRI_ERROR
        } else {
            0
        }
    }

    fn register_write(&mut self, off: u32, v: u32) {
        if !self.known_write(off, v) {
            self.board.refuse(
                "register-unknown",
                format_args!("write {off:#08x} = {v:#x}"),
            );
        }
    }

    fn known_read(&mut self, off: u32) -> Option<u32> {
        let config = &self.board.config;
        let now = self.board.host.now_ns();
        let r = &mut self.regs;
        Some(match off {
            regs::PMC_BOOT_0 => regs::boot_0(config),
            regs::PMC_BOOT_1 | regs::STRAP => 0,
            regs::PMC_BOOT_42 => regs::boot_42(config),
            regs::PBUS_BAR0_WINDOW => r.window,
            regs::PBUS_BAR1_BLOCK => self.bar1_block(),
            regs::PTIMER_INTR_0 => 0,
            regs::PTIMER_NUMERATOR => r.timer[0],
            regs::PTIMER_DENOMINATOR => r.timer[1],
            regs::PTIMER_INTR_EN_0 => r.timer[2],
            regs::PTIMER_ALARM => r.timer[3],
            regs::PTIMER_TIME_0 => time(r.time_offset, now).0,
            regs::PTIMER_TIME_1 => time(r.time_offset, now).1,
            regs::NISO_FLUSH_ADDR => r.flush_page[0],
            regs::NISO_FLUSH_ADDR_HI => r.flush_page[1],
            regs::BSI_SECURE_SCRATCH_14 => r.bsi14,
            regs::BSI_SECURE_SCRATCH_15 => u32::from(r.handoff) << 29 | config.handoff_low,
            regs::GFW_PLM => 0xffff_ffff,
            regs::GFW_PROGRESS => {
                let done = now.saturating_sub(r.gfw_start_ns) >= config.gfw_delay_ns;
                if done {
                    0xff
                } else {
                    0x10
                }
            }
            regs::FB_SIZE_MIB => (config.fb_size() >> 20) as u32,
            regs::WPR2_LO => r.wpr2_words().0,
            regs::WPR2_HI => r.wpr2_words().1,
            regs::VGA_WORKSPACE if config.display => 0,
            regs::FUSE_DEBUG_DISABLE => 1,
            regs::FUSE_DISPLAY => u32::from(!config.display),
            _ if regs::MMU_LOCK.contains(&off) => 0,
            _ if regs::FUSE_UCODE.contains(&off) => 0,
            _ if regs::FLUSH.contains(&off) => {
                let busy = r.flush_polls > 0;
                r.flush_polls = r.flush_polls.saturating_sub(1);
                u32::from(busy) << 1
            }
            _ if regs::XVE.contains(&off) => match off - regs::XVE.start {
                regs::XVE_ROM_CONTROL => r.rom_control,
                regs::XVE_MSI_REARM => 0,
                cfg => self.board.host.config_read(Function::Pf, cfg as u16),
            },
            _ if regs::GSP.contains(&off) => {
                return self.engine_read(Engine::Gsp, off - regs::GSP.start);
            }
            _ if regs::SEC2.contains(&off) => {
                return self.engine_read(Engine::Sec2, off - regs::SEC2.start);
            }
            _ if regs::FUNC.contains(&off) => return self.func_read(off - regs::FUNC.start),
            _ => {
                let i = off.wrapping_sub(regs::PBUS_SW_SCRATCH) / 4;
                return self.regs.scratch.get(i as usize).copied();
            }
        })
    }

    /// Returns false when there is no such register.
    fn known_write(&mut self, off: u32, v: u32) -> bool {
        let now = self.board.host.now_ns();
        let r = &mut self.regs;
        match off {
            regs::PBUS_BAR0_WINDOW => r.window = v,
            regs::PBUS_BAR1_BLOCK => self.bar_block_write(off, v),
            regs::PTIMER_INTR_0 => {}
            regs::PTIMER_NUMERATOR => r.timer[0] = v,
            regs::PTIMER_DENOMINATOR => r.timer[1] = v,
            regs::PTIMER_INTR_EN_0 => r.timer[2] = v,
            regs::PTIMER_ALARM => r.timer[3] = v,
            regs::PTIMER_TIME_0 | regs::PTIMER_TIME_1 => {
                let (low, high) = time(r.time_offset, now);
                let wanted = if off == regs::PTIMER_TIME_0 {
                    u64::from(high) << 32 | u64::from(v & !0x1f)
                } else {
                    u64::from(v) << 32 | u64::from(low)
                };
                r.time_offset = wanted.wrapping_sub(now);
            }
            regs::NISO_FLUSH_ADDR => r.flush_page[0] = v,
            regs::NISO_FLUSH_ADDR_HI => r.flush_page[1] = v & 0xff_ffff,
            regs::BSI_SECURE_SCRATCH_14
            | regs::BSI_SECURE_SCRATCH_15
            | regs::PMC_BOOT_0
            | regs::PMC_BOOT_1
            | regs::PMC_BOOT_42
            | regs::GFW_PLM
            | regs::GFW_PROGRESS
            | regs::FB_SIZE_MIB
            | regs::WPR2_LO
            | regs::WPR2_HI
            | regs::VGA_WORKSPACE
            | regs::FUSE_DEBUG_DISABLE
            | regs::FUSE_DISPLAY => {
                self.board.refuse(
                    "register-read-only",
                    format_args!("write {off:#08x} = {v:#x}"),
                );
            }
            _ if regs::FLUSH.contains(&off) => r.flush_polls = 1,
            _ if regs::XVE.contains(&off) => match off - regs::XVE.start {
                regs::XVE_ROM_CONTROL => r.rom_control = v,
                regs::XVE_MSI_REARM => self.msi_rearm(),
                cfg => self.board.refuse(
                    "register-read-only",
                    format_args!("config mirror {cfg:#x} = {v:#x}"),
                ),
            },
            _ if regs::GSP.contains(&off) => {
                return self.engine_write(Engine::Gsp, off - regs::GSP.start, v);
            }
            _ if regs::SEC2.contains(&off) => {
                return self.engine_write(Engine::Sec2, off - regs::SEC2.start, v);
            }
            _ if regs::FUNC.contains(&off) => return self.func_write(off - regs::FUNC.start, v),
            _ => {
                let i = off.wrapping_sub(regs::PBUS_SW_SCRATCH) / 4;
                match r.scratch.get_mut(i as usize) {
                    Some(s) => *s = v,
                    None => return false,
                }
            }
        }
        true
    }

    /// The PF's own function registers.
    fn func_read(&mut self, off: u32) -> Option<u32> {
        let now = self.board.host.now_ns();
        let r = &mut self.regs;
        Some(match off {
            func::L2_SYSMEM_INVALIDATE | func::L2_PEER_INVALIDATE => 0,
            func::BAR1_BLOCK => self.bar1_block(),
            func::BAR2_BLOCK => match self.bar3_root {
                Some(_) => 1 << 31 | (self.rm_tables.instance >> 12) as u32,
                None => regs::BAR2_BLOCK_RESET,
            },
            func::BIND_STATUS | func::PRIV_DOORBELL | func::DOORBELL => 0,
            func::TLB_PDB => r.tlb_pdb[0],
            func::TLB_UPPER_PDB => r.tlb_pdb[1],
            func::TLB_INVALIDATE => return Some(self.tlb_status()),
            func::TIME_0 => time(r.time_offset, now).0,
            func::TIME_1 => time(r.time_offset, now).1,
            _ => return self.pf_func.read(off),
        })
    }

    fn func_write(&mut self, off: u32, v: u32) -> bool {
        match off {
            func::L2_SYSMEM_INVALIDATE | func::L2_PEER_INVALIDATE => {}
            func::BAR1_BLOCK | func::BAR2_BLOCK => self.bar_block_write(off, v),
            func::BIND_STATUS | func::TIME_0 | func::TIME_1 => self.board.refuse(
                "register-read-only",
                format_args!("function register {off:#x} = {v:#x}"),
            ),
            func::TLB_PDB => self.regs.tlb_pdb[0] = v & !0xd,
            func::TLB_UPPER_PDB => self.regs.tlb_pdb[1] = v & 0xf_ffff,
            func::TLB_INVALIDATE => self.tlb_invalidate(v),
            func::PRIV_DOORBELL => self.priv_doorbell(v),
            func::DOORBELL => self.work_doorbell(v),
            func::LEAF_TRIGGER => self.interrupt(Function::Pf, v & func::LEAF_TRIGGER_VECTOR),
            _ => match self.pf_func.write(off, v) {
                Some(subtrees) => {
                    self.watch();
                    self.deliver(Function::Pf, subtrees);
                }
                None => return false,
            },
        }
        true
    }

    fn bar1_block(&self) -> u32 {
        match self.bar1_root {
            Some(_) => 1 << 31 | (self.rm_tables.instance >> 12) as u32,
            None => 0,
        }
    }

    /// GSP-RM owns the block registers; what they point at stays.
    fn bar_block_write(&mut self, off: u32, v: u32) {
        self.board.refuse(
            "bar-block",
            format_args!("CPU writes block register {off:#x} = {v:#x}"),
        );
    }

    /// Fuse register value of the FWSEC microcode.
    pub(super) fn fwsec_fuse(&self, ucode_id: u32) -> u32 {
        let off = regs::FUSE_UCODE_GSP + 4 * ucode_id.wrapping_sub(1);
        self.board.faults.register(off).unwrap_or(0)
    }
}

/// PTIMER words: 31:5 and 63:32 of the nanosecond count.
pub(super) fn time(offset: u64, now: u64) -> (u32, u32) {
    let t = now.wrapping_add(offset);
    (t as u32 & !0x1f, (t >> 32) as u32)
}
