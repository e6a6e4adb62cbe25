// SPDX-License-Identifier: GPL-2.0

//! Self-test of the path CPU -> BAR1 -> page tables -> frame buffer.
//!
//! ```text
//!   show     reserve FB -> map -> write pattern through BAR1 -> compare through PRAMIN
//!                                 write through PRAMIN -> compare through BAR1
//!                          map a second range -> must not show the first one's pattern
//!   sparse   map no memory -> must read as zero, also after a write
//!   refuse   what cannot be mapped
//!   restore  PRAMIN at a tag -> the driver uses it -> must be at the tag
//!   remap    map one range, read, unmap -> map another at the same place -> must show that one
//!   everything is given back at the end, whatever happened
//! ```

use kernel::{
    io::Io,
    prelude::*,
    sizes::*,
    sync::{
        barrier,
        Arc, //
    },
};

use crate::{
    mm::{
        pagetable::PAGE_SIZE,
        pramin::Pramin, //
    },
    regs::pramin::NV_PBUS_BAR0_WINDOW,
    vgpu::{
        FbOwner,
        FbRange,
        FbRequest,
        Gpu,
        MapInfo,
        PageSize, //
    }, //
};

/// Distance of the dwords that are checked: not a multiple of a page, so that different offsets
/// in a page are met.
const STRIDE: usize = 4096 + 68;

/// Most bytes that are cleared as a whole, which takes a write for every few of them.
const ZEROED: usize = 64 << 10;

/// Kinds that no memory has: invalid, and reserved for the scheduler (OGKM 570.144
/// `turing/tu102/dev_mmu.h`).
const BAD_KINDS: [u8; 3] = [7, 15, 255];

/// What went wrong.
pub(super) struct Failure {
    pub(super) step: &'static str,
    pub(super) error: Error,
}

pub(super) trait Step<T> {
    fn step(self, step: &'static str) -> Result<T, Failure>;
}

impl<T> Step<T> for Result<T> {
    fn step(self, step: &'static str) -> Result<T, Failure> {
        self.map_err(|error| Failure { step, error })
    }
}

pub(super) fn expect(step: &'static str, ok: bool) -> Result<(), Failure> {
    if ok {
        Ok(())
    } else {
        Err(Failure { step, error: EIO })
    }
}

fn pattern(address: u64) -> u32 {
    // CAST: the low half is enough to tell addresses apart.
    (address as u32).rotate_left(7) ^ 0xa5c3_0f1e
}

fn reserve(gpu: &Arc<Gpu>, size: u64, align: u64) -> Result<FbRange, Failure> {
    let request = FbRequest {
        size,
        align,
        fixed: None,
        top_down: true,
        owner: FbOwner::Pf,
    };
    gpu.alloc_fb(&request).step("reserve FB")
}

/// Runs the test.
pub(super) fn bar1(gpu: &Arc<Gpu>) -> Result<(), Failure> {
    let pages = |offset, size, page_size| MapInfo {
        page_size: Some(page_size),
        ..MapInfo::new(offset, size)
    };
    let (small, big, huge) = (PAGE_SIZE, u64::SZ_64K, u64::SZ_2M);

    // 2 MiB leaves with a tail of small pages, then a start in the middle of a leaf.
    show(gpu, huge, &MapInfo::new(0, 2 * huge + 3 * small))?;
    show(gpu, huge, &MapInfo::new(huge - big, 2 * huge))?;
    show(gpu, huge, &MapInfo::new(5 * small, huge))?;
    show(gpu, small, &MapInfo::new(2 * small, 3 * small))?;
    // Each size of page, also where a larger one would do.
    show(gpu, huge, &pages(0, 2 * huge, PageSize::Huge))?;
    show(gpu, huge, &pages(huge, huge + 2 * big, PageSize::Big))?;
    show(gpu, huge, &pages(0, huge, PageSize::Small))?;

    // Small leaves, one slot of PD0, both, and one slot of PD1 where BAR1 has room for it.
    let slot = usize::SZ_512M;
    for len in [
        3 * usize::SZ_4K,
        usize::SZ_2M,
        usize::SZ_2M + usize::SZ_4K,
        slot,
    ] {
        // CAST: `usize` has 64 bits on every architecture with this device.
        if gpu.with_bar1(|bar1| bar1.free()) / 2 >= len as u64 {
            sparse(gpu, len)?;
        }
    }

    refuse(gpu)?;
    restore(gpu)?;

    remap(gpu, PageSize::Small, PageSize::Small)?;
    remap(gpu, PageSize::Small, PageSize::Huge)?;
    remap(gpu, PageSize::Huge, PageSize::Big)?;
    remap(gpu, PageSize::Big, PageSize::Small)
}

fn show(gpu: &Arc<Gpu>, align: u64, info: &MapInfo) -> Result<(), Failure> {
    let fb = reserve(gpu, info.offset + info.size, align)?;
    let other = reserve(gpu, info.offset + info.size, align)?;
    let map = gpu.map_bar1(&fb, info).step("map through BAR1")?;
    let other_map = gpu.map_bar1(&other, info).step("map more through BAR1")?;
    let start = fb.address() + info.offset;

    if map.len() <= ZEROED {
        other_map.zero().step("clear through BAR1")?;
    }
    for at in (0..map.len()).step_by(STRIDE) {
        other_map.write32(at, 0).step("clear through BAR1")?;
        // CAST: `usize` has 64 bits on every architecture with this device.
        map.write32(at, pattern(start + at as u64))
            .step("write through BAR1")?;
    }
    map.flush().step("flush")?;
    other_map.flush().step("flush")?;
    for at in (0..map.len()).step_by(STRIDE) {
        let address = start + at as u64;
        let seen = gpu.peek(address).step("read through PRAMIN")?;
        expect("compare through PRAMIN", seen == pattern(address))?;
        let seen = other_map
            .read32(at)
            .step("read through the other mapping")?;
        expect("keep mappings apart", seen == 0)?;
    }
    for at in (0..map.len()).step_by(STRIDE) {
        let address = start + at as u64;
        gpu.poke(address, !pattern(address))
            .step("write through PRAMIN")?;
        let seen = map.read32(at).step("read through BAR1")?;
        expect("compare through BAR1", seen == !pattern(address))?;
    }
    let end = map.len();
    expect("refuse the end", map.read32(end) == Err(ERANGE))
}

fn sparse(gpu: &Arc<Gpu>, len: usize) -> Result<(), Failure> {
    let probes = [0, (len / 2) & !3, len - 4];
    let zero = gpu.with_sparse_bar1(len, |window| {
        let mut zero = true;
        for at in probes {
            zero &= window.try_read32(at)? == 0;
            window.try_write32(!0, at)?;
        }
        // Reads push the writes out of the CPU.
        barrier::mb(barrier::Write);
        for at in probes {
            zero &= window.try_read32(at)? == 0;
        }
        Ok(zero)
    });
    expect(
        "read zeroes where there is no memory",
        zero.step("look where there is no memory")?,
    )
}

fn refuse(gpu: &Arc<Gpu>) -> Result<(), Failure> {
    let fb = reserve(gpu, 2 * u64::SZ_2M, u64::SZ_2M)?;
    let refused = |info: &MapInfo| gpu.map_bar1(&fb, info).err() == Some(EINVAL);
    let size = fb.size();

    for (offset, size) in [
        (0, 0),
        (0, PAGE_SIZE - 4),
        (4, PAGE_SIZE),
        (PAGE_SIZE, size),
        (size, PAGE_SIZE),
        (u64::MAX - PAGE_SIZE + 1, PAGE_SIZE),
    ] {
        expect(
            "refuse what is outside",
            refused(&MapInfo::new(offset, size)),
        )?;
    }
    for (offset, size, page_size) in [
        (u64::SZ_64K, u64::SZ_2M, PageSize::Huge),
        (0, u64::SZ_1M, PageSize::Huge),
        (PAGE_SIZE, u64::SZ_64K, PageSize::Big),
        (0, PAGE_SIZE, PageSize::Big),
    ] {
        let info = MapInfo {
            page_size: Some(page_size),
            ..MapInfo::new(offset, size)
        };
        expect("refuse what is not aligned", refused(&info))?;
    }
    for kind in BAD_KINDS {
        let info = MapInfo {
            kind,
            ..MapInfo::new(0, size)
        };
        expect("refuse a bad kind", refused(&info))?;
    }
    Ok(())
}

/// Whoever has placed PRAMIN finds it where it was.
fn restore(gpu: &Arc<Gpu>) -> Result<(), Failure> {
    let fb = reserve(gpu, 2 * u64::SZ_1M, u64::SZ_1M)?;
    let kept = gpu.with_core(|core| {
        gpu.mm().exclusive(|| {
            let bar = core.bar();
            let before = bar.read(NV_PBUS_BAR0_WINDOW);
            // A tag that the driver itself never leaves: no multiple of 1 MiB.
            let base = u32::try_from((fb.address() >> 16) + 5)?;
            let tag = NV_PBUS_BAR0_WINDOW::zeroed().try_with_base(base)?;
            bar.write_reg(tag);
            let mut pramin = Pramin::new(bar)?;
            let used = pramin
                .write32(fb.address(), 0x7a67_0001)
                .and_then(|()| pramin.read32(fb.address() + u64::SZ_1M));
            drop(pramin);
            let after = bar.read(NV_PBUS_BAR0_WINDOW);
            bar.write_reg(before);
            used?;
            Ok(u32::from(after) == u32::from(tag))
        })
    });
    expect("put PRAMIN back", kept.step("place PRAMIN")?)
}

/// Two mappings at the same place, one after the other, with pages of different sizes.
fn remap(gpu: &Arc<Gpu>, first: PageSize, second: PageSize) -> Result<(), Failure> {
    let size = u64::SZ_2M;
    let info = |page_size| MapInfo {
        page_size: Some(page_size),
        ..MapInfo::new(0, size)
    };
    let (a, b) = (reserve(gpu, size, size)?, reserve(gpu, size, size)?);
    let probes = [0, PAGE_SIZE, u64::SZ_64K, u64::SZ_1M, size - PAGE_SIZE];
    for at in probes {
        gpu.poke(a.address() + at, 0xaaaa_0000)
            .step("write through PRAMIN")?;
        gpu.poke(b.address() + at, 0xbbbb_0000)
            .step("write through PRAMIN")?;
    }
    let check = |fb, page_size, place, value| -> Result<(), Failure> {
        let map = gpu
            .map_bar1_at(fb, &info(page_size), Some(place))
            .step("map to remap")?;
        for at in probes {
            // CAST: below 2 MiB.
            let seen = map.read32(at as usize).step("read what was remapped")?;
            expect("no stale translation", seen == value)?;
        }
        Ok(())
    };
    // Others may map meanwhile and take the place.
    for _ in 0..64 {
        let place = gpu
            .map_bar1(&a, &info(PageSize::Huge))
            .step("find a place")?
            .bar1_offset();
        let result = check(&a, first, place, 0xaaaa_0000)
            .and_then(|()| check(&b, second, place, 0xbbbb_0000));
        match result {
            Err(Failure { error: EBUSY, .. }) => (),
            result => return result,
        }
    }
    Err(Failure {
        step: "map at the same place",
        error: EBUSY,
    })
}
