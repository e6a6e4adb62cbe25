// SPDX-License-Identifier: GPL-2.0

//! Whether GSP is alive.
//!
//! ```text
//!   every PERIOD   BOOT_0, mailbox, RISCV_CPUCTL: gone, died, stopped?         3 reads
//!                  something received since the last look?  ── yes ─▶ alive
//!                     └─ no: ask a question ── answer of any kind ─▶ alive
//!                                          └── none within DEADLINE, nor anything else ─▶ lost
//! ```
//!
//! A GSP that has died while nobody asks it anything would otherwise be found out by the next tenant
//! who wants a vGPU, and the running ones would be without events until then. The registers show a
//! core that has stopped (as does its interrupt, if it comes) but not one that spins, hence the
//! question: the version of the firmware, which GSP-RM answers from memory. On a GPU that is idle that is one message in two seconds; on one
//! that is busy there is none, because what others receive counts.
//!
//! A request of somebody else that is not answered proves nothing: it may be a slow one. Lost is a
//! GSP that answers neither that nor this one and has been silent for the whole time.

use kernel::{
    io::Io,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc, //
    },
    time::Delta, //
};

use super::{
    gate::Gate,
    loss::{
        Loss,
        Panic, //
    },
    Gpu, //
};
use crate::{
    gsp::{
        events::{
            Event,
            Sink, //
        },
        rm::{
            queries,
            Target, //
        },
    },
    regs::{
        check::{
            check,
            BadRead, //
        },
        pmc::NV_PMC_BOOT_0, //
    },
};

/// Between two looks.
pub(crate) const PERIOD: Delta = Delta::from_secs(2);
/// For the answer. As long as an ordinary request may take, so that this one does not come too soon
/// behind one that is just about to be answered.
const DEADLINE: Delta = Delta::from_secs(5);

/// What was seen at the last look.
pub(crate) struct Health {
    received: Atomic<u64>,
}

impl Health {
    /// Nothing so far.
    pub(crate) const fn new() -> Self {
        Self {
            received: Atomic::new(0),
        }
    }

    /// Looks at `gpu`. Sleeps while it waits for an answer. `Some`: it is lost.
    pub(crate) fn check(&self, gpu: &Gpu<'_>) -> Option<Loss> {
        if let Some(loss) = registers(gpu) {
            return Some(loss);
        }
        let received = received(gpu);
        if self.received.xchg(received, Relaxed) != received {
            return None;
        }

        let info = gpu.static_info();
        let subdevice = Target {
            client: info.h_client,
            object: info.h_subdevice,
        };
        let answered = queries::is_alive(gpu.cmdq(), subdevice, DEADLINE);
        let now = self::received(gpu);
        self.received.store(now, Relaxed);
        if answered || now != received {
            return None;
        }
        // Its last words may have come in the meantime.
        Some(registers(gpu).unwrap_or(Loss::Silent))
    }
}

/// Signs of life so far. A message that is damaged is one: who sends it is not silent.
fn received(gpu: &Gpu<'_>) -> u64 {
    let stats = gpu.cmdq().stats().0;

    stats.received + stats.corrupt
}

/// Told when GSP stops one channel of the PF after the other.
pub(crate) struct RcWatch(Arc<Gate>);

impl RcWatch {
    /// Watches over the GPU behind `gate`. To be subscribed to [`Filter::RcStorm`].
    ///
    /// [`Filter::RcStorm`]: crate::gsp::events::Filter::RcStorm
    pub(crate) fn new(gate: Arc<Gate>) -> Result<Arc<Self>> {
        Ok(Arc::new(Self(gate), GFP_KERNEL)?)
    }
}

impl Sink for RcWatch {
    fn event(&self, _event: &Event<'_>) -> bool {
        let Ok(gpu) = self.0.enter() else {
            return false;
        };
        gpu.lost(Loss::RcStorm);
        true
    }
}

/// What the registers say.
pub(crate) fn registers(gpu: &Gpu<'_>) -> Option<Loss> {
    if check(gpu.bar().read(NV_PMC_BOOT_0).into_raw()) == Err(BadRead::Gone) {
        return Some(Loss::Removed);
    }
    if let Some(panic) = Panic::decode(gpu.gsp().falcon().panic_mailbox()) {
        return Some(Loss::Panic(panic));
    }
    // A read that the GPU refuses says nothing about the core.
    let riscv = gpu.gsp().falcon().riscv_raw();
    match check(riscv) {
        Ok(r) if r.halted() || !r.active_stat() => Some(Loss::Halted(r.into_raw())),
        _ => None,
    }
}
