// SPDX-License-Identifier: GPL-2.0

//! How long it takes to GSP and back, without what a caller does.
//!
//! ```text
//!   start ─▶ element written ─▶ doorbell ─▶ GSP ─▶ hard interrupt
//!            (this task waits for the last one without sleeping, and only then for the reply)
//! ```
//!
//! What no caller of GSP that is told by an interrupt can get below. For self-tests and benchmarks.

use kernel::{
    prelude::*,
    time::{
        Delta,
        Instant,
        Monotonic, //
    },
};

use super::{
    Cmdq,
    Rpc,
    Wait, //
};

/// Looks for the interrupt; some tens of milliseconds.
const LOOKS: u32 = 1 << 20;

impl Cmdq<'_> {
    /// Sends a request, waits until `interrupted` returns the time of the interrupt, and then for
    /// the reply. Returns the time from the beginning of the sending to the interrupt, and the reply.
    ///
    /// # Errors
    ///
    /// `ETIMEDOUT` when there is no interrupt, and those of [`Self::call_raw`].
    pub(crate) fn probe(
        &self,
        function: u32,
        payload: &[u8],
        interrupted: impl Fn() -> Option<Instant<Monotonic>>,
    ) -> Result<(Delta, Rpc)> {
        let ticket = self.register(function, payload.len(), Instant::now())?;
        let start = Instant::now();
        let sent = self.transmit(
            function,
            ticket.sequence,
            payload,
            &ticket.wake,
            Wait::UNINTERRUPTIBLE,
        );
        let mut came = None;

        if sent.is_ok() {
            for _ in 0..LOOKS {
                came = interrupted();
                if came.is_some() {
                    break;
                }
                core::hint::spin_loop();
            }
        }
        let reply = sent
            .and_then(|()| self.wait(function, &ticket, Wait::UNINTERRUPTIBLE))
            .inspect_err(|_| self.pending.lock().waiters.abandon(ticket.sequence))?;

        Ok((came.ok_or(ETIMEDOUT)? - start, reply))
    }
}
