// SPDX-License-Identifier: GPL-2.0

//! Reads, writes and scans of sparse memory.

use super::*;
use proptest::prelude::*;

#[test]
fn poison_until_written() {
    let mut v = Vram::new(64 << 20, 0xdead_beef);
    assert_eq!(v.read32(0x1000), Ok(0xdead_beef));
    v.write(0x1ffe, &[1, 2, 3, 4], Writer::Cpu).unwrap();
    assert_eq!(v.read32(0x1ffe), Ok(0x0403_0201));
    assert_eq!(v.read32(0x1ff8), Ok(0xdead_beef));
    assert_eq!(v.read32(0x2004), Ok(0xdead_beef));
    assert_eq!(v.writer(0x2000), Ok(Writer::Cpu));
    assert_eq!(v.writer(0x3000), Ok(Writer::Nobody));
    assert_eq!(v.read32((64 << 20) - 3), Err(OutOfRange));
    assert_eq!(v.read32(u64::MAX), Err(OutOfRange));
}

#[test]
fn zero_and_scan() {
    let mut v = Vram::new(64 << 20, 0xdead_beef);
    v.zero(0x1800..0x40_0000, Writer::Cpu).unwrap();
    assert_eq!(v.first_nonzero(0x1800..0x40_0000), Ok(None));
    assert_eq!(v.first_nonzero(0x1000..0x40_0000), Ok(Some(0x1000)));
    assert_eq!(v.first_nonzero(0x1800..0x40_0001), Ok(Some(0x40_0000)));
    v.poison(0x2000..0x3000).unwrap();
    assert_eq!(v.first_nonzero(0x1800..0x40_0000), Ok(Some(0x2000)));
}

#[test]
fn big_fills_take_no_storage_and_leave_the_rest() {
    let gib = 1u64 << 30;
    let mut v = Vram::new(48 * gib, 0xdead_beef);
    let p = [1, 2, 3, 4, 5, 6, 7, 8];
    v.fill(gib + 5..40 * gib - 3, p, Writer::Engine(0)).unwrap();
    assert_eq!(v.read32(gib), Ok(0xdead_beef));
    assert_eq!(v.read64(gib + 8), Ok(0x0807_0605_0403_0201));
    assert_eq!(v.read32(gib + 4), Ok(0x0807_06ef));
    assert_eq!(v.read32(40 * gib - 4), Ok(0xdead_be05));
    assert_eq!(v.writer(20 * gib), Ok(Writer::Engine(0)));
    let pages = |v: &Vram| {
        let mut n = 0;
        for b in &v.blocks {
            n += match b {
                Block::Fill(_) => 0,
                Block::Pages(p) => p.iter().filter(|p| matches!(p, Page::Data(..))).count(),
            };
        }
        n
    };
    assert_eq!(pages(&v), 2);
    // A shifted copy keeps the bytes in order.
    v.copy(2 * gib, 41 * gib + 3, gib, Writer::Cpu).unwrap();
    assert_eq!(v.read64(41 * gib + 3), Ok(0x0807_0605_0403_0201));
    assert_eq!(pages(&v), 4);
}

proptest! {
    /// Fills, writes and copies, against plain bytes.
    #[test]
    fn like_an_array(ops in prop::collection::vec(
        (0u8..4, 0u64..0x60_0000, 0u64..0x30_0000, 0u64..0x60_0000, any::<[u8; 8]>()), 1..12,
    )) {
        const SIZE: u64 = 0x60_0000;
        let mut v = Vram::new(SIZE, 0x0403_0201);
        let mut plain: Vec<u8> = (0..SIZE).map(|i| (i % 4) as u8 + 1).collect();
        for (op, at, len, from, pattern) in ops {
            let end = at + len;
            let fits = end <= SIZE;
            match op {
                0 => {
                    prop_assert_eq!(v.fill(at..end, pattern, Writer::Cpu).is_ok(), fits);
                    for i in at..end.min(if fits { end } else { at }) {
                        plain[i as usize] = pattern[(i % 8) as usize];
                    }
                }
                1 => {
                    let data = vec![pattern[0]; (len % 9000) as usize];
                    if v.write(at, &data, Writer::Cpu).is_ok() {
                        plain[at as usize..at as usize + data.len()].copy_from_slice(&data);
                    }
                }
                2 => {
                    let apart = from + len <= at || end <= from;
                    if apart && v.copy(from, at, len, Writer::Cpu).is_ok() {
                        plain.copy_within(from as usize..(from + len) as usize, at as usize);
                    }
                }
                _ => {
                    let first = plain.iter().skip(at as usize).take(len as usize);
                    let first = first.copied().position(|b| b != 0).map(|i| at + i as u64);
                    if fits {
                        prop_assert_eq!(v.first_nonzero(at..end), Ok(first));
                    }
                }
            }
        }
        let mut all = vec![0; SIZE as usize];
        v.read(0, &mut all).unwrap();
        prop_assert!(all == plain);
    }
}
