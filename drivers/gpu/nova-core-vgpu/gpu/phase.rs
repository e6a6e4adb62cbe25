// SPDX-License-Identifier: GPL-2.0

//! Life of a GPU, from the driver's point of view.
//!
//! ```text
//!                    booted                  lost
//!   Booting ----------------------> Running ------> Lost <-----.
//!    ^  ^  '------- boot failed ------|--------------^         |
//!    |  |                             |              |         |
//!    |  '-- woken -- Suspended <------+---- sleep ---+  (an error while Resetting or
//!    |                                |              |   Suspended changes nothing:
//!    '----- reset over - Resetting <--+---- reset ---'   GSP does not run then)
//!                            '--- reset failed --> Lost
//!
//!   any --- removed ---> Gone
//! ```
//!
//! `Running` is the only phase in which GSP may be asked anything. From `Lost`, a reset of the PF or
//! a new binding of the driver leads back; so does sleep, because the GPU is booted after it.
//!
//! Pure: also compiled on the host by `tools/testing/host-tests`.

/// See the file's comment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// GSP is being booted.
    Booting,
    /// GSP answers.
    Running,
    /// The system sleeps; GSP was stopped before.
    Suspended,
    /// GSP does not answer any more, or could not be booted again.
    Lost,
    /// The PF is being reset; GSP was stopped before, as far as it listened.
    Resetting,
    /// The driver has let go of the GPU.
    Gone,
}

/// What happens to a GPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// GSP is up, and everything that depends on it.
    Booted,
    /// It is not, and has been stopped again.
    BootFailed,
    /// GSP was found to be dead.
    Fail,
    /// The system goes to sleep.
    Sleep,
    /// It is awake again.
    Wake,
    /// The PF is about to be reset.
    Reset,
    /// It has been reset.
    ResetDone,
    /// It could not be reset.
    ResetFailed,
    /// The driver loses the PF, or the system goes down.
    Remove,
}

impl Phase {
    /// The only transition function; `None` for a step that is not possible.
    pub(crate) fn next(self, step: Step) -> Option<Self> {
        Some(match (self, step) {
            (Self::Gone, _) => return None,
            (_, Step::Remove) => Self::Gone,
            (Self::Booting, Step::Booted) => Self::Running,
            (Self::Booting, Step::BootFailed) => Self::Lost,
            (Self::Running, Step::Fail) => Self::Lost,
            (Self::Running | Self::Lost, Step::Sleep) => Self::Suspended,
            (Self::Suspended, Step::Wake) => Self::Booting,
            (Self::Running | Self::Lost, Step::Reset) => Self::Resetting,
            (Self::Resetting, Step::ResetDone) => Self::Booting,
            (Self::Resetting, Step::ResetFailed) => Self::Lost,
            _ => return None,
        })
    }

    /// Word for debugfs and for the log.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Booting => "booting",
            Self::Running => "running",
            Self::Suspended => "suspended",
            Self::Lost => "lost",
            Self::Resetting => "resetting",
            Self::Gone => "gone",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Phase::*, Step::*, *};

    const PHASES: [Phase; 6] = [Booting, Running, Suspended, Lost, Resetting, Gone];
    const STEPS: [Step; 9] = [
        Booted,
        BootFailed,
        Fail,
        Sleep,
        Wake,
        Reset,
        ResetDone,
        ResetFailed,
        Remove,
    ];

    fn walk(steps: &[Step]) -> Option<Phase> {
        steps
            .iter()
            .try_fold(Booting, |phase, step| phase.next(*step))
    }

    #[test]
    fn ways_back_to_running() {
        assert_eq!(walk(&[Booted]), Some(Running));
        assert_eq!(
            walk(&[Booted, Fail, Reset, ResetDone, Booted]),
            Some(Running)
        );
        assert_eq!(walk(&[Booted, Reset, ResetDone, Booted]), Some(Running));
        assert_eq!(walk(&[Booted, Sleep, Wake, Booted]), Some(Running));
        assert_eq!(walk(&[Booted, Fail, Sleep, Wake, Booted]), Some(Running));
        assert_eq!(
            walk(&[Booted, Reset, ResetDone, BootFailed, Reset, ResetDone, Booted]),
            Some(Running)
        );
        assert_eq!(
            walk(&[Booted, Reset, ResetFailed, Reset, ResetDone, Booted]),
            Some(Running)
        );
    }

    #[test]
    fn nothing_runs_without_having_been_booted() {
        for phase in PHASES {
            for step in STEPS {
                if phase.next(step) == Some(Running) {
                    assert_eq!((phase, step), (Booting, Booted));
                }
                // Nobody may ask GSP while it is booted, reset or asleep, so nobody can lose it.
                if phase != Running {
                    assert_eq!(phase.next(Fail), None);
                }
            }
        }
    }

    #[test]
    fn gone_is_for_ever_and_reached_from_everywhere() {
        for phase in PHASES {
            assert_eq!(phase.next(Remove), (phase != Gone).then_some(Gone));
            for step in STEPS {
                assert!(phase != Gone || phase.next(step).is_none());
            }
        }
    }

    #[test]
    fn sleep_and_reset_do_not_nest() {
        for (phase, step) in [
            (Suspended, Reset),
            (Suspended, Sleep),
            (Resetting, Sleep),
            (Resetting, Reset),
            (Booting, Sleep),
            (Booting, Reset),
            (Running, Wake),
            (Running, ResetDone),
            (Running, ResetFailed),
            (Lost, Booted),
        ] {
            assert_eq!(phase.next(step), None, "{phase:?} {step:?}");
        }
    }
}
