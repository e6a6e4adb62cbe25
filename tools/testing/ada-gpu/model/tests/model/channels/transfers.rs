// SPDX-License-Identifier: GPL-2.0

//! Fills and copies, in the forms drivers use.

use super::*;

/// A constant fill by virtual or physical address, `count` elements.
fn fill(dst: u64, physical: bool, components: u32, a: u32, b: u32, count: u32) -> Vec<u32> {
    let [high, low] = split(dst);
    [
        inc(0, 0x264, &[0]),
        inc(0, 0x700, &[a, b, components]),
        inc(0, 0x408, &[high, low]),
        inc(0, 0x418, &[count]),
        inc(0, 0x300, &[0x585 | u32::from(physical) << 13 | 1 << 26]),
    ]
    .concat()
}

/// The scrub of the first vGPU patches, as they send it.
fn rfc_scrub(dst: u64, pitch: u32, lines: u32, semaphore: u64) -> Vec<u32> {
    let ([high, low], [sem_high, sem_low]) = (split(dst), split(semaphore));
    let mut s = vec![0; 32];
    s.extend([0x2001_0000, 0xc7b5]);
    s.extend([0x2001_81c2, 0x0003_0004]);
    s.extend([0x2001_81c0, 0]);
    s.extend([0x2004_8104, pitch, pitch, pitch >> 2, lines]);
    s.extend([0x2002_8102, high, low]);
    s.extend([0x2001_80c0, 0x785]);
    s.extend([0x2003_8090, sem_high, sem_low, 0xdead_beef]);
    s.extend([0x2001_80c0, 0x5cc]);
    s
}

#[test]
fn the_scrub_of_the_first_patches() {
    let mut r = Rig::new("");
    let mut c = r.channel(9, CE2);
    let (pitch, lines) = (0x10_0000, 512);
    let stream = rfc_scrub(LINEAR + WORK, pitch, lines, c.semaphore());
    r.submit(&mut c, &stream);
    assert_eq!(r.word(c.semaphore_at()), 0xdead_beef);
    assert_eq!(r.latched(), 1 << 3);
    let end = WORK + u64::from(pitch) * u64::from(lines);
    let t = r.d.gpu.vram().tally(WORK - MIB..end + MIB).unwrap();
    assert_eq!((t.zero, t.poison, t.other), (end - WORK, 2 * MIB, 0));
    assert_eq!(r.counted("ce-bytes-filled"), end - WORK);
    assert_eq!(r.refusals(), 0);
}

#[test]
fn memset_recipes() {
    let mut r = Rig::new("");
    let mut c = r.channel(1, CE2);
    for (i, (components, a, b, want)) in [
        (0x0000_0004, 0x1234_56aa, 0, vec![0xaa]),
        (0x0003_0004, 0x4433_2211, 0, vec![0x11, 0x22, 0x33, 0x44]),
        (0x0003_0005, 0, 0x4433_2211, vec![0x11, 0x22, 0x33, 0x44]),
        (
            0x0103_0054,
            0x4433_2211,
            0x8877_6655,
            vec![0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88],
        ),
        // Three bytes: no pattern of eight.
        (0x0002_0004, 0x0033_2211, 0, vec![0x11, 0x22, 0x33]),
    ]
    .into_iter()
    .enumerate()
    {
        for physical in [false, true] {
            let at = WORK + 16 * MIB * i as u64 + 8 * MIB * u64::from(physical) + 4099;
            let dst = if physical { at } else { at + LINEAR };
            let count = 5000;
            let stream = fill(dst, physical, components, a, b, count);
            r.submit(&mut c, &stream);
            let len = count as usize * want.len();
            let expected: Vec<u8> = want.iter().copied().cycle().take(len).collect();
            assert!(r.bytes(at, len) == expected, "{components:#x} {physical}");
            assert_eq!(r.bytes(at - 1, 1), [0xad]);
            let end = at + len as u64;
            assert_eq!(
                r.bytes(end, 1),
                [[0xef, 0xbe, 0xad, 0xde][end as usize % 4]]
            );
        }
    }
    assert_eq!(r.refusals(), 0);
}

#[test]
fn forty_gibibytes_at_once() {
    let mut r = Rig::new(",vram=48G");
    let mut c = r.channel(1, CE2);
    let start = std::time::Instant::now();
    let size = 40 * GIB;
    let mut stream = inc(0, 0x410, &[0, 1 << 30, 1 << 28, 40]);
    stream.extend(inc(0, 0x700, &[0, 0, 0x0003_0004]));
    let [high, low] = split(2 * GIB);
    stream.extend(inc(0, 0x408, &[high, low]));
    stream.extend(inc(0, 0x300, &[0x0400_2785]));
    r.submit(&mut c, &stream);
    let t = r.d.gpu.vram().tally(2 * GIB..42 * GIB).unwrap();
    assert_eq!(t.zero, size);
    assert_eq!(r.word(42 * GIB), POISON);
    assert!(
        start.elapsed().as_secs() < 5,
        "a fill is no loop over bytes"
    );
}

fn copy(src: u64, dst: u64, launch: u32, modes: [u32; 2], len: u32) -> Vec<u32> {
    let ([sh, sl], [dh, dl]) = (split(src), split(dst));
    [
        inc(0, 0x260, &modes),
        inc(0, 0x400, &[sh, sl, dh, dl]),
        inc(0, 0x418, &[len]),
        inc(0, 0x300, &[launch]),
    ]
    .concat()
}

#[test]
fn copies_between_both_memories() {
    const VIRTUAL: u32 = 0x182;
    const PHYSICAL: u32 = VIRTUAL | 3 << 12;
    let mut r = Rig::new("");
    let mut c = r.channel(1, CE2);
    let data: Vec<u8> = (0..20_000u32).map(|i| ((i * 7) >> 3) as u8).collect();
    r.d.gpu.vram().write(WORK + 5, &data, Writer::Cpu).unwrap();
    let len = data.len() as u32;
    let stream = copy(
        LINEAR + WORK + 5,
        LINEAR + WORK + MIB + 11,
        VIRTUAL,
        [0, 0],
        len,
    );
    r.submit(&mut c, &stream);
    assert!(r.bytes(WORK + MIB + 11, data.len()) == data);
    assert_eq!(r.bytes(WORK + MIB + 10, 1), [0xad]);
    // To system memory and back, by bus address.
    let host = r.d.ram.alloc(data.len());
    let stream = copy(WORK + 5, host, PHYSICAL, [0, 1], len);
    r.submit(&mut c, &stream);
    assert!(r.d.ram.read(host, data.len()) == data);
    let stream = copy(host, WORK + 2 * MIB, PHYSICAL, [2, 0], len);
    r.submit(&mut c, &stream);
    assert!(r.bytes(WORK + 2 * MIB, data.len()) == data);
    // To system memory through the page tables, page by page.
    let va = 32 * GIB;
    for i in 0..5 {
        let page = r.d.ram.alloc(4096);
        r.map_pte(va + PAGE * i, page >> 4 | 0xd);
        let stream = copy(
            LINEAR + WORK + 5 + PAGE * i,
            va + PAGE * i,
            VIRTUAL,
            [0, 0],
            3616,
        );
        r.submit(&mut c, &stream);
        let at = (PAGE * i) as usize;
        assert!(r.d.ram.read(page, 3616) == data[at..at + 3616]);
    }
    // A sparse page reads as zero and takes what is written.
    r.map_pte(va + 8 * PAGE, 8);
    let stream = copy(va + 8 * PAGE, LINEAR + WORK, VIRTUAL, [0, 0], 4096);
    r.submit(&mut c, &stream);
    assert_eq!(r.bytes(WORK, 4096), [0; 4096]);
    let stream = copy(LINEAR + WORK, va + 8 * PAGE, VIRTUAL, [0, 0], 4096);
    r.submit(&mut c, &stream);
    assert_eq!(r.refusals(), 0);
}

#[test]
fn lines_with_pitches_and_remapped_components() {
    let mut r = Rig::new("");
    let mut c = r.channel(1, CE2);
    let data: Vec<u8> = (0..=255).collect();
    r.d.gpu.vram().write(WORK, &data, Writer::Cpu).unwrap();
    let ([sh, sl], [dh, dl]) = (split(LINEAR + WORK), split(LINEAR + WORK + MIB));
    // 4 lines of 8 bytes out of 16, written upside down.
    let bottom = split(LINEAR + WORK + MIB + 3 * 32);
    let stream = [
        inc(
            0,
            0x400,
            &[sh, sl, bottom[0], bottom[1], 16, (-32i32) as u32, 8, 4],
        ),
        inc(0, 0x300, &[0x382]),
    ]
    .concat();
    r.submit(&mut c, &stream);
    for line in 0..4u64 {
        let at = WORK + MIB + (3 - line) * 32;
        let first = line as usize * 16;
        assert_eq!(r.bytes(at, 8), data[first..first + 8]);
        assert_eq!(r.word(at + 8), POISON);
    }
    // Source pairs of 2 bytes to triples: second, constant, left alone.
    let dl = dl + 0x1000;
    let components = 1 | 4 << 4 | 6 << 8 | 1 << 16 | 1 << 20 | 2 << 24;
    let stream = [
        inc(0, 0x400, &[sh, sl, dh, dl, 0, 0, 3]),
        inc(0, 0x700, &[0x7766_5544, 0, components]),
        inc(0, 0x300, &[0x582]),
    ]
    .concat();
    r.submit(&mut c, &stream);
    let at = WORK + MIB + 0x1000;
    let old = |i: usize| [0xef, 0xbe, 0xad, 0xde][i % 4];
    let want: Vec<u8> = (0..3)
        .flat_map(|e| {
            let s = e as u8 * 4 + 2;
            [s, s + 1, 0x44, 0x55, old(e * 6 + 4), old(e * 6 + 5)]
        })
        .collect();
    assert_eq!(r.bytes(at, 18), want);
    assert_eq!(r.refusals(), 0);
}

#[test]
fn what_memory_holds_can_be_asked() {
    let mut r = Rig::new("");
    let mut c = r.channel(1, CE2);
    let stream = fill(LINEAR + WORK, false, 0x0003_0004, 0, 0, 1 << 20);
    r.submit(&mut c, &stream);
    let range = format!("{:#x}:{:#x}", WORK - 100, WORK + 4 * MIB + 50);
    r.d.gpu.set_property("fb-range", &range).unwrap();
    assert_eq!(r.d.gpu.property("fb-range"), Some(range));
    assert_eq!(
        r.d.gpu.property("fb-contents").unwrap(),
        r#"{"other":0,"poison":150,"tags":{},"zero":4194304}"#
    );
    assert!(r.d.gpu.set_property("fb-range", "5:4").is_err());
    assert!(r.d.gpu.set_property("fb-check", "maybe").is_err());
}
