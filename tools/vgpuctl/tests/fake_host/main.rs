// SPDX-License-Identifier: GPL-2.0

//! Command lines on a host that is a directory.

mod host;
mod listing;
mod restoring;
mod selecting;
mod vfs;
mod waiting;
