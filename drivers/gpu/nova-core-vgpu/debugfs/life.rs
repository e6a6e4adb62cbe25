// SPDX-License-Identifier: GPL-2.0

//! Where the GPU is in its life, and how often it was lost.

use kernel::{
    fmt,
    prelude::*, //
};

use super::Files;

/// Contents of `life`.
pub(super) fn life(files: &Files, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let life = files.handle.gpu().life();
    let (losses, loss) = life.losses();

    writeln!(f, "phase {}", life.phase().name())?;
    writeln!(f, "boots {}", life.boots())?;
    writeln!(f, "losses {losses}")?;
    match loss {
        Some(loss) => f.write_fmt(fmt!("last loss: {}\n", loss)),
        None => Ok(()),
    }
}
