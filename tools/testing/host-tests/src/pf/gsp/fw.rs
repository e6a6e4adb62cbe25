// SPDX-License-Identifier: GPL-2.0

//! Firmware interfaces.

pub(crate) mod r570_144;
