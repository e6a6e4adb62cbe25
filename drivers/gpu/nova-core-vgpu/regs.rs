// SPDX-License-Identifier: GPL-2.0

//! BAR0 registers of Ada GPUs, one file per engine.
//!
//! ```text
//! BAR0   0x000000  PMC      identification                    pmc
//!        0x001400  PBUS     software scratch words            pbus
//!        0x088000  XVE      mirror of the config space        xve
//!        0x100c10  PFB      sysmem flush page                 pfb
//!        0x110000  PGSP     GSP falcon and RISC-V core        falcon, gsp
//!        0x118000  PGC6     always-on scratch words           pgc6
//!        0x1fa824  PFB PRI  WPR2 limits                       pfb
//!        0x300000  PROM     1 MiB window on the VBIOS ROM     prom
//!        0x625f04  PDISP    VGA workspace                     pdisp
//!        0x820000  FUSE     fuses                             fuse
//!        0x840000  PSEC     SEC2 falcon                       falcon
//! ```
//!
//! Offsets and fields are those of the OGKM 570.144 headers below
//! `src/common/inc/swref/published`. A value that reports a state must go through
//! [`check::check`] before it is decoded, because the pattern of a failed read can decode as
//! success.

pub(crate) mod check;
pub(crate) mod falcon;
pub(crate) mod fuse;
pub(crate) mod gsp;
pub(crate) mod pbus;
pub(crate) mod pdisp;
pub(crate) mod pfb;
pub(crate) mod pgc6;
pub(crate) mod pmc;
pub(crate) mod pramin;
pub(crate) mod prom;
pub(crate) mod usermode;
pub(crate) mod vf;
pub(crate) mod xve;
