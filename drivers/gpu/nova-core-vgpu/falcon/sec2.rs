// SPDX-License-Identifier: GPL-2.0

//! The SEC2 falcon, which runs booter and scrubber.

use kernel::io::register::RegisterBase;

use crate::regs::falcon::{
    PFalcon,
    PFalcon2, //
};

use super::Engine;

/// Names the SEC2 engine.
pub(crate) struct Sec2(());

impl RegisterBase<PFalcon> for Sec2 {
    const BASE: usize = 0x84_0000;
}

impl RegisterBase<PFalcon2> for Sec2 {
    const BASE: usize = 0x84_1000;
}

impl Engine for Sec2 {
    const NAME: &'static str = "SEC2";
}
