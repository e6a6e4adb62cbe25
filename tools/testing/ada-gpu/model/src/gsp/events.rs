// SPDX-License-Identifier: GPL-2.0

//! Messages GSP sends on its own: their payloads, and the text a test names them by.
//!
//! ```text
//! 0x1003 POST_EVENT     0 hClient  4 hEvent  8 notifyIndex  c data  10 info16 (u16)
//!                      14 status  18 eventDataSize  1c bNotifyList (u8)
//! 0x1004 RC_TRIGGERED   0 engine type  4 chid  8 gfid  c level  10 exceptType  14 scope
//!                      18 partition (u16)  1c, 20 fault address  24 fault type
//!                      28 bCallbackNeeded (u8)  2c journal size  30 journal
//! 0x1006 OS_ERROR_LOG   0 exceptType (Xid)  4 runlist  8 chid  c text[256]  10c -
//! 0x1008 GPUACCT_…      0 type (u8)  4 bufSize  8 count  c tracker  10 72 samples of 56
//! 0x100d VGPU_GSP_PLUGIN_TRIGGERED   0 gfid  4 notifyIndex
//! ```
//!
//! Layouts: OGKM 570.144, g_rpc-structures.h and rpc_global_enums.h.

use crate::bytes::{put, put_u32, put_u64};
use crate::config::parse_u64;
use crate::services::GspEvent;
use std::fmt::Write as _;

/// Event function numbers.
pub mod function {
    /// A registered event happened.
    pub const POST_EVENT: u32 = 0x1003;
    /// A channel was stopped because of an error.
    pub const RC_TRIGGERED: u32 = 0x1004;
    /// A line for the system's log.
    pub const OS_ERROR_LOG: u32 = 0x1006;
    /// Utilisation samples.
    pub const GPUACCT_PERFMON_UTIL_SAMPLES: u32 = 0x1008;
    /// A vGPU's plugin task has something to say.
    pub const VGPU_GSP_PLUGIN_TRIGGERED: u32 = 0x100d;
}

/// ROBUST_CHANNEL_FIFO_ERROR_MMU_ERR_FLT: the Xid of an MMU fault.
pub const RC_MMU_FAULT: u32 = 31;
/// No such runlist or channel.
const INVALID: u32 = u32::MAX;

const POST_SIZE: usize = 0x20;
const RC_SIZE: usize = 0x30;
const OS_ERROR_SIZE: usize = 0x110;
const OS_ERROR_TEXT: usize = 0xc;
/// Bytes of text, with its terminating zero.
const OS_ERROR_TEXT_SIZE: usize = 0x100;
const SAMPLE_SIZE: usize = 56;
const SAMPLES: usize = 72;
const SAMPLES_AT: usize = 16;
/// Largest payload of `raw`: more than the status queue can hold at once.
const RAW_MAX: u64 = 1 << 20;

/// A channel error.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rc {
    /// NV2080 engine type; with the channel it names who failed.
    pub engine: u32,
    /// Channel, in the host's numbering.
    pub chid: u32,
    /// Function that owns the channel; 0 for the PF.
    pub gfid: u32,
    /// Kind of error, which is the number of the Xid.
    pub kind: u32,
    /// Virtual address of an MMU fault.
    pub fault_addr: u64,
    /// Type of an MMU fault, the hardware's number.
    pub fault_type: u32,
}

/// RC_TRIGGERED.
pub fn rc_triggered(rc: &Rc) -> GspEvent {
    let mut p = vec![0; RC_SIZE];
    put_u32(&mut p, 0, rc.engine);
    put_u32(&mut p, 4, rc.chid);
    put_u32(&mut p, 8, rc.gfid);
    put_u32(&mut p, 0x10, rc.kind);
    put_u64(&mut p, 0x1c, rc.fault_addr);
    put_u32(&mut p, 0x24, rc.fault_type);
    event(function::RC_TRIGGERED, p)
}

/// POST_EVENT without data, for notifier `index` of an event object.
pub fn post_event(client: u32, object: u32, index: u32) -> GspEvent {
    let mut p = vec![0; POST_SIZE];
    put_u32(&mut p, 0, client);
    put_u32(&mut p, 4, object);
    put_u32(&mut p, 8, index);
    event(function::POST_EVENT, p)
}

/// OS_ERROR_LOG; the text is cut to what fits.
pub fn os_error(xid: u32, text: &str) -> GspEvent {
    let mut p = vec![0; OS_ERROR_SIZE];
    put_u32(&mut p, 0, xid);
    put_u32(&mut p, 4, INVALID);
    put_u32(&mut p, 8, INVALID);
    let bytes = text.as_bytes();
    put(
        &mut p,
        OS_ERROR_TEXT,
        &bytes[..bytes.len().min(OS_ERROR_TEXT_SIZE - 1)],
    );
    event(function::OS_ERROR_LOG, p)
}

/// GPUACCT_PERFMON_UTIL_SAMPLES with `count` samples taken at `now_ns`.
pub fn util_samples(count: usize, now_ns: u64) -> GspEvent {
    let mut p = vec![0; SAMPLES_AT + SAMPLES * SAMPLE_SIZE];
    let count = count.min(SAMPLES);
    put_u32(&mut p, 4, (SAMPLES * SAMPLE_SIZE) as u32);
    put_u32(&mut p, 8, count as u32);
    for i in 0..count {
        let at = SAMPLES_AT + i * SAMPLE_SIZE;
        put_u64(&mut p, at, now_ns / 1000);
        // Frame buffer, graphics, encoder, decoder: utilisation, process, sub-process.
        for engine in 0..4 {
            put_u32(&mut p, at + 8 + 12 * engine, (i * 100 / SAMPLES) as u32);
        }
    }
    event(function::GPUACCT_PERFMON_UTIL_SAMPLES, p)
}

/// VGPU_GSP_PLUGIN_TRIGGERED.
pub fn plugin_triggered(gfid: u32, index: u32) -> GspEvent {
    let mut p = vec![0; 8];
    put_u32(&mut p, 0, gfid);
    put_u32(&mut p, 4, index);
    event(function::VGPU_GSP_PLUGIN_TRIGGERED, p)
}

fn event(function: u32, payload: Vec<u8>) -> GspEvent {
    GspEvent { function, payload }
}

const HELP: &[(&str, &str)] = &[
    (
        "rc:ENGINE:CHID:GFID[:XID[:ADDR:TYPE]]",
        "channel error: engine type, channel, function, error, MMU fault",
    ),
    (
        "perfmon[:SAMPLES]",
        "GPU accounting samples, up to 72 (default 1)",
    ),
    ("os-error:XID[:TEXT]", "line for the log of the system"),
    (
        "post:NOTIFIER",
        "notifier fires; those who have registered are told",
    ),
    (
        "post:NOTIFIER:CLIENT:EVENT",
        "the message alone, of whatever event object",
    ),
    (
        "plugin:GFID:INDEX",
        "a vGPU's plugin task triggers notifier INDEX",
    ),
    (
        "guest:GFID:LICENSE:OS",
        "a vGPU's guest says what its licence and operating system are",
    ),
    (
        "raw:FUNCTION:LEN",
        "message FUNCTION with LEN bytes counting up",
    ),
];

/// One line per event that can be asked for.
pub fn help() -> String {
    HELP.iter().fold(String::new(), |mut out, (spec, what)| {
        let _ = writeln!(out, "{spec:<40} {what}");
        out
    })
}

/// What a test asks for.
#[derive(Debug, PartialEq, Eq)]
pub enum Wish {
    /// This message.
    Message(GspEvent),
    /// Whatever GSP-RM makes of a notifier that fires.
    Notifier(u32),
    /// The guest of a function tells its plugin task about its licence and system.
    Guest {
        /// The function.
        gfid: u32,
        /// Licence state.
        license: u32,
        /// Operating system.
        os: u32,
    },
}

/// What `spec` asks for.
pub fn parse(spec: &str, now_ns: u64) -> Result<Wish, String> {
    let (name, rest) = spec.split_once(':').unwrap_or((spec, ""));
    let fail = |why: &str| Err(format!("event {spec}: {why}"));
    if name == "os-error" {
        let (xid, text) = rest.split_once(':').unwrap_or((rest, ""));
        let Ok(Ok(xid)) = parse_u64(xid).map(u32::try_from) else {
            return fail("XID is a 32-bit number");
        };
        return Ok(Wish::Message(os_error(xid, text)));
    }
    let mut args = Vec::new();
    for a in rest.split(':').filter(|_| !rest.is_empty()) {
        match parse_u64(a) {
            Ok(v) => args.push(v),
            Err(why) => return fail(&format!("{a}: {why}")),
        }
    }
    let mut words = Vec::new();
    for a in &args {
        // Only ADDR is wider; it is taken from `args`.
        words.push(*a as u32);
        if u32::try_from(*a).is_err() && !(name == "rc" && words.len() == 5) {
            return fail(&format!("{a:#x} is too large"));
        }
    }
    Ok(Wish::Message(match (name, words.as_slice()) {
        ("rc", [engine, chid, gfid, more @ ..]) if [0, 1, 3].contains(&more.len()) => {
            rc_triggered(&Rc {
                engine: *engine,
                chid: *chid,
                gfid: *gfid,
                kind: more.first().copied().unwrap_or(RC_MMU_FAULT),
                fault_addr: args.get(4).copied().unwrap_or(0),
                fault_type: more.get(2).copied().unwrap_or(0),
            })
        }
        ("perfmon", []) => util_samples(1, now_ns),
        ("perfmon", [count]) if *count as usize <= SAMPLES => util_samples(*count as usize, now_ns),
        ("post", [index]) => return Ok(Wish::Notifier(*index)),
        ("guest", [gfid, license, os]) => {
            return Ok(Wish::Guest {
                gfid: *gfid,
                license: *license,
                os: *os,
            })
        }
        ("post", [index, client, object]) => post_event(*client, *object, *index),
        ("plugin", [gfid, index]) => plugin_triggered(*gfid, *index),
        ("raw", [function, len]) if u64::from(*len) <= RAW_MAX => {
            event(*function, (0..*len).map(|i| i as u8).collect())
        }
        ("rc" | "perfmon" | "post" | "guest" | "plugin" | "raw", _) => {
            return fail("wrong number of arguments, or one is too large")
        }
        _ => return Err(format!("no event named '{name}'\n{}", help())),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bytes::{u32_at, u64_at};

    fn message(spec: &str) -> GspEvent {
        match parse(spec, 1) {
            Ok(Wish::Message(e)) => e,
            other => panic!("{spec}: {other:?}"),
        }
    }

    #[test]
    fn channel_error() {
        let e = message("rc:10:0x2d:3:43:0x123456789000:2");
        assert_eq!((e.function, e.payload.len()), (0x1004, 0x30));
        let w = |off| u32_at(&e.payload, off).unwrap();
        assert_eq!([w(0), w(4), w(8), w(0x10), w(0x24)], [10, 45, 3, 43, 2]);
        assert_eq!(u64_at(&e.payload, 0x1c), Some(0x1234_5678_9000));
        let e = message("rc:9:1:0");
        assert_eq!(u32_at(&e.payload, 0x10), Some(31));
    }

    #[test]
    fn text_is_kept_and_cut() {
        let e = message("os-error:79:GPU has fallen: off the bus");
        assert_eq!(e.payload.len(), 0x110);
        assert_eq!(u32_at(&e.payload, 0), Some(79));
        assert_eq!(u32_at(&e.payload, 8), Some(u32::MAX));
        assert!(e.payload[12..].starts_with(b"GPU has fallen: off the bus\0"));
        let e = os_error(1, &"x".repeat(1000));
        assert_eq!(e.payload[12 + 254..12 + 256], [b'x', 0]);
    }

    #[test]
    fn sizes_of_the_others() {
        for (spec, function, len) in [
            ("perfmon", 0x1008, 4048),
            ("perfmon:72", 0x1008, 4048),
            ("post:35:0xc1d00001:7", 0x1003, 0x20),
            ("plugin:1:2", 0x100d, 8),
            ("raw:0x10ff:100000", 0x10ff, 100_000),
        ] {
            let e = message(spec);
            assert_eq!((e.function, e.payload.len()), (function, len), "{spec}");
        }
        assert_eq!(parse("post:35", 1), Ok(Wish::Notifier(35)));
    }

    #[test]
    fn guests_are_told_apart() {
        let guest = Wish::Guest {
            gfid: 3,
            license: 2,
            os: 16,
        };
        assert_eq!(parse("guest:3:2:0x10", 0), Ok(guest));
        for bad in [
            "guest:1:2",
            "guest:1:2:3:4",
            "guest:1:2:x",
            "guest:1:2:0x100000000",
        ] {
            assert!(parse(bad, 0).is_err(), "{bad}");
        }
    }

    #[test]
    fn bad_text_is_refused() {
        for bad in [
            "",
            "rc",
            "rc:1:2",
            "rc:1:2:3:4:5",
            "rc:0x100000000:1:1",
            "perfmon:73",
            "os-error",
            "os-error:x",
            "post",
            "post:1:2",
            "plugin:1",
            "raw:1:0x200000",
            "nope:1",
        ] {
            assert!(parse(bad, 0).is_err(), "{bad}");
        }
        assert!(parse("nope", 0).unwrap_err().contains("plugin:GFID:INDEX"));
    }
}
