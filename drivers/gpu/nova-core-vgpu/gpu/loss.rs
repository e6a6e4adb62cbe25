// SPDX-License-Identifier: GPL-2.0

//! Why a GPU is of no use any more, and what tells it.
//!
//! ```text
//!   NV_PGSP_MAILBOX(0), written by GSP-RM when one of its tasks dies
//!     31:28   0xe      27:24  skipped     23:16  task     15:8  reason     7:0  code
//! ```
//!
//! (OGKM `gsp_error.h`, `kernel_gsp_tu102.c`.)
//!
//! Pure: also compiled on the host by `tools/testing/host-tests`.

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loss {
    /// Something in the status queue makes no sense; the text names it.
    Messages(&'static str),
    /// Neither a request nor the question whether it is alive was answered in time.
    Silent,
    /// The core that runs GSP-RM has stopped; `RISCV_CPUCTL`.
    Halted(u32),
    /// GSP-RM says that it has died.
    Panic(Panic),
    /// It stops one channel of this driver after the other, so that no work gets done.
    RcStorm,
    /// Nothing answers at BAR0.
    Removed,
    /// The PCI core was told of an error that needs a reset.
    Link,
    /// GSP could not be booted after a reset or after sleep; the reason is in the log.
    Boot,
}

impl Loss {
    /// The sentence for the log.
    pub(crate) const fn text(&self) -> &'static str {
        match self {
            Self::Messages(_) => "its messages make no sense",
            Self::Silent => "it does not answer",
            Self::Halted(_) => "its core has stopped",
            Self::Panic(_) => "one of its tasks has died",
            Self::RcStorm => "it stops every channel",
            Self::Removed => "the device is gone",
            Self::Link => "the PCI link has failed",
            Self::Boot => "it does not boot again",
        }
    }

    /// What goes with the sentence: a field name and a number.
    pub(crate) const fn detail(&self) -> Option<(&'static str, u32)> {
        match *self {
            Self::Messages(what) => Some((what, 0)),
            Self::Halted(cpuctl) => Some(("RISCV_CPUCTL", cpuctl)),
            Self::Panic(panic) => Some(("mailbox", panic.raw)),
            Self::Silent | Self::RcStorm | Self::Removed | Self::Link | Self::Boot => None,
        }
    }

    /// Whether a reset of the function can help.
    pub(crate) const fn is_curable(&self) -> bool {
        !matches!(self, Self::Removed)
    }
}

/// The mailbox with the mark of a death.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Panic {
    raw: u32,
}

impl Panic {
    const TAG: u32 = 0xe;

    /// The death that the mailbox tells of, if it does.
    pub(crate) const fn decode(mailbox: u32) -> Option<Self> {
        if mailbox >> 28 == Self::TAG {
            Some(Self { raw: mailbox })
        } else {
            None
        }
    }

    /// Number of the task.
    pub(crate) const fn task(&self) -> u8 {
        self.raw.to_le_bytes()[2]
    }

    /// Why it died.
    pub(crate) const fn reason(&self) -> u8 {
        self.raw.to_le_bytes()[1]
    }

    /// More about it.
    pub(crate) const fn code(&self) -> u8 {
        self.raw.to_le_bytes()[0]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_mark_is_a_death() {
        // Nothing, another word, a device that is gone, a read that was refused.
        for value in [0, 0x8000_0000, 0xff, 0x0123_4000, u32::MAX, 0xbadf_5108] {
            assert_eq!(Panic::decode(value), None, "{value:#x}");
        }
        let panic = Panic::decode(0xe003_0207).unwrap();
        assert_eq!((panic.task(), panic.reason(), panic.code()), (3, 2, 7));
    }

    #[test]
    fn a_device_that_is_gone_is_not_to_be_reset() {
        assert!(!Loss::Removed.is_curable());
        assert!(Loss::Silent.is_curable());
    }
}
