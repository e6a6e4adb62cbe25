// SPDX-License-Identifier: GPL-2.0

//! A caller's way through its work.
//!
//! ```text
//!   pieces   1 2 3 4 5 6 7 …
//!            | | | |  next one when 1 is over
//!            +-+-+-+-- in the ring: DEPTH at most
//! ```

use kernel::{
    prelude::*,
    sync::Arc, //
};

use super::{
    chunks::{
        chunks,
        Chunk, //
    },
    fence::{
        Fence,
        Waited, //
    },
    state::Submitted,
    work::Work,
    CopyEngine,
    RECHECK, //
};
use crate::gpu::Gpu;

/// Pieces of work that one caller has in the ring: the engine has something to do while the caller
/// is told that a piece is done and gives it the next one.
const DEPTH: usize = 4;

/// A caller's way through its work.
pub(super) struct Turn<'a, 'gpu> {
    engine: &'a CopyEngine,
    gpu: &'a Gpu<'gpu>,
    /// Pieces that hardware has, oldest first.
    pending: KVec<Arc<Fence>>,
    killed: bool,
}

impl<'a, 'gpu> Turn<'a, 'gpu> {
    /// At its beginning.
    pub(super) fn new(engine: &'a CopyEngine, gpu: &'a Gpu<'gpu>) -> Result<Self> {
        Ok(Self {
            engine,
            gpu,
            pending: KVec::with_capacity(DEPTH, GFP_KERNEL)?,
            killed: false,
        })
    }

    /// Begins every piece, waiting for the oldest one while there are [`DEPTH`].
    pub(super) fn begin_all(&mut self, work: &Work) -> Result {
        for chunk in chunks(work.len()) {
            if self.pending.len() == DEPTH {
                if let Ok(oldest) = self.pending.remove(0) {
                    self.wait(&oldest)?;
                }
            }
            if self.killed {
                return Err(EINTR);
            }
            let fence = Fence::new()?;
            self.begin(work, chunk, &fence)?;
            // There is room.
            let _ = self.pending.push_within_capacity(fence);
        }
        Ok(())
    }

    /// Waits for every piece.
    pub(super) fn end_all(&mut self) -> Result {
        let mut result = Ok(());

        while let Ok(fence) = self.pending.remove(0) {
            result = result.and(self.wait(&fence));
        }
        result
    }

    /// Gives one piece to hardware.
    fn begin(&mut self, work: &Work, chunk: Chunk, fence: &Arc<Fence>) -> Result {
        let (engine, gpu) = (self.engine, self.gpu);

        loop {
            // A statement of its own: the lock must not be held below.
            let submitted = engine.shared.state.lock().submit(gpu, work, chunk, fence)?;
            match submitted {
                Submitted::Yes => return Ok(()),
                // How it ended is its owner's affair: there is room, or no channel.
                Submitted::Full(first) => {
                    let _ = self.wait(&first);
                }
                Submitted::Building(fence) => self.wait(&fence)?,
                Submitted::Build(fence) => engine.build(gpu, &fence)?,
            }
            if self.killed {
                return Err(EINTR);
            }
        }
    }

    /// Waits until `fence` is over. A task that is being killed waits too, since hardware does not
    /// stop; but it begins nothing more. Ends, because hardware and firmware have deadlines.
    fn wait(&mut self, fence: &Fence) -> Result {
        loop {
            match fence.wait(RECHECK, !self.killed) {
                Waited::Over(result) => return result,
                Waited::Killed => self.killed = true,
                Waited::NotYet => self.engine.shared.recheck(),
            }
        }
    }
}
