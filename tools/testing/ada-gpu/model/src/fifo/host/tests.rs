// SPDX-License-Identifier: GPL-2.0

//! Host methods and semaphores.

use super::*;
use crate::fifo::tests::Ram;
use crate::mmu::tlb::Tlb;
use crate::mmu::Aperture;
use crate::vram::{Vram, Writer};

const FB: Mode = Mode::Physical(Aperture::Video);

fn with_memory(call: impl FnOnce(Memory<'_>)) {
    call(Memory {
        vram: &mut Vram::new(1 << 20, 0),
        host: &Ram,
        wpr2: None,
        gfid: 0,
        tlb: &mut Tlb::default(),
        keep: true,
        seen: &mut Vec::new(),
    });
}

#[test]
fn methods_make_semaphores() {
    let mut m = Methods::default();
    for (method, v) in [(0x5c, 0x1000), (0x60, 0x12), (0x64, 7), (0x68, 9)] {
        assert_eq!(m.write(method, v), Action::None);
    }
    let narrow = Semaphore {
        addr: 0x12_0000_1000,
        payload: 7,
        wide: false,
    };
    let wide = Semaphore {
        payload: 9 << 32 | 7,
        wide: true,
        ..narrow
    };
    let release = |semaphore, timestamp| Action::Release {
        semaphore,
        timestamp,
    };
    assert_eq!(m.write(0x6c, 1), release(narrow, false));
    assert_eq!(m.write(0x6c, 1 | 1 << 24), release(wide, false));
    assert_eq!(m.write(0x6c, 1 | 1 << 25), release(narrow, true));
    assert_eq!(
        m.write(0x6c, 3),
        Action::Acquire(narrow, Test::CircularAtLeast)
    );
    m.write(0x5c, 0x1004);
    assert!(matches!(m.write(0x6c, 1 | 1 << 24), Action::Illegal(_)));
    assert!(matches!(m.write(0x6c, 1 | 1 << 25), Action::Illegal(_)));
    assert!(matches!(m.write(0x6c, 7), Action::Illegal(_)));
    assert!(matches!(m.write(0xfc, 0), Action::Illegal(_)));
    for (method, v) in [(0x10, 0x12), (0x14, 0x1000), (0x18, 7)] {
        m.write(method, v);
    }
    assert_eq!(m.write(0x1c, 2 | 1 << 24), release(narrow, false));
    assert_eq!(m.write(0x1c, 2), release(narrow, true));
    assert!(waits_for_engine(0x1c, 2) && !waits_for_engine(0x1c, 2 | 1 << 20));
    assert!(waits_for_engine(0x6c, 1 | 1 << 20) && !waits_for_engine(0x6c, 1));
}

#[test]
fn invalidates_name_a_root() {
    let mut m = Methods::default();
    m.write(0x30, 0x2345_6000);
    assert_eq!(
        m.write(0x34, 9 << 27 | 1),
        Action::Invalidate(Some(0x1_2345_6000))
    );
    m.write(0x30, 1);
    assert_eq!(m.write(0x34, 9 << 27), Action::Invalidate(None));
    assert_eq!(m.write(0x34, 5 << 27), Action::None);
}

#[test]
fn tests_and_reductions() {
    with_memory(judge);
}

fn judge(mut m: Memory<'_>) {
    let s = |payload| Semaphore {
        addr: 0x100,
        payload,
        wide: false,
    };
    m.vram.write32(0x100, 5, Writer::Cpu).unwrap();
    for (payload, test, pass) in [
        (5, Test::Equal, true),
        (4, Test::Equal, false),
        (5, Test::AtLeast, true),
        (6, Test::AtLeast, false),
        (0xffff_fff0, Test::AtLeast, false),
        (0xffff_fff0, Test::CircularAtLeast, true),
        (6, Test::CircularAtLeast, false),
        (4, Test::And, true),
        (2, Test::And, false),
        (0xffff_fffa, Test::Nor, false),
        (0, Test::Nor, true),
    ] {
        assert_eq!(
            s(payload).passes(&mut m, FB, test),
            Ok(pass),
            "{payload:#x} {test:?}"
        );
    }
    let minus_one = 0xffff_ffff;
    for (operation, payload, unsigned, result) in [
        (0, minus_one, false, minus_one),
        (0, minus_one, true, 5),
        (1, minus_one, false, 5),
        (1, minus_one, true, minus_one),
        (2, 6, true, 3),
        (3, 6, true, 4),
        (4, 6, true, 7),
        (5, minus_one, true, 4),
        (6, 5, true, 0),
        (6, 9, true, 6),
        (7, 3, true, 3),
        (7, 9, true, 4),
    ] {
        m.vram.write32(0x100, 5, Writer::Cpu).unwrap();
        s(payload).reduce(&mut m, FB, operation, unsigned).unwrap();
        assert_eq!(
            m.vram.read32(0x100),
            Ok(result as u32),
            "{operation} {payload:#x}"
        );
    }
}
