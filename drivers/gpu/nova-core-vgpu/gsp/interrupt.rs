// SPDX-License-Identifier: GPL-2.0

//! The interrupt with which GSP announces messages.
//!
//! ```text
//!  boot     queue polled                                     leaves quiet, interrupts requested (irq)
//!  enable   SWGEN0 cleared ─▶ vector enabled ─▶ queue looked at once, for what came before
//!  after    GSP queues a message ─▶ SWGEN0 ─▶ vector ─▶ SWGEN0 cleared ─▶ queue drained,
//!                                                       waiters woken, events routed
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
    irq::{
        self,
        Irq,
        Vector, //
    },
};

use super::cmdq::Cmdq;

/// Takes the interrupt.
struct Sink<'gpu> {
    dev: &'gpu device::Device<device::Bound>,
    falcon: Falcon<'gpu, GspEngine>,
    cmdq: Arc<Cmdq<'gpu>>,
}

impl irq::Sink for Sink<'_> {
    fn interrupt(&self) {
        let Causes { message, fatal } = self.falcon.take_causes();

        if message {
            self.cmdq.poll_events();
        }
        if fatal != 0 {
            dev_err!(
                self.dev,
                "GSP: has stopped (interrupt causes {:#x}); reload the driver\n",
                fatal
            );
        }
    }
}

/// Messages are announced as long as it lives.
pub(crate) struct Interrupt<'gpu> {
    _subscription: irq::Subscription<'gpu>,
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
            dev,
            falcon,
            cmdq: cmdq.clone(),
        };
        let subscription = irq.subscribe(vector, Arc::new(sink, GFP_KERNEL)?)?;

        cmdq.poll_events();
        Ok(Self {
            _subscription: subscription,
        })
    }
}
