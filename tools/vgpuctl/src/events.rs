// SPDX-License-Identifier: GPL-2.0

//! Waiting for something to change: the kernel's uevents, by netlink.
//!
//! The kernel sends one for each function that appears, goes, or gets or loses a driver, and the vGPU
//! driver for each change of type or state. What is read from sysfs afterwards counts, never what the
//! message says: anybody could have sent it, and messages get lost when there are many.

use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::event::{poll, PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::net::netlink::{SocketAddrNetlink, KOBJECT_UEVENT};
use rustix::net::{bind, recv, socket_with, AddressFamily, RecvFlags, SocketFlags, SocketType};

use crate::error::{Error, Result};

/// A source of changes.
pub trait Events {
    /// Comes back when something may have changed, or after `limit`.
    fn wait(&mut self, limit: Duration) -> Result;
}

/// The kernel's own group of the uevent family; 2 is udev's.
const KERNEL_GROUP: u32 = 1;
/// A container hears no uevents, and not every version of the vGPU driver sends them: look again
/// after this.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Uevents.
pub struct Uevents(OwnedFd);

impl Uevents {
    /// Listens from now on.
    pub fn listen() -> Result<Self> {
        let open = || {
            let socket = socket_with(
                AddressFamily::NETLINK,
                SocketType::DGRAM,
                SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
                Some(KOBJECT_UEVENT),
            )?;
            bind(&socket, &SocketAddrNetlink::new(0, KERNEL_GROUP))?;
            Ok(Self(socket))
        };
        open().map_err(failed)
    }

    /// Takes everything that has arrived.
    fn drain(&self) -> Result {
        let mut message = [0; 4096];
        loop {
            match recv(&self.0, message.as_mut_slice(), RecvFlags::empty()) {
                // NOBUFS: messages were lost, which is as good as one.
                Ok(_) | Err(Errno::INTR | Errno::NOBUFS) => {}
                Err(Errno::AGAIN) => return Ok(()),
                Err(e) => return Err(failed(e)),
            }
        }
    }
}

fn failed(e: Errno) -> Error {
    Error::new(format!("cannot listen to uevents: {e}"))
}

impl Events for Uevents {
    fn wait(&mut self, limit: Duration) -> Result {
        let limit = limit.min(LOOK_AGAIN);
        let limit = Timespec::try_from(limit).map_err(|_| failed(Errno::INVAL))?;
        match poll(&mut [PollFd::new(&self.0, PollFlags::IN)], Some(&limit)) {
            Ok(_) | Err(Errno::INTR) => self.drain(),
            Err(e) => Err(failed(e)),
        }
    }
}
