// SPDX-License-Identifier: GPL-2.0

//! A host driver makes vGPUs with nothing but registers, DMA memory and the
//! message queue; guests see their own frame buffer and nothing else.
//!
//! ```text
//! boot in vGPU mode -> client, device, subdevice -> ADD_TYPE (6 queue elements)
//!   -> comm area through PRAMIN -> BOOTLOAD -> marker -> messages 1, 2, 13
//!   -> VF BAR0, BAR1 -> SHUTDOWN, CLEANUP -> free -> unload
//! ```

#[path = "support/driver.rs"]
mod driver;
#[path = "support/machine.rs"]
mod machine;

use ada_gpu_model::{Bar, Function};
use driver::{Driver, Plan};

const MIB: u64 = 1 << 20;
const CLIENT: u32 = 0xc1d0_0007;
const DEVICE: u32 = 0xde1d_0000;
const SUBDEVICE: u32 = 0x5d1d_0000;
const BOARD: &str = "vram=4G,vmmu-segment=64M";
const FB_SIZE: u64 = 256 * MIB;
const HEAP_SIZE: u64 = 32 * MIB;
const TYPE: u32 = 941;
/// VGPU_GSP_PLUGIN_TRIGGERED.
const TOLD: u32 = 0x100d;

fn words(w: &[u32]) -> Vec<u8> {
    w.iter().flat_map(|v| v.to_le_bytes()).collect()
}

fn word(b: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(b[at..at + 4].try_into().unwrap())
}

fn put(b: &mut [u8], at: usize, v: &[u8]) {
    b[at..at + v.len()].copy_from_slice(v);
}

/// The host side of the vGPU protocol.
struct Host {
    d: Driver,
    /// What plugin tasks have said: gfid and notifier.
    told: Vec<(u32, u32)>,
}

/// Where a vGPU's memory and channels are.
#[derive(Clone, Copy)]
struct Place {
    gfid: u32,
    fb: u64,
    heap: u64,
    chid: u32,
}

impl Place {
    fn of(gfid: u32) -> Place {
        let n = u64::from(gfid - 1);
        Place {
            gfid,
            fb: n * FB_SIZE,
            heap: 2048 * MIB + n * HEAP_SIZE,
            chid: (gfid - 1) * 64,
        }
    }

    fn vf(&self) -> Function {
        Function::Vf(self.gfid as u8 - 1)
    }
}

impl Host {
    fn new(properties: &str) -> Host {
        let mut d = Driver::new(&format!("{BOARD}{properties}"));
        d.boot(&Plan::vgpu()).unwrap();
        d.gpu.set_num_vfs(8);
        let told = Vec::new();
        let mut h = Host { d, told };
        let mut root = vec![0; 120];
        put(&mut root, 0, &CLIENT.to_le_bytes());
        let mut device = vec![0; 56];
        put(&mut device, 4, &CLIENT.to_le_bytes());
        assert_eq!(h.alloc(CLIENT, CLIENT, 0, &root), 0);
        assert_eq!(h.alloc(CLIENT, DEVICE, 0x80, &device), 0);
        assert_eq!(h.alloc(DEVICE, SUBDEVICE, 0x2080, &[0; 4]), 0);
        assert_eq!(h.control(0x2080_4003, &h.types()).0, 0);
        h
    }

    /// Waits for the answer, which is as long as the request and comes in as many
    /// records; the accounting event may come first.
    fn call(&mut self, function: u32, payload: &[u8]) -> Vec<u8> {
        const CONTINUATION: u32 = 71;
        self.d.send(function, payload);
        let mut answer: Vec<u8> = Vec::new();
        for _ in 0..1000 {
            match self.d.try_receive().unwrap() {
                Some(m) if m.function == 0x1008 => assert_eq!(m.payload.len(), 4048),
                Some(m) if m.function == TOLD => {
                    self.told.push((word(&m.payload, 0), word(&m.payload, 4)))
                }
                Some(m) => {
                    let expected = if answer.is_empty() {
                        function
                    } else {
                        CONTINUATION
                    };
                    assert_eq!((m.function, m.result), (expected, 0));
                    answer.extend(m.payload);
                    if answer.len() >= payload.len() {
                        return answer;
                    }
                }
                None => self.d.sleep_ms(1),
            }
        }
        panic!("no answer to {function}");
    }

    /// What plugin tasks have said, and not been asked for yet.
    fn told(&mut self) -> Vec<(u32, u32)> {
        while let Some(m) = self.d.try_receive().unwrap() {
            assert_eq!(m.function, TOLD);
            self.told.push((word(&m.payload, 0), word(&m.payload, 4)));
        }
        std::mem::take(&mut self.told)
    }

    fn alloc(&mut self, parent: u32, object: u32, class: u32, params: &[u8]) -> u32 {
        let mut m = words(&[CLIENT, parent, object, class, 0, params.len() as u32, 0, 0]);
        m.extend(params);
        word(&self.call(103, &m), 16)
    }

    fn free(&mut self, object: u32) -> u32 {
        word(&self.call(10, &words(&[CLIENT, 0, object, 0])), 12)
    }

    fn control(&mut self, cmd: u32, params: &[u8]) -> (u32, Vec<u8>) {
        let mut m = words(&[CLIENT, SUBDEVICE, cmd, 0, params.len() as u32, 0]);
        m.extend(params);
        let reply = self.call(76, &m);
        (word(&reply, 12), reply[24..].to_vec())
    }

    fn types(&self) -> Vec<u8> {
        let mut p = vec![0; 334_344];
        p[0] = 1;
        put(&mut p, 4, &1u32.to_le_bytes());
        put(&mut p, 8, &TYPE.to_le_bytes());
        put(&mut p, 8 + 324, &8u32.to_le_bytes());
        p
    }

    /// PRAMIN: selects the 64 KiB window of `addr` and gives its offset.
    fn window(&mut self, addr: u64) -> u64 {
        self.d.w(0x1700, (addr >> 16) as u32);
        0x70_0000 + (addr & 0xffff)
    }

    fn fb_read(&mut self, addr: u64) -> u32 {
        let at = self.window(addr);
        self.d.r(at)
    }

    fn fb_write(&mut self, addr: u64, v: u32) {
        let at = self.window(addr);
        self.d.w(at, v);
    }

    fn bootload(&mut self, p: Place) -> u32 {
        for at in (0..0x3000).step_by(4) {
            self.fb_write(p.heap + at, 0);
        }
        self.header(p);
        let mut b = vec![0; 6616];
        let mut w = |at: usize, v: u32| put(&mut b, at, &v.to_le_bytes());
        w(0, 0x100 + 3 + p.gfid);
        w(4, p.gfid);
        w(8, TYPE);
        w(12, 4242);
        w(20, 64);
        w(24, 1);
        for i in 0..0x54 {
            w(28 + 4 * i, p.chid);
        }
        w(368, 1);
        let mut q = |at: usize, v: u64| put(&mut b, at, &v.to_le_bytes());
        q(376, p.fb);
        q(3448, FB_SIZE);
        q(6520, p.heap);
        q(6528, HEAP_SIZE);
        for (at, off, size) in [
            (6544, 0x20_4000, 0x2_0000),
            (6560, 0x22_4000, 0x4_0000),
            (6576, 0x26_4000, 0x1_0000),
        ] {
            q(at, p.heap + off);
            q(at + 8, size);
        }
        self.control(0x2080_4001, &b).0
    }

    fn header(&mut self, p: Place) {
        for (at, v) in [
            (0, 1),
            (16, 0x1000),
            (24, 0x2000),
            (32, 0x3000),
            (40, 0x20_3000),
        ] {
            self.fb_write(p.heap + at, v);
        }
    }

    /// Sends a plugin message; `None` when no answer came in a second.
    fn message(&mut self, p: Place, msg: u32, seq: u32, payload: &[u32]) -> Option<u32> {
        for (i, v) in payload.iter().enumerate() {
            self.fb_write(p.heap + 0x2000 + 4 * i as u64, *v);
        }
        self.fb_write(p.heap + 4, msg);
        self.fb_write(p.heap + 8, seq);
        self.d.w(0xb8_2200, p.gfid * 32 + 17);
        assert_eq!(self.d.r(0xb8_2200), 0);
        for _ in 0..1000 {
            if self.fb_read(p.heap + 0x1004) == seq {
                return Some(self.fb_read(p.heap + 0x1008));
            }
            self.d.sleep_ms(1);
        }
        None
    }

    fn create(&mut self, p: Place) {
        assert_eq!(self.bootload(p), 0);
        self.wait_marker(p);
        let mut config = [0u32; 28];
        config[4] = 0x100 + 3 + p.gfid;
        config[7] = TYPE;
        config[8] = 4242;
        config[10] = 64;
        config[11] = 1;
        config[14] = 4;
        config[15] = 2;
        config[16] = 4096;
        assert_eq!(self.message(p, 1, 1, &[]), Some(0));
        assert_eq!(self.message(p, 2, 2, &config), Some(0));
        assert_eq!(self.message(p, 13, 3, &[1]), Some(0));
        assert_eq!(self.fb_read(p.heap + 0x2000) & 0xffff, 0x0101);
    }

    fn wait_marker(&mut self, p: Place) {
        for _ in 0..100 {
            if self.fb_read(p.heap + 8) == 0x4e65_4a6f {
                return self.header(p);
            }
            self.d.sleep_ms(1);
        }
        panic!("no boot marker");
    }

    fn destroy(&mut self, p: Place) {
        assert_eq!(self.control(0x2080_4002, &p.gfid.to_le_bytes()).0, 0);
        assert_eq!(self.control(0x2080_4008, &p.gfid.to_le_bytes()).0, 0);
    }

    fn refused(&self) -> String {
        self.d.gpu.property("refusals").unwrap()
    }

    fn guest(&mut self, p: Place, bar: Bar, off: u64, size: u8) -> u64 {
        self.d.gpu.read(p.vf(), bar, off, size)
    }
}

#[test]
fn two_guests_live_side_by_side() {
    let mut h = Host::new("");
    let (a, b) = (Place::of(1), Place::of(2));
    h.create(a);
    h.create(b);
    for p in [a, b] {
        assert_eq!(h.guest(p, Bar::Bar0, 0, 4), 0x1920_00a1);
        assert_eq!(h.guest(p, Bar::Bar0, 4, 4), 0x2_0000);
        for off in [0, 8, FB_SIZE - 8] {
            let mine = 0x1111_1111_1111_1111 * u64::from(p.gfid) + off;
            h.d.gpu.write(p.vf(), Bar::Bar1, off, 8, mine);
        }
    }
    for p in [a, b] {
        for off in [0, 8, FB_SIZE - 8] {
            let mine = 0x1111_1111_1111_1111 * u64::from(p.gfid) + off;
            assert_eq!(h.guest(p, Bar::Bar1, off, 8), mine);
            assert_eq!(h.fb_read(p.fb + off), mine as u32);
        }
    }
    assert_eq!(h.refused(), "");

    // Beyond the guest's frame buffer there is nothing to read or to hit.
    let beyond = h.fb_read(b.fb + FB_SIZE);
    h.d.gpu.write(b.vf(), Bar::Bar1, FB_SIZE, 4, 0x5555_5555);
    assert_eq!(h.guest(b, Bar::Bar1, FB_SIZE, 4), 0xffff_ffff);
    assert_eq!(h.fb_read(b.fb + FB_SIZE), beyond);
    assert_eq!(h.d.refusals("vf-bar1"), 2);

    h.destroy(a);
    assert_eq!(h.guest(a, Bar::Bar0, 0, 4), 0xffff_ffff);
    assert_eq!(h.guest(a, Bar::Bar1, 0, 8), u64::MAX);
    assert_eq!(h.guest(b, Bar::Bar1, 8, 8), 0x2222_2222_2222_222a);
    assert_eq!(h.d.refusals("vf-no-vgpu"), 2);
    h.destroy(b);
}

#[test]
fn everything_comes_back() {
    let mut h = Host::new("");
    let start = h.d.gpu.property("stats").unwrap();
    let live = |s: &str| s[s.find("\"live\"").unwrap()..].to_owned();
    for round in 0..12 {
        let p = Place::of(1 + round % 4);
        h.create(p);
        h.destroy(p);
    }
    let end = h.d.gpu.property("stats").unwrap();
    assert_eq!(live(&end).split('}').next(), live(&start).split('}').next());
    assert_eq!(h.free(CLIENT), 0);
    assert_eq!(h.d.gpu.stats().live("clients"), 0);
    assert_eq!(h.d.gpu.stats().live("objects"), 0);
    h.d.unload().unwrap();
    assert_eq!(h.refused(), "");
}

#[test]
fn a_hasty_host_is_not_answered() {
    let mut h = Host::new(",plugin-boot-delay=50");
    let p = Place::of(3);
    assert_eq!(h.bootload(p), 0);
    h.fb_write(p.heap + 4, 1);
    h.fb_write(p.heap + 8, 1);
    h.d.w(0xb8_2200, 3 * 32 + 17);
    assert_eq!(h.d.refusals("plugin-before-boot"), 1);
    h.wait_marker(p);
    assert_eq!(h.message(p, 1, 1, &[]), Some(0));
    h.destroy(p);
    assert_eq!(h.message(p, 1, 2, &[]), None);
    assert_eq!(h.d.refusals("doorbell-no-vgpu"), 1);
}

#[test]
fn faults_reach_the_plugin_and_the_controls() {
    let mut h = Host::new("");
    let p = Place::of(1);
    h.d.gpu
        .set_property("fault", "control-status=0x20804001:0x1a:1")
        .unwrap();
    assert_eq!(h.bootload(p), 0x1a);
    assert_eq!(h.d.gpu.stats().live("vgpus"), 0);
    assert_eq!(h.bootload(p), 0);
    h.wait_marker(p);
    h.d.gpu.set_property("fault", "plugin-late=1:30").unwrap();
    assert_eq!(h.message(p, 1, 1, &[]), Some(0));
    h.d.gpu
        .set_property("fault", "control-status=0x20804002:0x65:1")
        .unwrap();
    assert_eq!(h.control(0x2080_4002, &1u32.to_le_bytes()).0, 0x65);
    // A task that was not stopped keeps its resources.
    assert_eq!(h.control(0x2080_4008, &1u32.to_le_bytes()).0, 0x40);
    assert_eq!(h.d.gpu.stats().live("vgpus"), 1);
    h.destroy(p);
}

#[test]
fn vf_interrupts_and_reset() {
    let mut h = Host::new("");
    let p = Place::of(2);
    h.create(p);
    h.d.ram.take_msix();
    for (off, v) in [(0x1200, 1), (0x1608, 1), (0x2108, 0x1234), (0x1640, 0)] {
        h.d.gpu.write(p.vf(), Bar::Bar0, off, 4, v);
    }
    assert_eq!(h.d.ram.take_msix(), vec![(p.vf(), 0)]);
    assert_eq!(h.guest(p, Bar::Bar0, 0x2108, 4), 0x1234);
    h.d.gpu.write(p.vf(), Bar::Bar1, 0, 4, 77);
    h.d.gpu.reset(ada_gpu_model::Reset::Flr(p.vf()));
    assert_eq!(h.guest(p, Bar::Bar0, 0x2108, 4), 0);
    assert_eq!(h.guest(p, Bar::Bar0, 0x1000, 4), 0);
    // The vGPU is the host's to end: its memory is still mapped.
    assert_eq!(h.guest(p, Bar::Bar1, 0, 4), 77);
    assert_eq!(h.told(), [(2, 0)]);
    h.d.unload().unwrap();
    assert_eq!(h.d.refusals("unload-leftovers"), 1);
    assert_eq!(h.guest(p, Bar::Bar1, 0, 4), 0xffff_ffff);
}

#[test]
fn a_page_table_inside_a_vgpu_is_refused() {
    let mut h = Host::new("");
    let p = Place::of(2);
    let info = h.call(65, &[0; 0x678]);
    let root = u64::from(word(&info, 0x600)) | u64::from(word(&info, 0x604)) << 32;
    // GSP-RM's tables lead down to the slots of 2 MiB.
    let slots = (0..3).fold(root, |table, _| {
        let low = u64::from(h.fb_read(table));
        let high = u64::from(h.fb_read(table + 4));
        ((low | high << 32) >> 8 & 0x1ff_ffff) << 12
    });
    let table = p.fb + 0x5000;
    for at in (0..0x1000).step_by(4) {
        h.fb_write(table + at, 0);
    }
    h.fb_write(table, 0x10_0000 >> 4 | 1);
    h.fb_write(slots + 8, (table >> 4) as u32 | 2);
    let read = |h: &mut Host| h.d.gpu.read(Function::Pf, Bar::Bar1, 0, 4);
    read(&mut h);
    assert_eq!(h.d.refusals("mmu-table-place"), 0);
    assert_eq!(h.bootload(p), 0);
    // Judged again after the next invalidate.
    h.d.w(0xb8_30b0, 0x8000_0003);
    while h.d.r(0xb8_30b0) >> 31 != 0 {}
    read(&mut h);
    assert_eq!(h.d.refusals("mmu-table-place"), 1);
}
