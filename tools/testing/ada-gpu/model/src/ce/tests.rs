// SPDX-License-Identifier: GPL-2.0

//! Transfers against the definition of the class, byte by byte, and however they
//! are cut into chunks.

use super::*;
use crate::fifo::memory::{Memory, Violation};
use crate::fifo::tests::Ram;
use crate::mmu::tlb::Tlb;
use crate::mmu::Fault;
use crate::vram::Vram;
use crate::vram::Writer;
use proptest::prelude::*;

const SIZE: u64 = 1 << 20;
const FB: Rights = Rights {
    space: Mode::Physical(Aperture::Video),
    privileged: true,
};

fn with_memory<T>(vram: &mut Vram, call: impl FnOnce(&mut Memory<'_>) -> T) -> T {
    call(&mut Memory {
        vram,
        host: &Ram,
        wpr2: None,
        gfid: 0,
        tlb: &mut Tlb::default(),
        keep: true,
        seen: &mut Vec::new(),
    })
}

fn launch(writes: &[(u32, u32)], v: u32) -> Result<Job, Illegal> {
    let mut m = Methods::default();
    for (method, v) in writes {
        m.write(*method, *v, FB)?;
    }
    match m.write(LAUNCH_DMA, v, FB)? {
        Effect::Launch(job, _) => Ok(*job),
        Effect::None => Err(Illegal("no launch")),
    }
}

/// What the class says a launch does, one component at a time.
struct Naive {
    source: i64,
    target: i64,
    pitches: [i64; 2],
    units: i64,
    lines: i64,
    constants: [u32; 2],
    /// Selectors, component size, source components; `None` without remapping.
    remap: Option<(Vec<u32>, usize, usize)>,
}

impl Naive {
    fn run(&self, memory: &mut [u8]) {
        let before = memory.to_vec();
        for i in 0..self.lines {
            let (from, to) = (
                self.source + i * self.pitches[0],
                self.target + i * self.pitches[1],
            );
            for e in 0..self.units {
                let Some((selectors, size, sources)) = &self.remap else {
                    memory[(to + e) as usize] = before[(from + e) as usize];
                    continue;
                };
                for (c, s) in selectors.iter().enumerate() {
                    for b in 0..*size {
                        let at = to + e * (size * selectors.len()) as i64 + (c * size + b) as i64;
                        let element = from + e * (size * sources) as i64;
                        memory[at as usize] = match s {
                            0..=3 => before[(element as usize) + *s as usize * size + b],
                            4 | 5 => self.constants[*s as usize - 4].to_le_bytes()[b],
                            _ => continue,
                        };
                    }
                }
            }
        }
    }
}

fn remap() -> impl Strategy<Value = Option<(Vec<u32>, usize, usize)>> {
    let selectors = (1usize..=4).prop_flat_map(|sources| {
        let choice = prop_oneof![4u32..=6, 0..sources as u32];
        (
            prop::collection::vec(choice, 1..=4),
            1usize..=4,
            Just(sources),
        )
    });
    prop::option::of(selectors)
}

proptest! {
    #[test]
    fn a_launch_does_what_the_class_says(
        source in 0u64..0x1000,
        target in 0u64..0x1000,
        pitches in [-700i64..700, -700i64..700],
        units in 0u32..40,
        lines in 0u32..6,
        constants in [any::<u32>(), any::<u32>()],
        remap in remap(),
        seed in any::<u64>(),
        cuts in prop::collection::vec((1u64..300, 1u32..4), 1..8),
        zero in any::<bool>(),
    ) {
        // Sources in the first half, targets in the second, away from the ends.
        let (source, target) = (0x2_0000 + source, 0xa_0000 + target);
        let mut vram = Vram::new(SIZE, seed as u32);
        let bytes: Vec<u8> = (0..0x2_0000u64).map(|i| (i.wrapping_mul(seed | 1) >> 13) as u8).collect();
        vram.write(0x1_0000, &bytes, Writer::Cpu).unwrap();
        if zero {
            vram.zero(0x2_0800..0x2_1800, Writer::Cpu).unwrap();
        }
        let mut plain = vec![0; SIZE as usize];
        vram.read(0, &mut plain).unwrap();
        let components = remap.as_ref().map_or(0, |(s, size, sources)| {
            let selectors = s.iter().enumerate().fold(0, |v, (i, s)| v | s << (4 * i));
            selectors | (*size as u32 - 1) << 16 | (*sources as u32 - 1) << 20 | (s.len() as u32 - 1) << 24
        });
        let writes = [
            (0x404, source as u32),
            (0x40c, target as u32),
            (0x410, pitches[0] as u32),
            (0x414, pitches[1] as u32),
            (0x418, units),
            (0x41c, lines),
            (0x700, constants[0]),
            (0x704, constants[1]),
            (0x708, components),
        ];
        let v = 1 | 3 << 7 | 1 << 9 | u32::from(remap.is_some()) << 10;
        let mut t = launch(&writes, v).unwrap().transfer.unwrap();
        let mut done = 0;
        let total = t.left();
        for (max, pieces) in cuts.into_iter().cycle() {
            if t.left() == 0 {
                break;
            }
            let before = t.left();
            let n = with_memory(&mut vram, |m| t.step(m, max, pieces)).unwrap();
            prop_assert!(n > 0 && before - n == t.left());
            done += n;
        }
        prop_assert_eq!(done, total);
        Naive {
            source: source as i64,
            target: target as i64,
            pitches,
            units: units.into(),
            lines: lines.into(),
            constants,
            remap,
        }
        .run(&mut plain);
        let mut all = vec![0; SIZE as usize];
        vram.read(0, &mut all).unwrap();
        prop_assert!(all == plain);
    }
}

#[test]
fn the_published_launches_decode() {
    // RFC fill with physical destination, and its semaphore.
    let writes = [(0x708, 0x0003_0004), (0x418, 16), (0x41c, 2), (0x414, 64)];
    let job = launch(&writes, 0x0400_2785).unwrap();
    assert_eq!(job.left(), 128);
    assert!(!job.transfer.as_ref().unwrap().reads());
    assert!(job.semaphore.is_none() && !job.interrupt);
    let job = launch(&[(0x240, 1), (0x244, 0x1000), (0x248, 7)], 0x5cc).unwrap();
    let s = job.semaphore.unwrap();
    assert_eq!((s.addr, s.payload, s.timestamp), (0x1_0000_1000, 7, false));
    assert!(job.transfer.is_none() && job.interrupt);
    // Rendering turned off: the semaphore only.
    let job = launch(&[(0x25c, 0), (0x418, 16)], 0x18a).unwrap();
    assert!(job.transfer.is_none() && job.semaphore.is_some());
}

#[test]
fn an_access_outside_of_the_memory_keeps_what_was_done() {
    let mut vram = Vram::new(SIZE, 0xffff_ffff);
    let writes = [(0x708, 4), (0x40c, SIZE as u32 - 100), (0x418, 200)];
    let mut t = launch(&writes, 0x582).unwrap().transfer.unwrap();
    let fault = with_memory(&mut vram, |m| t.step(m, u64::MAX, u32::MAX));
    assert_eq!(
        fault,
        Err(Violation {
            fault: Fault::Region,
            addr: SIZE,
            write: true
        })
    );
    assert_eq!(vram.first_nonzero(SIZE - 100..SIZE), Ok(None));
}

#[test]
fn unprivileged_channels_have_no_physical_addresses() {
    let mut m = Methods::default();
    let rights = Rights {
        privileged: false,
        ..FB
    };
    for v in [0x2182, 0x1182] {
        assert!(m.write(LAUNCH_DMA, v, rights).is_err());
        assert!(m.write(LAUNCH_DMA, v, FB).is_ok());
    }
}
