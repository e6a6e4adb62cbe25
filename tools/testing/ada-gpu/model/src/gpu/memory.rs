// SPDX-License-Identifier: GPL-2.0

//! CPU views of video memory, and the VFs' BARs.
//!
//! ```text
//! PRAMIN (BAR0 0x700000) --window register--> FB
//! PF BAR1, BAR3 ---------GMMU (window.rs)---> FB or system memory
//! VF BAR1 ---------------VMMU (GSP-RM)------> FB of that VF's vGPU only
//! ```
//!
//! WPR2 is closed to all of them. Where nothing is, reads give all ones and
//! writes are dropped.

use super::{ones, Gpu};
use crate::host::{Bar, Function};
use crate::mmu::tlb::Space;
use crate::mmu::{self, Aperture, Target};
use crate::regs;
use crate::rm::vf::{self as rm_vf, Effect};
use crate::vram::Writer;

const PAGE: u64 = 4096;

/// Repeats a 32-bit error pattern over an access of `size` bytes.
fn pattern(v: u32, size: u8) -> u64 {
    (u64::from(v) << 32 | u64::from(v)) & ones(size)
}

impl Gpu {
    /// Address PRAMIN offset `off` selects, when it selects video memory.
    fn pramin_addr(&mut self, off: u32, size: u8) -> Result<u64, u64> {
        let window = self.regs.window;
        if window >> 24 & 3 != 0 {
            self.board
                .refuse("pramin-target", format_args!("window {window:#x}"));
            return Err(ones(size));
        }
        let addr = (u64::from(window & 0xff_ffff) << 16) + u64::from(off);
        if self.regs.in_wpr2(addr, u64::from(size)) {
            self.board
                .refuse("pramin-wpr2", format_args!("address {addr:#x}"));
            return Err(pattern(regs::PRI_ERROR_WPR, size));
        }
        if addr + u64::from(size) > self.board.vram.size() {
            self.board
                .refuse("pramin-range", format_args!("address {addr:#x}"));
            return Err(pattern(regs::PRI_ERROR, size));
        }
        Ok(addr)
    }

    pub(super) fn pramin_read(&mut self, off: u32, size: u8) -> u64 {
        match self.pramin_addr(off, size) {
            Ok(addr) => self.fb_read(addr, size),
            Err(v) => v,
        }
    }

    pub(super) fn pramin_write(&mut self, off: u32, size: u8, value: u64) {
        if let Ok(addr) = self.pramin_addr(off, size) {
            self.fb_write(addr, size, value, Writer::Cpu);
        }
    }

    /// Reads video memory; the range has been checked.
    fn fb_read(&mut self, addr: u64, size: u8) -> u64 {
        let mut b = [0; 8];
        match self.board.vram.read(addr, &mut b[..usize::from(size)]) {
            Ok(()) => u64::from_le_bytes(b),
            Err(_) => ones(size),
        }
    }

    fn fb_write(&mut self, addr: u64, size: u8, value: u64, by: Writer) {
        let bytes = value.to_le_bytes();
        self.before_table_write(addr, size);
        let written = self.board.vram.write(addr, &bytes[..usize::from(size)], by);
        self.after_table_write(addr, size);
        if written.is_err() {
            self.board
                .refuse("fb-range", format_args!("write to {addr:#x}"));
        }
    }

    /// Splits an access at a page boundary and at the end of the BAR.
    fn pieces(offset: u64, size: u8) -> [(u64, u8); 2] {
        let first = (PAGE - offset % PAGE).min(u64::from(size)) as u8;
        [(offset, first), (offset + u64::from(first), size - first)]
    }

    /// Reads the PF's BAR1 or BAR3.
    pub(super) fn window_read(&mut self, bar: Bar, offset: u64, size: u8) -> u64 {
        let mut value = 0;
        let mut shift = 0;
        for (at, n) in Self::pieces(offset, size).into_iter().filter(|p| p.1 > 0) {
            let part = match self.window_target(bar, at, n, false) {
                Some(Target::Memory {
                    aperture: Aperture::Video,
                    addr,
                    ..
                }) => self.fb_read(addr, n),
                Some(Target::Memory { addr, .. }) => {
                    let mut b = [0; 8];
                    match self.board.host.dma_read(addr, &mut b[..usize::from(n)]) {
                        Ok(()) => u64::from_le_bytes(b),
                        Err(_) => partial_ones(n),
                    }
                }
                Some(Target::Sparse) => 0,
                None => partial_ones(n),
            };
            value |= (part & partial_ones(n)) << shift;
            shift += 8 * u32::from(n);
        }
        value
    }

    /// Writes the PF's BAR1 or BAR3.
    pub(super) fn window_write(&mut self, bar: Bar, offset: u64, size: u8, value: u64) {
        let mut value = value;
        for (at, n) in Self::pieces(offset, size).into_iter().filter(|p| p.1 > 0) {
            match self.window_target(bar, at, n, true) {
                Some(Target::Memory {
                    aperture: Aperture::Video,
                    addr,
                    ..
                }) => self.fb_write(addr, n, value, Writer::Cpu),
                Some(Target::Memory { addr, .. }) => {
                    let bytes = value.to_le_bytes();
                    let written = self.board.host.dma_write(addr, &bytes[..usize::from(n)]);
                    if written.is_err() {
                        self.board
                            .refuse("window-dma", format_args!("write to {addr:#x}"));
                    }
                }
                Some(Target::Sparse) | None => {}
            }
            value = value.checked_shr(8 * u32::from(n)).unwrap_or(0);
        }
    }

    /// Translates an offset into a PF window and checks what it leads to.
    fn window_target(&mut self, bar: Bar, offset: u64, size: u8, write: bool) -> Option<Target> {
        let (root, bar_size) = match bar {
            Bar::Bar3 => (self.bar3_root, self.board.config.bar3),
            _ => (self.bar1_root, self.board.config.bar1),
        };
        if offset + u64::from(size) > bar_size {
            self.board
                .refuse("window-range", format_args!("{bar:?} offset {offset:#x}"));
            return None;
        }
        let found = match root {
            Some(root) => self.translate(Space { gfid: 0, root }, offset),
            // Not bound: the window shows the frame buffer from its start.
            None => Ok(Target::Memory {
                aperture: Aperture::Video,
                addr: offset,
                read_only: false,
                leaf: PAGE,
            }),
        };
        let fault = match found {
            Ok(Target::Memory {
                read_only: true, ..
            }) if write => mmu::Fault::ReadOnly,
            Ok(t) => {
                let Target::Memory {
                    aperture: Aperture::Video,
                    addr,
                    ..
                } = t
                else {
                    return Some(t);
                };
                if self.regs.in_wpr2(addr, u64::from(size)) {
                    self.board.refuse(
                        "window-wpr2",
                        format_args!("{bar:?} offset {offset:#x} leads to {addr:#x}"),
                    );
                    return None;
                }
                if addr + u64::from(size) <= self.board.vram.size() {
                    return Some(t);
                }
                mmu::Fault::Region
            }
            Err(f) => f,
        };
        self.board.refuse(
            "window-fault",
            format_args!("{bar:?} offset {offset:#x} write {write}: {fault:?}"),
        );
        None
    }

    /// Frame-buffer address of a VF BAR1 byte.
    fn vf_fb(&mut self, vf: u8, offset: u64) -> Option<u64> {
        let addr = self.rm.as_ref()?.vf_bar1(vf, offset)?;
        (addr < self.board.vram.size() && !self.regs.in_wpr2(addr, 1)).then_some(addr)
    }

    /// Frame-buffer address of a VF BAR1 access whose bytes are all behind one
    /// another.
    fn vf_fb_whole(&mut self, vf: u8, offset: u64, size: u8) -> Option<u64> {
        let more = u64::from(size) - 1;
        let first = self.vf_fb(vf, offset)?;
        let last = self.vf_fb(vf, offset.checked_add(more)?)?;
        (first.checked_add(more) == Some(last)).then_some(first)
    }

    pub(super) fn vf_read(&mut self, vf: u8, bar: Bar, offset: u64, size: u8) -> u64 {
        match bar {
            Bar::Bar0 => match u32::try_from(offset) {
                Ok(off) if size == 4 && off % 4 == 0 => u64::from(self.vf_register_read(vf, off)),
                Ok(off) if size == 8 && off % 8 == 0 => {
                    u64::from(self.vf_register_read(vf, off))
                        | u64::from(self.vf_register_read(vf, off + 4)) << 32
                }
                Ok(off) if size < 4 && off % u32::from(size) == 0 => {
                    u64::from(self.vf_register_read(vf, off & !3)) >> (8 * (off % 4)) & ones(size)
                }
                _ => ones(size),
            },
            Bar::Bar1 => match self.vf_fb_whole(vf, offset, size) {
                Some(addr) => self.fb_read(addr, size),
                None => (0..size).fold(0, |v, i| {
                    let byte = match self.vf_fb(vf, offset.wrapping_add(u64::from(i))) {
                        Some(addr) => self.fb_read(addr, 1) & 0xff,
                        None => {
                            if i == 0 {
                                self.vf_unmapped(vf, "read", offset);
                            }
                            0xff
                        }
                    };
                    v | byte << (8 * u32::from(i))
                }),
            },
            Bar::Bar3 => ones(size),
        }
    }

    pub(super) fn vf_write(&mut self, vf: u8, bar: Bar, offset: u64, size: u8, value: u64) {
        match bar {
            Bar::Bar0 => match u32::try_from(offset) {
                Ok(off) if size == 4 && off % 4 == 0 => {
                    self.vf_register_write(vf, off, value as u32);
                }
                Ok(off) if size == 8 && off % 8 == 0 => {
                    self.vf_register_write(vf, off, value as u32);
                    self.vf_register_write(vf, off + 4, (value >> 32) as u32);
                }
                _ => self.board.refuse(
                    "vf-register-misaligned",
                    format_args!("vf {vf} write {offset:#x} size {size}"),
                ),
            },
            Bar::Bar1 => {
                let by = Writer::Gfid(vf.saturating_add(1));
                if let Some(addr) = self.vf_fb_whole(vf, offset, size) {
                    self.fb_write(addr, size, value, by);
                    return;
                }
                for i in 0..size {
                    match self.vf_fb(vf, offset.wrapping_add(u64::from(i))) {
                        Some(addr) => self.fb_write(addr, 1, value >> (8 * u32::from(i)), by),
                        None if i == 0 => self.vf_unmapped(vf, "write", offset),
                        None => {}
                    }
                }
            }
            Bar::Bar3 => {}
        }
    }

    fn vf_unmapped(&mut self, vf: u8, what: &str, offset: u64) {
        let kind = match &self.rm {
            Some(rm) if rm.has_vgpu(vf) => "vf-bar1",
            _ => "vf-no-vgpu",
        };
        self.board
            .refuse(kind, format_args!("vf {vf} BAR1 {what} at {offset:#x}"));
    }

    /// A 32-bit register of a VF; all ones when GSP-RM says there is none.
    fn vf_register_read(&mut self, vf: u8, off: u32) -> u32 {
        let now = self.board.host.now_ns().wrapping_add(self.regs.time_offset);
        let Some(func) = self.vf_func.get(usize::from(vf)) else {
            return u32::MAX;
        };
        match rm_vf::read(self.rm.as_ref(), func, &self.board.config, vf, off, now) {
            Ok(v) => v,
            Err(r) => {
                self.board.refuse(r.kind, format_args!("{}", r.text));
                u32::MAX
            }
        }
    }

    fn vf_register_write(&mut self, vf: u8, off: u32, v: u32) {
        let Some(func) = self.vf_func.get_mut(usize::from(vf)) else {
            return;
        };
        match rm_vf::write(self.rm.as_ref(), func, &self.board.config, vf, off, v) {
            Ok(Effect::Interrupts(subtrees)) => self.deliver(Function::Vf(vf), subtrees),
            Ok(Effect::Doorbell(token)) => {
                self.with_rm(|rm, s| rm.vf_doorbell(s, vf, token));
            }
            Ok(Effect::Work(token)) => {
                self.with_rm(|rm, s| rm.vf_work(s, vf, token));
            }
            Err(r) => self.board.refuse(r.kind, format_args!("{}", r.text)),
        }
    }

    /// Binds the windows to GSP-RM's page tables.
    pub(super) fn bind_windows(&mut self) -> bool {
        let heap = self.boot.layout.non_wpr_heap.clone();
        let size = self.board.config.bar1;
        match crate::window::RmTables::build(&mut self.board.vram, &heap, size) {
            Some(t) => {
                self.bar1_root = Some(t.bar1_root);
                self.bar3_root = Some(t.bar2_root);
                self.rm_tables = t;
                self.watch_rm_tables();
                true
            }
            None => {
                self.board.refuse(
                    "boot-bar1",
                    format_args!("no room for page tables in {heap:x?}"),
                );
                false
            }
        }
    }

    /// UPDATE_BAR_PDE: one root entry of BAR1 or BAR2, given by the driver.
    pub(super) fn update_bar_pde(&mut self, bar: u32, entry: u64, shift: u64) -> bool {
        const ROOT_SHIFT: u64 = 47;
        let root = match bar {
            0 => self.rm_tables.bar1_root,
            1 => self.rm_tables.bar2_root,
            _ => 0,
        };
        if root == 0 || shift != ROOT_SHIFT {
            self.board.refuse(
                "update-bar-pde",
                format_args!("BAR type {bar} level shift {shift}"),
            );
            return false;
        }
        self.tlb.invalidate(Space { gfid: 0, root });
        let done = self.board.vram.write64(root, entry, Writer::Gsp).is_ok();
        if bar == 0 {
            self.judge_rm_tables();
        }
        done
    }
}

/// All ones in `n` bytes, for any n from 1 to 8.
fn partial_ones(n: u8) -> u64 {
    u64::MAX >> (64 - 8 * u32::from(n.clamp(1, 8)))
}
