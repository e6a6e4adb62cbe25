// SPDX-License-Identifier: GPL-2.0

//! Firmware interfaces, one module per version of GSP-RM.

pub(crate) mod r570_144;
