// SPDX-License-Identifier: GPL-2.0

//! Life of one VF's vGPU.
//!
//! ```text
//!              open              all steps done            close
//!   Absent ----------> Creating ----------------> Running ------> Destroying ---> Absent
//!     ^                   |                        |   ^              ^
//!     |   a step failed   |          reset refused |   | (not back:   |
//!     '-------------------'                        v   |  close only) |
//!                                                Failed --------------'
//! ```
//!
//! `Failed`: the plugin did not survive a reset or stopped answering, or the GPU was lost; the guest's accesses to
//! configuration space go on, messages do not, until the device is closed.
//!
//! Pure: also compiled on the host by `tools/testing/host-tests`.

/// See the file's comment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// No vGPU.
    Absent,
    /// Steps of creation are being taken.
    Creating,
    /// The plugin answers.
    Running,
    /// The plugin is not to be used any more.
    Failed,
    /// Steps of destruction are being taken.
    Destroying,
}

/// What happens to a vGPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The device is opened.
    Create,
    /// Every step of creation has succeeded.
    Created,
    /// One has failed and all before it are undone.
    CreateFailed,
    /// The plugin missed a deadline or refused a reset, or the GPU was lost.
    Fail,
    /// The device is closed.
    Destroy,
    /// Nothing of the vGPU is left.
    Destroyed,
}

impl Status {
    /// Word for it in sysfs and uevents.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Creating => "creating",
            Self::Running => "running",
            Self::Failed => "failed",
            Self::Destroying => "destroying",
        }
    }

    /// The only transition function; `None` for a step that is not possible.
    pub(crate) fn next(self, step: Step) -> Option<Self> {
        Some(match (self, step) {
            (Self::Absent, Step::Create) => Self::Creating,
            (Self::Creating, Step::Created) => Self::Running,
            (Self::Creating, Step::CreateFailed) => Self::Absent,
            (Self::Running | Self::Failed, Step::Fail) => Self::Failed,
            (Self::Running | Self::Failed, Step::Destroy) => Self::Destroying,
            (Self::Destroying, Step::Destroyed) => Self::Absent,
            _ => return None,
        })
    }
}
