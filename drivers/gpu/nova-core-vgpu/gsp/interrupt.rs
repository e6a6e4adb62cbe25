// SPDX-License-Identifier: GPL-2.0

//! The interrupt with which GSP announces messages.
//!
//! ```text
//!  boot     queue polled                                     leaves quiet, interrupts requested (irq)
//!  enable   SWGEN0 cleared ─▶ vector enabled ─▶ queue looked at once, for what came before
//!  after    GSP queues a message ─▶ SWGEN0 ─▶ vector ─▶ queue drained, waiters woken
//!                                                       ─▶ SWGEN0 cleared ─▶ queue drained again,
//!                                                          events routed
//!           its core stops    ─▶ HALT   ─▶ vector ─▶ the GPU is lost
//!  drop     vector disabled, queue polled again
//! ```
//!
//! SWGEN0 is a latch and only its setting makes an interrupt: one that was left set from boot
//! would be the last.

use kernel::{
    device,
    prelude::*,
    sync::Arc, //
};

use crate::{
    driver::Bar0,
    falcon::{
        gsp::{
            Causes,
            Gsp as GspEngine, //
        },
        Falcon, //
    },
    gpu::loss::{
        Loss,
        Panic, //
    },
    irq::{
        self,
        Irq,
        Vector, //
    },
};

use super::cmdq::Cmdq;

/// How GSP announces messages.
pub(super) struct Announcer<'gpu> {
    falcon: Falcon<'gpu, GspEngine>,
    line: irq::Line<'gpu>,
}

impl Announcer<'_> {
    /// For somebody who has found a message without an announcement. What should have announced it
    /// is still latched somewhere between the falcon and the bus, and stands in the way of the next
    /// one: makes each of them send again.
    pub(super) fn repeat(&self) {
        self.falcon.retrigger();
        self.line.resend();
    }
}

/// Takes the interrupt.
struct Sink<'gpu> {
    falcon: Falcon<'gpu, GspEngine>,
    cmdq: Arc<Cmdq<'gpu>>,
}

impl irq::Sink for Sink<'_> {
    fn interrupt(&self) {
        // Who waits for a reply does not have to wait for the registers.
        self.cmdq.look();
        let Causes { message, fatal } = self.falcon.take_causes();

        if message {
            self.cmdq.announced();
        }
        if fatal != 0 {
            let loss = match Panic::decode(self.falcon.panic_mailbox()) {
                Some(panic) => Loss::Panic(panic),
                None => Loss::Halted(self.falcon.riscv_raw().into_raw()),
            };
            self.cmdq.died(loss);
        }
    }
}

/// Messages are announced as long as it lives.
pub(crate) struct Interrupt<'gpu> {
    cmdq: Arc<Cmdq<'gpu>>,
    _subscription: irq::Subscription<'gpu>,
}

impl Drop for Interrupt<'_> {
    fn drop(&mut self) {
        self.cmdq.announce_by(None);
    }
}

impl<'gpu> Interrupt<'gpu> {
    /// Goes over from polling to the interrupt.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(super) fn enable(
        dev: &'gpu device::Device<device::Bound>,
        bar: Bar0<'gpu>,
        cmdq: &Arc<Cmdq<'gpu>>,
        irq: &Irq<'gpu>,
        vector: Vector,
    ) -> Result<Self> {
        let falcon = Falcon::new(dev, bar);
        falcon.clear_swgen0();
        let sink = Sink {
            falcon,
            cmdq: cmdq.clone(),
        };
        let subscription = irq.subscribe(vector, Arc::new(sink, GFP_KERNEL)?)?;

        cmdq.announce_by(Some(Announcer {
            falcon: Falcon::new(dev, bar),
            line: subscription.line(),
        }));
        cmdq.announced();
        Ok(Self {
            cmdq: cmdq.clone(),
            _subscription: subscription,
        })
    }
}
