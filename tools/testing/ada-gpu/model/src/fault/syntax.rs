// SPDX-License-Identifier: GPL-2.0

//! The text form of faults.
//!
//! ```text
//! name[=arg[:arg…]] [; …]     numbers as in properties, COUNT absent: for ever
//! ```

use super::plugin;
use super::Fault;
use super::PluginFault;
use super::Which;
use crate::config::parse_u64;
use std::fmt::Write as _;

const NS_PER_MS: u64 = 1_000_000;
/// Vectors and subtrees of the interrupt tree on Ada.
const VECTORS: u32 = 256;
const SUBTREES: u32 = 4;
/// NV2080_ENGINE_TYPE_COPY0.
const COPY0: u32 = 9;
/// Error word of GSP-RM: tag 0xe in 31:28, task in 23:16, reason in 15:8, code in
/// 7:0 (OGKM 570.144, gsp_error.h).
const PANIC: u32 = 0xe001_0203;

const HELP: &[(&str, &str)] = &[
    (
        "gsp-no-reply=CALL[:COUNT]",
        "GSP does not answer RPC function or control command CALL, COUNT times",
    ),
    (
        "control-status=CMD:STATUS[:COUNT]",
        "control CMD fails with NV_STATUS STATUS, COUNT times",
    ),
    (
        "rpc-result=FN:RESULT[:COUNT[:SKIP]]",
        "RPC FN ends with RESULT, COUNT times, after SKIP that go well",
    ),
    (
        "bad-checksum[=CALL[:COUNT]]",
        "messages from GSP (answers to CALL) carry a wrong checksum",
    ),
    (
        "corrupt-element[=CALL[:COUNT]]",
        "messages from GSP are damaged behind their checksum",
    ),
    (
        "bad-length[=CALL[:COUNT]]",
        "messages from GSP carry a length that does not fit",
    ),
    (
        "late-reply=CALL:MS[:COUNT]",
        "the answer to CALL comes MS milliseconds late, COUNT times",
    ),
    ("no-init-done", "GSP stays silent after the init commands"),
    ("scrubber-handoff=N", "scrubber halts with hand-off value N"),
    ("scrubber-hang", "scrubber never halts"),
    (
        "booter-error=CODE",
        "booter-load fails with mailbox value CODE",
    ),
    ("frts-error=CODE", "FWSEC-FRTS reports error CODE"),
    (
        "register=OFFSET:VALUE",
        "BAR0 register OFFSET reads as VALUE",
    ),
    (
        "lost-interrupt=VECTOR[:COUNT]",
        "vector VECTOR of the PF is not latched, COUNT times",
    ),
    (
        "lost-message=SUBTREE[:COUNT]",
        "the MSI(-X) message of SUBTREE is not sent, COUNT times",
    ),
    (
        "gsp-death[=AFTER_MS]",
        "GSP-RM halts silently, once, AFTER_MS from now or from INIT_DONE",
    ),
    (
        "gsp-panic[=MAILBOX[:AFTER_MS]]",
        "the same with MAILBOX in 0x110804 and the halt interrupt",
    ),
    (
        "queue-stall=MS",
        "GSP takes no command for MS milliseconds from now",
    ),
    (
        "rc-storm=COUNT[:ENGINE:CHID[:GFID]]",
        "GSP reports COUNT channel errors at once",
    ),
    (
        "tlb-timeout[=COUNT]",
        "a TLB invalidate never completes, COUNT times",
    ),
    (
        "flr-fails[=COUNT]",
        "a function level reset does nothing, COUNT times",
    ),
    (
        "ce-hang[=COUNT]",
        "a copy engine stops in a launch, COUNT times",
    ),
    (
        "ce-fault[=COUNT]",
        "a launch ends in an MMU fault and stops its channel, COUNT times",
    ),
    (
        "lost-nonstall[=COUNT]",
        "work completes without its non-stall vector, COUNT times",
    ),
    ("off-bus", "the board answers nothing: reads give all ones"),
];

/// Every fault, and what it does.
fn help_lines() -> impl Iterator<Item = &'static (&'static str, &'static str)> {
    HELP.iter().chain(plugin::HELP)
}

/// One line per fault that can be asked for.
pub(super) fn help() -> String {
    help_lines().fold(String::new(), |mut out, (spec, what)| {
        let _ = writeln!(out, "{spec:<36} {what}");
        out
    })
}

/// Parses one fault.
pub(super) fn parse(spec: &str) -> Result<Fault, String> {
    let (name, rest) = match spec.split_once('=') {
        Some((name, rest)) => (name, rest.split(':').collect()),
        None => (spec, Vec::new()),
    };
    let args: Vec<u64> = rest
        .iter()
        .map(|a| parse_u64(a).map_err(|e| format!("fault {spec}: {a}: {e}")))
        .collect::<Result<_, _>>()?;
    let word = |i: usize| -> Result<u32, String> {
        let v = args
            .get(i)
            .ok_or_else(|| format!("fault {spec}: argument {} is missing", i + 1))?;
        u32::try_from(*v).map_err(|_| format!("fault {spec}: argument {} is too large", i + 1))
    };
    let opt = |i: usize| args.get(i).map(|_| word(i)).transpose();
    let which = || -> Result<Which, String> {
        Ok(Which {
            call: opt(0)?,
            count: opt(1)?,
        })
    };
    let ms = |i: usize| word(i).map(|v| u64::from(v) * NS_PER_MS);
    let opt_ms =
        |i: usize| -> Result<u64, String> { Ok(opt(i)?.map_or(0, |v| u64::from(v) * NS_PER_MS)) };
    let (fault, most) = match name {
        "gsp-no-reply" => (
            Fault::GspNoReply {
                call: word(0)?,
                count: opt(1)?,
            },
            2,
        ),
        "control-status" => (
            Fault::ControlStatus {
                cmd: word(0)?,
                status: word(1)?,
                count: opt(2)?,
            },
            3,
        ),
        "rpc-result" => (
            Fault::RpcResult {
                function: word(0)?,
                result: word(1)?,
                count: opt(2)?,
                skip: opt(3)?.unwrap_or(0),
            },
            4,
        ),
        "bad-checksum" => (Fault::BadChecksum(which()?), 2),
        "corrupt-element" => (Fault::CorruptElement(which()?), 2),
        "bad-length" => (Fault::BadLength(which()?), 2),
        "late-reply" => (
            Fault::LateReply {
                call: word(0)?,
                delay_ns: ms(1)?,
                count: opt(2)?,
            },
            3,
        ),
        "no-init-done" => (Fault::NoInitDone, 0),
        "scrubber-handoff" => match word(0)? {
            n @ 0..=7 => (Fault::ScrubberHandoff(n as u8), 1),
            _ => return Err(format!("fault {spec}: hand-off is 0..7")),
        },
        "scrubber-hang" => (Fault::ScrubberHang, 0),
        "booter-error" => (Fault::BooterError(word(0)?), 1),
        "frts-error" => match u16::try_from(word(0)?) {
            Ok(n) => (Fault::FrtsError(n), 1),
            Err(_) => return Err(format!("fault {spec}: error code has 16 bits")),
        },
        "register" => (
            Fault::Register {
                offset: word(0)?,
                value: word(1)?,
            },
            2,
        ),
        "lost-interrupt" => match word(0)? {
            vector if vector < VECTORS => (
                Fault::LostInterrupt {
                    vector,
                    count: opt(1)?,
                },
                2,
            ),
            _ => return Err(format!("fault {spec}: vectors are 0..{}", VECTORS - 1)),
        },
        "lost-message" => match word(0)? {
            subtree if subtree < SUBTREES => (
                Fault::LostMessage {
                    subtree,
                    count: opt(1)?,
                },
                2,
            ),
            _ => return Err(format!("fault {spec}: subtrees are 0..{}", SUBTREES - 1)),
        },
        "gsp-death" => (
            Fault::GspDeath {
                after_ns: opt_ms(0)?,
            },
            1,
        ),
        "gsp-panic" => (
            Fault::GspPanic {
                mailbox: opt(0)?.unwrap_or(PANIC),
                after_ns: opt_ms(1)?,
            },
            2,
        ),
        "queue-stall" => (Fault::QueueStall { ns: ms(0)? }, 1),
        "rc-storm" => (
            Fault::RcStorm {
                count: word(0)?,
                engine: opt(1)?.unwrap_or(COPY0),
                chid: if args.len() == 2 {
                    word(2)?
                } else {
                    opt(2)?.unwrap_or(1)
                },
                gfid: opt(3)?.unwrap_or(0),
            },
            4,
        ),
        "tlb-timeout" => (Fault::TlbTimeout { count: opt(0)? }, 1),
        "flr-fails" => (Fault::FlrFails { count: opt(0)? }, 1),
        "ce-hang" => (Fault::CeHang { count: opt(0)? }, 1),
        "ce-fault" => (Fault::CeFault { count: opt(0)? }, 1),
        "lost-nonstall" => (Fault::LostNonstall { count: opt(0)? }, 1),
        "off-bus" => (Fault::OffBus, 0),
        _ => match PluginFault::parse(name, word, opt) {
            Some(parsed) => parsed.map(|(fault, most)| (Fault::Plugin(fault), most))?,
            None => return Err(format!("no fault named '{name}'\n{}", help())),
        },
    };
    if args.len() > most {
        return Err(format!("fault {spec}: too many arguments"));
    }
    Ok(fault)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::Faults;
    use crate::gsp::Call;

    #[test]
    fn parse_many_and_use_up() {
        let mut f = Faults::default();
        f.set(
            "gsp-no-reply=76:2; control-status=0x20804001:0x56:1;late-reply=65:20;plugin-no-boot",
        )
        .unwrap();
        let call = |function| Call::of(function, &[]);
        assert!(!f.no_reply(call(10)) && f.no_reply(call(76)));
        assert!(f.no_reply(call(76)) && !f.no_reply(call(76)));
        assert_eq!(f.control_status(0x2080_4001), Some(0x56));
        assert_eq!(f.control_status(0x2080_4001), None);
        assert_eq!(f.late_reply(call(65)), 20_000_000);
        assert!(f.has(&Fault::Plugin(PluginFault::NoBoot)));
        f.set("").unwrap();
        assert_eq!(f.iter().count(), 0);
    }

    #[test]
    fn counts_and_skips() {
        let mut f = Faults::default();
        f.set("rpc-result=103:0x1a:1:2;bad-checksum=76:1").unwrap();
        assert_eq!(f.rpc_result(76), None);
        let results: Vec<_> = (0..4).map(|_| f.rpc_result(103)).collect();
        assert_eq!(results, [None, None, Some(0x1a), None]);
        let mut damaged = |function| f.iter_mut().any(|f| f.damages(Call::of(function, &[])));
        assert!(!damaged(10) && damaged(76) && !damaged(76));
    }

    #[test]
    fn bad_text_changes_nothing() {
        let mut f = Faults::default();
        f.set("plugin-no-boot").unwrap();
        for bad in [
            "nope",
            "gsp-no-reply",
            "gsp-no-reply=1:2:3",
            "plugin-result=1",
            "register=0x100000000:1",
            "lost-interrupt=256",
            "lost-message=4",
            "rc-storm",
            "rc-storm=2:9",
            "queue-stall",
        ] {
            assert!(f.set(bad).is_err(), "{bad}");
        }
        assert!(f.has(&Fault::Plugin(PluginFault::NoBoot)));
    }

    #[test]
    fn losses_are_counted_per_vector() {
        let mut f = Faults::default();
        f.set("lost-interrupt=155:2;lost-message=2:1;tlb-timeout=1;flr-fails=1;ce-hang=1")
            .unwrap();
        assert!(f.ce_hang() && !f.ce_hang() && !f.ce_fault() && !f.lost_nonstall());
        assert!(!f.lost_interrupt(1) && f.lost_interrupt(155) && f.lost_interrupt(155));
        assert!(!f.lost_interrupt(155));
        assert!(!f.lost_message(0) && f.lost_message(2) && !f.lost_message(2));
        assert!(f.tlb_timeout() && !f.tlb_timeout());
        assert!(f.flr_fails() && !f.flr_fails());
    }

    #[test]
    fn help_names_every_fault() {
        for (spec, _) in help_lines() {
            let name = spec.split(['=', '[']).next().unwrap();
            let err = parse(name).map(|_| String::new()).unwrap_or_else(|e| e);
            assert!(!err.contains("no fault named"), "{name}");
        }
    }
}
