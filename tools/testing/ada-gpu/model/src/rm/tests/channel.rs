// SPDX-License-Identifier: GPL-2.0

//! Address spaces and channels: what is made, and every reason to refuse it.
//!
//! ```text
//!   video memory  0x100000 PD3 -> PD2 -> PD1 -> PD0 -> small table   (5 pages)
//!                 0x110000 ring, mapped at VA 0x200000
//!                 0x120000 instance blocks, 0x130000 USERDs
//!   system memory RAM.start: method buffers
//! ```

use super::*;
use crate::rm::channel::METHOD_BUFFER_SIZE;

const DEV: u32 = 0xde1d_0000;
const VAS: u32 = 0x90f1_0000;
const CHAN: u32 = 0xf1f0_0001;
const CE: u32 = 0xce00_0001;
const TABLES: u64 = 0x10_0000;
const RING: u64 = 0x11_0000;
const RING_VA: u64 = 0x20_0000;
const COPY2: u32 = 0x0b;

fn space(external: bool) -> Vec<u8> {
    let mut p = vec![0; 0x30];
    put_u32(&mut p, 4, u32::from(external) << 3);
    p
}

fn directory(addr: u64, entries: u32, flags: u32) -> Vec<u8> {
    let mut p = vec![0; 0x20];
    put_u64(&mut p, 0, addr);
    put_u32(&mut p, 8, entries);
    put_u32(&mut p, 0xc, flags);
    put_u32(&mut p, 0x10, VAS);
    p
}

/// Parameters for channel `chid`, which everything accepts.
fn channel(chid: u32) -> Vec<u8> {
    let mut p = vec![0; 0x170];
    put_u64(&mut p, 0x08, RING_VA);
    put_u32(&mut p, 0x10, 512);
    put_u32(
        &mut p,
        0x14,
        1 << 21 | (chid / 8) << 12 | 1 << 5 | (chid % 8) << 8,
    );
    put_u32(&mut p, 0x1c, VAS);
    put_u32(&mut p, 0x80, COPY2);
    let n = u64::from(chid % 8);
    for (at, base, size, target) in [
        (0x90, 0x12_0000 + 0x1000 * n, 0x1000, 2),
        (0xa8, 0x13_0000 + 0x200 * n, 0x200, 2),
        (0xc0, 0x12_0000 + 0x1000 * n, 0x200, 2),
        (0xd8, RAM.start + 0x5000 * n, METHOD_BUFFER_SIZE, 1),
    ] {
        put_u64(&mut p, at, base);
        put_u64(&mut p, at + 8, size);
        put_u32(&mut p, at + 0x10, target);
    }
    put_u32(&mut p, 0xf4, 1 | 1 << 2 | 1 << 4);
    p
}

impl Board {
    /// A board with an address space that maps the ring.
    fn with_space() -> Board {
        let mut b = Board::ready();
        assert_eq!(b.alloc_with(DEV, VAS, 0x90f1, &space(true)), NvStatus::OK);
        b.vram.zero(TABLES..TABLES + 0x5000, Writer::Cpu).unwrap();
        let table = |i: u64| (TABLES + 0x1000 * i) >> 4;
        let leaf = 8 * (RING_VA >> 12 & 0x1ff);
        for (at, v) in [
            (TABLES, table(1) | 2),
            (TABLES + 0x1000, table(2) | 2),
            (TABLES + 0x2000, table(3) | 2),
            (TABLES + 0x3000 + 16 * (RING_VA >> 21) + 8, table(4) | 2),
            (TABLES + 0x4000 + leaf, RING >> 4 | 1),
        ] {
            b.vram.write64(at, v, Writer::Cpu).unwrap();
        }
        b.vram.zero(0x12_0000..0x14_0000, Writer::Cpu).unwrap();
        let p = directory(TABLES, 4, 0);
        assert_eq!(b.control_on(DEV, 0x80_1813, &p).0, NvStatus::OK);
        b
    }

    fn channel(&mut self, handle: u32, p: &[u8]) -> NvStatus {
        self.alloc_with(DEV, handle, 0xc56f, p)
    }

    /// Kind and status of the refusal of a changed channel allocation.
    fn refused(&mut self, change: impl FnOnce(&mut Vec<u8>)) -> (String, NvStatus) {
        let mut p = channel(1);
        change(&mut p);
        let status = self.channel(CHAN, &p);
        let last = self.trace.recent_refusals();
        let kind = last.lines().last().unwrap_or_default();
        let kind = kind.split(' ').next().unwrap_or_default().to_owned();
        (kind, status)
    }
}

#[test]
fn a_channel_from_allocation_to_free() {
    let mut b = Board::with_space();
    assert_eq!(b.channel(CHAN, &channel(1)), NvStatus::OK);
    assert_eq!(b.stats.live("host-channels"), 1);
    let ce = |version: u32, engine: u32| [version.to_le_bytes(), engine.to_le_bytes()].concat();
    // Not before BIND, and only on its own runlist.
    assert_eq!(
        b.control_on(CHAN, 0xa06f_0103, &[1, 0]).0,
        NvStatus::ERR_INVALID_STATE
    );
    assert_eq!(
        b.control_on(CHAN, 0xa06f_0104, &0x0c_u32.to_le_bytes()).0,
        NvStatus::ERR_INVALID_STATE
    );
    assert_eq!(
        b.control_on(CHAN, 0xa06f_0104, &0x77_u32.to_le_bytes()).0,
        NvStatus::ERR_INVALID_ARGUMENT
    );
    assert_eq!(
        b.control_on(CHAN, 0xa06f_0104, &COPY2.to_le_bytes()).0,
        NvStatus::OK
    );
    assert_eq!(b.control_on(CHAN, 0xa06f_0103, &[1, 0]).0, NvStatus::OK);
    assert!(b.fifo.channels[&(1, 1)].enabled);
    assert_eq!(
        b.control_on(CHAN, 0xc36f_0108, &[0; 4]).0,
        NvStatus::ERR_NOT_SUPPORTED
    );
    assert_eq!(
        b.alloc_with(CHAN, CE, 0xc7b5, &ce(0, 2)),
        NvStatus::ERR_INVALID_ARGUMENT
    );
    assert_eq!(
        b.alloc_with(CHAN, CE, 0xc7b5, &ce(1, 0x0c)),
        NvStatus::ERR_INVALID_ARGUMENT
    );
    assert_eq!(
        b.alloc_with(DEV, CE, 0xc7b5, &ce(1, COPY2)),
        NvStatus::ERR_INVALID_OBJECT_PARENT
    );
    assert_eq!(b.alloc_with(CHAN, CE, 0xc7b5, &ce(1, COPY2)), NvStatus::OK);
    assert_eq!(
        b.alloc_with(CHAN, CE + 1, 0xc7b5, &ce(1, COPY2)),
        NvStatus::ERR_INSUFFICIENT_RESOURCES
    );
    assert_eq!(b.free(CE), NvStatus::OK);
    assert_eq!(b.fifo.channels[&(1, 1)].copy_engine, None);
    assert_eq!(b.control_on(CHAN, 0xa06f_0103, &[0, 0]).0, NvStatus::OK);
    let refusals = b.stats.refusals();
    assert_eq!(b.free(CHAN), NvStatus::OK);
    assert_eq!(
        b.control_on(DEV, 0x80_1814, &VAS.to_le_bytes().repeat(2)).0,
        NvStatus::OK
    );
    assert_eq!(b.free(VAS), NvStatus::OK);
    assert_eq!(b.stats.refusals(), refusals);
    assert_eq!(
        (b.stats.live("host-channels"), b.stats.live("vaspaces")),
        (0, 0)
    );
    // The root stays one that an invalidate may name.
    assert!(b.fifo.knows_root(TABLES) && !b.fifo.knows_root(RING));
}

#[test]
fn every_refusal_of_a_channel() {
    let mut b = Board::with_space();
    type Change = fn(&mut Vec<u8>);
    let cases: &[(&str, NvStatus, Change)] = &[
        ("channel-objects", NvStatus::ERR_OBJECT_NOT_FOUND, |p| {
            put_u32(p, 0, 5);
        }),
        ("channel-objects", NvStatus::ERR_OBJECT_NOT_FOUND, |p| {
            put_u32(p, 0x24, 5);
        }),
        ("channel-subdevice", NvStatus::ERR_INVALID_ARGUMENT, |p| {
            put_u32(p, 0x88, 1);
        }),
        ("channel-entries", NvStatus::ERR_INVALID_ARGUMENT, |p| {
            put_u32(p, 0x10, 500);
        }),
        ("channel-entries", NvStatus::ERR_INVALID_ARGUMENT, |p| {
            put_u32(p, 0x10, 0);
        }),
        ("channel-flags", NvStatus::ERR_NOT_SUPPORTED, |p| {
            put_u32(p, 0x14, 0x20_0101);
        }),
        ("channel-flags", NvStatus::ERR_INVALID_ARGUMENT, |p| {
            put_u32(p, 0x14, 0x20_0110);
        }),
        ("channel-id", NvStatus::ERR_INVALID_ARGUMENT, |p| {
            put_u32(p, 0x14, 0x100);
        }),
        ("channel-id", NvStatus::ERR_INVALID_STATE, |p| {
            put_u32(p, 0x14, 0x20_0900);
        }),
        ("channel-id", NvStatus::ERR_INVALID_PARAMETER, |p| {
            put_u32(p, 0x14, 0x20_0000);
        }),
        ("channel-id", NvStatus::ERR_INVALID_PARAMETER, |p| {
            put_u32(p, 0x14, 0x30_0000);
        }),
        ("channel-engine", NvStatus::ERR_INVALID_ARGUMENT, |p| {
            put_u32(p, 0x80, 0);
        }),
        ("channel-engine", NvStatus::ERR_INVALID_ARGUMENT, |p| {
            put_u32(p, 0x80, 0x22);
        }),
        (
            "channel-vaspace",
            NvStatus::ERR_INVALID_OBJECT_HANDLE,
            |p| {
                put_u32(p, 0x1c, 0);
            },
        ),
        (
            "channel-vaspace",
            NvStatus::ERR_INVALID_OBJECT_HANDLE,
            |p| {
                put_u32(p, 0x1c, DEV);
            },
        ),
        ("channel-memory", NvStatus::ERR_INVALID_ARGUMENT, |p| {
            put_u64(p, 0x98, 0x2000);
        }),
        ("channel-memory", NvStatus::ERR_INVALID_ARGUMENT, |p| {
            put_u64(p, 0x90, 0x12_0800);
        }),
        ("channel-memory", NvStatus::ERR_INVALID_ARGUMENT, |p| {
            put_u64(p, 0xc0, 0x12_0000);
        }),
        ("channel-memory", NvStatus::ERR_INVALID_ARGUMENT, |p| {
            put_u32(p, 0xa0, 1);
        }),
        ("channel-memory", NvStatus::ERR_INVALID_ARGUMENT, |p| {
            put_u32(p, 0xb8, 0);
        }),
        ("channel-memory", NvStatus::ERR_INVALID_ADDRESS, |p| {
            put_u64(p, 0xa8, RESERVED);
        }),
        ("channel-memory", NvStatus::ERR_INVALID_ADDRESS, |p| {
            put_u64(p, 0xa8, RAM.end);
            put_u32(p, 0xb8, 1);
        }),
        (
            "channel-method-buffer",
            NvStatus::ERR_INVALID_ARGUMENT,
            |p| p[0xd8..0xe8].fill(0),
        ),
        (
            "channel-method-buffer",
            NvStatus::ERR_INVALID_ARGUMENT,
            |p| {
                put_u64(p, 0xe0, 0x4fff);
            },
        ),
        (
            "channel-method-buffer",
            NvStatus::ERR_INVALID_ARGUMENT,
            |p| {
                put_u32(p, 0xe8, 2);
            },
        ),
        (
            "channel-method-buffer",
            NvStatus::ERR_INVALID_ADDRESS,
            |p| {
                put_u64(p, 0xd8, RAM.end - 0x1000);
            },
        ),
        ("channel-gpfifo", NvStatus::ERR_INVALID_ARGUMENT, |p| {
            put_u64(p, 8, RING_VA + 4);
        }),
        ("channel-gpfifo", NvStatus::ERR_INVALID_ARGUMENT, |p| {
            put_u64(p, 8, (1 << 40) - 8);
        }),
        ("channel-gpfifo", NvStatus::ERR_INVALID_ADDRESS, |p| {
            put_u32(p, 0x10, 1024);
        }),
        ("channel-gpfifo", NvStatus::ERR_INVALID_ADDRESS, |p| {
            put_u64(p, 8, RING_VA - 8);
        }),
    ];
    for (i, (kind, status, change)) in cases.iter().enumerate() {
        assert_eq!(
            b.refused(*change),
            ((*kind).to_owned(), *status),
            "case {i}"
        );
        assert_eq!(b.stats.live("host-channels"), 0, "case {i}");
    }
    assert_eq!(b.channel(CHAN, &channel(1)), NvStatus::OK);
    assert_eq!(
        b.refused(|_| ()),
        ("duplicate".to_owned(), NvStatus::ERR_INSERT_DUPLICATE_NAME)
    );
    // A second object for the same ID, and for the same memory.
    assert_eq!(
        b.channel(CHAN + 1, &channel(1)),
        NvStatus::ERR_INVALID_ADDRESS
    );
    let mut p = channel(2);
    put_u32(&mut p, 0x14, 0x20_0120);
    assert_eq!(b.channel(CHAN + 1, &p), NvStatus::ERR_NO_MEMORY);
    // The same ID on another runlist is another channel.
    put_u32(&mut p, 0x80, 0x0c);
    assert_eq!(b.channel(CHAN + 1, &p), NvStatus::OK);
    assert_eq!(b.stats.live("host-channels"), 2);
}

#[test]
fn ids_of_vgpus_and_of_the_host_do_not_mix() {
    let mut b = Board::with_space();
    let heap = heap_of(1);
    b.control_page(heap);
    let at = |chid| bootload(1, GIB, heap, chid, 64);
    assert_eq!(b.control(BOOTLOAD, &at(64)).0, NvStatus::OK);
    assert_eq!(b.channel(CHAN, &channel(70)), NvStatus::ERR_NO_MEMORY);
    assert_eq!(b.channel(CHAN, &channel(3)), NvStatus::OK);
    // Nor may a channel's memory be a guest's.
    let mut p = channel(4);
    put_u64(&mut p, 0xa8, GIB);
    assert_eq!(b.channel(CHAN + 1, &p), NvStatus::ERR_INVALID_ADDRESS);
    put_u64(&mut p, 0xa8, heap + 0x10_0000);
    assert_eq!(b.channel(CHAN + 1, &p), NvStatus::ERR_INVALID_ADDRESS);
    assert_eq!(b.gfid_control(SHUTDOWN, 1), NvStatus::OK);
    assert_eq!(b.gfid_control(CLEANUP, 1), NvStatus::OK);
    assert_eq!(b.control(BOOTLOAD, &at(0)).0, NvStatus::ERR_NO_MEMORY);
    assert_eq!(b.free(CHAN), NvStatus::OK);
    assert_eq!(b.control(BOOTLOAD, &at(0)).0, NvStatus::OK);
}

#[test]
fn without_sriov_an_id_is_unique_on_the_gpu() {
    let mut b = Board::with_space();
    b.boot.vgpu = false;
    assert_eq!(b.channel(CHAN, &channel(1)), NvStatus::OK);
    let mut p = channel(2);
    put_u32(&mut p, 0x14, 0x20_0120);
    put_u32(&mut p, 0x80, 0x0c);
    assert_eq!(b.channel(CHAN + 1, &p), NvStatus::ERR_NO_MEMORY);
}

const GROUP: u32 = 0xa06c_0001;

/// Parameters of a channel group, which everything accepts.
fn group() -> Vec<u8> {
    let mut g = vec![0; 0x14];
    put_u32(&mut g, 8, VAS);
    put_u32(&mut g, 0xc, COPY2);
    g
}

#[test]
fn every_refusal_of_a_group() {
    let mut b = Board::with_space();
    type Change = fn(&mut Vec<u8>);
    let cases: &[(&str, NvStatus, Change)] = &[
        ("alloc-size", NvStatus::ERR_INVALID_ARGUMENT, |p| {
            p.truncate(0x10);
        }),
        ("alloc-size", NvStatus::ERR_INVALID_ARGUMENT, |p| {
            p.resize(0x18, 0);
        }),
        ("channel-engine", NvStatus::ERR_INVALID_ARGUMENT, |p| {
            put_u32(p, 0xc, 0);
        }),
        ("channel-engine", NvStatus::ERR_INVALID_ARGUMENT, |p| {
            put_u32(p, 0xc, 0x22);
        }),
        ("group-objects", NvStatus::ERR_OBJECT_NOT_FOUND, |p| {
            put_u32(p, 0, 5);
        }),
        ("group-objects", NvStatus::ERR_OBJECT_NOT_FOUND, |p| {
            put_u32(p, 4, 5);
        }),
        ("group-plugin", NvStatus::ERR_INVALID_ARGUMENT, |p| {
            put_u32(p, 0x10, 2);
        }),
        (
            "channel-vaspace",
            NvStatus::ERR_INVALID_OBJECT_HANDLE,
            |p| {
                put_u32(p, 8, 0);
            },
        ),
        (
            "channel-vaspace",
            NvStatus::ERR_INVALID_OBJECT_HANDLE,
            |p| {
                put_u32(p, 8, DEV);
            },
        ),
    ];
    for (i, (kind, status, change)) in cases.iter().enumerate() {
        let mut p = group();
        change(&mut p);
        let refusals = b.stats.refusals_of(kind);
        assert_eq!(b.alloc_with(DEV, GROUP, 0xa06c, &p), *status, "case {i}");
        assert_eq!(b.stats.refusals_of(kind), refusals + 1, "case {i}");
    }
    // Not below a client, nor below another group.
    assert_eq!(
        b.alloc_with(CLIENT, GROUP, 0xa06c, &group()),
        NvStatus::ERR_INVALID_OBJECT_PARENT
    );
    assert_eq!(b.alloc_with(DEV, GROUP, 0xa06c, &group()), NvStatus::OK);
    assert_eq!(
        b.alloc_with(GROUP, GROUP + 1, 0xa06c, &group()),
        NvStatus::ERR_INVALID_OBJECT_PARENT
    );
    assert_eq!(b.stats.live("channel-groups"), 1);
}

#[test]
fn a_group_is_scheduled_as_a_whole() {
    let mut b = Board::with_space();
    assert_eq!(b.alloc_with(DEV, GROUP, 0xa06c, &group()), NvStatus::OK);
    for n in 1..3 {
        let mut p = channel(n);
        put_u32(&mut p, 0x1c, 0);
        assert_eq!(
            b.alloc_with(GROUP, 0xf1f0_0000 + n, 0xc56f, &p),
            NvStatus::OK
        );
    }
    let schedule = |b: &mut Board, on| b.control_on(GROUP, 0xa06c_0101, &[on, 0]).0;
    assert_eq!(schedule(&mut b, 1), NvStatus::ERR_INVALID_STATE);
    let bind = |b: &mut Board, chan| b.control_on(chan, 0xa06f_0104, &COPY2.to_le_bytes()).0;
    assert_eq!(bind(&mut b, CHAN), NvStatus::OK);
    // One that is not bound keeps all of them from running.
    assert_eq!(schedule(&mut b, 1), NvStatus::ERR_INVALID_STATE);
    assert!(b.fifo.channels.values().all(|c| !c.enabled));
    assert_eq!(bind(&mut b, CHAN + 1), NvStatus::OK);
    assert_eq!(schedule(&mut b, 1), NvStatus::OK);
    assert!(b.fifo.channels.values().all(|c| c.enabled));
    assert_eq!(
        b.control_on(GROUP, 0xa06c_0101, &[0, 0, 0, 0]).0,
        NvStatus::ERR_INVALID_ARGUMENT
    );
    // The controls of a channel are not those of its group.
    assert_eq!(
        b.control_on(GROUP, 0xa06f_0103, &[0, 0]).0,
        NvStatus::ERR_NOT_SUPPORTED
    );
    assert_eq!(
        b.control_on(CHAN, 0xa06c_0101, &[0, 0]).0,
        NvStatus::ERR_NOT_SUPPORTED
    );
    assert_eq!(schedule(&mut b, 0), NvStatus::OK);
    assert!(b.fifo.channels.values().all(|c| !c.enabled));
}

#[test]
fn an_address_space_outlives_its_groups() {
    let mut b = Board::with_space();
    assert_eq!(b.alloc_with(DEV, GROUP, 0xa06c, &group()), NvStatus::OK);
    assert_eq!(b.free(VAS), NvStatus::OK);
    assert_eq!(b.stats.refusals_of("vaspace-busy"), 1);
    // A client that goes at once takes its groups first.
    let mut b = Board::with_space();
    assert_eq!(b.alloc_with(DEV, GROUP, 0xa06c, &group()), NvStatus::OK);
    assert_eq!(b.free(CLIENT), NvStatus::OK);
    assert_eq!(b.stats.refusals(), 0);
    assert_eq!(b.stats.live("channel-groups"), 0);
}

#[test]
fn groups_give_their_channels_engine_and_space() {
    let mut b = Board::with_space();
    assert_eq!(b.alloc_with(DEV, GROUP, 0xa06c, &group()), NvStatus::OK);
    let mut p = channel(1);
    assert_eq!(
        b.alloc_with(GROUP, CHAN, 0xc56f, &p),
        NvStatus::ERR_INVALID_ARGUMENT
    );
    put_u32(&mut p, 0x1c, 0);
    put_u32(&mut p, 0x80, 0x0c);
    assert_eq!(
        b.alloc_with(GROUP, CHAN, 0xc56f, &p),
        NvStatus::ERR_INVALID_ARGUMENT
    );
    put_u32(&mut p, 0x80, COPY2);
    assert_eq!(b.alloc_with(GROUP, CHAN, 0xc56f, &p), NvStatus::OK);
    assert_eq!(
        b.control_on(GROUP, 0xa06c_0102, &COPY2.to_le_bytes()).0,
        NvStatus::OK
    );
    assert_eq!(b.control_on(GROUP, 0xa06c_0101, &[1, 0]).0, NvStatus::OK);
    assert!(b.fifo.channels[&(1, 1)].enabled);
    assert_eq!(b.free(GROUP), NvStatus::OK);
    assert_eq!(b.stats.live("host-channels"), 0);
}

#[test]
fn a_busy_channel_and_a_used_space_are_noticed() {
    let mut b = Board::with_space();
    assert_eq!(b.channel(CHAN, &channel(1)), NvStatus::OK);
    assert_eq!(
        b.control_on(CHAN, 0xa06f_0104, &COPY2.to_le_bytes()).0,
        NvStatus::OK
    );
    assert_eq!(b.control_on(CHAN, 0xa06f_0103, &[1, 0]).0, NvStatus::OK);
    b.write32(0x13_0200 + 0x8c, 5);
    assert_eq!(b.free(VAS), NvStatus::OK);
    assert_eq!(b.stats.refusals_of("vaspace-busy"), 1);
    assert_eq!(b.free(CHAN), NvStatus::OK);
    assert_eq!(b.stats.refusals_of("channel-free-busy"), 1);
    // A client that goes at once takes its channels first.
    let mut b = Board::with_space();
    assert_eq!(b.channel(CHAN, &channel(1)), NvStatus::OK);
    assert_eq!(b.free(CLIENT), NvStatus::OK);
    assert_eq!(b.stats.refusals(), 0);
    assert_eq!((b.fifo.channels.len(), b.fifo.spaces.len()), (0, 0));
}

#[test]
fn page_directories_are_checked() {
    let mut b = Board::ready();
    let mut bad = space(true);
    for (at, v, status) in [
        (0, 1, NvStatus::ERR_NOT_SUPPORTED),
        (0x20, 0x1000, NvStatus::ERR_INVALID_ARGUMENT),
        (0x0c, 1 << 20, NvStatus::ERR_INVALID_ARGUMENT),
    ] {
        let good = bad.clone();
        put_u32(&mut bad, at, v);
        assert_eq!(b.alloc_with(DEV, VAS, 0x90f1, &bad), status, "{at:#x}");
        bad = good;
    }
    assert_eq!(b.alloc_with(DEV, VAS, 0x90f1, &space(false)), NvStatus::OK);
    let set = |b: &mut Board, addr, entries, flags| {
        b.control_on(DEV, 0x80_1813, &directory(addr, entries, flags))
            .0
    };
    assert_eq!(set(&mut b, TABLES, 4, 0), NvStatus::ERR_NOT_SUPPORTED);
    assert_eq!(b.free(VAS), NvStatus::OK);
    assert_eq!(set(&mut b, TABLES, 4, 0), NvStatus::ERR_OBJECT_NOT_FOUND);
    assert_eq!(b.alloc_with(DEV, VAS, 0x90f1, &space(true)), NvStatus::OK);
    for (addr, entries, flags, status) in [
        (TABLES, 512, 0, NvStatus::ERR_INVALID_ARGUMENT),
        (TABLES + 8, 4, 0, NvStatus::ERR_INVALID_ADDRESS),
        (RESERVED, 4, 0, NvStatus::ERR_INVALID_ADDRESS),
        (u64::MAX - 0xfff, 4, 0, NvStatus::ERR_INVALID_ADDRESS),
        (TABLES, 4, 1, NvStatus::ERR_NOT_SUPPORTED),
        (TABLES, 4, 3, NvStatus::ERR_INVALID_ARGUMENT),
    ] {
        assert_eq!(set(&mut b, addr, entries, flags), status, "{addr:#x}");
    }
    let unset = |b: &mut Board| b.control_on(DEV, 0x80_1814, &VAS.to_le_bytes().repeat(2)).0;
    assert_eq!(unset(&mut b), NvStatus::ERR_INVALID_STATE);
    assert_eq!(set(&mut b, TABLES, 4, 0), NvStatus::OK);
    assert_eq!(set(&mut b, TABLES, 4, 0), NvStatus::ERR_INVALID_STATE);
    assert_eq!(unset(&mut b), NvStatus::OK);
}

#[test]
fn reserved_directories_must_be_linked() {
    let mut b = Board::ready();
    assert_eq!(b.alloc_with(DEV, VAS, 0x90f1, &space(false)), NvStatus::OK);
    b.vram.zero(TABLES..TABLES + 0x3000, Writer::Cpu).unwrap();
    let low = 1u64 << 32;
    let mut p = vec![0; 0xb8];
    put_u64(&mut p, 8, 1 << 29);
    put_u64(&mut p, 0x10, low);
    put_u64(&mut p, 0x18, low + (1 << 29) - 1);
    put_u32(&mut p, 0x20, 3);
    for (i, shift) in [47u8, 38, 29].into_iter().enumerate() {
        let at = 0x28 + 0x18 * i;
        put_u64(&mut p, at, TABLES + 0x1000 * i as u64);
        put_u32(&mut p, at + 0x10, 1);
        p[at + 0x14] = shift;
    }
    let copy = |b: &mut Board, p: &[u8]| b.control_on(VAS, 0x90f1_0106, p).0;
    assert_eq!(copy(&mut b, &p), NvStatus::ERR_INVALID_ARGUMENT);
    b.vram
        .write64(TABLES, (TABLES + 0x1000) >> 4 | 2, Writer::Cpu)
        .unwrap();
    assert_eq!(copy(&mut b, &p), NvStatus::ERR_INVALID_ARGUMENT);
    b.vram
        .write64(TABLES + 0x1000, (TABLES + 0x2000) >> 4 | 2, Writer::Cpu)
        .unwrap();
    p[0x20] = 2;
    assert_eq!(copy(&mut b, &p), NvStatus::ERR_INVALID_ARGUMENT);
    p[0x20] = 3;
    assert_eq!(copy(&mut b, &p), NvStatus::OK);
    assert_eq!(b.fifo.spaces[&(CLIENT, VAS)].root, Some(TABLES));
    assert_eq!(copy(&mut b, &p), NvStatus::ERR_INVALID_STATE);
}
