// SPDX-License-Identifier: GPL-2.0

//! Registers of an engine.

use super::*;

fn loadable() -> Falcon {
    let mut f = Falcon::new(Engine::Sec2);
    f.write(ENGINE, 1);
    assert_eq!(f.write(ENGINE, 0), Action::Reset);
    while f.read(HWCFG2).unwrap() & HWCFG2_MEM_SCRUBBING != 0 {}
    f.write(FBIF_CTL, 1 << 7);
    f.write(DMACTL, 0);
    f.write(FBIF_TRANSCFG, 5);
    f
}

#[test]
fn dma_copies_one_block() {
    let mut f = loadable();
    f.write(DMATRFBASE, 0x12_3456);
    f.write(DMATRFBASE1, 1);
    f.write(DMATRFFBOFFS, 0x100);
    assert_eq!(f.write(DMATRFCMD, 0x614), Action::Dma);
    let t = f.transfer().unwrap();
    assert_eq!(t.source, 0x100_1234_5700);
    assert!(t.imem && t.secure && t.sysmem);
    f.complete(&t, Some(&[7; BLOCK]));
    assert_eq!(f.secure_imem, BLOCK);
    assert_eq!(f.read(DMATRFCMD).unwrap() & 3, DMATRFCMD_IDLE);
}

#[test]
fn dma_refuses() {
    let mut f = loadable();
    f.write(DMATRFCMD, 0x600 | 1 << 5);
    assert_eq!(f.transfer(), Err(BadTransfer::Command));
    f.write(DMATRFCMD, 0x600);
    f.write(DMATRFMOFFS, MEMORY as u32);
    assert_eq!(f.transfer(), Err(BadTransfer::Destination));
    f.write(DMATRFMOFFS, 0);
    f.write(FBIF_TRANSCFG, 1);
    assert_eq!(f.transfer(), Err(BadTransfer::NoPhysical));
    f.write(ENGINE, 1);
    f.write(ENGINE, 0);
    f.write(DMATRFCMD, 0x600);
    assert_eq!(f.transfer(), Err(BadTransfer::Scrubbing));
}

#[test]
fn reset_forgets_and_a_failed_dma_stays_busy() {
    let mut f = loadable();
    f.write(MAILBOX0, 5);
    f.write(RISCV_BCR_CTRL, 0x111);
    assert!(f.riscv_selected());
    f.write(DMATRFCMD, 0x600);
    let t = f.transfer().unwrap();
    f.complete(&t, None);
    assert_eq!(f.read(DMATRFCMD).unwrap() & 2, 0);
    f.write(ENGINE, 1);
    f.write(ENGINE, 0);
    assert_eq!(f.mailbox[0], 0);
    assert!(!f.riscv_selected());
    assert_eq!(f.read(DMATRFCMD).unwrap() & 2, 2);
}
