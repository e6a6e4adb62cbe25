// SPDX-License-Identifier: GPL-2.0

//! What booter and the GSP bootloader read from system memory.
//!
//! ```text
//! GSP mailboxes -> libos arguments: LOGINIT, LOGINTR, LOGRM, ... RMARGS, 0
//! RMARGS        -> GSP_ARGUMENTS_CACHED: queue memory, queue offsets
//! WPR metadata  -> radix3 page tables -> image pages; bootloader; signature
//! ```
//!
//! (OGKM 570.144: kernel_gsp.c, gsp_init_args.h, libos_init_args.h.)

use super::queue::{Rings, Shared};
use crate::bytes::{u32_at, u64_at, u8_at};
use crate::host::Host;
use crate::ucode::wpr_meta::WprMeta;
use crate::ucode::{refuse, Refusal};

const PAGE: u64 = 4096;
/// libos argument entry: id8, address, size, kind, location.
const LIBOS_ENTRY: usize = 32;
const KIND_CONTIGUOUS: u8 = 1;
const LOCATION_SYSMEM: u8 = 1;
/// Names of log buffers.
const LOGS: [u64; 5] = [
    id8(b"LOGINIT"),
    id8(b"LOGINTR"),
    id8(b"LOGRM"),
    id8(b"LOGMNOC"),
    id8(b"LOGKRNL"),
];
/// Size of GSP_ARGUMENTS_CACHED in 570.144.
const ARGUMENTS: usize = 0x48;
/// Entries of one radix3 page.
const RADIX: u64 = PAGE / 8;

/// An id8: up to eight ASCII characters as one number.
const fn id8(name: &[u8]) -> u64 {
    let mut v = 0;
    let mut i = 0;
    while i < name.len() {
        v = v << 8 | name[i] as u64;
        i += 1;
    }
    v
}

fn read(host: &dyn Host, addr: u64, len: usize, what: &'static str) -> Result<Vec<u8>, Refusal> {
    let mut b = vec![0; len];
    match host.dma_read(addr, &mut b) {
        Ok(()) => Ok(b),
        Err(_) => refuse!("boot-dma", "{what} at {addr:#x} is not readable"),
    }
}

fn empty(b: &[u8]) -> bool {
    b.iter().all(|x| *x == 0)
}

/// Reads bootloader, signature and every page of the image, as booter does to
/// copy and verify them.
pub fn read_firmware(host: &dyn Host, m: &WprMeta) -> Result<(), Refusal> {
    let loader = read(host, m.bootloader, m.bootloader_size as usize, "bootloader")?;
    if empty(&loader[m.code_offset as usize..]) {
        refuse!("boot-firmware", "bootloader has no code at its code offset");
    }
    let signature = read(host, m.signature, m.signature_size as usize, "signature")?;
    if empty(&signature) {
        refuse!("boot-firmware", "image signature is empty");
    }
    let pages = m.image_size.div_ceil(PAGE);
    let tables = pages.div_ceil(RADIX);
    if tables > RADIX {
        refuse!("boot-radix3", "image of {:#x} bytes", m.image_size);
    }
    let entry = |table: &[u8], i: u64| -> Result<u64, Refusal> {
        match u64_at(table, (i % RADIX) as usize * 8) {
            Some(a) if a != 0 && a % PAGE == 0 => Ok(a),
            a => refuse!("boot-radix3", "entry {i} is {a:x?}"),
        }
    };
    let level0 = read(host, m.radix3, PAGE as usize, "radix3 level 0")?;
    let level1 = read(host, entry(&level0, 0)?, PAGE as usize, "radix3 level 1")?;
    let mut blank = true;
    for t in 0..tables {
        let level2 = read(host, entry(&level1, t)?, PAGE as usize, "radix3 level 2")?;
        for p in t * RADIX..pages.min((t + 1) * RADIX) {
            let page = read(host, entry(&level2, p)?, PAGE as usize, "image page")?;
            blank &= empty(&page);
        }
    }
    if blank {
        refuse!("boot-firmware", "image is empty");
    }
    Ok(())
}

/// Follows the libos arguments and attaches the queues.
pub fn attach(host: &dyn Host, libos: u64) -> Result<Rings, Refusal> {
    if libos == 0 || libos % PAGE != 0 {
        refuse!("boot-libos", "libos arguments at {libos:#x}");
    }
    let page = read(host, libos, PAGE as usize, "libos arguments")?;
    let mut arguments = None;
    for (i, e) in page.chunks_exact(LIBOS_ENTRY).enumerate() {
        if empty(e) {
            break;
        }
        let q = |off| u64_at(e, off).unwrap_or(0);
        let (id, addr, size) = (q(0), q(8), q(0x10));
        let place = (u8_at(e, 0x18), u8_at(e, 0x19));
        if place != (Some(KIND_CONTIGUOUS), Some(LOCATION_SYSMEM)) || addr % PAGE != 0 || size == 0
        {
            refuse!(
                "boot-libos",
                "entry {i}: kind and location {place:?}, {size:#x} bytes at {addr:#x}"
            );
        }
        if (i == 0) != (id == id8(b"LOGINIT")) {
            refuse!(
                "boot-libos",
                "LOGINIT must be the first entry and only that"
            );
        }
        if id == id8(b"RMARGS") {
            arguments = Some((addr, size));
        } else if LOGS.contains(&id) {
            check_log(host, addr, size)?;
        }
    }
    let Some((addr, size)) = arguments else {
        refuse!("boot-libos", "no RMARGS entry");
    };
    if size < ARGUMENTS as u64 {
        refuse!("boot-arguments", "{size:#x} bytes");
    }
    let a = read(host, addr, ARGUMENTS, "RM arguments")?;
    let q = |off| u64_at(&a, off).unwrap_or(0);
    let w = |off| u32_at(&a, off).unwrap_or(0);
    if w(0x20) != 0 || w(0x24) != 0 || u8_at(&a, 0x28) != Some(0) {
        refuse!("boot-arguments", "resume arguments on a cold boot");
    }
    let shared = Shared::attach(host, q(0), w(8) as usize)?;
    Rings::attach(host, shared, q(0x10), q(0x18))
}

/// A log buffer starts with a put index and the list of its own pages; GSP
/// writes its first entry.
fn check_log(host: &dyn Host, addr: u64, size: u64) -> Result<(), Refusal> {
    let pages = size / PAGE;
    if size % PAGE != 0 || pages >= RADIX {
        refuse!("boot-log-buffer", "{size:#x} bytes");
    }
    let b = read(host, addr, 8 * (1 + pages as usize), "log buffer")?;
    for i in 0..pages {
        let page = u64_at(&b, 8 * (1 + i as usize)).unwrap_or(0);
        if page % PAGE != 0 || (i == 0 && page != addr) {
            refuse!(
                "boot-log-buffer",
                "page {i} of the buffer at {addr:#x} is {page:#x}"
            );
        }
    }
    let entry = [1, host.now_ns()].map(u64::to_le_bytes).concat();
    match host.dma_write(addr, &entry) {
        Ok(()) => Ok(()),
        Err(_) => refuse!("boot-dma", "log buffer at {addr:#x} is not writable"),
    }
}
