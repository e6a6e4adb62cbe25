// SPDX-License-Identifier: GPL-2.0

//! A falcon / Peregrine engine: registers, memories, start and halt.
//!
//! ```text
//! reset -> load (DMA blocks into IMEM and DMEM) -> BROM parameters, BOOTVEC
//!       -> MAILBOX0/1 -> STARTCPU -> [microcode runs] -> HALTED, MAILBOX0/1
//! ```
//!
//! Register offsets are from the engine's base (GSP 0x110000, SEC2 0x840000);
//! the second block, with BROM and RISC-V registers, is 0x1000 above it
//! (OGKM 570.144, ampere/ga102: dev_falcon_v4.h, dev_falcon_second_pri.h,
//! dev_fbif_v4.h, dev_riscv_pri.h). What the microcode does is not here but in
//! [`crate::ucode`].

mod dma;

pub use dma::{BadTransfer, Transfer, BLOCK};

/// Size of IMEM and of DMEM.
const MEMORY: usize = 64 << 10;

const IRQSCLR: u32 = 0x004;
const IRQSTAT: u32 = 0x008;
const IRQMSET: u32 = 0x010;
const IRQMCLR: u32 = 0x014;
const IRQMASK: u32 = 0x018;
const IRQDEST: u32 = 0x01c;
const MAILBOX0: u32 = 0x040;
const MAILBOX1: u32 = 0x044;
const ITFEN: u32 = 0x048;
const OS: u32 = 0x080;
const RM: u32 = 0x084;
const DEBUGINFO: u32 = 0x094;
const HWCFG2: u32 = 0x0f4;
const CPUCTL: u32 = 0x100;
const BOOTVEC: u32 = 0x104;
const HWCFG: u32 = 0x108;
const DMACTL: u32 = 0x10c;
const DMATRFBASE: u32 = 0x110;
const DMATRFMOFFS: u32 = 0x114;
const DMATRFCMD: u32 = 0x118;
const DMATRFFBOFFS: u32 = 0x11c;
const DMATRFBASE1: u32 = 0x128;
const HWCFG1: u32 = 0x12c;
const CPUCTL_ALIAS: u32 = 0x130;
const ENGINE: u32 = 0x3c0;
const INTR_RETRIGGER: u32 = 0x3e8;
const FBIF_TRANSCFG: u32 = 0x600;
const FBIF_CTL: u32 = 0x624;
const MOD_SEL: u32 = 0x1180;
const BROM_CURR_UCODE_ID: u32 = 0x1198;
const BROM_ENGIDMASK: u32 = 0x119c;
const BROM_PARAADDR: u32 = 0x1210;
const RISCV_CPUCTL: u32 = 0x1388;
const RISCV_IRQMASK: u32 = 0x1528;
const RISCV_IRQDEST: u32 = 0x152c;
const RISCV_BCR_CTRL: u32 = 0x1668;

/// IRQSTAT bit GSP-RM uses to say that the status queue has a message.
pub const IRQ_SWGEN0: u32 = 1 << 6;
/// IRQSTAT bit of a core that halted.
pub const IRQ_HALT: u32 = 1 << 4;

const HWCFG2_RESET_READY: u32 = 1 << 31;
const HWCFG2_MEM_SCRUBBING: u32 = 1 << 12;
const HWCFG2_RISCV: u32 = 1 << 10;
const CPUCTL_STARTCPU: u32 = 1 << 1;
const CPUCTL_HALTED: u32 = 1 << 4;
const DMATRFCMD_IDLE: u32 = 1 << 1;
const DMATRFCMD_FULL: u32 = 1 << 0;
const RISCV_ACTIVE: u32 = 1 << 7;
const RISCV_HALTED: u32 = 1 << 4;
const BCR_VALID: u32 = 1 << 0;
const BCR_RISCV: u32 = 1 << 4;
const BCR_RESET: u32 = 0x100;
const BCR_WRITABLE: u32 = 0x111;

/// Which engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// GPU system processor: FWSEC, then GSP-RM on its RISC-V core.
    Gsp,
    /// Security engine: scrubber and booter.
    Sec2,
}

/// What a register write asks of the board.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Nothing further.
    None,
    /// Copy one block, see [`Falcon::transfer`].
    Dma,
    /// Run what is loaded.
    Start,
    /// The engine was reset.
    Reset,
    /// Raise the interrupt again if a status bit is still set.
    Retrigger,
    /// There is no such register.
    Unknown,
}

/// Registers and memories of one engine.
pub struct Falcon {
    /// Which engine this is.
    pub engine: Engine,
    /// Instruction memory.
    pub imem: Vec<u8>,
    /// Data memory.
    pub dmem: Vec<u8>,
    /// Bytes of secure code uploaded from IMEM 0 up without a gap since reset.
    pub secure_imem: usize,
    /// Bytes of data uploaded from DMEM 0 up without a gap since reset.
    pub loaded_dmem: usize,
    /// Argument and result registers.
    pub mailbox: [u32; 2],
    /// Application version word.
    pub os: u32,
    /// RISC-V core runs.
    pub riscv_active: bool,
    /// RISC-V core halted.
    pub riscv_halted: bool,
    /// Time the running microcode ends; `None` when nothing runs.
    pub running_until: Option<u64>,
    /// Loaded microcode has run since reset.
    pub has_run: bool,
    irqstat: u32,
    irqmask: u32,
    irqdest: u32,
    itfen: u32,
    rm: u32,
    /// Debug word; scratch for the CPU sequencer.
    pub debuginfo: u32,
    bootvec: u32,
    dmactl: u32,
    trf_base: u64,
    trf_moffs: u32,
    trf_cmd: u32,
    trf_fboffs: u32,
    dma_stuck: bool,
    engine_reset: bool,
    scrub_polls: u8,
    transcfg: [u32; 8],
    fbif_ctl: u32,
    mod_sel: u32,
    ucode_id: u32,
    engine_mask: u32,
    paraaddr: u32,
    riscv_irqmask: u32,
    riscv_irqdest: u32,
    bcr: u32,
}

impl Falcon {
    /// An engine after power-on.
    pub fn new(engine: Engine) -> Falcon {
        Falcon {
            engine,
            imem: vec![0; MEMORY],
            dmem: vec![0; MEMORY],
            secure_imem: 0,
            loaded_dmem: 0,
            mailbox: [0; 2],
            os: 0,
            riscv_active: false,
            riscv_halted: false,
            running_until: None,
            has_run: false,
            irqstat: 0,
            irqmask: 0,
            irqdest: 0,
            itfen: 0,
            rm: 0,
            debuginfo: 0,
            bootvec: 0,
            dmactl: 0,
            trf_base: 0,
            trf_moffs: 0,
            trf_cmd: 0,
            trf_fboffs: 0,
            dma_stuck: false,
            engine_reset: false,
            scrub_polls: 0,
            transcfg: [0; 8],
            fbif_ctl: 0,
            mod_sel: 0,
            ucode_id: 0,
            engine_mask: 0,
            paraaddr: 0,
            riscv_irqmask: 0,
            riscv_irqdest: 0,
            bcr: BCR_RESET,
        }
    }

    /// ENGINE reset: memories are scrubbed, the falcon core is selected again.
    fn reset(&mut self) {
        *self = Falcon {
            // The memory scrub is seen as busy once.
            scrub_polls: 1,
            irqmask: self.irqmask,
            irqdest: self.irqdest,
            riscv_irqmask: self.riscv_irqmask,
            riscv_irqdest: self.riscv_irqdest,
            ..Falcon::new(self.engine)
        };
    }

    /// Sets interrupt status bits, as GSP-RM does. Returns whether the engine's
    /// interrupt line rose: a bit set before it was cleared makes no new edge.
    pub fn raise(&mut self, bits: u32) -> bool {
        let before = self.pending();
        self.irqstat |= bits;
        !before && self.pending()
    }

    /// Whether the interrupt line is up: a status bit that the RISC-V core routes
    /// to the host.
    pub fn pending(&self) -> bool {
        self.irqstat & self.riscv_irqmask & self.riscv_irqdest != 0
    }

    /// GSP-RM routes its interrupts to the host.
    pub fn route_interrupts(&mut self) {
        self.riscv_irqmask |= IRQ_SWGEN0 | IRQ_HALT;
        self.riscv_irqdest |= IRQ_SWGEN0 | IRQ_HALT;
    }

    /// BROM parameters: (engine mask, ucode ID, signature offset in DMEM), when
    /// the RSA-3072 algorithm is selected.
    pub fn brom(&self) -> Option<(u32, u32, u32)> {
        (self.mod_sel & 0xff == 1).then_some((self.engine_mask, self.ucode_id, self.paraaddr))
    }

    /// Boot vector.
    pub fn boot_vector(&self) -> u32 {
        self.bootvec
    }

    /// The RISC-V core is selected instead of the falcon core.
    pub fn riscv_selected(&self) -> bool {
        self.bcr & BCR_RISCV != 0
    }

    /// Any microcode was uploaded since reset.
    pub fn loaded(&self) -> bool {
        self.secure_imem != 0 || self.loaded_dmem != 0
    }

    /// Reads the register at `off`; `None` when there is none.
    pub fn read(&mut self, off: u32) -> Option<u32> {
        Some(match off {
            IRQSCLR | IRQMSET | IRQMCLR | INTR_RETRIGGER => 0,
            IRQSTAT => self.irqstat,
            IRQMASK => self.irqmask,
            IRQDEST => self.irqdest,
            MAILBOX0 => self.mailbox[0],
            MAILBOX1 => self.mailbox[1],
            ITFEN => self.itfen,
            OS => self.os,
            RM => self.rm,
            DEBUGINFO => self.debuginfo,
            HWCFG2 => {
                let mut v = HWCFG2_RESET_READY | HWCFG2_RISCV;
                if self.scrub_polls > 0 {
                    self.scrub_polls -= 1;
                    v |= HWCFG2_MEM_SCRUBBING;
                }
                v
            }
            CPUCTL => {
                if self.running_until.is_some() {
                    0
                } else {
                    CPUCTL_HALTED
                }
            }
            BOOTVEC => self.bootvec,
            HWCFG => {
                let blocks = (MEMORY / BLOCK) as u32;
                blocks | blocks << 9
            }
            DMACTL => self.dmactl,
            DMATRFBASE => self.trf_base as u32,
            DMATRFBASE1 => (self.trf_base >> 32) as u32,
            DMATRFMOFFS => self.trf_moffs,
            DMATRFFBOFFS => self.trf_fboffs,
            DMATRFCMD => {
                let status = if self.dma_stuck {
                    DMATRFCMD_FULL
                } else {
                    DMATRFCMD_IDLE
                };
                self.trf_cmd & !(DMATRFCMD_FULL | DMATRFCMD_IDLE) | status
            }
            // Core revision 6, security model 3, one IMEM and one DMEM port.
            HWCFG1 => 6 | 3 << 4 | 1 << 8 | 1 << 12,
            CPUCTL_ALIAS => 0,
            ENGINE => u32::from(self.engine_reset),
            FBIF_CTL => self.fbif_ctl,
            MOD_SEL => self.mod_sel,
            BROM_CURR_UCODE_ID => self.ucode_id,
            BROM_ENGIDMASK => self.engine_mask,
            BROM_PARAADDR => self.paraaddr,
            RISCV_CPUCTL => {
                (u32::from(self.riscv_active) * RISCV_ACTIVE)
                    | (u32::from(self.riscv_halted) * RISCV_HALTED)
            }
            RISCV_IRQMASK => self.riscv_irqmask,
            RISCV_IRQDEST => self.riscv_irqdest,
            RISCV_BCR_CTRL => self.bcr,
            _ => return transcfg(off).map(|i| self.transcfg[i]),
        })
    }

    /// Writes the register at `off`.
    pub fn write(&mut self, off: u32, v: u32) -> Action {
        match off {
            IRQSCLR => self.irqstat &= !v,
            IRQMSET => self.irqmask |= v,
            IRQMCLR => self.irqmask &= !v,
            IRQDEST => self.irqdest = v,
            MAILBOX0 => self.mailbox[0] = v,
            MAILBOX1 => self.mailbox[1] = v,
            ITFEN => self.itfen = v,
            OS => self.os = v,
            RM => self.rm = v,
            DEBUGINFO => self.debuginfo = v,
            CPUCTL | CPUCTL_ALIAS if v & CPUCTL_STARTCPU != 0 => return Action::Start,
            INTR_RETRIGGER if v & 1 != 0 => return Action::Retrigger,
            CPUCTL | CPUCTL_ALIAS | INTR_RETRIGGER | IRQSTAT | HWCFG2 | HWCFG | HWCFG1 => {}
            BOOTVEC => self.bootvec = v,
            // The scrub bits are requests that complete at once.
            DMACTL => self.dmactl = v & 1,
            DMATRFBASE => self.trf_base = self.trf_base & !0xffff_ffff | u64::from(v),
            DMATRFBASE1 => {
                self.trf_base = self.trf_base & 0xffff_ffff | u64::from(v & 0x1ff) << 32;
            }
            DMATRFMOFFS => self.trf_moffs = v & 0xff_ffff,
            DMATRFFBOFFS => self.trf_fboffs = v,
            DMATRFCMD => {
                self.trf_cmd = v;
                return Action::Dma;
            }
            ENGINE => {
                let was = self.engine_reset;
                self.engine_reset = v & 1 != 0;
                if was && !self.engine_reset {
                    self.reset();
                    return Action::Reset;
                }
            }
            FBIF_CTL => self.fbif_ctl = v,
            MOD_SEL => self.mod_sel = v,
            BROM_CURR_UCODE_ID => self.ucode_id = v,
            BROM_ENGIDMASK => self.engine_mask = v,
            BROM_PARAADDR => self.paraaddr = v,
            RISCV_IRQMASK => self.riscv_irqmask = v,
            RISCV_IRQDEST => self.riscv_irqdest = v,
            RISCV_BCR_CTRL => self.bcr = v & BCR_WRITABLE | BCR_VALID,
            _ => match transcfg(off) {
                Some(i) => self.transcfg[i] = v,
                None => return Action::Unknown,
            },
        }
        Action::None
    }
}

/// Index of an FBIF_TRANSCFG register.
fn transcfg(off: u32) -> Option<usize> {
    let i = off.checked_sub(FBIF_TRANSCFG)? / 4;
    (off % 4 == 0 && i < 8).then_some(i as usize)
}

#[cfg(test)]
mod tests;
