// SPDX-License-Identifier: GPL-2.0

//! Tests of the whole model through its public interface.

mod boot;
mod channels;
mod faults;
mod interrupts;
mod malformed;
mod messages;
mod windows;

#[path = "../support/driver.rs"]
mod driver;
#[path = "../support/machine.rs"]
mod machine;
