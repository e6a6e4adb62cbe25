// SPDX-License-Identifier: GPL-2.0

//! Falcon and Peregrine (falcon + RISC-V) registers, relative to the base of an engine.
//!
//! ```text
//!   PFalcon  + 0x000  interrupts, mailboxes, CPU control, DMA, FBIF (+0x600)
//!   PFalcon2 + 0x000  boot ROM (BROM) parameters, RISC-V control     = PFalcon + 0x1000
//! ```
//!
//! Source: OGKM 570.144 `ampere/ga102/{dev_falcon_v4,dev_fbif_v4,dev_falcon_second_pri,
//! dev_riscv_pri}.h`; Ada uses the GA102 headers.

use kernel::io::register;

/// Names the PFALCON base of an engine.
pub(crate) struct PFalcon(());

/// Names the base of an engine's second register block.
pub(crate) struct PFalcon2(());

register! {
    /// Clears bits of the interrupt status.
    pub(crate) NV_PFALCON_FALCON_IRQSCLR(u32) @ PFalcon + 0x004 {
        31:0    causes => u32;
        /// Software interrupt 0: GSP queued a message.
        6:6     swgen0 => bool;
        /// The core halted.
        4:4     halt => bool;
    }

    /// Causes of interrupts that are latched, whoever they are for.
    pub(crate) NV_PFALCON_FALCON_IRQSTAT(u32) @ PFalcon + 0x008 {
        31:0    causes => u32;
        /// Software interrupt 0: GSP queued a message.
        6:6     swgen0 => bool;
        /// The core halted.
        4:4     halt => bool;
    }

    /// First argument and result word of a ucode.
    pub(crate) NV_PFALCON_FALCON_MAILBOX0(u32) @ PFalcon + 0x040 {
        31:0    value => u32;
    }

    /// Second argument and result word of a ucode.
    pub(crate) NV_PFALCON_FALCON_MAILBOX1(u32) @ PFalcon + 0x044 {
        31:0    value => u32;
    }

    /// Version of the application that runs, for the firmware's own use.
    pub(crate) NV_PFALCON_FALCON_OS(u32) @ PFalcon + 0x080 {
        31:0    value => u32;
    }

    /// Copy of `NV_PMC_BOOT_0`, lost on reset.
    pub(crate) NV_PFALCON_FALCON_RM(u32) @ PFalcon + 0x084 {
        31:0    value => u32;
    }

    /// State of the engine.
    pub(crate) NV_PFALCON_FALCON_HWCFG2(u32) @ PFalcon + 0x0f4 {
        /// The engine may be reset.
        31:31   reset_ready => bool;
        /// The RISC-V core has locked its registers.
        13:13   riscv_br_priv_lockdown => bool;
        /// IMEM and DMEM are being cleared.
        12:12   mem_scrubbing => bool;
        /// There is a RISC-V core.
        10:10   riscv => bool;
    }

    /// Control of the falcon core.
    pub(crate) NV_PFALCON_FALCON_CPUCTL(u32) @ PFalcon + 0x100 {
        /// `CPUCTL_ALIAS` must be used to start the core.
        6:6     alias_en => bool;
        /// The core is halted.
        4:4     halted => bool;
        /// Starts the core.
        1:1     startcpu => bool;
    }

    /// Address of the first instruction.
    pub(crate) NV_PFALCON_FALCON_BOOTVEC(u32) @ PFalcon + 0x104 {
        31:0    value => u32;
    }

    /// Control of the DMA engine.
    pub(crate) NV_PFALCON_FALCON_DMACTL(u32) @ PFalcon + 0x10c {
        /// IMEM is being cleared.
        2:2     imem_scrubbing => bool;
        /// DMEM is being cleared.
        1:1     dmem_scrubbing => bool;
        /// Transfers need a context.
        0:0     require_ctx => bool;
    }

    /// Source address bits 39:8.
    pub(crate) NV_PFALCON_FALCON_DMATRFBASE(u32) @ PFalcon + 0x110 {
        31:0    base => u32;
    }

    /// Offset in IMEM or DMEM.
    pub(crate) NV_PFALCON_FALCON_DMATRFMOFFS(u32) @ PFalcon + 0x114 {
        23:0    offs;
    }

    /// Starts one transfer and tells about it.
    pub(crate) NV_PFALCON_FALCON_DMATRFCMD(u32) @ PFalcon + 0x118 {
        /// Log2 of the size in units of 4 bytes; 6 is 256 bytes.
        10:8    size;
        /// Target is IMEM, not DMEM.
        4:4     imem => bool;
        /// Security of the IMEM blocks; 1 is secure.
        3:2     sec;
        /// No transfer is pending.
        1:1     idle => bool;
        /// No more transfers can be queued.
        0:0     full => bool;
    }

    /// Offset added to the source address; also the tag of an IMEM block.
    pub(crate) NV_PFALCON_FALCON_DMATRFFBOFFS(u32) @ PFalcon + 0x11c {
        31:0    offs => u32;
    }

    /// Source address bits 48:40.
    pub(crate) NV_PFALCON_FALCON_DMATRFBASE1(u32) @ PFalcon + 0x128 {
        8:0     base;
    }

    /// Starts the core when `CPUCTL` is protected.
    pub(crate) NV_PFALCON_FALCON_CPUCTL_ALIAS(u32) @ PFalcon + 0x130 {
        /// Starts the core.
        1:1     startcpu => bool;
    }

    /// Reset of the engine.
    pub(crate) NV_PFALCON_FALCON_ENGINE(u32) @ PFalcon + 0x3c0 {
        0:0     reset => bool;
    }

    /// Makes the engine send its interrupt again if a cause is latched that is for the CPU.
    pub(crate) NV_PFALCON_FALCON_INTR_RETRIGGER(u32)[2] @ PFalcon + 0x3e8 {
        0:0     trigger => bool;
    }

    /// What a DMA context addresses; only context 0 is used.
    pub(crate) NV_PFALCON_FBIF_TRANSCFG(u32)[8] @ PFalcon + 0x600 {
        /// Addresses are physical.
        2:2     physical => bool;
        /// 0 FB, 1 coherent system memory, 2 non-coherent system memory.
        1:0     target;
    }

    /// Control of the framebuffer interface.
    pub(crate) NV_PFALCON_FBIF_CTL(u32) @ PFalcon + 0x624 {
        /// Physical transfers need no context.
        7:7     allow_phys_no_ctx => bool;
    }

    /// Signature algorithm; 1 is RSA-3072.
    pub(crate) NV_PFALCON2_FALCON_MOD_SEL(u32) @ PFalcon2 + 0x180 {
        7:0     algo;
    }

    /// Id of the ucode that is about to run.
    pub(crate) NV_PFALCON2_FALCON_BROM_CURR_UCODE_ID(u32) @ PFalcon2 + 0x198 {
        7:0     ucode_id => u8;
    }

    /// Engines that the ucode is signed for.
    pub(crate) NV_PFALCON2_FALCON_BROM_ENGIDMASK(u32) @ PFalcon2 + 0x19c {
        31:0    value => u32;
    }

    /// DMEM offset of the signature.
    pub(crate) NV_PFALCON2_FALCON_BROM_PARAADDR(u32)[1] @ PFalcon2 + 0x210 {
        31:0    value => u32;
    }

    /// State of the RISC-V core.
    pub(crate) NV_PRISCV_RISCV_CPUCTL(u32) @ PFalcon2 + 0x388 {
        /// The core runs.
        7:7     active_stat => bool;
        /// The core is halted.
        4:4     halted => bool;
    }

    /// Causes that make interrupts at all; firmware's to set.
    pub(crate) NV_PRISCV_RISCV_IRQMASK(u32) @ PFalcon2 + 0x528 {
        31:0    causes => u32;
    }

    /// Causes that go to the CPU, not to the core itself; firmware's to set.
    pub(crate) NV_PRISCV_RISCV_IRQDEST(u32) @ PFalcon2 + 0x52c {
        31:0    causes => u32;
    }

    /// Which of the two cores is used.
    pub(crate) NV_PRISCV_RISCV_BCR_CTRL(u32) @ PFalcon2 + 0x668 {
        /// The RISC-V core fetches from the boot ROM.
        8:8     br_fetch => bool;
        /// The RISC-V core is selected, not the falcon.
        4:4     riscv => bool;
        /// The selection took effect.
        0:0     valid => bool;
    }
}

/// `DMATRFCMD.size` for transfers of 256 bytes.
pub(crate) const DMATRFCMD_SIZE_256B: u32 = 6;

/// `FBIF_TRANSCFG.target` for coherent system memory.
pub(crate) const FBIF_TRANSCFG_TARGET_COHERENT_SYSMEM: u32 = 1;

/// `MOD_SEL.algo` for RSA-3072.
pub(crate) const MOD_SEL_ALGO_RSA3K: u32 = 1;
