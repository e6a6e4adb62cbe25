// SPDX-License-Identifier: GPL-2.0

//! BAR0 of a VF: identification, scratch, interrupts, and nothing without a vGPU.

use super::*;
use crate::func::FuncRegs;
use crate::rm::vf::{read, write, Effect};

#[test]
fn a_vf_without_a_vgpu_is_dead() {
    let mut b = Board::ready();
    let mut regs = FuncRegs::default();
    for rm in [None, b.rm.as_ref()] {
        for offset in [0, 4, 0xa00, 0x1000, 0x2108, 0x2200, 0x3_0080] {
            let r = read(rm, &regs, &b.config, 0, offset, 0).unwrap_err();
            assert_eq!(r.kind, "vf-no-vgpu");
            let r = write(rm, &mut regs, &b.config, 0, offset, 1).unwrap_err();
            assert_eq!(r.kind, "vf-no-vgpu");
        }
    }
    b.boot_vgpu(1);
    let rm = b.rm.as_ref();
    assert_eq!(read(rm, &regs, &b.config, 0, 0, 0), Ok(0x1920_00a1));
    assert!(read(rm, &regs, &b.config, 1, 0, 0).is_err());
    assert_eq!(b.gfid_control(SHUTDOWN, 1), NvStatus::OK);
    assert_eq!(b.gfid_control(CLEANUP, 1), NvStatus::OK);
    assert!(read(b.rm.as_ref(), &regs, &b.config, 0, 0, 0).is_err());
}

#[test]
fn idle_vfs_answer_where_that_is_wanted() {
    let mut b = Board::ready();
    let mut regs = FuncRegs::default();
    b.config.idle_vfs = true;
    let rm = b.rm.as_ref();
    assert_eq!(read(rm, &regs, &b.config, 0, 4, 0), Ok(0x2_0000));
    write(rm, &mut regs, &b.config, 0, 0x1200, 1).unwrap();
    write(rm, &mut regs, &b.config, 0, 0x1608, 1).unwrap();
    assert_eq!(
        write(rm, &mut regs, &b.config, 0, 0x1640, 0),
        Ok(Effect::Interrupts(1))
    );
}

#[test]
fn registers_of_a_living_vf() {
    let mut b = Board::ready();
    let mut regs = FuncRegs::default();
    b.boot_vgpu(1);
    let rm = b.rm.as_ref();
    let get =
        |regs: &FuncRegs, offset| read(rm, regs, &b.config, 0, offset, 0x1_2345_678f).unwrap();
    assert_eq!(get(&regs, 4), 0x2_0000);
    assert_eq!(get(&regs, 0xa00), 0x192a_1000);
    assert_eq!(
        (get(&regs, 0x3_0080), get(&regs, 0x3_0084)),
        (0x2345_6780, 1)
    );
    assert_eq!(
        write(rm, &mut regs, &b.config, 0, 0, 7),
        Ok(Effect::Interrupts(0))
    );
    assert_eq!(get(&regs, 0), 0x1920_00a1);
    assert_eq!(
        write(rm, &mut regs, &b.config, 0, 0x2108, 9),
        Ok(Effect::Interrupts(0))
    );
    assert_eq!(get(&regs, 0x2108), 9);
    write(rm, &mut regs, &b.config, 0, 0x1200, 1).unwrap();
    write(rm, &mut regs, &b.config, 0, 0x1608, 1).unwrap();
    assert_eq!(
        write(rm, &mut regs, &b.config, 0, 0x1640, 0),
        Ok(Effect::Interrupts(1))
    );
    assert_eq!(
        write(rm, &mut regs, &b.config, 0, 0x2200, 1),
        Ok(Effect::Doorbell(1))
    );
    assert_eq!(get(&regs, 0x2200), 0);
    let r = write(rm, &mut regs, &b.config, 0, 0x2200, 17).unwrap_err();
    assert_eq!(r.kind, "vf-doorbell-token");
}

#[test]
fn a_guest_rings_for_its_own_channels_only() {
    let mut b = Board::ready();
    let mut regs = FuncRegs::default();
    b.boot_vgpu(2);
    let effect = write(
        b.rm.as_ref(),
        &mut regs,
        &b.config,
        1,
        0x3_0090,
        1 << 16 | 63,
    );
    assert_eq!(effect, Ok(Effect::Work(1 << 16 | 63)));
    let mut ring = |token| {
        b.with_rm(|rm, s| {
            rm.vf_work(s, 1, token);
            (
                s.stats.counted("guest-work"),
                s.stats.refusals_of("vf-doorbell-channel"),
            )
        })
    };
    assert_eq!(ring(1 << 16 | 63), (1, 0));
    assert_eq!(ring(1 << 16 | 64), (1, 1));
    assert_eq!(ring(77 << 16), (1, 2));
    assert_eq!(ring(1 << 31), (1, 3));
    assert_eq!(ring(0), (2, 3));
}
