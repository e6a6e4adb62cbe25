// SPDX-License-Identifier: GPL-2.0

//! BAR0 of the PF: where the units are, and the registers that are plain state.
//!
//! ```text
//! 0x000000 PMC      0x001400 PBUS scratch    0x001700 PRAMIN window select
//! 0x009000 PTIMER   0x070000 flush           0x088000 configuration mirror
//! 0x100c10 sysmem flush page                 0x110000 GSP falcon
//! 0x118000 always-on island (GFW, memory size, scrubber hand-off)
//! 0x1fa824 WPR2     0x300000 PROM            0x625f04 VGA workspace
//! 0x700000 PRAMIN   0x820000 fuses           0x840000 SEC2 falcon
//! 0xb80000 the PF's own function registers
//! ```
//!
//! Sources: OGKM 570.144, published register headers of turing, ampere and ada.

use crate::config::Config;
use crate::ucode::wpr_meta::WprMeta;
use std::ops::Range;

/// Chip identification: architecture 28:24, implementation 23:20, revision 7:0.
pub const PMC_BOOT_0: u32 = 0x00_0000;
/// 17:16 tell a VF (2) from a physical function (0).
pub const PMC_BOOT_1: u32 = 0x00_0004;
/// Chip identification in its newer layout: revision in 19:12.
pub const PMC_BOOT_42: u32 = 0x00_0a00;
/// First software scratch word.
pub const PBUS_SW_SCRATCH: u32 = 0x00_1400;
/// Number of software scratch words.
pub const PBUS_SW_SCRATCHES: u32 = 64;
/// PRAMIN window: address >> 16 in 23:0, target in 25:24 (0 = video memory).
pub const PBUS_BAR0_WINDOW: u32 = 0x00_1700;
/// Older address of the BAR1 block register.
pub const PBUS_BAR1_BLOCK: u32 = 0x00_1704;
/// Timer interrupt status.
pub const PTIMER_INTR_0: u32 = 0x00_9100;
/// Timer interrupt enable.
pub const PTIMER_INTR_EN_0: u32 = 0x00_9140;
/// Timer clock ratio, numerator.
pub const PTIMER_NUMERATOR: u32 = 0x00_9200;
/// Timer clock ratio, denominator.
pub const PTIMER_DENOMINATOR: u32 = 0x00_9210;
/// Nanoseconds, 31:5.
pub const PTIMER_TIME_0: u32 = 0x00_9400;
/// Nanoseconds, 63:32.
pub const PTIMER_TIME_1: u32 = 0x00_9410;
/// Timer alarm.
pub const PTIMER_ALARM: u32 = 0x00_9420;
/// Frame-buffer and L2 flush registers: write starts, bit 1 reads busy.
pub const FLUSH: Range<u32> = 0x07_0000..0x07_0014;
/// Mirror of the PF's configuration space.
pub const XVE: Range<u32> = 0x08_8000..0x08_9000;
/// Word of the mirror that is plain storage (ROM shadow control).
pub const XVE_ROM_CONTROL: u32 = 0x50;
/// NV_XVE_CYA_2: re-arms MSI.
pub const XVE_MSI_REARM: u32 = 0x704;
/// Sysmem flush page: DMA address 39:8.
pub const NISO_FLUSH_ADDR: u32 = 0x10_0c10;
/// Sysmem flush page: DMA address 63:40.
pub const NISO_FLUSH_ADDR_HI: u32 = 0x10_0c40;
/// Straps; any value is good.
pub const STRAP: u32 = 0x10_1000;
/// GSP falcon, both register blocks.
pub const GSP: Range<u32> = 0x11_0000..0x11_2000;
/// Bit 26: boot stage 3 hand-off, set when GSP-RM was resumed.
pub const BSI_SECURE_SCRATCH_14: u32 = 0x11_80f8;
/// 31:29: scrubber hand-off, 3 when done.
pub const BSI_SECURE_SCRATCH_15: u32 = 0x11_80fc;
/// Bit 0: GFW progress may be read.
pub const GFW_PLM: u32 = 0x11_8128;
/// 7:0: 0xff when GFW has finished.
pub const GFW_PROGRESS: u32 = 0x11_8234;
/// Usable frame buffer in MiB.
pub const FB_SIZE_MIB: u32 = 0x11_83a4;
/// Memory lock range, not used on Ada.
pub const MMU_LOCK: [u32; 3] = [0x1f_a7c8, 0x1f_a82c, 0x1f_a830];
/// WPR2 start: address >> 12 in 31:4.
pub const WPR2_LO: u32 = 0x1f_a824;
/// WPR2 end: address >> 12 in 31:4; 0 when WPR2 is not up.
pub const WPR2_HI: u32 = 0x1f_a828;
/// Window on the ROM.
pub const PROM: Range<u32> = 0x30_0000..0x40_0000;
/// VGA workspace: bit 3 valid, address >> 16 in 31:8.
pub const VGA_WORKSPACE: u32 = 0x62_5f04;
/// Window on video memory, placed by [`PBUS_BAR0_WINDOW`].
pub const PRAMIN: Range<u32> = 0x70_0000..0x80_0000;
/// 1: a production part, which takes production-signed images.
pub const FUSE_DEBUG_DISABLE: u32 = 0x82_074c;
/// Bit 0: display engine fused off.
pub const FUSE_DISPLAY: u32 = 0x82_0c04;
/// Ucode version fuses: NVDEC, SEC2, GSP, 16 words each.
pub const FUSE_UCODE: Range<u32> = 0x82_4100..0x82_4200;
/// First of the GSP ucode version fuses.
pub const FUSE_UCODE_GSP: u32 = 0x82_41c0;
/// SEC2 falcon, both register blocks.
pub const SEC2: Range<u32> = 0x84_0000..0x84_2000;
/// The PF's own function registers.
pub const FUNC: Range<u32> = 0xb8_0000..0xbc_0000;

/// First engine mailbox, outside of the falcon proper.
pub const ENGINE_MAILBOX: u32 = 0x804;
/// Number of engine mailboxes.
pub const ENGINE_MAILBOXES: u32 = 4;
/// Head register of message queue 0; eight bytes apart.
pub const GSP_QUEUE_HEAD: u32 = 0xc00;
/// Number of queue head registers.
pub const GSP_QUEUES: u32 = 8;
/// Interrupt vector word of SEC2.
pub const SEC2_IRQ_VECTOR: u32 = 0x3e0;

/// Inside a function's register space.
pub mod func {
    /// L2 invalidate of system memory.
    pub const L2_SYSMEM_INVALIDATE: u32 = 0x0f00;
    /// L2 invalidate of peer memory.
    pub const L2_PEER_INVALIDATE: u32 = 0x0f04;
    /// BAR1 instance block: address >> 12 in 27:0, bit 31 translated.
    pub const BAR1_BLOCK: u32 = 0x0f40;
    /// BAR2 instance block, same layout.
    pub const BAR2_BLOCK: u32 = 0x0f48;
    /// Pending binds of the two.
    pub const BIND_STATUS: u32 = 0x0f50;
    /// Latches the vector written, as its source would.
    pub const LEAF_TRIGGER: u32 = 0x1640;
    /// Bits of it that are the vector.
    pub const LEAF_TRIGGER_VECTOR: u32 = 0xfff;
    /// Doorbell to GSP: gfid * 32 + bit from the PF, a token from a VF.
    pub const PRIV_DOORBELL: u32 = 0x2200;
    /// Page directory of the next invalidate: address >> 12 in 31:4.
    pub const TLB_PDB: u32 = 0x30a0;
    /// Its address >> 40.
    pub const TLB_UPPER_PDB: u32 = 0x30a4;
    /// Invalidate command; bit 31 starts it and reads busy.
    pub const TLB_INVALIDATE: u32 = 0x30b0;
    /// Nanoseconds, 31:5.
    pub const TIME_0: u32 = 0x3_0080;
    /// Nanoseconds, 63:32.
    pub const TIME_1: u32 = 0x3_0084;
    /// Work doorbell: channel 11:0, runlist 22:16.
    pub const DOORBELL: u32 = 0x3_0090;
}

/// Scratch word of FWSEC-FRTS: error in 31:16.
pub const SCRATCH_FRTS: usize = 0x0e;
/// Scratch word of FWSEC-SB: error in 15:0.
pub const SCRATCH_SB: usize = 0x15;

/// What a register that does not exist, or is blocked, reads as.
pub const PRI_ERROR: u32 = 0xbadf_5040;
/// What protected memory reads as.
pub const PRI_ERROR_WPR: u32 = 0xbad0_fb00;

/// Reset value of the BAR2 block register: translation off, debug bit set.
pub const BAR2_BLOCK_RESET: u32 = 0x4000_0000;

/// Plain register state, lost on any reset of the PF except where noted.
#[derive(Debug, Clone)]
pub struct Regs {
    /// PBUS software scratch.
    pub scratch: [u32; PBUS_SW_SCRATCHES as usize],
    /// PRAMIN window select.
    pub window: u32,
    /// Sysmem flush page, low and high.
    pub flush_page: [u32; 2],
    /// WPR2 as the registers show it.
    pub wpr2: Option<Range<u64>>,
    /// WPR2 as FWSEC created it.
    pub frts: Option<Range<u64>>,
    /// Boot stage hand-off word.
    pub bsi14: u32,
    /// Scrubber hand-off field; survives more than the others.
    pub handoff: u8,
    /// Time GFW started.
    pub gfw_start_ns: u64,
    /// Added to the clock for PTIMER.
    pub time_offset: u64,
    /// PTIMER registers that are storage: numerator, denominator, enable, alarm.
    pub timer: [u32; 4],
    /// Polls left until a flush is done.
    pub flush_polls: u8,
    /// Page directory of the next TLB invalidate, low and high word.
    pub tlb_pdb: [u32; 2],
    /// Last TLB invalidate command.
    pub tlb_command: u32,
    /// An MSI was sent and not re-armed since.
    pub msi_sent: bool,
    /// ROM shadow control word of the configuration mirror.
    pub rom_control: u32,
    /// Engine mailboxes of GSP and SEC2.
    pub mailboxes: [[u32; ENGINE_MAILBOXES as usize]; 2],
    /// SEC2 interrupt vector word.
    pub sec2_vector: u32,
}

impl Regs {
    /// Power-on state at time `now_ns`.
    pub fn new(config: &Config, now_ns: u64) -> Regs {
        Regs {
            scratch: [0; PBUS_SW_SCRATCHES as usize],
            window: 0,
            flush_page: [0; 2],
            wpr2: None,
            frts: None,
            bsi14: 0,
            handoff: config.handoff,
            gfw_start_ns: now_ns,
            time_offset: 0,
            timer: [0; 4],
            flush_polls: 0,
            tlb_pdb: [0; 2],
            tlb_command: 0,
            msi_sent: false,
            rom_control: 0,
            mailboxes: [[0; ENGINE_MAILBOXES as usize]; 2],
            sec2_vector: 0,
        }
    }

    /// State after a reset that does not take power away.
    pub fn reset(&mut self, config: &Config, now_ns: u64) {
        let handoff = if config.handoff_survives_flr {
            self.handoff
        } else {
            config.handoff
        };
        *self = Regs {
            handoff,
            ..Regs::new(config, now_ns)
        };
    }

    /// Sets an error FWSEC reports; FRTS errors are in the upper half word.
    pub fn set_frts_error(&mut self, code: u16) {
        self.scratch[SCRATCH_FRTS] = u32::from(code) << 16;
    }

    /// WPR2_LO and WPR2_HI: address >> 12 in bits 31:4.
    pub fn wpr2_words(&self) -> (u32, u32) {
        match &self.wpr2 {
            Some(r) => ((r.start >> 8) as u32 & !0xf, (r.end >> 8) as u32 & !0xf),
            None => (0, 0),
        }
    }

    /// Whether any byte of an access lies in WPR2.
    pub fn in_wpr2(&self, addr: u64, len: u64) -> bool {
        self.wpr2
            .as_ref()
            .is_some_and(|r| addr < r.end && addr.saturating_add(len) > r.start)
    }
}

/// NV_PMC_BOOT_0: architecture 0x19 (Ada), implementation 2 (AD102), revision.
pub fn boot_0(config: &Config) -> u32 {
    0x19 << 24 | 2 << 20 | u32::from(config.revision)
}

/// NV_PMC_BOOT_42: the same identification in its newer place.
pub fn boot_42(config: &Config) -> u32 {
    0x19 << 24 | 2 << 20 | u32::from(config.revision) << 12
}

/// Whether the scrubber must have run before this layout can be used.
pub fn needs_scrubber(config: &Config, m: &WprMeta) -> bool {
    config.fb_size().saturating_sub(m.reserved_start) > config.prescrubbed
}
