// SPDX-License-Identifier: GPL-2.0

//! Self-test of the copy engine: what it writes is compared through BAR1.
//!
//! ```text
//!   fill    pattern through BAR1 -> fill a part -> the part is the value, the rest the pattern
//!   copy    pattern -> copy a part to other memory -> the part is there, the rest is not
//!           frame buffer to frame buffer, and by way of system memory
//!   pieces  fill more than one piece -> both sides of the seam and both ends
//! ```
//!
//! The parts are of any size and place that an engine must accept; some are chosen by chance, from
//! a seed that is in the log when one fails.

use core::ops::Range;

use kernel::{
    dma::Coherent,
    io::{
        io_project,
        Io, //
    },
    prelude::*,
    sizes::*,
    sync::Arc,
    time::{
        hrtimer::HrTimerExpires,
        Instant,
        Monotonic, //
    }, //
};

use super::selftest::{
    expect,
    Failure,
    Step, //
};
use crate::{
    ce::Location,
    mm::pagetable::PAGE_SIZE,
    vgpu::{
        Bar1Mapping,
        FbOwner,
        FbRange,
        FbRequest,
        Gpu,
        MapInfo, //
    }, //
};

/// Bytes of the frame buffer that is looked at byte by byte.
const WINDOW: usize = 24 * 1024;
/// How many parts are chosen by chance.
const ROUNDS: usize = 8;

/// Numbers by chance (xorshift).
struct Chance(u64);

impl Chance {
    fn new() -> Self {
        // CAST: any bits will do; not zero.
        Self(Instant::<Monotonic>::now().as_nanos() as u64 | 1)
    }

    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        // CAST: `usize` has 64 bits on every architecture with this device.
        (self.0 >> 16) as usize % limit
    }

    /// A part of the window whose bounds are multiples of `unit`, not empty.
    fn part(&mut self, unit: usize) -> Range<usize> {
        let start = self.below(WINDOW / unit);
        let len = 1 + self.below(WINDOW / unit - start);

        start * unit..(start + len) * unit
    }
}

/// Frame buffer and the CPU's view of it.
struct Memory {
    fb: FbRange,
    map: Bar1Mapping,
    bytes: KVVec<u8>,
}

impl Memory {
    fn new(gpu: &Arc<Gpu>) -> Result<Self, Failure> {
        // CAST: widening.
        let fb = reserve(gpu, WINDOW as u64)?;
        let map = gpu
            .map_bar1(&fb, &MapInfo::new(0, WINDOW as u64))
            .step("map through BAR1")?;
        let bytes = KVVec::from_elem(0u8, WINDOW, GFP_KERNEL)
            .map_err(Error::from)
            .step("get memory")?;
        Ok(Self { fb, map, bytes })
    }

    /// Writes a pattern that differs from byte to byte and from call to call.
    fn write(&mut self, seed: usize) -> Result<(), Failure> {
        for (i, byte) in self.bytes.iter_mut().enumerate() {
            *byte = pattern(seed, i);
        }
        self.map
            .write(0, &self.bytes)
            .and_then(|()| self.map.flush())
            .step("write through BAR1")
    }

    /// What memory holds is what `expected` says of each byte.
    fn compare(
        &mut self,
        what: &'static str,
        expected: impl Fn(usize) -> u8,
    ) -> Result<(), Failure> {
        self.map
            .read(0, &mut self.bytes)
            .step("read through BAR1")?;
        let same = self
            .bytes
            .iter()
            .enumerate()
            .all(|(i, byte)| *byte == expected(i));
        expect(what, same)
    }
}

fn pattern(seed: usize, i: usize) -> u8 {
    // CAST: the low byte is wanted.
    (i.wrapping_mul(167).wrapping_add(i >> 8) ^ seed.wrapping_mul(59)) as u8
}

fn reserve(gpu: &Arc<Gpu>, size: u64) -> Result<FbRange, Failure> {
    gpu.alloc_fb(&FbRequest {
        size,
        align: PAGE_SIZE,
        fixed: None,
        top_down: true,
        owner: FbOwner::Pf,
    })
    .step("reserve FB")
}

/// Runs the test.
pub(super) fn run(gpu: &Arc<Gpu>) -> Result<(), Failure> {
    let mut chance = Chance::new();
    let seed = chance.0;
    let mut all = || {
        fills(gpu, &mut chance)?;
        copies(gpu, &mut chance)?;
        pieces(gpu)
    };

    all().inspect_err(|failure| {
        dev_err!(
            gpu.dev(),
            "self-test of the copy engine, seed {:#x}: {}\n",
            seed,
            failure.step
        );
    })
}

fn fills(gpu: &Arc<Gpu>, chance: &mut Chance) -> Result<(), Failure> {
    let mut memory = Memory::new(gpu)?;
    let mut one = |seed: usize, part: Range<usize>| {
        let value = 0xc5a3_9671u32.rotate_left(seed as u32);

        memory.write(seed)?;
        gpu.fill(&memory.fb, part.start as u64..part.end as u64, value)
            .step("fill")?;
        memory.compare("compare after fill", |i| {
            if part.contains(&i) {
                value.to_le_bytes()[i % 4]
            } else {
                pattern(seed, i)
            }
        })
    };
    for (seed, part) in [0..4, 4..8, 4092..4100, 4..8188, 0..WINDOW]
        .into_iter()
        .enumerate()
    {
        one(seed, part)?;
    }
    for seed in 0..ROUNDS {
        one(seed, chance.part(4))?;
    }
    let bad = [0..0, 1..5, 0..3];
    let refused = |part: &Range<u64>| gpu.fill(&memory.fb, part.clone(), 0) == Err(EINVAL);
    expect("refuse bad fills", bad.iter().all(refused))?;
    let end = memory.fb.size();
    expect(
        "refuse a fill beyond the end",
        gpu.fill(&memory.fb, 0..end + 4, 0) == Err(ERANGE),
    )
}

fn copies(gpu: &Arc<Gpu>, chance: &mut Chance) -> Result<(), Failure> {
    let (mut from, mut to) = (Memory::new(gpu)?, Memory::new(gpu)?);
    let buffer = gpu
        .with_core(|core| {
            let buffer = Coherent::<u8>::zeroed_slice(core.pdev().as_ref(), WINDOW, GFP_KERNEL)?;
            Ok(Arc::new(buffer, GFP_KERNEL)?)
        })
        .step("get system memory")?;
    let mut one = |seed: usize, part: Range<usize>, at: usize, by_system: bool| {
        // CAST: widening, here and below.
        let (start, len) = (part.start as u64, part.len() as u64);

        from.write(seed)?;
        to.write(seed + 1)?;
        if by_system {
            let system = || Location::System(buffer.clone(), at);
            let (from, to) = (from.fb.address() + start, to.fb.address() + at as u64);
            gpu.copy_any(Location::Video(from), system(), len)
                .step("copy to system memory")?;
            let first = first_byte(&buffer, at).step("look at system memory")?;
            expect(
                "compare in system memory",
                first == pattern(seed, part.start),
            )?;
            gpu.copy_any(system(), Location::Video(to), len)
                .step("copy from system memory")?;
        } else {
            gpu.copy(&from.fb, start, &to.fb, at as u64, len)
                .step("copy")?;
        }
        to.compare("compare after copy", |i| {
            if (at..at + part.len()).contains(&i) {
                pattern(seed, part.start + i - at)
            } else {
                pattern(seed + 1, i)
            }
        })
    };
    for (seed, (part, at)) in [
        (0..1, 0),
        (1..4, 2),
        (4095..4097, 8191),
        (7..7 + 8192 + 13, 1),
        (0..WINDOW, 0),
    ]
    .into_iter()
    .enumerate()
    {
        one(seed, part.clone(), at, false)?;
        one(seed, part, at, true)?;
    }
    for seed in 0..ROUNDS {
        let part = chance.part(1);
        let at = chance.below(WINDOW - part.len() + 1);
        one(seed, part, at, seed % 2 == 0)?;
    }
    expect(
        "refuse a copy onto itself",
        gpu.copy(&from.fb, 0, &from.fb, 64, 65) == Err(EINVAL),
    )
}

fn first_byte(buffer: &Coherent<[u8]>, at: usize) -> Result<u8> {
    let mut byte = [0];
    io_project!(buffer, [try: at..at + 1]).copy_to_slice(&mut byte);
    Ok(byte[0])
}

/// More than one piece: the seam is where a mistake would be.
fn pieces(gpu: &Arc<Gpu>) -> Result<(), Failure> {
    const MARK: u32 = 0x5aa5_1234;
    let seam = crate::ce::CHUNK;
    let fb = reserve(gpu, seam + u64::SZ_1M)?;
    let inside = PAGE_SIZE..fb.size() - PAGE_SIZE;
    // The second piece begins one piece after the beginning of the fill.
    let seam = inside.start + seam;
    let edges = [
        (inside.start - 4, MARK),
        (inside.start, 0),
        (seam - 4, 0),
        (seam, 0),
        (inside.end - 4, 0),
        (inside.end, MARK),
    ];
    for (at, _) in edges {
        gpu.poke(fb.address() + at, MARK).step("mark the edges")?;
    }
    gpu.fill(&fb, inside, 0).step("fill two pieces")?;
    for (at, value) in edges {
        let seen = gpu.peek(fb.address() + at).step("read the edges")?;
        expect("compare the edges", seen == value)?;
    }
    Ok(())
}
